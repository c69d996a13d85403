"""The wire, version 1: commands in, replies and events out, close codes (docs/reference/protocol.md).

One WebSocket text frame is one JSON object, in both directions:

    {"type": "message", "msgId": "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11", "room": "general", "payload": {"text": "hi"}}
"""

import enum
import os
import re
import time
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from ..errors import BadFrame, ChatError, InvalidField
from ..models import Event
from .check import check_json, check_values, without_surrogates

__all__ = [
    "EMPTY",
    "PROTOCOL",
    "SUBPROTOCOL",
    "CloseCode",
    "Command",
    "ack",
    "check_room_id",
    "check_type",
    "close_frame",
    "decode_command",
    "decode_payload",
    "encode",
    "encode_event",
    "error",
    "frame",
    "is_event_type",
    "is_ours",
    "live",
    "new_epoch",
    "new_id",
    "now",
    "pong",
    "reason",
    "reconnects",
    "texts",
]

PROTOCOL = 1
SUBPROTOCOL = "chatrooms.v1"
EMPTY = b"{}"

ROOM_ID = re.compile(r"[A-Za-z0-9_.:~-]{1,128}")
MSG_ID = re.compile(r"[!-~]{16,64}")
HOST_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+|[A-Z][A-Z0-9_]*")
OURS = re.compile(r"(message|reaction|member|room|presence|auth)\..*|[a-z]+")


class CloseCode(enum.IntEnum):
    """Why the server closes a connection. 4000-4499: come back later; 4500-4999: do not."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    BINARY = 1003
    BAD_UTF8 = 1007
    FLOOD = 1008
    TOO_BIG = 1009
    SERVER_ERROR = 1011
    RESTART = 1012
    OVERLOADED = 1013
    TOKEN_EXPIRED = 4001
    SLOW_CONSUMER = 4008
    POSITION_LOST = 4010
    NO_HEARTBEAT = 4012
    RATE_LIMIT = 4013
    INVALID_TOKEN = 4500
    BAD_FRAMES = 4501
    AUTH_TIMEOUT = 4502
    DISCONNECTED = 4503
    CONNECTION_LIMIT = 4504
    BANNED = 4507
    REPLACED = 4509


REASONS: dict[CloseCode, str] = {
    CloseCode.NORMAL: "goodbye",
    CloseCode.GOING_AWAY: "going away",
    CloseCode.PROTOCOL_ERROR: "protocol error",
    CloseCode.BINARY: "text frames only",
    CloseCode.BAD_UTF8: "text is not valid UTF-8",
    CloseCode.FLOOD: "flood",
    CloseCode.TOO_BIG: "frame too big",
    CloseCode.SERVER_ERROR: "server error",
    CloseCode.RESTART: "server restarts",
    CloseCode.OVERLOADED: "overloaded",
    CloseCode.TOKEN_EXPIRED: "token expired",
    CloseCode.SLOW_CONSUMER: "reads too slowly",
    CloseCode.POSITION_LOST: "position lost",
    CloseCode.NO_HEARTBEAT: "no sign of life",
    CloseCode.RATE_LIMIT: "too fast",
    CloseCode.INVALID_TOKEN: "invalid token",
    CloseCode.BAD_FRAMES: "too many malformed frames",
    CloseCode.AUTH_TIMEOUT: "not authenticated in time",
    CloseCode.DISCONNECTED: "disconnected by the application",
    CloseCode.CONNECTION_LIMIT: "too many connections",
    CloseCode.BANNED: "banned",
    CloseCode.REPLACED: "replaced by another connection",
}


def reason(code: int) -> str:
    """The words that go with a close code of ours."""
    try:
        return REASONS[CloseCode(code)]
    except ValueError:
        return "closed by the application"


def reconnects(code: int) -> bool:
    """Whether a client that was closed with this code should come back."""
    return 4000 <= code < 4500 or code in (1001, 1009, 1011, 1012, 1013)


class Command(msgspec.Struct):
    """What a client asks for. `payload` is the JSON object as it was received, b"{}" when there was none."""

    type: str
    msg_id: str | None = None
    room: str | None = None
    payload: bytes = EMPTY


class _Frame(msgspec.Struct):
    type: str
    msg_id: str | None = msgspec.field(default=None, name="msgId")
    room: str | None = None
    payload: msgspec.Raw = msgspec.Raw(EMPTY)


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
_frame_decoder = msgspec.json.Decoder(_Frame)
encode = _encoder.encode
"""Any value -> JSON bytes."""


def now() -> float:
    """The server's clock as the wire has it: Unix seconds, three decimals."""
    return round(time.time(), 3)


