"""The payload of every event that the server makes itself (docs/reference/events.md). Those of messages, and of the app's own
types, are as they were sent.
"""

from typing import ClassVar

import msgspec

from ..models import Sender

__all__ = [
    "AuthExpiring",
    "Cancelled",
    "Closed",
    "Closing",
    "Deleted",
    "Delta",
    "Edited",
    "Heartbeat",
    "Invited",
    "Joined",
    "Limits",
    "LiveEvent",
    "MemberChanged",
    "Mentioned",
    "Moderated",
    "Myself",
    "PrefsChanged",
    "Presence",
    "Read",
    "Reported",
    "Reset",
    "RoleChanged",
    "RoomAdded",
    "RoomInvited",
    "RoomRemoved",
    "StreamLimits",
    "Typing",
    "Welcome",
]


class LiveEvent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The payload of a live event of this type."""

    type: ClassVar[str]


# ---- a connection ----


class Myself(msgspec.Struct, frozen=True):
    """The user, as the user's own connection is told."""

    id: str
    name: str
    scopes: tuple[str, ...]
    amr: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """How the user proved who they are (RFC 8176), if that is known."""


class Heartbeat(msgspec.Struct, frozen=True):
    """Seconds of silence after which the server pings, and after which it closes the connection."""

    interval: float
    timeout: float


class StreamLimits(msgspec.Struct, frozen=True):
    """How many messages may be in the writing at a time: in a room, and of a user in all rooms together."""

    room: int
    user: int


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """What the server takes at most."""

    max_frame: int
    max_text: int
    max_rooms: int
    history_page: int
    streams: StreamLimits


class Welcome(LiveEvent, frozen=True):
    """The server knows who this is."""

    type: ClassVar[str] = "welcome"
    session_id: str
    user: Myself
    protocol: int
    heartbeat: Heartbeat
    limits: Limits
    features: tuple[str, ...]
    guest_token: str | None = None
    """Shown next time, it makes the same guest."""
    expires_at: float | None = None
    """When the token ends (Unix seconds)."""


class AuthExpiring(LiveEvent, frozen=True):
    """The token ends soon: at this time (Unix seconds)."""

    type: ClassVar[str] = "auth.expiring"
    at: float


class Closing(LiveEvent, frozen=True):
    """The server closes the connection; come back after so many seconds."""

    type: ClassVar[str] = "closing"
    reason: str
    reconnect_in: float


# ---- a room ----


class Typing(LiveEvent, frozen=True):
    """Everybody who types now."""

    type: ClassVar[str] = "typing"
    users: list[Sender]


class Presence(LiveEvent, frozen=True):
    """How many users are in the room, and unless they are many, who came, went, or changed their names."""

    type: ClassVar[str] = "presence"
    online: int
    joined: list[Sender] | None = None
    left: list[Sender] | None = None
    renamed: list[Sender] | None = None


class Delta(LiveEvent, frozen=True, omit_defaults=False):
    """A piece of a message that is being written: `text` stands at `at` (code points)."""

    type: ClassVar[str] = "message.delta"
    msg_id: str
    at: int
    text: str


class Cancelled(LiveEvent, frozen=True):
    """To the writer of a message: stop. `by`: who wants so; null: the app, or nobody."""

    type: ClassVar[str] = "message.cancelled"
    msg_id: str
    by: Sender | None = None


class RoomAdded(LiveEvent, frozen=True):
    """The connection is in this room now; events from `seq` + 1 follow. `partner`: of a direct room."""

    type: ClassVar[str] = "room.added"
    room: str
    epoch: str
    seq: int
    partner: Sender | None = msgspec.field(default=None, name="with")
    by: Sender | None = None
    """Who added the user to it."""


class Read(LiveEvent, frozen=True):
    """A member has read the room up to this number."""

    type: ClassVar[str] = "read"
    user: Sender
    seq: int


class PrefsChanged(LiveEvent, frozen=True):
    """What the user prefers in the room, set by another of their connections."""

    type: ClassVar[str] = "prefs"
    notify: str
    favourite: bool


class Mentioned(LiveEvent, frozen=True):
    """A message mentions the user by their id. `text`: its first 140 characters."""

    type: ClassVar[str] = "mention"
    room: str
    msg_id: str
    seq: int
    sender: Sender | None
    text: str


class RoomInvited(LiveEvent, frozen=True):
    """The user is invited to this room."""

    type: ClassVar[str] = "room.invited"
    room: str
    title: str
    by: Sender | None = None


class Reported(LiveEvent, frozen=True):
    """A message was reported to the moderators of its room. It does not tell by whom. `held`: the app keeps it from being published."""

    type: ClassVar[str] = "report"
    id: str
    room: str
    msg_id: str
    reason: str
    held: bool = False


class RoomRemoved(LiveEvent, frozen=True):
    """The connection is in this room no longer: `left`, `kicked`, `banned`, `deleted` or `forbidden`."""

    type: ClassVar[str] = "room.removed"
    room: str
    reason: str


class Reset(LiveEvent, frozen=True):
    """There may be a gap: join the room again, after so many seconds."""

    type: ClassVar[str] = "reset"
    room: str
    epoch: str
    seq: int
    reason: str
    rejoin_in: float


# ---- durable ----


class Edited(msgspec.Struct, frozen=True, rename="camel"):
    """`message.edited`: the message, and its present state. `edited`: when (Unix seconds). The store adds the message's `seq`."""

    msg_id: str
    body: msgspec.Raw
    edited: float


class Closed(msgspec.Struct, frozen=True, rename="camel"):
    """`message.edited` of a message that was being written: its whole body, and how it ended if not well. The store adds `seq`."""

    msg_id: str
    body: msgspec.Raw
    closed: bool
    ended: str | msgspec.UnsetType = msgspec.UNSET


class Deleted(msgspec.Struct, frozen=True, rename="camel"):
    """`message.deleted`. The store adds the message's `seq`."""

    msg_id: str
    deleted: bool = True
    reason: str | msgspec.UnsetType = msgspec.UNSET


class Invited(msgspec.Struct, frozen=True):
    """`member.invited`: who, with which role, and by whom."""

    user: Sender
    role: str
    by: Sender | None = None


class Joined(msgspec.Struct, frozen=True, omit_defaults=True):
    """`member.joined`: who, with which role, and by whom if another user added them."""

    user: Sender
    role: str
    by: Sender | None = None


class Moderated(msgspec.Struct, frozen=True, omit_defaults=True):
    """`member.kicked`, `member.banned`, `member.muted` and what ends them: about whom, by whom, until when (Unix seconds), and why."""

    user: Sender
    by: Sender | None
    until: float | None = None
    reason: str = ""


class MemberChanged(msgspec.Struct, frozen=True):
    """`member.joined`, `member.left` or `member.kicked`: about whom."""

    user: Sender


class RoleChanged(msgspec.Struct, frozen=True):
    """`member.role`: about whom, the role that they have now, and who gave it; `by` is null if the app did."""

    user: Sender
    role: str
    by: Sender | None = None
