"""The fast edge of a connection that came in by the door (`door.py`): Sanic has never had it."""

import asyncio
from contextvars import Context
from typing import Any

from ...sessions.session import Session
from ..sanic_contract import FastParts
from .lone import LoneConnection

__all__ = ["DirectConnection"]


class DirectConnection(LoneConnection):
    """One WebSocket, and the protocol of its transport from the handshake on. `early`: what came in one segment with the handshake."""

    __slots__ = ()

    def __init__(
        self,
        transport: asyncio.Transport,
        connections: set[Any],
        parts: FastParts,
        outbox_limit: int,
        max_size: int,
        *,
        early: bytes,
    ) -> None:
        self._max_size = max_size
        self._reader = None
        self._begin(transport, parts, outbox_limit)
        self._later = early
        self._connections = connections
        connections.add(self)
        transport.set_protocol(self)

    async def serve(self, session: Session) -> None:
        """Give the session what comes, and return at once."""
        assert self._connections is not None
        if self in self._connections:  # else it is lost already
            Context().run(self.attach, session)

    def _take_over(self) -> bytes:
        return self._later
