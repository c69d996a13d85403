"""Describes commands from their rows: the shapes of payloads and acks, and the tables in the documentation."""

import types
from collections.abc import Callable, Collection, Iterable
from typing import Any, Union, get_args, get_origin

import msgspec

from ..access.actions import Action, actions
from ..access.limits.kinds import Kind
from ..access.needs import NEVER, Need
from ..config.settings import FIELDS
from ..models import DIRECT, PRIVATE, PUBLIC
from .table import Row, commands, features

__all__ = ["TABLES", "shape"]


def shape(kind: Any, *, without: Collection[str] = ()) -> str:
    """The JSON shape of a struct, `without` some fields: `{since?: {epoch, seq}, history?}`. A question mark follows optional
    fields."""
    fields = [field for field in msgspec.structs.fields(kind) if field.encode_name not in without]
    return "{" + ", ".join(map(_field, fields)) + "}"


def _field(field: msgspec.structs.FieldInfo) -> str:
    inner = _inner(field.type)
    always = field.required and msgspec.UnsetType not in get_args(field.type)
    return field.encode_name + ("" if always else "?") + (f": {inner}" if inner else "")


def _inner(kind: Any) -> str:
    """The shape inside a field that holds an object or a list of objects."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return shape(kind)
    inner = next(filter(None, map(_inner, get_args(kind))), "")
    several = get_origin(kind) is list
    return f"[{inner}]" if inner and several else inner if _is_union(kind) else ""


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _line(row: Row) -> str:
    payload = shape(row.payload)
    if row.body == "":
        payload = payload.replace("}", ", …}")
    event = f"`{row.event}`" if row.event is not None else ""
    cells = [f"`{row.type}`", row.room.value, f"`{payload}`", f"`{shape(row.ack)}`", event]
    return "| " + " | ".join(cells) + " |"


def _commands() -> str:
    head = "| Type | Room | Payload | `ack.payload` | Event |\n|---|---|---|---|---|\n"
    return "\n" + head + "\n".join(map(_line, _sorted())) + "\n"


def _sorted() -> list[Row]:
    return [row for _, row in sorted(commands().items())]


def _rates() -> str:
    lines = []
    for kind in Kind:
        types = [row.type for row in _sorted() if row.limited is kind]
        if types:
            name = f"rate_{kind.label}"
            lines.append(f"| `{name.upper()}` | {FIELDS[name].default} | {_names(types)} |")
    head = "| Setting | Default | Commands |\n|---|---|---|\n"
    return "\n" + head + "\n".join(lines) + "\n"


def _names(types: Iterable[str]) -> str:
    return ", ".join(f"`{type}`" for type in types)


def _types(wanted: Callable[[Row], bool]) -> str:
    return _names(row.type for row in _sorted() if wanted(row))


def _needs() -> str:
    head = (
        "| Action | Public | Private | Direct | Token | Muted | Archived |\n|---|---|---|---|---|---|---|\n"
    )
    wanted = [its for _, its in sorted(actions().items()) if its.in_a_room]
    return "\n" + head + "\n".join(map(_needed, wanted)) + "\n"


def _needed(action: Action) -> str:
    kinds = (PUBLIC, PRIVATE, DIRECT)
    needs = [_in_a_cell(action.needs.within(kind)) for kind in kinds]
    rights = dict.fromkeys(f"`{action.right_in(kind).name.lower()}`" for kind in kinds)
    stops = ["no" if stopped else "yes" for stopped in (action.mute_stops, action.archive_stops)]
    return "| " + " | ".join([f"`{action.name}`", *needs, " / ".join(rights), *stops]) + " |"


def _in_a_cell(need: Need) -> str:
    if need is NEVER:
        return "never"
    return " or ".join([str(need.level), *(f"`{role}`" for role in need.roles)])


TABLES: dict[str, Callable[[], str]] = {
    "commands": _commands,
    "needs": _needs,
    "actions": lambda: _types(lambda row: row.action is not None),
    "speaking": lambda: _types(lambda row: row.speaks and row.type != "message"),
    "looking": lambda: _types(lambda row: row.looks),
    "roaming": lambda: _types(lambda row: row.roams),
    "as-user": lambda: _types(lambda row: row.as_user),
    "rates": _rates,
    "features": lambda: _names(features()),
}
"""The text between `<!-- rows: name -->` and `<!-- /rows -->` in the documentation, by name."""
