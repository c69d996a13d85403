"""Tests for `sanic_chatrooms.brokers.packed`: envelopes as they travel between processes."""

from __future__ import annotations

import msgspec
import pytest

from sanic_chatrooms.brokers.packed import (
    AROUND,
    UNREADABLE,
    VERSION,
    Bell,
    by_room,
    check_version,
    fitting,
    pack,
    unpack,
)
from sanic_chatrooms.models import Envelope


def bell(seq: int, size: int) -> Bell:
    """One that takes this many bytes."""
    return Bell("e", seq, "message", b"x" * (size - AROUND - len("e") - len("message")))


def test_what_was_packed_comes_out_as_it_was_and_in_order() -> None:
    envelopes = [Envelope("r", "e", 7, "message", b'{"a":1}'), Envelope("r", "", 0, "typing", b"")]

    assert unpack("r", pack("one", by_room(envelopes)["r"]), "other") == envelopes


def test_each_room_has_its_own_in_order() -> None:
    envelopes = [Envelope(room, "e", seq, "message", b"x") for room, seq in (("a", 1), ("b", 1), ("a", 2))]

    found = by_room(envelopes)

    assert {room: [one.seq for one in bells] for room, bells in found.items()} == {"a": [1, 2], "b": [1]}


def test_ones_own_is_not_heard_again() -> None:
    assert unpack("r", pack("one", [bell(1, 200)]), "one") == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"{}",
        msgspec.msgpack.encode("text"),
        msgspec.msgpack.encode([VERSION, "one"]),
        msgspec.msgpack.encode([VERSION + 1, "one", []]),
        msgspec.msgpack.encode([VERSION, "one", [["e", -1, "message", b""]]]),
        msgspec.msgpack.encode([VERSION, "one", [["e", 1.5, "message", b""]]]),
        msgspec.msgpack.encode([VERSION, "one", [["e", 1, "message"]]]),
        b"\x91" * 100_000,
        b"\x93\x01\xa1\xff\x90",  # not UTF-8
    ],
)
def test_what_is_none_of_ours_is_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(UNREADABLE):
        unpack("r", data, "other")


def test_another_version_is_named() -> None:
    check_version(VERSION)
    with pytest.raises(msgspec.ValidationError, match="version 99"):
        check_version(99)


def test_groups_are_as_large_as_they_may_be_and_in_order() -> None:
    bells = [bell(seq, 300) for seq in range(1, 8)]

    groups = list(fitting(bells, 1000))

    assert [[one.seq for one in group] for group in groups] == [[1, 2, 3], [4, 5, 6], [7]]
    assert all(sum(one.size for one in group) <= 1000 for group in groups)


def test_a_durable_one_that_is_too_large_goes_without_its_data() -> None:
    ((large,),) = fitting([bell(5, 2000)], 1000)

    assert large == Bell("e", 5, "message", b"")


def test_a_live_one_that_is_too_large_stands_alone() -> None:
    live = Bell("", 0, "notice", b"x" * 2000)

    assert list(fitting([bell(1, 200), live, bell(2, 200)], 1000)) == [[bell(1, 200)], [live], [bell(2, 200)]]


def test_nothing_makes_no_group() -> None:
    assert list(fitting([], 1000)) == []
