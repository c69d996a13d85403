"""A bare echo handler on the fast edge's reader and writer, for Autobahn's cases: text and binary, up to 16 MiB."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sanic import Request, Sanic, Websocket

from sanic_chatrooms.models import User
from sanic_chatrooms.sessions.liveness import Liveness
from sanic_chatrooms.web.sanic_contract import fast_parts
from sanic_chatrooms.web.socket.fast import FastConnection
from sanic_chatrooms.websocket.frames import frame
from sanic_chatrooms.wire.codes import reason

MAX_SIZE = 16 * 1024 * 1024


class EchoConnection(FastConnection):
    """Sends binary messages back, which a chat does not take."""

    def take_binary(self, data: bytes) -> None:
        text = bytearray(frame(data))
        text[0] = 0x82
        self.reply(bytes(text))


class EchoSession:
    """As much of a session as a connection needs, and it sends back what it gets."""

    def __init__(self, connection: EchoConnection) -> None:
        self.connection = connection
        self.user = User("echo", "Echo")
        self.liveness = Liveness(1e9, 1e9)
        self.dispatcher = SimpleNamespace(received=SimpleNamespace(count=0))
        self.answered = 0
        self.closed = False
        self.authenticated = True

    def receive(self, data: bytes) -> None:
        self.answer_raw(frame(data))

    def ponged(self) -> None: ...

    def held_up(self) -> bool:
        return self.connection.congested()

    def answer_raw(self, frames: bytes) -> None:
        self.connection.reply(frames)

    def close(self, code: int, text: str | None = None) -> None:
        if not self.closed:
            self.closed = True
            self.connection.close(code, text or reason(code))

    def disconnected(self) -> None:
        self.closed = True


def create_app(name: str = "Echo") -> Sanic[Any, Any]:
    app: Sanic[Any, Any] = Sanic(name)
    app.config.update(
        MOTD=False, AUTO_EXTEND=False, TOUCHUP=False, WEBSOCKET_MAX_SIZE=MAX_SIZE, ACCESS_LOG=False
    )
    app.config.WEBSOCKET_PING_INTERVAL = None
    app.add_websocket_route(echo, "/")
    app.register_middleware(hold, "request")
    return app


async def hold(request: Request) -> None:
    transport: Any = request.transport
    transport.pause_reading()


async def echo(_: Request, ws: Websocket) -> None:
    connection = EchoConnection(ws, fast_parts(), 64 * MAX_SIZE, MAX_SIZE)
    session: Any = EchoSession(connection)
    connection.attach(session)
    await connection.finished
