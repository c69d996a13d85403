from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sanic_chatrooms import Store
from sanic_chatrooms.stores.wrapped import WrappedStore

T = TypeVar("T")


class CountedStore(WrappedStore):
    """Counts the calls of each verb."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.calls: Counter[str] = Counter()

    async def around(self, verb: str, ask: Callable[[], Awaitable[T]]) -> T:
        self.calls[verb] += 1
        return await ask()
