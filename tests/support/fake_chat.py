"""A server for tests of clients: it says what the test makes it say, true or not."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from sanic_chatrooms.client import ChatClient
from tests.support.accepting import accept_no_more

__all__ = ["FakeChat", "Peer", "connected", "fake_chat", "new_client"]

WITHIN = 40.0
Frame = dict[str, Any]
WELCOME = {
    "sessionId": "s1",
    "user": {"id": "u1", "name": "Ada", "scopes": []},
    "protocol": 1,
    "heartbeat": {"interval": 30, "timeout": 90},
    "limits": {"maxFrame": 65536},
    "features": [],
}


class Peer:
    """One connection, seen from the server."""

    def __init__(self, ws: ServerConnection) -> None:
        self.ws = ws
        self.token = ws.request.headers.get("Authorization") if ws.request is not None else None
        self._unread: asyncio.Queue[Frame] = asyncio.Queue()

    async def keep_reading(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                self._unread.put_nowait(json.loads(await self.ws.recv()))

    async def say(self, *frames: Frame) -> None:
        for frame in frames:
            await self.ws.send(json.dumps({"timestamp": 1.0, **frame}))

    async def raw(self, text: str | bytes) -> None:
        await self.ws.send(text)

    async def welcome(self, **more: Any) -> None:
        await self.say({"type": "welcome", "payload": {**WELCOME, **more}})

    async def next(self) -> Frame:
        async with asyncio.timeout(WITHIN):
            return await self._unread.get()

    async def expect(self, type: str) -> Frame:
        """The next command, which must be of this type."""
        frame = await self.next()
        assert frame["type"] == type, frame
        return frame

    async def ack(self, command: Frame, **payload: Any) -> None:
        await self.say({"type": "ack", "replyTo": command["msgId"], "payload": payload})

    async def error(self, command: Frame, code: str, **payload: Any) -> None:
        payload = {"code": code, "message": code, **payload}
        await self.say({"type": "error", "replyTo": command["msgId"], "payload": payload})

    async def joins(
        self,
        room: str,
        epoch: str = "e1",
        seq: int = 0,
        recovered: bool = False,
        messages: Any = (),
        **more: Any,
    ) -> Frame:
        """Answer the next command, which is a join of this room; -> its payload."""
        command = await self.expect("join")
        assert command["room"] == room
        ack = {"room": room, "epoch": epoch, "seq": seq, "recovered": recovered, "messages": list(messages)}
        await self.ack(command, **{**ack, "more": False, "role": "member", "title": "", "online": 1, **more})
        payload: Frame = command.get("payload", {})
        return payload

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.ws.close(code, reason)


class FakeChat:
    """`peer = await chat.peer()` is the next connection. `refuse` answers the next handshakes by HTTP."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens: list[str | None] = []
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()
        self._refusals: list[tuple[int, dict[str, str], bytes]] = []

    def refuse(self, status: int, problem: Frame | None = None, **headers: str) -> None:
        body = b"" if problem is None else json.dumps(problem).encode()
        self._refusals.append((status, {k.replace("_", "-"): v for k, v in headers.items()}, body))

    async def peer(self, **welcome: Any) -> Peer:
        """The next connection, which is welcomed."""
        peer = await self.silent_peer()
        await peer.welcome(**welcome)
        return peer

    async def silent_peer(self) -> Peer:
        async with asyncio.timeout(WITHIN):
            return await self._peers.get()

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.tokens.append(request.headers.get("Authorization"))
        if not self._refusals:
            return None
        status, headers, body = self._refusals.pop(0)
        response = connection.respond(HTTPStatus(status), body.decode())
        for name, value in headers.items():
            response.headers[name] = value
        return response

    async def serve(self, ws: ServerConnection) -> None:
        peer = Peer(ws)
        self._peers.put_nowait(peer)
        await peer.keep_reading()


@contextlib.asynccontextmanager
async def fake_chat(**options: Any) -> AsyncIterator[FakeChat]:
    chat = FakeChat()
    server = await serve(
        chat.serve,
        "127.0.0.1",
        0,
        process_request=chat.answer,
        compression=None,
        ping_interval=None,
        **options,
    )
    async with server:
        chat.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/chat/ws"
        yield chat
        await accept_no_more(server.sockets)


def new_client(chat: FakeChat, **options: Any) -> ChatClient:
    """A client of this chat, which comes back at once."""
    return ChatClient(chat.url, **{"backoff": (0.01, 0.05), **options})


@contextlib.asynccontextmanager
async def connected(chat: FakeChat, **options: Any) -> AsyncIterator[tuple[ChatClient, Peer]]:
    """A client that is online, and the server's end of its connection."""
    client = new_client(chat, **options)
    opening = asyncio.ensure_future(client.connect())
    peer = await chat.peer()
    await opening
    try:
        yield client, peer
    finally:
        await client.close()
