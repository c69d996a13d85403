"""Who is typing: merged per worker, told to the room at most twice a second, over by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.hub.hub import Hub
from sanic_chatrooms.live.typing import LINGER, Typists
from sanic_chatrooms.models import Envelope, Room, Sender
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import Clock
from sanic_chatrooms.testing.frames import decode_frames
from sanic_chatrooms.websocket.codec import FRAMES

ADA, BOB = Sender("u1", "Ada"), Sender("u2", "Bob")


class Ear:
    """A session in the room, as the hub sees it."""

    codec = FRAMES
    check_every = 65_536

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def push(self, frames: bytes, replies: bytes = b"") -> None:
        self.write(frames)

    def write(self, frames: bytes) -> None:
        self.heard += decode_frames(frames)

    def reply(self, frames: bytes) -> None: ...

    def evicted(self, room: str) -> None: ...


class Worker:
    """One process: a hub with a room and somebody in it, and its typists."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rung: list[Envelope] = []
        self.ear = Ear()

    async def start(self, rooms: tuple[str, ...] = ("a", "b")) -> None:
        self.store, broker = MemoryStore(), MemoryBroker(MemoryBus())
        self.hub = Hub(self.store, broker)
        await self.store.start("test", Bounds())
        await broker.start("test", self.hub.deliver, lambda: None)
        self.hub.start()
        self.typists = Typists(self.hub, self.rung.append, self.clock)
        for room in rooms:
            await self.store.create_room(Room(room, "", 0))
            held = await self.hub.enter(self.ear, room)
            self.hub.admit(self.ear, held)

    def told(self, room: str = "a") -> list[list[str]]:
        """Each time the room was told: the names of who types."""
        self.hub.flush()
        return [[u["name"] for u in e["payload"]["users"]] for e in self.ear.heard if e["room"] == room]

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)
            self.typists.sweep()


@pytest.fixture
async def worker() -> Worker:
    worker = Worker(Clock())
    await worker.start()
    return worker


async def test_the_room_hears_everybody_who_types_now(worker: Worker) -> None:
    worker.typists.note("a", ADA, True)
    worker.pass_time(1)
    worker.typists.note("a", BOB, True)

    assert worker.told() == [["Ada"], ["Ada", "Bob"]]
    assert worker.told("b") == []


async def test_a_typing_event_as_it_travels(worker: Worker) -> None:
    worker.typists.note("a", ADA, True)
    worker.hub.flush()

    event = worker.ear.heard[0]

    assert (event["type"], event["room"]) == ("typing", "a")
    assert event["payload"] == {"users": [{"id": "u1", "name": "Ada"}]}
    assert "seq" not in event


async def test_it_ends_six_seconds_after_its_last_repeat(worker: Worker) -> None:
    assert LINGER == 6.0
    worker.typists.note("a", ADA, True)
    worker.pass_time(4)
    worker.typists.note("a", ADA, True)
    worker.pass_time(5.5)
    assert worker.told() == [["Ada"]]

    worker.pass_time(0.5)

    assert worker.told() == [["Ada"], []]


async def test_repeats_tell_nobody_anything_new(worker: Worker) -> None:
    for _ in range(10):
        worker.typists.note("a", ADA, True)
        worker.pass_time(1)

    assert worker.told() == [["Ada"]]
    assert len(worker.rung) == 10


async def test_what_changes_within_half_a_second_is_told_together(worker: Worker) -> None:
    for user in (ADA, BOB):
        for active in (True, False, True):
            worker.typists.note("a", user, active)
    assert worker.told() == [["Ada"]]

    worker.pass_time(0.5)

    assert worker.told() == [["Ada"], ["Ada", "Bob"]]


async def test_to_say_it_stops_it(worker: Worker) -> None:
    worker.typists.note("a", ADA, True)
    worker.pass_time(1)

    worker.typists.stopped("a", ADA)

    assert worker.told() == [["Ada"], []]
    assert [json.loads(e.data)["active"] for e in worker.rung] == [True, False]


async def test_who_was_not_typing_stops_nothing(worker: Worker) -> None:
    worker.typists.note("a", BOB, True)

    worker.typists.stopped("a", ADA)
    worker.typists.stopped("b", ADA)

    assert len(worker.rung) == 1


async def test_a_stop_of_somebody_unknown_is_nothing(worker: Worker) -> None:
    worker.typists.note("a", ADA, False)

    assert worker.told() == []
    assert worker.typists._rooms == {}


async def test_other_workers_are_heard_through_the_hub(worker: Worker) -> None:
    other = Worker(worker.clock)
    await other.start()
    other.typists.note("a", BOB, True)

    for envelope in other.rung:
        worker.hub.deliver(envelope)
    worker.typists.note("a", ADA, True)
    worker.pass_time(0.5)

    assert worker.told() == [["Bob"], ["Bob", "Ada"]]


async def test_a_lost_stop_ends_by_itself_and_nothing_is_kept(worker: Worker) -> None:
    for room in ("a", "b", "not held"):
        worker.typists.note(room, ADA, True)

    worker.pass_time(LINGER + 1)

    assert worker.told() == [["Ada"], []]
    assert worker.typists._rooms == {}
    assert worker.typists._throttle._again == {}


async def test_a_new_name_is_told_with_the_next_change(worker: Worker) -> None:
    worker.typists.note("a", ADA, True)
    worker.pass_time(1)
    worker.typists.note("a", Sender("u1", "Ada L."), True)
    worker.typists.note("a", BOB, True)

    assert worker.told() == [["Ada"], ["Ada L.", "Bob"]]
