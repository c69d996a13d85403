"""The time of day: as it is written down, and for what must not end early when a clock is set forward."""

import time
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Clock", "Steady", "now"]

Clock: TypeAlias = Callable[[], float]
"""Returns Unix seconds."""

HURRY = 1.1
"""How many times as fast as time it goes at most, until it has caught up with a clock that was set forward."""


def now() -> float:
    """Unix seconds, to the millisecond: as events and rooms carry the time."""
    return round(time.time(), 3)


class Steady:
    """Call it for Unix seconds. It is never ahead of the time of day, and where that leaps it follows slowly."""

    def __init__(self) -> None:
        self._time = time.time()
        self._at = time.monotonic()

    def __call__(self) -> float:
        """The present time."""
        at = time.monotonic()
        self._time = min(time.time(), self._time + HURRY * (at - self._at))
        self._at = at
        return self._time
