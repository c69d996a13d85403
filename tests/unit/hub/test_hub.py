"""Entering and leaving rooms without missing an event, letting rooms go, and one write a turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from random import Random

import pytest

from sanic_chatrooms.errors import RoomNotFound, Unavailable
from sanic_chatrooms.models import Envelope, Head, Room
from sanic_chatrooms.testing import FaultyBroker
from sanic_chatrooms.websocket.frames import frame
from sanic_chatrooms.wire.encode import pong
from sanic_chatrooms.wire.events import Typing
from tests.support.hubs import ROOM, FakeSession, Node, Watching, World, a_world, envelope, opening
from tests.support.scans import no_scan

pytestmark = pytest.mark.usefixtures("idle_time")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as world:
        yield world


# ---- entering ----


async def test_entering_during_traffic_leaves_neither_hole_nor_double(world: World) -> None:
    here, there = await world.node(), await world.node()
    here.store.latency = there.store.latency = lambda: asyncio.sleep(0)
    going = True

    async def traffic(node: Node) -> None:
        while going:
            await node.say()

    talking = [asyncio.ensure_future(traffic(node)) for node in (here, there)]
    for _ in range(30):
        session = FakeSession()
        held = await here.hub.enter(session, ROOM)
        position = held.head.seq
        page = await here.store.history(ROOM, after=0, limit=10_000)  # as a join does, meanwhile more is said
        past = [e.seq for e in page.events if (e.seq or 0) <= position]
        assert past == list(range(1, position + 1))
        assert here.hub.admit(session, held, opening(held))
        await session.until_count(3)
        seqs = session.seqs()
        assert seqs == list(range(position + 1, position + 1 + len(seqs)))
        assert session.frames[0]["type"] == "ack"
        here.hub.exit(session, ROOM)
    going = False
    await asyncio.gather(*talking)


async def test_what_was_acknowledged_before_entering_is_below_the_position(world: World) -> None:
    here, there, first = await world.node(), await world.node(), FakeSession()
    await here.enter(first)
    here.broker.lose_next(3)
    await there.say(3)

    assert await here.enter(FakeSession()) == 3
    here.hub.flush()
    assert first.seqs() == [1, 2, 3]


async def test_envelopes_that_come_before_the_position_is_known_are_kept(world: World) -> None:
    here, there, session = await world.node(), await world.node(), FakeSession()
    here.store.hang()
    entering = asyncio.ensure_future(here.hub.enter(session, ROOM))
    await here.until_asked("heads")
    await there.say(3)
    here.store.resume()
    held = await entering
    assert here.hub.admit(session, held, opening(held))
    await there.say()

    await session.until(lambda: session.seqs()[-1:] == [4])
    assert session.seqs() == list(range(held.head.seq + 1, 5)) or session.seqs() == [4]
    assert held.sequence.early == {}


async def test_two_enter_at_once_and_both_hear(world: World) -> None:
    """Two first subscribers while the broker takes its time: neither may be lost, both may leave."""
    here, there, sessions = await world.node(), await world.node(), [FakeSession(), FakeSession()]
    gate = _slow(here.broker, "subscribe")
    entering = [asyncio.ensure_future(here.enter(session)) for session in sessions]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*entering)

    await there.say()

    for session in sessions:
        assert await session.until_seq(1) == [1]
    for session in sessions:
        here.hub.exit(session, ROOM)
    await here.hub.release()
    assert here.hub.room(ROOM) is None


async def test_who_enters_while_the_last_one_leaves_hears(world: World) -> None:
    """ "Last one out" is decided under the room's lock: the broker ends up subscribed."""
    here, there, first, second = await world.node(), await world.node(), FakeSession(), FakeSession()
    await here.enter(first)
    gate = _slow(here.broker, "unsubscribe")
    here.hub.exit(first, ROOM)
    releasing = asyncio.ensure_future(here.hub.release())
    await asyncio.sleep(0)
    entering = asyncio.ensure_future(here.enter(second))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(releasing, entering)

    await there.say()

    assert await second.until_seq(1) == [1]


