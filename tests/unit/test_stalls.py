"""A backend that hangs stalls nobody beyond its time limit: not the reading, not the heartbeat, not other rooms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.sessions.queue import QUEUE_LIMIT
from sanic_chatrooms.testing import FaultyBroker, FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core

pytestmark = pytest.mark.usefixtures("idle_time")

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
LIMIT = 0.3


class Worker:
    """A chat over a store that can hang."""

    def __init__(self, truth: MemoryStore, bus: MemoryBus, board: MemoryBoard) -> None:
        self.store = FaultyStore(truth)
        self.broker = FaultyBroker(MemoryBroker(bus))
        self.presence = MemoryPresence(board)
        self.chat: Chat

    async def joined(self, user: User, *rooms: str) -> MemoryClient:
        client = await chat_client(self.chat, user)
        for room in rooms:
            await client.ack("join", room=room)
        return client


@pytest.fixture
async def workers() -> AsyncIterator[tuple[Worker, Worker]]:
    truth, bus, board = MemoryStore(), MemoryBus(), MemoryBoard()
    here, there = Worker(truth, bus, board), Worker(truth, bus, board)
    settings: dict[str, Any] = {"guests": True, "store_timeout": LIMIT, "position_check": 300}
    async with (
        running_core(backends=Backends(here.store, here.broker, here.presence), **settings) as here.chat,
        running_core(backends=Backends(there.store, there.broker, there.presence), **settings) as there.chat,
    ):
        yield here, there
        here.store.resume()
        there.store.resume()


async def test_live_events_of_every_room_go_on_while_the_store_hangs(workers: tuple[Worker, Worker]) -> None:
    here, there = workers
    ada, bob = await here.joined(ADA, "red", "blue"), await there.joined(BOB, "red", "blue")
    here.store.hang()

    await bob.ack("message", room="blue", payload={"text": "hi"})
    assert (await ada.expect("message"))["room"] == "blue"
    here.broker.lose_next()
    await bob.ack("message", room="red", payload={"text": "lost"})
    await bob.ack("message", room="red", payload={"text": "found by its number"})
    await bob.ack("message", room="blue", payload={"text": "again"})

    assert (await ada.expect("message"))["room"] == "blue"  # while red waits for its hole to be read
    here.store.resume()
    assert [(await ada.expect("message", room="red"))["seq"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("command", ["join", "history", "leave", "members", "rooms", "room.create", "direct"])
async def test_a_command_is_unavailable_within_the_limit_and_the_next_ones_are_carried_out(
    workers: tuple[Worker, Worker], command: str
) -> None:
    here, _ = workers
    ada = await here.joined(ADA, "red")
    here.store.hang()

    payload = {"to": "u2", "body": {"text": "hi"}} if command == "direct" else None
    refused = await ada.error(command, room=None if command == "rooms" else "red", payload=payload)

    assert (refused["code"], refused["temporary"]) == ("unavailable", True)
    await ada.settle()


async def test_a_connection_is_read_again_within_the_limit(workers: tuple[Worker, Worker]) -> None:
    here, _ = workers
    ada = await here.joined(ADA, "red")
    here.store.hang()
    ada.send("history", room="red")
    pings = [ada.send("ping") for _ in range(QUEUE_LIMIT)]
    assert not ada.connection.reading

    await ada.reply(pings[-1])

    assert ada.connection.reading


async def test_the_heartbeat_goes_on_while_the_store_hangs(workers: tuple[Worker, Worker]) -> None:
    here, _ = workers
    ada = await here.joined(ADA, "red")
    here.store.hang()
    ada.send("history", room="red")
    here.chat.heartbeat._clock = lambda: ada.session.liveness.heard_at + ada.session.liveness.interval + 5

    await _until(lambda: ada.connection.pings == 1)


async def test_positions_are_checked_while_presence_hangs(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = workers
    ada, bob = await here.joined(ADA, "red"), await there.joined(BOB, "red")

    async def hang(*_: object) -> Any:
        await asyncio.Event().wait()

    for verb in ("touch", "drop", "count"):
        monkeypatch.setattr(here.presence, verb, hang)
    here.chat.occupancy._untold.update(here.chat.occupancy._here)  # so that the next refresh asks
    here.broker.lose_next()
    await bob.ack("message", room="red", payload={"text": "its bell is lost"})
    here.chat.positions.soon()

    assert (await ada.expect("message"))["seq"] == 1


async def test_positions_are_checked_while_the_broker_lets_no_room_go(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = workers
    ada, bob = await here.joined(ADA, "red", "blue"), await there.joined(BOB, "red")

    async def hang(room: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(here.broker, "unsubscribe", hang)
    await ada.ack("exit", room="blue")
    here.broker.lose_next()
    await bob.ack("message", room="red", payload={"text": "its bell is lost"})
    here.chat.positions.soon()

    assert (await ada.expect("message"))["seq"] == 1
    monkeypatch.undo()  # or the broker could not stop


async def test_a_check_that_failed_after_a_reconnect_is_repeated_at_once(
    workers: tuple[Worker, Worker],
) -> None:
    here, there = workers
    ada, bob = await here.joined(ADA, "red"), await there.joined(BOB, "red")
    here.broker.lose_next()
    await bob.ack("message", room="red", payload={"text": "its bell is lost"})
    here.store.fail_next(verb="heads")
    here.broker.down()
    here.broker.up()
    assert (await ada.expect("message"))["seq"] == 1


async def _until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110 - nothing tells of a ping or a call in memory
            await asyncio.sleep(0.01)


async def test_a_hanging_store_lets_a_stop_end(workers: tuple[Worker, Worker]) -> None:
    here, _ = workers
    ada = await here.joined(ADA, "red")
    ada.send("message", room="red", payload={"text": "hi"})
    here.store.hang()

    async with asyncio.timeout(30):
        await here.chat.stop()
