"""Commands as they come in: one WebSocket text frame is one JSON object (docs/reference/protocol.md).

{"type": "message", "msgId": "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11", "room": "general", "payload": {"text": "hi"}}
"""

import re
from collections.abc import Container, Mapping
from typing import TypeVar

import msgspec

from ..errors import BadFrame, ChatError, InvalidField
from .check import check_json, check_values, without_surrogates
from .encode import EMPTY
from .names import MSG_ID_RULE, ROOM_ID, ROOM_RULE, is_msg_id

__all__ = ["Command", "decode_command", "decode_names", "decode_payload", "payload_of_texts"]


class Command(msgspec.Struct, gc=False):
    """A command of a client. `payload` is the JSON object as it was received, or b"{}" if there was none."""

    type: str
    msg_id: str | None = None
    room: str | None = None
    payload: bytes = EMPTY
    plain: bytes | None = None
    """This very payload, if it came as {"text":"…"} without escapes: nothing else is in it to be checked, and it has one form only. Once
    middleware has given the command another payload, it is another object."""


class _Frame(msgspec.Struct, gc=False):
    type: str
    msg_id: str | None = msgspec.field(default=None, name="msgId")
    room: str | None = None
    payload: msgspec.Raw = msgspec.Raw(EMPTY)


_frame_decoder = msgspec.json.Decoder(_Frame)


_TEXT = b'{"text":"'


def decode_command(data: bytes, max_depth: int, known: Container[str] = ()) -> Command:
    """Decode one text frame into a command, and check its envelope. `known`: rooms whose ids have been checked.

    Raises `BadFrame` (not an object with a type), `InvalidField`, `InvalidText`; the error's `reply_to` is the
    frame's own msgId if that can be read.
    """
    try:
        received = _frame_decoder.decode(data)
    except (ValueError, RecursionError):
        raise _what_is_wrong(data, max_depth) from None
    payload = bytes(received.payload)
    plain = payload.startswith(_TEXT) and _is_plain(data, received, payload)
    if not plain:
        try:
            check_values(data, max_depth=max_depth)
        except ChatError as problem:
            raise _reply_to(problem, received.msg_id) from None
    if payload[:1] != b"{":
        if payload != b"null":
            raise _reply_to(InvalidField("is not an object", field="payload"), received.msg_id)
        payload = EMPTY
    if received.msg_id is not None and not is_msg_id(received.msg_id):
        raise _reply_to(InvalidField(MSG_ID_RULE, field="msgId"), received.msg_id)
    if received.room is not None and received.room not in known and not ROOM_ID.fullmatch(received.room):
        raise _reply_to(InvalidField(ROOM_RULE, field="room"), received.msg_id)
    return Command(received.type, received.msg_id, received.room, payload, payload if plain else None)


def _is_plain(data: bytes, received: _Frame, payload: bytes) -> bool:
    """Whether a frame with a payload that begins with a text has nothing but texts, none with an escape: then there is no number, no
    depth and no NUL. Anything else in it, or one of its fields twice, would make more quotes."""
    quotes = 10 + 4 * (received.msg_id is not None) + 4 * (received.room is not None)
    return payload.endswith(b'"}') and data.count(b'"') == quotes and 0x5C not in data


def decode_names(data: bytes) -> Command:
    """What an answer to a frame needs: its type, `msgId` and room, as far as they can be read. The frame is not checked, and must
    not be carried out."""
    try:
        received = _frame_decoder.decode(data)
    except (ValueError, RecursionError):
        return Command("")
    msg_id, room = received.msg_id or "", received.room or ""
    return Command(
        received.type,
        msg_id if is_msg_id(msg_id) else None,
        room if ROOM_ID.fullmatch(room) else None,
    )


class _Parts(msgspec.Struct, gc=False):
    """The parts of a frame that may be wrong in any way. Only what is needed of them is decoded."""

    type: msgspec.Raw = msgspec.Raw()
    msg_id: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="msgId")
    room: msgspec.Raw = msgspec.Raw()


_parts_decoder = msgspec.json.Decoder(_Parts)


def _what_is_wrong(data: bytes, max_depth: int) -> ChatError:
    # The slow path, for malformed frames only: find the wrong field, and the msgId to answer to.
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
    """The string, if it can be a msgId."""
    if not _is_text(value) or len(value) > 6 * 64 + 2:
        return None
    return msgspec.json.decode(value, type=str)


_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:)?|([\[{])|[\]}]')
_LOOK_AT = 1024
"""Bytes of a frame that are searched for a msgId without a decoder, which is slow."""


def _find_msg_id(data: bytes) -> object:
    try:
        return _short_text(_parts_decoder.decode(without_surrogates(data)).msg_id)
    except (msgspec.DecodeError, RecursionError):
        return _search_msg_id(data[:_LOOK_AT])


def _search_msg_id(data: bytes) -> str | None:
    """The msgId on the top level of text that nests too deep for a decoder."""
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


T = TypeVar("T")
_AT = re.compile(r" - at `\$\.?(.*)`$")


def decode_payload(raw: bytes, decoder: "msgspec.json.Decoder[T]", within: str = "") -> T:
    """Decode a command's payload, or the part of it named `within`. Raises `InvalidField` with the field that does not fit."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        raise _field_error(str(exc), within) from None
    except msgspec.DecodeError as exc:
        raise InvalidField(str(exc), field="payload") from None
    except RecursionError:
        raise InvalidField("is nested too deeply", field="payload") from None


def payload_of_texts(given: Mapping[str, str | list[str]], kind: type[T]) -> T:
    """A payload from texts, such as those of a URL's query: numbers, true and false are read from them. Raises `InvalidField`."""
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as exc:
        raise _field_error(str(exc), "") from None


def checked(ask: T) -> T:
    """A payload that the app has made, held to the types that clients' payloads have. Raises `InvalidField`."""
    fields = zip(ask.__struct_fields__, ask.__struct_encode_fields__, strict=True)  # type: ignore[attr-defined]
    given = {name: value for field, name in fields if (value := getattr(ask, field)) is not msgspec.UNSET}
    try:
        return msgspec.convert(given, type(ask))
    except msgspec.ValidationError as exc:
        raise _field_error(str(exc), "") from None


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
    """The decoder's message in the words of JSON."""
    misfit = _MISFIT.fullmatch(text)
    if misfit is None:
        return text.replace("`", "")
    wanted = " or ".join(_KINDS.get(kind, kind) for kind in misfit[1].split(" | "))
    return f"must be {wanted}, and is {_KINDS.get(misfit[2], misfit[2])}"
