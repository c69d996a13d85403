"""Each room in order and without a hole, whatever the broker does; and `reset` where that cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.errors import RoomNotFound, Unavailable
from sanic_chatrooms.hub.hub import EARLY_LIMIT, Hub
from sanic_chatrooms.hub.journal import Journal
from sanic_chatrooms.hub.room import HeldRoom
from sanic_chatrooms.models import EVERYONE, LOOK, RESERVED, Appended, Draft, Envelope, Head, Room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import FaultyBroker, FaultyStore
from sanic_chatrooms.testing.connections import decode_frames
from sanic_chatrooms.websocket.frames import frame
from sanic_chatrooms.wire.encode import encode, pong
from tests.support.scans import no_scan

Frame = dict[str, Any]

ROOM = "general"
WITHIN = 20.0


class Ear:
    """A session as the hub sees one: takes frames down and waits for them."""

    def __init__(self, slack: int = 65_536) -> None:
        self.slack = slack
        self.frames: list[Frame] = []
        self.evicted_from: list[str] = []
        self.writes = 0
        self.looks = 0
        self._news = asyncio.Event()

    def push(self, frames: bytes, replies: bytes = b"") -> None:
        self.looks += 1
        self.write(replies + frames)

    def write(self, frames: bytes) -> None:
        self.writes += 1
        self.frames += decode_frames(frames)
        self._news.set()

    def reply(self, frames: bytes) -> None:
        self.write(frames)

    def evicted(self, room: str) -> None:
        self.evicted_from.append(room)

    def seqs(self, room: str = ROOM) -> list[int]:
        return [f["seq"] for f in self.frames if f.get("room") == room and "seq" in f]

    def of(self, type: str) -> list[Frame]:
        return [f for f in self.frames if f["type"] == type]

    async def until(self, what: Callable[[], Any], within: float = WITHIN) -> None:
        async with asyncio.timeout(within):
            while not what():
                self._news.clear()
                await self._news.wait()

    async def until_count(self, count: int) -> None:
        await self.until(lambda: len(self.seqs()) >= count)

    async def until_seq(self, seq: int, room: str = ROOM) -> list[int]:
        await self.until(lambda: self.seqs(room)[-1:] == [seq])
        return self.seqs(room)


class Watching:
    """Hears a reserved room."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.losses: list[str] = []

    def heard(self, envelope: Envelope) -> None:
        self.seqs.append(envelope.seq)

    def lost(self, room: str) -> None:
        self.losses.append(room)

    def vanished(self, room: str) -> None:
        raise AssertionError("it had events")


class Node:
    """One worker's hub and journal, over a store and a bus that several may share."""

    def __init__(self, store: MemoryStore, bus: MemoryBus, **faults: Any) -> None:
        self.store = FaultyStore(store, latency=self._note_call)
        self._called = asyncio.Event()
        self.broker = FaultyBroker(MemoryBroker(bus), **faults)
        self.released: list[str] = []
        self.hub = Hub(self.store, self.broker, released=self.released.append)
        self.journal = Journal(self.store, self.broker, self.hub.deliver, None, 1.0)

    async def start(self) -> None:
        await self.broker.start("test", self.hub.deliver, lambda: None)
        self.hub.start()
        self.journal.start()

    async def stop(self) -> None:
        self.store.resume()
        await self.journal.stop()
        await self.hub.stop()
        await self.broker.stop()

    async def say(self, count: int = 1, room: str = ROOM) -> list[Appended]:
        return [await self.journal.append(draft(room)) for _ in range(count)]

    async def enter(self, ear: Ear, room: str = ROOM) -> int:
        """Enter and be admitted; the position."""
        held = await self.hub.enter(ear, room)
        assert self.hub.admit(ear, held, opening(held))
        return held.seq

    async def _note_call(self) -> None:
        self._called.set()

    async def until_asked(self, verb: str) -> None:
        """The store was asked this; where it is in memory and does not hang, it has answered too."""
        async with asyncio.timeout(WITHIN):
            while verb not in self.store.calls:
                self._called.clear()
                await self._called.wait()


