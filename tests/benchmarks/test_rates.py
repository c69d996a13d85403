"""The benchmark of limits asks what it says. What that costs is not judged here."""

from __future__ import annotations

from benchmarks.rates import checks, measure


def test_every_check_answers_and_is_measured() -> None:
    found = {name: call() for name, call in checks()}

    passes, shared, refused, without, frames = found.values()
    assert (passes, shared, without, frames) == (0.0, 0.0, 0.0, 0.0)
    assert refused
    assert measure(lambda: sum(range(100)), 100) > 0
