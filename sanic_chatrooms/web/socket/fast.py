"""The fast edge: our own reader on Sanic's socket.

Sanic does the handshake, TLS and the end of the TCP connection. In between `Reader` reads, at a fifth of the CPU of Sanic's
parser, and `SanicConnection` writes. Where something that this needs of Sanic is missing or behaves
differently, `sanic_contract.probe` finds it, and the plain edge is used. Mostly Sanic lets the connection go after the handshake: `lone.py`.
"""

from typing import Any

from ...sessions.session import Session
from ...websocket.frames import close_frame, pong_frame
from ...websocket.reader import Reader
from ...wire.codes import CloseCode
from ..sanic_contract import FastParts
from .base import SanicConnection

__all__ = ["FastConnection"]


class FastConnection(SanicConnection):
    """One WebSocket, read by our own reader."""

    __slots__ = ("_max_size", "_reader")

    def __init__(self, ws: Any, parts: FastParts, outbox_limit: int, max_size: int) -> None:
        super().__init__(ws, parts, outbox_limit)
        self._max_size = max_size
        self._reader: Reader | None = None

    def attach(self, session: Session) -> None:
        """Pass frames to this session from now on."""
        self._reader = Reader(self._max_size, session.receive, self, mask=self._parts.mask)
        super().attach(session)

    def _read(self, session: Session, data: bytes) -> None:
        reader = self._reader
        assert reader is not None
        if not self._closing:
            reader.feed(data)
        elif not reader.done:
            # Closed by us: only the peer's close frame still matters.
            reader.message = _ignore
            reader.paused = False
            reader.feed(data)

    def _missing(self) -> int:
        return 0 if self._reader is None else self._reader.missing

    # ---- what the reader calls ----

    def take_binary(self, data: bytes) -> None:
        """See `Taker`."""
        if self._session is not None and not self._closing:
            self._session.close(CloseCode.BINARY)

    def take_ping(self, payload: bytes) -> None:
        """See `Taker`."""
        if self._session is not None:
            self._session.answer_raw(pong_frame(payload))

    def take_pong(self) -> None:
        """See `Taker`."""
        if self._session is not None:
            self._session.ponged()

    def take_close(self, code: int, reason: str) -> None:
        """See `Taker`."""
        self._answered = True
        if self._is_open():
            if code == 1005:  # a close frame without a code is answered by one
                self._write(b"\x88\x00")
                self._shut()
            else:
                self._send_close(code, reason)
        self._peer_closed()

    def take_failure(self, code: int, reason: str) -> None:
        """See `Taker`."""
        self._violated = True
        if self._session is not None and not self._session.closed:
            self._session.close(code, reason)
        else:
            self._finish_soon()

    # ---- what the session calls ----

    def _send_close(self, code: int, text: str) -> None:
        self._write(close_frame(code, text))
        self._shut()

    def pause(self) -> None:
        """Read no more: the session's queue is full. Bytes that were read and not parsed yet wait, too."""
        if self._reader is not None:
            self._reader.paused = True
        super().pause()

    def resume(self) -> None:
        """Read again: the session's queue has room."""
        if self._reader is not None:
            self._reader.paused = False
        super().resume()


def _ignore(_: bytes) -> None:
    return None
