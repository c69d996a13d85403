"""Throttle: emit at once, then at most once per interval. For updates of which only the latest matters."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["MOST", "Throttle"]

MOST, REST = 50, 0.02
"""People after whom it rests, and for how many seconds. When a crowd comes back, all rooms change. If all of them were told in one turn of
the event loop, messages would wait for thousands of writes."""


class Throttle:
    """Calls `emit(room)` when a room changed: at once, or, if it did so less than `interval` seconds ago, after the interval.

    `interval` may be a function of the room, asked after each `emit`. `people`: how many hear of a room. Where many rooms change at a time, these
    wait for their turn; without it, none does. While `waits()` is true, nothing is emitted. It belongs to one loop.
    """

    def __init__(
        self,
        interval: float | Callable[[str], float],
        emit: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        people: Callable[[str], int] = lambda room: 0,
        waits: Callable[[], bool] = lambda: False,
    ) -> None:
        self._interval = interval if callable(interval) else lambda room: interval
        self._emit = emit
        self._clock = clock
        self._people = people
        self._waits = waits
        self._again: dict[str, float] = {}
        """When a room may be told again."""
        self._due: set[str] = set()
        """Rooms that wait until then …"""
        self._ready: OrderedDict[str, None] = OrderedDict()
        """… and those that wait for their turn since."""
        self._told = 0
        """People, since the last rest."""
        self._rests = False

    def note(self, room: str) -> None:
        """A room changed."""
        now = self._clock()
        if self._waits() or now < self._again.get(room, now):
            self._due.add(room)
        elif self._rests:
            self._ready.setdefault(room)
        else:
            self._tell(room)

    def sweep(self) -> None:
        """Emit for rooms whose interval is over, and forget those that did not change again."""
        if self._waits():
            return
        now = self._clock()
        for room in [r for r in self._due if now >= self._again.get(r, now)]:
            self._due.discard(room)
            self._ready.setdefault(room)
        for room in [r for r, at in self._again.items() if now >= at and r not in self._due]:
            del self._again[room]
        if not self._rests:
            self._tell_some()

    def _tell_some(self) -> None:
        self._rests = False
        while self._ready and not self._rests and not self._waits():
            self._tell(next(iter(self._ready)))

    def _tell(self, room: str) -> None:
        self._due.discard(room)
        self._ready.pop(room, None)
        self._told += self._people(room)
        self._emit(room)
        self._again[room] = self._clock() + self._interval(room)
        if self._told >= MOST:
            self._told, self._rests = 0, True
            asyncio.get_running_loop().call_later(REST, self._tell_some)
