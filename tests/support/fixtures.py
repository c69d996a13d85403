"""The fixtures `app`, `live`, `connect` and `subprocess_server`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from tests.support.client import Client, Refused, open_client
from tests.support.process import ServerProcess, start_app
from tests.support.server import LiveServer, Response, new_app, serve

__all__ = ["Connect", "Live", "SubprocessServer"]


class Live:
    """`server = await live()` serves the test's `app`; `await live(other)` another one beside it."""

    def __init__(self, app: Sanic[Any, Any]) -> None:
        self.app = app
        self.servers: list[LiveServer] = []
        self._stack = contextlib.AsyncExitStack()

    async def __call__(self, app: Sanic[Any, Any] | None = None, *, port: int = 0) -> LiveServer:
        server = await self._stack.enter_async_context(serve(app or self.app, port=port))
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


class SubprocessServer:
    """`server = await subprocess_server(file, workers=2)`: as `start_app`, without blocking the test's loop."""

    def __init__(self) -> None:
        self.servers: list[ServerProcess] = []

    async def __call__(self, app_file: Path, **arguments: Any) -> ServerProcess:
        server = await asyncio.to_thread(start_app, app_file, **arguments)
        self.servers.append(server)
        return server


@pytest.fixture
def app() -> Iterator[Sanic[Any, Any]]:
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
def subprocess_server() -> Iterator[SubprocessServer]:
    factory = SubprocessServer()
    yield factory
    for server in factory.servers:
        server.stop()
