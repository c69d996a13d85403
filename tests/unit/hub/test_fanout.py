"""One write per connection and turn: what gathered goes out once, joined, replies first, whoever is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from sanic_chatrooms.hub.fanout import PAUSE, Fanout
from sanic_chatrooms.hub.room import Codec, LocalRoom
from sanic_chatrooms.models import Envelope


class Text:
    """Sends the texts as they are, and counts what it encodes."""

    def __init__(self) -> None:
        self.encoded = 0

    def event(self, envelope: Envelope) -> bytes:
        self.encoded += 1
        return envelope.data

    def reply(self, text: bytes) -> bytes:
        return text


class ServerSentEvents(Text):
    """Lines, as a browser's EventSource reads them."""

    def event(self, envelope: Envelope) -> bytes:
        self.encoded += 1
        return b"id: %s:%d\ndata: %s\n\n" % (envelope.epoch.encode(), envelope.seq, envelope.data)

    def reply(self, text: bytes) -> bytes:
        return b"data: %s\n\n" % text


TEXT = Text()
SSE = ServerSentEvents()


class FakeSession:
    """A connection that keeps what is written to it, write by write."""

    check_every = 1_000

    def __init__(self, codec: Codec = TEXT) -> None:
        self.codec = codec
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


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock."""
    now = [100.0]
    monkeypatch.setattr("sanic_chatrooms.hub.fanout.time", SimpleNamespace(monotonic=lambda: now[0]))

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_a_room_is_quiet_if_few_hear_it_and_nothing_was_written_for_a_moment(
    moments: Callable[[float], None],
) -> None:
    rooms = {
        "few": room_of(*(FakeSession() for _ in range(16)), *(FakeSession(SSE) for _ in range(16))),
        "many": room_of(*(FakeSession() for _ in range(16)), *(FakeSession(SSE) for _ in range(17))),
        "empty": room_of(),
    }
    fanout = Fanout(rooms)

    assert [room for room in (*rooms, "other") if fanout.is_quiet(room)] == ["few"]
    fanout.flush()
    moments(PAUSE / 2)
    assert not fanout.is_quiet("few")
    moments(PAUSE)
    assert fanout.is_quiet("few")


async def test_what_is_made_together_is_written_at_its_end_and_not_once_more() -> None:
    session = FakeSession()
    room = room_of(session)
    fanout = Fanout({"r": room})
    fanout.start()
    flushes = 0
    flush = fanout.flush

    def counted() -> None:
        nonlocal flushes
        flushes += 1
        flush()

    fanout.flush = counted  # type: ignore[method-assign]

    def work() -> None:
        fanout.emit(room, event(b"hi "))
        fanout.reply(session, b"ack ")
        assert session.written == []

    fanout.together(work)

    assert session.written == [b"ack hi "]
    await asyncio.sleep(0)
    assert flushes == 1


async def test_work_that_fails_leaves_nothing_unwritten() -> None:
    session = FakeSession()
    room = room_of(session)
    fanout = Fanout({"r": room})
    fanout.start()

    def work() -> None:
        fanout.emit(room, event(b"hi "))
        raise ValueError

    with pytest.raises(ValueError):
        fanout.together(work)
    fanout.emit(room, event(b"you "))
    await asyncio.sleep(0)

    assert session.written == [b"hi ", b"you "]


def room_of(*sessions: FakeSession) -> LocalRoom:
    room = LocalRoom("r")
    for session in sessions:
        room.open_lane(session).admit(session)
    return room


def event(data: bytes) -> Envelope:
    return Envelope("r", "epoch", 7, "message", data)


@pytest.fixture
async def fanout() -> Fanout:
    fanout = Fanout()
    fanout.start()
    return fanout


async def test_what_gathers_in_a_turn_is_one_write_at_its_end(fanout: Fanout) -> None:
    session, other = FakeSession(), FakeSession()
    room = room_of(session, other)

    fanout.emit(room, event(b"one"))
    fanout.emit(room, event(b"two"))
    assert session.written == []
    await asyncio.sleep(0)

    assert session.written == other.written == [b"onetwo"]


async def test_a_reply_goes_first_and_in_the_same_write(fanout: Fanout) -> None:
    session, other = FakeSession(), FakeSession()
    room = room_of(session, other)

    fanout.emit(room, event(b"event"))
    fanout.reply(session, b"ack")
    fanout.flush()

    assert session.pushed == [(b"event", b"ack")]
    assert other.written == [b"event"]
    fanout.emit(room, event(b"next"))
    fanout.flush()
    assert session.written == [b"ackevent", b"next"]


async def test_replies_alone_are_one_write_to_whom_they_are_for(fanout: Fanout) -> None:
    session = FakeSession()

    fanout.reply(session, b"one")
    fanout.reply(session, b"two")
    fanout.flush()

    assert session.written == [b"onetwo"]


async def test_several_rooms_are_one_write_as_well(fanout: Fanout) -> None:
    both, one = FakeSession(), FakeSession()

    fanout.emit(room_of(both, one), event(b"a"))
    fanout.emit(room_of(both), event(b"b"))
    fanout.flush()

    assert both.written == [b"ab"]
    assert one.written == [b"a"]


async def test_rooms_without_a_common_connection_need_no_gathering(fanout: Fanout) -> None:
    one, other, answered = FakeSession(), FakeSession(), FakeSession()
    first, second = room_of(one), room_of(other, answered)

    fanout.emit(first, event(b"first"))
    fanout.emit(second, event(b"second"))
    fanout.reply(answered, b"ack")
    fanout.flush()

    assert [session.written for session in (one, other, answered)] == [
        [b"first"],
        [b"second"],
        [b"acksecond"],
    ]
    assert one.pushed == other.pushed == []


async def test_a_connection_that_is_gone_holds_up_nobody(fanout: Fanout) -> None:
    first, gone, last = FakeSession(), FakeSession(), FakeSession()
    gone.gone = True

    fanout.emit(room_of(first, gone, last), event(b"event"))
    fanout.flush()

    assert first.written == last.written == [b"event"]


async def test_once_in_so_many_bytes_it_is_looked_who_reads(fanout: Fanout) -> None:
    session = FakeSession()
    session.check_every = 10
    room = room_of(session)

    for _ in range(4):
        fanout.emit(room, event(b"12345"))
        fanout.flush()

    assert session.pushed == [(b"12345", b"")] * 2
    assert session.written == [b"12345"] * 4


async def test_who_is_entering_has_what_comes_kept_for_it(fanout: Fanout) -> None:
    session = FakeSession()
    room = LocalRoom("r")
    room.open_lane(session).waiting[session] = []

    fanout.emit(room, event(b"event"))
    fanout.flush()

    assert room.open_lane(session).waiting[session] == [b"event"]
    assert session.written == []


async def test_the_last_replies_are_written_at_once(fanout: Fanout) -> None:
    session = FakeSession()
    fanout.reply(session, b"ack")

    fanout.answer(session)
    fanout.flush()

    assert session.written == [b"ack"]


# ---- lanes ----


async def test_an_event_is_encoded_once_for_each_codec_that_is_present(fanout: Fanout) -> None:
    text, lines = Text(), ServerSentEvents()
    readers = [FakeSession(text) for _ in range(3)]
    browsers = [FakeSession(lines) for _ in range(3)]
    room = room_of(*readers, *browsers)

    fanout.emit(room, event(b"hi"))
    fanout.flush()

    assert (text.encoded, lines.encoded) == (1, 1)
    assert [session.written for session in readers] == [[b"hi"]] * 3
    assert [session.written for session in browsers] == [[b"id: epoch:7\ndata: hi\n\n"]] * 3


async def test_lanes_of_one_room_need_no_gathering(fanout: Fanout) -> None:
    """One reader of another kind must not make the room dearer for all others: they are written to, not pushed."""
    reader, browser = FakeSession(), FakeSession(ServerSentEvents())
    room = room_of(reader, browser)

    fanout.emit(room, event(b"hi"))
    fanout.flush()

    assert reader.pushed == browser.pushed == []
    assert len(reader.written) == len(browser.written) == 1


async def test_several_rooms_are_one_write_in_each_lane(fanout: Fanout) -> None:
    reader, browser = FakeSession(), FakeSession(ServerSentEvents())

    for room in (room_of(reader, browser), room_of(browser), room_of(reader)):
        fanout.emit(room, event(b"hi"))
    fanout.flush()

    assert reader.written == [b"hihi"]
    assert browser.written == [b"id: epoch:7\ndata: hi\n\n" * 2]


async def test_a_codec_that_nobody_needs_any_more_encodes_nothing(fanout: Fanout) -> None:
    text, lines = Text(), ServerSentEvents()
    reader, browser = FakeSession(text), FakeSession(lines)
    room = room_of(reader, browser)
    del room.open_lane(browser).sessions[browser]
    room.drop_empty_lanes()

    fanout.emit(room, event(b"hi"))

    assert (text.encoded, lines.encoded) == (1, 0)


async def test_one_kind_of_connection_is_checked_at_its_own_pace(fanout: Fanout) -> None:
    reader, browser = FakeSession(), FakeSession(ServerSentEvents())
    browser.check_every = 0
    room = room_of(reader, browser)

    fanout.emit(room, event(b"hi"))
    fanout.flush()

    assert reader.pushed == []
    assert len(browser.pushed) == 1


# ---- what is counted ----


async def test_each_event_counts_for_each_connection_that_got_it(fanout: Fanout) -> None:
    both, one = FakeSession(), FakeSession()
    room, other = room_of(both, one), room_of(both)

    for _ in range(2):
        fanout.emit(room, event(b"12345"))
    fanout.flush()
    fanout.emit(room, event(b"12345"))
    fanout.emit(other, event(b"12345"))
    fanout.flush()

    assert fanout.deliveries == 4 + 3
    assert fanout.delivered_bytes == 5 * fanout.deliveries


async def test_what_only_quick_sessions_get_comes_after_what_gathered(fanout: Fanout) -> None:
    quick, slow = FakeSession(), FakeSession()
    room = room_of(quick, slow)

    fanout.emit(room, event(b"first"))
    left_out = fanout.emit_to_quick(room, [event(b"a"), event(b"b")], lambda session: session is slow)
    fanout.emit(room, event(b"last"))
    fanout.flush()

    assert left_out == [slow]
    assert quick.written == [b"first", b"ab", b"last"]
    assert slow.written == [b"first", b"last"]


async def test_where_all_are_quick_they_share_the_write_of_the_turn(fanout: Fanout) -> None:
    session = FakeSession()
    room = room_of(session)

    fanout.emit(room, event(b"first"))
    left_out = fanout.emit_to_quick(room, [event(b"a"), event(b"b")], lambda session: False)
    fanout.flush()

    assert left_out == []
    assert session.written == [b"firstab"]
