"""Clocks that a test controls."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

__all__ = ["Clock", "time_of_day"]


class Clock:
    """A clock for tests. Calling it returns Unix seconds, which change only by `advance`."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The current time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        self.now += seconds


@contextmanager
def time_of_day() -> Iterator[Callable[[float], None]]:
    """Call what it yields to set this process's time of day so many seconds on, or back."""
    real, ahead = time.time, 0.0

    def move(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    def present() -> float:
        return real() + ahead

    with mock.patch.object(time, "time", present):
        yield move
