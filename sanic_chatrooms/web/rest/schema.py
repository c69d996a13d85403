"""Describes the routes of REST: what they take and answer, and their table in the documentation."""

import msgspec

from ...verbs.schema import shape
from ...verbs.table import Needs, commands
from ...verbs.unconnected import CommandAsked, NameAsked
from ...verbs.unread import UnreadLine
from ...wire.events import Welcome
from .routes import COMMANDS, READ, ROUTES, TICKETS, WELCOME, RestRoute, row_of, types_of

__all__ = ["TABLES", "answer_of", "answers_of", "asked_of", "named_in", "payload_of", "query_names"]

_EVENT = "the message, as in `history`"
_OTHERS = {
    TICKETS: "`{ticket, expiresIn}`",
    "me": "`{user: {id, name, scopes, amr?}, expiresAt?}`",
    COMMANDS: "the command's `ack.payload`",
}
_ANSWERS: dict[str, type] = {READ: UnreadLine, WELCOME: Welcome}
_PAYLOADS: dict[str, type] = {COMMANDS: CommandAsked, WELCOME: NameAsked}


def named_in(path: str) -> list[str]:
    """The names of the parts of a path that may be anything."""
    return [part.strip("{}") for part in path.split("/") if part.startswith("{")]


def payload_of(route: RestRoute) -> type | None:
    """The struct of a query or a body; None: there is none."""
    row = row_of(route)
    return _PAYLOADS.get(route.type) if row is None else row.payload


def asked_of(route: RestRoute) -> list[msgspec.structs.FieldInfo]:
    """The fields that a query or a body may have."""
    payload = payload_of(route)
    if payload is None or route.shows or route.type == READ:
        return []
    fields = msgspec.structs.fields(payload)
    return [field for field in fields if field.encode_name not in named_in(route.path)]


def query_names(route: RestRoute) -> list[str]:
    """The names that a query may have."""
    row = row_of(route)
    names = [field.encode_name for field in asked_of(route)]
    return [*names, "room"] if row is not None and row.room is Needs.PERHAPS else names


def answer_of(route: RestRoute) -> type | None:
    """The struct that answers; None: it is none."""
    if route.type in _ANSWERS:
        return _ANSWERS[route.type]
    row = row_of(route)
    return None if row is None or route.shows else row.ack


def answers_of(route: RestRoute) -> tuple[type, ...]:
    """The structs that may answer, where a route is one of two commands."""
    if len(types_of(route)) > 1:
        return tuple(dict.fromkeys(commands()[type].ack for type in types_of(route)))
    kind = answer_of(route)
    return () if kind is None else (kind,)


def _line(route: RestRoute) -> str:
    types = ", ".join(f"`{type}`" for type in types_of(route))
    return f"| `{route.method} {route.path}` | {types} | {_asks(route)} | {_answers(route)} |"


def _asks(route: RestRoute) -> str:
    fields = asked_of(route)
    if route.method == "GET":
        return ", ".join(f"`{name}`" for name in query_names(route))
    if route.wraps:
        return "the new body"
    payload, row = payload_of(route), row_of(route)
    if payload is None or not fields:
        return ""
    text = shape(payload, without=named_in(route.path))
    if route.type == "room.create":
        text = text.replace("{", "{room?, ", 1)
    return f"`{text.replace('}', ', …}') if row is not None and row.body == '' else text}`"


def _answers(route: RestRoute) -> str:
    if route.shows:
        return _EVENT
    kinds = answers_of(route)
    told = " or ".join(f"`{shape(kind)}`" for kind in kinds) if kinds else _OTHERS[route.type]
    return f"201 {told}" if route.made else told


def _routes() -> str:
    head = "| Request | Command | Query or body | Answer |\n|---|---|---|---|\n"
    return "\n" + head + "\n".join(map(_line, ROUTES)) + "\n"


TABLES = {"rest": _routes}
"""As `verbs.schema.TABLES`."""
