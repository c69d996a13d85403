"""Loops over the events of rooms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatRooms,
    InvalidField,
    MemoryBroker,
    MemoryStore,
    PositionLost,
    RoomEvent,
    RoomNotFound,
    User,
)
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.follows import tail
from sanic_chatrooms.follows.follow import Follow
from sanic_chatrooms.presence.memory import MemoryPresence
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import FaultyStore
from sanic_chatrooms.testing.connections import running_core

WITHIN = 40.0
ADA = User("u1", "Ada")


class Processes:
    """Starts chats over one store and one bus, as processes do."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._memory = MemoryStore()
        self._bus = MemoryBus()

    @asynccontextmanager
    async def start(self, **settings: Any) -> AsyncIterator[ChatRooms]:
        store = self._memory if self._url is None else SQLStore(self._url)
        rooms = ChatRooms("test")
        backends = Backends(store, MemoryBroker(self._bus), MemoryPresence())
        async with running_core(rooms, guests=True, backends=backends, **settings):
            yield rooms


@pytest.fixture(params=["memory", "sqlite"])
def processes(request: pytest.FixtureRequest, tmp_path: Path) -> Processes:
    return Processes(None if request.param == "memory" else f"sqlite:///{tmp_path}/chat.db")


@pytest.fixture
async def chat(processes: Processes) -> AsyncIterator[ChatRooms]:
    async with processes.start() as rooms:
        await rooms.create_room("a")
        await rooms.create_room("b")
        yield rooms


@pytest.fixture
async def in_memory() -> AsyncIterator[ChatRooms]:
    async with Processes(None).start() as rooms:
        await rooms.create_room("a")
        yield rooms


async def say(chat: ChatRooms, *texts: str, room: str = "a") -> None:
    await asyncio.gather(*(chat.publish(room, "message", {"text": text}, sender=ADA) for text in texts))


async def take(events: AsyncIterator[RoomEvent], count: int) -> list[RoomEvent]:
    async with asyncio.timeout(WITHIN):
        return [await anext(events) for _ in range(count)]


def texts(events: list[RoomEvent]) -> list[str]:
    return [event.payload["text"] for event in events]


async def begun(events: AsyncIterator[RoomEvent]) -> asyncio.Task[RoomEvent]:
    """The first step of a loop, which is under way and waits."""
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    return first


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not what():  # noqa: ASYNC110 - nobody tells a test
            await asyncio.sleep(0)


async def start_of(chat: ChatRooms, room: str = "a") -> tuple[str, int]:
    found = await chat.room(room)
    assert found is not None
    return found.epoch, 0


async def test_a_loop_has_every_event_since_a_position_in_order(chat: ChatRooms) -> None:
    await say(chat, *map(str, range(450)))

    async with aclosing(chat.follow("a", since=await start_of(chat))) as events:
        before = await take(events, 450)
        await say(chat, "live")
        (live,) = await take(events, 1)

    assert [event.seq for event in [*before, live]] == list(range(1, 452))
    assert texts(before) == [str(n) for n in range(450)]
    assert (live.type, live.payload, live.room) == ("message", {"text": "live"}, "a")
    assert live.sender is not None
    assert live.sender.name == "Ada"


async def test_without_a_position_it_begins_with_what_comes(chat: ChatRooms) -> None:
    await say(chat, "before")

    async with aclosing(chat.follow("a")) as events:
        first = await begun(events)
        await until(lambda: chat.running().hub.room("a") is not None)
        await say(chat, "after")

        assert (await first).payload == {"text": "after"}


async def test_it_goes_on_after_the_event_whose_position_was_saved(chat: ChatRooms) -> None:
    await say(chat, "1", "2", "3")
    async with aclosing(chat.follow("a", since=await start_of(chat))) as events:
        saved = chat.position((await take(events, 2))[-1])

    async with aclosing(chat.follow("a", since=saved)) as events:
        assert texts(await take(events, 1)) == ["3"]


