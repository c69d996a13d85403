"""What a request says: its body, its query, its key, and the command that it is."""

from collections.abc import Mapping
from typing import Any, get_args, get_origin

import msgspec
from sanic import Request

from ...errors import BadFrame, InvalidField, TooLarge
from ...verbs.table import Row
from ...wire.decode import payload_of_texts
from ...wire.encode import EMPTY, encode
from ...wire.names import MSG_ID, MSG_ID_RULE
from .routes import RestRoute

__all__ = ["body_of", "key_of", "object_of", "payload_by_body", "payload_by_query"]

KEY = "Idempotency-Key"
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
Fields = dict[str, msgspec.Raw]


async def body_of(request: Request, most: int) -> bytes:
    """The body, of at most so many bytes; more is not read. Raises `TooLarge`."""
    told = request.headers.get("content-length", "")
    size = int(told) if told.isascii() and told.isdigit() and len(told) < 16 else 0
    data = bytearray()
    if size <= most:
        stream: Any = request.stream
        async for piece in stream:
            data += piece
            if (size := len(data)) > most:
                break
    if size > most:
        raise TooLarge("the body in bytes", limit=most, size=size)
    return bytes(data)


def object_of(body: bytes) -> tuple[bytes, Fields]:
    """The body as text of JSON, and its fields. Without a body there are none. Raises `BadFrame`."""
    try:
        body.decode()
        fields = _object.decode(body.strip() or EMPTY)
    except (ValueError, RecursionError):
        raise BadFrame("the body must be one JSON object") from None
    return body.strip() or EMPTY, fields


def key_of(request: Request) -> str | None:
    """What `Idempotency-Key` says, raw or quoted: it is the command's msgId. Raises `InvalidField`."""
    given = request.headers.get(KEY)
    if given is None:
        return None
    key: str = given.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not MSG_ID.fullmatch(key):
        raise InvalidField(MSG_ID_RULE, field=KEY)
    return key


def payload_by_body(
    route: RestRoute, row: Row, named: Mapping[str, str], query: Mapping[str, str], body: bytes
) -> tuple[bytes, str | None]:
    """The payload that a body and a path make, and the room that the body names. Raises `BadFrame`, `InvalidField`."""
    text, fields = object_of(body)
    room = _room_in(fields) if row.type == "room.create" else None
    beside = {name: msgspec.Raw(encode(value)) for name, value in named.items() if name != "room"}
    if route.wraps:
        return encode({**beside, route.wraps: msgspec.Raw(text)}), None
    if route.method == "DELETE":  # its body may be lost on the way
        known = row.payload.__struct_encode_fields__
        beside |= {name: msgspec.Raw(encode(value)) for name, value in query.items() if name in known}
    if not beside and room is None:
        return text, None
    return encode({**fields, **beside}), room


def _room_in(fields: Fields) -> str | None:
    given = fields.pop("room", None)
    if given is None or bytes(given) == b"null":
        return None
    try:
        room: str = msgspec.json.decode(given, type=str)
    except msgspec.DecodeError:
        raise InvalidField("is not a string", field="room") from None
    return room


def payload_by_query(row: Row, query: Mapping[str, str], named: Mapping[str, Any]) -> bytes:
    """The payload that a query and a path make. Lists are written with commas. Raises `InvalidField`."""
    kinds = {its.encode_name: its.type for its in msgspec.structs.fields(row.payload)}
    given = {name: _value(kinds[name], text) for name, text in query.items() if name in kinds}
    ask = payload_of_texts({**given, **{name: named[name] for name in named if name in kinds}}, row.payload)
    return encode(ask)


def _value(kind: Any, text: str) -> str | list[str]:
    is_list = get_origin(kind) is list or any(get_origin(one) is list for one in get_args(kind))
    return list(filter(None, text.split(","))) if is_list else text
