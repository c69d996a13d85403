"""The join of a connection whose path names a room: `/ws/<room>?history=n&since=epoch:seq`."""

from collections.abc import Mapping
from typing import Any

from ..wire.decode import Command
from ..wire.encode import encode

__all__ = ["by_path"]

MSG_ID = "join"
"""`replyTo` of its ack; too short for the msgId of a client."""


def by_path(room: str, query: Mapping[str, str]) -> Command:
    """The join, as a command of the connection."""
    return Command("join", MSG_ID, room, _payload(query))


def _payload(query: Mapping[str, str]) -> bytes:
    """`?history=n` and `?since=epoch:seq` as the payload of a join. A value that is not a number stays text, which is refused later."""
    payload: dict[str, Any] = {}
    if "history" in query:
        payload["history"] = _number(query["history"])
    if "since" in query:
        epoch, _, seq = query["since"].rpartition(":")
        payload["since"] = {"epoch": epoch, "seq": _number(seq)}
    return encode(payload)


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text
