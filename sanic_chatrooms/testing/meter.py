"""A meter that records, for tests of counts and measurements."""

from collections import defaultdict

from ..observe.counting import CountingMeter, Labels, check_labels
from ..observe.meter import Counter, Gauge, Histogram

__all__ = ["RecordingMeter"]


class RecordingMeter(CountingMeter):
    """Records every count and every measurement. Raises `ValueError` if labels do not fit their instrument."""

    def __init__(self) -> None:
        super().__init__()
        self._measured: dict[tuple[Histogram, Labels], list[float]] = defaultdict(list)

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """See `Meter.observe`."""
        super().observe(histogram, value, *labels)
        self._measured[histogram, labels].append(value)

    def value(self, instrument: Gauge | Counter, *labels: str) -> float:
        """The current value; 0 for a counter without counts."""
        read = self._reads.get(instrument)
        if read is not None:
            return read()
        if isinstance(instrument, Gauge):
            raise ValueError(f"nobody reports {instrument.name}")
        check_labels(instrument, labels)
        self._take_tallies()
        return self._counts.get((instrument, labels), 0)

    def values(self, histogram: Histogram, *labels: str) -> list[float]:
        """All measurements so far, in order."""
        check_labels(histogram, labels)
        return list(self._measured[histogram, labels])

    def total(self, counter: Counter) -> float:
        """The sum over all labels."""
        self._take_tallies()
        return sum(count for (one, _), count in self._counts.items() if one is counter)
