"""What a room with its members is, and who may do and read what in it: the oracle of `access_play`.

Written from the description of the model (docs/reference/permissions.md, docs/reference/protocol.md), apart from the product. It imports
nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LEVELS", "MEMBER_ROLES", "Entry", "Held", "Invite", "ModelledRoom"]

LEVELS = {"owner": 100, "admin": 75, "moderator": 50, "member": 10, "reader": 5, "guest": 1, "outsider": 0}
MEMBER_ROLES = ("owner", "admin", "moderator", "member", "reader")
CREATOR = 101
SPEAKING = {"level": 10, "roles": ["guest"]}
NEEDS: dict[str, tuple[Any, Any]] = {
    "join": (0, 5), "history": (0, 5), "search": (0, 5), "message": (SPEAKING, 10), "message.edit": (SPEAKING, 10),
    "message.delete": (SPEAKING, 10), "message.delete.any": (50, 50), "member.invite": (10, 10), "member.add": (50, 50),
    "member.kick": (50, 50), "member.ban": (50, 50), "member.unban": (50, 50), "member.mute": (50, 50),
    "member.unmute": (50, 50), "member.role": (75, 75), "room.update": (75, 75), "room.govern": (100, 100),
    "leave": (0, 0), "member.accept": (0, 0), "member.decline": (0, 0), "read": (0, 5), "unread": (0, 5),
    "mention.room": (50, 50), "reaction.add": (SPEAKING, 10), "reaction.remove": (SPEAKING, 10), "message.pin": (50, 50),
    "message.unpin": (50, 50),
}  # fmt: skip
"""What an action needs by default in a public and in a private room."""
MUTE_STOPS = ("message", "message.edit", "member.invite", "reaction.add", "message.pin", "message.unpin")
FOR_INVITED = ("join", "member.accept", "member.decline")
FOLDED = ("message.", "member.", "room.")


@dataclass
class Entry:
    """An event of the room, as it is now."""

    seq: int
    type: str
    sender: str | None = None
    text: str | None = None
    """None: it is no message, or it was deleted."""
    id: str = ""
    """The server's id of a message."""

    @property
    def shown(self) -> tuple[int, str, str | None]:
        """What is compared."""
        return self.seq, self.type, self.text


@dataclass
class Held:
    """A membership."""

    role: str
    begins: int
    """The first number that belongs to it."""
    by_event: bool = True
    """The number is that of the event that began it."""
    creator: bool = False
    invited: int | None = None
    """The number of the invitation that was accepted."""


@dataclass
class Invite:
    role: str
    by: str | None
    seq: int


