"""Who waits at the door begins in the order of coming, few in each turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sanic_chatrooms.web.socket.turns import Turns


class Turn:
    """Counts turns of the loop, and notes in which one something happens."""

    def __init__(self) -> None:
        self.now = 0
        self.begun: list[tuple[int, int]] = []

    def beginning(self, number: int) -> Callable[[], None]:
        return lambda: self.begun.append((number, self.now))

    async def pass_by(self, turns: int) -> None:
        for _ in range(turns):
            self.now += 1
            await asyncio.sleep(0)


async def test_few_begin_in_a_turn_in_the_order_of_coming() -> None:
    turn, turns = Turn(), Turns(at_once=2)

    for number in range(7):
        assert turns.take(turn.beginning(number))
    await turn.pass_by(6)

    assert [number for number, _ in turn.begun] == list(range(7))
    per_turn = [sum(when == now for _, when in turn.begun) for now in range(turn.now)]
    assert per_turn == [1, 2, 2, 2, 0, 0]  # the first finds nobody before it


async def test_who_comes_later_in_the_same_turn_waits_behind_the_others() -> None:
    turn, turns = Turn(), Turns(at_once=1)
    turns.take(turn.beginning(0))
    turns.take(turn.beginning(1))
    await turn.pass_by(1)

    turns.take(turn.beginning(2))
    assert [number for number, _ in turn.begun] == [0, 1]
    await turn.pass_by(1)
    turns.take(turn.beginning(3))
    await turn.pass_by(2)

    assert turn.begun == [(0, 0), (1, 1), (2, 2), (3, 3)]


async def test_alone_it_begins_at_once_again_and_again() -> None:
    turn, turns = Turn(), Turns(at_once=1)
    for number in range(3):
        turns.take(turn.beginning(number))
        assert turn.begun[-1][0] == number
        await turn.pass_by(2)
        assert not turns.waiting


async def test_no_more_wait_than_there_is_place() -> None:
    turn, turns = Turn(), Turns(at_once=1, most=2)

    taken = [turns.take(turn.beginning(number)) for number in range(5)]
    assert taken == [True, True, True, False, False]  # the first does not wait
    await turn.pass_by(1)
    assert turns.take(turn.beginning(5))
    await turn.pass_by(4)

    assert [number for number, _ in turn.begun] == [0, 1, 2, 5]


@pytest.mark.parametrize("turns_before", [0, 1])
async def test_a_failure_of_one_holds_up_no_other(turns_before: int) -> None:
    turn, turns = Turn(), Turns(at_once=2)
    loop = asyncio.get_running_loop()
    failures: list[object] = []
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def fail() -> None:
        raise LookupError("a defect")

    for number in range(turns_before):
        turns.take(turn.beginning(number))
    try:
        turns.take(fail)
    except LookupError as problem:
        failures.append(problem)
    turns.take(turn.beginning(8))
    turns.take(turn.beginning(9))
    await turn.pass_by(4)

    assert [type(failure) for failure in failures] == [LookupError]
    assert [number for number, _ in turn.begun] == [*range(turns_before), 8, 9]
