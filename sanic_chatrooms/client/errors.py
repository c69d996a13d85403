"""Why a command failed: the server's errors as the classes of `sanic_chatrooms.errors`, and those of the client itself."""

from collections.abc import Mapping
from typing import Any

from .. import errors
from ..errors import ChatError

__all__ = [
    "UNKNOWN_OUTCOME",
    "ClientClosed",
    "ConnectionLost",
    "NoAnswer",
    "OutboxFull",
    "error_of",
    "retry_after",
]

LONGEST_RETRY = 300.0
"""Seconds that a server may ask a client to wait, at most."""


class ConnectionLost(ChatError):
    """The connection broke before the answer came."""

    code = "lost"
    temporary = True
    default = "the connection broke before the answer came"


class NoAnswer(ChatError):
    """The server did not answer in time."""

    code = "timeout"
    temporary = True
    default = "no answer in time"


class ClientClosed(ChatError):
    """The client is closed. `closeCode` in `fields`: the code with which the server ended the connection for good, if it did."""

    code = "closed"
    default = "the client is closed; connect() opens it"


class OutboxFull(ChatError):
    """Too many commands wait in this client."""

    code = "outbox_full"
    temporary = True
    default = "too many commands wait to be sent"


class _OfServer(ChatError):
    """An error whose code this version does not know, for example one of the app."""

    code: str  # type: ignore[misc] # each has its own
    temporary: bool  # type: ignore[misc]


def _classes(base: type[ChatError]) -> dict[str, type[ChatError]]:
    found: dict[str, type[ChatError]] = {}
    for kind in base.__subclasses__():
        if kind.__module__ == errors.__name__:
            found[kind.code] = kind
            found |= _classes(kind)
    return found


_CLASSES = _classes(ChatError)
UNKNOWN_OUTCOME = frozenset(("lost", "closed", "timeout", "unavailable"))
"""Codes after which a durable command may have been stored."""


def error_of(payload: Mapping[str, Any]) -> ChatError:
    """The error that a server's payload describes, whatever is in it."""
    code, message = payload.get("code"), payload.get("message")
    code = code if isinstance(code, str) else "internal"
    kind = _CLASSES.get(code, _OfServer)
    error = kind.__new__(kind)
    ChatError.__init__(error, message if isinstance(message, str) else code)
    if isinstance(error, _OfServer):
        error.code, error.temporary = code, payload.get("temporary") is True
    known = ("code", "message", "temporary")
    error.fields = {key: value for key, value in payload.items() if key not in known}
    return error


def retry_after(error: ChatError) -> float | None:
    """Seconds to wait before the command is repeated, if the server has named them."""
    return seconds(error.fields.get("retryAfter"))


def seconds(value: object) -> float | None:
    """A duration that a server has sent; None if it makes no sense."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return float(min(value, LONGEST_RETRY))
