"""The time of day: as events carry it, and a steady one for deadlines, which must not pass early when a clock is set forward."""

import time
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Clock", "Steady", "now"]

Clock: TypeAlias = Callable[[], float]
"""Returns Unix seconds."""

HURRY = 1.1
"""How much faster than time it runs at most, until it has caught up with a clock that was set forward."""


def now() -> float:
    """Unix seconds to the millisecond, as events and rooms carry them."""
    return int(time.time() * 1000) / 1000  # `round` takes three times as long, for every message


class Steady:
    """A clock: call it for Unix seconds. It is never ahead of the time of day, and follows a leap slowly."""

    def __init__(self) -> None:
        self._time = time.time()
        self._at = time.monotonic()

    def __call__(self) -> float:
        """The present time."""
        at = time.monotonic()
        self._time = min(time.time(), self._time + HURRY * (at - self._at))
        self._at = at
        return self._time