async def test_leaving_waits_for_nobody_who_does_not_read(world: World) -> None:
    """There is no queue between the hub and a session that could be full."""
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)
    here.hub.exit(session, ROOM)
    await there.say()
    here.hub.flush()

    assert session.seqs() == []


def _slow(broker: FaultyBroker, verb: str) -> asyncio.Event:
    """Let a verb of the broker wait for the event that is returned."""
    gate, call = asyncio.Event(), getattr(broker.inner, verb)

    async def wait(room: str) -> None:
        await gate.wait()
        await call(room)

    setattr(broker.inner, verb, wait)
    return gate


async def test_entering_again_begins_afresh(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    await node.say(2)
    node.hub.flush()

    held = await node.hub.enter(session, ROOM)
    position = held.head.seq
    await node.say()
    node.hub.flush()
    assert session.seqs() == [1, 2]  # what comes now waits for the second ack
    assert node.hub.admit(session, held, opening(held))
    node.hub.flush()

    assert position == 2
    assert [f.get("seq", f["type"]) for f in session.frames] == ["ack", 1, 2, "ack", 3]


async def test_entering_again_with_frames_pending_doubles_none(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    epoch = await world.epoch()
    held = await node.hub.enter(session, ROOM)
    node.hub.deliver(envelope(1, epoch))

    assert node.hub.admit(session, held, opening(held))
    node.hub.deliver(envelope(2, epoch))
    node.hub.flush()

    assert session.seqs() == [1, 2]


async def test_nobody_waits_for_another_one_s_entry_into_a_room_that_is_up(world: World) -> None:
    """A thousand who come back at once ask the store side by side, not one after the other."""
    node, sessions = await world.node(), [FakeSession() for _ in range(20)]
    await node.enter(FakeSession())
    node.store.calls.clear()
    node.store.hang()
    entering = [asyncio.ensure_future(node.enter(session)) for session in sessions]
    await node.until_asked("heads")
    await asyncio.sleep(0)

    assert node.store.calls == ["heads"] * 20
    node.store.resume()
    assert await asyncio.gather(*entering) == [0] * 20


async def test_those_who_enter_at_once_hear_each_number_once(world: World) -> None:
    """They all find the same hole in the hub's position, and read it side by side."""
    here, there, first = await world.node(), await world.node(), FakeSession()
    await here.enter(first)
    here.store.latency = lambda: asyncio.sleep(0)
    here.broker.lose_next(5)
    await there.say(5)

    assert await asyncio.gather(*(here.enter(FakeSession()) for _ in range(5))) == [5] * 5
    here.hub.flush()
    assert first.seqs() == [1, 2, 3, 4, 5]


async def test_exit_while_entering_is_not_admitted(world: World) -> None:
    node, session = await world.node(), FakeSession()
    held = await node.hub.enter(session, ROOM)

    node.hub.exit(session, ROOM)

    assert not node.hub.admit(session, held, opening(held))
    await node.say()
    node.hub.flush()
    assert session.frames == []


async def test_exit_while_the_room_is_brought_up_refuses_the_entry(world: World) -> None:
    node, session = await world.node(), FakeSession()
    node.store.hang()
    entering = asyncio.ensure_future(node.hub.enter(session, ROOM))
    await asyncio.sleep(0)
    node.hub.exit(session, ROOM)
    node.store.resume()

    with pytest.raises(Unavailable):
        await entering


async def test_reset_while_entering_tells_only_those_who_were_in(world: World) -> None:
    """Who is entering may not be allowed to know of the room: the answer to their join tells, and that alone."""
    node, member, stranger = await world.node(), FakeSession(), FakeSession()
    await node.enter(member)
    held = await node.hub.enter(stranger, ROOM)

    node.hub.reset(held, Head("new", 5), "another past")
    node.hub.flush()

    assert len(member.of("reset")) == 1
    assert stranger.frames == []
    assert not node.hub.admit(stranger, held, opening(held))


async def test_deletion_while_entering_tells_only_those_who_were_in(world: World) -> None:
    node, member, stranger = await world.node(), FakeSession(), FakeSession()
    await node.enter(member)
    held = await node.hub.enter(stranger, ROOM)

    node.hub.deleted(ROOM)
    node.hub.flush()

    assert len(member.of("room.removed")) == 1
    assert stranger.frames == []
    assert not node.hub.admit(stranger, held, opening(held))


async def test_room_that_does_not_exist_cannot_be_entered_and_leaves_nothing(world: World) -> None:
    node = await world.node()

    with pytest.raises(RoomNotFound):
        await node.hub.enter(FakeSession(), "nowhere")

    await node.hub.release()
    assert node.hub.room("nowhere") is None


async def test_cancelled_entry_leaves_nothing(world: World) -> None:
    node, session = await world.node(), FakeSession()
    node.store.hang()
    entering = asyncio.ensure_future(node.hub.enter(session, ROOM))
    await asyncio.sleep(0)

    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering

    held = node.hub.room(ROOM)
    assert held is not None
    assert held.unused
    assert not node.hub._locks


# ---- letting go ----


async def test_room_is_held_until_the_sweep_and_then_released(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    await node.hub.release()
    assert node.hub.room(ROOM) is not None

    node.hub.exit(session, ROOM)
    await node.hub.release()

    assert node.hub.room(ROOM) is None
    assert node.released == [ROOM]
    assert node.broker._rooms == set()


async def test_room_that_is_joined_again_before_the_sweep_costs_no_subscription(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    held = node.hub.room(ROOM)
    node.hub.exit(session, ROOM)

    await node.enter(session)
    await node.hub.release()

    assert node.hub.room(ROOM) is held
    assert node.released == []


async def test_broker_that_may_have_unsubscribed_is_subscribed_again(world: World) -> None:
    """Unsubscribing failed or was given up: nobody knows what the broker still passes on."""
    here, there, first, second = await world.node(), await world.node(), FakeSession(), FakeSession()
    await here.enter(first)
    unsubscribe = here.broker.inner.unsubscribe

    async def unsure(room: str) -> None:
        await unsubscribe(room)
        raise Unavailable

    here.broker.inner.unsubscribe = unsure  # type: ignore[method-assign]
    here.hub.exit(first, ROOM)
    with pytest.raises(Unavailable):
        await here.hub.release()
    here.broker.inner.unsubscribe = unsubscribe  # type: ignore[method-assign]
    await here.enter(second)

    await there.say()

    assert await second.until_seq(1) == [1]


async def test_release_that_is_cancelled_leaves_a_room_that_can_be_entered(world: World) -> None:
    here, there, first, second = await world.node(), await world.node(), FakeSession(), FakeSession()
    await here.enter(first)
    here.hub.exit(first, ROOM)
    unsubscribe, gone = here.broker.inner.unsubscribe, asyncio.Event()

    async def slow(room: str) -> None:
        await unsubscribe(room)
        gone.set()
        await asyncio.Event().wait()

    here.broker.inner.unsubscribe = slow  # type: ignore[method-assign]
    releasing = asyncio.ensure_future(here.hub.release())
    await gone.wait()
    releasing.cancel()
    await asyncio.gather(releasing, return_exceptions=True)
    here.broker.inner.unsubscribe = unsubscribe  # type: ignore[method-assign]
    await here.enter(second)

    await there.say()

    assert await second.until_seq(1) == [1]


async def test_room_that_cannot_be_released_keeps_no_other(world: World) -> None:
    node = await world.node()
    for room in (ROOM, "other"):
        await world.truth.create_room(Room(room, "", 0))
        session = FakeSession()
        await node.enter(session, room)
        node.hub.exit(session, room)
    unsubscribe = node.broker.inner.unsubscribe

    async def refusing(room: str) -> None:
        if room == ROOM:
            raise Unavailable
        await unsubscribe(room)

    node.broker.inner.unsubscribe = refusing  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await node.hub.release()
    node.broker.inner.unsubscribe = unsubscribe  # type: ignore[method-assign]

    assert [room.id for room in node.hub.rooms()] == [ROOM]


async def test_many_rooms_come_and_go_without_a_trace(world: World) -> None:
    node = await world.node()
    for index in range(200):
        await world.truth.create_room(Room(f"r{index}", "", 0))
        session = FakeSession()
        await node.enter(session, f"r{index}")
        node.hub.exit(session, f"r{index}")

    await node.hub.release()
    node.hub.flush()

    assert list(node.hub.rooms()) == []
    assert node.hub.fanout._replies == {}
    assert node.hub.fanout._dirty == []


async def test_releasing_and_closing_look_only_at_rooms_that_somebody_left(world: World) -> None:
    """However many are held: one for each user who is connected."""
    node, session, leaving = await world.node(), FakeSession(), FakeSession()
    for index in range(5):
        await world.truth.create_room(Room(f"r{index}", "", 0))
        await node.enter(session, f"r{index}")
    await node.enter(leaving, "r0")
    await node.enter(leaving, ROOM)

    with no_scan(node.hub, "_rooms"):
        await node.hub.release()
        node.hub.exit(leaving, "r0")
        node.hub.exit(leaving, ROOM)
        node.hub.closed(leaving)
        await node.hub.release()

    assert node.released == [ROOM]
    assert node.hub._left == set()


async def test_who_closes_while_entering_waits_nowhere(world: World) -> None:
    node, session = await world.node(), FakeSession()
    held = await node.hub.enter(session, ROOM)

    node.hub.closed(session)

    assert not node.hub.admit(session, held, opening(held))
    assert held.lanes == ()
    assert node.hub._entering == {}
    await node.hub.release()
    assert node.released == [ROOM]


async def test_room_that_could_not_be_unsubscribed_is_let_go_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    node.hub.exit(session, ROOM)

    async def fail(room: str) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(node.broker, "unsubscribe", fail)
        with pytest.raises(Unavailable):
            await node.hub.release()
    await node.hub.release()

    assert node.released == [ROOM]


# ---- reserved rooms ----


async def test_watcher_hears_every_order_in_order(world: World) -> None:
    here, there, watching = await world.node(lose=0.3, random=Random(4)), await world.node(), Watching()
    assert (await here.hub.watch(ROOM, watching)).seq == 0

    await there.say(50)
    await here.hub.check()
    await here.hub.reach(ROOM, 50)

    assert watching.seqs == list(range(1, 51))


async def test_watcher_is_told_of_a_loss(world: World) -> None:
    node, watching = await world.node(), Watching()
    await node.hub.watch(ROOM, watching)
    await node.say(2)
    world.set_back(1)

    await node.hub.check()

    assert watching.losses == [ROOM]


async def test_watch_that_fails_deafens_no_other_that_is_under_way(world: World) -> None:
    """Two connections of one user at once; the first one's attempt fails, or its connection is closed."""
    here, there, watching = await world.node(), await world.node(), Watching()
    here.store.hang()
    first = asyncio.ensure_future(here.hub.watch(ROOM, watching))
    second = asyncio.ensure_future(here.hub.watch(ROOM, watching))
    await here.until_asked("heads")
    here.store.fail_next()
    here.store.resume()
    with pytest.raises(Unavailable):
        await first
    await second

    await there.say()
    await here.hub.release()
    await there.say()

    assert watching.seqs == [1, 2]


async def test_reach_waits_for_no_bell(world: World) -> None:
    """An order is carried out here when its verb returns, even behind one whose envelope was lost."""
    here, there, watching = await world.node(), await world.node(), Watching()
    await here.hub.watch(ROOM, watching)
    here.broker.lose_next()
    await there.say()
    stored = (await here.say())[0]

    await here.hub.reach(ROOM, stored.seq)

    assert watching.seqs == [1, 2]


# ---- writing ----


async def test_one_write_per_connection_and_turn_with_replies_first(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await world.truth.create_room(Room("other", "", 0))
    await node.enter(session)
    await node.enter(session, "other")
    node.hub.flush()
    session.writes = 0
    for room in (ROOM, "other"):
        epoch = await world.epoch(room)
        node.hub.deliver(envelope(1, epoch, room))
        node.hub.deliver(envelope(2, epoch, room))
    node.hub.reply(session, frame(pong("id", b"{}")))

    node.hub.flush()

    assert session.writes == 1
    kinds = [f["type"] for f in session.frames[2:]]
    assert kinds == ["pong", "message", "message", "message", "message"]


async def test_a_reply_and_the_events_of_one_room_are_one_write(world: World) -> None:
    node, sessions = await world.node(), [FakeSession(), FakeSession()]
    for session in sessions:
        await node.enter(session)
    node.hub.flush()
    epoch = await world.epoch()

    for seq in (1, 2):
        node.hub.deliver(envelope(seq, epoch))
        node.hub.reply(sessions[0], frame(pong("id", b"{}")))
        node.hub.flush()

    assert [session.writes for session in sessions] == [3, 3]
    assert [f["type"] for f in sessions[0].frames[1:]] == ["pong", "message"] * 2
    assert [session.seqs() for session in sessions] == [[1, 2], [1, 2]]


async def test_how_far_one_is_behind_is_looked_at_once_in_so_many_bytes(world: World) -> None:
    node, session, hasty = (
        await world.node(),
        FakeSession(),
        FakeSession(check_every=2 * len(frame(envelope(1, "").data))),
    )
    await node.enter(session)
    await node.enter(hasty)
    node.hub.flush()
    epoch = await world.epoch()

    for seq in range(1, 5):
        node.hub.deliver(envelope(seq, epoch))
        node.hub.flush()

    assert (session.looks, hasty.looks) == (2, 2)
    assert session.seqs() == hasty.seqs() == [1, 2, 3, 4]


class Gone(FakeSession):
    """A session whose connection is gone, which it has not heard yet."""

    def write(self, frames: bytes) -> None:
        raise RuntimeError("the handler is closed")

    def reply(self, frames: bytes) -> None: ...


async def test_a_connection_that_is_gone_keeps_nobody_from_their_frames(world: World) -> None:
    node, gone, before, after = await world.node(), Gone(), FakeSession(), FakeSession()
    for session in (before, gone, after):
        await node.enter(session)
    node.hub.flush()

    await node.say(2)
    node.hub.flush()

    assert before.seqs() == after.seqs() == [1, 2]


async def test_reset_comes_after_all_that_was_delivered(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    epoch = await world.epoch()
    held = node.hub.room(ROOM)
    assert held is not None

    node.hub.deliver(envelope(1, epoch))
    node.hub.reset(held, Head("new", 1), "another past")
    node.hub.flush()

    assert [f["type"] for f in session.frames] == ["ack", "message", "reset"]


# ---- several codecs ----


class Lines:
    """A made-up codec: one line of text for each event, `position JSON`."""

    def event(self, envelope: Envelope) -> bytes:
        return b"%d %s\n" % (envelope.seq, envelope.data)

    def reply(self, text: bytes) -> bytes:
        return b"- %s\n" % text


class LineReader(FakeSession):
    """A session of another kind of connection."""

    codec = Lines()

    def write(self, data: bytes) -> None:
        self.writes += 1
        for line in data.splitlines():
            position, text = line.split(b" ", 1)
            frame = json.loads(text)
            assert position in ((b"%d" % frame["seq"],) if "seq" in frame else (b"0", b"-"))
            self.frames.append(frame)
        self._news.set()


async def test_connections_of_two_kinds_share_a_room(world: World) -> None:
    node, session, reader = await world.node(), FakeSession(), LineReader()
    await node.enter(session)
    await node.say()
    await node.enter(reader)

    await node.say(2)
    node.hub.tell(ROOM, Typing([]))
    node.hub.flush()

    assert session.seqs() == [1, 2, 3]
    assert reader.seqs() == [2, 3]
    assert len(session.of("typing")) == len(reader.of("typing")) == 1


async def test_connections_of_two_kinds_are_told_to_join_again(world: World) -> None:
    node, session, reader = await world.node(), FakeSession(), LineReader()
    for one in (session, reader):
        await node.enter(one)
    held = node.hub.room(ROOM)
    assert held is not None

    node.hub.reset(held, held.head, "made up")
    node.hub.flush()

    assert [one.of("reset")[0]["payload"]["reason"] for one in (session, reader)] == ["made up"] * 2
    assert held.lanes == ()
