"""Verbs that read: the events of rooms, their members, and the users in them."""

from typing import Any

import msgspec

from ..access.decide import Verdict
from ..errors import InvalidField, UnknownCommand
from ..models import RESERVED, Room, User
from ..stores.base import LISTED
from ..stores.pages import RoomPage
from ..verbs.explain import explain_to_app
from ..verbs.history import History as HistoryAsked
from ..verbs.members import Asked, MemberList, PresentList
from ..verbs.pages import Listed, page_limit
from ..verbs.rooms import List, RoomList
from ..verbs.search import Search
from ..wire.encode import encode
from .base import Verbs, acting_as

__all__ = ["History", "Reading", "SearchPage"]


class History(msgspec.Struct):
    """A page of a room's timeline: events as dicts, as on the wire, in ascending order."""

    messages: list[dict[str, Any]]
    more: bool
    epoch: str
    seq: int


class SearchPage(msgspec.Struct):
    """Messages that match, newest first: dicts as on the wire, each with `highlights`. `cursor` asks for the next page; None:
    this was the last. A page may be short and still have a cursor."""

    messages: list[dict[str, Any]]
    more: bool
    cursor: str | None = None


class Reading(Verbs):
    """Verbs that read: the events of rooms, their members, and the users in them."""

    async def history(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        replies: bool = True,
        limit: int = 50,
        as_user: User | None = None,
    ) -> History:
        """A page of a room's events, 200 at most: the newest, or those before or after a number (exclusive), or half below
        `around` and half from there on. `replies=False` leaves out replies to messages.

        With `as_user`, what that user's client would get. Raises `RoomNotFound`, `Forbidden`, `Unavailable`.
        """
        chat = self.running()
        asked = HistoryAsked(before, after, limit, replies, around)
        if as_user is None:
            page = await chat.commands.give("history", asked, room=room)
        else:
            acting = acting_as(chat, as_user)
            command = acting.command("history", encode(asked), room=room)
            page = (await chat.commands.act(acting, command)).result
        return msgspec.json.decode(encode(page), type=History)

    async def search(
        self,
        query: str,
        *,
        room: str | None = None,
        before: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
        as_user: User | None = None,
    ) -> SearchPage:
        """A page of the messages with these words, newest first: in a room, or in all rooms. In a room, `before` is a number
        (exclusive). `cursor` is that of the page before.

        With `as_user`, what that user's client would get, so without a room only from their own rooms. Raises
        `RoomNotFound`, `Forbidden`, `InvalidField`, `InvalidCursor`, `Unavailable`, and `UnknownCommand` if the store does
        not search.
        """
        chat = self.running()
        if chat.core.index is None:
            store = type(chat.backends.store).__name__
            raise UnknownCommand(f"{store} does not search; SQLStore does, with SQLite or PostgreSQL")
        asked = Search(query, before, cursor, limit)
        if as_user is None:
            page = await chat.commands.give("search", asked, room=room)
        else:
            acting = acting_as(chat, as_user)
            page = (
                await chat.commands.act(acting, acting.command("search", encode(asked), room=room))
            ).result
        return msgspec.json.decode(encode(page), type=SearchPage)

    async def rooms(
        self, *, user: User | None = None, cursor: str | None = None, limit: int = 50
    ) -> RoomList:
        """A page of the public rooms, or of the rooms that `user` is a member of. `cursor` is that of the page before."""
        chat = self.running()
        actor = acting_as(chat, user, "user") if user is not None else None
        asked = List(user is not None, cursor, limit)
        page: RoomList = await chat.commands.give("rooms", asked, actor=actor)
        return page

    async def all_rooms(
        self, *, visibility: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> RoomPage:
        """A page of all rooms, private and direct ones too, in the order of their ids: each as `room` returns it. `visibility`:
        only those that are `public`, `private` or `direct`. `cursor` is that of the page before. Raises `InvalidField`,
        `InvalidCursor`, `Unavailable`.
        """
        chat = self.running()
        if visibility not in (None, *LISTED):
            raise InvalidField(f"must be {', '.join(LISTED)}, or None for all", field="visibility")
        limit = page_limit(chat.settings, limit)
        return await chat.store.rooms(visibility=visibility, cursor=cursor, limit=limit)

    async def room(self, room: str) -> Room | None:
        """One room; None if there is none with this id."""
        found = await self.running().store.room(room)
        return found if found is not None and found.visibility != RESERVED else None

    async def explain(self, user: User, action: str, room: str) -> Verdict:
        """Whether this user may do this in the room, and why: the decision that a command would get. The scopes of `user` narrow
        it, as those of a token do. Raises `RoomNotFound`, `InvalidField`, `Unavailable`.
        """
        chat = self.running()
        acting = acting_as(chat, user, "user")
        return await explain_to_app(chat.core, acting.user, action, room, acting.policy)

    async def members(
        self, room: str, *, query: str = "", cursor: str | None = None, limit: int = 50
    ) -> MemberList:
        """A page of a room's members, all or those whose name or id contains `query`. `cursor` is that of the page before. Raises `RoomNotFound`, `Unavailable`."""
        page: MemberList = await self.running().commands.give(
            "members", Asked(cursor, limit, query), room=room
        )
        return page

    async def presence(self, room: str, *, cursor: str | None = None, limit: int = 50) -> PresentList:
        """A page of the users who are in a room right now. `cursor` is that of the page before. Raises `RoomNotFound`, `Unavailable`."""
        page: PresentList = await self.running().commands.give("presence", Listed(cursor, limit), room=room)
        return page
