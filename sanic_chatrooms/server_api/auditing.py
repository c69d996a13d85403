"""The verb that tells who did what to whom in a room, from its events."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import InvalidCursor
from ..models import Event, Sender, User
from ..stores.base import Store
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
OTHERS = frozenset(("member.joined", "message.deleted"))
"""Types of events that are decisions only where they are about another user."""
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
        """Who did what to whom in a room, when and why, newest first: kicks, bans, mutes, roles, invitations, members added, others' messages deleted,
        and changes of the room. It reads the room's events, so it goes back as far as these are kept (`HISTORY_MAX`, `RETENTION`).
        `actor`: only what this user did. A page may be short, or empty, and have a cursor. Raises `RoomNotFound`,
        `InvalidCursor`, `Unavailable`.
        """
        store = self.running().store
        before = 2**53 - 1 if cursor is None else _number(cursor)
        who = None if actor is None else id_of(actor)
        lines: list[AuditLine] = []
        for _ in range(STEPS):
            page = await store.history(room, before=before, limit=STEP)
            authors = await _authors(store, room, page.events)
            for event in reversed(page.events):
                before = event.seq or before
                line = _line(event, authors)
                if line is not None and (who is None or (line.actor and line.actor.id == who)):
                    lines.append(line)
                    if len(lines) == limit:
                        return AuditPage(lines, encode_cursor("audit", str(before)))
            if not page.more:
                return AuditPage(lines)
        return AuditPage(lines, encode_cursor("audit", str(before)))


class _Deleted(msgspec.Struct):
    seq: int


_deleted = msgspec.json.Decoder(_Deleted)


def _number(cursor: str) -> int:
    number = decode_number("audit", cursor)
    if number < 1:
        raise InvalidCursor
    return number


async def _authors(store: Store, room: str, events: list[Event]) -> dict[int, str]:
    """Who wrote the messages that these events delete: ids by the numbers of the messages. Of trimmed ones nobody can tell."""
    deleted = {_deleted.decode(event.payload).seq for event in events if event.type == "message.deleted"}
    if not deleted:
        return {}
    found = await store.events(room, deleted)
    return {seq: message.sender.id for seq, message in found.items() if message.sender is not None}


def _line(event: Event, authors: Mapping[int, str]) -> AuditLine | None:
    if event.type not in AUDITED and event.type not in OTHERS:
        return None
    details: dict[str, Any] = msgspec.json.decode(event.payload)
    actor, user = event.sender, (details.get("user") or {}).get("id")
    if event.type == "message.deleted":
        user = authors.get(details["seq"])
    elif event.type == "member.joined":
        if details.get("by") is None:
            return None
        actor = msgspec.convert(details["by"], Sender)
    if event.type in OTHERS and actor is not None and user == actor.id:
        return None
    reason = details.get("reason", "")
    return AuditLine(event.seq or 0, event.timestamp, event.type, actor, user, reason, details)
