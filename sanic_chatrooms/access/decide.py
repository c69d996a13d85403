"""Decides whether a user may do something in a room. The first question that refuses is the answer:

1. May the user know of the room?
2. Is the user banned or muted, or is the room archived?
3. Does the token allow it?
4. Does the user have what the action needs in this room?
5. Is the other user, whom it is about, below this one?
6. Does the app's policy agree? (`access`)
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from ..errors import Banned, ChatError, Forbidden, Muted, RoomNotFound
from ..models import PUBLIC, RESERVED, Room, User
from .actions import Action, Right
from .needs import NEVER, Need, need_of
from .scopes import Scopes
from .standing import HIDDEN, Restriction, Standing

__all__ = ["Denial", "Verdict", "first_refusal", "may_reach", "muted_by", "need_in", "out_of_scope"]

ALWAYS = frozenset(("leave", "explain"))
"""Actions that a user may do who is banned from a public room."""
RIGHTS = {Right.READ: "read", Right.WRITE: "write", Right.MODERATE: "moderate"}


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a user may do something, and why."""

    allowed: bool
    rule: str
    """`allowed`, `widened`, or what refuses: `unknown`, `restriction`, `archived`, `scope`, `need`, `rank`, `policy`."""
    because: str
    """In words, for the user."""
    seq: int | None = None
    """The number of the event that set it: the ban, the role, the room's permission."""


class Denial(Exception):
    """The first of the questions that refuses."""

    def __init__(self, rule: str, error: ChatError, seq: int | None = None) -> None:
        super().__init__(rule)
        self.rule = rule
        self.error = error
        """What the user is answered."""
        self.seq = seq or None

    def verdict(self) -> Verdict:
        """The same as a value."""
        return Verdict(False, self.rule, self.error.message, self.seq)


def first_refusal(
    action: Action, user: User, scopes: Scopes | None, room: Room, standing: Standing, now: float
) -> Denial | None:
    """Questions 1 to 4; None: nothing refuses. `scopes`: what narrows this user."""
    hidden = room.visibility in HIDDEN
    if (hidden and not (standing.member or standing.invited)) or room.visibility == RESERVED:
        return Denial("unknown", RoomNotFound())
    if standing.restricted and (refusal := _restricted(action, standing, now, hidden)) is not None:
        return refusal
    if room.archived and action.archive_stops:
        return Denial("archived", Forbidden("the room is archived", needs="unarchived"))
    if scopes is not None and (refusal := out_of_scope(action, scopes, room)) is not None:
        return refusal
    if action.for_invited and standing.invited:
        return None
    need = need_in(action, room)
    return None if need.met(user.id, standing) else _needs(action, need, standing)


def _restricted(action: Action, standing: Standing, now: float, hidden: bool) -> Denial | None:
    banned, muted = standing.banned, standing.muted
    if banned is not None and banned.holds(now):
        if hidden:
            return Denial("unknown", RoomNotFound())
        if action.name not in ALWAYS:
            return Denial("restriction", Banned(**banned.told()), banned.seq)
    if muted is not None and action.mute_stops and muted.holds(now):
        return muted_by(muted)
    return None


def muted_by(muted: Restriction) -> Denial:
    """The refusal of whatever a mute stops."""
    return Denial("restriction", Muted(**muted.told()), muted.seq)


def out_of_scope(action: Action, scopes: Scopes, room: Room | None, id: str | None = None) -> Denial | None:
    """Question 3. Without a room (`id` may name one that is to be made), the right has to hold everywhere."""
    where = id if room is None else room.id
    right = action.right_in(PUBLIC if room is None else room.visibility)
    if scopes.allow(right, where):
        return None
    needs = f"chat:{RIGHTS[right]}"
    here = "" if where is None else f" or room:{where}:{RIGHTS[right]}"
    return Denial("scope", Forbidden(f"your token does not allow this: it needs {needs}{here}", needs=needs))


def need_in(action: Action, room: Room) -> Need:
    """What the action needs in this room. What nobody may, no room can allow."""
    default = action.needs.within(room.visibility)
    if not room.permissions or default is NEVER or action.name not in room.permissions:
        return default
    return need_of(room.permissions[action.name], action.name)


def _needs(action: Action, need: Need, standing: Standing) -> Denial:
    if need is NEVER:
        return Denial("need", Forbidden(f"nobody may {action.name} in a room of this kind"))
    said = f"{action.name} needs {_in_words(need)} here, and you are {standing.role} ({standing.level})"
    told: dict[str, Any] = {} if need == NEVER else {"needs": need.told()}
    return Denial("need", Forbidden(said, **told), standing.role_seq)


def _in_words(need: Need) -> str:
    ways: Iterable[str] = (
        f"level {need.level}" if need.level is not None else "",
        f"the role {' or '.join(need.roles)}" if need.roles else "",
        "to be one of the users that the room names" if need.users else "",
    )
    return " or ".join(filter(None, ways)) or "to be its creator"


def may_reach(actor: Standing, target: Standing) -> Denial | None:
    """Question 5: whether the target is below the actor."""
    if target.rank < actor.rank:
        return None
    said = "you reach only users below your own level"
    return Denial("rank", Forbidden(said), actor.role_seq)
