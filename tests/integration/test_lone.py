"""After its handshake, Sanic lets go of a connection, and one that came in by the door it has never had: what is left, when Sanic keeps it, and that
the end of the server closes it all the same."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, HostSession, User
from sanic_chatrooms.sessions.queue import CommandQueue
from sanic_chatrooms.sessions.session import Session
from sanic_chatrooms.web.integrations import ENDS
from sanic_chatrooms.web.mounted import mounted_in
from sanic_chatrooms.web.socket.direct import DirectConnection
from sanic_chatrooms.web.socket.fast import FastConnection
from sanic_chatrooms.web.socket.lone import LoneConnection
from tests.support.client import Client
from tests.support.fixtures import Connect, Live, OpenRaw
from tests.support.raw import command
from tests.support.wire import mount

App = Sanic[Any, Any]
Edge = type[LoneConnection]


@pytest.fixture(params=[DirectConnection, LoneConnection])
def edge(app: App, chat: ChatRooms, request: pytest.FixtureRequest) -> Edge:
    """What a connection becomes, by the door and by Sanic's handshake."""
    edge: Edge = request.param
    mounted_in(app)["default"].doors = edge is DirectConnection
    return edge


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app)


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)


def edge_of(chat: ChatRooms) -> type[Any]:
    (edge,) = {type(session.connection) for session in chat.running().sessions}
    return edge


async def test_of_a_connection_nothing_of_sanics_is_left(
    chat: ChatRooms, edge: Edge, open_raw: OpenRaw
) -> None:
    first = await open_raw(early=command("join", room="general"))
    await first.expect("ack")
    before = _objects()

    for _ in range(5):
        raw = await open_raw(early=command("join", room="general"))
        await raw.expect("ack")

    await until(lambda: len(asyncio.all_tasks()) <= before["Task"])
    more = _objects() - before
    assert edge_of(chat) is edge
    assert more[edge.__name__] == 5
    # On asyncio's own loop, timers that were cancelled keep their context, and with it the request, for some seconds.
    late = {"ConnInfo", "Request"} if isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop) else set()
    assert not {name: n for name, n in more.items() if name in SANICS and name not in late}


async def test_what_a_connection_took_is_free_at_its_end_without_the_garbage_collector(
    chat: ChatRooms, edge: Edge, connect: Connect
) -> None:
    """Else each that ends keeps 8 KB until the next full collection, which may be far away."""
    await (await connect()).close()
    await until(lambda: not list(chat.running().sessions))
    gc.collect()
    gc.disable()
    try:
        for end in (Client.close, Client.abort):
            one = await connect()
            await one.ack("join", room="general")
            assert edge_of(chat) is edge
            await end(one)
        one = await connect()
        (session,) = chat.running().sessions
        session.close(4000)
        del session
        await one.closed()

        await until(lambda: not _there(edge, Session, CommandQueue))
    finally:
        gc.enable()


def _there(*kinds: type[Any]) -> list[str]:
    return [type(one).__name__ for one in gc.get_objects() if isinstance(one, kinds)]


SANICS = (
    "ConnInfo", "Http", "Lock", "Request", "ServerProtocol", "Task", "WebSocketProtocol", "WebsocketImplProtocol",
)  # fmt: skip


def _objects() -> Counter[str]:
    gc.collect()
    found = Counter(type(o).__name__ for o in gc.get_objects())
    found["Task"] = len(asyncio.all_tasks())
    return found


@pytest.mark.parametrize("door", [True, False])
async def test_an_authenticator_that_looks_at_the_request_is_asked_again_with_it(
    app: App, connect: Connect, door: bool
) -> None:
    asked: list[Any] = []

    def load(request: Any) -> User:
        asked.append(request)
        return User("ada", "Ada")

    chat = mount(app, guests=False, auth=HostSession(load))
    mounted_in(app)["default"].doors = door
    ada = await connect()
    assert edge_of(chat) is (DirectConnection if door else LoneConnection)

    await ada.ack("auth", payload={"token": "any"})

    assert len(asked) == 2
    assert asked[0] is asked[1]
    assert asked[0].path == "/chat/ws"


@pytest.mark.usefixtures("edge")
async def test_how_many_are_connected_is_known_until_they_are_gone(
    app: App, chat: ChatRooms, connect: Connect
) -> None:
    mounted = mounted_in(app)["default"]
    ada, bob = await connect(), await connect()
    assert sum(mounted.by_ip.values()) == 2

    await ada.close()
    await until(lambda: sum(mounted.by_ip.values()) == 1)
    await bob.abort()
    await until(lambda: not mounted.by_ip)

    assert not list(chat.running().sessions)


@pytest.mark.usefixtures("edge")
async def test_who_is_there_when_the_server_ends_is_told_and_awaited(
    app: App, live: Live, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the chat itself has told nobody: Sanic asks each of its connections to close."""
    server = await live()
    ada = await connect()
    monkeypatch.setattr(mounted_in(app)["default"], "drain", _nothing)

    await server.stop()

    assert (await ada.closed())[0] == 1001
    assert not mounted_in(app)["default"].by_ip


async def _nothing() -> None:
    return None


async def test_the_access_log_has_the_end_of_a_connection(
    app: App, chat: ChatRooms, live: Live, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    await live()
    app.config.ACCESS_LOG = True
    with caplog.at_level(logging.INFO, "sanic.access"):
        ada = await connect()
        assert edge_of(chat) is FastConnection
        assert _lines(caplog) == ["OPEN"]

        await ada.close()

        await until(lambda: len(_lines(caplog)) == 2)
    assert _lines(caplog)[1].startswith("CLOSE")


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "sanic.access"]


@pytest.mark.parametrize("name", sorted(ENDS))
async def test_where_the_app_hears_of_ends_sanic_keeps_the_connection(
    app: App, chat: ChatRooms, connect: Connect, name: str
) -> None:
    heard: list[str] = []

    async def note(**_: Any) -> None:
        heard.append(name)

    app.signal(name)(note)
    ada = await connect()
    await ada.ack("join", room="general")

    assert heard == []
    assert edge_of(chat) is FastConnection
    await ada.close()
    await until(lambda: heard or not name.startswith("http."))  # of WebSockets, Sanic tells only some ends


@pytest.mark.parametrize("edge", [DirectConnection, LoneConnection, FastConnection])
async def test_all_ways_of_ending_are_the_same(
    app: App, chat: ChatRooms, live: Live, connect: Connect, edge: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mounted = mounted_in(app)["default"]
    mounted.doors, mounted.lone = edge is DirectConnection, edge is not FastConnection
    server = await live()
    ends: list[Callable[[Client], Any]] = [lambda client: client.close(), lambda client: client.abort()]
    for end in ends:
        ada, bob = await connect(), await connect()
        for client in (ada, bob):
            await client.ack("join", room="general")
        assert edge_of(chat) is edge

        await end(ada)

        await until(lambda: len(list(chat.running().sessions)) == 1)
        await bob.ack("message", room="general", payload={"text": "alone"})
        await bob.close()
        await until(lambda: not list(chat.running().sessions))
    eve = await connect()

    await server.stop()

    assert (await eve.closed())[0] == 1012
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
