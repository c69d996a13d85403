"""Tests for `sanic_chatrooms.brokers.replay`: which packets arrived before."""

from __future__ import annotations

import random

import pytest

from sanic_chatrooms.brokers.replay import CLOCKS, LATE, PUBLISHERS, WINDOW, Age, Seen
from sanic_chatrooms.testing import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen(clock: Clock) -> Seen:
    return Seen(clock)


def test_each_number_is_new_once_in_whatever_order(seen: Seen, clock: Clock) -> None:
    numbers = list(range(1, WINDOW))
    random.Random(1).shuffle(numbers)

    assert {seen.judge("one", number, clock()) for number in numbers} == {Age.NEW}
    assert {seen.judge("one", number, clock()) for number in numbers} == {Age.SEEN}


def test_numbers_may_be_left_out_and_come_late(seen: Seen, clock: Clock) -> None:
    assert seen.judge("one", 5, clock()) is Age.NEW
    assert seen.judge("one", 5 + WINDOW * 2, clock()) is Age.NEW
    assert seen.judge("one", 6 + WINDOW, clock()) is Age.NEW
    assert seen.judge("one", 6 + WINDOW, clock()) is Age.SEEN


def test_what_lies_before_the_window_is_old(seen: Seen, clock: Clock) -> None:
    seen.judge("one", WINDOW + 1, clock())

    assert seen.judge("one", 2, clock()) is Age.NEW
    assert seen.judge("one", 1, clock()) is Age.OLD


def test_what_comes_much_later_than_it_was_sent_is_old(seen: Seen, clock: Clock) -> None:
    seen.judge("one", 1, clock())
    clock.advance(LATE + 1)
    seen.judge("one", 3, clock())

    assert seen.judge("one", 2, clock() - LATE - 1) is Age.OLD


def test_packets_that_are_not_judged_make_old_what_was_sent_long_before(seen: Seen, clock: Clock) -> None:
    seen.judge("one", 5, clock())
    for number in (6, 7, WINDOW + 6):
        seen.passed("one", number, clock())
    seen.passed("other", 1, clock())

    assert [seen.judge("one", number, clock()) for number in (6, 7, 8, 7, 5)] == [
        Age.OLD,
        Age.NEW,
        Age.NEW,
        Age.SEEN,
        Age.OLD,
    ]
    assert seen.judge("one", WINDOW + 6, clock() - LATE - 1) is Age.OLD
    assert seen.judge("other", 1, clock()) is Age.NEW


def test_publishers_are_told_apart(seen: Seen, clock: Clock) -> None:
    assert [seen.judge(publisher, 1, clock()) for publisher in ("one", "other", "one")] == [
        Age.NEW,
        Age.NEW,
        Age.SEEN,
    ]


def test_a_process_that_ended_long_ago_does_not_speak_again(seen: Seen, clock: Clock) -> None:
    recorded = clock()
    clock.advance(CLOCKS + 1)

    assert [seen.judge("dead", number, recorded) for number in (1, 2, 3)] == [Age.OLD] * 3


def test_a_clock_that_is_set_back_silences_nobody(seen: Seen, clock: Clock) -> None:
    seen.judge("one", 1, clock())

    assert seen.judge("one", 2, clock() - 3600) is Age.NEW
    assert seen.judge("one", 3, clock() - 3599) is Age.NEW
    assert seen.judge("one", 3, clock() - 3599) is Age.SEEN


def test_no_more_publishers_are_remembered_than_there_may_be(seen: Seen, clock: Clock) -> None:
    for number in range(PUBLISHERS + 1):
        seen.judge(f"publisher {number}", 1, clock())
        clock.advance(1)
        seen.judge("busy", number + 1, clock())

    assert len(seen._publishers) == PUBLISHERS
    assert seen.judge("busy", 1, clock()) is Age.SEEN
    assert seen.judge("publisher 0", 1, clock()) is Age.NEW, "it was forgotten"
