"""A store around another store: every method of the contract goes through one function."""

import functools
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from .base import Bounds, Store

__all__ = ["WrappedStore"]

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
T = TypeVar("T")


def _passed_on(verb: F) -> F:
    name = verb.__name__

    # No coroutine of its own: joining asks a store many times.
    def ask(self: "WrappedStore", *args: Any, **kwargs: Any) -> Awaitable[Any]:
        return self.around(name, functools.partial(getattr(self.inner, name), *args, **kwargs))

    functools.update_wrapper(ask, verb, updated=())  # not that it is abstract
    return cast(F, ask)


class WrappedStore(Store):
    """Passes every call to `inner`, through `around`. A test checks that no method of the contract is missing here."""

    append = _passed_on(Store.append)
    heads = _passed_on(Store.heads)
    history = _passed_on(Store.history)
    message = _passed_on(Store.message)
    events = _passed_on(Store.events)
    related = _passed_on(Store.related)
    toggles = _passed_on(Store.toggles)
    trim = _passed_on(Store.trim)
    renew_epoch = _passed_on(Store.renew_epoch)
    create_room = _passed_on(Store.create_room)
    room = _passed_on(Store.room)
    rooms = _passed_on(Store.rooms)
    update_room = _passed_on(Store.update_room)
    delete_room = _passed_on(Store.delete_room)
    fact = _passed_on(Store.fact)
    facts_about = _passed_on(Store.facts_about)
    facts = _passed_on(Store.facts)
    facts_of = _passed_on(Store.facts_of)
    first_facts = _passed_on(Store.first_facts)
    set_fact = _passed_on(Store.set_fact)
    lease = _passed_on(Store.lease)
    open_streams = _passed_on(Store.open_streams)
    checkpoint = _passed_on(Store.checkpoint)
    unread = _passed_on(Store.unread)
    about_each = _passed_on(Store.about_each)
    rooms_about = _passed_on(Store.rooms_about)
    take = _passed_on(Store.take)
    secret = _passed_on(Store.secret)
    erase = _passed_on(Store.erase)
    all_facts = _passed_on(Store.all_facts)
    forget_user = _passed_on(Store.forget_user)

    def __init__(self, inner: Store) -> None:
        self.scope = inner.scope  # type: ignore[misc] # the class has none of its own: it depends on what it wraps
        self.publishes_as = inner.publishes_as
        self.inner = inner

    @abstractmethod
    async def around(self, verb: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Answer one call: `ask` asks the inner store."""

    async def start(self, instance: str, bounds: Bounds) -> None:
        """Start what is wrapped."""
        await self.inner.start(instance, bounds)

    async def stop(self) -> None:
        """Stop what is wrapped."""
        await self.inner.stop()

    def require_free(self) -> None:
        """See `Store.require_free`."""
        self.inner.require_free()
