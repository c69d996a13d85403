"""One write per connection and turn: what gathered goes out once, joined, replies first, whoever is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sanic_chatrooms.hub.fanout import Fanout
from sanic_chatrooms.hub.room import HeldRoom


class Ear:
    """A connection that keeps what is written to it, write by write."""

    slack = 1_000

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.pushed: list[tuple[bytes, bytes]] = []
        self.gone = False

    @property
    def write(self) -> Callable[[bytes], None]:
        return self._write

    def _write(self, data: bytes) -> None:
        if self.gone:
            raise RuntimeError("the handle is closed")
        self.written.append(data)

    def push(self, frames: bytes, replies: bytes = b"") -> None:
        self.pushed.append((frames, replies))
        self.written.append(replies + frames)

    def reply(self, frames: bytes) -> None:
        self.written.append(frames)

    def evicted(self, room: str) -> None:
        raise AssertionError(f"thrown out of {room}")


def room_of(*ears: Ear, slack: int = 1_000) -> HeldRoom:
    room = HeldRoom("r")
    room.slack = slack
    room.sessions = {ear: ear.write for ear in ears}
    return room


@pytest.fixture
async def fanout() -> Fanout:
    fanout = Fanout()
    fanout.start()
    return fanout


async def test_what_gathers_in_a_turn_is_one_write_at_its_end(fanout: Fanout) -> None:
    ear, other = Ear(), Ear()
    room = room_of(ear, other)

    fanout.emit(room, b"one")
    fanout.emit(room, b"two")
    assert ear.written == []
    await asyncio.sleep(0)

    assert ear.written == other.written == [b"onetwo"]


async def test_a_reply_goes_first_and_in_the_same_write(fanout: Fanout) -> None:
    ear, other = Ear(), Ear()
    room = room_of(ear, other)

    fanout.emit(room, b"event")
    fanout.reply(ear, b"ack")
    fanout.flush()

    assert ear.pushed == [(b"event", b"ack")]
    assert other.written == [b"event"]
    fanout.emit(room, b"next")
    fanout.flush()
    assert ear.written == [b"ackevent", b"next"]


async def test_replies_alone_are_one_write_to_whom_they_are_for(fanout: Fanout) -> None:
    ear = Ear()

    fanout.reply(ear, b"one")
    fanout.reply(ear, b"two")
    fanout.flush()

    assert ear.written == [b"onetwo"]


async def test_several_rooms_are_one_write_as_well(fanout: Fanout) -> None:
    both, one = Ear(), Ear()

    fanout.emit(room_of(both, one), b"a")
    fanout.emit(room_of(both), b"b")
    fanout.flush()

    assert both.written == [b"ab"]
    assert one.written == [b"a"]


async def test_a_connection_that_is_gone_holds_up_nobody(fanout: Fanout) -> None:
    first, gone, last = Ear(), Ear(), Ear()
    gone.gone = True

    fanout.emit(room_of(first, gone, last), b"event")
    fanout.flush()

    assert first.written == last.written == [b"event"]


async def test_once_in_so_many_bytes_it_is_looked_who_reads(fanout: Fanout) -> None:
    ear = Ear()
    room = room_of(ear, slack=10)

    for _ in range(4):
        fanout.emit(room, b"12345")
        fanout.flush()

    assert ear.pushed == [(b"12345", b"")] * 2
    assert ear.written == [b"12345"] * 4


async def test_who_is_entering_has_what_comes_kept_for_it(fanout: Fanout) -> None:
    ear = Ear()
    room = HeldRoom("r")
    room.waiting[ear] = []

    fanout.emit(room, b"event")
    fanout.flush()

    assert room.waiting[ear] == [b"event"]
    assert ear.written == []


async def test_the_last_replies_are_written_at_once(fanout: Fanout) -> None:
    ear = Ear()
    fanout.reply(ear, b"ack")

    fanout.answer(ear)
    fanout.flush()

    assert ear.written == [b"ack"]
