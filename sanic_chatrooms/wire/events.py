"""The payload of every event that the server makes itself (docs/reference/events.md). Those of messages, and of the app's own
types, are as they were sent.
"""

from typing import ClassVar

import msgspec

from ..models import Sender

__all__ = [
    "AuthExpiring",
    "Closing",
    "Deleted",
    "Edited",
    "Heartbeat",
    "Limits",
    "LiveEvent",
    "MemberChanged",
    "Myself",
    "Presence",
    "Reset",
    "RoleChanged",
    "RoomAdded",
    "RoomRemoved",
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


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """What the server takes at most."""

    max_frame: int
    max_text: int
    max_rooms: int
    history_page: int


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


class RoomAdded(LiveEvent, frozen=True):
    """The connection is in this room now; events from `seq` + 1 follow. `partner`: of a direct room."""

    type: ClassVar[str] = "room.added"
    room: str
    epoch: str
    seq: int
    partner: Sender | None = msgspec.field(default=None, name="with")


class RoomRemoved(LiveEvent, frozen=True):
    """The connection is in this room no longer: `left`, `kicked` or `deleted`."""

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


class Deleted(msgspec.Struct, frozen=True, rename="camel"):
    """`message.deleted`. The store adds the message's `seq`."""

    msg_id: str
    deleted: bool = True
    reason: str | msgspec.UnsetType = msgspec.UNSET


class MemberChanged(msgspec.Struct, frozen=True):
    """`member.joined`, `member.left` or `member.kicked`: about whom."""

    user: Sender


class RoleChanged(msgspec.Struct, frozen=True):
    """`member.role`: about whom, and the role that they have now."""

    user: Sender
    role: str
