"""Workers as far as the hub goes: a hub and a journal each, over one store and one bus; and sessions that note what they get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sanic_chatrooms.brokers.base import Broker, Deliver
from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.hub.hub import Hub
from sanic_chatrooms.hub.journal import Journal
from sanic_chatrooms.hub.room import Codec, LocalRoom
from sanic_chatrooms.models import Appended, Draft, Envelope, Room, Scope
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import FaultyBroker, FaultyStore, Recorder, RecordingMeter
from sanic_chatrooms.testing.frames import decode_frames
from sanic_chatrooms.websocket.codec import FRAMES
from sanic_chatrooms.wire.encode import encode

Frame = dict[str, Any]

ROOM = "general"
WITHIN = 40.0


class FakeSession:
    """A session as the hub sees one: takes frames down and waits for them."""

    codec: Codec = FRAMES

    def __init__(self, check_every: int = 65_536) -> None:
        self.check_every = check_every
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

    def on_event(self, envelope: Envelope) -> None:
        self.seqs.append(envelope.seq)

    def on_gap(self, room: str) -> None:
        self.losses.append(room)

    def on_deleted(self, room: str) -> None:
        raise AssertionError("it had events")


class NotingBroker(Broker):
    """Notes what is published. `problem` is raised instead."""

    scope = Scope.PROCESS

    def __init__(self) -> None:
        self.published = Recorder()
        self.problem: Exception | None = None
        self.batches: list[int] = []

    async def start(self, instance: str, deliver: Deliver, reconnected: Any) -> None: ...
    async def stop(self) -> None: ...
    async def subscribe(self, room: str) -> None: ...
    async def unsubscribe(self, room: str) -> None: ...

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.batches.append(len(envelopes))
        if self.problem is not None:
            raise self.problem
        for envelope in envelopes:
            self.published(envelope)


class Node:
    """One worker's hub and journal, over a store and a bus that several may share."""

    def __init__(self, store: MemoryStore, bus: MemoryBus, **faults: Any) -> None:
        self.store = FaultyStore(store, latency=self._note_call)
        self._called = asyncio.Event()
        self.broker = FaultyBroker(MemoryBroker(bus), **faults)
        self.released: list[str] = []
        self.meter = RecordingMeter()
        self.hub = Hub(self.store, self.broker, released=self.released.append, meter=self.meter)
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

    async def enter(self, session: FakeSession, room: str = ROOM) -> int:
        """Enter and be admitted; the position."""
        held = await self.hub.enter(session, room)
        assert self.hub.admit(session, held, opening(held))
        return held.head.seq

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


def opening(held: LocalRoom) -> bytes:
    return encode({"type": "ack", "position": held.head.seq})


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
