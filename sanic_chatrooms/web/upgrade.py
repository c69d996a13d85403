"""Checks that a request is an upgrade to WebSocket (RFC 6455 §4.2.1, RFC 9110 §7.8), and prepares it for Sanic.

Sanic reads only the first line of a header, takes a list for one value, and writes a traceback for what it does not
expect. So this module checks every request first, and rewrites its headers as Sanic expects them.
"""

import asyncio
import base64
import contextlib
import hashlib
import select
import socket
from collections.abc import Callable, Coroutine, Iterator
from http import HTTPStatus
from typing import Any

from sanic import Request, json
from sanic.response import HTTPResponse

from ..wire.names import SUBPROTOCOL
from .socket.base import CLOSE_TIMEOUT

__all__ = [
    "Handler",
    "Negotiate",
    "accepted",
    "answer",
    "is_gone",
    "is_upgraded",
    "make_readable",
    "not_an_upgrade",
    "offered",
    "prepare_handshake",
    "refuse_handshake",
    "send_at_once",
]

Handler = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]
"""What Sanic calls with a request and the parts of its path."""

_KEY_BYTES = 16
_VERSION = "13"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSED = getattr(select, "POLLRDHUP", 0)
"""On Linux: the peer sends nothing more."""
_UPGRADE = {"Upgrade": "websocket", "Sec-WebSocket-Version": _VERSION}


class Negotiate(tuple[str, ...]):
    """The subprotocols of a route, as Sanic sees them. Sanic refuses clients that offer none or others, so it is shown only
    those that the client offers."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        shown = set(offered(Request.get_current()))
        return (name for name in tuple.__iter__(self) if name in shown)


def make_readable(request: Request) -> None:
    """Read headers that are not UTF-8 as Latin-1 (RFC 9110 §5.5). Sanic leaves lone surrogates in them, which neither its own
    handshake nor an authenticator can encode."""
    headers = request.headers
    if not "".join(headers.values()).isascii():
        request.headers = type(headers)([(name, _readable(value)) for name, value in headers.items()])


def _readable(value: str) -> str:
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def offered(request: Request) -> list[str]:
    """The subprotocols that the client offers."""
    return _listed(request, "sec-websocket-protocol")


def not_an_upgrade(request: Request) -> HTTPResponse | None:
    """The answer to a request that cannot become a WebSocket; None if it can.

    405 another method than GET · 426 no upgrade to WebSocket 13 · 400 one that breaks the rules.
    """
    asks = _asks_for_websocket(request)
    if request.method != "GET" and (asks or request.method != "HEAD"):
        return answer(405, "method_not_allowed", "a WebSocket begins with GET", {"Allow": "GET"})
    if not asks:
        return answer(426, "upgrade_required", "this address speaks WebSocket only", _UPGRADE)
    if _values(request, "sec-websocket-version") != [_VERSION]:
        return answer(426, "upgrade_required", f"WebSocket version {_VERSION} is needed", _UPGRADE)
    if not _has_key(request):
        return answer(400, "bad_request", "Sec-WebSocket-Key must be 16 bytes in base64, once", {})
    if _has_body(request):
        return _without_body(request, answer(400, "bad_request", "a request for a WebSocket has no body", {}))
    return None


def prepare_handshake(request: Request, max_frame: int, *, pause: bool) -> None:
    """Bring a request that `not_an_upgrade` let pass into the form that Sanic's handshake expects.

    `pause`: nothing is read until the session is there, for clients speak before our first step.
    """
    _make_plain(request)
    transport: Any = request.transport
    send_at_once(transport)
    io = transport.get_protocol()
    with contextlib.suppress(AttributeError):  # only the plain edge can do without
        io.websocket_max_size = max_frame
        io.websocket_ping_interval = None
        io.websocket_timeout = CLOSE_TIMEOUT
    if pause:
        transport.pause_reading()


def send_at_once(transport: Any) -> None:
    """Turn off Nagle's algorithm: with it, an event may wait for 40 ms until the client has acknowledged the last one. uvloop does
    that by itself. asyncio's own loop does it only for sockets that name their protocol, which those of Sanic do not."""
    if isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):  # the peer is gone already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def is_gone(transport: Any) -> bool:
    """Has the client given up? When a crowd comes back, requests wait for long. To admit those of clients who have dialled again since
    would double the work. Only Linux tells."""
    connection = transport.get_extra_info("socket") if _CLOSED else None
    if connection is None:
        return False
    look = select.poll()
    look.register(connection, _CLOSED)
    return bool(look.poll(0))


