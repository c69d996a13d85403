"""Events as they come from the server, and the queues in which they wait for code."""

import asyncio
from collections import deque
from typing import Any

from ..support.positions import Position

__all__ = ["Event", "Frame", "Waiting"]

Frame = dict[str, Any]
EVENTS = 1_000
"""Events that wait for one loop …"""
BYTES = 4 * 1024 * 1024
"""… and their bytes."""


class Event(dict[str, Any]):
    """An event as on the wire. It remembers the epoch of its room, which the wire does not repeat."""

    __slots__ = ("position",)

    def __init__(self, frame: Frame, position: Position | None = None) -> None:
        super().__init__(frame)
        self.position = position
        """None: a live event."""


class Waiting:
    """A bounded queue of events for one loop."""

    def __init__(self) -> None:
        self._events: deque[tuple[Event, int]] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._end: BaseException | None = None
        self.ended = False

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event, size: int) -> bool:
        """False: it is full."""
        if len(self._events) >= EVENTS or (self._events and self._size + size > BYTES):
            return False
        self._events.append((event, size))
        self._size += size
        self._news.set()
        return True

    def end(self, error: BaseException | None = None) -> None:
        """What waits is the last; then the loop ends, with the error."""
        if not self.ended:
            self.ended, self._end = True, error
            self._news.set()

    def wake(self) -> None:
        """Let the loop look."""
        self._news.set()

    async def news(self) -> None:
        """Wait until there is something, or the end."""
        self._news.clear()
        if not self._events and not self.ended:
            await self._news.wait()

    def take(self) -> Event | None:
        """The next event; None: nothing waits. Raises the error with which it ended, after the last event."""
        if self._events:
            event, size = self._events.popleft()
            self._size -= size
            return event
        if self._end is not None:
            raise self._end
        return None
