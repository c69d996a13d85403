from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar
from unittest.mock import AsyncMock

import pytest

from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.stores.wrapped import WrappedStore

T = TypeVar("T")
VERBS = sorted(
    name for name, verb in inspect.getmembers(Store, inspect.iscoroutinefunction) if name[0] != "_"
)


class Recording(WrappedStore):
    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.asked: list[str] = []

    async def around(self, verb: str, ask: Callable[[], Awaitable[T]]) -> T:
        self.asked.append(verb)
        return await ask()


def test_every_verb_of_the_contract_is_passed_on() -> None:
    passed_on = {name for name, verb in vars(WrappedStore).items() if inspect.isfunction(verb)}

    assert {name for name in passed_on if name[0] != "_"} - {"around", "require_free"} == set(VERBS)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("start", "stop")])
async def test_a_call_goes_through_around_with_what_it_was_given(verb: str) -> None:
    inner = AsyncMock(spec=MemoryStore)
    store = Recording(inner)

    answer = await getattr(store, verb)("one", two=2)

    assert store.asked == [verb]
    getattr(inner, verb).assert_awaited_once_with("one", two=2)
    assert answer is getattr(inner, verb).return_value


async def test_it_starts_and_ends_what_is_wrapped() -> None:
    inner = AsyncMock(spec=MemoryStore)
    store = Recording(inner)

    await store.stop()
    store.require_free()

    inner.stop.assert_awaited_once_with()
    inner.require_free.assert_called_once_with()
    assert store.asked == []


def test_it_looks_like_what_is_wrapped() -> None:
    inner = MemoryStore()

    assert Recording(inner).scope is inner.scope
