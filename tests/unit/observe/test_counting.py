"""Counts of one process, and of several together."""

from __future__ import annotations

import pytest

from sanic_chatrooms.observe import counting
from sanic_chatrooms.observe.counting import CountingMeter, Counts, fitting, merged
from sanic_chatrooms.observe.meter import Counter, Gauge, Histogram

GREETED = Counter("greeted_total", "Greetings.", ("how",))
OPEN = Gauge("open", "Doors that are open.")
LEAST = Gauge("least", "The coldest room.", least=True)
READ = Counter("read_total", "Pages.")
SECONDS = Histogram("seconds", "How long.", (0.1, 1.0), ("verb",))


def test_what_is_added_is_summed_by_labels() -> None:
    meter = CountingMeter()

    for how, amount in (("warmly", 1), ("coldly", 2), ("warmly", 3)):
        meter.add(GREETED, amount, how)

    assert meter.counts().counters == {"greeted_total": {("warmly",): 4, ("coldly",): 2}}


def test_a_measurement_is_in_the_first_bucket_that_holds_it() -> None:
    meter = CountingMeter()

    for seconds in (0.1, 0.5, 0.5, 7.0):
        meter.observe(SECONDS, seconds, "look")

    assert meter.counts().histograms == {"seconds": {("look",): [1, 2, 1, 8.1]}}


def test_what_is_watched_is_read_when_it_is_wanted() -> None:
    meter, doors = CountingMeter(), [1.0]
    meter.watch(OPEN, lambda: doors[0])
    meter.watch(READ, lambda: 10 * doors[0])

    doors[0] = 2.0

    assert meter.counts().gauges == {"open": 2.0}
    assert meter.counts().counters == {"read_total": {(): 20.0}}
    assert meter.counts(gauges=False).gauges == {}


def test_what_another_version_has_counted_otherwise_is_left_out() -> None:
    """Workers are restarted one by one with a new version, and share what they count."""
    meter = CountingMeter()
    meter.observe(SECONDS, 0.5, "look")
    meter.add(GREETED, 1, "warmly")
    other = Counts(
        counters={"greeted_total": {("warmly", "often"): 5, ("coldly",): 3}, "gone_total": {(): 1}},
        histograms={"seconds": {("look",): [1, 2.0], ("read",): [1, 0, 0, 0.1], ("x", "y"): [1, 0, 0, 0.1]}},
        gauges={"open": 1},
    )

    total = merged((meter.counts(), fitting(other, (GREETED, OPEN, SECONDS))))

    assert total.counters == {"greeted_total": {("warmly",): 1, ("coldly",): 3}}
    assert total.histograms == {"seconds": {("look",): [0, 1, 0, 0.5], ("read",): [1, 0, 0, 0.1]}}
    assert total.gauges == {"open": 1}


def test_it_goes_on_from_what_another_has_left() -> None:
    first, second = CountingMeter(), CountingMeter()
    for meter in (first, second):
        meter.add(GREETED, 1, "warmly")
        meter.observe(SECONDS, 0.5, "look")
        meter.watch(READ, lambda: 5)

    second.before = first.counts(gauges=False)

    assert second.counts().counters == {"greeted_total": {("warmly",): 2}, "read_total": {(): 10}}
    assert second.counts().histograms == {"seconds": {("look",): [0, 2, 0, 1.0]}}
    assert second.counts() == second.counts(), "reading changes nothing"


def test_gauges_of_several_are_summed_or_the_least_of_them() -> None:
    shown = [Counts(gauges={"open": 2, "least": 1}), Counts(gauges={"open": 3, "least": 0}), Counts()]

    assert merged(shown, ["least"]).gauges == {"open": 5, "least": 0}


def test_an_instrument_with_too_many_labels_counts_the_others_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "MAX_SERIES", 3)
    meter = CountingMeter()

    for how in range(10):
        meter.add(GREETED, 1, str(how))
        meter.observe(SECONDS, 0.5, str(how))

    assert meter.counts().counters["greeted_total"] == {("0",): 1, ("1",): 1, ("2",): 1, ("other",): 7}
    assert meter.counts().histograms["seconds"]["other",] == [0, 7, 0, 3.5]


@pytest.mark.parametrize("labels", [(), ("a", "b")])
def test_labels_that_do_not_fit_are_an_error(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="has the labels"):
        CountingMeter().add(GREETED, 1, *labels)


def test_a_tally_is_part_of_its_counter_and_counted_once() -> None:
    meter = CountingMeter()
    tally = meter.tally(GREETED, "warmly")
    meter.add(GREETED, 1, "warmly")

    tally.count += 2
    assert meter.counts().counters == {"greeted_total": {("warmly",): 3}}
    tally.count += 1
    assert meter.counts().counters == {"greeted_total": {("warmly",): 4}}
