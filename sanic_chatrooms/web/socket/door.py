"""The door: the first protocol of every connection, in the place of Sanic's own.

A connection that begins with a plain request for one of our WebSockets comes in here. It is admitted by the same code as behind Sanic and answered,
and is a `DirectConnection` from then on. So it never has Sanic's tasks, locks and buffers, which take more processor time than all else of a connection's start.

Every other connection is handed to Sanic's protocol with the bytes that came: other paths, whatever is unusual in a request, who says
nothing. A refused request is handed over with the verdict. So errors, time limits and keep-alive are Sanic's.

Requests wait twice when a crowd comes: until their head is read, and until they begin.
"""

import asyncio
import logging
import re
from collections.abc import Coroutine
from functools import cached_property, partial
from typing import Any, Protocol, TypeAlias

from sanic import Request

from ..mounted import Mounted, mounted_in
from ..sanic_contract import DoorParts, FastParts
from ..upgrade import is_gone, send_at_once
from ..workers.runner import in_runner
from .direct import DirectConnection
from .turns import Turns

__all__ = ["Door", "Doorway", "open_door", "verdict_on"]

logger = logging.getLogger("sanic_chatrooms.web")

SILENCE = 1.0
"""Seconds that a connection may say nothing before it is Sanic's, with Sanic's time limits."""
LARGEST = 8 * 1024
"""Bytes of a request's head."""
_HEAD = re.compile(rb"GET (/[!-~]*) HTTP/1\.1\r\n((?:[!-9;-~]+:[ -~]*\r\n)+)\r\n")
"""A request as nearly all clients write it."""
_FIELD = re.compile(r"([^:]+): *([^\r]*)\r\n")
_WITH_A_BODY = {"content-length", "transfer-encoding", "expect"}
_CONNECTION = ("upgrade", "keep-alive, upgrade")
_KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")
"""16 bytes in base64."""
_VERDICT = "_chatrooms_verdict"


class _Way(Protocol):
    def where(self, app: Any) -> Mounted | None: ...
    def arrive(self, mounted: Mounted, request: Request, door: "Door") -> None: ...
    def come_in(self, mounted: Mounted, request: Request, door: "Door") -> Coroutine[Any, Any, None]: ...


Coming: TypeAlias = tuple[_Way, Mounted, Request]
"""The way that a request goes, the instance that it is for, and the request."""


class Door(asyncio.Protocol):
    """One connection before its handshake."""

    __slots__ = (
        "_asked",
        "_coming",
        "_data",
        "_doorway",
        "_early",
        "_reading",
        "_task",
        "_timer",
        "_transport",
    )

    def __init__(self, doorway: "Doorway", reading: Turns) -> None:
        self._doorway = doorway
        self._reading = reading
        self._asked = False
        """Something has come that may be for us."""
        self._data = b""
        """What came so far …"""
        self._early = 0
        """… and where in it the head has ended."""
        self._coming: Coming | None = None
        """What was asked; None: nothing yet."""
        self._task: asyncio.Task[None] | None = None

    # ---- what the transport calls ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        self._transport: Any = transport
        self._doorway.connections.add(self)
        self._timer = asyncio.get_running_loop().call_later(SILENCE, self.hand_over, None)

    def data_received(self, data: bytes) -> None:
        """The first bytes. More can hardly come, since reading is paused then."""
        self._data += data
        if self._asked:
            return
        if not _may_be_ours(data):
            self.hand_over(None)
            return
        self._asked = True
        self._timer.cancel()
        self._transport.pause_reading()
        self._reading.take(self._read)  # has room for as many as may be connected

    def _read(self) -> None:
        if self._transport.is_closing():
            return
        try:
            self._arrive()
        except BaseException:
            self._transport.abort()  # nothing is read from it any more
            raise

    def _arrive(self) -> None:
        found = self._doorway.request_in(self._data, self._transport)
        if found is None:
            self.hand_over(None)
            return
        self._coming, self._early = found
        way, mounted, request = self._coming
        way.arrive(mounted, request, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._leave()
        if self._task is not None:
            self._task.cancel()

    # ---- what Sanic calls at the end of the server ----

    def close_if_idle(self) -> bool:
        """Close it, unless somebody is coming in."""
        if self._task is None:
            self._transport.close()
        return self._task is None

    def abort(self) -> None:
        """The time for closing is over."""
        self._transport.abort()

    # ---- who comes in ----

    def begin(self) -> None:
        """It is this one's turn to come in, unless nobody is there any more."""
        if self._coming is None or self._transport.is_closing():
            return
        if is_gone(self._transport):
            self._transport.abort()
        else:
            self._task = asyncio.get_running_loop().create_task(self._come_in(*self._coming))

    async def _come_in(self, way: _Way, mounted: Mounted, request: Request) -> None:
        Request._current.set(request)
        try:
            await way.come_in(mounted, request, self)
        except Exception:
            logger.exception("a connection could not begin")
            self._transport.abort()

    def upgrade(self, parts: FastParts, outbox_limit: int, max_size: int) -> DirectConnection:
        """The connection of an admitted request. The answer is the first to be written to it."""
        self._leave()
        send_at_once(self._transport)
        early = self._data[self._early :]
        connections = self._doorway.connections
        return DirectConnection(self._transport, connections, parts, outbox_limit, max_size, early=early)

    def hand_over(self, verdict: object) -> None:
        """Give the connection to Sanic, and what came. `verdict`: what is known of the request already."""
        self._leave()
        transport = self._transport
        if transport.is_closing():
            return
        io = self._doorway.make()
        transport.set_protocol(io)
        io.connection_made(transport)
        if verdict is not None:
            setattr(io.conn_info.ctx, _VERDICT, verdict)
        if self._data:
            io.data_received(self._data)
        if self._asked:
            transport.resume_reading()

    def _leave(self) -> None:
        self._timer.cancel()
        self._doorway.connections.discard(self)


class Doorway:
    """What the doors of a server share. `make`: the function that makes Sanic's protocol for a connection, with its arguments."""

    def __init__(self, app: Any, parts: DoorParts, make: "partial[Any]") -> None:
        self.make = make
        self.connections: set[Any] = make.keywords["connections"]
        """Those that Sanic awaits and closes at its end."""
        self._app = app
        self._parts = parts
        self._largest = min(LARGEST, app.config.REQUEST_MAX_HEADER_SIZE)

    @cached_property
    def _reading(self) -> Turns | None:
        """The turns in which requests are read; None: nobody may come in here. It is asked for the first connection: now all signals are known."""
        return next((one.reading for one in mounted_in(self._app).values() if one.has_door), None)

    def door(self) -> Any:
        """The protocol of a new connection: Sanic's own where nobody may come in here."""
        reading = self._reading
        return self.make() if reading is None else Door(self, reading)

    def request_in(self, data: bytes, transport: Any) -> tuple[Coming, int] | None:
        """The request for one of our WebSockets with which these bytes begin, the way that it goes, and where it ends. None: Sanic is to read them."""
        match = _HEAD.match(data, 0, self._largest)
        headers = None if match is None else _headers(match[2])
        if match is None or headers is None:
            return None
        fields, head = self._parts.headers(headers), data[: match.end() - 4]
        about = {"version": "1.1", "method": "GET", "transport": transport, "app": self._app}
        try:
            request: Any = Request(url_bytes=match[1], headers=fields, head=head, **about)
            found = self._app.router.get(request.path, "GET", fields.getone("host", None))
        except Exception:  # noqa: BLE001 - whatever is wrong with it, Sanic finds the same
            return None
        route, handler, params = found
        way: _Way | None = getattr(handler, "entrance", None)
        mounted = None if way is None or route.extra.request_middleware else way.where(self._app)
        if way is None or mounted is None:
            return None
        request.route, request._match_info = route, {**params}
        request.conn_info = self._parts.conn_info(transport, unix=self.make.keywords["unix"])
        return (way, mounted, request), match.end()


def _may_be_ours(data: bytes) -> bool:
    return b"pgrade:" in data


def _headers(lines: bytes) -> list[tuple[str, str]] | None:
    """Names and values as Sanic reads them. None: this is no upgrade to WebSocket as nearly all clients write it: `not_an_upgrade` is to
    judge it."""
    fields = [(name.lower(), value) for name, value in _FIELD.findall(lines.decode("ascii"))]
    found = dict(fields)
    plain = (
        found.get("upgrade", "").lower() == "websocket"
        and found.get("connection", "").lower() in _CONNECTION
        and found.get("sec-websocket-version") == "13"
        and _KEY.fullmatch(found.get("sec-websocket-key", ""))
        and len(found) == len(fields)
        and _WITH_A_BODY.isdisjoint(found)
    )
    return fields if plain else None


def verdict_on(request: Request) -> Any:
    """What is known of a request that came from the door; None: nothing. Raises what its admission has raised."""
    known: dict[str, Any] = {} if request.conn_info is None else vars(request.conn_info.ctx)
    verdict = known.pop(_VERDICT, None)
    if isinstance(verdict, Exception):
        raise verdict
    return verdict


def open_door(app: Any, parts: DoorParts) -> None:
    """Put doors before the connections of this app's server, which is about to start."""
    for make in in_runner("server"):
        if isinstance(make, partial) and make.func is parts.connection and make.keywords["app"] is app:
            copy = partial(make.func, *make.args, **make.keywords)
            make.__setstate__((Doorway(app, parts, copy).door, (), {}, {}))  # type: ignore[attr-defined]
