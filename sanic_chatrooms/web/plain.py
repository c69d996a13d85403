"""The plain edge: Sanic's own WebSocket, with its parser driven directly.

Sanic hands every chunk to a task of its own, loses track of some (CPython may collect them), answers bad UTF-8 with a
traceback instead of 1007, and lets a peer that sends pings and never reads grow without bound. So `data_received` of
this one WebSocket object is replaced: the same sans-I/O protocol of `websockets` reads the bytes, and its frames go to
the session at once, without a task. Handshake, TLS, and the end of the TCP connection stay Sanic's.
"""

from typing import Any

from websockets.frames import Frame, Opcode
from websockets.protocol import State

from ..protocol import CloseCode, close_frame
from ..session import Session
from .reader import FRAGMENT_LIMIT
from .socket import SanicConnection

__all__ = ["PlainConnection"]


class PlainConnection(SanicConnection):
    """Reads with the parser of `websockets`."""

    def __init__(self, ws: Any, outbox_limit: int) -> None:
        super().__init__(ws, outbox_limit)
        self._chunks: list[bytes] = []
        self._frames = 0

    def _read(self, session: Session, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._write_control()
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and not self._closing:
                self._take(session, event)
        if self._protocol.close_rcvd is not None:
            self._answered = True
            self._peer_closed()
        elif self._protocol.parser_exc is not None:
            self._violated = True
            self._peer_closed()

    def _write_control(self) -> None:
        """Pongs, and the close frame that answers the peer's or a violation of the protocol."""
        for data in self._protocol.data_to_send():
            if data and not self._transport.is_closing():
                self._write(data)
        self._throttle_reading()

    def _take(self, session: Session, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.CONT:
            self._frames += 1
            if self._frames > FRAGMENT_LIMIT:
                session.close(CloseCode.FLOOD, "too many fragments")
                return
            self._chunks.append(bytes(frame.data))
            if frame.fin:
                self._message(session)
        elif opcode is Opcode.BINARY:
            session.close(CloseCode.BINARY)

    def _message(self, session: Session) -> None:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._frames = 0
        try:
            data.decode()
        except UnicodeDecodeError:
            session.close(CloseCode.BAD_UTF8)
        else:
            session.receive(data)

    def _send_close(self, code: int, text: str) -> None:
        self._protocol.send_close(code, close_frame(code, text)[4:].decode())
        self._write_control()

    def _eof_received(self) -> bool:
        if self._protocol.state is not State.CLOSED:
            self._protocol.receive_eof()
        return super()._eof_received()
