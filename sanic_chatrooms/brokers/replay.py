"""Which packets of each publisher arrived before: a signed packet that somebody recorded is not delivered a second time."""

import enum
import time
from collections.abc import Callable

__all__ = ["Age", "Seen"]

WINDOW = 1024
"""Numbers below the highest of a publisher that are told apart: systems of several servers deliver out of order."""
LATE = 30.0
"""Seconds that a packet may be older than the newest of its publisher."""
CLOCKS = 300.0
"""Seconds that the clocks of two machines may differ: a packet of a new publisher must be younger than that."""
PUBLISHERS = 1000
"""Processes that are remembered; then the one that was silent longest is forgotten."""

_MASK = (1 << WINDOW) - 1


class Age(enum.Enum):
    """What a number says about a packet."""

    NEW = enum.auto()
    SEEN = enum.auto()
    """It was here before."""
    OLD = enum.auto()
    """It may have been here before."""


class _Publisher:
    __slots__ = ("at", "bits", "highest")

    def __init__(self, number: int, at: float) -> None:
        self.highest = number
        self.at = at
        self.bits = 1
        """Bit k: `highest` - k was here."""


class Seen:
    """Each publisher numbers its packets from 1, and writes the time (Unix seconds) on them."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._publishers: dict[str, _Publisher] = {}

    def judge(self, publisher: str, number: int, at: float) -> Age:
        """Whether this packet is new; if it is, it is not the next time."""
        known = self._publishers.get(publisher)
        if known is None:
            return self._first(publisher, number, at)
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

    def _first(self, publisher: str, number: int, at: float) -> Age:
        # Of a process that ended, perhaps, and recorded then.
        if abs(self._clock() - at) > CLOCKS:
            return Age.OLD
        if len(self._publishers) >= PUBLISHERS:
            del self._publishers[min(self._publishers, key=lambda other: self._publishers[other].at)]
        self._publishers[publisher] = _Publisher(number, at)
        return Age.NEW

    @staticmethod
    def _at(known: _Publisher, at: float) -> None:
        if at > known.at or at < known.at - LATE:  # its clock was set back
            known.at = at
