"""The plain edge: a WebSocket by what Sanic offers every app: `recv`, `send`, `ping` and `end_connection`.

Used where `sanic_contract.probe` finds that the installed Sanic is not what the fast edge was made for. The chat is the same, and
costs more: a task for each connection while it is written to, and one write for each frame. A flood of pings is bounded in
memory, but not refused.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from sanic.exceptions import SanicException
from websockets.exceptions import ConnectionClosed

from ...models import Envelope
from ...observe.ids import ids
from ...sessions.session import Session
from ...wire.codes import CloseCode
from .base import patience
from .half_close import keep_from_closing_twice

__all__ = ["PlainConnection"]

logger = logging.getLogger("sanic_chatrooms.web")

_PING = None
_CHUNKS = 4
"""Chunks that Sanic may process at a time. It makes a task of each, however many wait."""


class Records:
    """A codec of the hub's: texts one after the other, each behind a character that no JSON text has (RFC 7464)."""

    SEPARATOR = b"\x1e"

    def event(self, envelope: Envelope) -> bytes:
        """The event as one record."""
        return self.SEPARATOR + envelope.data

    def reply(self, text: bytes) -> bytes:
        """The text as one record."""
        return self.SEPARATOR + text

    def texts(self, records: bytes) -> list[bytes]:
        """The texts of these records."""
        return records.split(self.SEPARATOR)[1:]


RECORDS = Records()


