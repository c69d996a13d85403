from __future__ import annotations

import pytest

from sanic_chatrooms.live.throttle import Throttle
from sanic_chatrooms.testing import Clock


class Told(list[str]):
    """The rooms that were told, and the clock that decides it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.throttle = Throttle(1.0, self.append, self.clock)


@pytest.fixture
def told() -> Told:
    return Told()


def test_nothing_is_emitted_while_it_waits_and_everything_after_it() -> None:
    clock, told, busy = Clock(), list[str](), [True]
    throttle = Throttle(1.0, told.append, clock, waits=lambda: busy[0])

    throttle.note("a")
    throttle.sweep()
    assert told == []
    busy[0] = False
    throttle.sweep()

    assert told == ["a"]


def test_the_first_note_is_told_at_once(told: Told) -> None:
    told.throttle.note("a")

    assert told == ["a"]


def test_notes_within_the_interval_are_told_together_after_it(told: Told) -> None:
    for _ in range(3):
        told.throttle.note("a")
    told.clock.advance(0.99)
    told.throttle.sweep()
    assert told == ["a"]

    told.clock.advance(0.01)
    told.throttle.sweep()
    told.throttle.sweep()

    assert told == ["a", "a"]


def test_after_a_quiet_interval_a_note_is_told_at_once_again(told: Told) -> None:
    told.throttle.note("a")
    told.clock.advance(1.0)

    told.throttle.note("a")

    assert told == ["a", "a"]


def test_a_late_telling_starts_the_interval_anew(told: Told) -> None:
    told.throttle.note("a")
    told.throttle.note("a")
    told.clock.advance(1.5)
    told.throttle.sweep()
    told.clock.advance(0.9)

    told.throttle.note("a")

    assert told == ["a", "a"]


def test_rooms_do_not_wait_for_each_other(told: Told) -> None:
    told.throttle.note("a")
    told.throttle.note("b")

    assert told == ["a", "b"]


def test_quiet_rooms_are_forgotten(told: Told) -> None:
    told.throttle.note("a")
    told.clock.advance(1.0)

    told.throttle.sweep()

    assert told.throttle._again == {}


def test_an_interval_of_its_own_counts_from_what_it_is_after_each_time(told: Told) -> None:
    throttle = Throttle(lambda room: float(len(told)), told.append, told.clock)
    throttle.note("a")  # the next one second later, and the one after that two
    told.clock.advance(1.0)
    throttle.note("a")
    throttle.note("a")

    told.clock.advance(1.0)
    throttle.sweep()
    assert told == ["a", "a"]
    told.clock.advance(1.0)
    throttle.sweep()

    assert told == ["a", "a", "a"]
