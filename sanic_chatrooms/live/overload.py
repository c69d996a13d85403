"""Whether this process has more to do than it can: its event loop has been late for a second."""

import asyncio
import time
from collections.abc import Callable

from ..observe.instruments import OVERLOADED, SHED
from ..observe.meter import SILENT, Meter

__all__ = ["Overload"]

STEP = 0.1
"""Seconds from one look to the next."""
LONG = 1.0
"""Seconds for which the loop has to be late."""
CALM = 1.0
"""Seconds without being late after which it is over."""


class Overload:
    """One per worker. `limit`: how late the loop may be, in seconds; None: it never counts as overloaded."""

    def __init__(
        self, limit: float | None, meter: Meter = SILENT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.shedding = False
        """Newcomers are refused, and live events wait."""
        self._meter = meter
        self._clock = clock
        self._late_since: float | None = None
        self._late_at = 0.0
        meter.watch(OVERLOADED, lambda: self.shedding)

    async def go_on(self) -> None:
        """One look; repeat it."""
        step = LONG if self.limit is None else STEP
        due = self._clock() + step
        await asyncio.sleep(step)
        self.note(due, self._clock())

    def note(self, due: float, now: float) -> None:
        """The loop did at `now` what was due at `due`."""
        if self.limit is None or now - due <= self.limit:
            self._late_since = None
            if now - self._late_at >= CALM:
                self.shedding = False
            return
        if self._late_since is None:
            self._late_since = due + self.limit
        self._late_at = now
        if now - self._late_since >= LONG:
            self.shedding = True

    def sheds(self, what: str) -> bool:
        """Whether to leave out this live event. It is counted."""
        if self.shedding:
            self._meter.add(SHED, 1, what)
        return self.shedding

    def waits(self) -> bool:
        """Whether live events wait."""
        return self.shedding
