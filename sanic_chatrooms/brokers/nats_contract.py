"""The names of nats-py that the package uses and nats-py does not document.

A release of nats-py may rename any of them. The first connection of a process is checked. Without one of the names everything
works, with more effort, and the log says so once.
"""

import logging
from typing import Any

__all__ = ["NEEDS", "abort", "may_be_in_cluster", "missing", "report"]

logger = logging.getLogger("sanic_chatrooms.nats")

NEEDS = {
    "_server_info": "after new subscriptions, rooms are compared with the store, which only a cluster needs",
    "_transport._bare_io_writer": "closing a connection to a server that does not read takes up to two seconds",
}
"""What a connected client must have, and what happens without it."""

_warned: set[str] = set()


def missing(client: Any) -> list[str]:
    """Those of the names that this connected client does not have."""
    return [path for path in NEEDS if _reach(client, path) is None]


def report(client: Any) -> None:
    """Log which names are missing, each once."""
    for path in missing(client):
        if path not in _warned:
            _warned.add(path)
            logger.warning("nats-py's client has no %s: %s", path, NEEDS[path])


def may_be_in_cluster(client: Any) -> bool:
    """Whether the client's server is one of several, which learn of a subscription one after the other."""
    info = _reach(client, "_server_info")
    return info is None or "cluster" in info


def abort(client: Any) -> None:
    """Close the socket now. `close` waits until everything is sent, forever if the server does not read."""
    writer = _reach(client, "_transport._bare_io_writer")
    if writer is not None:
        writer.transport.abort()


def _reach(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name, None)
    return client
