"""Throttle: emit at once, then at most once per interval. For updates of which only the latest matters."""

import time
from collections.abc import Callable

__all__ = ["Throttle"]


class Throttle:
    """Calls `emit(room)` when a room changed: at once, or, if it did so less than `interval` seconds ago, after the interval.

    `interval` may be a function of the room, asked after each `emit`. While `waits()` is true, nothing is emitted.
    """

    def __init__(
        self,
        interval: float | Callable[[str], float],
        emit: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        waits: Callable[[], bool] = lambda: False,
    ) -> None:
        self._interval = interval if callable(interval) else lambda room: interval
        self._emit = emit
        self._clock = clock
        self._waits = waits
        self._again: dict[str, float] = {}
        """When a room may be told again."""
        self._due: set[str] = set()

    def note(self, room: str) -> None:
        """A room changed."""
        now = self._clock()
        if not self._waits() and now >= self._again.get(room, now):
            self._tell(room, now)
        else:
            self._due.add(room)

    def sweep(self) -> None:
        """Emit for rooms whose interval is over, and forget those that did not change again."""
        if self._waits():
            return
        now = self._clock()
        for room in [r for r in self._due if now >= self._again.get(r, now)]:
            self._tell(room, now)
        for room in [r for r, at in self._again.items() if now >= at and r not in self._due]:
            del self._again[room]

    def _tell(self, room: str, now: float) -> None:
        self._due.discard(room)
        self._emit(room)
        self._again[room] = now + self._interval(room)
