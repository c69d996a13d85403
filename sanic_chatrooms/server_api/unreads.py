"""Verbs about what users have read."""

from collections.abc import Collection

import msgspec

from ..errors import MessageNotFound
from ..models import RESERVED, Sender, User
from ..stores.members import MEMBER, as_member
from ..stores.unread import READ
from ..verbs.pages import page_limit
from ..verbs.unread import (
    Badge,
    Mark,
    Marked,
    UnreadLine,
    badge_of,
    check_rooms,
    count,
    mark,
    shown,
)
from ..wire.decode import checked
from .base import Verbs, id_of

__all__ = ["Receipts", "Unreads"]


class Receipts(msgspec.Struct, frozen=True):
    """Who has read a message: the members but its author whose marker has reached it. `at`: when it was stored (Unix seconds)."""

    at: float
    read_by: list[Sender]
    cursor: str | None = None
    """Asks for the next page; None: this was the last."""


class Unreads(Verbs):
    """Verbs about what users have read."""

    async def mark_read(
        self, user: User | Sender | str, room: str, seq: int, *, unread: bool = False
    ) -> Marked:
        """Note that a member has read the room up to a message, or with `unread` up to the one before; -> what is left.

        The user's connections get the live event `read`. Nothing happens where the user is no member. Raises `RoomNotFound`,
        `InvalidField`, `Unavailable`.
        """
        core, id = self.running().core, id_of(user)
        ask = checked(Mark(seq, unread))
        found, _ = await core.access.find(None, room)
        standing = await core.access.standing(found, room, id)
        return await mark(core, found, standing, Sender(id, standing.name or id), ask.seq, unread=ask.unread)

    async def unread(self, user: User | Sender | str, rooms: Collection[str]) -> dict[str, UnreadLine]:
        """What a user has not read in up to 100 rooms, by room. Rooms that do not exist are left out; others than members have read
        everything. Raises `InvalidField`, `Unavailable`.
        """
        core, id = self.running().core, id_of(user)
        check_rooms(rooms)
        about = await core.store.rooms_about(rooms, id)
        there = {room: found for room, (found, _) in about.items() if found.visibility != RESERVED}
        return {room: shown(one) for room, one in (await count(core, id, there)).items()}

    async def badge(self, user: User | Sender | str) -> Badge:
        """In how many rooms of a user something is unread, and how often the user is mentioned there. Raises `Unavailable`."""
        return await badge_of(self.running().core, id_of(user))

    async def receipts(
        self, room: str, msg_id: str, *, cursor: str | None = None, limit: int = 50
    ) -> Receipts:
        """Which members have read a message. `msg_id` is the server's. A page may be short and still have a `cursor`.

        Raises `RoomNotFound`, `MessageNotFound`, `InvalidCursor`, `Unavailable`.
        """
        core = self.running().core
        limit = page_limit(core.settings, limit)
        await core.access.find(None, room)
        message = await core.store.message(room, msg_id)
        if message is None or message.seq is None:
            raise MessageNotFound
        page = await core.store.facts(room, READ, cursor=cursor, limit=limit)
        author = None if message.sender is None else message.sender.id
        ids = [one.key for one in page.facts if int(one.value) >= message.seq and one.key != author]
        about = await core.store.about_each(room, ids)
        readers = [as_member(about[id][MEMBER]) for id in ids if MEMBER in about[id]]
        return Receipts(message.timestamp, [Sender(one.user, one.name) for one in readers], page.cursor)
