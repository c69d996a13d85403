"""The Python client against a real server: storms of cuts, restarts, refusals, fresh tokens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.client import ChatClient, Event
from sanic_chatrooms.errors import Banned, Forbidden, NotAMember, PositionLost, RoomNotFound, Unauthenticated
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import FaultProxy
from tests.support.fixtures import Live
from tests.support.server import LiveServer, new_app
from tests.support.wire import SECRET, mount, token

WITHIN = 40.0
QUICK: Any = {"backoff": (0.01, 0.1), "proxy": None}


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[ChatClient]:
    async with asyncio.timeout(WITHIN), ChatClient(url, **{**QUICK, **options}) as client:
        yield client


def socket(server: LiveServer) -> str:
    return f"{server.ws_url}/chat/ws"


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    async with asyncio.timeout(WITHIN):
        return [await anext(events) for _ in range(count)]


def texts(events: list[Any]) -> list[str]:
    return [event["payload"]["text"] for event in events if event["type"] == "message"]


async def test_two_clients_talk(app: Sanic[Any, Any], live: Live) -> None:
    mount(app)
    url = socket(await live())
    async with connected(url, name="Ada") as ada, connected(url, name="Bob") as bob:
        await ada.join("general")
        page = await bob.join("general")
        since = (page["epoch"], page["seq"])
        async with aclosing(bob.follow("general", since=since)) as events:
            sent = await ada.send("general", "hello")
            (message,) = await take(events, 1)
            await ada.edit("general", sent["msgId"], {"text": "hello, Bob"})
            (edited,) = await take(events, 1)
            await ada.delete("general", sent["msgId"])
            (deleted,) = await take(events, 1)

        assert (message["payload"], message["sender"]["name"]) == ({"text": "hello"}, "Ada")
        assert edited["payload"]["body"] == {"text": "hello, Bob"}
        assert (edited["type"], deleted["type"]) == ("message.edited", "message.deleted")
        assert bob.position(message) == f"{page['epoch']}:1"
        assert (await bob.history("general"))["messages"][0]["deleted"] is True
        assert [line["room"] for line in (await ada.rooms())["rooms"]] == ["general"]
        await ada.exit("general")
        assert ada.joined_rooms == []
        with pytest.raises(RoomNotFound):
            await bob.history("nowhere")


async def test_a_storm_of_cuts_costs_nothing(app: Sanic[Any, Any], live: Live) -> None:
    mount(app)
    server, count, dice = await live(), 60, random.Random(7)
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        url = f"ws://127.0.0.1:{proxy.port}/chat/ws"
        async with connected(url, name="Ada") as ada, connected(url, name="Bob") as bob:
            page = await bob.join("general")
            await ada.join("general")
            sending, heard = list[asyncio.Future[Any]](), list[Event]()
            async with aclosing(bob.follow("general", since=(page["epoch"], page["seq"]))) as events:
                while len(heard) < count:  # each strike is followed by something that it hits
                    sending += [
                        asyncio.ensure_future(ada.send("general", str(len(heard) + n))) for n in range(5)
                    ]
                    heard += await take(events, 5)
                    strike(proxy, len(heard) // 5, dice)
            acks = await asyncio.gather(*sending)
        assert proxy.accepted >= 12

    assert texts(heard) == [str(n) for n in range(count)]
    assert [event["seq"] for event in heard] == [ack["seq"] for ack in acks] == list(range(1, count + 1))


def strike(proxy: FaultProxy, n: int, dice: random.Random) -> None:
    """All connections break, or the next one that carries something, each time in another way."""
    match n % 4:
        case 0:
            proxy.reset()
        case 1:
            proxy.cut()
        case 2:
            proxy.down.cut_next(dice.randrange(40))
        case 3:
            proxy.up.cut_next(dice.randrange(40))


async def test_a_restart_in_the_middle(tmp_path: Path, live: Live) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    apps = [new_app("first"), new_app("second")]
    try:
        for app in apps:
            mount(app, store=SQLStore(url))
        server = await live(apps[0])
        async with connected(socket(server), name="Ada") as client:
            page = await client.join("general")
            async with aclosing(client.follow("general", since=(page["epoch"], 0))) as events:
                await client.send("general", "before")
                heard = await take(events, 1)
                port = server.port
                await server.stop()
                sending = asyncio.ensure_future(client.send("general", "while it is away"))
                await asyncio.sleep(0)
                await live(apps[1], port=port)
                assert (await sending)["seq"] == 2
                heard += await take(events, 1)

        assert texts(heard) == ["before", "while it is away"]
    finally:
        for app in apps:
            Sanic.unregister_app(app)


async def test_a_server_that_has_lost_everything_is_another_past(live: Live) -> None:
    apps = [new_app("first"), new_app("second")]
    try:
        for app in apps:
            mount(app)
        server = await live(apps[0])
        async with connected(socket(server), name="Ada") as client:
            await client.join("general")
            async with aclosing(client.follow("general")) as events:
                first = asyncio.ensure_future(anext(events))
                await client.send("general", "gone soon")
                await first
                port = server.port
                await server.stop()
                await live(apps[1], port=port)

                with pytest.raises(PositionLost):
                    await take(events, 1)
            assert (await client.send("general", "again"))["seq"] == 1
    finally:
        for app in apps:
            Sanic.unregister_app(app)


async def test_tokens_are_fetched_again_before_and_after_they_expire(
    app: Sanic[Any, Any], live: Live
) -> None:
    mount(app, guests=False, auto_create=True, auth=JWTAuth(SECRET, leeway=0))
    fetched: list[str] = []

    async def fresh() -> str:
        fetched.append(token("u1", expires_in=600 if len(fetched) > 1 else 1.2, name="Ada"))
        return fetched[-1]

    async with connected(socket(await live()), token=fresh) as client:
        await client.join("general")
        async with asyncio.timeout(WITHIN):
            while len(fetched) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await client.send("general", "still here"))["seq"] == 1
        assert client.user is not None
        assert client.user["id"] == "u1"


async def test_refusals_are_the_errors_of_the_server(app: Sanic[Any, Any], live: Live) -> None:
    chat: ChatRooms = mount(app, guests=False, auto_create=True, auth=JWTAuth(SECRET))
    url = socket(await live())
    with pytest.raises(Unauthenticated):
        await ChatClient(url, token="forged", **QUICK).connect()
    async with connected(url, token=token("u1")) as client:
        await client.join("general")
        await chat.mute("general", "u1")
        with pytest.raises(Forbidden):
            await client.send("general", "hm")
        following = asyncio.ensure_future(anext(client.follow("general")))
        await asyncio.sleep(0)
        await chat.ban_user("u1", reason="spam")
        with pytest.raises(Banned):
            await following
    with pytest.raises(Banned):
        await ChatClient(url, token=token("u1"), **QUICK).connect()


async def test_a_client_that_is_kicked_is_told_and_may_come_back(app: Sanic[Any, Any], live: Live) -> None:
    chat = mount(app, guests=False, auto_create=True, auth=JWTAuth(SECRET))
    async with connected(socket(await live()), token=token("u1")) as client:
        await client.join("general")
        async with aclosing(client.follow("general")) as events:
            first = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            await chat.kick("general", "u1")
            assert (await first)["type"] == "member.kicked"
            with pytest.raises(NotAMember, match="removed from the room: kicked"):
                await anext(events)
        await client.join("general")
        assert (await client.send("general", "back"))["seq"] == 2
