"""Write the types of the wire into client.d.ts from the structs that decode and answer: python scripts/client_types.py

The file has a region between two marks; what stands there is made anew. `tests/unit/web/test_client_types.py` compares.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from sanic_chatrooms.models import Event, Sender
from sanic_chatrooms.verbs.attachments import Attachment
from sanic_chatrooms.verbs.described import (
    DURABLE,
    Match,
    PartialBody,
    Shown,
    ThreadShown,
    as_on_the_wire,
    live_events,
)
from sanic_chatrooms.verbs.drafts import Body
from sanic_chatrooms.verbs.table import Needs, commands
from sanic_chatrooms.verbs.unread import Preferences
from sanic_chatrooms.wire.events import Myself, Welcome

TYPES = Path(__file__).parents[1] / "sanic_chatrooms" / "web" / "static" / "client.d.ts"
BEGIN, END = (
    "// ---- made by scripts/client_types.py, from the structs of the server ----\n",
    "// ---- until here ----\n",
)
NAMED: Mapping[Any, str] = {
    Sender: "Sender",
    Myself: "User",
    Attachment: "Attachment",
    ThreadShown: "Thread",
    Preferences: "Prefs",
    Welcome: "Welcome",
}
"""Structs that have a name of their own in the client."""
BY_HAND: Mapping[Any, str] = {
    Event: "Envelope",
    Shown: "Envelope",
    Match: "(Envelope & { highlights: [number, number][] })",
    Body: "Body",
    PartialBody: "Partial<Body>",
}
NARROW = {
    ("RoomLine", "visibility"): '"public" | "private" | "direct"',
    ("RoomLine", "notify"): '"all" | "mentions" | "none"',
    ("Preferences", "notify"): '"all" | "mentions" | "none"',
    ("Prefer", "notify"): '"all" | "mentions" | "none"',
    ("Changes", "visibility"): '"public" | "private"',
    ("Close", "reason"): '"complete" | "cancelled" | "error"',
    ("Welcome", "protocol"): "1",
}
"""Texts of which there are few, by struct and field."""
MAY_BE_ERASED = {"message", "message.edited"}
"""Events whose payload is {} once their message was deleted."""
SIMPLE = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    Any: "any",
    msgspec.Raw: "any",
}


def made_anew(text: str) -> str:
    """The file with the region as the structs have it. Raises `ValueError` where it has no such region."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError("the marks of the region are missing")
    return before + BEGIN + "\n".join(_region()) + "\n" + END + after


def _region() -> Iterator[str]:
    for kind, name in NAMED.items():
        yield f"/** {_summary(kind)} */"
        yield f"export interface {name} {_object(kind)}"
    yield "/** The commands of the protocol: their payloads, and what their acks have. */"
    yield "export interface Commands {"
    for type, row in sorted(commands().items()):
        room = {Needs.ROOM: "room: string; ", Needs.PERHAPS: "room?: string; "}.get(row.room, "")
        yield f"  /** {_summary(row.verb)} */"
        yield f'  "{type}": {{ {room}payload: {_payload(row.payload)}; ack: {_type(row.ack)} }};'
    yield "}"
    yield "/** The events of the protocol. */"
    yield "export interface WireEvents {"
    for type, kinds in {**DURABLE, **{name: (kind,) for name, kind in live_events().items()}}.items():
        yield f"  /** {_summary(kinds[0])} */"
        yield f'  "{type}": {"Erasable" if type in MAY_BE_ERASED else "Envelope"}<{_merged(kinds)}>;'
    yield "}"


def _summary(kind: Any) -> str:
    text = (kind.__doc__ or "").strip()
    first = re.sub(r"\s+", " ", text.partition("\n\n")[0])
    return re.split(r" (?:Raises|The store adds|So it is) ", first)[0]


def _payload(kind: Any) -> str:
    text = _type(kind, asked=True)
    return text if kind is Body or text != "{}" else "{}"


# ---- types ----


def _type(kind: Any, *, asked: bool = False) -> str:
    if kind in SIMPLE:
        return SIMPLE[kind]
    if kind in BY_HAND:
        return BY_HAND[kind]
    if kind in NAMED:
        return NAMED[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " | ".join(f'"{one}"' for one in inner)
    if origin in (Union, types.UnionType):
        return " | ".join(
            dict.fromkeys(_type(one, asked=asked) for one in inner if one is not msgspec.UnsetType)
        )
    if origin in (list, tuple) and (len(inner) == 1 or inner[1] is ...):
        element = _type(inner[0], asked=asked)
        return f"({element})[]" if "|" in element and not element.startswith(("{", "(")) else f"{element}[]"
    if origin is tuple:
        return f"[{', '.join(map(_type, inner))}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"Record<string, {_type(inner[1])}>"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _object(kind, asked=asked)
    raise TypeError(f"{kind} has no type in TypeScript")


def _object(kind: Any, *, asked: bool = False) -> str:
    return _braces(_members(kind, asked=asked))


def _braces(members: Mapping[str, tuple[bool, str]]) -> str:
    lines = [f"{name}{'?' if maybe else ''}: {text}" for name, (maybe, text) in members.items()]
    return f"{{ {'; '.join(lines)} }}" if lines else "{}"


def _members(kind: Any, *, asked: bool = False) -> dict[str, tuple[bool, str]]:
    """By name whether it may be left out, and its type. `asked`: clients send it."""
    wire: Any = as_on_the_wire(kind)
    return {
        its.encode_name: _member(kind, its, asked or wire.__struct_config__.omit_defaults)
        for its in msgspec.structs.fields(wire)
    }


def _member(kind: Any, its: msgspec.structs.FieldInfo, omitted: bool) -> tuple[bool, str]:
    unset = msgspec.UnsetType in get_args(its.type)
    maybe = unset or (omitted and not its.required)
    text = NARROW.get((kind.__name__, its.encode_name)) or _type(its.type, asked=omitted)
    if maybe and its.default is None:
        text = text.removesuffix(" | null")
    return maybe, text


def _merged(kinds: tuple[type, ...]) -> str:
    """One object for payloads of different forms: what only some have may be missing."""
    if len(kinds) == 1:
        return _type(kinds[0])
    forms = [_members(kind) for kind in kinds]
    names = dict.fromkeys(name for form in forms for name in form)
    return _braces(
        {
            name: (
                any(name not in form or form[name][0] for form in forms),
                next(form[name][1] for form in forms if name in form),
            )
            for name in names
        }
    )


def main() -> None:
    text = TYPES.read_text()
    anew = made_anew(text)
    if anew != text:
        TYPES.write_text(anew)
        print(f"{TYPES} is written anew")


if __name__ == "__main__":
    main()