class PlainConnection:
    """One WebSocket: `session.Connection`. What waits to be written is kept here; the limit is a limit on its size."""

    codec = RECORDS
    check_every = 0
    """What waits is kept here and not in the transport, so each write is checked."""

    def __init__(self, ws: Any, outbox_limit: int, max_size: int) -> None:
        self._ws = ws
        self._max_size = max_size
        self._transport: Any = getattr(getattr(ws, "io_proto", None), "transport", None)
        keep_from_closing_twice(ws)
        self._limit = outbox_limit
        self._outbox: deque[bytes | None] = deque()
        self._behind = 0
        self._owed = 0
        self._closing: tuple[int, str] | None = None
        self._ended = False
        self._reading = asyncio.Event()
        self._reading.set()
        self._writable = asyncio.Event()
        self._writable.set()
        self._writer: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None
        self._session: Session | None = None

    async def serve(self, session: Session) -> None:
        """Pass what comes to the session, until nothing more can come."""
        self._session = session
        self._mend_text(session)
        self._mend_floods()
        self._hear_early_bytes()
        try:
            while not self._ended:
                await self._reading.wait()
                self._take(session, await self._ws.recv())
        except (ConnectionClosed, SanicException):
            pass
        except asyncio.CancelledError:
            # Sanic says by this, too, that the peer has closed; a cancellation that is meant is counted.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        finally:
            self._stop()
            session.disconnected()

    def leave_handler(self, session: Session, ended: Callable[[str], None], ip: str) -> None:
        """See `SanicConnection.leave_handler`."""
        session.disconnected()
        ended(ip)

    def _mend_text(self, session: Session) -> None:
        """Close with 1007 at text that is not UTF-8 (RFC 6455 §8.1). Sanic drops it, with a traceback from a task of its own."""
        process = getattr(self._ws, "process_events", None)
        if process is None:
            return

        async def process_events(events: Any) -> None:
            try:
                await process(events)
            except UnicodeDecodeError:
                session.close(CloseCode.BAD_UTF8)

        self._ws.process_events = process_events

    def _mend_floods(self) -> None:
        """Pause reading while many chunks wait. Sanic reads on while answers to pings cannot be written, and keeps them all."""
        take = getattr(self._ws, "async_data_received", None)
        transport = self._transport
        if take is None or transport is None:
            return
        under_way = 0

        async def async_data_received(data_to_send: Any, events: Any) -> None:
            nonlocal under_way
            under_way += 1
            if under_way == _CHUNKS and not transport.is_closing():
                transport.pause_reading()
            try:
                await take(data_to_send, events)
            finally:
                under_way -= 1
                if under_way == _CHUNKS - 1 and not transport.is_closing():
                    transport.resume_reading()

        self._ws.async_data_received = async_data_received

    def _hear_early_bytes(self) -> None:
        # Sanic forgets bytes that came in one segment with the handshake. Where they can be found, they are processed.
        early = getattr(getattr(self._ws, "io_proto", None), "recv_buffer", None)
        if early:
            self._ws.data_received(bytes(early))
            early.clear()

    def _take(self, session: Session, message: str | bytes | None) -> None:
        session.liveness.heard_at = time.monotonic()
        if self._closing is not None or message is None:
            return
        if not isinstance(message, str):
            session.close(CloseCode.BINARY)
            return
        data = message.encode()
        session.dispatcher.received.count += len(data)
        if len(data) > self._max_size:  # Sanic refuses it, where it lets itself be told the limit
            session.close(CloseCode.TOO_BIG)
            return
        try:
            session.receive(data)
        except Exception:
            logger.exception(
                "a connection of user %s failed",
                session.user.id,
                extra=ids(connection=session.id, user=session.user.id),
            )
            session.close(CloseCode.SERVER_ERROR)

    # ---- out ----

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """Write replies and room events. A peer that is more than the limit behind with events is closed with 4008."""
        self._owed = min(self._owed, self._behind) + len(replies)
        if self._closing is None and self._behind - self._owed > self._limit:
            self._closing = (CloseCode.SLOW_CONSUMER, "")
            asyncio.get_running_loop().call_soon(self._too_slow)
        self.write(replies + data)

    def reply(self, data: bytes) -> None:
        """Write replies. The peer asked for them, so they do not count towards the limit."""
        self._owed = min(self._owed, self._behind) + len(data)
        self.write(data)

    def ping(self) -> None:
        """Send a ping, which the peer has to answer."""
        if self._closing is None:
            self._outbox.append(_PING)
            self._start_writing()

    def write(self, data: bytes) -> None:
        """Queue whole records to be written."""
        if self._closing is not None:
            return
        for text in RECORDS.texts(data):
            self._outbox.append(text)
            self._behind += len(text)
        if self._behind > self._limit // 4:
            self._writable.clear()
        self._start_writing()

    def _start_writing(self) -> None:
        if self._writer is None:
            self._writer = asyncio.ensure_future(self._write_out())

    async def _write_out(self) -> None:
        try:
            while self._outbox:
                await self._send(self._outbox.popleft())
        except (ConnectionClosed, SanicException, RuntimeError):
            self._forget()  # the peer is gone; `recv` hears of it
        finally:
            self._writer = None
        if self._closing is not None:
            self._end()

    async def _send(self, text: bytes | None) -> None:
        if text is _PING:
            (await self._ws.ping()).add_done_callback(self._pong)
            return
        await self._ws.send(text.decode())
        self._behind -= len(text)
        if self._behind <= self._limit // 16:
            self._writable.set()

    def _pong(self, answer: "asyncio.Future[None]") -> None:
        if not answer.cancelled() and answer.exception() is None and self._session is not None:
            self._session.liveness.heard_at = time.monotonic()
            self._session.ponged()

    def _too_slow(self) -> None:
        self._forget()
        self._closing = None
        if self._session is not None:
            self._session.close(CloseCode.SLOW_CONSUMER)

    def _forget(self) -> None:
        self._outbox.clear()
        self._behind = 0
        self._writable.set()

    def congested(self) -> bool:
        """Does more than the limit wait to be written?"""
        return self._behind > self._limit

    def owing(self) -> bool:
        """Does more than a quarter of the limit wait? Or did it, and does more than a sixteenth still wait?"""
        return not self._writable.is_set()

    async def drained(self) -> None:
        """Return when at most a sixteenth of the limit waits, or the connection is gone."""
        await self._writable.wait()

    def behind(self) -> int:
        """Bytes that wait here."""
        return self._behind

    def cut(self) -> None:
        """Discard what waits; Sanic ends the connection."""
        self._forget()

    # ---- pausing ----

    def pause(self) -> None:
        """Read no more: the session's queue is full."""
        self._reading.clear()

    def resume(self) -> None:
        """Read again: the session's queue has room."""
        self._reading.set()

    # ---- the end ----

    def close(self, code: int, text: str) -> None:
        """Close after everything that waits has been written; at once if the peer does not read it."""
        if self._closing is not None:
            return
        self._closing = (code, text)
        self._reading.set()
        if self._writer is None or code == CloseCode.SLOW_CONSUMER:
            self._end()
        else:
            asyncio.get_running_loop().call_later(patience(self._session), self._end)

    def _end(self) -> None:
        if self._ended or self._closing is None:
            return
        self._ended = True
        self._writable.set()
        self._ws.close_timeout = patience(self._session)
        end = getattr(self._ws, "end_connection", None)
        if end is not None:
            end(*self._closing)
        else:
            self._closer = asyncio.ensure_future(self._close(*self._closing))

    async def _close(self, code: int, text: str) -> None:
        await self._ws.close(code, text)
        await asyncio.sleep(patience(self._session))
        if self._transport is not None:
            self._transport.abort()

    def _stop(self) -> None:
        self._ended = True
        self._writable.set()
        for task in (self._writer, self._closer):
            if task is not None:
                task.cancel()
