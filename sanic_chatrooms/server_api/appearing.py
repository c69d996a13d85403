"""Verbs of users who are code of the app: bots, assistants, bridges."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from ..chat import Chat
from ..errors import InvalidField, RoomLimit
from ..live.presence import ANYWHERE
from ..models import Fact, Sender, User
from ..stores import members
from ..verbs.members import BOT, MAX_BOTS
from ..verbs.membership import add_member
from .base import Verbs, sender_of, user_of

__all__ = ["Appearing"]


class Appearing(Verbs):
    """Verbs of users who are code of the app: bots, assistants, bridges."""

    @asynccontextmanager
    async def appear(self, user: User | Sender, *, rooms: Collection[str]) -> AsyncGenerator[None, None]:
        """Be present in rooms without a connection, for as long as the block runs.

            async with chat.appear(bot, rooms=["support"]):
                ...

        The user becomes a member of each room, is online, and has `bot: true` in the lists of members, also afterwards. If
        the process dies, the user is gone after `PRESENCE_TTL`. Several processes may do this for one user. Raises
        `RoomNotFound`, `InvalidField`, `RoomLimit` where a room has 200 bots already, and `Unavailable`.
        """
        chat, who = self.running(), user_of(user)
        if isinstance(rooms, str) or not rooms:
            raise InvalidField('must be several rooms: rooms=["support"]', field="rooms")
        shown = Sender(who.id, who.name)
        for room in rooms:
            await _be_a_bot(chat, room, who)
        entered = list[str]()
        try:
            for room in (ANYWHERE, *dict.fromkeys(rooms)):
                entered.append(room)
                await chat.occupancy.entered(room, shown)
            yield
        finally:
            for room in entered:
                chat.occupancy.exited(room, who.id, at_once=True)
            await chat.occupancy.settle()

    async def typing(self, room: str, user: User | Sender, active: bool = True) -> None:
        """Show in a room that this user is typing, for six seconds unless it is repeated; `active=False` ends it.

        Raises `RoomNotFound`, `InvalidField`, `Unavailable`.
        """
        chat, who = self.running(), sender_of(user)
        await chat.access.find(None, room)
        chat.typists.note(room, who, bool(active))


async def _be_a_bot(chat: Chat, room: str, user: User) -> None:
    await chat.access.find(None, room)
    bots = await chat.store.facts(room, BOT, limit=MAX_BOTS)
    if bots.total >= MAX_BOTS and all(known.key != user.id for known in bots.facts):
        raise RoomLimit(f"room {room!r} has {MAX_BOTS} bots already", limit=MAX_BOTS)
    if await members.find(chat.store, room, user.id) is None:
        await add_member(chat.core, room, user)
    await chat.store.set_fact(room, Fact(BOT, user.id, b"true"))
