"""Keeps Sanic from half-closing a connection that is closed already.

Sanic does so at the end of every WebSocket. On uvloop that is an error, which Sanic before 25.12 logs with a traceback for
each peer that hangs up.
"""

from typing import Any

from sanic import __version__

__all__ = ["keep_from_closing_twice"]

SANIC_COMPLAINS = tuple(map(int, __version__.split(".")[:2])) < (25, 12)


def keep_from_closing_twice(ws: Any) -> None:
    """Call it once for a WebSocket, when Sanic has made the connection."""
    connection = getattr(ws, "io_proto", None)
    if SANIC_COMPLAINS and connection is not None:
        ws.io_proto = _Connection(connection)


class _Connection:
    """Sanic's connection as its WebSocket sees it: the same, but for the transport."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property
    def transport(self) -> Any:
        """None once the connection has none."""
        transport = self._connection.transport
        return transport and _Transport(transport)


class _Transport:
    """The same, but one that is closing has no half left to close."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def can_write_eof(self) -> bool:
        """Is there something to close?"""
        return not self._transport.is_closing() and bool(self._transport.can_write_eof())