@dataclass
class ModelledRoom:
    id: str
    visibility: str
    announce: bool = False
    past: str = "members"
    """Who may read the past while the room is private."""
    permissions: dict[str, Any] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    members: dict[str, Held] = field(default_factory=dict)
    invites: dict[str, Invite] = field(default_factory=dict)
    bans: dict[str, float | None] = field(default_factory=dict)
    mutes: dict[str, float | None] = field(default_factory=dict)
    changes: list[tuple[int, str]] = field(default_factory=list)
    """From which numbers on who may read."""

    def __post_init__(self) -> None:
        self.changes.append((1, self.readers))

    # ---- standing ----

    @property
    def head(self) -> int:
        return len(self.log)

    @property
    def public(self) -> bool:
        return self.visibility == "public"

    def role(self, user: str) -> str:
        held = self.members.get(user)
        return held.role if held else "guest" if self.public else "outsider"

    def rank(self, user: str | None) -> int:
        """None: the app, above all."""
        if user is None:
            return CREATOR + 1
        held = self.members.get(user)
        return CREATOR if held and held.creator else LEVELS[self.role(user)]

    def is_banned(self, user: str, now: float) -> bool:
        return _holds(self.bans, user, now)

    def is_muted(self, user: str, now: float) -> bool:
        return _holds(self.mutes, user, now)

    # ---- the order of the questions ----

    def refusal(self, user: str | None, action: str, now: float, *, target: str | None = None) -> str | None:
        """The code of the error; None: the user may do it. `target`: whom it is about, where ranks count."""
        if user is None:
            return None
        if not self.public and not (user in self.members or user in self.invites):
            return "room_not_found"
        if self.is_banned(user, now) and action != "leave":
            return "banned" if self.public else "room_not_found"
        if self.is_muted(user, now) and action in MUTE_STOPS:
            return "muted"
        if not (action in FOR_INVITED and user in self.invites) and not self._meets(user, action):
            return "forbidden"
        if target is not None and self.rank(target) >= self.rank(user):
            return "forbidden"
        return None

    def need(self, action: str) -> dict[str, Any]:
        found = self.permissions.get(action, NEEDS[action][0 if self.public else 1])
        return found if isinstance(found, dict) else {"level": found}

    def _meets(self, user: str, action: str) -> bool:
        need, held = self.need(action), self.members.get(user)
        return (
            (held is not None and held.creator)
            or ("level" in need and LEVELS[self.role(user)] >= need["level"])
            or self.role(user) in need.get("roles", ())
            or user in need.get("users", ())
        )

    # ---- the past ----

    @property
    def readers(self) -> str:
        """Who may read what is stored now."""
        return "world" if self.public else self.past

    def may_read(self, user: str, seq: int) -> bool:
        value = next(value for start, value in reversed(self.changes) if start <= seq)
        if value == "world":
            return True
        held = self.members.get(user)
        if held is None:
            return False
        begins = {"members": 1, "joined": held.begins, "invited": held.invited or held.begins}
        return seq >= begins[value]

    def timeline(self, user: str) -> list[Entry]:
        """What the user may read of the timeline."""
        return [
            entry
            for entry in self.log
            if not entry.type.startswith(FOLDED) and self.may_read(user, entry.seq)
        ]

    def hidden(self, user: str, first: int, last: int) -> list[int]:
        """The numbers from one to another that the user may not read."""
        return [seq for seq in range(first, last + 1) if not self.may_read(user, seq)]

    # ---- what happens ----

    def store(self, type: str, sender: str | None = None, text: str | None = None, id: str = "") -> Entry:
        entry = Entry(self.head + 1, type, sender, text, id)
        self.log.append(entry)
        return entry

    def begin(
        self, user: str, role: str, *, event: bool, creator: bool = False, invited: int | None = None
    ) -> None:
        """A membership begins by the event that was just stored, or without one."""
        self.members[user] = Held(role, self.head + (not event), event, creator, invited)
        if event:
            self.invites.pop(user, None)

    def end(self, user: str) -> None:
        """A membership and an invitation end."""
        self.members.pop(user, None)
        self.invites.pop(user, None)

    def ban(self, user: str, until: float | None) -> None:
        self.end(user)
        self.bans[user] = until
        for invited in [invited for invited, invite in self.invites.items() if invite.by == user]:
            del self.invites[invited]

    def update(self, properties: dict[str, Any]) -> bool:
        """Apply a room.update; -> whether something changed."""
        before = (self.visibility, self.past, self.permissions)
        self.visibility = properties.get("visibility", self.visibility)
        self.past = properties.get("historyVisibility", self.past)
        merged = {**self.permissions, **properties.get("permissions", {})}
        self.permissions = {action: need for action, need in merged.items() if need is not None}
        if (self.visibility, self.past, self.permissions) == before:
            return False
        self.store("room.updated")
        if self.readers != self.changes[-1][1]:
            self.changes.append((self.head, self.readers))
        return True

    def messages(self) -> Iterator[Entry]:
        return (entry for entry in self.log if entry.type == "message")


def _holds(restrictions: dict[str, float | None], user: str, now: float) -> bool:
    if user not in restrictions:
        return False
    until = restrictions[user]
    return until is None or now < until