# Ids are made in blocks: a system call for each hands the interpreter to the store's thread, and then waits for it.
_BLOCK = 256
_ready: list[str] = []
"""Ids that nobody has yet. `list.pop` is safe in threads, and a forked process begins with none of its parent's."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ready.clear)


def new_id() -> str:
    """A UUIDv4 that nobody can guess from earlier ones, at a fifth of the price of `str(uuid.uuid4())`."""
    while True:
        try:
            return _ready.pop()
        except IndexError:
            dice = os.urandom(16 * _BLOCK).hex()
            _ready.extend(_uuid(dice[at : at + 32]) for at in range(0, len(dice), 32))


def _uuid(h: str) -> str:
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"


def new_epoch() -> str:
    """A name for a past that nobody has seen before."""
    id = new_id()
    return id[:8] + id[9:13] + id[15:18] + id[24:33]  # without what all ids have in common


# ---- in ----


def decode_command(data: bytes, max_depth: int) -> Command:
    """One text frame -> a command whose envelope is sound.

    Raises `BadFrame` (not an object with a type), `InvalidField`, `InvalidText`; the error's `reply_to` is the
    frame's own msgId if that can be read.
    """
    try:
        received = _frame_decoder.decode(data)
    except (ValueError, RecursionError):
        raise _what_is_wrong(data, max_depth) from None
    try:
        check_values(data, max_depth=max_depth)
    except ChatError as problem:
        raise _reply_to(problem, received.msg_id) from None
    payload = bytes(received.payload)
    if payload[:1] != b"{":
        if payload != b"null":
            raise _reply_to(InvalidField("is not an object", field="payload"), received.msg_id)
        payload = EMPTY
    if received.msg_id is not None and not MSG_ID.fullmatch(received.msg_id):
        raise _reply_to(InvalidField(_MSG_ID_RULE, field="msgId"), received.msg_id)
    if received.room is not None and not _sound_room(received.room):
        raise _reply_to(InvalidField(_ROOM_RULE, field="room"), received.msg_id)
    return Command(received.type, received.msg_id, received.room, payload)


_MSG_ID_RULE = (
    "must be 16 to 64 visible ASCII characters: it also makes the command idempotent, so a counter is too short; "
    "use a UUID"
)
_ROOM_RULE = "must be 1 to 128 of A-Z a-z 0-9 _ . : ~ -, and not . or .."


class _Parts(msgspec.Struct):
    """A frame of which nothing is known. Nothing of it is decoded that need not be."""

    type: msgspec.Raw = msgspec.Raw()
    msg_id: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="msgId")
    room: msgspec.Raw = msgspec.Raw()


_parts_decoder = msgspec.json.Decoder(_Parts)


def _what_is_wrong(data: bytes, max_depth: int) -> ChatError:
    # The slow way, only for frames that are wrong: which field was it, and whose msgId do we answer to?
    try:
        check_json(data, max_depth=max_depth)
        parts = _parts_decoder.decode(data)
    except msgspec.ValidationError:
        return BadFrame('not an object: send {"type": …}')
    except ChatError as problem:
        return problem if isinstance(problem, BadFrame) else _reply_to(problem, _find_msg_id(data))
    msg_id = _short_text(parts.msg_id)
    if not _is_text(parts.type):
        return _reply_to(BadFrame("type is missing or not a string: it says which command this is"), msg_id)
    for field, value in (("msgId", parts.msg_id), ("room", parts.room)):
        if len(value) and not _is_text(value) and bytes(value) != b"null":
            return _reply_to(InvalidField("is not a string", field=field), msg_id)
    return _reply_to(BadFrame("this frame cannot be read"), msg_id)


def _is_text(value: msgspec.Raw) -> bool:
    return bytes(memoryview(value)[:1]) == b'"'


def _short_text(value: msgspec.Raw) -> str | None:
    """The string that this is, if it can be a msgId."""
    if not _is_text(value) or len(value) > 6 * 64 + 2:
        return None
    return msgspec.json.decode(value, type=str)


_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:)?|([\[{])|[\]}]')
_LOOK_AT = 1024
"""Bytes of a frame that are searched by hand, which is slow, for the msgId that an answer should name."""


def _find_msg_id(data: bytes) -> object:
    try:
        return _short_text(_parts_decoder.decode(without_surrogates(data)).msg_id)
    except (msgspec.DecodeError, RecursionError):
        return _search_msg_id(data[:_LOOK_AT])


def _search_msg_id(data: bytes) -> str | None:
    """The top level's msgId in text that no decoder takes: it nests too deep."""
    depth, key = 0, b""
    for match in _TOKEN.finditer(data):
        text, colon, opens = match.groups()
        if text is None:
            depth, key = depth + (1 if opens else -1), b""
        elif colon:
            key = text
        elif depth == 1 and key == b"msgId":
            return text.decode("ascii", "replace")
    return None


