"""The table of REST: for each method and path, the command that it is.

A body is the command's payload, and so is a query. What a path names goes into the payload too, but the room, which is the command's.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from ...verbs.log import LOG
from ...verbs.table import Row, commands

__all__ = [
    "COMMANDS",
    "EVENTS",
    "GONE",
    "ME",
    "MEMBER",
    "READ",
    "ROUTES",
    "TICKETS",
    "WELCOME",
    "Found",
    "RestRoute",
    "find",
    "row_of",
    "types_of",
]

EVENTS = "events"
"""Stands for the events of a room, in place of a type of commands."""
ME, TICKETS, MEMBER, GONE, READ = "me", "tickets", "member", "member.gone", "marker"
"""Stand for what is none, or one of two commands; `call` says which."""
COMMANDS, WELCOME = "any", "welcome"
"""Stand for any command, and for what a client is told whose sockets fail."""


class RestRoute(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    type: str
    """The type of the command, or one of the words above."""
    wraps: str = ""
    """The field of the payload that the body becomes; "": the body is the payload."""
    made: str = ""
    """Where the thing that was made is found: the path, with fields of the answer. It is then 201 with `Location`."""
    shows: str = ""
    """The field of the ack that is the answer; "": the ack is."""
    precise: bool = False
    """`If-Match` is compared with the `ETag` that `GET` of this path has."""


_ROOM, _MESSAGE = "/rooms/{room}", "/rooms/{room}/messages/{msgId}"

ROUTES: tuple[RestRoute, ...] = (
    RestRoute("GET", "/rooms", "rooms"),
    RestRoute("POST", "/rooms", "room.create", made=_ROOM),
    RestRoute("GET", _ROOM, "room"),
    RestRoute("PATCH", _ROOM, "room.update", precise=True),
    RestRoute("DELETE", _ROOM, "room.delete", precise=True),
    RestRoute("GET", f"{_ROOM}/messages", "history"),
    RestRoute("POST", f"{_ROOM}/messages", "message", made=_MESSAGE),
    RestRoute("GET", _MESSAGE, "thread", shows="message"),
    RestRoute("PATCH", _MESSAGE, "message.edit", wraps="body", precise=True),
    RestRoute("DELETE", _MESSAGE, "message.delete", precise=True),
    RestRoute("PUT", f"{_MESSAGE}/reactions/{{emoji}}", "reaction.add"),
    RestRoute("DELETE", f"{_MESSAGE}/reactions/{{emoji}}", "reaction.remove"),
    RestRoute("PUT", f"{_MESSAGE}/pin", "message.pin"),
    RestRoute("DELETE", f"{_MESSAGE}/pin", "message.unpin"),
    RestRoute("GET", f"{_MESSAGE}/thread", "thread"),
    RestRoute("POST", f"{_MESSAGE}/report", "report"),
    RestRoute("GET", f"{_ROOM}/members", "members"),
    RestRoute("PUT", f"{_ROOM}/members/{{user}}", MEMBER),
    RestRoute("DELETE", f"{_ROOM}/members/{{user}}", GONE),
    RestRoute("PUT", f"{_ROOM}/bans/{{user}}", "member.ban"),
    RestRoute("DELETE", f"{_ROOM}/bans/{{user}}", "member.unban"),
    RestRoute("PUT", f"{_ROOM}/mutes/{{user}}", "member.mute"),
    RestRoute("DELETE", f"{_ROOM}/mutes/{{user}}", "member.unmute"),
    RestRoute("POST", f"{_ROOM}/invitations", "member.invite"),
    RestRoute("POST", f"{_ROOM}/accept", "member.accept"),
    RestRoute("POST", f"{_ROOM}/decline", "member.decline"),
    RestRoute("GET", f"{_ROOM}/events", EVENTS),
    RestRoute("GET", f"{_ROOM}/read", READ),
    RestRoute("PUT", f"{_ROOM}/read", "read"),
    RestRoute("GET", "/unread", "unread"),
    RestRoute("GET", "/badge", "badge"),
    RestRoute("GET", "/search", "search"),
    RestRoute("POST", "/direct", "direct", made=_MESSAGE),
    RestRoute("GET", "/me", ME),
    RestRoute("POST", "/tickets", TICKETS),
    RestRoute("POST", "/commands", COMMANDS),
    RestRoute("POST", "/welcome", WELCOME),
)

_BEHIND = {MEMBER: ("member.add", "member.role"), GONE: ("member.kick", "leave"), READ: ("unread",)}
"""The commands that such a route may be; the first has its payload."""


def types_of(route: RestRoute) -> tuple[str, ...]:
    """The types of the commands that a route may be; none for what is no command."""
    return _BEHIND.get(route.type) or ((route.type,) if route.type in commands() else ())


def row_of(route: RestRoute) -> Row | None:
    """The row with the payload and the ack of a route; None for what is no command."""
    if route.type == EVENTS:
        return LOG
    types = types_of(route)
    return commands()[types[0]] if types else None


# ---- from a path to its route ----

Place = tuple[str | None, ...]
"""The parts of a path; None: any."""
_places: dict[Place, dict[str, RestRoute]] = {}
_names: dict[Place, tuple[str, ...]] = {}


def _add(route: RestRoute) -> None:
    parts = route.path.strip("/").split("/")
    place = tuple(None if part.startswith("{") else part for part in parts)
    _places.setdefault(place, {})[route.method] = route
    _names[place] = tuple(part.strip("{}") for part in parts if part.startswith("{"))


for _route in ROUTES:
    _add(_route)


class Found(msgspec.Struct):
    """A path that is in the table: its routes by method, and what it names."""

    routes: Mapping[str, RestRoute]
    named: dict[str, str]


def find(path: str) -> Found | None:
    """Look up a path as it stands in a URL, below the prefix. Its parts may be percent-encoded, slashes in names too."""
    parts = path.strip("/").split("/")
    for place, routes in _places.items():
        if len(place) == len(parts) and all(
            one in (None, part) for one, part in zip(place, parts, strict=True)
        ):
            values = [unquote(part) for one, part in zip(place, parts, strict=True) if one is None]
            return Found(routes, dict(zip(_names[place], values, strict=True))) if all(values) else None
    return None
