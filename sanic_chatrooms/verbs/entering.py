"""Entering and leaving a room with a connection: `join`, `exit`, and what others cause.

*Enter* and *exit* are about sessions (live, the hub's). The command `join` also makes a member where the room lets it
(`membership`).
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.access import Access, permit
from ..config.settings import Settings
from ..errors import ChatError, Forbidden, RoomLimit, RoomNotFound, Unavailable
from ..hooks.listeners import Listeners
from ..hub.hub import Hub
from ..hub.room import HeldRoom
from ..live.presence import Occupancy
from ..live.typing import Typists
from ..models import DIRECT, PUBLIC, Head, Member, Room, Sender, User
from ..sessions.inbox import Enter
from ..sessions.session import Seat, Session
from ..stores.base import Store
from ..support.clock import now
from ..wire.encode import encode_event, live
from ..wire.names import check_room_id
from . import pages
from .membership import Membership
from .messages import HISTORY_LIMIT

__all__ = ["RECOVERY_BYTES", "Entering", "Joined", "Since"]

CHANGED = "the room changed while you joined; join again"
RECOVERY_BYTES = 512 * 1024


class Since(msgspec.Struct):
    """A position that a client got to: everything up to `seq` it has."""

    epoch: str
    seq: int


class Joined(msgspec.Struct, rename="camel"):
    """The ack of `join`."""

    room: str
    epoch: str
    seq: int
    recovered: bool
    messages: list[msgspec.Raw]
    more: bool
    role: str
    title: str
    online: int


class Entering:
    """The verbs for entering and leaving rooms."""

    def __init__(
        self,
        *,
        store: Store,
        hub: Hub,
        access: Access,
        membership: Membership,
        occupancy: Occupancy,
        typists: Typists,
        listeners: Listeners,
        settings: Settings,
    ) -> None:
        self._store = store
        self._pages = pages.Past(store)
        self._hub = hub
        self._access = access
        self._membership = membership
        self._occupancy = occupancy
        self._typists = typists
        self._listeners = listeners
        self._settings = settings

    # ---- in ----

    async def join(self, session: Session, room_id: str, since: Since | None, history: int) -> Joined:
        """Put the session into the room and send its ack; a public room also makes a signed-in user a member.

        The membership is looked at after the position was taken: somebody who is removed in between is either
        refused here, or found in the room by the order that removes them.
        """
        check_room_id(room_id)  # the room of a path comes as it was written
        self._check_room_limit(session, room_id)
        if not self._is_open(session.user, room_id):
            # Before too: to enter takes a while, which would tell a hidden room from none.
            await self._access.look(session, "join", room_id)
        try:
            position = await self._enter(session, room_id)
        except Unavailable:
            await self._keep_secret(session, room_id)
            raise
        try:
            room, member = await self._access.look(session, "join", room_id)
            member = await self._membership.become(session.user, room, member)
            recovered, past = await self._past(room_id, position, since, history)
            await self._seat(session, room, member)
            online = await self._occupancy.online(room_id)
        except BaseException as problem:
            self._hub.exit(session, room_id)
            self._vacate(session, room_id, at_once=True)
            if isinstance(problem, RoomNotFound) and await self._forgotten(session.user, room_id):
                raise Unavailable(CHANGED) from None
            raise
        return Joined(
            room=room.id,
            epoch=position.epoch,
            seq=position.seq,
            recovered=recovered,
            messages=past.messages,
            more=past.more,
            role=member.role if member is not None else "guest",
            title=room.title,
            online=online,
        )

    def admit(self, session: Session, room_id: str, opening: bytes) -> None:
        """After `join`: send the ack, then everything since. `Unavailable` if the session was taken out meanwhile."""
        held = self._hub.room(room_id)
        if held is None or not self._hub.admit(session, held, opening):
            self._vacate(session, room_id, at_once=True)
            raise Unavailable(CHANGED)
        self._listeners.fire("room.entered", room=room_id, user=session.user, session=session)

    def _check_room_limit(self, session: Session, room_id: str) -> None:
        if room_id.startswith("~") and not room_id.startswith("~direct."):
            raise RoomNotFound
        limit = session.settings.max_rooms_per_connection
        if room_id not in session.seats and sum(not r.startswith("~") for r in session.seats) >= limit:
            raise RoomLimit.of(limit)

    async def _enter(self, session: Session, room_id: str) -> Head:
        """The position from which on events wait for the session: taken at once, since the room goes on."""
        try:
            held = await self._hub.enter(session, room_id)
        except RoomNotFound:
            if not self._makes(session.user, room_id):
                raise
            await permit(session, "room.create", None, None)
            await self._store.create_room(Room(room_id, "", 0, created_at=now(), auto=True))
            held = await self._enter_new(session, room_id)
        return held.head

    async def _enter_new(self, session: Session, room_id: str) -> HeldRoom:
        try:
            return await self._hub.enter(session, room_id)
        except RoomNotFound:  # another worker, whose last visitor has just left it, has forgotten it again
            raise Unavailable(CHANGED) from None

    def _is_open(self, user: User, room_id: str) -> bool:
        """Is it no secret whether there is such a room, as far as this worker knows?"""
        held = self._hub.room(room_id)
        return self._makes(user, room_id) or (held is not None and held.public)

    async def _forgotten(self, user: User, room_id: str) -> bool:
        return self._makes(user, room_id) and await self._store.room(room_id) is None

    def _makes(self, user: User, room_id: str) -> bool:
        """Whether this user's first join makes this room."""
        settings = self._settings
        if not settings.auto_create or room_id.startswith(("~", *settings.reserved_ids)):
            return False
        return not user.guest or bool(settings.guests_create_rooms)

    async def _keep_secret(self, session: Session, room_id: str) -> None:
        """Whoever may not know of the room must not learn from the answer `unavailable` that it is there."""
        if not self._makes(session.user, room_id) or await self._store.room(room_id) is not None:
            await self._access.look(session, "join", room_id)

    async def _seat(self, session: Session, room: Room, member: Member | None) -> None:
        if (held := self._hub.room(room.id)) is not None:
            held.public = room.visibility == PUBLIC
        member = await self._call(session.user, room, member)
        if room.id not in session.seats:
            session.seats[room.id] = Seat(room, member)
            await self._occupancy.entered(room.id, Sender(session.user.id, session.user.name))
        else:
            session.seats[room.id] = Seat(room, member)

    async def _call(self, user: User, room: Room, member: Member | None) -> Member | None:
        """In a direct room the other one may have made them a member by their id alone, or long ago: now their name is known."""
        if room.visibility != DIRECT or member is None or member.name == user.name:
            return member
        member = replace(member, name=user.name)
        await self._store.set_member(room.id, member)
        return member

    async def _past(
        self, room: str, position: Head, since: Since | None, history: int
    ) -> tuple[bool, pages.Messages]:
        """What was before the position: everything after `since`, or (False, the newest page of the timeline)."""
        if since is not None:
            past = await self._since(room, position, since)
            if past is not None:
                return True, past
        empty = pages.Messages([], position.seq > 0, position.epoch, position.seq)
        if history < 1:
            return False, empty
        limit = min(history, HISTORY_LIMIT)
        page = await self._pages.read(room, before=position.seq + 1, limit=limit, timeline=True)
        if page.epoch != position.epoch:
            raise Unavailable("the room has just been renewed; join again")
        return False, pages.cut(page, newest=True)

    async def _since(self, room: str, position: Head, since: Since) -> pages.Messages | None:
        limit = self._settings.recovery_limit
        missed = position.seq - since.seq
        if since.epoch != position.epoch or not 0 <= missed <= limit or since.seq < 0:
            return None
        if missed == 0:
            return pages.Messages([], False, position.epoch, position.seq)
        page = await self._pages.read(room, after=since.seq, limit=missed, most=RECOVERY_BYTES)
        whole = page.epoch == position.epoch and page.floor <= since.seq and len(page.events) == missed
        encoded = [msgspec.Raw(encode_event(event)) for event in page.events]
        if not whole or page.events[-1].seq != position.seq or sum(map(len, encoded)) > RECOVERY_BYTES:
            return None
        return pages.Messages(encoded, False, position.epoch, position.seq)

    async def enter_by_order(self, session: Session, order: Enter) -> None:
        """Put a connection into a direct room: `room.added`, then the room's events from `order.seq` + 1.

        Who may not be in that room is simply not in it. Raises `Unavailable` where a backend does not say.
        """
        if session.closed or order.room in session.seats:
            return
        try:
            held, opening = await self._be_put_into(session, order)
        except BaseException as problem:
            self._hub.exit(session, order.room)
            self._vacate(session, order.room, at_once=True)
            if isinstance(problem, RoomNotFound | Forbidden):
                return
            raise
        if self._hub.admit(session, held, *opening):
            self._listeners.fire("room.entered", room=order.room, user=session.user, session=session)
        else:
            self._vacate(session, order.room, at_once=True)

    async def _be_put_into(self, session: Session, order: Enter) -> tuple[HeldRoom, list[bytes]]:
        try:
            held = await self._hub.enter(session, order.room)
        except Unavailable:  # somebody may just have ended the room and made it anew, and that once
            held = await self._hub.enter(session, order.room)
        position = held.head
        room, member = await self._access.find(session.user, order.room)
        await _permit_or_forbid(session, room, member)
        past = await self._since(order.room, position, Since(order.epoch, order.seq))
        await self._seat(session, room, member)
        session.anonymous = False  # somebody speaks to this guest: too late to turn out to be another user
        start = order.seq if past is not None else position.seq
        payload: dict[str, Any] = {"room": room.id, "epoch": position.epoch, "seq": start}
        if order.partner is not None:
            payload["with"] = order.partner
        opening = [live("room.added", payload, room=room.id)]
        opening += [bytes(event) for event in (past.messages if past is not None else ())]
        return held, opening

    # ---- out ----

    def exit(self, session: Session, room_id: str, *, at_once: bool = True) -> None:
        """This connection stops receiving the room. Where it was not in it, nothing happens."""
        self._hub.exit(session, room_id)
        self._vacate(session, room_id, at_once=at_once)

    def evicted(self, session: Session, room_id: str) -> None:
        """The hub took the session out (removed, reset, deleted)."""
        self._vacate(session, room_id, at_once=True)

    def _vacate(self, session: Session, room_id: str, *, at_once: bool) -> None:
        if session.seats.pop(room_id, None) is None:
            return
        self._occupancy.exited(room_id, session.user.id, at_once=at_once)
        self._typists.stopped(room_id, Sender(session.user.id, session.user.name))
        self._listeners.fire("room.exited", room=room_id, user=session.user, session=session)


async def _permit_or_forbid(session: Session, room: Room, member: Member | None) -> None:
    """Ask the policy about a join that somebody else caused: whatever it raises is a no, its `Unavailable` too."""
    try:
        await permit(session, "join", room, member)
    except ChatError as problem:
        raise Forbidden from problem
