"""Replies and events as they go out: one JSON object each (docs/reference/protocol.md). Codecs of connections frame them."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from ..errors import ChatError, InvalidField, InvalidText
from ..models import Event
from ..support.clock import now
from ..support.ids import new_id
from .check import check_json
from .events import LiveEvent

__all__ = [
    "EMPTY",
    "ack",
    "encode",
    "encode_event",
    "encode_object",
    "error",
    "has_odd_float",
    "live",
    "live_event",
    "pong",
]

EMPTY = b"{}"
MAX_DEPTH = 128
"""How deep the payloads of an app may nest: what the setting for clients allows at most."""


class _Reply(msgspec.Struct, omit_defaults=True, rename="camel"):
    type: str
    timestamp: float
    payload: Any
    reply_to: str | None = None
    room: str | None = None


class _Live(msgspec.Struct, omit_defaults=True, rename="camel"):
    msg_id: str
    type: str
    timestamp: float
    payload: Any
    room: str | None = None
    sender: Any = None


_encoder = msgspec.json.Encoder()
encode = _encoder.encode
"""Any value -> JSON bytes."""


def encode_event(event: Event) -> bytes:
    """A durable event as every client gets it."""
    return _encoder.encode(event)


def ack(reply_to: str | None, payload: Any, timestamp: float | None = None) -> bytes:
    """The reply that says: done."""
    return _encoder.encode(_Reply("ack", timestamp or now(), payload, reply_to))


def pong(reply_to: str | None, payload: bytes) -> bytes:
    """The reply to `ping`."""
    return _encoder.encode(_Reply("pong", now(), msgspec.Raw(payload), reply_to))


def error(problem: ChatError, reply_to: str | None, room: str | None = None) -> bytes:
    """The reply that says: not done, and why."""
    return _encoder.encode(_Reply("error", now(), problem.payload(), reply_to, room))


def live(type: str, payload: Any, *, room: str | None = None, sender: Any = None) -> bytes:
    """An event without a number, of any type: what an app pushes."""
    return _encoder.encode(_Live(new_id(), type, now(), payload, room, sender))


def live_event(event: LiveEvent, *, room: str | None = None) -> bytes:
    """An event without a number that the server makes itself."""
    return live(event.type, event, room=room)


def encode_object(value: Mapping[str, Any], field: str) -> bytes:
    """An object that the app gives to be kept and sent.

    Raises `InvalidField` for what JSON cannot say, and `InvalidField` or `InvalidText` for what clients may not send either.
    """
    if not isinstance(value, Mapping):
        raise InvalidField(f"must be an object, and not {type(value).__name__}", field=field)
    try:
        data = encode(dict(value))
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidField(f"cannot be written as JSON: {exc}", field=field) from exc
    if b"null" in data and has_odd_float(value):  # the encoder writes null for those
        raise InvalidField("has a number that JSON cannot say (nan or inf)", field=field)
    try:
        check_json(data, max_depth=MAX_DEPTH)
    except InvalidField as problem:
        raise InvalidField(problem.message.partition(": ")[2], field=field) from None
    except InvalidText as problem:
        raise InvalidText(f"{field}: {problem.message}", field=field) from None
    return data


def has_odd_float(value: Any) -> bool:
    """Whether a value that can be encoded holds a number for which the encoder writes null: nan or inf."""
    left = [msgspec.to_builtins(value, str_keys=True)]
    while left:
        one = left.pop()
        if isinstance(one, float) and not isfinite(one):
            return True
        if isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            left += one
    return False
