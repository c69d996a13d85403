"""A ticket is good once on all workers together, whatever the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sanic_chatrooms.auth.tickets import Tickets
from sanic_chatrooms.errors import Unauthenticated
from sanic_chatrooms.models import EVERYONE, Credentials, Fact, Handshake, User
from sanic_chatrooms.sessions.inbox import reserved_room
from sanic_chatrooms.stores.base import Bounds, Store
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer, running

ADA = User("u1", "Ada", claims={"tenant": "t1"})
HANDSHAKE = Handshake("/chat/ws", {}, {}, {}, "127.0.0.1", secure=True)
KINDS = ["memory", "sqlite", "postgres", "valkey"]


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


@pytest.fixture(params=KINDS)
async def workers(
    request: pytest.FixtureRequest, postgres: PostgresServer, valkey: ValkeyServer, tmp_path: Path
) -> AsyncIterator[list[Store]]:
    """The stores of two workers."""
    memory = MemoryStore()
    makers: dict[str, Callable[[], Store]] = {
        "memory": lambda: memory,
        "sqlite": lambda: SQLStore(f"sqlite:///{tmp_path}/chat.db"),
        "postgres": lambda: SQLStore(postgres.url()),
        "valkey": lambda: RedisStore(valkey.url),
    }
    async with AsyncExitStack() as stack:
        stores: list[Store] = [makers[request.param]() for _ in range(2)]
        for store in stores:
            await store.start("tickets", Bounds())
            stack.push_async_callback(store.stop)
        await stores[0].create_room(reserved_room(EVERYONE))
        yield stores


async def _use(tickets: Tickets, ticket: str) -> User | None:
    try:
        return await tickets.authenticate(Credentials(ticket=ticket), HANDSHAKE)
    except Unauthenticated:
        return None


async def test_of_all_who_show_a_ticket_at_once_on_two_workers_exactly_one_gets_in(
    workers: list[Store],
) -> None:
    offices = [Tickets().at(store, 60) for store in workers]
    for _ in range(25):
        ticket = await offices[0].issue(ADA)
        users = await asyncio.gather(*(_use(offices[n % 2], ticket) for n in range(8)))

        [known] = [user for user in users if user is not None]
        assert (known.id, known.claims) == ("u1", {"tenant": "t1"})


async def test_a_used_ticket_leaves_nothing(workers: list[Store]) -> None:
    office = Tickets().at(workers[0], 60)
    await _use(office, await office.issue(ADA))

    assert (await workers[1].facts(EVERYONE, "ticket")).total == 0


async def test_tickets_that_nobody_used_do_not_pile_up(workers: list[Store]) -> None:
    store = workers[0]
    for n in range(20):
        await store.set_fact(EVERYONE, Fact("ticket", f"{n}", b"[0.0,1]", until=time.time() - 100))
    office = Tickets().at(store, 60)
    for _ in range(40):
        await office.issue(ADA)

    assert (await store.facts(EVERYONE, "ticket")).total == 40
