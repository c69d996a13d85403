"""Which pieces of whom arrived before: a signed piece that somebody recorded is not heard a second time."""

import enum
import time
from collections.abc import Callable

__all__ = ["Age", "Seen"]

WINDOW = 1024
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
        self._origins: dict[str, _Origin] = {}

    def judge(self, origin: str, number: int, at: float) -> Age:
        """Whether this piece is new; if it is, it is not the next time."""
        known = self._origins.get(origin)
        if known is None:
            return self._first(origin, number, at)
        back = known.highest - number
        if back < 0:
            known.bits = (known.bits << -back | 1) & _MASK if back > -WINDOW else 1
            known.highest = number
            if at != known.at:
                self._at(known, at)
            return Age.NEW
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
        if len(self._origins) >= ORIGINS:
            del self._origins[min(self._origins, key=lambda other: self._origins[other].at)]
        self._origins[origin] = _Origin(number, at)
        return Age.NEW

    @staticmethod
    def _at(known: _Origin, at: float) -> None:
        if at > known.at or at < known.at - LATE:  # its clock was set back
            known.at = at
