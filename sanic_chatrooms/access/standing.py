"""A user's current role, membership and restrictions in a room, derived from facts in the store."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ..errors import Banned, Muted, RoomNotFound
from ..models import DIRECT, PRIVATE, Known, Room, Sender
from ..stores.members import MEMBER, as_member

__all__ = ["HIDDEN", "LEVELS", "Restriction", "Standing", "check_restrictions", "level_of", "standing_of"]

LEVELS = {"owner": 100, "admin": 75, "moderator": 50, "member": 10, "reader": 5, "guest": 1, "outsider": 0}
"""The level of each role. Other roles have the level of a member."""
HIDDEN = frozenset((PRIVATE, DIRECT))
"""Visibilities of rooms that only their members can see."""
ALWAYS = frozenset(("leave", "explain"))
"""Actions that a user may do who is banned from a public room."""


class Restriction(msgspec.Struct, frozen=True):
    """A ban or a mute."""

    until: float | None = None
    """Unix seconds; None: permanent."""
    reason: str = ""
    by: Sender | str | None = None
    """The user who decided it."""

    def holds(self, now: float) -> bool:
        """Whether it applies at this time (Unix seconds). It ends by itself, without an event."""
        return self.until is None or now < self.until

    def told(self) -> dict[str, Any]:
        """The fields that the restricted user gets with an error."""
        told: dict[str, Any] = {"reason": self.reason} if self.reason else {}
        return told if self.until is None else {"until": self.until, **told}


class Standing(msgspec.Struct, frozen=True):
    """A user's current role, membership and restrictions in a room. Without a room, a user is an outsider."""

    role: str = "outsider"
    """The role of a member; `guest` for others in a public room; `outsider` for others elsewhere."""
    level: int = 0
    """The level of the role: owner 100, admin 75, moderator 50, member 10, reader 5, guest 1, outsider 0; others 10."""
    joined_seq: int | None = None
    """The room's number when the current membership began; None: not a member."""
    invited: bool = False
    banned: Restriction | None = None
    muted: Restriction | None = None
    name: str = ""
    """The user's name in the list of members."""

    @property
    def member(self) -> bool:
        """Whether the user is a member."""
        return self.joined_seq is not None

    @property
    def restricted(self) -> bool:
        """Is there a ban or a mute? It may have passed."""
        return self.banned is not None or self.muted is not None


def level_of(role: str) -> int:
    """The level of a role."""
    return LEVELS.get(role, LEVELS["member"])


_restriction = msgspec.json.Decoder(Restriction)
NOBODY = Standing()
GUEST = Standing("guest", LEVELS["guest"])


def standing_of(room: Room | None, facts: Mapping[str, Known]) -> Standing:
    """The standing of the user whom these facts are about."""
    if not facts:
        return GUEST if room is not None and room.visibility not in HIDDEN else NOBODY
    base = NOBODY if room is None or room.visibility in HIDDEN else GUEST
    if (known := facts.get(MEMBER)) is not None:
        member = as_member(known)
        base = Standing(member.role, level_of(member.role), known.since, name=member.name)
    if facts.keys() <= {MEMBER}:
        return base
    banned, muted = _restricted(facts.get("ban")), _restricted(facts.get("mute"))
    return replace(base, invited="invite" in facts, banned=banned, muted=muted)


def _restricted(known: Known | None) -> Restriction | None:
    return None if known is None else _restriction.decode(known.value)


def check_restrictions(
    room: Room, standing: Standing, action: str, now: float, *, mute_stops: bool = False
) -> None:
    """Bans, and mutes where they stop the action. Raises `Banned`, `Muted`, `RoomNotFound` (of a hidden room)."""
    banned, muted = standing.banned, standing.muted
    if banned is not None and banned.holds(now):
        if room.visibility in HIDDEN:
            raise RoomNotFound
        if action not in ALWAYS:
            raise Banned(**banned.told())
    if muted is not None and mute_stops and muted.holds(now):
        raise Muted(**muted.told())
