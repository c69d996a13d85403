"""A WebSocket of Sanic's as a session sees it: it writes, pauses and closes. A subclass reads.

Finished frames are written to the transport directly. The transport's own buffer is the queue, and the limit is a limit on
its size. No task waits for a slow reader.
"""

import asyncio
import logging
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from ...observe.ids import ids
from ...sessions.session import Session
from ...websocket.codec import FRAMES
from ...websocket.frames import PING
from ...wire.codes import CloseCode
from ..sanic_contract import FastParts
from .half_close import keep_from_closing_twice

__all__ = ["CLOSE_TIMEOUT", "SanicConnection", "patience"]

logger = logging.getLogger("sanic_chatrooms.web")

CLOSE_TIMEOUT = 10.0
"""Seconds that a peer has to answer a close frame before the TCP connection is cut."""
STRANGER_TIMEOUT = 3.0
"""The same for a peer that never authenticated."""
SLICE, TURN = 512, 0.001
"""Bytes of one connection that are processed between two looks at the clock, and seconds after which it is the turn of other
connections. A socket returns up to 256 KiB at once. Thousands of small commands in it would block the event loop, and would
be answered before the server can see whether the answers are read."""
JOINED = 4 * 1024
"""Bytes of events up to which they are copied behind the replies of a connection."""
MUCH = 64 * 1024
"""Bytes that a socket may return at once. After more, the system keeps only about so many for this connection: it would keep megabytes, and
copying, parsing and keeping what comes at once would delay others."""
ANSWERS, REST = 16, 0.004
"""Immediate answers (errors, pongs) that one chunk may cause before its connection rests, and for how many seconds it rests.
A client that sends nothing but such commands gets some thousand answers a second, and the others hardly notice."""


def patience(session: Session | None) -> float:
    """Seconds that this peer has to answer a close frame."""
    return CLOSE_TIMEOUT if session is None or session.authenticated else STRANGER_TIMEOUT


