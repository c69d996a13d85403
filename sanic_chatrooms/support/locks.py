"""One lock for each name, for as long as somebody needs it."""

import asyncio
from weakref import WeakValueDictionary

__all__ = ["Locks"]


class Locks:
    """Locks by name. A lock that nobody holds or waits for is forgotten."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._locks)

    def of(self, name: str) -> asyncio.Lock:
        """The lock of this name. Keep it while you use it."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock
