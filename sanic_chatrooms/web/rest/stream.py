"""Server-sent events as a connection: what the chat needs of an edge, and the answer that is written piece by piece."""

import asyncio
import socket
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import msgspec
from sanic import Request

from ...errors import TokenExpired
from ...hub.room import UNBOUNDED
from ...models import Envelope, Event
from ...support.positions import Position
from ...wire.codes import CloseCode
from ...wire.encode import encode_event, error

__all__ = ["EventStream", "TooSlow", "durable", "live", "named"]

HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "Vary": "Authorization, Cookie",
    "X-Accel-Buffering": "no",
}
"""A proxy that gathers the answer would keep it for itself."""
COMMENT = b": still here\n\n"
RETRY = b"retry: 2000\n\n"
"""Milliseconds after which a browser comes back."""
MOST_REPLIES = 64 * 1024
"""Bytes that are for this connection alone, and wait."""


class TooSlow(Exception):
    """The client does not read. The connection is ended."""


class _Type(msgspec.Struct):
    type: str


_type = msgspec.json.Decoder(_Type)


def durable(event: Event, epoch: str) -> bytes:
    """An event of a room. Its id is the position after it."""
    place = Position(epoch, event.seq or 0)
    return b"id: %s:%d\n" % (place.epoch.encode(), place.seq) + named(event.type, encode_event(event))


def live(text: bytes) -> bytes:
    """A live event or a reply. It has no id."""
    return named(_type.decode(text).type, text)


def named(type: str, text: bytes) -> bytes:
    """An event without an id."""
    # In JSON, line ends stand between values only: a payload is kept as it was sent.
    return b"event: %s\ndata: %s\n\n" % (type.encode(), text.replace(b"\r", b" ").replace(b"\n", b" "))


class ServerSent:
    """The codec. Events of rooms come from the room's tail, so the hub has only replies to encode."""

    def event(self, envelope: Envelope) -> bytes:
        """Nothing."""
        return b""

    def reply(self, text: bytes) -> bytes:
        """A live event for this connection."""
        return live(text)


SERVER_SENT = ServerSent()


class EventStream:
    """One answer as the connection of a session. Only `write_now` writes to it, so nothing gathers but replies."""

    codec = SERVER_SENT
    check_every = UNBOUNDED

    def __init__(self, request: Request, patience: float) -> None:
        self.closed = False
        self.woken = asyncio.Event()
        """Something happened: there is something to read or to write, or the connection is closed."""
        self._request = request
        self._patience = patience
        """Seconds that the client may take to read."""
        self._response: Any = None
        self._replies: list[bytes] = []
        self._size = 0

    # ---- for the session ----

    def reply(self, data: bytes) -> None:
        """Take what is for this connection alone."""
        self._size += len(data)
        if self._size <= MOST_REPLIES:
            self._replies.append(data)
            self.woken.set()

    write = reply

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """Take what is for this connection alone."""
        self.reply(replies + data)

    def close(self, code: int, reason: str) -> None:
        """The stream ends after what it was told."""
        if code == CloseCode.TOKEN_EXPIRED:
            self.reply(live(error(TokenExpired(), None)))
        self.closed = True
        self.woken.set()

    def cut(self) -> None:
        """End the connection at once."""
        self.closed = True
        transport: Any = self._request.transport
        transport.abort()

    def ping(self) -> None:
        """Nothing: comments are sent by the clock."""

    pause = resume = ping

    def congested(self) -> bool:
        """Never: a stream has no commands."""
        return False

    owing = congested

    async def drained(self) -> None:
        """Nothing to wait for."""

    def behind(self) -> int:
        """Bytes of replies that wait."""
        return self._size

    # ---- the answer ----

    async def begin(self) -> None:
        """Send the head of the answer."""
        self._notice_silence()
        self._response = await self._request.respond(headers=HEADERS, content_type="text/event-stream")
        await self.write_now(RETRY + COMMENT)

    def _notice_silence(self) -> None:
        """A client cannot answer a comment, but its system confirms the bytes. Without that, the connection ends."""
        transport: Any = self._request.transport
        connection = transport.get_extra_info("socket")
        if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            millis = int(self._patience * 1000)
            with suppress(OSError):  # a Unix socket has none
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, millis)

    async def write_now(self, data: bytes) -> None:
        """Write, as soon as the client has read enough. Raises `TooSlow`."""
        await self._in_time(self._response.send(data))

    async def _in_time(self, writing: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await writing
        except TimeoutError:
            self.cut()
            raise TooSlow from None

    async def write_replies(self) -> None:
        """Write what is for this connection alone. Raises `TooSlow`."""
        if self._replies:
            data, self._replies, self._size = b"".join(self._replies), [], 0
            await self.write_now(data)

    async def comment(self) -> None:
        """Show that the stream is alive. Raises `TooSlow`."""
        await self.write_now(COMMENT)

    async def end(self) -> None:
        """The last byte. Raises `TooSlow`."""
        await self.write_replies()
        await self._in_time(self._response.eof())
