"""Opens one WebSocket, or says why the server refused it."""

import json
from collections.abc import Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from ..errors import ChatError, Unauthenticated, Unavailable
from .errors import ClientClosed, error_of, seconds

__all__ = ["Refused", "dial"]

LARGEST = 16 * 1024 * 1024
"""Bytes of a frame that the client takes."""


class _Connect(connect):
    """The token is for this address only: a redirect is an answer like any other."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Do not follow it."""
        return exc


class Refused(Exception):
    """The handshake was answered with this status."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers
        self.wait = _number(headers.get("Retry-After"))
        self.error = _problem(status, body)


async def dial(url: str, token: str | None, given: Mapping[str, Any]) -> ClientConnection:
    """Connect. `given`: keywords for `websockets.connect`. Raises `Refused`, `OSError`."""
    headers = dict(given.get("additional_headers") or {})
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    options: dict[str, Any] = {
        "compression": None,
        "max_size": LARGEST,
        "ping_interval": None,  # a ping of the protocol is answered by the chat and not by its machine
        "open_timeout": None,
        "close_timeout": 5.0,
        **given,
        "additional_headers": headers,
        "subprotocols": [Subprotocol("chatrooms.v1")],
    }
    try:
        return await _Connect(url, **options)
    except InvalidStatus as refused:
        answer = refused.response
        raise Refused(answer.status_code, answer.headers, bytes(answer.body or b"")) from None
    except InvalidHandshake as problem:
        raise OSError(str(problem)) from problem


def _number(text: str | None) -> float | None:
    try:
        return seconds(float(text)) if text is not None else None
    except ValueError:
        return None


def _problem(status: int, body: bytes) -> ChatError:
    """The problem document of an answer, or what its status says."""
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        problem = None
    if isinstance(problem, dict) and isinstance(problem.get("code"), str):
        extra = {
            key: value for key, value in problem.items() if key not in ("type", "title", "status", "detail")
        }
        return error_of({**extra, "message": problem.get("detail")})
    if status == 401:
        return Unauthenticated(f"the server answered with HTTP {status}")
    if status in (429, 503):
        return Unavailable(f"the server answered with HTTP {status}")
    return ClientClosed(f"the server answered with HTTP {status}; is this the address of a chat's socket?")
