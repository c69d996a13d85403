"""Tests for `sanic_chatrooms.brokers.codec`: envelopes as they travel between processes."""

from __future__ import annotations

import msgspec
import pytest

from sanic_chatrooms.brokers.codec import OVERHEAD, UNREADABLE, Entry, Packer, RoomEntry, by_room, fitting
from sanic_chatrooms.models import Envelope
from sanic_chatrooms.support.signature import Forged, Signer
from sanic_chatrooms.testing import Clock

LIVE = Entry("", 0, "notice", b"{}")


def entry(seq: int, size: int) -> Entry:
    """One that takes this many bytes."""
    return Entry("e", seq, "message", b"x" * (size - OVERHEAD - len("e") - len("message")))


def packer(publisher: str = "one", *, clock: Clock | None = None) -> Packer[Entry]:
    return Packer(Signer(), publisher, Entry, clock=clock or Clock())


def test_what_was_packed_comes_out_as_it_was_and_in_order() -> None:
    entries = [Entry("e", 7, "message", b'{"a":1}'), Entry("", 0, "typing", b"")]

    assert packer("other").unpack("r", packer().pack("r", entries)) == entries


def test_a_piece_of_several_rooms_says_for_each_bell_which() -> None:
    one, other = (Packer(Signer(), publisher, RoomEntry, clock=Clock()) for publisher in ("one", "other"))
    entries = [RoomEntry("e", 1, "message", b"{}", room) for room in "ab"]

    assert other.unpack("", one.pack("", entries)) == entries


def test_each_room_has_its_own_in_order() -> None:
    envelopes = [Envelope(room, "e", seq, "message", b"x") for room, seq in (("a", 1), ("b", 1), ("a", 2))]

    found = by_room(envelopes)

    assert {room: [one.seq for one in entries] for room, entries in found.items()} == {"a": [1, 2], "b": [1]}


def test_ones_own_is_not_heard_again() -> None:
    one = packer()

    assert one.unpack("r", one.pack("r", [entry(1, 200)])) == ()


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"{}", b"\x02", b"\x02" + b"x" * 16, b"\x91" * 100_000, msgspec.msgpack.encode("text")],
)
def test_what_nobody_signed_is_forged(data: bytes) -> None:
    with pytest.raises(Forged):
        packer().unpack("r", data)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"{}",
        msgspec.msgpack.encode("text"),
        msgspec.msgpack.encode(["one", 1, 1750000000]),
        msgspec.msgpack.encode(["one", 0, 1750000000, []]),
        msgspec.msgpack.encode(["one", 1, 1750000000, [["e", -1, "message", b""]]]),
        msgspec.msgpack.encode(["one", 1, 1750000000, [["e", 1.5, "message", b""]]]),
        msgspec.msgpack.encode(["one", 1, 1750000000, [["e", 1, "message"]]]),
        b"\x91" * 100_000,
        b"\x94\xa1\xff\x01\x01\x90",  # not UTF-8
    ],
)
def test_what_is_signed_and_has_another_form_is_refused_in_one_way(body: bytes) -> None:
    with pytest.raises(UNREADABLE):
        packer("other").unpack("r", Signer().sign("r", body))


def test_a_piece_is_heard_once_and_in_its_own_room_only() -> None:
    piece, other = packer().pack("r", [LIVE]), packer("other")

    with pytest.raises(Forged):
        other.unpack("s", piece)
    assert other.unpack("r", piece) == [LIVE]
    assert other.unpack("r", piece) == ()


def test_of_an_old_piece_only_what_has_a_number_is_heard() -> None:
    clock = Clock()
    durable = Entry("e", 7, "message", b"{}")
    piece = packer(clock=clock).pack("r", [LIVE, durable])
    clock.advance(3600)

    assert packer("other", clock=clock).unpack("r", piece) == [durable]


def test_groups_are_as_large_as_they_may_be_and_in_order() -> None:
    entries = [entry(seq, 300) for seq in range(1, 8)]

    groups = list(fitting(entries, 1000))

    assert [[one.seq for one in group] for group in groups] == [[1, 2, 3], [4, 5, 6], [7]]
    assert all(sum(one.size for one in group) <= 1000 for group in groups)


def test_a_durable_one_that_is_too_large_goes_without_its_data() -> None:
    ((large,),) = fitting([entry(5, 2000)], 1000)

    assert large == Entry("e", 5, "message", b"")


def test_a_live_one_that_is_too_large_stands_alone() -> None:
    live = Entry("", 0, "notice", b"x" * 2000)

    assert list(fitting([entry(1, 200), live, entry(2, 200)], 1000)) == [
        [entry(1, 200)],
        [live],
        [entry(2, 200)],
    ]


def test_nothing_makes_no_group() -> None:
    assert list(fitting([], 1000)) == []