def draft(room: str = ROOM) -> Draft:
    id = new_id()
    return Draft(room, "message", b'{"text":"hi"}', id, now(), key=("", id))


def opening(held: HeldRoom) -> bytes:
    return encode({"type": "ack", "position": held.seq})


def envelope(seq: int, epoch: str, room: str = ROOM) -> Envelope:
    data = encode({"type": "message", "room": room, "seq": seq, "msgId": str(seq)})
    return Envelope(room, epoch, seq, "message", data)


class World:
    def __init__(self, **bounds: Any) -> None:
        self.truth = MemoryStore()
        self.bus = MemoryBus()
        self.bounds = Bounds(**bounds)
        self.nodes: list[Node] = []

    async def node(self, **faults: Any) -> Node:
        node = Node(self.truth, self.bus, **faults)
        await node.start()
        self.nodes.append(node)
        return node

    async def epoch(self, room: str = ROOM) -> str:
        return (await self.truth.heads((room,)))[room].epoch

    def set_back(self, seq: int, room: str = ROOM) -> None:
        """What a restored backup does: the newest events are gone and the epoch is the same."""
        kept = self.truth._rooms[room]
        del kept.events[seq - kept.base :]
        kept.seq = seq

    async def start(self) -> None:
        await self.truth.start("test", self.bounds)
        await self.truth.create_room(Room(ROOM, "", 0))

    async def stop(self) -> None:
        for node in self.nodes:
            await node.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [t for t in others if "hub" in repr(t) or "journal" in repr(t)]


@asynccontextmanager
async def a_world(**bounds: Any) -> AsyncIterator[World]:
    world = World(**bounds)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as world:
        yield world


# ---- in order, whatever the broker does ----


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    lose=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    double=st.sampled_from([0.0, 0.3]),
    delay=st.sampled_from([0.0, 0.3]),
    reorder=st.sampled_from([0.0, 0.3]),
    senders=st.lists(st.integers(0, 1), min_size=5, max_size=40),
)
def test_two_workers_hear_the_same_in_order_over_a_bad_broker(
    seed: int, lose: float, double: float, delay: float, reorder: float, senders: list[int]
) -> None:
    async def run() -> None:
        faults = {"lose": lose, "double": double, "delay": delay, "reorder": reorder, "delay_by": 0.002}
        async with a_world() as world:
            nodes = [await world.node(random=Random(f"{seed}{i}"), **faults) for i in range(2)]
            ears = [Ear(), Ear()]
            for node, ear in zip(nodes, ears, strict=True):
                await node.enter(ear)
            for sender in senders:
                await nodes[sender].say()
            for node, ear in zip(nodes, ears, strict=True):
                await node.hub.check()  # where the last bells were lost nobody else would say so
                assert await ear.until_seq(len(senders)) == list(range(1, len(senders) + 1))
                assert not ear.of("reset")

    asyncio.run(run())


async def test_next_number_is_delivered_at_once_and_its_echo_dropped(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    epoch = await world.epoch()

    for seq in (1, 1, 2, 1, 2):
        node.hub.deliver(envelope(seq, epoch))
    node.hub.flush()

    assert ear.seqs() == [1, 2]
    assert node.hub.repairs == 0


async def test_number_that_comes_early_waits_for_the_one_before(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    epoch = await world.epoch()

    for seq in (4, 2, 3):
        node.hub.deliver(envelope(seq, epoch))
    node.hub.flush()
    assert ear.seqs() == []
    node.hub.deliver(envelope(1, epoch))
    node.hub.flush()

    assert ear.seqs() == [1, 2, 3, 4]
    assert node.hub.repairs == 0


async def test_number_that_does_not_come_is_read_from_the_store(world: World) -> None:
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)

    here.broker.lose_next(2)
    await there.say(3)

    assert await ear.until_seq(3) == [1, 2, 3]
    assert here.hub.repairs == 1


async def test_what_is_announced_while_a_hole_is_read_is_not_forgotten(world: World) -> None:
    """The page may be older than the announcement: neither its number nor the hole below it may be dropped."""
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)
    asked, answer = asyncio.Event(), asyncio.Event()
    history = here.store.inner.history

    async def slow(*args: Any, **kwargs: Any) -> Any:
        page = await history(*args, **kwargs)
        asked.set()
        await answer.wait()
        return page

    here.store.inner.history = slow  # type: ignore[method-assign]
    here.broker.lose_next(1)
    await there.say(2)
    await asked.wait()
    here.broker.lose_next(1)
    await there.say(2)
    here.store.inner.history = history  # type: ignore[method-assign]
    answer.set()

    assert await ear.until_seq(4) == [1, 2, 3, 4]


