"""A meter that records, for tests of counts and measurements."""

from collections import Counter as Counted
from collections import defaultdict
from collections.abc import Callable

from ..observe.meter import Counter, Gauge, Histogram, Meter, Tally

__all__ = ["RecordingMeter"]


class RecordingMeter(Meter):
    """Records every count and every measurement. Raises `ValueError` if labels do not fit their instrument."""

    def __init__(self) -> None:
        self._counts: Counted[tuple[str, ...]] = Counted()
        self._values: dict[tuple[str, ...], list[float]] = defaultdict(list)
        self._reads: dict[str, Callable[[], float]] = {}
        self._tallies: list[tuple[Counter, tuple[str, ...], Tally]] = []

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        """See `Meter.add`."""
        self._counts[_key(counter, labels)] += amount  # type: ignore[assignment]

    def tally(self, counter: Counter, *labels: str) -> Tally:
        """See `Meter.tally`."""
        tally = Tally()
        self._tallies.append((counter, labels, tally))
        return tally

    def _collect(self) -> None:
        for counter, labels, tally in self._tallies:
            if tally.count:
                self.add(counter, tally.count, *labels)
                tally.count = 0

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """See `Meter.observe`."""
        self._values[_key(histogram, labels)].append(value)

    def watch(self, instrument: Gauge | Counter, read: Callable[[], float]) -> None:
        """See `Meter.watch`."""
        self._reads[instrument.name] = read

    def value(self, instrument: Gauge | Counter, *labels: str) -> float:
        """The current value; 0 for a counter without counts."""
        self._collect()
        read = self._reads.get(instrument.name)
        if read is not None:
            return read()
        if isinstance(instrument, Gauge):
            raise ValueError(f"nobody reports {instrument.name}")
        return self._counts[_key(instrument, labels)]

    def values(self, histogram: Histogram, *labels: str) -> list[float]:
        """All measurements so far, in order."""
        return list(self._values[_key(histogram, labels)])

    def total(self, counter: Counter) -> float:
        """The sum over all labels."""
        self._collect()
        return sum(count for (name, *_), count in self._counts.items() if name == counter.name)


def _key(instrument: Counter | Histogram, labels: tuple[str, ...]) -> tuple[str, ...]:
    if len(labels) != len(instrument.labels):
        raise ValueError(f"{instrument.name} has the labels {instrument.labels}, got {labels}")
    return (instrument.name, *labels)
