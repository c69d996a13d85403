"""What a worker keeps of texts that grow: ranges in any order, and bounds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sanic_chatrooms.brokers.memory import MemoryBroker
from sanic_chatrooms.hub.hub import Hub
from sanic_chatrooms.live import pieces as module
from sanic_chatrooms.live.pieces import Pieces
from sanic_chatrooms.stores.memory.store import MemoryStore


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def pieces(clock: list[float]) -> Pieces:
    hub = Hub(MemoryStore(), MemoryBroker())
    return Pieces(hub, lambda envelope: None, lambda receiver: False, clock=lambda: clock[0])


@pytest.fixture
def put(pieces: Pieces) -> Callable[[int, str], None]:
    return lambda at, text: pieces.put("r", "m", at, text)


def test_ranges_that_follow_each_other_make_the_text(pieces: Pieces, put: Callable[[int, str], None]) -> None:
    for at, text in ((0, "é😀"), (2, "ab"), (1, "😀abc"), (0, "é"), (5, "")):
        put(at, text)

    assert pieces.text("r", "m") == "é😀abc"


def test_a_text_whose_beginning_is_missing_is_none_until_it_comes(
    pieces: Pieces, put: Callable[[int, str], None]
) -> None:
    put(3, "de")
    before = pieces.text("r", "m")
    put(0, "abcd")

    assert (before, pieces.text("r", "m")) == (None, "abcde")


def test_after_a_gap_only_what_follows_is_known(pieces: Pieces, put: Callable[[int, str], None]) -> None:
    put(0, "abc")
    put(5, "fg")

    assert pieces.text("r", "m") is None
    put(0, "abcdefghi")
    assert pieces.text("r", "m") == "abcdefghi"


def test_a_text_belongs_to_its_room(pieces: Pieces, put: Callable[[int, str], None]) -> None:
    put(0, "abc")

    assert pieces.text("other", "m") is None


def test_texts_of_which_nothing_comes_are_forgotten(pieces: Pieces, clock: list[float]) -> None:
    pieces.put("r", "old", 0, "abc")
    clock[0] = 40.0
    pieces.put("r", "new", 0, "abc")
    clock[0] = 70.0
    pieces.sweep()

    assert (pieces.text("r", "old"), pieces.text("r", "new")) == (None, "abc")


def test_above_the_bound_those_are_forgotten_of_which_nothing_came_for_longest(
    pieces: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    pieces.put("r", "one", 0, "abcd")
    pieces.put("r", "two", 0, "abcd")
    pieces.put("r", "one", 4, "e")
    pieces.put("r", "three", 0, "abcd")

    assert [pieces.text("r", id) for id in ("one", "two", "three")] == ["abcde", None, "abcd"]
    pieces.forget("one")
    pieces.put("r", "four", 0, "abcdef")
    assert pieces.text("r", "three") == "abcd"