async def test_hole_longer_than_a_page_is_read_page_by_page(world: World) -> None:
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)

    here.broker.lose_next(500)
    await there.say(501)

    assert await ear.until_seq(501) == list(range(1, 502))


async def test_lost_last_bell_is_found_by_the_position_check(world: World) -> None:
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)
    here.broker.lose_next()
    await there.say()

    await here.hub.check()

    assert await ear.until_seq(1) == [1]


async def test_one_check_asks_for_all_rooms_at_once(world: World) -> None:
    node = await world.node()
    for index in range(20):
        await world.truth.create_room(Room(f"r{index}", "", 0))
        await node.enter(Ear(), f"r{index}")
    node.store.calls.clear()

    await node.hub.check()

    assert node.store.calls == ["heads"]


async def test_announced_number_that_is_not_stored_is_given_up(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    held = node.hub.room(ROOM)
    assert held is not None

    node.hub.deliver(envelope(7, await world.epoch()))
    await node.until_asked("history")

    assert (held.known, held.early, held.timer) == (0, {}, None)
    await node.say()
    assert await ear.until_seq(1) == [1]


async def test_only_so_many_early_numbers_are_kept(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    held = node.hub.room(ROOM)
    assert held is not None
    epoch = await world.epoch()

    for seq in range(2, EARLY_LIMIT + 100):
        node.hub.deliver(envelope(seq, epoch))

    assert len(held.early) == EARLY_LIMIT


# ---- reset ----


async def test_reset_when_history_was_trimmed_past_the_position() -> None:
    async with a_world(history_max=10) as world:
        here, there, ear = await world.node(), await world.node(), Ear()
        await here.enter(ear)
        await there.say(3)
        here.broker.lose_next(50)
        await there.say(51)

        await ear.until(lambda: ear.of("reset"))

        assert ear.seqs() == [1, 2, 3]
        reset = ear.of("reset")[0]["payload"]
        assert (reset["room"], reset["seq"], reset["epoch"]) == (ROOM, 54, await world.epoch())
        assert reset["rejoinIn"] >= 0
        assert ear.evicted_from == [ROOM]
        await there.say()
        here.hub.flush()
        assert ear.frames[-1]["type"] == "reset"  # nothing more of the room until it is joined again


async def test_reset_when_the_epoch_changed(world: World) -> None:
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)
    await here.say()
    await world.truth.renew_epoch(ROOM, await world.epoch())

    await there.say()
    await ear.until(lambda: ear.of("reset"))

    assert ear.of("reset")[0]["payload"]["epoch"] == await world.epoch()
    assert await here.enter(ear) == 2


async def test_bell_of_an_older_epoch_resets_nobody(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)

    node.hub.deliver(envelope(1, "another"))
    await node.until_asked("history")
    await node.say()

    assert await ear.until_seq(1) == [1]
    assert not ear.of("reset")


async def test_store_that_went_back_gets_a_new_epoch_and_the_room_a_reset(world: World) -> None:
    nodes, ears = [await world.node(), await world.node()], [Ear(), Ear()]
    for node, ear in zip(nodes, ears, strict=True):
        await node.enter(ear)
    await nodes[0].say(5)
    old = await world.epoch()
    world.set_back(3)

    for node in nodes:
        await node.hub.check()

    new = await world.epoch()
    assert new != old
    for node, ear in zip(nodes, ears, strict=True):
        node.hub.flush()
        reset = ear.of("reset")[0]["payload"]
        assert (reset["epoch"], reset["seq"]) == (new, 3)  # renewed once: both stand in the same past
        assert len(ear.of("reset")) == 1


async def test_head_that_is_behind_only_once_changes_nothing(world: World) -> None:
    """A replica may lag; a second look decides."""
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    await node.say(3)
    epoch = await world.epoch()
    heads = node.store.inner.heads

    async def lagging(rooms: Any) -> dict[str, Head]:
        node.store.inner.heads = heads  # type: ignore[method-assign]
        return {ROOM: Head(epoch, 1)}

    node.store.inner.heads = lagging  # type: ignore[method-assign]
    await node.hub.check()

    assert await world.epoch() == epoch
    assert not ear.of("reset")


async def test_store_with_a_hole_in_it_resets_the_room(world: World) -> None:
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)
    here.broker.lose_next(2)
    await there.say(2)
    page = await world.truth.history(ROOM, after=0, limit=10)

    async def history(*args: Any, **kwargs: Any) -> Any:
        return type(page)(page.events[1:], False, page.epoch, page.seq)

    here.store.inner.history = history  # type: ignore[method-assign]
    await here.hub.check()

    await ear.until(lambda: ear.of("reset"))
    assert ear.seqs() == []


