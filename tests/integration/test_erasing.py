"""`erase_user` on a real server, and with the user on another worker, who writes all the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Event
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import MemoryClient
from sanic_chatrooms.testing.connections import ConnectionClosed, running_core
from tests.support.client import Refused
from tests.support.fixtures import Connect
from tests.support.joined import joined
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
ADA, BOB = User("ada", "Ada"), User("bob", "Bob")
ON_ONE_LOOP = pytest.mark.asyncio(loop_factories=["uvloop"])


async def test_a_user_is_erased_on_a_real_server(app: App, connect: Connect) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET, auto_create=True)
    ada, bob = [await connect(token=token(name, name=name.title())) for name in ("ada", "bob")]
    for client in (ada, bob):
        await client.ack("join", room="hall")
    said = await ada.ack("message", room="hall", payload={"text": "secret"})
    await bob.ack("reaction.add", room="hall", payload={"msgId": said["msgId"], "emoji": "👍"})
    await bob.ack("message", room="hall", payload={"text": "hi", "mentions": ["ada"]})

    await chat.erase_user("ada")

    assert (await bob.expect("reset"))["room"] == "hall"
    there = (await bob.ack("join", room="hall"))["messages"]
    assert [(event["payload"], event.get("sender"), event.get("deleted")) for event in there] == [
        ({}, None, True),
        ({"text": "hi"}, {"id": "bob", "name": "Bob"}, None),
    ]
    assert not [event for event in there if "reactions" in event]
    assert (await ada.closed())[0] == 4500
    with pytest.raises(Refused):
        await connect(token=token("ada", name="Ada", iat=1))


@pytest.fixture(params=["postgres", "valkey"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def workers(url: str) -> AsyncIterator[list[Chat]]:
    settings: dict[str, Any] = {"store": url, "namespace": f"erase-{new_id()}"}
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running_core(ChatRooms("test", guests=True), **settings))
            for _ in range(2)
        ]


async def write(client: MemoryClient, said: list[str]) -> None:
    """Write in the hall, as fast as it goes, until the connection is closed."""
    opened = await client.ack("message.open", room="hall", payload={"text": "secret"})
    at = len("secret")
    while True:
        said.append((await client.ack("message", room="hall", payload={"text": "secret"}))["msgId"])
        piece = {"msgId": opened["msgId"], "at": at, "text": " and more"}
        at = (await client.ack("message.append", room="hall", payload=piece))["at"]


@ON_ONE_LOOP
async def test_who_writes_on_another_worker_leaves_nothing(workers: list[Chat]) -> None:
    here, there = workers
    rooms = ChatRooms("test", guests=True)
    rooms._alone = here
    await rooms.create_room("hall")
    bob, ada = await joined(here, BOB, "hall"), await joined(there, ADA, "hall")
    writing = asyncio.create_task(write(ada, said := list[str]()))
    while len(said) < 5:
        await bob.ack("message", room="hall", payload={"text": "hi"})

    await rooms.erase_user(ADA)

    with pytest.raises(ConnectionClosed):
        await writing
    after, events = 0, list[Event]()
    while page := (await here.store.history("hall", after=after, limit=200)).events:
        events += page
        after = page[-1].seq or 0
    assert {event.sender and event.sender.id for event in events} == {None, BOB.id}
    assert not [event for event in events if b"secret" in bytes(event.payload)]
    assert (await here.store.facts("hall", "stream")).facts == []
    assert (await bob.expect("reset"))["room"] == "hall"
    await bob.ack("join", room="hall")
