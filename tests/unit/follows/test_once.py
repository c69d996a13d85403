"""Loops of one name: one of them gets the events, and another takes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatRooms,
    InvalidField,
    MemoryBroker,
    MemoryStore,
    PositionLost,
)
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.follows import follow, turn
from sanic_chatrooms.follows.turn import Turn
from sanic_chatrooms.presence.memory import MemoryPresence
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing.connections import running_core

WITHIN = 40.0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "ASK_EVERY", 0.02)
    monkeypatch.setattr(turn, "LEASE", 600.0)  # no busy machine lets it end by itself


class Processes:
    """Starts chats over one store and one bus, as processes do. The first has made the room "a"."""

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
            await rooms.ensure_room("a")
            await rooms.ensure_room("b")
            yield rooms


@pytest.fixture(params=["memory", "sqlite"])
def processes(request: pytest.FixtureRequest, tmp_path: Path) -> Processes:
    return Processes(None if request.param == "memory" else f"sqlite:///{tmp_path}/chat.db")


@pytest.fixture
async def chats(processes: Processes) -> AsyncIterator[list[ChatRooms]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(processes.start()) for _ in range(3)]


@pytest.fixture
async def in_memory() -> AsyncIterator[ChatRooms]:
    async with Processes(None).start() as chat:
        yield chat


class Worker:
    """A loop in a process, which keeps what it has finished."""

    def __init__(self, chat: ChatRooms, once: str = "bot", **how: Any) -> None:
        self.chat = chat
        self.began: list[int] = []
        self.finished: list[int] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.events = chat.follow(once=once, **({"room": "a"} | how))
        self.task = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        async with aclosing(self.events) as events:
            async for event in events:
                self.began.append(event.seq)
                await self.go_on.wait()
                self.finished.append(event.seq)

    async def leave(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def freeze(self) -> None:
        """As a process that is stopped: it does nothing more, its lease ends, and it does not know."""
        self.go_on.clear()
        (loop,) = self.chat.running().follows._running
        own = loop._turn
        assert own is not None
        await own._stop_renewing()
        assert await self.chat.running().store.lease("follow.bot", 0.0, own._fence)


async def until(what: Any) -> None:
    async with asyncio.timeout(WITHIN):
        while not what():  # noqa: ASYNC110 - nobody tells a test
            await asyncio.sleep(0.005)


async def say(chat: ChatRooms, count: int, room: str = "a") -> None:
    await asyncio.gather(*(chat.publish(room, "message", {"text": str(n)}) for n in range(count)))


async def ready(chat: ChatRooms, once: str = "bot", room: str = "a") -> None:
    """A loop of this name has begun: what is said now is its."""
    async with asyncio.timeout(WITHIN):
        while await Turn(chat.running().store, once, lambda: None).kept(room) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_one_of_all_loops_gets_each_event(chats: list[ChatRooms]) -> None:
    workers = [Worker(chat) for chat in chats]
    await ready(chats[0])

    await say(chats[1], 30)
    await until(lambda: sum(len(worker.finished) for worker in workers) == 30)
    await asyncio.gather(*(worker.leave() for worker in workers))

    assert sorted(len(worker.finished) for worker in workers) == [0, 0, 30]
    assert max((worker.finished for worker in workers), key=len) == list(range(1, 31))


async def test_when_a_loop_is_left_the_next_one_goes_on_after_the_last_event_it_finished(
    chats: list[ChatRooms],
) -> None:
    first = Worker(chats[0])
    await ready(chats[0])
    await say(chats[2], 5)
    await until(lambda: len(first.finished) == 5)
    second = Worker(chats[1])

    await first.leave()
    await say(chats[2], 5)
    await until(lambda: len(second.finished) == 5)
    await second.leave()

    assert (first.finished, second.finished) == ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])


async def test_when_a_process_hangs_the_event_in_hand_is_done_again_and_no_other(
    chats: list[ChatRooms],
) -> None:
    first = Worker(chats[0])
    await ready(chats[0])
    await say(chats[2], 3)
    await until(lambda: len(first.finished) == 3)
    first.go_on.clear()
    await say(chats[2], 4)
    await until(lambda: first.began == [1, 2, 3, 4])
    second = Worker(chats[1])
    await first.freeze()

    await until(lambda: second.finished == [4, 5, 6, 7])
    (loop,) = chats[0].running().follows._running
    assert loop._turn is not None
    loop._turn._until = 0.0  # so long was it frozen
    first.go_on.set()
    await say(chats[2], 3)
    await until(lambda: second.finished[-1] == 10)
    await asyncio.gather(first.leave(), second.leave())

    assert second.finished == list(range(4, 11))
    assert first.finished == [1, 2, 3, 4]


async def test_what_was_kept_comes_before_since(chats: list[ChatRooms]) -> None:
    await say(chats[0], 3)
    room = await chats[0].room("a")
    assert room is not None
    first = Worker(chats[0], since=(room.epoch, 1))
    await until(lambda: len(first.finished) == 2)
    await until(lambda: not first.began or first.began == first.finished)
    await first.leave()
    second = Worker(chats[1], since=(room.epoch, 0))
    await ready(chats[1])
    await say(chats[0], 1)
    await until(lambda: bool(second.finished))
    await second.leave()

    assert first.finished == [2, 3]
    assert second.finished == [4]


async def test_a_loop_that_no_event_reached_is_followed_by_one_that_begins_where_it_began(
    chats: list[ChatRooms],
) -> None:
    first = Worker(chats[0])
    await ready(chats[0])
    await first.leave()
    await say(chats[0], 2)
    second = Worker(chats[1])
    await until(lambda: len(second.finished) == 2)
    await second.leave()

    assert second.finished == [1, 2]


async def test_positions_are_kept_for_each_room_and_each_name(chats: list[ChatRooms]) -> None:
    loops = [
        Worker(chats[0], rooms=["a", "b"], room=None),
        Worker(chats[0], once="other"),
    ]
    await ready(chats[0], room="b")
    await ready(chats[0], once="other")
    await say(chats[1], 2)
    await say(chats[1], 3, room="b")
    await until(lambda: [len(loop.finished) for loop in loops] == [5, 2])
    await asyncio.gather(*(loop.leave() for loop in loops))

    kept = [
        await Turn(chats[0].running().store, once, lambda: None).kept(room)
        for once, room in (("bot", "a"), ("bot", "b"), ("other", "a"), ("other", "b"))
    ]
    assert [position and position.seq for position in kept] == [2, 3, 2, None]


async def test_events_of_other_types_are_passed_for_good(
    chats: list[ChatRooms], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "KEEP_EVERY", 0.01)
    loop = Worker(chats[0], types=("ORDER",))
    await ready(chats[0])
    await say(chats[0], 3)

    async def kept() -> int:
        position = await Turn(chats[0].running().store, "bot", lambda: None).kept("a")
        return position.seq if position is not None else 0

    async with asyncio.timeout(WITHIN):
        while await kept() < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await loop.leave()
    assert loop.finished == []


async def test_after_a_lost_position_the_next_loop_begins_at_the_head(processes: Processes) -> None:
    async with processes.start(history_max=100) as chat:
        first = Worker(chat)
        await ready(chat)
        await first.leave()
        await say(chat, 250)

        with pytest.raises(PositionLost):
            await anext(chat.follow("a", once="bot"))
        second = Worker(chat)
        await until(lambda: len(chat.running().follows) == 1)
        await say(chat, 1)
        await until(lambda: bool(second.finished))
        await second.leave()

        assert second.finished == [251]


async def test_a_room_that_was_made_again_is_another_past(chats: list[ChatRooms]) -> None:
    chat = chats[0]
    first = Worker(chat)
    await ready(chat)
    await say(chat, 3)
    await until(lambda: len(first.finished) == 3)
    await first.leave()
    room = await chat.room("a")
    assert room is not None
    await chat.running().store.renew_epoch("a", room.epoch)

    with pytest.raises(PositionLost):
        await anext(chat.follow("a", once="bot"))

    facts = await chat.running().store.facts_about("a", "bot")
    assert len([kind for kind in facts if kind.startswith("follow.")]) == 1


async def test_one_name_for_other_rooms_in_the_same_process_is_refused(in_memory: ChatRooms) -> None:
    loop = Worker(in_memory)
    await ready(in_memory)

    with pytest.raises(InvalidField, match="'bot' follows other rooms in this process"):
        await anext(in_memory.follow("b", once="bot"))
    await loop.leave()


@pytest.mark.parametrize("once", ["", "a b", "x" * 65, 7])
async def test_wrong_names_are_refused_at_the_call(in_memory: ChatRooms, once: Any) -> None:
    with pytest.raises(InvalidField, match="once: must be a name"):
        in_memory.follow("a", once=once)


async def test_a_process_that_stops_finishes_its_event_and_lets_the_next_go_on(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "LAST_EVENT", WITHIN)
    async with processes.start() as other:
        async with processes.start() as chat:
            first = Worker(chat)
            await ready(chat)
            first.go_on.clear()
            await say(other, 2)
            await until(lambda: first.began == [1])
            second = Worker(other)
            asyncio.get_running_loop().call_later(0.05, first.go_on.set)
        async with asyncio.timeout(WITHIN):
            await first.task
        await until(lambda: second.finished == [2])
        await second.leave()

    assert first.finished == [1]


async def test_loops_that_wait_for_their_turn_end_with_the_chat(processes: Processes) -> None:
    async with processes.start() as other:
        first = Worker(other)
        await ready(other)
        async with processes.start() as chat:
            second = Worker(chat)
            await until(lambda: len(chat.running().follows) == 1)
        async with asyncio.timeout(WITHIN):
            await second.task
        await first.leave()
