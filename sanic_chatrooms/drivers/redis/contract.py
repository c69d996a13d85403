"""The names of redis-py that the package uses and redis-py does not document.

A release of redis-py may rename any of them. Each connection is checked when it is opened. Without one of the names
redis-py's own stream is used, which is slower, and the log says so once, when the app starts.
"""

import logging
from collections.abc import Callable
from typing import Any

from .socket import Wire
from .stream import StreamWire

__all__ = ["INSTEAD", "NEEDS", "missing", "open_wire"]

logger = logging.getLogger("sanic_chatrooms.redis")

NEEDS = ("_writer.transport", "_parser.parse_error")
"""What a connection that redis-py has opened must have."""
INSTEAD = (
    "Redis is read through redis-py's own stream, which is slower: each call takes half as much CPU again"
)

_warned: set[str] = set()


def missing(connection: Any) -> str:
    """The first of the names that this connection does not have; "" if it has all."""
    for path in NEEDS:
        value = connection
        for name in path.split("."):
            value = getattr(value, name, None)
        if value is None:
            return path
    return ""


def open_wire(connection: Any, heard: Callable[[Any], None], ended: Callable[[], None]) -> Wire | StreamWire:
    """The fastest way to send and receive on this connection that works."""
    without = missing(connection)
    if not without:
        return Wire(connection, heard, ended)
    if without not in _warned:
        _warned.add(without)
        logger.warning("%s: redis-py's connections have no %s", INSTEAD, without)
    return StreamWire(connection, heard, ended)
