"""The page that Prometheus gets."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sanic_chatrooms.observe.counting import Counts
from sanic_chatrooms.observe.exposition import exposed
from sanic_chatrooms.observe.meter import Counter, Gauge, Histogram

GREETED = Counter("greeted_total", "Greetings.", ("how",))
READ = Counter("read_total", "Pages.")
OPEN = Gauge("open", "Doors that are open.")
SECONDS = Histogram("seconds", "How long.", (0.1, 1.0), ("verb",))
ALL = (GREETED, READ, OPEN, SECONDS)
COUNTS = Counts(
    counters={"greeted_total": {('"warmly"\n',): 3}},
    histograms={"seconds": {("look",): [1, 2, 1, 8.1]}},
    gauges={"open": 2},
)


def samples(body: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("accept", ["application/openmetrics-text; version=abc", "text/plain; version=1.x"])
def test_a_version_that_is_none_still_gets_a_page(accept: str) -> None:
    """Which of the two formats depends on the release of prometheus-client."""
    body, content_type = exposed(ALL, COUNTS, accept)

    assert content_type.startswith(("text/plain", "application/openmetrics-text"))
    assert b"chatrooms_open 2.0" in body


def test_a_page_has_every_value() -> None:
    body, content_type = exposed(ALL, COUNTS, "")

    assert content_type.startswith("text/plain")
    assert samples(body) == {
        ("chatrooms_greeted_total", ('"warmly"\n',)): 3,
        ("chatrooms_read_total", ()): 0,
        ("chatrooms_open", ()): 2,
        ("chatrooms_seconds_bucket", ("0.1", "look")): 1,
        ("chatrooms_seconds_bucket", ("1.0", "look")): 3,
        ("chatrooms_seconds_bucket", ("+Inf", "look")): 4,
        ("chatrooms_seconds_count", ("look",)): 4,
        ("chatrooms_seconds_sum", ("look",)): 8.1,
    }


def test_every_instrument_is_described_before_it_has_values() -> None:
    body, _ = exposed(ALL, Counts(), "")

    for instrument in ALL:
        assert f"# HELP chatrooms_{instrument.name} {instrument.help}\n" in body.decode()


def test_openmetrics_is_answered_where_it_is_asked_for() -> None:
    body, content_type = exposed(ALL, COUNTS, "application/openmetrics-text; version=1.0.0")

    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
