"""Membership: who belongs to a room, with and without a connection.

*Join* and *leave* are about members (durable, the store's); see `entering` for what connections do.
"""

from collections.abc import Callable

from ..access.access import Access
from ..errors import Unavailable
from ..hub.journal import Journal
from ..live.presence import Occupancy
from ..models import PRIVATE, PUBLIC, Member, MemberRemoved, MemberSet, Room, Sender, User
from ..presence.base import Presence
from ..sessions.inbox import Orders, Remove
from ..sessions.session import Session
from ..stores.base import Store
from ..support.clock import now
from ..wire.encode import encode
from .messages import draft

__all__ = ["Membership"]


class Membership:
    """The verbs for becoming a member, and for being one no longer."""

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        access: Access,
        orders: Orders,
        occupancy: Occupancy,
        presence: Presence,
        left: Callable[[Session, str], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._access = access
        self._orders = orders
        self._occupancy = occupancy
        self._presence = presence
        self._left = left  # takes the session out of the room

    async def become(self, user: User, room: Room, member: Member | None) -> Member | None:
        """Make a signed-in user who joined a public room its member; -> the membership that they have now."""
        if member is not None or user.guest or room.visibility != PUBLIC:
            return member
        member = Member(user.id, user.name, "member", now())
        if room.announce:
            await self._member_event(room.id, "member.joined", user, MemberSet(member))
        else:
            await self._store.set_member(room.id, member)
        return member

    async def leave(self, session: Session, room_id: str) -> None:
        """End the user's membership, on all their connections everywhere. Raises `RoomNotFound`, `Forbidden`."""
        room, member = await self._access.look(session, "leave", room_id)
        await self._end_membership(room, session.user, member, "left")
        self._left(session, room_id)
        await self._orders.give(session.user.id, Remove(room_id, "left", session.id))
        await self._occupancy.settle()

    async def remove_member(self, room_id: str, user: User, *, reason: str = "left") -> bool:
        """The host ends a membership, and takes every connection of the user out of the room; True if there was one or the other."""
        room, _ = await self._access.look(None, "member.kick", room_id)
        member = await self._store.member(room_id, user.id)
        there = member is not None or await self._is_in(room_id, user)
        await self._end_membership(room, user, member, reason)
        await self._orders.give(user.id, Remove(room_id, reason))
        await self._occupancy.settle()
        return there

    async def _is_in(self, room_id: str, user: User) -> bool:
        try:
            return bool(await self._presence.online((user.id,), room=room_id))
        except Unavailable:
            return False

    async def add_member(self, room_id: str, user: User, role: str = "member") -> None:
        """The host makes somebody a member, or gives them another role."""
        room, _ = await self._access.look(None, "member.invite", room_id)
        known = await self._store.member(room_id, user.id)
        member = Member(user.id, user.name, role, known.joined_at if known else now())
        if known is None and (room.announce or room.visibility == PRIVATE):
            await self._member_event(room_id, "member.joined", user, MemberSet(member))
        elif known != member:
            await self._store.set_member(room_id, member)

    async def _end_membership(self, room: Room, user: User, member: Member | None, reason: str) -> None:
        kicked = reason == "kicked"
        if kicked or (member is not None and (room.announce or room.visibility == PRIVATE)):
            type = "member.kicked" if kicked else "member.left"
            await self._member_event(room.id, type, user, MemberRemoved(user.id))
        elif member is not None:
            await self._store.remove_member(room.id, user.id)

    async def _member_event(
        self, room: str, type: str, user: User, change: MemberSet | MemberRemoved
    ) -> None:
        who = Sender(user.id, user.name)
        await self._journal.append(draft(room, type, encode({"user": who}), who, change=change))