async def test_several_rooms_and_the_position_in_all_of_them(chat: ChatRooms) -> None:
    since = f"a@{':'.join(map(str, await start_of(chat)))},b@{':'.join(map(str, await start_of(chat, 'b')))}"
    await say(chat, "a1", "a2")
    await say(chat, "b1", room="b")
    async with aclosing(chat.follow(rooms=["a", "b"], since=since)) as events:
        heard = await take(events, 2)
        saved = chat.position(heard[-1])

    async with aclosing(chat.follow(rooms=["b", "a"], since=saved)) as events:
        heard += await take(events, 1)

    assert sorted(texts(heard)) == ["a1", "a2", "b1"]


async def test_types_leaves_out_the_others(chat: ChatRooms) -> None:
    async with aclosing(chat.follow("a", since=await start_of(chat), types=("ORDER",))) as events:
        await say(chat, "hi")
        await chat.publish("a", "ORDER", {"id": 7})

        (order,) = await take(events, 1)

    assert (order.seq, order.payload, order.sender) == (2, {"id": 7}, None)


async def test_a_loop_hears_what_other_processes_store(processes: Processes, chat: ChatRooms) -> None:
    async with processes.start() as other, aclosing(other.follow("a", since=await start_of(chat))) as events:
        for n in range(3):
            await say(chat, str(n))
            assert texts(await take(events, 1)) == [str(n)]


async def test_edited_and_deleted_messages_of_the_past_are_as_they_are_now(chat: ChatRooms) -> None:
    one = await chat.publish("a", "message", {"text": "old"})
    two = await chat.publish("a", "message", {"text": "gone"})
    await chat.edit("a", one.msg_id, {"text": "new"})
    await chat.delete("a", two.msg_id)

    async with aclosing(chat.follow("a", since=await start_of(chat))) as events:
        first, second, *_ = await take(events, 4)

    assert (first.payload, first.edited is not None, first.changed) == ({"text": "new"}, True, 3)
    assert (second.payload, second.deleted) == ({}, True)


# ---- slow code ----


