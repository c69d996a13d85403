"""The verb that tells who did what to whom, from the events of rooms, and what operators decided for the whole server."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ..access.visibility import LAST
from ..errors import InvalidCursor
from ..models import EVERYONE, Event, Sender, User
from ..stores.base import Store
from ..support.paging import decode_number, encode_cursor
from ..verbs.across import List, across
from ..verbs.operators import decisions
from ..verbs.pages import page_limit
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
FIRST = ""
"""The cursor of the list of rooms behind the decisions for the whole server."""
STEP, STEPS = 200, 20
"""Events of a room that are read at a time, and how often for one page. Each room is read once at least."""


class AuditLine(msgspec.Struct, frozen=True):
    """One decision. `details`: the payload of the event, as on the wire."""

    room: str | None
    """None: the whole server."""
    seq: int
    """The number of the event; 0 for the whole server."""
    at: float
    type: str
    actor: Sender | None
    """Who decided; None: the app."""
    user: str | None
    """The id of the user whom it is about; None: the room, or the server."""
    reason: str
    details: dict[str, Any]


class AuditPage(msgspec.Struct, frozen=True):
    """Decisions in a room, newest first; without a room: those of operators for the whole server, then room by room. `cursor` asks for the rest; None: there is none."""

    lines: list[AuditLine]
    cursor: str | None = None


class Auditing(Verbs):
    """The verb that tells who did what to whom."""

    async def audit(
        self,
        room: str | None = None,
        *,
        actor: User | Sender | str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> AuditPage:
        """Who did what to whom in a room, when and why, newest first: kicks, bans, mutes, roles, invitations, members added, others' messages deleted,
        and changes of the room. It reads the room's events, so it goes back as far as these are kept (`HISTORY_MAX`, `RETENTION`).
        Without `room`: first what operators decided on their page for the whole server (bans, revocations, closed connections and
        reports, settings, workers that were drained or restarted), for a year; then in all rooms, in the order of their ids.

        `actor`: only what this user did. A call reads a limited number of rooms and events, so a page may be short, or empty, and
        have a cursor. Raises `RoomNotFound`, `InvalidCursor`, `InvalidField`, `Unavailable`.
        """
        chat = self.running()
        reading = _Reading(chat.store, None if actor is None else id_of(actor))
        limit = page_limit(chat.settings, limit)
        if room is not None:
            return AuditPage(*await reading.decisions(room, cursor, limit))
        return AuditPage(*await across(_all_rooms(chat.store), reading.decisions, cursor, limit))


def _all_rooms(store: Store) -> List:
    async def rooms(cursor: str | None) -> tuple[str | None, str | None]:
        if cursor is None:
            return EVERYONE, FIRST
        page = await store.rooms(visibility=None, cursor=cursor or None, limit=1)
        return (page.rooms[0].id if page.rooms else None), page.cursor

    return rooms


class _Reading:
    """Reads the decisions of one call: of an actor, or all."""

    def __init__(self, store: Store, actor: str | None) -> None:
        self._store = store
        self._actor = actor
        self._steps = STEPS

    async def decisions(
        self, room: str, cursor: str | None, limit: int
    ) -> tuple[list[AuditLine], str | None]:
        """The newest of a room before the cursor, and the cursor for older ones. The first step in a room is always made.

        `EVERYONE`: those of operators.
        """
        if room == EVERYONE:
            return await self._of_operators(cursor, limit)
        before = LAST if cursor is None else _number(cursor)
        lines: list[AuditLine] = []
        while True:
            self._steps -= 1
            page = await self._store.history(room, before=before, limit=STEP)
            authors = await _authors(self._store, room, page.events)
            for event in reversed(page.events):
                before = event.seq or before
                line = _line(room, event, authors)
                if line is not None and self._actor in (None, line.actor and line.actor.id):
                    lines.append(line)
                    if len(lines) == limit:
                        return lines, encode_cursor("audit", str(before))
            if not page.more:
                return lines, None
            if self._steps <= 0:
                return lines, encode_cursor("audit", str(before))

    async def _of_operators(self, cursor: str | None, limit: int) -> tuple[list[AuditLine], str | None]:
        lines: list[AuditLine] = []
        while True:
            self._steps -= 1
            found, cursor = await decisions(self._store, cursor, limit - len(lines))
            lines += [
                AuditLine(None, 0, one.at, one.type, one.actor, one.user, one.reason, one.details)
                for one in found
                if self._actor in (None, one.actor.id)
            ]
            if cursor is None or len(lines) == limit or self._steps <= 0:
                return lines, cursor


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
    deleted = {
        _deleted.decode(event.payload).seq
        for event in events
        if event.type == "message.deleted" and not event.deleted
    }
    if not deleted:
        return {}
    found = await store.events(room, deleted)
    return {seq: message.sender.id for seq, message in found.items() if message.sender is not None}


def _line(room: str, event: Event, authors: Mapping[int, str]) -> AuditLine | None:
    if event.type not in AUDITED and event.type not in OTHERS:
        return None
    if event.deleted:  # whoever did it, or to whom it was done, was erased
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
    return AuditLine(room, event.seq or 0, event.timestamp, event.type, actor, user, reason, details)
