"""A time of day that does not leap forward."""

from __future__ import annotations

import time

import pytest

from sanic_chatrooms.support.clock import HURRY, Steady, now


class Times:
    """What the two clocks of a machine say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.day, self.passed = 1_750_000_000.0, 5.0
        monkeypatch.setattr(time, "time", lambda: self.day)
        monkeypatch.setattr(time, "monotonic", lambda: self.passed)

    def pass_by(self, seconds: float) -> None:
        self.day += seconds
        self.passed += seconds


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    return Times(monkeypatch)


def test_it_is_the_time_of_day_as_long_as_nobody_sets_it(times: Times) -> None:
    steady = Steady()
    for seconds in (0.0, 0.5, 3_600.0, 86_400.0):
        times.pass_by(seconds)
        assert steady() == times.day


def test_it_does_not_leap_with_a_clock_that_is_set_forward(times: Times) -> None:
    steady = Steady()
    before = times.day
    times.day += 7_200.0

    assert steady() == before
    times.pass_by(100.0)
    assert steady() == before + 100.0 * HURRY


def test_it_catches_up_in_the_end(times: Times) -> None:
    steady = Steady()
    times.day += 7_200.0
    for _ in range(21):
        times.pass_by(3_600.0)
        steady()

    assert steady() == times.day


def test_it_goes_back_at_once_with_a_clock_that_is_set_back(times: Times) -> None:
    steady = Steady()
    times.day -= 7_200.0

    assert steady() == times.day


def test_the_clock_has_milliseconds() -> None:
    at = now()

    assert abs(at - time.time()) < 1
    assert at == round(at, 3)
