"""Rooms: entering and leaving them, making and ending them, listing them.

*join* and *leave* are about members (durable, the store's), *enter* and *exit* about sessions (live, the hub's). The
command `join` does both where the room lets it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.access import Access, Actor, permit
from ..config.settings import Settings
from ..errors import (
    ChatError,
    Conflict,
    Forbidden,
    InvalidField,
    RoomLimit,
    RoomNotFound,
    TooLarge,
    Unavailable,
)
from ..hooks.listeners import Listeners
from ..hub.hub import Hub
from ..hub.journal import Journal
from ..hub.room import HeldRoom
from ..live.presence import Occupancy
from ..live.typing import Typists
from ..models import (
    DIRECT,
    PRIVATE,
    PUBLIC,
    Head,
    Member,
    MemberRemoved,
    MemberSet,
    Room,
    Sender,
    User,
    is_reserved,
)
from ..presence.base import Presence
from ..sessions.inbox import Enter, Orders, Remove
from ..sessions.session import Seat, Session
from ..stores.base import Store
from ..wire import protocol
from ..wire.written import written
from . import pages
from .messages import HISTORY_LIMIT, draft

__all__ = ["ATTRIBUTES_LIMIT", "Joined", "RoomLine", "RoomList", "Rooms", "Since"]

CHANGED = "the room changed while you joined; join again"
RECOVERY_BYTES = 512 * 1024
TAKEN = "a user made the room {0}; delete it first, or choose another id: with RESERVED_IDS users make none that begin so"
ATTEMPTS = 3
"""How often a room is looked at again that others delete and make while the app wants it."""
TITLE_LIMIT = 200
ATTRIBUTES_LIMIT = 4096


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


class RoomLine(msgspec.Struct, omit_defaults=False):
    """One room in the answer to `rooms`."""

    id: str = msgspec.field(name="room")
    title: str
    visibility: str
    seq: int
    unread: int
    online: int
    partner: Sender | None | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="with")


class RoomList(msgspec.Struct, omit_defaults=True):
    """The answer to `rooms`."""

    rooms: list[RoomLine]
    cursor: str | None = None


class Rooms:
    """The verbs for rooms."""

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        hub: Hub,
        access: Access,
        orders: Orders,
        occupancy: Occupancy,
        presence: Presence,
        typists: Typists,
        listeners: Listeners,
        settings: Settings,
    ) -> None:
        self._store = store
        self._pages = pages.Past(store)
        self._journal = journal
        self._hub = hub
        self._access = access
        self._orders = orders
        self._occupancy = occupancy
        self._presence = presence
        self._typists = typists
        self._listeners = listeners
        self._settings = settings

    # ---- entering ----

    async def join(self, session: Session, room_id: str, since: Since | None, history: int) -> Joined:
        """Put the session into the room and send its ack; a public room also makes a signed-in user a member.

        The membership is looked at after the position was taken: somebody who is removed in between is either
        refused here, or found in the room by the order that removes them.
        """
        protocol.check_room_id(room_id)  # the room of a path comes as it was written
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
            member = await self._become_member(session.user, room, member)
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
            await self._store.create_room(Room(room_id, "", 0, created_at=protocol.now(), auto=True))
            held = await self._enter_new(session, room_id)
        return Head(held.epoch, held.seq)

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

    async def _become_member(self, user: User, room: Room, member: Member | None) -> Member | None:
        if member is not None or user.guest or room.visibility != PUBLIC:
            return member
        member = Member(user.id, user.name, "member", protocol.now())
        if room.announce:
            await self._member_event(room.id, "member.joined", user, MemberSet(member))
        else:
            await self._store.set_member(room.id, member)
        return member

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
        encoded = [msgspec.Raw(protocol.encode_event(event)) for event in page.events]
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
        if self._hub.admit(session, held, opening):
            self._listeners.fire("room.entered", room=order.room, user=session.user, session=session)
        else:
            self._vacate(session, order.room, at_once=True)

    async def _be_put_into(self, session: Session, order: Enter) -> tuple[HeldRoom, bytes]:
        try:
            held = await self._hub.enter(session, order.room)
        except Unavailable:  # somebody may just have ended the room and made it anew, and that once
            held = await self._hub.enter(session, order.room)
        position = Head(held.epoch, held.seq)
        room, member = await self._access.find(session.user, order.room)
        await _permit_or_forbid(session, room, member)
        past = await self._since(order.room, position, Since(order.epoch, order.seq))
        await self._seat(session, room, member)
        session.anonymous = False  # somebody speaks to this guest: too late to turn out to be another user
        start = order.seq if past is not None else position.seq
        payload: dict[str, Any] = {"room": room.id, "epoch": position.epoch, "seq": start}
        if order.partner is not None:
            payload["with"] = order.partner
        frames = [protocol.frame(protocol.live("room.added", payload, room=room.id))]
        frames += [protocol.frame(bytes(event)) for event in (past.messages if past is not None else ())]
        return held, b"".join(frames)

    # ---- leaving ----

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

    async def leave(self, session: Session, room_id: str) -> None:
        """End the user's membership, on all their connections everywhere. Raises `RoomNotFound`, `Forbidden`."""
        room, member = await self._access.look(session, "leave", room_id)
        await self._end_membership(room, session.user, member, "left")
        self.exit(session, room_id)
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
        member = Member(user.id, user.name, role, known.joined_at if known else protocol.now())
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
        await self._journal.append(draft(room, type, protocol.encode({"user": who}), who, change=change))

    # ---- making, listing, ending ----

    async def create(
        self,
        actor: Actor | None,
        room_id: str | None,
        *,
        title: str = "",
        visibility: str = PUBLIC,
        attributes: Mapping[str, Any] | None = None,
        announce: bool = False,
        msg_id: str | None = None,
        hash: bytes = b"",
    ) -> tuple[Room, bool]:
        """Make a room; -> (the room, was it there already?). The actor becomes its owner. Raises `Conflict`, `RoomLimit`."""
        user = actor.user if actor is not None else None
        self._check_room(room_id, title, visibility, attributes or {}, trusted=actor is None)
        if room_id is None:
            room_id = _derived_id(user.id if user else "", msg_id or protocol.new_id())
        if actor is not None:
            self._check_maker(actor.user)
            await permit(actor, "room.create", None, None)
        wanted = Room(
            room_id,
            "",
            0,
            title=title,
            visibility=visibility,
            attributes=attributes or {},
            created_at=protocol.now(),
            created_by=user.id if user else None,
            announce=announce,
        )
        owner = Member(user.id, user.name, "owner", protocol.now()) if user else None
        key = (user.id, msg_id) if user and msg_id else None
        room, made = await self._store.create_room(wanted, owner=owner, key=key, hash=hash)
        if not made and key is None:
            raise Conflict(f"there is already a room {room_id}; choose another id")
        return room, not made

    def _check_maker(self, user: User) -> None:
        if user.guest and not self._settings.guests_create_rooms:
            raise Forbidden("guests may not make rooms here")

    async def ensure(self, room_id: str, **properties: Any) -> Room:
        """The app's room of this id, made or brought to these properties. Raises `Conflict` where a user made it."""
        protocol.check_room_id(room_id)
        wanted = Room(room_id, "", 0, created_at=protocol.now(), **properties)
        self._check_room(room_id, wanted.title, wanted.visibility, wanted.attributes, trusted=True)
        for _ in range(ATTEMPTS):
            room, made = await self._store.create_room(wanted)
            if made:
                return room
            if room.created_by is not None or room.auto:
                raise Conflict(TAKEN.format(room_id))
            try:
                return await self._bring(room, replace(room, **properties))
            except RoomNotFound:  # deleted, and perhaps made by somebody else, or given another epoch
                continue
        raise Unavailable

    async def _bring(self, room: Room, wanted: Room) -> Room:
        if wanted == room:
            return room
        changed = await self._store.update_room(wanted)
        if changed.visibility == room.visibility:
            return changed
        # Whoever is in it now joins again, so that it is asked again whether they may. No worker passes on to them
        # what has the new epoch.
        head = await self._store.renew_epoch(room.id, room.epoch)
        self._orders.look(room.id)
        if (held := self._hub.room(room.id)) is not None:
            self._hub.reset(held, head, "the room has changed")
        return replace(changed, epoch=head.epoch)

    def _check_room(
        self,
        room_id: str | None,
        title: str,
        visibility: str,
        attributes: Mapping[str, Any],
        *,
        trusted: bool,
    ) -> None:
        if room_id is not None:
            protocol.check_room_id(room_id)
            if room_id.startswith("~"):
                raise InvalidField("ids that begin with ~ are made by the server only", field="room")
            if not trusted and room_id.startswith(self._settings.reserved_ids):
                raise InvalidField(
                    "ids that begin so are made by the app only; choose another one", field="room"
                )
        if visibility not in (PUBLIC, PRIVATE):
            raise InvalidField("must be public or private", field="visibility")
        if not isinstance(title, str):
            raise InvalidField(f"must be a string, and not {type(title).__name__}", field="title")
        if len(title) > TITLE_LIMIT:
            raise TooLarge("title has too many characters", limit=TITLE_LIMIT, size=len(title))
        written({"title": title}, "title")
        size = len(written(attributes, "attributes"))
        if size > ATTRIBUTES_LIMIT and not trusted:
            raise TooLarge("attributes have too many bytes", limit=ATTRIBUTES_LIMIT, size=size)

    async def delete(self, room_id: str) -> bool:
        """End a room and all that is in it; True if it was there. Whoever is in it gets `room.removed`."""
        try:
            deleted = await self._store.delete_room(room_id)
        finally:
            self._orders.look(room_id)  # where nobody knows whether it is deleted, too
        self._hub.gone(room_id)
        return deleted

    async def forget_if_unused(self, room_id: str) -> None:
        """If the room was made by its first join or for a `direct`, nothing was said and nobody is in it anywhere, it never
        was. Raises `Unavailable`.

        To be called when this worker has let go of the room, and when its last user has been gone for the grace.
        """
        if is_reserved(room_id) or self._hub.room(room_id) is not None:
            return
        if not (await self._presence.count((room_id,))).get(room_id):
            await self._store.delete_room(room_id, unused=True)

    async def list(
        self, actor: Actor | None, *, mine: bool = False, cursor: str | None = None, limit: int = 50
    ) -> RoomList:
        """Public rooms, or the actor's own. Raises `InvalidCursor`."""
        if limit < 1:
            raise InvalidField("must be at least 1", field="limit")
        user = actor.user.id if actor is not None else None
        if actor is not None:
            await permit(actor, "rooms", None, None)
        page = await self._store.rooms(
            member=user if mine else None, cursor=cursor, limit=min(limit, HISTORY_LIMIT)
        )
        online = await self._counts([room.id for room in page.rooms])
        direct = [room.id for room in page.rooms if room.visibility == DIRECT]
        pairs = await self._store.first_members(direct, 2) if direct else {}
        lines = [_line(room, online.get(room.id, 0), user, pairs.get(room.id, [])) for room in page.rooms]
        return RoomList(lines, page.cursor)

    async def _counts(self, rooms: "list_[str]") -> dict[str, int]:
        try:
            return await self._presence.count(rooms)
        except Unavailable:
            return {}


list_ = list  # `Rooms.list` shadows the name inside the class


def _line(room: Room, online: int, user: str | None, pair: list[Member]) -> RoomLine:
    line = RoomLine(room.id, room.title, room.visibility, room.seq, 0, online)
    if room.visibility == DIRECT:
        line.partner = next((Sender(m.user, m.name) for m in pair if m.user != user), None)
    return line


async def _permit_or_forbid(session: Session, room: Room, member: Member | None) -> None:
    """Ask the policy about a join that somebody else caused: whatever it raises is a no, its `Unavailable` too."""
    try:
        await permit(session, "join", room, member)
    except ChatError as problem:
        raise Forbidden from problem


def _derived_id(user: str, msg_id: str) -> str:
    # The same command repeated makes the same room; nobody else can make it first without knowing the msgId.
    return "r-" + hashlib.sha256(f"{len(user)}:{user}{msg_id}".encode()).hexdigest()[:24]
