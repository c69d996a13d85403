"""The table of commands. Each file in this folder declares the rows of its feature.

    @command("message.pin", Pin, ack=Settled, event="message.pinned", feature="pins")
    async def pin(ctx: Ctx, ask: Pin) -> Appended | None:
        return await ctx.append(…)

Everything else is derived from the rows: `dispatch` executes commands by them, `welcome` names their features, and `schema`
describes them in the documentation.
"""

import enum
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from ..access.actions import Action, Right, add_action
from ..access.limits.kinds import Kind
from ..access.needs import ANYONE, RoomNeeds
from ..live.streams import LEASE
from ..models import Appended

__all__ = [
    "Changed",
    "Done",
    "Judged",
    "Needs",
    "Nothing",
    "Row",
    "Settled",
    "Verb",
    "acked",
    "also_action",
    "also_feature",
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


COUNT = "count"
"""A field of an ack that the payload of the event tells."""
HELD = "lease"
"""A field of an ack: seconds without a piece after which a message that is being written is closed."""


class Nothing(msgspec.Struct):
    """The payload of a command that needs none."""


class Done(msgspec.Struct):
    """The ack of a command that returns nothing."""


class Changed(msgspec.Struct, omit_defaults=False):
    """The ack of a command that changed something: `seq` is the number of its event."""

    seq: int
    duplicate: bool


class Settled(msgspec.Struct):
    """The ack of a command that turns something on or off.

    `duplicate`: nothing changed. Then `seq` is the number of the event that made it so, if there is one.
    """

    seq: int | msgspec.UnsetType
    duplicate: bool


class Needs(enum.Enum):
    """Whether a command names a room."""

    ROOM = "✓"
    """It does. On the path of a room, it may leave it out."""
    PERHAPS = "optional"
    """It may name one."""
    NOTHING = ""
    """It names none."""


class Judged(enum.Enum):
    """How it is decided whether the actor may do this."""

    ROOM = "room"
    """Before the verb, with the room and the standing from the store."""
    SEAT = "seat"
    """Before the verb, with the connection's seat: it has to have joined. Without a connection, like `ROOM`."""
    NO_ROOM = "no room"
    """Before the verb, without a room."""
    ITSELF = "itself"
    """The verb decides."""
    FREE = "free"
    """Everybody may do it."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One command."""

    type: str
    payload: Shape = Nothing
    """The type that the payload is decoded to."""
    decoder: "msgspec.json.Decoder[Any]"
    verb: Verb
    ack: Shape = Done
    event: str | None = None
    """The durable event that it causes."""
    room: Needs = Needs.ROOM
    judged: Judged = Judged.ROOM
    needs: RoomNeeds | None = None
    """What it needs in each kind of room. None: it is not judged."""
    right: Right | None = None
    """The right that a token needs; None: by `looks`, and by what the action needs."""
    archive_stops: bool | None = None
    """It is not possible in an archived room; None: unless it only reads."""
    for_invited: bool = False
    """Who is invited to the room may do it, without being a member."""
    feature: str | None = None
    """What `welcome.features` calls it."""
    speaks: bool = False
    """It shows words to others: mutes apply, and the policy is also asked about `message`."""
    mute_stops: bool = False
    """Mutes apply, although it shows no words."""
    body: str | None = None
    """The field of the payload with the body of a message; "": the payload is the body. It is checked, and middleware for
    `message` gets it."""
    words: tuple[str, ...] = ()
    """Other fields of the payload that others read: texts, or any JSON. Middleware for `speak` gets each that is given."""
    looks: bool = False
    """It only reads: read-only routes accept it."""
    rate: Kind | None = None
    """The rate that it counts for; None: that of questions if it `looks`, else that of changes."""
    free: bool = False
    """It counts for no rate."""
    roams: bool = False
    """It leads to other rooms: routes for one room refuse it."""
    as_user: bool = False
    """The app may do it in a user's name."""
    overlaps: bool = False
    """It may run while earlier messages are still being stored."""
    own: bool = False
    """It is a command of the app."""

    @property
    def repeats(self) -> bool:
        """Whether a repetition in the same room has the result of the first."""
        return self.room is Needs.ROOM and _tells(self.ack.__struct_fields__, self.event)

    action: Action | None = None
    """What is judged, made from the fields above. None: everybody may do it."""

    @property
    def limited(self) -> Kind | None:
        """The rate that it counts for; None: none."""
        if self.free:
            return None
        return self.rate if self.rate is not None else Kind.READ if self.looks else Kind.CHANGE


@functools.cache
def _tells(ack: tuple[str, ...], event: str | None) -> bool:
    """Whether what is stored of an event is all that an ack with these fields tells."""
    fields = set(ack)
    told = "duplicate" in fields or (not fields and event is not None)
    return told and fields <= {*Appended.__struct_fields__, COUNT, HELD}


class _Told(msgspec.Struct):
    count: int = 0


_told = msgspec.json.Decoder(_Told)


def acked(shape: Any, stored: Appended) -> Any:
    """The ack of a row. A command that changed nothing is a `duplicate`, without `seq` if no event made it so."""
    values: dict[str, Any] = {}
    if stored.unchanged:
        values = {"seq": stored.seq or msgspec.UNSET, "duplicate": True}
    if (
        COUNT in shape.__struct_fields__
    ):  # where the event was trimmed, its message was too, and nothing is left to count
        values[COUNT] = 0 if stored.payload is None else _told.decode(stored.payload).count
    if HELD in shape.__struct_fields__:
        values[HELD] = LEASE
    return shape(
        *(values[name] if name in values else getattr(stored, name) for name in shape.__struct_fields__)
    )


_rows: dict[str, Row] = {}
_features: set[str] = set()


def command(type: str, payload: Shape = Nothing, **about: Any) -> Callable[[V], V]:
    """Decorator: the function executes commands of this type. `about` are the other fields of `Row`."""

    def add(verb: V) -> V:
        if type in _rows:
            raise ValueError(f"two rows for {type}: {_rows[type].verb} and {verb}")
        row = Row(type=type, payload=payload, decoder=msgspec.json.Decoder(payload), verb=verb, **about)
        _rows[type] = msgspec.structs.replace(
            row, action=None if row.needs is None else add_action(_action(row, row.needs))
        )
        return verb

    return add


def _action(row: Row, needs: RoomNeeds) -> Action:
    return Action(
        name=row.type,
        needs=needs,
        looks=row.looks,
        mute_stops=row.speaks or row.mute_stops,
        speaks=row.speaks and row.type != "message",
        archive_stops=not row.looks if row.archive_stops is None else row.archive_stops,
        for_invited=row.for_invited,
        right=row.right,
        in_a_room=needs is not ANYONE,
    )


def also_action(name: str, needs: RoomNeeds, **about: Any) -> Action:
    """Declare an action that has no command of its own: something more that a command may do. `about`: fields of `Action`."""
    return add_action(Action(name=name, needs=needs, **about))


def also_feature(name: str) -> None:
    """Declare a feature that has no command of its own."""
    _features.add(name)


def commands() -> Mapping[str, Row]:
    """All rows, by type."""
    return _rows


def events() -> frozenset[str]:
    """The types of the protocol's durable events."""
    return frozenset(row.event for row in _rows.values() if row.event is not None)


@functools.cache
def features() -> tuple[str, ...]:
    """The features that `welcome` names."""
    return tuple(sorted({row.feature for row in _rows.values() if row.feature is not None} | _features))
