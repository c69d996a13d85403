"""Tests for `sanic_chatrooms.support.backoff`."""

from __future__ import annotations

import pytest

from sanic_chatrooms.support.backoff import Backoff, jittered

Bounds = list[tuple[float, float]]


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> Bounds:
    """Between what random numbers were asked for; each is the higher one."""
    asked: Bounds = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    monkeypatch.setattr("random.uniform", uniform)
    return asked


def test_jitter_is_a_fifth_more_or_less_unless_told_otherwise(bounds: Bounds) -> None:
    jittered(10.0)
    jittered(10.0, 0.0, 1.0)

    assert bounds == [(8.0, 12.0), (0.0, 10.0)]


def test_each_failure_in_a_row_doubles_the_wait_up_to_a_bound(bounds: Bounds) -> None:
    backoff = Backoff(0.05, 0.5, least=0.0)

    assert [backoff.failed() for _ in range(6)] == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]
    assert {low for low, _ in bounds} == {0.0}


def test_a_wait_is_shortened_at_most_to_its_least_part(bounds: Bounds) -> None:
    Backoff(1.0, 10.0, least=0.5).failed()

    assert bounds == [(0.5, 1.0)]


def test_after_a_success_the_first_wait_comes_again(bounds: Bounds) -> None:
    backoff = Backoff(1.0, 10.0)
    for _ in range(3):
        backoff.failed()

    backoff.succeeded()

    assert (backoff.failures, backoff.failed()) == (0, 1.0)


def test_many_thousand_failures_are_no_overflow() -> None:
    backoff = Backoff(1.0, 10.0)
    backoff.failures = 1_000_000

    assert 8.0 <= backoff.failed() <= 10.0
