"""Positions as text."""

from __future__ import annotations

from typing import Any

import pytest

from sanic_chatrooms.errors import InvalidField
from sanic_chatrooms.support.positions import Position, read_since, write

ONE = {"a": Position("e-1_x", 7)}
TWO = {"a:b.c~": Position("e1", 7), "d": Position("e2", 0)}


@pytest.mark.parametrize("positions", [ONE, TWO])
def test_what_was_written_is_read_again(positions: dict[str, Position]) -> None:
    assert read_since(write(positions), positions) == positions


def test_a_position_in_one_room_is_its_epoch_and_number() -> None:
    assert write(ONE) == "e-1_x:7"
    assert read_since(("e-1_x", 7), ["a"]) == ONE


def test_rooms_that_were_not_there_have_no_position_and_others_are_passed_over() -> None:
    assert read_since(write(TWO), ["d", "new"]) == {"d": Position("e2", 0)}


@pytest.mark.parametrize(
    "since",
    ["", "7", "e1", "e1:", "e1:-1", "e1:x", "e 1:7", "a@e1", ("e1",), ("e1", "7"), ("e1", True), ("", 1), 7, None,
     ("e1", -1), "e1:" + "9" * 17, "e1:٣"],
)  # fmt: skip
def test_anything_else_is_refused(since: Any) -> None:
    with pytest.raises(InvalidField, match="since: must be what position"):
        read_since(since, ["a"])


def test_a_position_without_a_room_is_refused_for_several_rooms() -> None:
    with pytest.raises(InvalidField, match="names no room"):
        read_since("e1:7", ["a", "b"])
