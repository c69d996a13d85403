"""The benchmark of signatures runs on every system, and both kinds of messages arrive. What they cost is not judged here."""

from __future__ import annotations

import pytest

from benchmarks.signing import SYSTEMS, Costs, measure


@pytest.mark.parametrize("system", SYSTEMS)
def test_signed_and_unsigned_messages_cross_workers_in_turns(system: str) -> None:
    costs = measure(system, turns=2)

    assert len(costs.message) == 4
    assert min(costs.message) > 0
    assert costs.steps
    assert min(min(pair) for pair in costs.steps) > 0


def test_a_ratio_is_what_the_steps_add_to_a_message() -> None:
    costs = Costs(message=[100.0, 100.0, 100.0, 900.0], steps=[(1.0, 3.0), (2.0, 3.0)])

    assert (costs.base, costs.added, costs.ratio) == (100.0, 3.0, 0.03)
    assert costs.line() == "100 µs a message, +3.0 µs of it for the signature: 3.0%"
