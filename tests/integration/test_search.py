"""Search on a real server, and on two workers that index, change and search at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.search import SearchIndex
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.rooms import create
from tests.support.client import Client
from tests.support.fixtures import Connect
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
ADA = User("u1", "Ada")


async def texts(client: Client | MemoryClient, query: str, room: str | None = "general") -> list[str]:
    """What the client finds, on all pages."""
    found: list[str] = []
    page: dict[str, Any] = {"query": query}
    while True:
        answer = await client.ack("search", room=room, payload=page)
        found += [message["payload"]["text"] for message in answer["messages"]]
        if not answer["more"]:
            return found
        page = {"query": query, "cursor": answer["cursor"]}


async def test_what_is_said_edited_and_deleted_on_a_real_server(
    app: App, connect: Connect, tmp_path: Path
) -> None:
    mount(app, guests=False, jwt_secret=SECRET, auto_create=True, store=f"sqlite:///{tmp_path}/chat.db")
    ada, bob = [await connect(token=token(name, name=name.title())) for name in ("ada", "bob")]
    for client in (ada, bob):
        await client.ack("join", room="general")
    one, two, _ = [
        (await ada.ack("message", room="general", payload={"text": text}))["msgId"]
        for text in ("The Café opens", "cafe closed", "日本語のカフェ")
    ]

    assert await texts(bob, "CAFE") == ["cafe closed", "The Café opens"]
    assert await texts(bob, "本語", None) == ["日本語のカフェ"]
    (message,) = (await bob.ack("search", room="general", payload={"query": "opens the"}))["messages"]
    assert message["highlights"] == [[0, 3], [9, 14]]

    await ada.ack("message.edit", room="general", payload={"msgId": one, "body": {"text": "The bar opens"}})
    await ada.ack("message.delete", room="general", payload={"msgId": two})
    for room in ("general", None):
        assert await texts(bob, "cafe", room) == []
        assert await texts(bob, "bar", room) == ["The bar opens"]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/chat.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def workers(url: str) -> AsyncIterator[list[Chat]]:
    settings: dict[str, Any] = {"store": url, "namespace": f"search-{new_id()}"}
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running_core(ChatRooms("test", guests=True), **settings))
            for _ in range(2)
        ]


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_each_worker_finds_everything_while_both_index_and_messages_change(workers: list[Chat]) -> None:
    one, other = workers
    await create(one.core, None, "general")
    await members.put(one.store, "general", Member(ADA.id, ADA.name))
    clients = [await chat_client(chat, ADA) for chat in workers]
    for client in clients:
        await client.ack("join", room="general")

    async def talk(client: MemoryClient, name: str) -> None:
        for n in range(30):
            ack = await client.ack("message", room="general", payload={"text": f"lamp {name} {n}"})
            if n % 3 == 0:
                await client.ack("message.delete", room="general", payload={"msgId": ack["msgId"]})
            elif n % 3 == 1:
                change = {"msgId": ack["msgId"], "body": {"text": f"chair {name} {n}"}}
                await client.ack("message.edit", room="general", payload=change)

    async def index(chat: Chat) -> None:
        store = chat.backends.store
        assert isinstance(store, SearchIndex)
        for _ in range(40):
            await store.index(["general"], most=5)
            await asyncio.sleep(0)

    await asyncio.gather(
        talk(clients[0], "one"),
        talk(clients[1], "other"),
        *(index(chat) for chat in (one, other, one, other)),
    )

    lamps = sorted(f"lamp {name} {n}" for name in ("one", "other") for n in range(2, 30, 3))
    chairs = sorted(f"chair {name} {n}" for name in ("one", "other") for n in range(1, 30, 3))
    for client in clients:
        for room in ("general", None):
            assert sorted(await texts(client, "lamp", room)) == lamps
            assert sorted(await texts(client, "chair", room)) == chairs
