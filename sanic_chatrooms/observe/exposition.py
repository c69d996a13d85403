"""Counts in the format that Prometheus reads."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, cast

try:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
    from prometheus_client.exposition import choose_encoder
except ImportError as missing:  # the extra `metrics`
    _missing: ImportError | None = missing
else:
    _missing = None

from ..errors import ConfigError
from .counting import Counts
from .meter import Counter, Gauge, Histogram

__all__ = ["PREFIX", "exposed", "require_prometheus"]

PREFIX = "chatrooms_"


def require_prometheus() -> None:
    """Raise `ConfigError` where prometheus-client is not installed."""
    if _missing is not None:
        raise ConfigError(
            'CHATROOMS_METRICS needs prometheus-client: pip install "sanic-chatrooms[metrics]"'
        ) from _missing


def exposed(
    instruments: Iterable[Counter | Gauge | Histogram], counts: Counts, accept: str
) -> tuple[bytes, str]:
    """The page that a scrape gets, in the form that its `Accept` asks for; and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(cast(Any, _Families(instruments, counts)))
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # it names a version that is none
        encode, content_type = choose_encoder("")
    return encode(registry), content_type


class _Families:
    """What prometheus-client calls a collector."""

    def __init__(self, instruments: Iterable[Counter | Gauge | Histogram], counts: Counts) -> None:
        self._instruments = instruments
        self._counts = counts

    def collect(self) -> Iterator[Any]:
        for instrument in self._instruments:
            yield _family(instrument, self._counts)


def _family(instrument: Counter | Gauge | Histogram, counts: Counts) -> Any:
    name = PREFIX + instrument.name
    if isinstance(instrument, Gauge):
        return GaugeMetricFamily(name, instrument.help, value=counts.gauges.get(instrument.name, 0))
    if isinstance(instrument, Counter):
        counter = CounterMetricFamily(name, instrument.help, labels=instrument.labels)
        none = {} if instrument.labels else {(): 0.0}
        for labels, count in counts.counters.get(instrument.name, none).items():
            counter.add_metric(labels, count)
        return counter
    histogram = HistogramMetricFamily(name, instrument.help, labels=instrument.labels)
    nothing = {} if instrument.labels else {(): [0.0] * (len(instrument.buckets) + 2)}
    for labels, values in counts.histograms.get(instrument.name, nothing).items():
        bounds = [*map(repr, instrument.buckets), "+Inf"]
        buckets = list(zip(bounds, itertools.accumulate(values[:-1]), strict=True))
        histogram.add_metric(labels, buckets=cast(Any, buckets), sum_value=values[-1])
    return histogram
