"""Verbs that change rooms and their members."""

from collections.abc import Mapping
from typing import Any

from ..auth.names import shown_name
from ..errors import InvalidField, RoomNotFound
from ..models import PUBLIC, Room, Sender, User
from ..stores import members
from ..verbs.membership import add_member, remove_member
from ..verbs.rooms import create, delete, ensure
from ..wire.encode import encode
from .base import Verbs, acting_as, id_of, user_of

__all__ = ["Rooms"]


class Rooms(Verbs):
    """Verbs that change rooms and their members."""

    async def create_room(
        self,
        room: str | None = None,
        *,
        title: str = "",
        visibility: str = PUBLIC,
        attributes: Mapping[str, Any] | None = None,
        announce: bool = False,
        as_user: User | None = None,
    ) -> Room:
        """Create a room. With `as_user`, that user owns it. `announce`: joining and leaving are events even if it is public.

        Raises `Conflict` if there is a room with this id; `InvalidField`, `TooLarge`, `Forbidden`, `RoomLimit`, `Unavailable`.
        """
        if as_user is not None:
            if announce:
                raise InvalidField("is not a user's to say; leave out as_user", field="announce")
            wanted = {"title": title, "visibility": visibility, "attributes": attributes or {}}
            return await self._create_as(as_user, room, wanted)
        made, _ = await create(
            self.running().core,
            None,
            room,
            title=title,
            visibility=visibility,
            attributes=attributes,
            announce=announce,
        )
        return made

    async def _create_as(self, user: User, room: str | None, wanted: dict[str, Any]) -> Room:
        chat = self.running()
        acting = acting_as(chat, user)
        command = acting.command("room.create", encode(wanted), room=room)
        answer = (await chat.commands.act(acting, command)).result
        made = await chat.store.room(answer.room)
        if made is None:
            raise RoomNotFound  # deleted in this moment
        return made

    async def ensure_room(
        self,
        room: str,
        *,
        title: str | None = None,
        visibility: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        announce: bool | None = None,
    ) -> Room:
        """Create a room of the app, or give it these properties if it exists. Properties that are not given stay.

        Call it at every start. If the visibility changes, everyone in the room has to join it again. Raises `Conflict`
        if a user created the room, by `room.create` or by a first `join`; `InvalidField`, `RoomLimit`, `Unavailable`.
        """
        given = {"title": title, "visibility": visibility, "attributes": attributes, "announce": announce}
        properties = {name: value for name, value in given.items() if value is not None}
        return await ensure(self.running().core, room, **properties)

    async def delete_room(self, room: str) -> bool:
        """Delete a room and everything in it. True if it existed."""
        if room.startswith("~") and not room.startswith("~direct."):
            raise RoomNotFound
        return await delete(self.running().core, room)

    async def add_member(self, room: str, user: User, role: str = "member") -> None:
        """Make a user a member, or give a member another role. Another role is an event, `member.role`, in any room."""
        await add_member(self.running().core, room, user_of(user), role)

    async def remove_member(self, room: str, user: User | Sender | str) -> bool:
        """End a user's membership, on all their connections. True if they were a member."""
        return await remove_member(self.running().core, room, await self._known(room, user), reason="left")

    async def kick(self, room: str, user: User | Sender | str) -> bool:
        """Remove a user from a room, and tell the room by `member.kicked`. True if they were a member or in the room.

        From a public room this is no ban: they may join it again at once.
        """
        return await remove_member(self.running().core, room, await self._known(room, user), reason="kicked")

    async def _known(self, room: str, user: User | Sender | str) -> User:
        if isinstance(user, User | Sender):
            return user_of(user)
        member = await members.find(self.running().store, room, id_of(user))
        return User(user, member.name if member is not None else shown_name(None, user))
