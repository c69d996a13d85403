"""The benchmark of signatures runs on every system, and both kinds of messages arrive. What they cost is not judged here."""

from __future__ import annotations

import pytest

from benchmarks.signing import SYSTEMS, Costs, measure


@pytest.mark.parametrize("system", SYSTEMS)
def test_signed_and_unsigned_messages_cross_workers_in_turns(system: str) -> None:
    costs = measure(system, turns=2)

    assert (len(costs.signed), len(costs.unsigned)) == (2, 2)
    assert min(*costs.signed, *costs.unsigned) > 0


def test_a_ratio_is_what_a_signature_adds_to_an_unsigned_message() -> None:
    costs = Costs(unsigned=[100.0, 100.0, 100.0, 900.0], signed=[103.0, 103.0, 103.0, 700.0])

    assert (costs.base, costs.added, costs.ratio) == (100.0, 3.0, 0.03)
    assert costs.line() == "100 µs a message, +3.0 µs signed: 3.0%"
