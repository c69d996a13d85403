"""The wire as structs, for descriptions of it: AsyncAPI, and the types of the JavaScript client.

The rows have the payloads and acks of commands. Here are the payloads of events, and what stands where a struct holds raw text.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from ..models import Event, Sender
from ..wire.events import (
    Closed,
    Deleted,
    Edited,
    Invited,
    LiveEvent,
    MemberChanged,
    Moderated,
    RoleChanged,
)
from ..wire.events import Joined as MemberJoined
from .direct import Direct
from .drafts import Body
from .edits import Edit
from .entering import Joined
from .log import LogPage
from .pages import Messages
from .pins import PinChanged, PinList, Pinned
from .properties import RoomUpdated
from .reactions import Reacted
from .reactions import Shown as ReactionShown
from .search import Found
from .streams import Close
from .threads import Replies

__all__ = ["DURABLE", "LIVE", "Notice", "Pushed", "Redirect", "Shown", "as_on_the_wire", "live_events"]


class LastReply(msgspec.Struct):
    """The newest reply of a thread."""

    seq: int
    timestamp: float
    sender: Sender | None


class ThreadShown(msgspec.Struct):
    """What a message shows of its replies that are not deleted: how many, and the newest."""

    count: int
    last: LastReply


class Shown(Event, frozen=True, rename="camel", omit_defaults=True):
    """A message as pages show it: as it is now."""

    reactions: dict[str, ReactionShown] | None = None
    """By emoji."""
    thread: ThreadShown | None = None
    pinned: Pinned | None = None
    ended: Literal["cancelled", "error", "interrupted"] | None = None
    """How it ended, if it was written piece by piece and did not end well."""


class Match(Shown, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A message that a search found. `highlights`: ranges of code points of its text."""

    highlights: list[tuple[int, int]]


class PartialBody(msgspec.Struct):
    """A body without its text: what was written stays."""

    text: str | None = None


class Notice(msgspec.Struct):
    """`notice`: something that the app tells users."""

    title: str
    content: str


class Pushed(msgspec.Struct):
    """`update`: a value of the app's has changed."""

    field: str
    value: Any


class Redirect(msgspec.Struct):
    """`redirect`: the page should go to this address."""

    url: str


DURABLE: Mapping[str, tuple[type, ...]] = {
    "message": (Body,),
    "message.edited": (Edited, Closed),
    "message.deleted": (Deleted,),
    "message.pinned": (PinChanged,),
    "message.unpinned": (PinChanged,),
    "reaction.added": (Reacted,),
    "reaction.removed": (Reacted,),
    "member.joined": (MemberJoined,),
    "member.left": (MemberChanged,),
    "member.kicked": (Moderated,),
    "member.banned": (Moderated,),
    "member.unbanned": (Moderated,),
    "member.muted": (Moderated,),
    "member.unmuted": (Moderated,),
    "member.invited": (Invited,),
    "member.declined": (MemberChanged,),
    "member.role": (RoleChanged,),
    "room.updated": (RoomUpdated,),
}
"""The payloads of the protocol's durable events."""
LIVE: Mapping[str, type] = {"notice": Notice, "update": Pushed, "redirect": Redirect}
"""Those that the app pushes under a name of the protocol."""

_ABOUT_A_MESSAGE = {"seq": int}
_INSIDE: Mapping[type, Mapping[str, Any]] = {
    Joined: {"messages": list[Shown]},
    Messages: {"messages": list[Shown]},
    PinList: {"messages": list[Shown]},
    Replies: {"message": Shown, "messages": list[Shown]},
    Found: {"messages": list[Match]},
    LogPage: {"events": list[Event]},
    Edit: {"body": Body},
    Direct: {"body": Body},
    Close: {"body": PartialBody | None},
    Edited: {"body": Body, **_ABOUT_A_MESSAGE},
    Closed: {"body": Body, **_ABOUT_A_MESSAGE},
    PinChanged: _ABOUT_A_MESSAGE,
    Reacted: {**_ABOUT_A_MESSAGE, "count": int},
    Deleted: {
        **_ABOUT_A_MESSAGE,
        "parent": str | UnsetType,
        "thread": ThreadShown | None | UnsetType,
    },
}
"""By struct and field: what the raw text is, and what the store adds."""


def live_events() -> dict[str, type]:
    """The payloads of live events, by type."""
    return {**{kind.type: kind for kind in LiveEvent.__subclasses__()}, **LIVE}


_made: dict[type, type] = {}


def as_on_the_wire(kind: type) -> type:
    """The struct with types where it holds raw text, and with what the store adds. Always the same one for a struct."""
    if kind not in _INSIDE:
        return kind
    if kind not in _made:
        _made[kind] = _make(kind, _INSIDE[kind])
    return _made[kind]


def _make(kind: type, inside: Mapping[str, Any]) -> type:
    known = {its.encode_name: its for its in msgspec.structs.fields(kind)}
    added = [(name, inside[name]) for name in inside if name not in known]
    fields = [_field(name, inside.get(name, its.type), its) for name, its in known.items()]
    fields += [(name, type, UNSET) if _may_miss(type) else (name, type) for name, type in added]
    made: type = msgspec.defstruct(
        kind.__name__,
        fields,
        kw_only=True,
        module=kind.__module__,
        namespace={"__doc__": kind.__doc__},
        omit_defaults=kind.__struct_config__.omit_defaults,  # type: ignore[attr-defined]
    )
    return made


def _field(name: str, type: Any, its: msgspec.structs.FieldInfo) -> Any:
    if its.required:
        return name, type
    if its.default_factory is not msgspec.NODEFAULT:
        return name, type, msgspec.field(default_factory=its.default_factory)
    return name, type, its.default


def _may_miss(type: Any) -> bool:
    return UnsetType in getattr(type, "__args__", ())
