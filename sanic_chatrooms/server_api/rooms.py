"""Verbs that change rooms and their members."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from ..auth.names import shown_name
from ..errors import InvalidField, RoomNotFound
from ..models import PUBLIC, Room, Sender, User
from ..stores import members
from ..verbs.invitations import Invite
from ..verbs.membership import add_member, remove_member
from ..verbs.moderation import Ban, Unban
from ..verbs.properties import AppChanges, Changes, as_changes
from ..verbs.roles import NewRole
from ..verbs.rooms import create, delete, ensure
from ..wire.decode import checked
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
        topic: str | None = None,
        permissions: Mapping[str, Any] | None = None,
        history_visibility: str | None = None,
        slow_mode: float | None = None,
        archived: bool | None = None,
        retention: float | None = None,
        as_user: User | None = None,
    ) -> Room:
        """Create a room. With `as_user`, that user owns it. `announce`: joining and leaving are events even if it is public.
        The other properties are those of `update_room`.

        Raises `Conflict` if there is a room with this id; `InvalidField`, `TooLarge`, `Forbidden`, `RoomLimit`, `Unavailable`.
        """
        given = {
            "title": title,
            "visibility": visibility,
            "attributes": attributes,
            "announce": announce or None,
            "topic": topic,
            "permissions": permissions,
            "history_visibility": history_visibility,
            "slow_mode": slow_mode,
            "archived": archived,
            "retention": retention,
        }
        if as_user is not None:
            return await self._create_as(as_user, room, _of_user(as_changes(given)))
        made, _ = await create(self.running().core, None, room, as_changes(given))
        return made

    async def _create_as(self, user: User, room: str | None, wanted: Changes) -> Room:
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
        topic: str | None = None,
        permissions: Mapping[str, Any] | None = None,
        history_visibility: str | None = None,
        slow_mode: float | None = None,
        archived: bool | None = None,
        retention: float | None = None,
    ) -> Room:
        """Create a room of the app, or give it these properties if it exists. Properties that are not given stay.

        Call it at every start. If the visibility changes, everyone in the room has to join it again. Raises `Conflict`
        if a user created the room, by `room.create` or by a first `join`; `InvalidField`, `RoomLimit`, `Unavailable`.
        """
        return await ensure(
            self.running().core,
            room,
            title=title,
            visibility=visibility,
            attributes=attributes,
            announce=announce,
            topic=topic,
            permissions=permissions,
            history_visibility=history_visibility,
            slow_mode=slow_mode,
            archived=archived,
            retention=retention,
        )

    async def update_room(
        self,
        room: str,
        *,
        title: str | None = None,
        topic: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        visibility: str | None = None,
        permissions: Mapping[str, Any] | None = None,
        history_visibility: str | None = None,
        slow_mode: float | None = None,
        announce: bool | None = None,
        archived: bool | None = None,
        retention: float | None = None,
        as_user: User | None = None,
    ) -> bool:
        """Change properties of any room, and tell the room by `room.updated`. Properties that are not given stay. True if anything changed.

        `permissions` are needs by action ([permissions](../permissions.md)), merged into those that are there; None for an action is
        its default again. `slow_mode`: seconds between two messages of a user. `retention`: seconds after which events of the room
        are dropped, a minute later at most; 0: as the settings say. It is for the app only. Raises `RoomNotFound`, `InvalidField`, `TooLarge`,
        `Unavailable`, and with `as_user` the refusals of that user's command.
        """
        changes = as_changes(
            {
                "title": title,
                "topic": topic,
                "attributes": attributes,
                "visibility": visibility,
                "permissions": permissions,
                "history_visibility": history_visibility,
                "slow_mode": slow_mode,
                "announce": announce,
                "archived": archived,
                "retention": retention,
            }
        )
        return await self._settle(
            "room.update", changes if as_user is None else _of_user(changes), room, as_user
        )

    async def invite(
        self, room: str, user: User | Sender | str, role: str = "member", *, as_user: User | None = None
    ) -> bool:
        """Invite a user to a room. True if that changed anything. Raises `RoomNotFound`, `InvalidField`, `Forbidden` if they are banned."""
        return await self._settle("member.invite", Invite(id_of(user), role), room, as_user)

    async def ban(
        self,
        room: str,
        user: User | Sender | str,
        *,
        until: float | None = None,
        reason: str = "",
        as_user: User | None = None,
    ) -> bool:
        """Ban a user from a room, for good or `until` a time (Unix seconds): membership and invitation end. True if that changed anything."""
        return await self._settle("member.ban", Ban(id_of(user), until, reason), room, as_user)

    async def unban(self, room: str, user: User | Sender | str, *, as_user: User | None = None) -> bool:
        """End a ban. It restores neither membership nor invitation. True if there was one."""
        return await self._settle("member.unban", Unban(id_of(user)), room, as_user)

    async def mute(
        self,
        room: str,
        user: User | Sender | str,
        *,
        until: float | None = None,
        reason: str = "",
        as_user: User | None = None,
    ) -> bool:
        """Let a user read and say nothing, for good or `until` a time (Unix seconds). True if that changed anything."""
        return await self._settle("member.mute", Ban(id_of(user), until, reason), room, as_user)

    async def unmute(self, room: str, user: User | Sender | str, *, as_user: User | None = None) -> bool:
        """End a mute. True if there was one."""
        return await self._settle("member.unmute", Unban(id_of(user)), room, as_user)

    async def set_role(
        self, room: str, user: User | Sender | str, role: str, *, as_user: User | None = None
    ) -> bool:
        """Give a member another role. True if that changed anything. Raises `InvalidField` if they are no member, or there is no such role."""
        return await self._settle("member.role", NewRole(id_of(user), role), room, as_user)

    async def _settle(self, type: str, ask: Any, room: str, as_user: User | None) -> bool:
        chat, ask = self.running(), checked(ask)
        if as_user is None:
            settled = await chat.commands.give(type, ask, room=room)
        else:
            acting = acting_as(chat, as_user)
            settled = (await chat.commands.act(acting, acting.command(type, encode(ask), room=room))).result
        return not settled.duplicate

    async def delete_room(self, room: str) -> bool:
        """Delete a room and everything in it. True if it existed."""
        if room.startswith("~") and not room.startswith("~direct."):
            raise RoomNotFound
        return await delete(self.running().core, room)

    async def add_member(self, room: str, user: User, role: str = "member") -> None:
        """Make a user a member, or give a member another role. Another role is an event, `member.role`, in any room.

        Raises `RoomNotFound`, `InvalidField`, `Unavailable`, and `Forbidden` for a user who is banned from the room.
        """
        who = user_of(user)
        checked(NewRole(who.id, role))
        await add_member(self.running().core, room, who, role)

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


def _of_user(changes: AppChanges) -> AppChanges:
    """Check that a user may give these. Raises `InvalidField`."""
    if changes.retention is not UNSET:
        raise InvalidField("is for the app only; leave out as_user", field="retention")
    return changes
