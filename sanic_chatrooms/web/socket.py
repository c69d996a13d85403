"""A WebSocket of Sanic's as the session sees it: bytes out, pausing, the end. How bytes come in is a subclass's business.

Frames are written to the transport directly, ready made: the transport's own buffer is the queue, and its size the
limit. Nobody waits for a slow reader.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from typing import Any

from websockets.protocol import State

from ..protocol import CloseCode
from ..session import Session

__all__ = ["CLOSE_TIMEOUT", "SanicConnection"]

logger = logging.getLogger("sanic_chatrooms.web")

CLOSE_TIMEOUT = 10.0
"""Seconds that a peer has to answer a close frame before the TCP connection is cut."""
_PING = b"\x89\x00"


class SanicConnection(ABC):
    """One WebSocket: `session.Connection`. `finished` is done when nothing more can come.

    `_closing`: nothing is written or taken any more. `_answered`: the peer has sent its close frame. `_violated`: the
    peer broke the protocol, so its close frame is not waited for.
    """

    def __init__(self, ws: Any, outbox_limit: int) -> None:
        self._ws = ws
        self._protocol = ws.ws_proto
        self._io = ws.io_proto
        self._transport: asyncio.Transport = ws.io_proto.transport
        self._limit = outbox_limit
        self._owed = 0
        self._closing = False
        self._answered = False
        self._violated = False
        self._paused = False
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
        self._end_http()
        # Bytes that came in one segment with the handshake have been read already.
        early = bytes(self._io.recv_buffer)
        self._io.recv_buffer.clear()
        if early:
            self._data_received(early)
        self._resume_reading()

    def _end_http(self) -> None:
        """Sanic's timer for HTTP time-outs has nothing left to do, but would keep 25 KB of this connection for half a
        minute after its end."""
        timer = getattr(self._io, "_callback_check_timeouts", None)
        if timer is not None:
            timer.cancel()

    # ---- in ----

    def _data_received(self, data: bytes) -> None:
        session = self._session
        assert session is not None
        session.heard_at = time.monotonic()
        try:
            self._read(session, data)
        except Exception:
            logger.exception("a connection of user %s failed", session.user.id)
            session.close(CloseCode.SERVER_ERROR)

    @abstractmethod
    def _read(self, session: Session, data: bytes) -> None:
        """Take what the socket gave: hand messages to the session, answer control frames."""

    def _throttle_reading(self) -> None:
        """A peer that sends pings and does not read the answers is not read either."""
        if self._throttle is None and self.congested():
            self._throttle = asyncio.ensure_future(self._wait_and_read_on())

    async def _wait_and_read_on(self) -> None:
        self._pause_reading()
        await self.drained()
        self._throttle = None
        if not self._paused:
            self._resume_reading()

    def _peer_closed(self) -> None:
        """The closing handshake is done or under way by the peer's will; nothing more is said."""
        self._closing = True
        if self._session is not None:
            self._session.disconnected()
        self._finish_soon()

    def _eof_received(self) -> bool:
        self._answered = True
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
            self._send_close(code, text)
        self._closing = True
        self._paused = False
        self._resume_reading()
        self._finish_soon()

    @abstractmethod
    def _send_close(self, code: int, text: str) -> None:
        """Write a close frame, so that Sanic sends none of its own."""

    def _finish_soon(self) -> None:
        """Who gets to the end when: after both close frames at once; after a violation when the peer hangs up; and
        whoever does neither is cut off."""
        if self._abort is None:
            self._abort = self._loop.call_later(CLOSE_TIMEOUT, self._transport.abort)
        if self._answered:
            self._end()
        elif self._violated and not self._transport.is_closing():
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
