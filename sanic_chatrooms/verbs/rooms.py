"""Rooms: making and ending them, bringing them to what the app wants, listing them."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.access import Actor, permit
from ..config.settings import Settings
from ..errors import (
    Conflict,
    Forbidden,
    InvalidField,
    RoomNotFound,
    TooLarge,
    Unavailable,
)
from ..hub.hub import Hub
from ..models import (
    DIRECT,
    PRIVATE,
    PUBLIC,
    Member,
    Room,
    Sender,
    User,
    is_reserved,
)
from ..presence.base import Presence
from ..sessions.inbox import Orders
from ..stores.base import Store
from ..support.clock import now
from ..support.ids import new_id
from ..wire.encode import encode_object
from ..wire.names import check_room_id
from .messages import HISTORY_LIMIT

__all__ = ["ATTRIBUTES_LIMIT", "RoomLine", "RoomList", "Rooms"]

TAKEN = "a user made the room {0}; delete it first, or choose another id: with RESERVED_IDS users make none that begin so"
ATTEMPTS = 3
"""How often a room is looked at again that others delete and make while the app wants it."""
TITLE_LIMIT = 200
ATTRIBUTES_LIMIT = 4096


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
        hub: Hub,
        orders: Orders,
        presence: Presence,
        settings: Settings,
    ) -> None:
        self._store = store
        self._hub = hub
        self._orders = orders
        self._presence = presence
        self._settings = settings

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
            room_id = _derived_id(user.id if user else "", msg_id or new_id())
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
            created_at=now(),
            created_by=user.id if user else None,
            announce=announce,
        )
        owner = Member(user.id, user.name, "owner", now()) if user else None
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
        check_room_id(room_id)
        wanted = Room(room_id, "", 0, created_at=now(), **properties)
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
            check_room_id(room_id)
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
        encode_object({"title": title}, "title")
        size = len(encode_object(attributes, "attributes"))
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


def _derived_id(user: str, msg_id: str) -> str:
    # The same command repeated makes the same room; nobody else can make it first without knowing the msgId.
    return "r-" + hashlib.sha256(f"{len(user)}:{user}{msg_id}".encode()).hexdigest()[:24]
