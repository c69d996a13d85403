"""The commands with which a client asks for something, and says what it has read."""

from collections.abc import Sequence
from typing import Any

from .verbs import Page, Verbs, given

__all__ = ["Reading"]


class Reading(Verbs):
    """Pages and counts, as the server has them now."""

    async def rooms(
        self, *, mine: bool | None = None, cursor: str | None = None, limit: int | None = None, **more: Any
    ) -> Page:
        """A page of the public rooms, or of one's own: {"rooms", "cursor"?}."""
        return await self.request("rooms", payload=given(mine=mine, cursor=cursor, limit=limit, **more))

    async def members(
        self, room: str, *, cursor: str | None = None, limit: int | None = None, **more: Any
    ) -> Page:
        """A page of a room's members: {"members", "total", "cursor"?}."""
        return await self.request("members", room=room, payload=given(cursor=cursor, limit=limit, **more))

    async def presence(self, room: str, *, cursor: str | None = None, limit: int | None = None) -> Page:
        """A page of the users who are in the room now: {"users", "total", "cursor"?}."""
        return await self.request("presence", room=room, payload=given(cursor=cursor, limit=limit))

    async def history(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        replies: bool | None = None,
        limit: int | None = None,
        **more: Any,
    ) -> Page:
        """A page of a room's messages: {"messages", "more", "epoch", "seq"}.

        `around`: half below that number, half from there on. `replies=False` leaves replies out.
        """
        where = given(before=before, after=after, around=around, replies=replies, limit=limit, **more)
        return await self.request("history", room=room, payload=where)

    async def thread(
        self,
        room: str,
        msg_id: str,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> Page:
        """A message, and a page of its replies, the newest or those `before` or `after` a number: {"message", "messages", "more"}."""
        where = given(msgId=msg_id, before=before, after=after, limit=limit)
        return await self.request("thread", room=room, payload=where)

    async def search(
        self,
        query: str,
        *,
        room: str | None = None,
        before: int | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page:
        """A page of the messages with all these words, newest first, in a room or in all of one's own: {"messages", "more", "cursor"?}.

        Each has `highlights`, ranges of code points of its text. A page with `more` may be short or empty: ask on with its
        `cursor`. `before` needs a room. Raises `UnknownCommand` where the server has no "search" among its features.
        """
        payload = given(query=query, before=before, cursor=cursor, limit=limit)
        return await self.request("search", room=room, payload=payload)

    async def reactions(
        self,
        room: str,
        msg_id: str,
        *,
        emoji: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page:
        """A page of who reacted to a message, the newest first: {"reactions", "cursor"?}."""
        payload = given(msgId=msg_id, emoji=emoji, cursor=cursor, limit=limit)
        return await self.request("reactions", room=room, payload=payload)

    async def pins(self, room: str, *, cursor: str | None = None, limit: int | None = None) -> Page:
        """A page of the pinned messages, the newest pin first: {"messages", "total", "cursor"?}."""
        return await self.request("pins", room=room, payload=given(cursor=cursor, limit=limit))

    async def text(self, room: str, msg_id: str, *, start: int = 0) -> dict[str, Any]:
        """The text of a message as it is now, from a character on: {"at", "text", "streaming"}. For messages that are being written."""
        return await self.request("message.text", room=room, payload={"msgId": msg_id, "from": start})

    # ---- what one has read, and prefers ----

    async def read(self, room: str, seq: int, *, unread: bool = False, **more: Any) -> dict[str, Any]:
        """Mark messages up to `seq` as read, or with `unread` that one and all that follow as unread; -> what is left:
        {"unread", "more", "mentions", "read"}."""
        return await self.request("read", room=room, payload=given(seq=seq, unread=unread or None, **more))

    async def unread(self, rooms: Sequence[str]) -> dict[str, Any]:
        """What you have not read in up to 100 rooms: {"rooms": {id: {"unread", "more", "mentions", "first"?, "read"}}}. Rooms that you
        may not see are left out."""
        return await self.request("unread", payload={"rooms": list(rooms)})

    async def badge(self) -> dict[str, Any]:
        """In how many of your rooms something is unread: {"rooms", "mentions", "more"}."""
        return await self.request("badge")

    async def prefs(
        self, room: str, *, notify: str | None = None, favourite: bool | None = None
    ) -> dict[str, Any]:
        """What you prefer in a room, after this change: {"notify", "favourite"}. `notify`: "all", "mentions" or "none"."""
        return await self.request("prefs", room=room, payload=given(notify=notify, favourite=favourite))

    # ---- people ----

    async def block(self, user: str, on: bool = True) -> None:
        """Hear nothing more from a user: no direct messages, invitations or mentions. `on=False` ends it. Nobody else learns of it."""
        await self.request("user.block" if on else "user.unblock", payload={"user": user})

    async def blocked(self, *, cursor: str | None = None, limit: int | None = None) -> Page:
        """A page of those whom you have blocked, in the order of their ids: {"users", "cursor"?}."""
        return await self.request("user.blocked", payload=given(cursor=cursor, limit=limit))
