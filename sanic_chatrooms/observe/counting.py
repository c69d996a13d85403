"""A meter that keeps its values, and what several of them have counted together."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from .meter import Counter, Gauge, Histogram, Meter, Tally

__all__ = ["CountingMeter", "Counts", "Labels", "check_labels", "fitting", "merged"]

MAX_SERIES = 2_000
"""Combinations of labels that one instrument may have; those beyond share the value `other` in all labels."""
OTHER = "other"

Labels = tuple[str, ...]
T = TypeVar("T")


class Counts(msgspec.Struct):
    """What was counted and measured up to a moment, by names of instruments and by labels.

    The values of a histogram are the counts of its buckets, of what is above them, and the sum.
    """

    counters: dict[str, dict[Labels, float]] = {}
    histograms: dict[str, dict[Labels, list[float]]] = {}
    gauges: dict[str, float] = {}


class CountingMeter(Meter):
    """Keeps every count. `before`: counters and histograms begin with these, which a process before this one has left."""

    def __init__(self) -> None:
        self.before = Counts()
        self._counts: dict[tuple[Counter, Labels], float] = {}
        self._values: dict[tuple[Histogram, Labels], list[float]] = {}
        self._reads: dict[Gauge | Counter, Callable[[], float]] = {}
        self._tallies: list[tuple[Counter, Labels, Tally]] = []

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        """See `Meter.add`."""
        try:
            self._counts[counter, labels] += amount
        except KeyError:
            key = (counter, _bounded(counter, labels, self._counts))
            self._counts[key] = self._counts.get(key, 0) + amount

    def tally(self, counter: Counter, *labels: str) -> Tally:
        """See `Meter.tally`."""
        tally = Tally()
        self._tallies.append((counter, labels, tally))
        return tally

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """See `Meter.observe`."""
        values = self._values.get((histogram, labels))
        if values is None:
            key = (histogram, _bounded(histogram, labels, self._values))
            values = self._values.setdefault(key, [0.0] * (len(histogram.buckets) + 2))
        values[bisect_left(histogram.buckets, value)] += 1
        values[-1] += value

    def watch(self, instrument: Gauge | Counter, read: Callable[[], float]) -> None:
        """See `Meter.watch`."""
        self._reads[instrument] = read

    def counts(self, *, gauges: bool = True) -> Counts:
        """Everything so far. Without `gauges` it is what this process leaves behind when it ends."""
        now = Counts()
        self._take_tallies()
        for (counter, labels), count in self._counts.items():
            now.counters.setdefault(counter.name, {})[labels] = count
        for (histogram, labels), values in self._values.items():
            now.histograms.setdefault(histogram.name, {})[labels] = list(values)
        for instrument, read in self._reads.items():
            if isinstance(instrument, Counter):
                now.counters[instrument.name] = {(): float(read())}
            elif gauges:
                now.gauges[instrument.name] = float(read())
        return merged((self.before, now))

    def _take_tallies(self) -> None:
        for counter, labels, tally in self._tallies:
            self.add(counter, tally.count, *labels)
            tally.count = 0


def merged(all_counts: Iterable[Counts], least: Iterable[str] = ()) -> Counts:
    """The sum. Of gauges that `least` names it is the least value."""
    total, least = Counts(), frozenset(least)
    for one in all_counts:
        for name, labels, count in _flat(one.counters):
            series = total.counters.setdefault(name, {})
            series[labels] = series.get(labels, 0) + count
        for name, labels, values in _flat(one.histograms):
            lines = total.histograms.setdefault(name, {})
            lines[labels] = (
                [a + b for a, b in zip(lines[labels], values, strict=True)]
                if labels in lines
                else list(values)
            )
        for name, value in one.gauges.items():
            known = total.gauges.get(name)
            both = min if name in least else _sum
            total.gauges[name] = value if known is None else both(known, value)
    return total


def fitting(counts: Counts, instruments: Iterable[Counter | Gauge | Histogram]) -> Counts:
    """Those series that have the labels and buckets of these instruments: a worker of another version may have shown others."""
    fit = Counts(gauges=counts.gauges)
    for one in instruments:
        if isinstance(one, Counter):
            series = counts.counters.get(one.name, {})
            fit.counters[one.name] = {its: n for its, n in series.items() if len(its) == len(one.labels)}
        elif isinstance(one, Histogram):
            lines, size = counts.histograms.get(one.name, {}), len(one.buckets) + 2
            fit.histograms[one.name] = {
                its: values
                for its, values in lines.items()
                if len(its) == len(one.labels) and len(values) == size
            }
    return fit


def _sum(a: float, b: float) -> float:
    return a + b


def _flat(series: dict[str, dict[Labels, T]]) -> Iterator[tuple[str, Labels, T]]:
    for name, by_labels in series.items():
        for labels, value in by_labels.items():
            yield name, labels, value


def _bounded(
    instrument: Counter | Histogram, labels: Labels, known: Iterable[tuple[object, Labels]]
) -> Labels:
    """The labels of a new series; those of all others where the instrument has too many."""
    check_labels(instrument, labels)
    full = sum(one is instrument for one, _ in known) >= MAX_SERIES
    return (OTHER,) * len(labels) if full else labels


def check_labels(instrument: Counter | Histogram, labels: Labels) -> None:
    """Raises `ValueError` if these are not as many as the instrument has."""
    if len(labels) != len(instrument.labels):
        raise ValueError(f"{instrument.name} has the labels {instrument.labels}, got {labels}")
