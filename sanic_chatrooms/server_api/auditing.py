"""The verb that tells who did what to whom in a room, from its events."""

from typing import Any

import msgspec

from ..errors import InvalidCursor
from ..models import Event, Sender, User
from ..support.paging import decode_number, encode_cursor
from .base import Verbs, id_of

__all__ = ["AuditLine", "AuditPage", "Auditing"]

AUDITED = frozenset(
    (
        "member.kicked", "member.banned", "member.unbanned", "member.muted", "member.unmuted", "member.role",
        "member.invited", "room.updated",
    )
)  # fmt: skip
"""Types of events by which somebody decided about others or the room."""
STEP, STEPS = 200, 20
"""Events of a room that are read at a time, and how often for one page."""


class AuditLine(msgspec.Struct, frozen=True):
    """One decision. `details`: the payload of the event, as on the wire."""

    seq: int
    at: float
    type: str
    actor: Sender | None
    """Who decided; None: the app."""
    user: str | None
    """The id of the user whom it is about; None: the room."""
    reason: str
    details: dict[str, Any]


class AuditPage(msgspec.Struct, frozen=True):
    """Decisions, newest first. `cursor` asks for older ones; None: there are none."""

    lines: list[AuditLine]
    cursor: str | None = None


class Auditing(Verbs):
    """The verb that tells who did what to whom."""

    async def audit(
        self,
        room: str,
        *,
        actor: User | Sender | str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> AuditPage:
        """Who did what to whom in a room, when and why, newest first: kicks, bans, mutes, roles, invitations and changes of the room,
        as far back as the room's events are kept. `actor`: only what this user did. A page may be short. Raises `RoomNotFound`,
        `InvalidCursor`, `Unavailable`.
        """
        store = self.running().store
        before = 2**53 - 1 if cursor is None else _number(cursor)
        who = None if actor is None else id_of(actor)
        lines: list[AuditLine] = []
        for _ in range(STEPS):
            page = await store.history(room, before=before, limit=STEP)
            for event in reversed(page.events):
                before = event.seq or before
                if event.type in AUDITED and (who is None or (event.sender and event.sender.id == who)):
                    lines.append(_line(event))
                    if len(lines) == limit:
                        return AuditPage(lines, encode_cursor("audit", str(before)))
            if not page.more:
                return AuditPage(lines)
        return AuditPage(lines, encode_cursor("audit", str(before)))


def _number(cursor: str) -> int:
    number = decode_number("audit", cursor)
    if number < 1:
        raise InvalidCursor
    return number


def _line(event: Event) -> AuditLine:
    details: dict[str, Any] = msgspec.json.decode(event.payload)
    user = details.get("user", {}).get("id")
    reason = details.get("reason", "")
    return AuditLine(event.seq or 0, event.timestamp, event.type, event.sender, user, reason, details)
