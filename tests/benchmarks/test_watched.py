"""The measurement of metrics and traces measures something."""

from __future__ import annotations

from benchmarks.fanout import Scenario
from benchmarks.watched import Cost, measure


def test_a_small_hall_is_measured_in_every_kind() -> None:
    cost = measure(Scenario("a few", 3, 2), 4)

    assert cost.turns.keys() == {"off", "metrics", "traces"}
    assert all(value > 0 for values in cost.turns.values() for value in values)
    assert len(cost.meter) == 4
    assert cost.share > 0


def test_shares_are_of_what_a_message_costs_without() -> None:
    cost = Cost({"off": [100.0] * 4, "metrics": [103.0] * 4}, [2.0] * 4)

    assert round(cost.added("metrics"), 6) == 0.03
    assert cost.share == 0.02
