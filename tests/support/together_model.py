"""What is known of messages beside what `access_model` has: replies, reactions, pins, mentions, what was trimmed and what is read.

The oracle of `together_play`. Like that of `access_play` it imports nothing of the product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.access_model import Entry, Held, ModelledRoom

__all__ = ["KEPT", "About", "Line", "TogetherRoom"]

KEPT = 50
"""Events that are kept of a room: less than a page, so that a join shows everything; and less than a run, so that much is trimmed."""
CAP = 100
FOLDED = ("message.", "reaction.", "member.", "room.")


@dataclass
class About:
    """Of one message."""

    entry: Entry
    parent: str | None
    mentions: set[str]
    """Whom it mentions: members at that time, and groups."""
    named: list[str]
    """Whom its body names."""
    reactions: dict[str, set[str]] = field(default_factory=dict)
    pinned: str | None = None
    """Who pinned it."""


@dataclass
class Line:
    """What a user has not read in a room."""

    count: int = 0
    more: bool = False
    first: int | None = None
    mentions: int = 0
    read: int = 0


@dataclass
class TogetherRoom(ModelledRoom):
    """A room that keeps little."""

    about: dict[str, About] = field(default_factory=dict)
    """By the server's ids of its messages."""
    trimmed: int = 0
    markers: dict[str, tuple[Held, int]] = field(default_factory=dict)
    """Markers that were set, with the membership that they belong to."""
    role_since: dict[str, tuple[Held, int]] = field(default_factory=dict)
    """The number of the event by which a member has had their role, with the membership, where that was changed."""

    # ---- the past ----

    @property
    def floor(self) -> int:
        return max(self.head - KEPT, self.trimmed)

    def may_read(self, user: str, seq: int) -> bool:
        return seq > self.floor and super().may_read(user, seq)

    def timeline(self, user: str) -> list[Entry]:
        return [e for e in self.log if not e.type.startswith(FOLDED) and self.may_read(user, e.seq)]

    def told(self, id: str, reader: str) -> Any:
        """What a reader sees of a message."""
        about = self.about[id]
        gone = about.entry.text is None
        replies = [
            other.entry.seq
            for other in self.about.values()
            if other.parent == id and other.entry.text is not None and self.may_read(reader, other.entry.seq)
        ]
        reactions = {} if gone else about.reactions
        return {
            "text": about.entry.text,
            "reactions": {
                emoji: (len(users), reader in users) for emoji, users in reactions.items() if users
            },
            "pinned": None if gone else about.pinned,
            "thread": (len(replies), max(replies)) if replies else None,
        }

    # ---- what is read ----

    def marker(self, user: str) -> int:
        """Up to where a member has read."""
        held = self.members[user]
        known = self.markers.get(user)
        return known[1] if known is not None and known[0] is held else _since(held)

    def mark(self, user: str, seq: int, *, unread: bool) -> None:
        """The command `read`. Others than members have no marker."""
        if (held := self.members.get(user)) is None:
            return
        marker = min(max(seq - 1, 0), self.head) if unread else max(self.marker(user), min(seq, self.head))
        self.markers[user] = held, marker

    def line(self, user: str, blocked: set[str]) -> Line:
        """What is unread. `blocked`: users whose mentions do not count."""
        if user not in self.members:
            return Line()
        marker = self.marker(user)
        left = [
            about
            for about in self.about.values()
            if about.entry.seq > marker
            and about.entry.text is not None
            and about.entry.sender != user
            and self.may_read(user, about.entry.seq)
        ]
        seqs = sorted(about.entry.seq for about in left)
        mentions = sum(about.entry.sender not in blocked and self._mentions(about, user) for about in left)
        first = seqs[0] if seqs else None
        return Line(min(len(seqs), CAP), len(seqs) > CAP, first, min(mentions, CAP), marker)

    def _mentions(self, about: About, user: str) -> bool:
        held, seq = self.members[user], about.entry.seq
        known = self.role_since.get(user)
        role_since = known[1] if known is not None and known[0] is held else _since(held)
        return (
            user in about.mentions
            or ("@room" in about.mentions and seq > _since(held))
            or (f"@{held.role}" in about.mentions and seq > max(role_since, _since(held)))
        )


def _since(held: Held) -> int:
    """The room's number when the membership began."""
    return held.begins if held.by_event else held.begins - 1
