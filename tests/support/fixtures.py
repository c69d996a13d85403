"""The fixtures `app`, `live`, `connect`, `open_raw`, `subprocess_server` and `valkey_url`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import upkeep
from sanic_chatrooms.live import presence, typing
from sanic_chatrooms.web import blueprint
from sanic_chatrooms.web.mounted import mounted_in
from tests.support.client import Client, Refused, open_client
from tests.support.loops import PlainEdgeLoop
from tests.support.process import ServerProcess, start_app
from tests.support.raw import Raw
from tests.support.server import LiveServer, Response, new_app, serve
from tests.support.valkey import running

__all__ = ["Connect", "Live", "OpenRaw", "SubprocessServer"]


class Live:
    """`server = await live()` serves the test's `app`; `await live(other)` another one beside it."""

    def __init__(self, app: Sanic[Any, Any]) -> None:
        self.app = app
        self.fast = not isinstance(asyncio.get_running_loop(), PlainEdgeLoop)
        self.servers: list[LiveServer] = []
        self._stack = contextlib.AsyncExitStack()

    async def __call__(
        self, app: Sanic[Any, Any] | None = None, *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> LiveServer:
        app = app or self.app
        if not self.fast:
            for mounted in mounted_in(app).values():
                mounted.fast = False
        server = await self._stack.enter_async_context(serve(app, port=port, tls=tls))
        self.servers.append(server)
        return server

    async def first(self) -> LiveServer:
        """The server started first; started now if there is none."""
        return self.servers[0] if self.servers else await self()

    async def stop(self) -> None:
        await self._stack.aclose()


class Connect:
    """`client = await connect()` opens a WebSocket to the first server, which it starts if need be."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._clients: list[Client] = []

    async def __call__(
        self, path: str = "/chat/ws", *, server: LiveServer | ServerProcess | None = None, **options: Any
    ) -> Client:
        """Connect; `options` as for `open_client`: token, subprotocols, origin, headers …"""
        base = (server or await self._live.first()).ws_url
        client = await open_client(base + path, **options)
        self._clients.append(client)
        return client

    async def refused(self, path: str = "/chat/ws", **arguments: Any) -> Response:
        """The HTTP answer to a handshake that must be refused; arguments as for a call."""
        with pytest.raises(Refused) as refusal:
            await self(path, **arguments)
        return refusal.value.response

    async def close(self) -> None:
        for client in self._clients:
            client.resume_reading()
        await asyncio.gather(*(client.close() for client in self._clients))


class OpenRaw:
    """`raw = await open_raw(early=b"…")`: a peer of the first server that speaks by the byte."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._raws: list[Raw] = []

    async def __call__(self, server: LiveServer | None = None, **how: Any) -> Raw:
        raw = await Raw.open(server or await self._live.first(), **how)
        self._raws.append(raw)
        return raw

    async def close(self) -> None:
        for raw in self._raws:
            await raw.close()


class SubprocessServer:
    """`server = await subprocess_server(file, workers=2)`: as `start_app`, without blocking the test's loop."""

    def __init__(self) -> None:
        self.servers: list[ServerProcess] = []

    async def __call__(self, app_file: Path, **arguments: Any) -> ServerProcess:
        server = await asyncio.to_thread(start_app, app_file, **arguments)
        self.servers.append(server)
        return server


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a chat does once a second it does ten times a second, and who is there or types is told again as soon: a test that
    waits for it waits less. Those of the intervals themselves move a clock."""
    monkeypatch.setattr(upkeep, "SWEEP", 0.1)
    monkeypatch.setattr(typing, "INTERVAL", 0.05)
    monkeypatch.setattr(presence, "INTERVAL", 0.1)
    monkeypatch.setattr(presence, "LOOK_EVERY", 0.2)


@pytest.fixture
def loaded_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that starts would count all frozen objects, only to learn that there are some: the guard has seen to that."""
    monkeypatch.setattr(blueprint, "freeze_loaded", lambda: None)


@pytest.fixture
def app(often: None, loaded_is_frozen: None) -> Iterator[Sanic[Any, Any]]:
    """A bare app of this test; the test adds blueprints and settings before it calls `live` or `connect`."""
    app = new_app()
    yield app
    Sanic.unregister_app(app)


@pytest.fixture
async def live(app: Sanic[Any, Any]) -> AsyncIterator[Live]:
    live = Live(app)
    yield live
    await live.stop()


@pytest.fixture
async def connect(live: Live) -> AsyncIterator[Connect]:
    connect = Connect(live)
    yield connect
    await connect.close()


@pytest.fixture
async def open_raw(live: Live) -> AsyncIterator[OpenRaw]:
    open_raw = OpenRaw(live)
    yield open_raw
    await open_raw.close()


@pytest.fixture
def hangups_end() -> Iterator[None]:
    """A closed terminal ends what this test starts, also where the tests themselves run under nohup, which would be inherited."""
    known = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, known)


@pytest.fixture(scope="module")
def valkey_url() -> Iterator[str]:
    """The address of a server that all tests of a module share."""
    with running() as server:
        yield server.url


@pytest.fixture
def subprocess_server() -> Iterator[SubprocessServer]:
    factory = SubprocessServer()
    yield factory
    for server in factory.servers:
        server.stop()
