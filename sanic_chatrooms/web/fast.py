"""The fast edge: our own reader on Sanic's socket.

Sanic does the handshake, TLS and the end of the TCP connection; everything between is read by `Reader`, at a fifth of
the parser's price, and written by `SanicConnection`. Where something of Sanic's that this needs is missing or behaves
otherwise, `shortcoming` says what, and the plain edge is used.
"""

from typing import Any

from sanic.server.protocols.websocket_protocol import WebSocketProtocol
from websockets.protocol import State
from websockets.server import ServerProtocol

from ..protocol import CloseCode, close_frame
from ..session import Session
from .reader import Reader
from .socket import SanicConnection

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
            reader.feed(data)

    def _take_binary(self, _: bytes) -> None:
        if self._session is not None:
            self._session.close(CloseCode.BINARY)

    def _pong(self, payload: bytes) -> None:
        if not self._closing:
            self._write(bytes((0x8A, len(payload))) + payload)
            self._throttle_reading()

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
            self._loop.call_soon(self._read_on)
        super().resume()

    def _read_on(self) -> None:
        if not self._paused:
            self._data_received(b"")


def _ignore(_: bytes) -> None:
    return None


def shortcoming() -> str | None:
    """What the installed Sanic and websockets lack for this edge, found out by trying; None: nothing."""
    try:
        protocol = ServerProtocol()
        protocol.state = State.CLOSING
        if protocol.state is not State.CLOSING:
            return "the state of a websockets connection cannot be set"
        io = object.__new__(WebSocketProtocol)
        socket = _Probe()
        io.websocket = socket  # type: ignore[assignment]
        io.data_received(b"x")
        io.eof_received()
        if socket.heard != [b"x", b""]:
            return "Sanic does not pass what it reads to the connection's WebSocket object"
    except Exception as exc:  # noqa: BLE001 - whatever is different there, the plain edge can do without it
        return f"{type(exc).__name__}: {exc}"
    missing = [name for name in ("recv_buffer", "_can_write") if not hasattr(WebSocketProtocol, name)]
    return f"Sanic's connections have no {' and no '.join(missing)}" if missing else None


class _Probe:
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)

    def eof_received(self) -> None:
        self.heard.append(b"")
