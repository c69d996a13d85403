"""A meter that nobody has given does nothing; the one for tests remembers."""

from __future__ import annotations

import pytest

from sanic_chatrooms.observe.meter import SILENT, Counter, Gauge, Histogram
from sanic_chatrooms.testing import RecordingMeter

TURNS = Counter("turns_total", "Turns.", ("side",))
DOORS = Counter("doors_total", "Doors.")
HEAT = Gauge("heat", "Heat.")
WAIT_SECONDS = Histogram("wait_seconds", "Waits.", (1.0,))


def test_without_a_meter_nothing_is_kept_and_nothing_read() -> None:
    SILENT.add(TURNS, 1, "left")
    SILENT.observe(WAIT_SECONDS, 0.5)
    SILENT.watch(HEAT, lambda: pytest.fail("somebody reads"))


def test_counts_are_kept_by_their_labels() -> None:
    meter = RecordingMeter()

    meter.add(TURNS, 1, "left")
    meter.add(TURNS, 2, "right")

    assert (meter.value(TURNS, "left"), meter.value(TURNS, "right"), meter.total(TURNS)) == (1, 2, 3)
    assert meter.value(DOORS) == 0


def test_measurements_are_kept_in_order() -> None:
    meter = RecordingMeter()

    for seconds in (0.2, 0.1):
        meter.observe(WAIT_SECONDS, seconds)

    assert meter.values(WAIT_SECONDS) == [0.2, 0.1]


def test_a_value_is_read_when_somebody_asks() -> None:
    meter, doors = RecordingMeter(), [1]
    meter.watch(DOORS, lambda: len(doors))
    doors.append(2)

    assert meter.value(DOORS) == 2
    with pytest.raises(ValueError, match="heat"):
        meter.value(HEAT)


def test_labels_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(ValueError, match="turns_total"):
        RecordingMeter().add(TURNS, 1)
    with pytest.raises(ValueError, match="wait_seconds"):
        RecordingMeter().observe(WAIT_SECONDS, 1.0, "left")
