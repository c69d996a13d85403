"""What a worker shows of itself to operators: its state, and sums of what it has counted."""

from collections.abc import Container, Iterable

import msgspec

from ...observe import instruments as its
from ...observe.counting import Counts
from ...observe.meter import Counter, Gauge, Histogram

__all__ = ["BUCKETS", "COUNTED", "NOBODY", "About", "Figures", "figures_of"]

BUCKETS = its.APPEND_SECONDS.buckets
"""Upper bounds of the distributions in `Figures`, in seconds. After their counts come that of all above, and the sum."""
_MESSAGES = frozenset(("message", "direct", "message.open"))


class About(msgspec.Struct, rename="camel"):
    """Which worker it is, and where its connections are."""

    worker: str
    """Its name on all machines, which no other one ever has."""
    name: str
    """What Sanic calls it; empty: the app runs in a single process."""
    app: str
    """The same for all workers of one main process, and for no others."""
    machine: str
    pid: int
    started: float
    """When its chat began to run, in Unix seconds."""
    draining: bool
    busiest: dict[str, int]
    """The rooms that most of its connections are in, while an operator looks: how many are in each."""


NOBODY = About("", "", "", "", 0, 0.0, draining=False, busiest={})
"""Of what workers have counted that ended, and that no other worker goes on from."""
COUNTED = (
    "messages", "commands", "refusals", "handshakesRefused", "closes", "deliveries", "bytes", "repairs", "resets", "storeErrors",
)  # fmt: skip
"""The figures that only grow while the app runs, in the sum of all workers and of what is left of others: as they are written in JSON."""


class Figures(About):
    """`COUNTED` figures are since the app started, and with those of the worker from whose counts this one goes on."""

    connections: int
    rooms: int
    """Rooms that it is subscribed to, as the gauge counts them."""
    streams: int
    waiting: int
    """Drafts and envelopes that wait for the store and the broker."""
    broker: bool
    """Whether events of others reach it, as far as is known."""
    overloaded: bool
    messages: float
    """Messages of users that were stored."""
    commands: float
    refusals: float
    """Commands that were answered with an error."""
    handshakes_refused: float
    closes: float
    """Connections that ended."""
    deliveries: float
    """Events of rooms that were written to connections …"""
    bytes: float
    """… and their bytes."""
    repairs: float
    """Events that were missing and read from the store."""
    resets: float
    store_errors: float
    stored: list[float]
    """How long it took to store a batch, as a distribution."""
    published: list[float]
    """How long the broker took for one."""
    heartbeats: list[float]
    """From pings to their pongs."""
    lags: list[float]
    """How late the event loop was, measured once a second."""


def figures_of(about: About, counts: Counts) -> Figures:
    """The figures of the worker that shows these counts."""
    return Figures(
        **{name: getattr(about, name) for name in About.__struct_fields__},
        connections=_gauge(counts, its.CONNECTIONS),
        rooms=_gauge(counts, its.ROOMS),
        streams=_gauge(counts, its.STREAMS),
        waiting=_gauge(counts, its.DRAFTS_WAITING) + _gauge(counts, its.ENVELOPES_WAITING),
        broker=_gauge(counts, its.BROKER_HEALTHY) > 0,
        overloaded=_gauge(counts, its.OVERLOADED) > 0,
        messages=_commands(counts, (its.OK,), _MESSAGES),
        commands=_sum(counts, its.COMMANDS),
        refusals=_sum(counts, its.COMMANDS) - _commands(counts, (its.OK,)),
        handshakes_refused=_sum(counts, its.REFUSED),
        closes=_sum(counts, its.CLOSED),
        deliveries=_sum(counts, its.DELIVERIES),
        bytes=_sum(counts, its.DELIVERED_BYTES),
        repairs=_sum(counts, its.REPAIRED),
        resets=_sum(counts, its.RESETS),
        store_errors=_sum(counts, its.STORE_ERRORS),
        stored=_distribution(counts, its.APPEND_SECONDS),
        published=_distribution(counts, its.PUBLISH_SECONDS),
        heartbeats=_distribution(counts, its.HEARTBEAT_SECONDS),
        lags=_distribution(counts, its.LOOP_LAG),
    )


def _gauge(counts: Counts, gauge: Gauge) -> int:
    return round(counts.gauges.get(gauge.name, 0))


def _sum(counts: Counts, counter: Counter) -> float:
    return sum(counts.counters.get(counter.name, {}).values())


def _commands(counts: Counts, results: Container[str], types: Container[str] | None = None) -> float:
    series = counts.counters.get(its.COMMANDS.name, {})
    return sum(
        count
        for (type, result), count in series.items()
        if result in results and (types is None or type in types)
    )


def _distribution(counts: Counts, histogram: Histogram) -> list[float]:
    lines: Iterable[list[float]] = counts.histograms.get(histogram.name, {}).values()
    return [sum(values) for values in zip([0.0] * (len(BUCKETS) + 2), *lines, strict=True)]
