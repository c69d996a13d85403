"""Tickets: once, for a minute, and nobody learns them from the store."""

from __future__ import annotations

import asyncio
import time

import pytest

from sanic_chatrooms.auth.once import Once
from sanic_chatrooms.auth.tickets import Tickets
from sanic_chatrooms.errors import ConfigError, InvalidField, Unauthenticated, Unavailable
from sanic_chatrooms.models import EVERYONE, Credentials, Handshake, User
from sanic_chatrooms.sessions.inbox import reserved_room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore

HANDSHAKE = Handshake("/chat/ws", {}, {}, {}, "127.0.0.1", secure=True)
ADA = User(
    "u1", "Ada", ("chat:read",), claims={"tenant": "t1"}, amr=("pwd",), jti="j", sid="s", issued_at=5.0
)


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    await store.start("default", Bounds())
    await store.create_room(reserved_room(EVERYONE))
    return store


@pytest.fixture
def tickets(store: MemoryStore) -> Tickets:
    return Tickets().at(store, 60)


async def use(tickets: Tickets, ticket: str | None) -> User:
    return await tickets.authenticate(Credentials(ticket=ticket), HANDSHAKE)


async def test_a_ticket_is_the_user_whole(tickets: Tickets) -> None:
    assert await use(tickets, await tickets.issue(ADA)) == ADA


async def test_a_user_without_a_proof_gets_one_that_can_be_revoked(tickets: Tickets) -> None:
    user = await use(tickets, await tickets.issue(User("u1", "Ada")))

    assert user.jti
    assert user.issued_at == pytest.approx(time.time(), abs=5)


async def test_of_a_thousand_who_show_it_at_once_one_gets_in(tickets: Tickets, store: MemoryStore) -> None:
    workers = [tickets, Tickets().at(store, 60)]
    for _ in range(20):
        ticket = await tickets.issue(ADA)
        shown = (use(workers[n % 2], ticket) for n in range(50))
        users = await asyncio.gather(*shown, return_exceptions=True)

        assert sum(isinstance(user, User) for user in users) == 1
        assert sum(isinstance(user, Unauthenticated) for user in users) == 49


@pytest.mark.parametrize("ticket", [None, "", "x", "x" * 32, "é" * 32, "x" * 33, "../" * 11, "x" * 100_000])
async def test_what_nobody_made_is_refused(tickets: Tickets, ticket: str | None) -> None:
    with pytest.raises(Unauthenticated):
        await use(tickets, ticket)


async def test_a_late_ticket_is_refused_and_used_by_it(store: MemoryStore) -> None:
    tickets = Tickets().at(store, 60)
    ticket = await tickets.issue(ADA)
    assert tickets._once is not None
    tickets._once._clock = lambda: time.time() + 60

    with pytest.raises(Unauthenticated):
        await use(tickets, ticket)
    assert (await store.facts(EVERYONE, "ticket")).total == 0


async def test_the_store_has_no_ticket(tickets: Tickets, store: MemoryStore) -> None:
    ticket = await tickets.issue(ADA)

    [known] = (await store.facts(EVERYONE, "ticket")).facts
    assert ticket not in known.key
    assert ticket.encode() not in known.value


async def test_tickets_that_nobody_used_are_forgotten() -> None:
    now = [1000.0]
    store = MemoryStore(clock=lambda: now[0])
    await store.start("default", Bounds())
    await store.create_room(reserved_room(EVERYONE))
    once = Once(store, "ticket", lambda: now[0])
    for n in range(100):
        await once.put(f"{n}", b"1", 1060.0)

    now[0] = 2000.0
    for n in range(100):
        await once.put(f"later {n}", b"1", 2060.0)

    assert (await store.facts(EVERYONE, "ticket")).total == 100


async def test_the_same_is_kept_once(store: MemoryStore) -> None:
    once, until = Once(store, "logout"), time.time() + 60

    assert [await once.put("a", b"null", until) for _ in range(2)] == [True, False]
    assert (await once.has("a"), await once.has("b")) == (True, False)


async def test_a_store_that_has_lost_everything_is_unavailable() -> None:
    store = MemoryStore()
    await store.start("default", Bounds())

    with pytest.raises(Unavailable):
        await Tickets().at(store, 60).issue(ADA)


async def test_claims_that_no_store_can_keep_are_an_error(tickets: Tickets) -> None:
    with pytest.raises(InvalidField, match="claims"):
        await tickets.issue(User("u1", "Ada", claims={"a": object()}))


async def test_tickets_of_no_chat_say_so() -> None:
    with pytest.raises(ConfigError):
        await Tickets().issue(ADA)
