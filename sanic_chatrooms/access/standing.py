"""A user's current role, membership and restrictions in a room, derived from facts in the store."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ..models import DIRECT, PRIVATE, Known, Room, Sender
from ..stores.members import INVITE, MEMBER, as_member
from .roles import CREATOR, LEVELS, level_of

__all__ = [
    "BAN",
    "BLOCKED",
    "HIDDEN",
    "INVITE",
    "LEVELS",
    "MUTE",
    "Restriction",
    "Standing",
    "level_of",
    "standing_of",
]

HIDDEN = frozenset((PRIVATE, DIRECT))
"""Visibilities of rooms that only their members can see."""
BAN, MUTE, BLOCKED = "ban", "mute", "blocked"
"""Kinds of the facts about a user in a room, beside `stores.members.MEMBER`. Blocked: by the other one, in a direct room."""


class Restriction(msgspec.Struct, frozen=True):
    """A ban or a mute."""

    until: float | None = None
    """Unix seconds; None: permanent."""
    reason: str = ""
    by: Sender | str | None = None
    """The user who decided it."""
    seq: int = 0
    """The number of the event that set it; 0: it was set without one."""

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
    """The level of the role: owner 100, admin 75, moderator 50, member 10, reader 5, guest 1, outsider 0; others 10,
    unless the app declares them."""
    joined_seq: int | None = None
    """The room's number when the current membership began; None: not a member."""
    invited: bool = False
    banned: Restriction | None = None
    muted: Restriction | None = None
    name: str = ""
    """The user's name in the list of members."""
    creator: bool = False
    """The member made this room, and may do everything in it."""
    role_seq: int = 0
    """The number of the event that gave the role; 0: there was none."""
    invited_seq: int | None = None
    """The number of the invitation, also of that which a member accepted; None: there was none."""

    @property
    def member(self) -> bool:
        """Whether the user is a member."""
        return self.joined_seq is not None

    @property
    def restricted(self) -> bool:
        """Is there a ban or a mute? It may have passed."""
        return self.banned is not None or self.muted is not None

    @property
    def rank(self) -> int:
        """What others need more of to change anything about this user."""
        return CREATOR if self.creator else self.level


_restriction = msgspec.json.Decoder(Restriction)
NOBODY = Standing()
GUEST = Standing("guest", LEVELS["guest"])


def standing_of(
    room: Room | None, facts: Mapping[str, Known], levels: Mapping[str, int] = LEVELS
) -> Standing:
    """The standing of the user whom these facts are about. `levels` are those of all roles."""
    base = NOBODY if room is None or room.visibility in HIDDEN else GUEST
    if not facts:
        return base
    if (known := facts.get(MEMBER)) is not None:
        member = as_member(known)
        base = Standing(
            member.role,
            level_of(member.role, levels),
            known.since,
            name=member.name,
            creator=member.creator,
            role_seq=known.seq,
            invited_seq=member.invited_seq,
        )
    if facts.keys() <= {MEMBER}:
        return base
    banned, muted = _restricted(facts.get(BAN)), _restricted(facts.get(MUTE))
    if muted is None and BLOCKED in facts:
        muted = Restriction()
    if (invite := facts.get(INVITE)) is not None:
        base = replace(base, invited=True, invited_seq=invite.since)
    return replace(base, banned=banned, muted=muted)


def _restricted(known: Known | None) -> Restriction | None:
    return None if known is None else replace(_restriction.decode(known.value), seq=known.seq)
