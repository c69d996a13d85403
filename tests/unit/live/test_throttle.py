from __future__ import annotations

import asyncio

import pytest

from sanic_chatrooms.live import throttle as module
from sanic_chatrooms.live.throttle import MOST, Throttle
from sanic_chatrooms.testing import Clock


class Told(list[str]):
    """The rooms that were told, with so many people each, and the clock that decides it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.people = 1
        self.busy = False
        self.throttle = Throttle(
            1.0, self.append, self.clock, people=lambda room: self.people, waits=lambda: self.busy
        )


@pytest.fixture
def told() -> Told:
    return Told()


def test_nothing_is_emitted_while_it_waits_and_everything_after_it(told: Told) -> None:
    told.busy = True

    told.throttle.note("a")
    told.throttle.sweep()
    assert told == []
    told.busy = False
    told.throttle.sweep()

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


# ---- a crowd of rooms ----


@pytest.fixture
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """It rests for one turn of the event loop."""
    monkeypatch.setattr(module, "REST", 0.0)


async def told_by_turns(told: Told) -> list[list[str]]:
    """What is told in each turn of the loop from now on."""
    turns: list[list[str]] = []
    while len(turns) < 9:
        before = len(told)
        await asyncio.sleep(0)
        turns.append(told[before:])
    return [turn for turn in turns if turn]


@pytest.mark.usefixtures("at_rest")
@pytest.mark.parametrize("due", [True, False], ids=["that were due", "that changed just now"])
async def test_few_people_are_told_in_a_turn_however_many_rooms_change(told: Told, due: bool) -> None:
    told.people, rooms = MOST // 2, list("abcde")
    if due:
        told.busy = True
        for room in rooms:
            told.throttle.note(room)
        told.busy = False
        told.throttle.sweep()
    else:
        for room in rooms:
            told.throttle.note(room)

    first = told[:]
    turns = [first, *await told_by_turns(told)]

    assert [len(turn) for turn in turns] == [2, 2, 1]
    assert sorted(told) == rooms


def test_where_people_are_not_counted_no_room_waits_for_another() -> None:
    told: list[str] = []
    throttle = Throttle(1.0, told.append, Clock())

    rooms = [f"r{number}" for number in range(3 * MOST)]
    for room in rooms:
        throttle.note(room)

    assert told == rooms


@pytest.mark.usefixtures("at_rest")
async def test_rooms_are_told_in_the_order_of_their_changes(told: Told) -> None:
    told.people = MOST
    for room in "abcabc":
        told.throttle.note(room)

    await told_by_turns(told)

    assert told == ["a", "b", "c"]
    told.clock.advance(1.0)
    told.throttle.sweep()
    assert told[3:] == ["a"]  # its second change; the others changed again before they were told


@pytest.mark.usefixtures("at_rest")
async def test_who_waits_for_a_turn_waits_on_while_the_worker_has_too_much_to_do(told: Told) -> None:
    told.people = MOST
    told.throttle.note("a")
    told.throttle.note("b")
    told.busy = True
    await told_by_turns(told)
    assert told == ["a"]

    told.busy = False
    told.throttle.sweep()

    assert told == ["a", "b"]
