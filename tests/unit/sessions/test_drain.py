"""How a worker's connections are sent away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from types import SimpleNamespace

import pytest

from sanic_chatrooms import User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.load import load
from sanic_chatrooms.declaration import Declaration
from sanic_chatrooms.sessions import drain as module
from sanic_chatrooms.sessions.drain import COME_BACK_WITHIN, FEW, RATE, drain, spread
from sanic_chatrooms.testing import Clock, MemoryClient, chat_client


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    settings = load("test", {}, {}, {"guests": True, "drain_seconds": 0.4}, debug=False, instances=("test",))
    chat = Chat(Declaration("test"), settings)
    await chat.start()
    yield chat
    await chat.stop()


@pytest.fixture
def never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop is never late, and so no batch larger than it has to be."""
    monkeypatch.setattr(module, "_clock", Clock())


async def clients(chat: Chat, count: int) -> list[MemoryClient]:
    return [await chat_client(chat, User(f"u{n}", f"U{n}")) for n in range(count)]


def wait_told(client: MemoryClient) -> float:
    [closing] = [frame for frame in client.frames if frame["type"] == "closing"]
    assert closing["payload"]["reason"] == "restart"
    return float(closing["payload"]["reconnectIn"])


def test_few_are_closed_at_once_and_many_over_more_than_a_second() -> None:
    assert spread(0, 10.0) == spread(FEW, 10.0) == 0.0
    assert spread(FEW + 1, 10.0) > 1.0
    assert spread(1_000, 60.0) == 1_000 / RATE


def test_closing_leaves_a_quarter_of_the_time_to_the_peers() -> None:
    assert spread(1_000_000, 10.0) == 7.5
    assert spread(FEW + 1, 0.4) == pytest.approx(0.3)
    assert spread(1_000_000, 0.0) == 0.0


async def test_everybody_is_told_when_to_come_back_each_another_moment(chat: Chat) -> None:
    there = await clients(chat, 20)

    await drain(chat.sessions, chat.hub.flush, 10.0)

    assert {client.connection.closed for client in there} == {(1012, "server restarts")}
    waits = [wait_told(client) for client in there]
    assert all(0.0 <= wait <= COME_BACK_WITHIN for wait in waits)
    assert len(set(waits)) > 1


@pytest.mark.usefixtures("never_late")
async def test_many_are_closed_in_batches_and_those_that_wait_are_served(chat: Chat) -> None:
    there = await clients(chat, FEW + 20)

    draining = asyncio.create_task(chat.drain())
    await asyncio.sleep(0)
    first = [client for client in there if client.connection.closed]
    last = next(client for client in there if not client.connection.closed)
    assert 0 < len(first) < len(there)
    assert (await last.ack("join", room="general"))["room"] == "general"
    await draining

    assert all(client.connection.closed == (1012, "server restarts") for client in there)


@pytest.mark.usefixtures("never_late")
async def test_few_are_closed_in_a_turn_of_the_event_loop(chat: Chat) -> None:
    """Those who are here still wait for no more than that."""
    there = await clients(chat, FEW + 20)
    closed = [0]

    draining = asyncio.create_task(chat.drain())
    while not draining.done():
        await asyncio.sleep(0)
        closed.append(sum(client.connection.closed is not None for client in there))

    assert max(after - before for before, after in pairwise(closed)) <= len(there) / 8


@pytest.mark.parametrize("late", [0.0, 0.01, 0.03])
async def test_it_keeps_to_its_time_where_the_event_loop_is_late(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, late: float
) -> None:
    clock = Clock()
    there = await clients(chat, FEW + 20)

    async def sleep(seconds: float) -> None:
        assert not all(client.connection.closed for client in there)
        clock.advance(seconds + late)

    monkeypatch.setattr(module, "_clock", clock)
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=sleep))
    began = clock()

    await drain(chat.sessions, chat.hub.flush, 1.0)

    assert all(client.connection.closed for client in there)
    assert clock() - began <= spread(len(there), 1.0) + 1.5 * module.PAUSE + late


@pytest.mark.usefixtures("never_late")
async def test_who_comes_while_others_are_sent_away_is_sent_away_with_the_last(chat: Chat) -> None:
    await clients(chat, FEW + 1)
    draining = asyncio.create_task(chat.drain())
    await asyncio.sleep(0)

    late = await chat_client(chat, User("late", "Late"))
    await draining

    assert late.connection.closed == (1012, "server restarts")
