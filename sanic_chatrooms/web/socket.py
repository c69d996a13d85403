"""The plain edge: Sanic's own WebSocket, with its parser driven directly.

Sanic hands every chunk to a task of its own, loses track of some (CPython may collect them), answers bad UTF-8 with a
traceback instead of 1007, and lets a peer that sends pings and never reads grow without bound. So `data_received` of
this one WebSocket object is replaced: the same sans-I/O protocol of `websockets` reads the bytes, and its frames go to
the session at once, without a task. Handshake, TLS, and the end of the TCP connection stay Sanic's.
"""

import asyncio
import logging
import time
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.protocol import State

from ..protocol import CloseCode, close_frame
from ..session import Session

__all__ = ["CLOSE_TIMEOUT", "FRAGMENT_LIMIT", "PlainConnection"]

logger = logging.getLogger("sanic_chatrooms.web")

CLOSE_TIMEOUT = 10.0
"""Seconds that a peer has to answer a close frame before the TCP connection is cut."""
FRAGMENT_LIMIT = 1_024
"""Frames one message may be cut into: empty ones cost memory and count towards no size."""
_PING = b"\x89\x00"


class PlainConnection:
    """One WebSocket, as the session sees it: `session.Connection`. `finished` is done when nothing more can come."""

    def __init__(self, ws: Any, outbox_limit: int) -> None:
        self._ws = ws
        self._protocol = ws.ws_proto
        self._io = ws.io_proto
        self._transport: asyncio.Transport = ws.io_proto.transport
        self._limit = outbox_limit
        self._owed = 0
        self._closing = False
        self._paused = False
        self._chunks: list[bytes] = []
        self._frames = 0
        self._abort: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._throttle: asyncio.Task[None] | None = None
        self.finished: asyncio.Future[None] = self._loop.create_future()
        # Writing is "paused" above the limit and "resumed" at a quarter of it: that is when commands go on.
        self._transport.set_write_buffer_limits(high=outbox_limit, low=outbox_limit // 4)

    def attach(self, session: Session) -> None:
        """From now on frames go to this session. Reading was paused since the handshake was admitted."""
        self._session = session
        self._ws.data_received = self._data_received
        self._ws.eof_received = self._eof_received
        self._ws.connection_lost_waiter.add_done_callback(self._connection_lost)
        # Bytes that came in one segment with the handshake have been read already.
        early = bytes(self._io.recv_buffer)
        self._io.recv_buffer.clear()
        if early:
            self._data_received(early)
        self._resume_reading()

    # ---- in ----

    def _data_received(self, data: bytes) -> None:
        session = self._session
        assert session is not None
        session.heard_at = time.monotonic()
        try:
            self._protocol.receive_data(data)
            self._write_control()
            for event in self._protocol.events_received():
                if isinstance(event, Frame) and not self._closing:
                    self._take(session, event)
        except Exception:
            logger.exception("a connection of user %s failed", session.user.id)
            session.close(CloseCode.SERVER_ERROR)
        if self._protocol.state is not State.OPEN:
            self._peer_closed()

    def _write_control(self) -> None:
        """Pongs, and the close frame that answers the peer's or a violation of the protocol."""
        for data in self._protocol.data_to_send():
            if data and not self._transport.is_closing():
                self._transport.write(data)
        if self._throttle is None and self.congested():
            # A peer that sends pings and does not read the answers is not read either.
            self._throttle = asyncio.ensure_future(self._wait_and_read_on())

    async def _wait_and_read_on(self) -> None:
        paused = self._paused
        self._pause_reading()
        await self.drained()
        self._throttle = None
        if not paused and not self._paused:
            self._resume_reading()

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

    def _peer_closed(self) -> None:
        """The closing handshake is done or under way by the peer's will; nothing more is said."""
        self._closing = True
        if self._session is not None:
            self._session.disconnected()
        self._finish_soon()

    def _eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._peer_closed()
        return False

    def _connection_lost(self, _: object) -> None:
        self._closing = True
        if self._abort is not None:
            self._abort.cancel()
        if self._throttle is not None:
            self._throttle.cancel()
        if self._session is not None:
            self._session.disconnected()
        if not self.finished.done():
            self.finished.set_result(None)

    # ---- out ----

    def push(self, frames: bytes, replies: int = 0) -> None:
        """Write room events; who is more than the limit behind with them is closed 4008."""
        if self._closing or self._protocol.state is not State.OPEN:
            return
        behind = self._transport.get_write_buffer_size()
        if replies:
            self._owed = min(self._owed, behind) + replies
        if behind > self._limit and behind - min(self._owed, behind) > self._limit:
            self._closing = True
            self._loop.call_soon(self._too_slow)
            return
        self._write(frames)

    def reply(self, frames: bytes) -> None:
        """Write replies: they are owed, so they do not count towards the limit."""
        if self._closing or self._protocol.state is not State.OPEN:
            return
        # At most `behind` bytes of what was owed can still be waiting.
        self._owed = min(self._owed, self._transport.get_write_buffer_size()) + len(frames)
        self._write(frames)

    def _write(self, data: bytes) -> None:
        try:
            self._transport.write(data)
        except RuntimeError:
            # uvloop: the handle is closed; asyncio: write after EOF. `connection_lost` follows.
            self._closing = True

    def ping(self) -> None:
        """Ask for a sign of life."""
        if not self._closing and self._protocol.state is State.OPEN:
            self._write(_PING)

    def _too_slow(self) -> None:
        self._closing = False
        if self._session is not None:
            self._session.close(CloseCode.SLOW_CONSUMER)

    def congested(self) -> bool:
        """More waits to be written than the limit."""
        return self._transport.get_write_buffer_size() > self._limit

    async def drained(self) -> None:
        """Return when a quarter of the limit is left, or the connection is gone."""
        await self._io._can_write.wait()

    # ---- pausing ----

    def pause(self) -> None:
        """The session's queue is full."""
        self._paused = True
        self._pause_reading()

    def resume(self) -> None:
        """It is not any more."""
        self._paused = False
        if self._throttle is None:
            self._resume_reading()

    def _pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    # ---- the end ----

    def close(self, code: int, text: str) -> None:
        """Send a close frame and throw away what still comes: closing the socket with unread bytes would cut off
        the close frame itself (TCP reset)."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, close_frame(code, text)[4:].decode())
            for data in self._protocol.data_to_send():
                if data:
                    self._write(data)
        self._closing = True
        self._paused = False
        self._resume_reading()
        self._finish_soon()

    def _finish_soon(self) -> None:
        """Who gets to the end when: after both close frames at once; after a violation when the peer hangs up; and
        whoever does neither is cut off."""
        if self._abort is None:
            self._abort = self._loop.call_later(CLOSE_TIMEOUT, self._transport.abort)
        if self._protocol.state is State.CLOSED or self._protocol.close_rcvd is not None:
            self._end()
        elif self._protocol.eof_sent and not self._transport.is_closing():
            self._hang_up()

    def _hang_up(self) -> None:
        # Half-close and read on: the peer sees the end, and unread bytes cause no reset that would eat the close frame.
        try:
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._loop.call_later(1.0, self._end)
        except RuntimeError:
            self._end()

    def _end(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)
