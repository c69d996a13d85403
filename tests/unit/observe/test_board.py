"""Processes show each other what they have counted."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from sanic_chatrooms.observe import board
from sanic_chatrooms.observe.board import FRESH, HALF, Board, Shown, open_file
from sanic_chatrooms.observe.counting import Counts, merged

COUNTS = Counts(
    counters={"commands_total": {("message", "ok"): 7, ("join", "forbidden"): 1}, "gaps_total": {(): 2}},
    histograms={"seconds": {("append",): [1, 0, 2, 0.25]}},
    gauges={"connections": 3},
)


@pytest.fixture
def file() -> Iterator[int]:
    file = open_file()
    yield file
    os.close(file)


def counts(number: float, **gauges: float) -> Counts:
    return Counts(counters={"gaps_total": {(): number}}, gauges=gauges)


def total(shown: Board) -> float:
    return merged(shown.all()).counters["gaps_total"][()]


def test_what_is_shown_is_read_as_it_was(file: int) -> None:
    mine = Board(file)
    assert mine.take_place() == Counts()

    mine.show(COUNTS)

    assert mine.all() == [COUNTS]


def test_the_last_one_counts(file: int) -> None:
    mine = Board(file)
    mine.take_place()

    for number in range(1, 6):
        mine.show(counts(number))
        assert total(mine) == number


def test_gauges_of_one_that_has_fallen_silent_do_not_count(file: int) -> None:
    now = 0.0
    mine = Board(file, lambda: now)
    mine.take_place()
    mine.show(counts(1, connections=5))
    assert mine.all() == [counts(1, connections=5)]

    now = FRESH + 1

    assert mine.all() == [counts(1)]


def test_what_is_shown_has_an_age_and_says_whose_it_is(file: int) -> None:
    now = 0.0
    mine = Board(file, lambda: now)
    mine.take_place()
    mine.show(counts(1, connections=5), "the first worker")

    now = FRESH + 1

    assert mine.shown() == [Shown(FRESH + 1, counts(1, connections=5), "the first worker")]
    mine.show(counts(2))
    assert mine.shown() == [Shown(0.0, counts(2), "")]


def test_one_that_is_killed_while_it_writes_leaves_what_it_had_shown(file: int) -> None:
    mine = Board(file)
    mine.take_place()
    mine.show(counts(1))
    mine.show(counts(2))

    os.pwrite(file, b"x" * 60, 0 if os.pread(file, 1, 0) == b"\x02" else HALF)

    assert total(mine) in (1, 2)


def test_what_is_too_large_is_not_shown(file: int) -> None:
    mine = Board(file)
    mine.take_place()
    mine.show(counts(1))

    mine.show(Counts(counters={"many_total": {(str(number) * 20,): 1 for number in range(100_000)}}))

    assert mine.all() == [counts(1)]


# ---- processes ----


def one_of_them(connection: Connection, orders: Connection, answers: Connection) -> None:
    mine = Board(connection.fileno())
    before = mine.take_place().counters.get("gaps_total", {}).get((), 0.0)
    while True:
        mine.show(counts(before + orders.recv(), connections=1))
        answers.send(total(mine))


class Process:
    """A worker: tell it how much it has counted, and it says what all have."""

    def __init__(self, file: Connection) -> None:
        spawn = multiprocessing.get_context("spawn")
        theirs, self._orders = spawn.Pipe(duplex=False)
        self._answers, answers = spawn.Pipe(duplex=False)
        self._process = spawn.Process(target=one_of_them, args=(file, theirs, answers), daemon=True)
        self._process.start()

    def counts(self, number: float) -> float:
        self._orders.send(number)
        total: float = self._answers.recv()
        return total

    def kill(self) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._orders.close()
        self._answers.close()


def test_a_process_goes_on_where_a_killed_one_was() -> None:
    file = Connection(open_file())
    one, other = Process(file), Process(file)
    assert (one.counts(10), other.counts(5)) == (10, 15)

    one.kill()
    assert other.counts(6) == 16
    third = Process(file)

    assert third.counts(1) == 17
    assert merged(Board(file.fileno()).all()).gauges == {"connections": 2}
    for process in (other, third):
        process.kill()
    file.close()


def test_without_a_free_place_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Connection(open_file())
    only = Process(file)
    only.counts(3)
    monkeypatch.setattr(board, "PLACES", 1)

    late = Board(file.fileno())
    assert late.take_place() == Counts()
    late.show(counts(1))

    assert total(late) == 3
    only.kill()
    file.close()