async def test_deleted_room_is_told_and_let_go(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    await world.truth.delete_room(ROOM)

    await node.hub.check()
    node.hub.flush()

    assert ear.of("room.removed")[0]["payload"] == {"room": ROOM, "reason": "deleted"}
    assert ear.evicted_from == [ROOM]
    await node.hub.release()
    assert node.hub.room(ROOM) is None


@pytest.fixture
async def living(world: World) -> World:
    """A store with the room of all, which stays as long as the store keeps what it has."""
    await world.truth.create_room(Room(EVERYONE, "", 0, visibility=RESERVED))
    return world


class Deaf:
    """A watcher that does nothing."""

    def heard(self, envelope: Envelope) -> None: ...

    def lost(self, room: str) -> None: ...

    def vanished(self, room: str) -> None: ...


async def lose_everything(world: World, *again: str) -> None:
    """The store is as one that started with empty hands; these rooms are made again meanwhile."""
    world.truth._clear(world.bounds)
    for room in again:
        await world.truth.create_room(Room(room, "", 0))


@pytest.mark.parametrize("again", [(), (EVERYONE,)], ids=["nothing", "the room of all"])
@pytest.mark.parametrize("by", ["check", "look", "order"])
async def test_a_room_that_the_store_lost_is_to_be_joined_again(
    living: World, again: tuple[str, ...], by: str
) -> None:
    node, ear = await living.node(), Ear()
    await node.hub.watch(EVERYONE, Deaf())
    await node.enter(ear)
    old = await living.epoch()
    await lose_everything(living, *again)

    if by == "check":
        await node.hub.check()
        await node.hub.check()
    elif by == "look":
        node.hub.deliver(Envelope(ROOM, "", 0, LOOK, b"{}"))
    else:  # the room of all is found first, and watched again
        await node.hub.check()
        if again:
            await node.hub.watch(EVERYONE, Deaf())
        node.hub.deliver(Envelope(ROOM, "", 0, LOOK, b"{}"))

    await ear.until(lambda: ear.of("reset"))
    reset = ear.of("reset")[0]["payload"]
    assert (reset["room"], reset["seq"]) == (ROOM, 0)
    assert reset["epoch"] != old
    assert ear.of("room.removed") == []
    assert ear.evicted_from == [ROOM]


async def test_a_room_that_the_store_lost_is_not_found_or_made_and_entered_anew(living: World) -> None:
    node, ear = await living.node(), Ear()
    await node.hub.watch(EVERYONE, Deaf())
    await node.enter(ear)
    await lose_everything(living, EVERYONE)
    await node.hub.check()

    with pytest.raises(RoomNotFound):
        await node.hub.enter(ear, ROOM)
    await living.truth.create_room(Room(ROOM, "", 0))
    assert await node.enter(ear) == 0
    await node.say()

    assert await ear.until_seq(1) == [1]


async def test_a_room_that_was_deleted_is_told_to_be_also_after_the_store_lost_everything(
    living: World,
) -> None:
    node, ear = await living.node(), Ear()
    await node.hub.watch(EVERYONE, Deaf())
    await lose_everything(living, EVERYONE, ROOM)
    await node.hub.check()
    await node.enter(ear)

    await living.truth.delete_room(ROOM)
    await node.hub.check()
    node.hub.flush()

    assert ear.of("room.removed")[0]["payload"]["reason"] == "deleted"
    assert ear.of("reset") == []


async def test_who_is_told_to_look_asks_the_store_and_believes_nobody_else(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    look = Envelope(ROOM, "", 0, LOOK, b"{}")

    node.hub.deliver(look)
    await node.until_asked("history")
    node.hub.flush()
    assert ear.evicted_from == [], "the room is there"

    await world.truth.delete_room(ROOM)
    node.hub.deliver(look)
    await ear.until(lambda: ear.of("room.removed"))
    node.hub.deliver(look)


async def test_who_is_told_to_look_while_reading_looks_once_more(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    look = Envelope(ROOM, "", 0, LOOK, b"{}")
    node.store.hang()
    node.hub.deliver(look)
    await asyncio.sleep(0)
    node.hub.deliver(look)
    node.store.resume()
    await node.until_asked("history")
    await world.truth.delete_room(ROOM)

    await ear.until(lambda: ear.of("room.removed"))


async def test_room_that_is_made_again_is_another_room(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    await node.say(5)
    await world.truth.delete_room(ROOM)
    node.hub.gone(ROOM)
    await world.truth.create_room(Room(ROOM, "", 0))

    assert await node.enter(ear) == 0
    await node.say()

    await ear.until(lambda: ear.seqs()[-1:] == [1])
    assert node.hub.repairs == 0


# ---- the store is away ----


async def test_rooms_stand_still_while_the_store_is_away_and_go_on_after(world: World) -> None:
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)
    here.store.hang()
    here.broker.lose_next()
    await there.say(2)
    await here.until_asked("history")
    assert ear.seqs() == []

    here.store.resume()

    assert await ear.until_seq(2) == [1, 2]
    assert not ear.of("reset")


async def test_store_that_fails_is_asked_again(world: World) -> None:
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)
    here.store.fail_next(2, "history")
    here.broker.lose_next()

    await there.say(2)

    assert await ear.until_seq(2) == [1, 2]
    assert here.store.calls.count("history") == 3


async def test_store_that_is_away_does_not_let_anybody_in(world: World) -> None:
    node, ear = await world.node(), Ear()
    node.store.fail_next(1, "heads")

    with pytest.raises(Unavailable):
        await node.hub.enter(ear, ROOM)

    held = node.hub.room(ROOM)
    assert held is not None
    assert held.unused
    assert await node.enter(ear) == 0


async def test_release_ends_a_repair_that_waits_for_the_store(world: World) -> None:
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)
    here.store.hang()
    here.broker.lose_next()
    await there.say(2)
    held = here.hub.room(ROOM)
    assert held is not None
    await here.until_asked("history")
    repair = held.repairing
    assert repair is not None
    here.hub.exit(ear, ROOM)

    await here.hub.release()

    with pytest.raises(asyncio.CancelledError):
        await repair


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
        ear = Ear()
        held = await here.hub.enter(ear, ROOM)
        position = held.seq
        page = await here.store.history(ROOM, after=0, limit=10_000)  # as a join does, meanwhile more is said
        past = [e.seq for e in page.events if (e.seq or 0) <= position]
        assert past == list(range(1, position + 1))
        assert here.hub.admit(ear, held, opening(held))
        await ear.until_count(3)
        seqs = ear.seqs()
        assert seqs == list(range(position + 1, position + 1 + len(seqs)))
        assert ear.frames[0]["type"] == "ack"
        here.hub.exit(ear, ROOM)
    going = False
    await asyncio.gather(*talking)


async def test_what_was_acknowledged_before_entering_is_below_the_position(world: World) -> None:
    here, there, first = await world.node(), await world.node(), Ear()
    await here.enter(first)
    here.broker.lose_next(3)
    await there.say(3)

    assert await here.enter(Ear()) == 3
    here.hub.flush()
    assert first.seqs() == [1, 2, 3]


async def test_envelopes_that_come_before_the_position_is_known_are_kept(world: World) -> None:
    here, there, ear = await world.node(), await world.node(), Ear()
    here.store.hang()
    entering = asyncio.ensure_future(here.hub.enter(ear, ROOM))
    await here.until_asked("heads")
    await there.say(3)
    here.store.resume()
    held = await entering
    assert here.hub.admit(ear, held, opening(held))
    await there.say()

    await ear.until(lambda: ear.seqs()[-1:] == [4])
    assert ear.seqs() == list(range(held.seq + 1, 5)) or ear.seqs() == [4]
    assert held.early == {}


async def test_two_enter_at_once_and_both_hear(world: World) -> None:
    """Two first subscribers while the broker takes its time: neither may be lost, both may leave."""
    here, there, ears = await world.node(), await world.node(), [Ear(), Ear()]
    gate = _slow(here.broker, "subscribe")
    entering = [asyncio.ensure_future(here.enter(ear)) for ear in ears]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*entering)

    await there.say()

    for ear in ears:
        assert await ear.until_seq(1) == [1]
    for ear in ears:
        here.hub.exit(ear, ROOM)
    await here.hub.release()
    assert here.hub.room(ROOM) is None


