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
    __slots__ = ("at", "bits", "highest", "judged")

    def __init__(self, number: int, at: float) -> None:
        self.highest = number
        self.judged = number
        """The highest that was judged."""
        self.at = at
        self.bits = 1
        """Bit k: `judged` - k was judged."""


class Seen:
    """Each publisher numbers its packets from 1, and writes the time (Unix seconds) on them.

    A packet that may come twice without harm is only `passed`, which is cheaper; all others are judged.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._publishers: dict[str, _Publisher] = {}

    def passed(self, publisher: str, number: int, at: float) -> None:
        """A packet came that is not judged: what was sent long before it is old."""
        known = self._publishers.get(publisher)
        if known is not None and number > known.highest:
            self._newest(known, number, at)

    def judge(self, publisher: str, number: int, at: float) -> Age:
        """Whether this packet is new; if it is, it is not the next time."""
        known = self._publishers.get(publisher)
        if known is None:
            return self._first(publisher, number, at)
        if number > known.highest:
            self._newest(known, number, at)
        elif known.highest - number >= WINDOW or at < known.at - LATE:
            return Age.OLD
        back = known.judged - number
        if back < 0:
            known.bits = (known.bits << -back | 1) & _MASK if back > -WINDOW else 1
            known.judged = number
            return Age.NEW
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
    def _newest(known: _Publisher, number: int, at: float) -> None:
        known.highest = number
        if at > known.at or at < known.at - LATE:  # its clock was set back
            known.at = at
