"""Waits with jitter: many workers that wait for the same thing must not all act in the same moment."""

import random

__all__ = ["Backoff", "jittered"]

_DOUBLINGS = 30
"""More would only make numbers that no float holds."""


def jittered(seconds: float, least: float = 0.8, most: float = 1.2) -> float:
    """A random number of seconds between `least` and `most` times this. From 0 to 1 is what is called full jitter."""
    return random.uniform(least * seconds, most * seconds)  # noqa: S311 - jitter, no secret


class Backoff:
    """Waits between attempts: each failure in a row doubles the wait, from `first` up to `longest` seconds.

    A wait is between `least` times that and all of it; 0 is full jitter.
    """

    __slots__ = ("_first", "_least", "_longest", "failures")

    def __init__(self, first: float, longest: float, *, least: float = 0.8) -> None:
        self._first = first
        self._longest = longest
        self._least = least
        self.failures = 0
        """Failures since the last success."""

    def failed(self) -> float:
        """Count one more failure; the seconds to wait before the next attempt."""
        wait = min(self._longest, self._first * 2 ** min(self.failures, _DOUBLINGS))
        self.failures += 1
        return jittered(wait, self._least, 1.0)

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self.failures = 0
