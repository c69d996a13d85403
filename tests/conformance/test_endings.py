"""What ends something ends it at once on every worker, by the bell of every broker and without a look at positions."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

import pytest

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends, make_broker, make_store
from sanic_chatrooms.errors import Unavailable
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import ConnectionClosed, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from tests.support.postgres import PostgresServer, new_database
from tests.support.systems import System
from tests.support.valkey import ValkeyServer

ADA, BOB = User("ada", "Ada"), User("bob", "Bob")
NEVER = 3600.0


class Workers:
    """Two chats that share their backends; each test calls its verbs on the first and connects to the second."""

    def __init__(self, api: ChatRooms, here: Chat, there: Chat) -> None:
        self.api, self.here, self.there = api, here, there

    async def bob(self, room: str = "general") -> MemoryClient:
        client = await chat_client(self.there, BOB)
        await client.ack("join", room=room)
        return client


@contextlib.asynccontextmanager
async def two_workers(pairs: list[tuple[Store, Broker]]) -> AsyncIterator[Workers]:
    name = f"endings{secrets.token_hex(4)}"
    instances = [ChatRooms(name, guests=True, position_check=NEVER) for _ in pairs]
    async with contextlib.AsyncExitStack() as stack:
        board = MemoryBoard()
        chats = [
            await stack.enter_async_context(
                running_core(instance, backends=Backends(*pair, MemoryPresence(board)))
            )
            for instance, pair in zip(instances, pairs, strict=True)
        ]
        yield Workers(instances[0], *chats)


@pytest.fixture
async def workers(broker_system: System) -> AsyncIterator[Workers]:
    store = MemoryStore()
    async with two_workers([(store, broker_system.make()) for _ in range(2)]) as workers:
        yield workers


async def test_a_deleted_room_is_removed(workers: Workers) -> None:
    bob = await workers.bob()

    assert await workers.api.delete_room("general")

    assert (await bob.expect("room.removed"))["payload"] == {"room": "general", "reason": "deleted"}
    assert bob.session.seats == {}


async def test_a_room_that_becomes_private_is_left_by_who_may_not_be_in_it(workers: Workers) -> None:
    await workers.api.ensure_room("staff")
    bob = await workers.bob("staff")

    await workers.api.ensure_room("staff", visibility="private")

    assert (await bob.expect("reset"))["payload"]["room"] == "staff"
    assert bob.session.seats == {}


async def test_who_is_kicked_or_removed_is_out(workers: Workers) -> None:
    for verb, reason in ((workers.api.kick, "kicked"), (workers.api.remove_member, "left")):
        bob = await workers.bob()

        await verb("general", "bob")

        assert (await bob.expect("room.removed"))["payload"] == {"room": "general", "reason": reason}


async def test_who_leaves_is_out_with_all_connections(workers: Workers) -> None:
    bob = await workers.bob()
    phone = await chat_client(workers.here, BOB)
    await phone.ack("join", room="general")

    await phone.ack("leave", room="general")

    assert (await bob.expect("room.removed"))["payload"]["reason"] == "left"


async def test_who_is_disconnected_is_closed(workers: Workers) -> None:
    bob = await workers.bob()

    await workers.api.disconnect("bob")

    with pytest.raises(ConnectionClosed):
        await bob.expect("never")


@pytest.mark.parametrize("kind", ["postgresql", "redis"])
async def test_a_room_deleted_in_a_store_that_is_the_broker_too_is_removed(
    kind: str, postgres: PostgresServer, mortal_valkey: ValkeyServer
) -> None:
    url = mortal_valkey.url if kind == "redis" else await new_database(postgres)
    pairs = []
    for _ in range(2):
        store = make_store(url)
        broker = make_broker(url)
        store.publishes_as = broker.publisher or None
        pairs.append((store, broker))
    async with two_workers(pairs) as workers:
        bob = await workers.bob()

        assert await workers.api.delete_room("general")

        assert (await bob.expect("room.removed"))["payload"]["reason"] == "deleted"


async def test_a_room_that_may_be_deleted_is_looked_at_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, store = MemoryBus(), MemoryStore()
    async with two_workers([(store, MemoryBroker(bus)) for _ in range(2)]) as workers:
        bob = await workers.bob()
        delete = store.delete_room

        async def answer_nothing(room: str, *, unused: bool = False) -> bool:
            await delete(room, unused=unused)
            raise Unavailable

        monkeypatch.setattr(store, "delete_room", answer_nothing)
        with pytest.raises(Unavailable):
            await workers.api.delete_room("general")

        assert (await bob.expect("room.removed"))["payload"]["reason"] == "deleted"
        assert (await chat_client(workers.here, ADA)).session.seats == {}


async def test_a_server_that_came_back_with_nothing_has_deleted_no_room(mortal_valkey: ValkeyServer) -> None:
    pairs = []
    for _ in range(2):
        store, broker = make_store(mortal_valkey.url), make_broker(mortal_valkey.url)
        store.publishes_as = broker.publisher or None
        pairs.append((store, broker))
    async with two_workers(pairs) as workers:
        bob = await workers.bob()
        before = await bob.ack("join", room="general")

        await asyncio.to_thread(mortal_valkey.kill)
        await asyncio.to_thread(mortal_valkey.start)
        told = await bob.expect("reset")
        since = {"epoch": told["payload"]["epoch"], "seq": told["payload"]["seq"]}
        again = await bob.ack("join", room="general", payload={"since": since})

        assert bob.unread("room.removed") == []
        assert told["payload"]["room"] == "general"
        assert again["recovered"] is False
        assert again["epoch"] != before["epoch"]
