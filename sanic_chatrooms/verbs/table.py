"""The table of commands: each feature's file in this folder declares its rows here.

    @command("message.pin", Pin, ack=Settled, event="message.pinned", feature="pins")
    async def pin(ctx: Ctx, ask: Pin) -> Appended | None:
        return await ctx.append(…)

A row says all that the rest needs to know of a command: `dispatch` carries it out, `welcome` names its feature, and the
tables of the reference are made from it (`schema`).
"""

import enum
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

__all__ = [
    "Changed",
    "Done",
    "Judged",
    "Needs",
    "Nothing",
    "Row",
    "Settled",
    "Verb",
    "also_event",
    "command",
    "commands",
    "events",
    "features",
]

Verb = Callable[[Any, Any], Awaitable[Any]]
"""`(ctx, ask)` -> the ack's payload as a struct, or an `Appended` that becomes the row's `ack`."""
V = TypeVar("V", bound=Verb)
Shape = type[Any]
"""A msgspec struct, or any type that msgspec decodes."""


class Nothing(msgspec.Struct):
    """The payload of a command that needs none."""


class Done(msgspec.Struct):
    """The ack of a command that has nothing to tell."""


class Changed(msgspec.Struct, omit_defaults=False):
    """The ack of a command that changed something: `seq` is the number of its event."""

    seq: int
    duplicate: bool


class Settled(msgspec.Struct):
    """The ack of a command after which something is so, even if it was so before: then `duplicate` is true, and `seq` the
    number of the event that made it so, or missing if there is none."""

    seq: int | msgspec.UnsetType
    duplicate: bool


class Needs(enum.Enum):
    """Whether a command names a room."""

    ROOM = "✓"
    """It does. On a connection to one room it may leave it out."""
    PERHAPS = "optional"
    """It may."""
    NOTHING = ""
    """It does not."""


class Judged(enum.Enum):
    """Where it is decided whether somebody may do this."""

    ROOM = "room"
    """Before the verb: room and membership are read from the store."""
    SEAT = "seat"
    """By the connection's seat in the room: it has to have joined. Without a connection as `ROOM`."""
    NO_ROOM = "no room"
    """Before the verb, without a room."""
    ITSELF = "itself"
    """By the verb, at a moment of its own."""
    FREE = "free"
    """Nowhere: everybody may."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One command."""

    type: str
    payload: Shape = Nothing
    """What its payload is decoded to."""
    decoder: "msgspec.json.Decoder[Any]"
    verb: Verb
    ack: Shape = Done
    event: str | None = None
    """The durable event that it causes."""
    room: Needs = Needs.ROOM
    judged: Judged = Judged.ROOM
    feature: str | None = None
    """What `welcome.features` calls it."""
    speaks: bool = False
    """It puts words before others: then the policy is asked about `message` besides."""
    mute_stops: bool = False
    """Who is muted may not do it, though it says nothing."""
    body: str | None = None
    """The field of the payload with the body of a message, or "" where the payload is one. It is checked like every body,
    and the middleware around `message` sees it."""
    looks: bool = False
    """It changes nothing for others: a read-only route takes it."""
    roams: bool = False
    """It leads to other rooms: a route for one room does not take it."""
    as_user: bool = False
    """The app may do it in a user's name."""
    overlaps: bool = False
    """It may be under way together with the messages before it."""
    own: bool = False
    """It is the app's own."""

    @property
    def action(self) -> str | None:
        """What the policy is asked about; None: it is not asked."""
        return None if self.judged is Judged.FREE else self.type


_rows: dict[str, Row] = {}
_events: set[str] = set()


def command(type: str, payload: Shape = Nothing, **about: Any) -> Callable[[V], V]:
    """Decorator: the function carries out the commands of this type. `about` are the other fields of `Row`."""

    def add(verb: V) -> V:
        if type in _rows:
            raise ValueError(f"two rows for {type}: {_rows[type].verb} and {verb}")
        _rows[type] = Row(
            type=type, payload=payload, decoder=msgspec.json.Decoder(payload), verb=verb, **about
        )
        return verb

    return add


def also_event(type: str) -> None:
    """A durable event of the protocol that no command causes."""
    _events.add(type)


def commands() -> Mapping[str, Row]:
    """Every row, by its type."""
    return _rows


def events() -> frozenset[str]:
    """The types of durable events that are the protocol's."""
    return frozenset(row.event for row in _rows.values() if row.event is not None) | _events


@functools.cache
def features() -> tuple[str, ...]:
    """What this server can do, as `welcome` names it."""
    return tuple(sorted({row.feature for row in _rows.values() if row.feature is not None}))