async def test_slow_code_misses_nothing_and_little_waits_for_it(
    chat: ChatRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BUFFER", 2_000)
    monkeypatch.setattr(tail, "LEAST", 0)
    async with aclosing(chat.follow("a", since=await start_of(chat))) as events:
        await say(chat, "0")
        heard = await take(events, 1)
        await say(chat, *map(str, range(1, 300)))
        heard += await take(events, 299)

        (follow,) = chat.running().follows._running
        assert all(sum(map(len, one._heard)) <= 2_000 for one in follow._tails)
    assert texts(heard) == [str(n) for n in range(300)]


async def test_code_that_is_so_slow_that_events_are_trimmed_is_told(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BUFFER", 500)
    monkeypatch.setattr(tail, "LEAST", 0)
    async with processes.start(history_max=100) as chat:
        await chat.create_room("a")
        async with aclosing(chat.follow("a", since=await start_of(chat))) as events:
            await say(chat, "0")
            await take(events, 1)
            await say(chat, *map(str, range(200)))

            with pytest.raises(PositionLost) as lost:
                await take(events, 200)

    assert (lost.value.fields["room"], lost.value.fields["seq"]) == ("a", 201)


async def test_the_rooms_of_one_loop_share_its_buffer(in_memory: ChatRooms) -> None:
    core = in_memory.running()

    few = Follow(core.hub, core.store, ["a", "b"], None, None)
    many = Follow(core.hub, core.store, [f"r{n}" for n in range(1_000)], None, None)

    assert {one._most for one in few._tails} == {tail.BUFFER // 2}
    assert {one._most for one in many._tails} == {tail.LEAST}


# ---- what cannot be told ----


@pytest.mark.parametrize("since", [("another", 0), ("another", 2)])
async def test_another_past_is_lost(chat: ChatRooms, since: tuple[str, int]) -> None:
    await say(chat, "1", "2")

    with pytest.raises(PositionLost):
        await take(chat.follow("a", since=since), 1)


async def test_a_position_of_the_future_is_lost(chat: ChatRooms) -> None:
    epoch, _ = await start_of(chat)

    with pytest.raises(PositionLost) as lost:
        await take(chat.follow("a", since=(epoch, 5)), 1)

    assert (lost.value.fields["epoch"], lost.value.fields["seq"]) == (epoch, 0)
    assert lost.value.http_status == 410


async def test_a_room_that_is_made_again_while_one_waits_is_another_past(chat: ChatRooms) -> None:
    async with aclosing(chat.follow("a")) as events:
        first = await begun(events)
        await until(lambda: chat.running().hub.room("a") is not None)
        await chat.delete_room("a")

        with pytest.raises((PositionLost, RoomNotFound)):
            await first


async def test_a_missing_room_is_not_found(in_memory: ChatRooms) -> None:
    with pytest.raises(RoomNotFound):
        await take(in_memory.follow("nowhere"), 1)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({}, "rooms"),
        ({"rooms": "ab"}, "rooms"),
        ({"rooms": []}, "rooms"),
        ({"rooms": [f"r{n}" for n in range(1_001)]}, "rooms"),
        ({"rooms": ["a", 7]}, "room"),
        ({"room": "a b"}, "room"),
        ({"room": "a", "types": "message"}, "types"),
        ({"room": "a", "types": (7,)}, "types"),
        ({"room": "a", "since": "x"}, "since"),
    ],
)
async def test_wrong_arguments_are_refused_at_the_call(
    in_memory: ChatRooms, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        in_memory.follow(**wrong)

    assert refused.value.fields["field"] == field


async def test_internal_rooms_cannot_be_followed(in_memory: ChatRooms) -> None:
    with pytest.raises(RoomNotFound):
        in_memory.follow("~all")


async def test_a_position_of_something_else_is_refused(in_memory: ChatRooms) -> None:
    with pytest.raises(InvalidField, match=r"must be an event of follow\(\)"):
        in_memory.position({"seq": 7})  # type: ignore[arg-type]


# ---- faults ----


async def test_a_loop_waits_while_the_store_does_not_answer(idle_time: None) -> None:
    store = FaultyStore(MemoryStore())
    rooms = ChatRooms("test")
    async with running_core(
        rooms, guests=True, backends=Backends(store, MemoryBroker(), MemoryPresence()), store_timeout=0.1
    ):
        await rooms.create_room("a")
        await say(rooms, "1")
        since = await start_of(rooms)
        store.fail_next(3)
        async with aclosing(rooms.follow("a", since=since)) as events:
            first = await begun(events)
            assert (await first).payload == {"text": "1"}


async def test_what_the_broker_loses_is_read_from_the_store(processes: Processes, chat: ChatRooms) -> None:
    async with processes.start() as other, aclosing(other.follow("a", since=await start_of(chat))) as events:
        await say(chat, "1")
        heard = await take(events, 1)
        chat.running().journal.publish = lambda envelope: None
        await say(chat, "2", "3")
        await other.running().hub.check()
        heard += await take(events, 2)

    assert texts(heard) == ["1", "2", "3"]


# ---- the end ----


async def test_a_loop_that_waits_ends_when_the_chat_stops(processes: Processes) -> None:
    heard = list[str]()

    async def listen(chat: ChatRooms) -> None:
        async for event in chat.follow("a", since=await start_of(chat)):
            heard.append(event.payload["text"])

    async with processes.start() as chat:
        await chat.create_room("a")
        loop = asyncio.ensure_future(listen(chat))
        await say(chat, "1")
        await until(lambda: bool(heard))

    async with asyncio.timeout(WITHIN):
        await loop
    assert heard == ["1"]


async def test_a_loop_that_is_left_leaves_the_room(chat: ChatRooms) -> None:
    async with aclosing(chat.follow("a", since=await start_of(chat))) as events:
        await say(chat, "1")
        await take(events, 1)
        assert len(chat.running().follows) == 1

    room = chat.running().hub.room("a")
    assert room is None or room.unused
    assert len(chat.running().follows) == 0


async def test_the_loops_of_one_process_do_not_disturb_each_other_or_clients(chat: ChatRooms) -> None:
    since = await start_of(chat)
    async with (
        aclosing(chat.follow("a", since=since)) as one,
        aclosing(chat.follow("a", since=since)) as other,
    ):
        await say(chat, "1", "2")

        assert texts(await take(one, 2)) == texts(await take(other, 2)) == ["1", "2"]
