"""When a process counts as overloaded."""

from __future__ import annotations

import asyncio
import time

import pytest

from sanic_chatrooms.live.overload import Overload
from sanic_chatrooms.observe.instruments import OVERLOADED, SHED
from sanic_chatrooms.testing import RecordingMeter


def late(overload: Overload, at: float, *lags: float) -> float:
    """The loop is so late, one time after the other; -> the time at the end."""
    for lag in lags:
        due = at + 0.1
        at = due + lag
        overload.note(due, at)
    return at


def test_a_loop_that_is_late_for_a_second_is_overloaded() -> None:
    overload = Overload(0.25)

    at = late(overload, 0.0, 0.4, 0.4, 0.4)  # late since 0.35, now 1.5
    assert overload.shedding
    at = late(overload, at, *[0.0] * 9)
    assert overload.shedding
    late(overload, at, 0.0, 0.0)
    assert not overload.shedding


def test_one_long_stop_is_enough() -> None:
    overload = Overload(0.25)

    late(overload, 0.0, 1.3)

    assert overload.shedding


@pytest.mark.parametrize("lags", [[1.0], [0.6, 0.0, 0.6, 0.0, 0.6], [0.25] * 50])
def test_a_loop_that_is_late_for_less_is_not(lags: list[float]) -> None:
    overload = Overload(0.25)

    late(overload, 0.0, *lags)

    assert not overload.shedding


def test_without_a_limit_nothing_is_an_overload() -> None:
    overload = Overload(None)

    late(overload, 0.0, 60.0)

    assert not overload.shedding


def test_it_is_shown_and_what_is_left_out_is_counted() -> None:
    meter = RecordingMeter()
    overload = Overload(0.25, meter)
    assert not overload.sheds("typing")

    late(overload, 0.0, 2.0)

    assert overload.sheds("typing")
    assert meter.value(OVERLOADED) == 1
    assert meter.value(SHED, "typing") == 1


async def test_a_loop_that_is_held_is_noticed() -> None:
    overload = Overload(0.02)

    while not overload.shedding:
        look = asyncio.ensure_future(overload.go_on())
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251 - nothing else runs meanwhile: that is the point
        await look

    assert overload.shedding
