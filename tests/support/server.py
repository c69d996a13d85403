"""A real Sanic server in the test's own event loop, on a port that the system chooses."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import io
import itertools
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from sanic import Sanic
from sanic.server import AsyncioServer
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from sanic_chatrooms.web.mounted import mounted_in
from sanic_chatrooms.web.socket.door import Doorway
from tests.support.accepting import accept_no_more

__all__ = ["LiveServer", "Response", "http_request", "new_app", "serve"]

_numbers = itertools.count(1)


def new_app(name: str = "test", **config: Any) -> Sanic[Any, Any]:
    """An app with a name of its own, quiet, and without what would leak from one app into the next."""
    app = Sanic(f"{name}_{next(_numbers)}")
    app.config.update(
        MOTD=False,
        AUTO_EXTEND=False,
        # TouchUp rewrites Sanic's *classes* for the first app of a process; a second app then fails to start.
        TOUCHUP=False,
        # A test that leaves a connection open shall not wait the default 15 seconds for it.
        GRACEFUL_SHUTDOWN_TIMEOUT=1.0,
        # Two of them are two machines of one app, unless a test says otherwise.
        CHATROOMS_NAMESPACE="test",
        # Many tests say more at once than anybody could; those of limits turn them on. A busy machine is no overload.
        CHATROOMS_RATE_LIMITS=False,
        CHATROOMS_OVERLOAD_LAG=None,
    )
    app.config.update(config)
    return app


@dataclass(frozen=True)
class Response:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]  # keys in lower case; of repeated ones the last
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class LiveServer:
    """A server that answers on `host:port` until the test ends or `stop` is called."""

    def __init__(self, app: Sanic[Any, Any], host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.app = app
        self.host = host
        self.port = port
        self.tls = tls
        self._running = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://{self.host}:{self.port}"

    async def get(self, path: str, **headers: str) -> Response:
        """GET `path`; a header's underscores become hyphens."""
        return await self.request("GET", path, {k.replace("_", "-"): v for k, v in headers.items()})

    async def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        return await http_request(self.host, self.port, method, path, headers, body)

    async def stop(self) -> None:
        """Stop as Sanic does on SIGTERM: listeners, drain, close what is left. A second call does nothing."""
        await self._running.aclose()

    async def __aenter__(self) -> LiveServer:
        self.port = await self._running.enter_async_context(
            _running(self.app, self.host, self.port, self.tls)
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()


def serve(app: Sanic[Any, Any], *, port: int = 0, tls: ssl.SSLContext | None = None) -> LiveServer:
    """`async with serve(app) as server: …`; port 0 lets the system choose."""
    return LiveServer(app, "127.0.0.1", port, tls)


async def http_request(
    host: str,
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    within: float = 40.0,
) -> Response:
    """One request over a connection of its own, from this event loop."""
    lines = {"Host": f"{host}:{port}", "Connection": "close", **(headers or {})}
    if body:
        lines.setdefault("Content-Length", str(len(body)))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(head.encode(errors="surrogateescape") + body)
            raw = await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
    return _parse(raw, method)


def _parse(raw: bytes, method: str) -> Response:
    class Received:
        def makefile(self, *_: object) -> io.BytesIO:
            return io.BytesIO(raw)

    answer = http.client.HTTPResponse(Received(), method=method)  # type: ignore[arg-type]  # asks only for makefile
    answer.begin()
    return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


@contextlib.asynccontextmanager
async def _running(
    app: Sanic[Any, Any], host: str, port: int, tls: ssl.SSLContext | None
) -> AsyncIterator[int]:
    with contextlib.closing(_listening_socket(host, port)) as sock:
        server = await app.create_server(
            sock=sock,
            ssl=tls,
            protocol=behind_a_door(app),
            access_log=False,
            # Sanic would listen before its start-up listeners have run.
            asyncio_server_kwargs={"start_serving": False},
        )
        assert server is not None
        try:
            await server.startup()
            await server.before_start()
        except BaseException:
            await _close(server)
            raise
        await server.start_serving()
        await server.after_start()
        try:
            yield sock.getsockname()[1]
        finally:
            await _shut_down(server)


def behind_a_door(app: Sanic[Any, Any]) -> type[asyncio.Protocol]:
    """Sanic's protocol with a door before it. Production finds the way in by Sanic's runner, whose frame is gone here."""
    doorways: list[Doorway] = []

    class Behind(WebSocketProtocol):
        def __new__(cls, **kwargs: Any) -> Any:
            make = functools.partial(WebSocketProtocol, **kwargs)
            parts = next((mounted.capabilities.door for mounted in mounted_in(app).values()), None)
            if parts is None:
                return make()
            if not doorways:
                doorways.append(Doorway(app, parts, make))
            return doorways[0].door()

    return Behind


def _listening_socket(host: str, port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that starts again on its old port
    sock.bind((host, port))
    return sock


async def _shut_down(server: AsyncioServer) -> None:
    """What Sanic's own runner does between the signal and the end, which it offers only for a loop of its own."""
    await server.before_stop()
    listener: Any = server.server  # declared without a type
    await accept_no_more(listener.sockets)
    listener.close()
    for connection in list(server.connections):
        connection.close_if_idle()
    await _drained(server, server.app.config.GRACEFUL_SHUTDOWN_TIMEOUT)
    server.app.shutdown_tasks(0)
    for connection in list(server.connections):
        websocket = getattr(connection, "websocket", None)
        if websocket:
            websocket.fail_connection(code=1001)
        else:
            connection.abort()
    await _drained(server, 1.0)
    # Since Python 3.12 this waits for connections as well, so it comes after them.
    await listener.wait_closed()
    await server.after_stop()
    _forget_start(server.app)


async def _close(server: AsyncioServer) -> None:
    """A server that refused to start never listened, but its handle is open."""
    listener: Any = server.server
    listener.close()
    await listener.wait_closed()
    _forget_start(server.app)


async def _drained(server: AsyncioServer, within: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            # Sanic keeps a set and tells nobody when it becomes empty.
            while server.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.002)


def _forget_start(app: Sanic[Any, Any]) -> None:
    """So that the same app can be served again, as after a restart."""
    app.router.reset()
    app.signal_router.reset()