class SanicConnection(ABC):
    """One WebSocket: `session.Connection`. `finished` is done when nothing more can come.

    `_closing`: nothing more is written, and messages are ignored. `_answered`: the peer has sent its close frame. `_gone`: it
    has closed its half. `_violated`: it broke the protocol, so its close frame is not awaited.
    """

    __slots__ = (
        "_abort", "_answered", "_closing", "_gone", "_io", "_later", "_limit", "_loop", "_owed", "_parts", "_paused", "_protocol",
        "_session", "_throttle", "_transport", "_violated", "_ws", "check_every", "finished", "write",
    )  # fmt: skip
    codec = FRAMES

    def __init__(self, ws: Any, parts: FastParts, outbox_limit: int) -> None:
        self._ws = ws
        self._protocol = ws.ws_proto
        self._io = ws.io_proto
        keep_from_closing_twice(ws)
        self._begin(self._io.transport, parts, outbox_limit)
        self.finished: asyncio.Future[None] = self._loop.create_future()

    def _begin(self, transport: asyncio.Transport, parts: FastParts, outbox_limit: int) -> None:
        """What a connection has that knows nothing of Sanic's objects, too."""
        self._parts = parts
        self._transport = transport
        self._limit = outbox_limit
        self.write: Callable[[bytes], None] = transport.write
        self.check_every = outbox_limit // 16
        self._owed = 0
        self._closing = False
        self._answered = False
        self._gone = False
        self._violated = False
        self._paused = False
        self._later = b""
        self._abort: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._throttle: asyncio.Task[None] | None = None
        # Writing is "paused" above the first and "resumed" at the second: that is when commands go on.
        transport.set_write_buffer_limits(high=outbox_limit // 4, low=outbox_limit // 16)

    def serve(self, session: Session) -> Awaitable[None]:
        """Give the session what comes; the result is done when nothing more can come."""
        self.attach(session)
        return self.finished

    def attach(self, session: Session) -> None:
        """Pass frames to this session from now on. Reading has been paused since the handshake was admitted."""
        self._session = session
        self._later = self._take_over()
        if self._later or self._reading_stops():
            self._read_on()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def _take_over(self) -> bytes:
        """Take from now on what comes; -> what came in one segment with the handshake, and has been read already."""
        self._end_timer()
        early = bytes(self._io.recv_buffer)
        self._io.recv_buffer.clear()
        self._receive()
        return early

    def _end_timer(self) -> None:
        """Sanic's timer for HTTP time-outs has nothing left to do, and would keep 25 KB of this connection alive for half a
        minute after its end."""
        timer = getattr(self._io, "_callback_check_timeouts", None)
        if timer is not None:
            timer.cancel()

    def _receive(self) -> None:
        """Take from now on what Sanic receives."""
        self._ws.data_received = self._data_received
        self._ws.eof_received = self._eof_received
        self._ws.connection_lost_waiter.add_done_callback(self._connection_lost)
        # The assembler of messages has nothing left to do: 4 KB, a sixth of what an idle connection takes; nor has the event by which
        # HTTP waits for bytes: 0.8 KB. Sanic itself looks whether it is there.
        self._ws.assembler = None
        if hasattr(self._io, "_data_received"):
            self._io._data_received = None

    def leave_handler(self, session: Session, ended: Callable[[str], None], ip: str) -> None:
        """Sanic's handler ends, and the connection with it: call `ended` with the IP."""
        session.disconnected()
        ended(ip)

    # ---- in ----

    def _data_received(self, data: bytes) -> None:
        session = self._session
        assert session is not None
        if data:
            session.liveness.heard_at = time.monotonic()
            session.dispatcher.received.count += len(data)
        answered = session.answered
        try:
            if len(data) <= SLICE or self._closing:
                self._read(session, data)
            else:
                self._read_for_a_turn(session, data)
        except Exception:
            logger.exception(
                "a connection of user %s failed",
                session.user.id,
                extra=ids(connection=session.id, user=session.user.id),
            )
            session.close(CloseCode.SERVER_ERROR)
        if self._later:
            session.dispatcher.received.count -= len(self._later)  # it is counted when its turn comes
            self._pause_reading()
            if session.answered - answered >= ANSWERS:
                self._loop.call_later(REST, self._read_on)
            else:
                self._loop.call_soon(self._read_on)
        # Nearly always nothing waits, and every chunk asks.
        waits = self._transport.get_write_buffer_size()
        if waits and self._throttle is None and not self._closing and session.held_up():
            self._throttle = asyncio.ensure_future(self._wait_and_read_on())

    def _read_for_a_turn(self, session: Session, data: bytes) -> None:
        if len(data) > MUCH:
            self._narrow()
        at, ends, most = 0, time.monotonic() + TURN, session.answered + ANSWERS
        while at < len(data):
            # The rest of a large frame is a copy, and no work.
            size = max(SLICE, self._missing())
            self._read(session, data[at : at + size])
            at += size
            if session.answered >= most or time.monotonic() > ends:
                self._later = data[at:]
                return

    def _narrow(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MUCH)

    @abstractmethod
    def _read(self, session: Session, data: bytes) -> None:
        """Take bytes from the socket: pass messages to the session, answer control frames."""

    @abstractmethod
    def _missing(self) -> int:
        """Bytes that are missing until a frame is complete."""

    async def _wait_and_read_on(self) -> None:
        """A peer that does not read its answers is not read either."""
        self._pause_reading()
        await self.drained()
        self._throttle = None
        self._read_on()

    def _read_on(self) -> None:
        """Read again unless something forbids it, and first process what was read already."""
        if self._session is not None and not self._reading_stops():
            later, self._later = self._later, b""
            self._data_received(later)
            if not self._reading_stops() and not self._later and not self._transport.is_closing():
                self._transport.resume_reading()

    def _reading_stops(self) -> bool:
        return self._paused or self._throttle is not None

    def _peer_closed(self) -> None:
        """The peer has closed; nothing more is written."""
        self._closing = True
        if self._session is not None:
            self._session.disconnected()
        self._finish_soon()

    def _eof_received(self) -> bool:
        self._gone = True
        self._peer_closed()
        return False

    def _connection_lost(self, _: object) -> None:
        self._closing = True
        self._later = b""
        if self._abort is not None:
            self._abort.cancel()
        self._stop_throttle()
        if self._session is not None:
            self._session.disconnected()
        self._end()

    # ---- out ----

    def _is_open(self) -> bool:
        """Has no close frame been written?"""
        return self._protocol.state is self._parts.open

    def _shut(self) -> None:
        """A close frame is written: keep Sanic from sending one of its own."""
        self._protocol.state = self._parts.closing

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """Write replies and room events. A peer that is more than the limit behind with events is closed with 4008."""
        if self._closing or not self._is_open():
            return
        behind = self._transport.get_write_buffer_size()
        if replies:
            owed = self._owed
            self._owed = (owed if owed < behind else behind) + len(replies)  # noqa: FURB136 - `min` costs twice the rest
        if behind > self._limit and behind - min(self._owed, behind) > self._limit:
            self._closing = True
            self._loop.call_soon(self._too_slow)
            return
        if replies:
            self._write_both(replies, data)
        else:
            self._write(data)

    def reply(self, data: bytes) -> None:
        """Write replies. The peer asked for them, so they do not count towards the limit."""
        if self._closing or not self._is_open():
            return
        # At most `behind` bytes of what was owed can still be waiting.
        owed, behind = self._owed, self._transport.get_write_buffer_size()
        self._owed = (owed if owed < behind else behind) + len(data)  # noqa: FURB136 - `min` costs twice the rest
        self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            self._transport.write(data)
        except RuntimeError:
            # uvloop: the handle is closed; asyncio: write after EOF. `connection_lost` follows.
            self._closing = True

    def _write_both(self, replies: bytes, data: bytes) -> None:
        # It is one write in any case. A list costs a little more, but where all talk at a time, each connection would copy what the
        # whole room says.
        try:
            if len(data) <= JOINED:
                self._transport.write(replies + data)
            else:
                self._transport.writelines((replies, data))
        except RuntimeError:
            self._closing = True

    def ping(self) -> None:
        """Send a ping, which the peer has to answer."""
        if not self._closing and self._is_open():
            self._write(PING)

    def _too_slow(self) -> None:
        self._closing = False
        if self._session is not None:
            self._session.close(CloseCode.SLOW_CONSUMER)

    def congested(self) -> bool:
        """Does more than the limit wait to be written?"""
        return self._transport.get_write_buffer_size() > self._limit

    def owing(self) -> bool:
        """Does more than a quarter of the limit wait? Or did it, and does more than a sixteenth still wait?"""
        waits = self._transport.get_write_buffer_size()
        # Nearly always nothing does: every message asks.
        return waits > 0 and (waits > self._limit // 4 or self._is_full())

    def _is_full(self) -> bool:
        """Has the transport paused writing?"""
        return not self._io._can_write.is_set()

    async def drained(self) -> None:
        """Return when at most a sixteenth of the limit waits, or the connection is gone."""
        await asyncio.sleep(0)  # uvloop writes, and looks how much is left, at the end of a turn
        await self._io._can_write.wait()

    def behind(self) -> int:
        """Bytes that wait in the transport's buffer."""
        return self._transport.get_write_buffer_size()

    def cut(self) -> None:
        """Drop the connection without a close frame, which the peer would not read."""
        self._transport.abort()

    # ---- pausing ----

    def pause(self) -> None:
        """Read no more: the session's queue is full."""
        self._paused = True
        self._pause_reading()

    def resume(self) -> None:
        """Read again: the session's queue has room."""
        self._paused = False
        self._loop.call_soon(self._read_on)

    def _pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _stop_throttle(self) -> None:
        if self._throttle is not None:
            self._throttle.cancel()
            self._throttle = None

    # ---- the end ----

    def close(self, code: int, text: str) -> None:
        """Send a close frame, and read and discard what still comes: closing a socket with unread bytes resets the TCP
        connection, and the peer might lose the close frame."""
        if self._is_open():
            self._send_close(code, text)
        self._closing = True
        self._paused = False
        self._stop_throttle()
        self._loop.call_soon(self._read_on)
        self._finish_soon()

    @abstractmethod
    def _send_close(self, code: int, text: str) -> None:
        """Write a close frame, and `_shut`."""

    def _finish_soon(self) -> None:
        """Hang up once both sides have sent a close frame, or the peer broke the protocol. A peer that does not hang up in
        time is cut off."""
        if self._abort is None:
            self._abort = self._loop.call_later(patience(self._session), self._transport.abort)
        if self._gone:
            self._end()
        elif (self._answered or self._violated) and not self._transport.is_closing():
            self._hang_up()

    def _hang_up(self) -> None:
        """Half-close and read on (RFC 6455 §7.1.1): the peer sees the end, and unread bytes cause no reset."""
        try:
            if self._transport.can_write_eof():
                self._transport.write_eof()
            elif self._answered:
                self._end()  # TLS reads on by itself
            else:
                self._loop.call_later(1.0, self._end)
        except (RuntimeError, OSError):  # it is closing, or the peer has reset it already
            self._end()

    def _end(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)