def _reply_to(error: ChatError, msg_id: object) -> ChatError:
    if isinstance(msg_id, str) and 0 < len(msg_id) <= 64:
        error.reply_to = msg_id
    return error


def _sound_room(room: str) -> bool:
    return ROOM_ID.fullmatch(room) is not None and room != "." and room != ".."


def check_room_id(room: object) -> str:
    """The room's id, or `InvalidField`."""
    if not isinstance(room, str) or not _sound_room(room):
        raise InvalidField(_ROOM_RULE, field="room")
    return room


def is_ours(type: str) -> bool:
    """Whether a type belongs to the protocol, or may in a later version."""
    return OURS.fullmatch(type) is not None


def is_event_type(type: str) -> bool:
    """Whether a durable event can have this type: message, ours with a dot, or a host's own."""
    return type == "message" or "." in type or type.isupper()


def check_type(type: str) -> str:
    """A host's own type: with a dot or in upper case, and none of ours; else `InvalidField`."""
    if is_ours(type) or len(type) > 64 or not HOST_TYPE.fullmatch(type):
        raise InvalidField(
            f"{type!r} is not a host's type: use a dot or upper case, like poll.vote or ORDER_CREATED",
            field="type",
        )
    return type


T = TypeVar("T")
_AT = re.compile(r" - at `\$\.?(.*)`$")


def decode_payload(raw: bytes, decoder: "msgspec.json.Decoder[T]", within: str = "") -> T:
    """A command's payload, or what stands `within` it under that name, as a struct; `InvalidField` names the field that
    does not fit."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        raise _field_error(str(exc), within) from None
    except msgspec.DecodeError as exc:
        raise InvalidField(str(exc), field="payload") from None


def _field_error(text: str, within: str) -> InvalidField:
    at = _AT.search(text)
    field = ".".join(filter(None, (within, at.group(1) if at else "")))
    missing = re.search(r"required field `([^`]+)`", text)
    if missing:
        return InvalidField("is missing", field=".".join(filter(None, (field, missing.group(1)))))
    return InvalidField(_in_words(text[: at.start()] if at else text), field=field or "payload")


_MISFIT = re.compile(r"Expected `([a-z |]+)`, got `([a-z]+)`")
_KINDS = {
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
}


def _in_words(text: str) -> str:
    """What the decoder says, as somebody says it who thinks in JSON and not in Python."""
    misfit = _MISFIT.fullmatch(text)
    if misfit is None:
        return text.replace("`", "")
    wanted = " or ".join(_KINDS.get(kind, kind) for kind in misfit[1].split(" | "))
    return f"must be {wanted}, and is {_KINDS.get(misfit[2], misfit[2])}"


# ---- out ----


def encode_event(event: Event) -> bytes:
    """A durable event as every client gets it."""
    return _encoder.encode(event)


def ack(reply_to: str | None, payload: Any, timestamp: float | None = None) -> bytes:
    """The frame that says: done."""
    return frame(_encoder.encode(_Reply("ack", timestamp or now(), payload, reply_to)))


def pong(reply_to: str | None, payload: bytes) -> bytes:
    """The frame that answers `ping`."""
    return frame(_encoder.encode(_Reply("pong", now(), msgspec.Raw(payload), reply_to)))


def error(problem: ChatError, reply_to: str | None, room: str | None = None) -> bytes:
    """The frame that says: not done, and why."""
    return frame(_encoder.encode(_Reply("error", now(), problem.payload(), reply_to, room)))


def live(type: str, payload: Any, *, room: str | None = None, sender: Any = None) -> bytes:
    """An event without a number, as JSON text: welcome, typing, presence, reset, what a host pushes."""
    return _encoder.encode(_Live(new_id(), type, now(), payload, room, sender))


def frame(text: bytes) -> bytes:
    """An unmasked, unfragmented text frame (RFC 6455 §5.2)."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def texts(frames: bytes) -> Iterator[bytes]:
    """What `frame` made frames of, one after the other."""
    at = 0
    while at < len(frames):
        size, at = frames[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(frames[at : at + width], "big"), at + width
        yield frames[at : at + size]
        at += size


def close_frame(code: int, reason: str) -> bytes:
    """An unmasked close frame (RFC 6455 §5.5.1); the reason is cut to 123 bytes at a character's end."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    body = int(code).to_bytes(2, "big") + text
    return bytes((0x88, len(body))) + body