def accepted(request: Request) -> bytes:
    """The answer that makes a WebSocket of a request which `not_an_upgrade` let pass (RFC 6455 §4.2.2): no extensions, and no
    subprotocol but our own."""
    key = request.headers["sec-websocket-key"].strip().encode()
    proof = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    ours = SUBPROTOCOL in offered(request)
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n%b\r\n"
        % (
            proof,
            b"Sec-WebSocket-Protocol: %b\r\n" % SUBPROTOCOL.encode() if ours else b"",
        )
    )


def is_upgraded(request: Request) -> bool:
    """Whether Sanic's handshake has made a WebSocket of this request's connection."""
    transport: Any = request.transport
    return getattr(transport.get_protocol(), "websocket", None) is not None


def refuse_handshake(request: Request, *, pause: bool) -> HTTPResponse:
    """The answer where Sanic's handshake refuses the request: it has been judged, but another version of Sanic's may know
    another rule."""
    transport: Any = request.transport
    if pause and not transport.is_closing():
        transport.resume_reading()
    return answer(400, "bad_request", "this is no request for a WebSocket", {})


def _make_plain(request: Request) -> None:
    """Leave of the request's upgrade what Sanic's handshake needs: one line each, no extensions, and no subprotocol but
    our own, so that a token cannot be echoed."""
    ours = SUBPROTOCOL in offered(request)
    request.headers["sec-websocket-key"] = request.headers["sec-websocket-key"].strip()
    request.headers["sec-websocket-version"] = _VERSION
    for name in ("upgrade", "connection", "sec-websocket-extensions", "sec-websocket-protocol"):
        request.headers.popall(name, None)
    request.headers["upgrade"] = "websocket"
    request.headers["connection"] = "Upgrade"
    if ours:
        request.headers["sec-websocket-protocol"] = SUBPROTOCOL
    # By this, too, Sanic tells a WebSocket from a request that waits for its answer, and that has a time limit.
    with contextlib.suppress(AttributeError):
        request.stream.upgrade_websocket = True  # type: ignore[union-attr]


def answer(status: int, code: str, message: str, headers: dict[str, str], **fields: object) -> HTTPResponse:
    """An HTTP answer that refuses a request and ends the connection: a problem document (RFC 9457)."""
    about = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": message}
    return json(
        {**fields, **about, "code": code, "message": message},
        status=status,
        headers={"Connection": "close", **headers},
        content_type="application/problem+json",
    )


def _values(request: Request, name: str) -> list[str]:
    return [value.strip() for value in request.headers.getall(name, [])]


def _listed(request: Request, name: str) -> list[str]:
    """The members of a list (RFC 9110 §5.6.1): over several lines, and some of them empty."""
    values = request.headers.getall(name, [])
    if len(values) == 1 and "," not in values[0]:  # as nearly always
        return [one] if (one := values[0].strip()) else []
    return [one for value in values for part in value.split(",") if (one := part.strip())]


def _asks_for_websocket(request: Request) -> bool:
    # RFC 9110 §7.8: an Upgrade counts where Connection names it, and never in HTTP/1.0.
    return (
        request.version != "1.0"
        and "websocket" in map(str.lower, _listed(request, "upgrade"))
        and "upgrade" in map(str.lower, _listed(request, "connection"))
    )


def _has_key(request: Request) -> bool:
    keys = _values(request, "sec-websocket-key")
    try:
        return len(keys) == 1 and len(base64.b64decode(keys[0], validate=True)) == _KEY_BYTES
    except ValueError:
        return False


def _has_body(request: Request) -> bool:
    length = request.headers.get("content-length", "0").strip()
    return "transfer-encoding" in request.headers or length.lstrip("0") != ""


def _without_body(request: Request, refusal: HTTPResponse) -> HTTPResponse:
    """Do not wait for the body. Sanic would, without a time limit, if the request says `Upgrade: websocket`."""
    with contextlib.suppress(AttributeError):
        request.stream.request_body = None  # type: ignore[union-attr]
        request.stream.keep_alive = False  # type: ignore[union-attr]
    return refusal
