"""What is unread and who is mentioned, on a real server and on two workers at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing.connections import running_core
from tests.support.fixtures import Connect
from tests.support.joined import joined
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
ON_ONE_LOOP = pytest.mark.asyncio(loop_factories=["uvloop"])


async def test_markers_mentions_and_receipts_on_a_real_server(app: App, connect: Connect) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET, auto_create=True, receipts=True)
    ada, bob, other = [await connect(token=token(name, name=name.title())) for name in ("ada", "bob", "bob")]
    for client in (ada, bob):
        await client.ack("join", room="general")
    body = {"text": "hello", "mentions": ["bob"]}
    said = await ada.ack("message", room="general", payload=body)

    mention = await other.expect("mention")
    before = await bob.ack("unread", payload={"rooms": ["general"]})
    left = await bob.ack("read", room="general", payload={"seq": 1})

    assert mention["payload"]["msgId"] == said["msgId"]
    line = {"unread": 1, "more": False, "mentions": 1, "read": 0, "first": 1}
    assert before == {"rooms": {"general": line}}
    assert left == {"unread": 0, "more": False, "mentions": 0, "read": 1}
    for client in (other, ada):
        heard = await client.expect("read")
        assert heard["payload"] == {"user": {"id": "bob", "name": "Bob"}, "seq": 1}
    assert [one.id for one in (await chat.receipts("general", said["msgId"])).read_by] == ["bob"]
    assert await bob.ack("badge") == {"rooms": 0, "mentions": 0, "more": False}


@pytest.fixture(params=["postgres", "valkey"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def workers(url: str) -> AsyncIterator[list[Chat]]:
    """Two workers over one server."""
    settings: dict[str, Any] = {"store": url, "namespace": f"unread-{new_id()}", "receipts": True}
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running_core(ChatRooms("test", guests=True), **settings))
            for _ in range(2)
        ]


@ON_ONE_LOOP
async def test_other_workers_know_and_tell(workers: list[Chat]) -> None:
    one, two = workers
    ada, bob = await joined(one, ADA, "general"), await joined(one, BOB, "general")
    far, away = await joined(two, ADA, "general"), await joined(two, BOB)
    await ada.ack("message", room="general", payload={"text": "hi", "mentions": ["u2"]})

    assert (await away.expect("mention"))["payload"]["seq"] == 1
    assert (await away.ack("badge"))["mentions"] == 1
    await bob.ack("prefs", room="general", payload={"notify": "none"})
    assert (await away.expect("prefs"))["payload"] == {"notify": "none", "favourite": False}
    await bob.ack("read", room="general", payload={"seq": 1})

    assert (await away.expect("read"))["payload"]["seq"] == 1
    assert (await far.expect("read"))["payload"]["user"] == {"id": "u2", "name": "Bob"}
    lines = (await away.ack("rooms", payload={"mine": True}))["rooms"]
    assert [(line["unread"], line["mentions"], line["notify"]) for line in lines] == [(0, 0, "none")]
