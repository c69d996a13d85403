"""How many messages may be in the writing at a time, on several workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, MemoryStore, User
from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import EVERYONE
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.stores import streams as kept
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs import stream_limits as limits

ADA = User("u1", "Ada")
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"
NO_MESSAGE = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a12"
ROOMS = ("one", "two", "three", "four")


@pytest.fixture
async def workers() -> AsyncIterator[list[Chat]]:
    store, bus, board = MemoryStore(), MemoryBus(), MemoryBoard()
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                running_core(
                    ChatRooms("test", guests=True, store=store),
                    backends=Backends(store, MemoryBroker(bus), MemoryPresence(board)),
                )
            )
            for _ in range(3)
        ]


async def come(chat: Chat, user: User, *rooms: str) -> MemoryClient:
    client = await chat_client(chat, user)
    for room in rooms:
        await client.ack("join", room=room)
    return client


async def open_in(client: MemoryClient, room: str, **more: Any) -> Any:
    return await client.request("message.open", room=room, payload={"text": "", **more})


def acked(answers: list[Any]) -> list[Any]:
    refused = [answer["payload"] for answer in answers if answer["type"] != "ack"]
    assert {(payload["code"], payload["limit"]) for payload in refused} <= {("rate_limited", "streams")}
    return [answer["payload"] for answer in answers if answer["type"] == "ack"]


async def test_a_user_opens_no_more_on_several_workers_and_in_several_rooms_than_on_one(
    workers: list[Chat],
) -> None:
    clients = [await come(chat, ADA, *ROOMS) for chat in workers]

    opened = await asyncio.gather(*(open_in(client, room) for client in clients for room in ROOMS))
    for answer in acked(opened):
        for room in ROOMS:
            await clients[0].request("message.close", room=room, payload={"msgId": answer["msgId"]})
    again = await asyncio.gather(*(open_in(client, "one") for client in clients for _ in range(3)))

    assert (len(acked(opened)), len(acked(again))) == (4, 4)


async def test_a_room_has_as_many_at_a_time_whichever_workers_open_them(
    workers: list[Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PER_ROOM", 5)
    clients = [
        await come(chat, User(f"user-{n}-{at}", "Somebody"), "one")
        for at, chat in enumerate(workers)
        for n in range(4)
    ]

    opened = await asyncio.gather(*(open_in(client, "one") for client in clients))
    there = [known async for known in kept.streams_in(workers[0].store, "one")]

    assert len(acked(opened)) == len(there) == 5


async def test_a_place_is_free_again_when_its_message_is_closed_or_deleted(
    workers: list[Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PER_ROOM", 2)
    ada = await come(workers[0], ADA, "one")
    for type in ("message.close", "message.delete", "message.close"):
        ids = [answer["msgId"] for answer in acked([await open_in(ada, "one") for _ in range(3)])]
        assert len(ids) == 2
        for id in ids:
            await ada.ack(type, room="one", payload={"msgId": id})


async def test_what_was_refused_or_repeated_does_not_count(workers: list[Chat]) -> None:
    ada = await come(workers[0], ADA, "one")
    refused = [await open_in(ada, "one", parent=NO_MESSAGE) for _ in range(5)]
    for _ in range(5):
        await ada.ack("message.open", room="one", payload={"text": ""}, msg_id=ID)

    opened = [await open_in(ada, "one") for _ in range(4)]

    assert {answer["payload"]["code"] for answer in refused} == {"invalid_field"}
    assert len(acked(opened)) == 3


async def test_what_may_still_be_stored_counts_until_it_cannot_be_any_more(
    workers: list[Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, store = await come(workers[0], ADA, "one"), workers[0].store
    for n in range(limits.PER_USER):
        await limits.register(store, ADA.id, "one", f"message-{n}", 60.0)

    before = await open_in(ada, "one")
    monkeypatch.setattr(limits, "STORED", 0)
    after = await open_in(ada, "one")

    assert (acked([before]), len(acked([after]))) == ([], 1)


async def test_what_a_user_has_opened_is_forgotten_some_time_after_a_day(
    workers: list[Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = [await come(workers[0], user, "one") for user in (ADA, User("u2", "Bob"))]
    acked([await open_in(ada, "one")])
    assert await workers[0].store.fact(EVERYONE, limits.WRITES, ADA.id) is not None

    monkeypatch.setattr(limits, "DAY", -1.0)
    acked([await open_in(ada, "one"), await open_in(bob, "one")])

    assert await workers[0].store.fact(EVERYONE, limits.WRITES, ADA.id) is None
