"""What can be counted and measured, and where it goes: nowhere, unless a meter is given.

An instrument is declared once, in `instruments.py`, with a name that Prometheus takes: its unit is in the name, and
counters end in `_total`. Labels have few values: never a user, a room, or what a client sent.
"""

from collections.abc import Callable

import msgspec

__all__ = ["SILENT", "Counter", "Gauge", "Histogram", "Meter"]


class Counter(msgspec.Struct, frozen=True, eq=False):
    """Only grows."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Gauge(msgspec.Struct, frozen=True, eq=False):
    """Grows and shrinks; read when somebody wants to know."""

    name: str
    help: str


class Histogram(msgspec.Struct, frozen=True, eq=False):
    """How values are spread. `buckets` are the upper bounds that are of interest."""

    name: str
    help: str
    buckets: tuple[float, ...]
    labels: tuple[str, ...] = ()


class Meter:
    """Takes what one process counts and measures. This one drops it: derive from it, and keep what you need.

    Its methods are called on the event loop, between two messages: they return at once and raise nothing. What every
    message would have to report is kept as a number by its owner, and read: see `watch`.
    """

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        """Count something: one value for each label of the counter."""

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Measure something: one value for each label of the histogram."""

    def watch(self, instrument: Gauge | Counter, read: Callable[[], float]) -> None:
        """`read` tells the present value of a gauge, or of a counter without labels, at any time."""


SILENT = Meter()