async def test_who_enters_while_the_last_one_leaves_hears(world: World) -> None:
    """ "Last one out" is decided under the room's lock: the broker ends up subscribed."""
    here, there, first, second = await world.node(), await world.node(), Ear(), Ear()
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
    here, there, ear = await world.node(), await world.node(), Ear()
    await here.enter(ear)
    here.hub.exit(ear, ROOM)
    await there.say()
    here.hub.flush()

    assert ear.seqs() == []


def _slow(broker: FaultyBroker, verb: str) -> asyncio.Event:
    """Let a verb of the broker wait for the event that is returned."""
    gate, call = asyncio.Event(), getattr(broker.inner, verb)

    async def wait(room: str) -> None:
        await gate.wait()
        await call(room)

    setattr(broker.inner, verb, wait)
    return gate


async def test_entering_again_begins_afresh(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    await node.say(2)
    node.hub.flush()

    held = await node.hub.enter(ear, ROOM)
    position = held.seq
    await node.say()
    node.hub.flush()
    assert ear.seqs() == [1, 2]  # what comes now waits for the second ack
    assert node.hub.admit(ear, held, opening(held))
    node.hub.flush()

    assert position == 2
    assert [f.get("seq", f["type"]) for f in ear.frames] == ["ack", 1, 2, "ack", 3]


async def test_entering_again_with_frames_pending_doubles_none(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    epoch = await world.epoch()
    held = await node.hub.enter(ear, ROOM)
    node.hub.deliver(envelope(1, epoch))

    assert node.hub.admit(ear, held, opening(held))
    node.hub.deliver(envelope(2, epoch))
    node.hub.flush()

    assert ear.seqs() == [1, 2]


async def test_nobody_waits_for_another_one_s_entry_into_a_room_that_is_up(world: World) -> None:
    """A thousand who come back at once ask the store side by side, not one after the other."""
    node, ears = await world.node(), [Ear() for _ in range(20)]
    await node.enter(Ear())
    node.store.calls.clear()
    node.store.hang()
    entering = [asyncio.ensure_future(node.enter(ear)) for ear in ears]
    await node.until_asked("heads")
    await asyncio.sleep(0)

    assert node.store.calls == ["heads"] * 20
    node.store.resume()
    assert await asyncio.gather(*entering) == [0] * 20


async def test_those_who_enter_at_once_hear_each_number_once(world: World) -> None:
    """They all find the same hole in the hub's position, and read it side by side."""
    here, there, first = await world.node(), await world.node(), Ear()
    await here.enter(first)
    here.store.latency = lambda: asyncio.sleep(0)
    here.broker.lose_next(5)
    await there.say(5)

    assert await asyncio.gather(*(here.enter(Ear()) for _ in range(5))) == [5] * 5
    here.hub.flush()
    assert first.seqs() == [1, 2, 3, 4, 5]


async def test_exit_while_entering_is_not_admitted(world: World) -> None:
    node, ear = await world.node(), Ear()
    held = await node.hub.enter(ear, ROOM)

    node.hub.exit(ear, ROOM)

    assert not node.hub.admit(ear, held, opening(held))
    await node.say()
    node.hub.flush()
    assert ear.frames == []


async def test_exit_while_the_room_is_brought_up_refuses_the_entry(world: World) -> None:
    node, ear = await world.node(), Ear()
    node.store.hang()
    entering = asyncio.ensure_future(node.hub.enter(ear, ROOM))
    await asyncio.sleep(0)
    node.hub.exit(ear, ROOM)
    node.store.resume()

    with pytest.raises(Unavailable):
        await entering


async def test_reset_while_entering_tells_only_those_who_were_in(world: World) -> None:
    """Who is entering may not be allowed to know of the room: the answer to their join tells, and that alone."""
    node, member, stranger = await world.node(), Ear(), Ear()
    await node.enter(member)
    held = await node.hub.enter(stranger, ROOM)

    node.hub.reset(held, Head("new", 5), "another past")
    node.hub.flush()

    assert len(member.of("reset")) == 1
    assert stranger.frames == []
    assert not node.hub.admit(stranger, held, opening(held))


async def test_deletion_while_entering_tells_only_those_who_were_in(world: World) -> None:
    node, member, stranger = await world.node(), Ear(), Ear()
    await node.enter(member)
    held = await node.hub.enter(stranger, ROOM)

    node.hub.gone(ROOM)
    node.hub.flush()

    assert len(member.of("room.removed")) == 1
    assert stranger.frames == []
    assert not node.hub.admit(stranger, held, opening(held))


async def test_room_that_does_not_exist_cannot_be_entered_and_leaves_nothing(world: World) -> None:
    node = await world.node()

    with pytest.raises(RoomNotFound):
        await node.hub.enter(Ear(), "nowhere")

    await node.hub.release()
    assert node.hub.room("nowhere") is None


async def test_cancelled_entry_leaves_nothing(world: World) -> None:
    node, ear = await world.node(), Ear()
    node.store.hang()
    entering = asyncio.ensure_future(node.hub.enter(ear, ROOM))
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
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    await node.hub.release()
    assert node.hub.room(ROOM) is not None

    node.hub.exit(ear, ROOM)
    await node.hub.release()

    assert node.hub.room(ROOM) is None
    assert node.released == [ROOM]
    assert node.broker._rooms == set()


async def test_room_that_is_joined_again_before_the_sweep_costs_no_subscription(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    held = node.hub.room(ROOM)
    node.hub.exit(ear, ROOM)

    await node.enter(ear)
    await node.hub.release()

    assert node.hub.room(ROOM) is held
    assert node.released == []


async def test_broker_that_may_have_unsubscribed_is_subscribed_again(world: World) -> None:
    """Unsubscribing failed or was given up: nobody knows what the broker still passes on."""
    here, there, first, second = await world.node(), await world.node(), Ear(), Ear()
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
    here, there, first, second = await world.node(), await world.node(), Ear(), Ear()
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
        ear = Ear()
        await node.enter(ear, room)
        node.hub.exit(ear, room)
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
        ear = Ear()
        await node.enter(ear, f"r{index}")
        node.hub.exit(ear, f"r{index}")

    await node.hub.release()
    node.hub.flush()

    assert list(node.hub.rooms()) == []
    assert node.hub.fanout._replies == {}
    assert node.hub.fanout._dirty == []


async def test_releasing_and_closing_look_only_at_rooms_that_somebody_left(world: World) -> None:
    """However many are held: one for each user who is connected."""
    node, ear, leaving = await world.node(), Ear(), Ear()
    for index in range(5):
        await world.truth.create_room(Room(f"r{index}", "", 0))
        await node.enter(ear, f"r{index}")
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
    node, ear = await world.node(), Ear()
    held = await node.hub.enter(ear, ROOM)

    node.hub.closed(ear)

    assert not node.hub.admit(ear, held, opening(held))
    assert held.waiting == {}
    assert node.hub._entering == {}
    await node.hub.release()
    assert node.released == [ROOM]


async def test_room_that_could_not_be_unsubscribed_is_let_go_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    node.hub.exit(ear, ROOM)

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
    """An order is carried out here when its verb returns, even behind one whose bell was lost."""
    here, there, watching = await world.node(), await world.node(), Watching()
    await here.hub.watch(ROOM, watching)
    here.broker.lose_next()
    await there.say()
    stored = (await here.say())[0]

    await here.hub.reach(ROOM, stored.seq)

    assert watching.seqs == [1, 2]


# ---- writing ----


async def test_one_write_per_connection_and_turn_with_replies_first(world: World) -> None:
    node, ear = await world.node(), Ear()
    await world.truth.create_room(Room("other", "", 0))
    await node.enter(ear)
    await node.enter(ear, "other")
    node.hub.flush()
    ear.writes = 0
    for room in (ROOM, "other"):
        epoch = await world.epoch(room)
        node.hub.deliver(envelope(1, epoch, room))
        node.hub.deliver(envelope(2, epoch, room))
    node.hub.reply(ear, frame(pong("id", b"{}")))

    node.hub.flush()

    assert ear.writes == 1
    kinds = [f["type"] for f in ear.frames[2:]]
    assert kinds == ["pong", "message", "message", "message", "message"]


async def test_a_reply_and_the_events_of_one_room_are_one_write(world: World) -> None:
    node, ears = await world.node(), [Ear(), Ear()]
    for ear in ears:
        await node.enter(ear)
    node.hub.flush()
    epoch = await world.epoch()

    for seq in (1, 2):
        node.hub.deliver(envelope(seq, epoch))
        node.hub.reply(ears[0], frame(pong("id", b"{}")))
        node.hub.flush()

    assert [ear.writes for ear in ears] == [3, 3]
    assert [f["type"] for f in ears[0].frames[1:]] == ["pong", "message"] * 2
    assert [ear.seqs() for ear in ears] == [[1, 2], [1, 2]]


async def test_how_far_one_is_behind_is_looked_at_once_in_so_many_bytes(world: World) -> None:
    node, ear, hasty = await world.node(), Ear(), Ear(slack=2 * len(frame(envelope(1, "").data)))
    await node.enter(ear)
    await node.enter(hasty)
    node.hub.flush()
    epoch = await world.epoch()

    for seq in range(1, 5):
        node.hub.deliver(envelope(seq, epoch))
        node.hub.flush()

    assert (ear.looks, hasty.looks) == (2, 2)
    assert ear.seqs() == hasty.seqs() == [1, 2, 3, 4]


class Gone(Ear):
    """A session whose connection is gone, which it has not heard yet."""

    def write(self, frames: bytes) -> None:
        raise RuntimeError("the handler is closed")

    def reply(self, frames: bytes) -> None: ...


async def test_a_connection_that_is_gone_keeps_nobody_from_their_frames(world: World) -> None:
    node, gone, before, after = await world.node(), Gone(), Ear(), Ear()
    for ear in (before, gone, after):
        await node.enter(ear)
    node.hub.flush()

    await node.say(2)
    node.hub.flush()

    assert before.seqs() == after.seqs() == [1, 2]


async def test_reset_comes_after_all_that_was_delivered(world: World) -> None:
    node, ear = await world.node(), Ear()
    await node.enter(ear)
    epoch = await world.epoch()
    held = node.hub.room(ROOM)
    assert held is not None

    node.hub.deliver(envelope(1, epoch))
    node.hub.reset(held, Head("new", 1), "another past")
    node.hub.flush()

    assert [f["type"] for f in ear.frames] == ["ack", "message", "reset"]
