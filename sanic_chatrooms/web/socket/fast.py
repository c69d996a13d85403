"""The fast edge: our own reader on Sanic's socket.

Sanic does the handshake, TLS and the end of the TCP connection; everything between is read by `Reader`, at a fifth of
the parser's price, and written by `SanicConnection`. Where something of Sanic's that this needs is missing or behaves
otherwise, `shortcoming` says what, and the plain edge is used.
"""

from typing import Any

from sanic.server.protocols.websocket_protocol import WebSocketProtocol
from sanic.server.websockets.impl import WebsocketImplProtocol
from websockets.protocol import State
from websockets.server import ServerProtocol

from ...sessions.session import Session
from ...websocket.frames import close_frame, pong_frame
from ...websocket.reader import Reader
from ...wire.codes import CloseCode
from .base import SanicConnection

__all__ = ["FastConnection", "shortcoming"]


class FastConnection(SanicConnection):
    """Reads with our own reader."""

    def __init__(self, ws: Any, outbox_limit: int, max_size: int) -> None:
        super().__init__(ws, outbox_limit)
        self._max_size = max_size
        self._reader: Reader | None = None

    def attach(self, session: Session) -> None:
        """From now on frames go to this session."""
        self._reader = Reader(
            self._max_size,
            message=session.receive,
            binary=self._take_binary,
            ping=self._pong,
            closed=self._take_close,
            failed=self._fail,
        )
        super().attach(session)

    def _read(self, session: Session, data: bytes) -> None:
        reader = self._reader
        assert reader is not None
        if not self._closing:
            reader.feed(data)
        elif not reader.done:
            # Closed by us: only the peer's close frame still matters.
            reader.message = _ignore
            reader.binary = _ignore
            reader.paused = False
            reader.feed(data)

    def _missing(self) -> int:
        return 0 if self._reader is None else self._reader.missing

    def _take_binary(self, _: bytes) -> None:
        if self._session is not None:
            self._session.close(CloseCode.BINARY)

    def _pong(self, payload: bytes) -> None:
        if self._session is not None:
            self._session.answer_raw(pong_frame(payload))

    def _take_close(self, code: int, reason: str) -> None:
        self._answered = True
        if self._protocol.state is State.OPEN:
            if code == 1005:  # a close frame without a code is answered by one
                self._write(b"\x88\x00")
                self._protocol.state = State.CLOSING
            else:
                self._send_close(code, reason)
        self._peer_closed()

    def _send_close(self, code: int, text: str) -> None:
        self._write(close_frame(code, text))
        # Sanic looks at this before it would send a close frame of its own.
        self._protocol.state = State.CLOSING

    def _fail(self, code: int, reason: str) -> None:
        self._violated = True
        if self._session is not None and not self._session.closed:
            self._session.close(code, reason)
        else:
            self._finish_soon()

    def pause(self) -> None:
        """The session's queue is full: what was read and not parsed yet waits, too."""
        if self._reader is not None:
            self._reader.paused = True
        super().pause()

    def resume(self) -> None:
        """It is not any more."""
        if self._reader is not None:
            self._reader.paused = False
        super().resume()


def _ignore(_: bytes) -> None:
    return None


# What is used of Sanic's connection and of its WebSocket beyond what a probe can try out.
_OF_CONNECTION = (
    "recv_buffer",
    "transport",
    "_can_write",
    "websocket_max_size",
    "websocket_ping_interval",
    "websocket_timeout",
)
_OF_WEBSOCKET = ("ws_proto", "io_proto", "connection_lost_waiter")


def shortcoming() -> str | None:
    """What the installed Sanic and websockets lack for this edge, found out by trying; None: nothing."""
    try:
        return _state_is_fixed() or _reads_past_us() or _lacks()
    except Exception as exc:  # noqa: BLE001 - whatever is different there, the plain edge can do without it
        return f"{type(exc).__name__}: {exc}"


def _state_is_fixed() -> str | None:
    # Sanic looks at it before it sends a close frame of its own.
    protocol = ServerProtocol(state=State.OPEN)
    protocol.state = State.CLOSING
    if protocol.state is not State.CLOSING:
        return "the state of a websockets connection cannot be set"
    return None


def _reads_past_us() -> str | None:
    heard: list[object] = []
    ws: Any = WebsocketImplProtocol(ServerProtocol(state=State.OPEN))
    ws.data_received = heard.append
    ws.eof_received = lambda: heard.append("end")
    io: Any = object.__new__(WebSocketProtocol)
    io.websocket = ws
    io.data_received(b"x")
    io.eof_received()
    if heard != [b"x", "end"]:
        return "Sanic does not pass what it reads to the connection's WebSocket object"
    return None


def _lacks() -> str | None:
    ws = WebsocketImplProtocol(ServerProtocol(state=State.OPEN))
    missing = [
        f"connections have no {name}" for name in _OF_CONNECTION if not hasattr(WebSocketProtocol, name)
    ]
    missing += [f"WebSockets have no {name}" for name in _OF_WEBSOCKET if not hasattr(ws, name)]
    return f"Sanic's {' and its '.join(missing)}" if missing else None
