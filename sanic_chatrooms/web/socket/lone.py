"""The fast edge of a connection that Sanic has let go: after Sanic's handshake, it is the protocol of its transport itself.

Otherwise Sanic keeps for each connection three tasks, the request, its HTTP parser and its WebSocket: more than half of what an idle
connection takes. The handler returns at once. The connection stays in the set of Sanic's connections, so that the end of the server waits for it.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

from ...sessions.session import Session
from ...wire.codes import CloseCode
from ..sanic_contract import FastParts
from .fast import FastConnection

__all__ = ["LoneConnection"]


class LoneConnection(FastConnection, asyncio.Protocol):
    """One WebSocket, and the protocol of its transport."""

    __slots__ = ("_connections", "_ended", "_full", "_ip", "_open", "_writable")

    def _begin(self, transport: asyncio.Transport, parts: FastParts, outbox_limit: int) -> None:
        self._connections: set[Any] | None = None
        """Sanic's connections; None: it still has this one."""
        self._ended: Callable[[str], None] | None = None
        self._ip = ""
        self._full = False
        self._open = True
        self._writable: asyncio.Future[None] | None = None
        super()._begin(transport, parts, outbox_limit)

    async def serve(self, session: Session) -> None:
        """Give the session what comes, and return at once, unless the connection is lost already."""
        if self._ws.connection_lost_waiter.done():
            await super().serve(session)
        else:
            # What is begun here would keep the request: Sanic has put it into the context.
            Context().run(self.attach, session)

    def _receive(self) -> None:
        if self._ws.connection_lost_waiter.done():
            super()._receive()
            return
        ws, io = self._ws, self._io
        self._full = not io._can_write.is_set()
        # Without a transport and in this state, there is nothing left that Sanic could close. Its task for that ends, and so do the
        # cycles of its objects, which would wait for the garbage collector.
        self._protocol.state = self._parts.closing
        io.transport = None
        ws.end_connection(CloseCode.GOING_AWAY)
        ws.assembler = io.websocket = None
        self._connections = io.connections
        self._connections.discard(io)
        self._connections.add(self)
        self._transport.set_protocol(self)
        del self._io, self._protocol, self._ws, self.finished

    def leave_handler(self, session: Session, ended: Callable[[str], None], ip: str) -> None:
        """Sanic's handler ends, and the connection goes on: call `ended` with the IP at its end."""
        if self._session is not None and self._connections is not None:
            self._ended, self._ip = ended, ip
        else:
            super().leave_handler(session, ended, ip)

    # ---- what the transport calls ----

    data_received = FastConnection._data_received

    def eof_received(self) -> bool:
        """The peer has closed its half: the transport closes the other one."""
        return self._eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more can come."""
        self._connection_lost(exc)
        self.resume_writing()
        self._session = self._reader = None  # they hold each other, and would wait for the garbage collector
        if self._connections is not None:
            self._connections.discard(self)
        if self._ended is not None:
            self._ended(self._ip)

    def pause_writing(self) -> None:
        """A quarter of the limit waits to be written."""
        self._full = True

    def resume_writing(self) -> None:
        """At most a sixteenth still waits, or nobody will read it."""
        self._full = False
        writable, self._writable = self._writable, None
        if writable is not None:
            writable.set_result(None)

    # ---- what Sanic calls at the end of the server ----

    @property
    def websocket(self) -> "LoneConnection":
        """Itself: to Sanic, this is a connection with a WebSocket."""
        return self

    def close_if_idle(self) -> bool:
        """Close it; False: it is not closed yet."""
        if self._session is None or self._session.closed:
            self._transport.close()  # the peer was told, and had the time to answer
        else:
            self._session.close(CloseCode.GOING_AWAY)
        return False

    def fail_connection(self, code: int) -> None:
        """The time for closing is over."""
        self._transport.abort()

    # ---- what Sanic's objects know otherwise ----

    def _is_open(self) -> bool:
        return self._open

    def _shut(self) -> None:
        self._open = False
        if self._connections is None:
            super()._shut()

    def _is_full(self) -> bool:
        return self._full

    async def drained(self) -> None:
        """See `SanicConnection.drained`."""
        await asyncio.sleep(0)
        if self._full:
            if self._writable is None:
                self._writable = self._loop.create_future()
            await asyncio.shield(self._writable)  # others may wait for it as well

    def _end(self) -> None:
        if self._connections is None:
            super()._end()
        else:
            self._transport.close()
