"""Counters, gauges and histograms of a worker, and the meter that takes their values. The default meter drops them.

An instrument is declared once, in `instruments.py`, with a name that Prometheus takes: its unit is in the name, and
counters end in `_total`. Labels have few values: never a user, a room, or what a client sent.
"""

from collections.abc import Callable

import msgspec

__all__ = ["SILENT", "Counter", "Gauge", "Histogram", "Meter", "Tally"]


class Counter(msgspec.Struct, frozen=True, eq=False):
    """A number that only grows. Its name ends in `_total`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Gauge(msgspec.Struct, frozen=True, eq=False):
    """A number that grows and shrinks. It is read when it is wanted. That of several workers is the sum, or the `least`."""

    name: str
    help: str
    least: bool = False


class Histogram(msgspec.Struct, frozen=True, eq=False):
    """The distribution of values. `buckets` are upper bounds."""

    name: str
    help: str
    buckets: tuple[float, ...]
    labels: tuple[str, ...] = ()


class Tally:
    """A count that its owner keeps, for what happens too often for a call: `tally.count += 1`."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Meter:
    """Takes what one process counts and measures. This one drops it. To keep values, derive from it.

    Methods are called on the event loop, between two messages. They must return at once and raise nothing. What would
    have to be reported for every message is kept as a number by its owner instead, and read (`watch`).
    """

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        """Count something. Pass one value for each label of the counter."""

    def tally(self, counter: Counter, *labels: str) -> Tally:
        """A count to keep, which is added to this counter whenever it is read."""
        return Tally()

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Measure something. Pass one value for each label of the histogram."""

    def watch(self, instrument: Gauge | Counter, read: Callable[[], float]) -> None:
        """Register `read`, which returns the present value of a gauge, or of a counter without labels, at any time."""


SILENT = Meter()
