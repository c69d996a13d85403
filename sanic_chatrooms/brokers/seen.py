"""Which pieces of whom arrived before: a signed piece that somebody recorded is not heard a second time."""

import enum
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Age", "Seen"]

WINDOW = 4096
"""Numbers below the highest of an origin that are told apart: systems of several servers deliver out of order."""
LATE = 30.0
"""Seconds that a piece may be older than the newest of its origin."""
CLOCKS = 300.0
"""Seconds that the clocks of two machines may differ: by them it is judged who speaks for the first time."""
ORIGINS = 1000
"""Processes that are remembered; then the one that was silent longest is forgotten."""

_MASK = (1 << WINDOW) - 1


class Age(enum.Enum):
    """What a number says about a piece."""

    NEW = enum.auto()
    SEEN = enum.auto()
    """It was here before."""
    OLD = enum.auto()
    """It may have been here before."""


class _Origin:
    __slots__ = ("at", "bits", "highest")

    def __init__(self, number: int, at: float) -> None:
        self.highest = number
        self.at = at
        self.bits = 1
        """Bit k: `highest` - k was here."""


class Seen:
    """Each origin numbers its pieces from 1, and writes the time (Unix seconds) on them."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._origins: OrderedDict[str, _Origin] = OrderedDict()

    def judge(self, origin: str, number: int, at: float) -> Age:
        """Whether this piece is new; if it is, it is not the next time."""
        known = self._origins.get(origin)
        if known is None:
            return self._first(origin, number, at)
        self._origins.move_to_end(origin)
        back = known.highest - number
        if back < 0:
            return self._next(known, number, at)
        if back >= WINDOW or at < known.at - LATE:
            return Age.OLD
        if known.bits >> back & 1:
            return Age.SEEN
        known.bits |= 1 << back
        return Age.NEW

    def _first(self, origin: str, number: int, at: float) -> Age:
        # Of a process that ended, perhaps, and recorded then.
        if abs(self._clock() - at) > CLOCKS:
            return Age.OLD
        self._origins[origin] = _Origin(number, at)
        if len(self._origins) > ORIGINS:
            self._origins.popitem(last=False)
        return Age.NEW

    def _next(self, known: _Origin, number: int, at: float) -> Age:
        if at < known.at - LATE:  # its clock was set back
            known.at = at
        step = number - known.highest
        known.bits = (known.bits << step | 1) & _MASK if step < WINDOW else 1
        known.highest, known.at = number, max(known.at, at)
        return Age.NEW
