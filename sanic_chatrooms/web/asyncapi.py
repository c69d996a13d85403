"""`GET <prefix>/asyncapi.json`: the wire as an AsyncAPI 3 document, from the rows of commands and the structs that decode and answer.

The server is the application of the document: it receives commands and sends events. The channel is a connection.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from .. import errors
from ..errors import ChatError
from ..models import Event
from ..verbs.described import DURABLE, Shown, as_on_the_wire, live_events
from ..verbs.table import Needs, Row, commands
from ..version import __version__
from ..wire.names import MSG_ID, ROOM_ID, SUBPROTOCOL
from .schemas import schemas_of

__all__ = ["document"]

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "number", "description": "Unix seconds."}
_ROOM: Schema = {"type": "string", "pattern": f"^{ROOM_ID.pattern}$".replace(r"\Z", "$")}
_MSG_ID: Schema = {"type": "string", "pattern": f"^{MSG_ID.pattern}$"}
_ERASED: Schema = {"type": "object", "maxProperties": 0}
"""What is left of an event whose message was deleted later."""
_ERASABLE = ("message", "message.edited")


def document(prefix: str, host: str, *, secure: bool, missing: frozenset[str] = frozenset()) -> Schema:
    """The document of an instance at this prefix. `missing`: features that it does not have."""
    rows = [row for _, row in sorted(commands().items()) if row.feature not in missing]
    refs, schemas = schemas_of(_kinds(rows))
    messages = {**_messages(rows, refs), **_events(refs)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Chat rooms",
            "version": __version__,
            "description": "Each WebSocket text frame is one JSON object. The server answers every command that has a `msgId`.",
        },
        "defaultContentType": "application/json",
        "servers": {"here": {"host": host, "protocol": "wss" if secure else "ws"}},
        "channels": {"connection": _channel(f"{prefix}/ws", messages)},
        "operations": {**{row.type: _operation(row) for row in rows}, "events": _sends(messages)},
        "components": {"messages": messages, "schemas": {**schemas, "Error": _error()}},
    }


def _kinds(rows: list[Row]) -> Iterator[type]:
    for row in rows:
        yield as_on_the_wire(row.payload)
        yield as_on_the_wire(row.ack)
    for kinds in DURABLE.values():
        yield from map(as_on_the_wire, kinds)
    yield from live_events().values()
    yield from (Event, Shown)


def _channel(address: str, messages: Mapping[str, Any]) -> Schema:
    offered = {"type": "string", "description": f"`{SUBPROTOCOL}`, and `bearer.<token>` for who has one."}
    return {
        "address": address,
        "servers": [{"$ref": "#/servers/here"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {"type": "object", "properties": {"Sec-WebSocket-Protocol": offered}},
            }
        },
    }


# ---- messages ----


def _messages(rows: list[Row], refs: Mapping[type, Schema]) -> dict[str, Schema]:
    """Commands, their answers, and the error."""
    found: dict[str, Schema] = {}
    for row in rows:
        found[f"command.{row.type}"] = _command(row, refs[as_on_the_wire(row.payload)])
        found[f"{_answer(row)}.{row.type}"] = _reply(row, refs[as_on_the_wire(row.ack)])
    frame = {"type": {"const": "error"}, "timestamp": _TIME, "replyTo": _TEXT, "room": _TEXT}
    payload = {"$ref": "#/components/schemas/Error"}
    schema = _object({**frame, "payload": payload}, "type", "timestamp", "payload")
    found["error"] = {"name": "error", "summary": "Not done, and why.", "payload": schema}
    return found


def _answer(row: Row) -> str:
    return "pong" if row.type == "ping" else "ack"


def _command(row: Row, payload: Schema) -> Schema:
    frame: Schema = {"type": {"const": row.type}, "msgId": _MSG_ID, "payload": payload}
    if row.room is not Needs.NOTHING:
        frame["room"] = _ROOM
    needs = ["payload"] if any(field.required for field in msgspec.structs.fields(row.payload)) else []
    summary = (row.verb.__doc__ or row.type).strip().partition("\n")[0]
    return {"name": row.type, "summary": summary, "payload": _object(frame, "type", *needs)}


def _reply(row: Row, payload: Schema) -> Schema:
    kind = _answer(row)
    given: Schema = {"type": "object"} if kind == "pong" else payload
    frame = {"type": {"const": kind}, "timestamp": _TIME, "replyTo": _TEXT, "payload": given}
    return {"name": kind, "payload": _object(frame, "type", "timestamp", "payload")}


def _events(refs: Mapping[type, Schema]) -> dict[str, Schema]:
    found = {}
    for type, kinds in DURABLE.items():
        choices = [refs[as_on_the_wire(kind)] for kind in kinds]
        if type in _ERASABLE:
            choices.append(_ERASED)
        payload = choices[0] if len(choices) == 1 else {"anyOf": choices}
        found[f"event.{type}"] = _event(type, refs[Event], payload, "room", "seq", "msgId")
    for type, kind in live_events().items():
        found[f"event.{type}"] = _event(type, refs[Event], refs[kind], "msgId")
    return found


def _event(type: str, event: Schema, payload: Schema, *needs: str) -> Schema:
    schema = {"allOf": [event, _object({"type": {"const": type}, "payload": payload}, *needs)]}
    return {"name": type, "payload": schema}


def _error() -> Schema:
    codes = sorted({kind.code for kind in vars(errors).values() if _is_error(kind)})
    known = f"One of {', '.join(codes)}, or the app's own."
    properties = {
        "code": {"type": "string", "description": known},
        "message": _TEXT,
        "temporary": {"type": "boolean", "description": "The same may succeed later."},
        "retryAfter": {"type": "number", "description": "Seconds."},
    }
    return _object(properties, "code", "message", "temporary")


def _is_error(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, ChatError)


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


# ---- operations ----


def _operation(row: Row) -> Schema:
    named = "#/channels/connection/messages/"
    return {
        "action": "receive",
        "channel": {"$ref": "#/channels/connection"},
        "messages": [{"$ref": f"{named}command.{row.type}"}],
        "reply": {
            "channel": {"$ref": "#/channels/connection"},
            "messages": [{"$ref": f"{named}{_answer(row)}.{row.type}"}, {"$ref": f"{named}error"}],
        },
    }


def _sends(messages: Mapping[str, Any]) -> Schema:
    names = [name for name in messages if name.startswith("event.") or name == "error"]
    return {
        "action": "send",
        "channel": {"$ref": "#/channels/connection"},
        "messages": [{"$ref": f"#/channels/connection/messages/{name}"} for name in names],
    }
