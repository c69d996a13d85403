"""A store that answers in time, or is unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sanic_chatrooms.errors import RoomNotFound, Unavailable
from sanic_chatrooms.models import Draft, Fact, Room
from sanic_chatrooms.observe.instruments import STORE_ERRORS, STORE_SECONDS
from sanic_chatrooms.observe.meter import SILENT
from sanic_chatrooms.stores.base import Bounds, Store
from sanic_chatrooms.stores.deadline import READS, TimedStore, timed
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import FaultyStore, RecordingMeter

DRAFT = Draft("r", "message", b"{}", "m" * 16, 0.0)

VERBS: dict[str, Callable[[Store], Awaitable[Any]]] = {
    "heads": lambda store: store.heads(["r"]),
    "history": lambda store: store.history("r", after=0, limit=1),
    "message": lambda store: store.message("r", "m"),
    "trim": lambda store: store.trim("r", 1),
    "renew_epoch": lambda store: store.renew_epoch("r", "old"),
    "create_room": lambda store: store.create_room(Room("r", "", 0)),
    "room": lambda store: store.room("r"),
    "rooms": lambda store: store.rooms(),
    "update_room": lambda store: store.update_room(Room("r", "", 0)),
    "delete_room": lambda store: store.delete_room("r"),
    "related": lambda store: store.related("r", [1]),
    "toggles": lambda store: store.toggles("r", key="pin"),
    "facts_about": lambda store: store.facts_about("r", "u1"),
    "facts": lambda store: store.facts("r", "member"),
    "facts_of": lambda store: store.facts_of("member", "u1"),
    "set_fact": lambda store: store.set_fact("r", Fact("ban", "u1", None)),
    "unread": lambda store: store.unread("u1", ["r"]),
    "take": lambda store: store.take("k", 1.0, 1),
    "secret": lambda store: store.secret("guests"),
    "erase": lambda store: store.erase("r", "u1", []),
    "all_facts": lambda store: store.all_facts("r"),
}


def test_every_verb_is_there() -> None:
    assert {*VERBS, "append", "start", "stop"} == Store.__abstractmethods__


@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_that_takes_too_long_is_unavailable(verb: str) -> None:
    faulty = FaultyStore(MemoryStore())
    store = TimedStore(faulty, 0.01)
    await store.start("test", Bounds())
    faulty.hang()

    with pytest.raises(Unavailable):
        await VERBS[verb](store)

    assert faulty.calls == [verb]


async def test_append_is_left_to_the_journal_which_repeats_it_within_the_limit() -> None:
    faulty = FaultyStore(MemoryStore())
    store = TimedStore(faulty, 0.01)
    await store.start("test", Bounds())
    await faulty.create_room(Room("r", "", 0))
    faulty.hang()
    asyncio.get_running_loop().call_later(0.05, faulty.resume)

    assert len(await store.append([DRAFT])) == 1


async def test_what_the_store_says_is_passed_on() -> None:
    store = TimedStore(MemoryStore(), 1.0)
    await store.start("test", Bounds())

    with pytest.raises(RoomNotFound):
        await store.facts("r", "member")
    assert store.scope is MemoryStore.scope


async def test_the_past_is_read_for_so_many_at_a_time_and_nobody_waits_longer_for_that(
    idle_time: None,
) -> None:
    faulty = FaultyStore(MemoryStore())
    store = TimedStore(faulty, 0.05)
    await store.start("test", Bounds())
    await faulty.create_room(Room("r", "", 0))
    faulty.hang()
    reads = [asyncio.ensure_future(store.history("r", after=0, limit=1)) for _ in range(3 * READS)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert faulty.calls.count("history") == READS

    ended = await asyncio.gather(*reads, return_exceptions=True)

    assert [type(end) for end in ended] == [Unavailable] * (3 * READS)
    faulty.resume()
    assert (await store.history("r", after=0, limit=1)).events == []


async def test_how_long_the_store_takes_is_measured_and_what_it_refuses_counted() -> None:
    faulty, meter = FaultyStore(MemoryStore()), RecordingMeter()
    store = TimedStore(faulty, 0.01, meter)
    await store.start("test", Bounds())
    await store.create_room(Room("r", "", 0))

    await store.room("r")
    with pytest.raises(RoomNotFound):
        await store.history("s", after=0, limit=1)
    faulty.hang()
    with pytest.raises(Unavailable):
        await store.room("r")

    assert len(meter.values(STORE_SECONDS, "room")) == 1
    assert meter.value(STORE_ERRORS, "history", "room_not_found") == 1
    assert meter.value(STORE_ERRORS, "room", "unavailable") == 1


def test_a_store_that_waits_for_nothing_is_asked_without_a_limit() -> None:
    assert MemoryStore.waits is False
    inner = MemoryStore()

    assert timed(inner, 1.0, SILENT) is inner
    assert isinstance(timed(inner, 1.0, RecordingMeter()), TimedStore)  # which has to hear of it
    assert isinstance(timed(FaultyStore(inner), 1.0, SILENT), TimedStore)


async def test_a_store_derived_from_the_one_in_memory_has_its_limit_like_any_other() -> None:
    class Slow(MemoryStore):
        async def room(self, room: str) -> Room | None:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

    assert Slow.waits is True
    store = TimedStore(Slow(), 0.01)
    await store.start("test", Bounds())

    with pytest.raises(Unavailable):
        await store.room("r")


def test_appending_without_a_task_is_passed_on() -> None:
    class Soon(MemoryStore):
        appends_soon = True

        def append_soon(self, batch: Any, heard: Any) -> bool:
            heard(0, batch)
            return True

        def append_now(self, drafts: Any) -> Any:
            return [drafts]

    heard: list[Any] = []
    store = TimedStore(Soon(), 1.0)

    assert store.appends_soon
    assert store.append_soon([[DRAFT]], lambda *said: heard.append(said))
    assert heard == [(0, [[DRAFT]])]
    given: Any = [DRAFT]
    assert store.append_now(given) == [given]
    assert TimedStore(MemoryStore(), 1.0).appends_soon
    assert not TimedStore(FaultyStore(MemoryStore()), 1.0).appends_soon
    assert not FaultyStore(MemoryStore()).append_soon([[DRAFT]], lambda *said: None)
