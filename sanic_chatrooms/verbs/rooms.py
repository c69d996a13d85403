"""Create, list, change and delete rooms."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.access import Actor, ask_policy
from ..access.actions import Right, action
from ..access.limits.kinds import Kind
from ..access.needs import ANYONE
from ..errors import Conflict, Forbidden, InvalidField, RoomNotFound, TooLarge, Unavailable
from ..models import DIRECT, PRIVATE, PUBLIC, Head, Member, Room, Sender, User, is_reserved
from ..stores import members
from ..support.clock import now
from ..support.ids import new_id
from ..wire.decode import decode_payload
from ..wire.encode import EMPTY, encode_object
from ..wire.names import check_room_id
from .context import Ctx
from .core import Core
from .drafts import command_hash
from .pages import page_limit
from .table import Judged, Needs, command

__all__ = ["ATTRIBUTES_LIMIT", "RoomLine", "RoomList", "create", "delete", "ensure", "forget_if_unused"]

TAKEN = "a user made the room {0}; delete it first, or choose another id: with RESERVED_IDS users make none that begin so"
ATTEMPTS = 3
"""Attempts to ensure a room that others delete and create at the same time."""
TITLE_LIMIT = 200
ATTRIBUTES_LIMIT = 4096


class Create(msgspec.Struct):
    """The payload of `room.create`."""

    title: str = ""
    visibility: str = PUBLIC
    attributes: msgspec.Raw = msgspec.Raw(EMPTY)


class Created(msgspec.Struct, omit_defaults=False):
    """The ack of `room.create`."""

    room: str
    duplicate: bool


class List(msgspec.Struct):
    """The payload of `rooms`. `mine`: rooms that the user is a member of."""

    mine: bool = False
    cursor: str | None = None
    limit: int | None = None


_attributes = msgspec.json.Decoder(dict[str, Any])


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


@command(
    "room.create",
    Create,
    ack=Created,
    room=Needs.PERHAPS,
    judged=Judged.ITSELF,
    needs=ANYONE,
    roams=True,
    as_user=True,
    rate=Kind.CREATE,
)
async def create_room(ctx: Ctx, ask: Create) -> Created:
    """Create a room that the actor owns. Raises `Conflict`, `RoomLimit`, `Forbidden`."""
    assert ctx.actor is not None  # the app calls `create`
    if ctx.command.room is not None and not ctx.settings.client_room_ids:
        raise InvalidField("is chosen by the server here; leave it out", field="room")
    room, duplicate = await create(
        ctx.core,
        ctx.actor,
        ctx.command.room,
        title=ask.title,
        visibility=ask.visibility,
        attributes=_small(ask.attributes),
        msg_id=ctx.command.msg_id,
        hash=command_hash(ctx.command),
    )
    return Created(room.id, duplicate)


def _small(attributes: msgspec.Raw) -> dict[str, Any]:
    # Check the size first: decoding numbers and lists can take long.
    if len(attributes) > ATTRIBUTES_LIMIT:
        raise TooLarge("attributes have too many bytes", limit=ATTRIBUTES_LIMIT, size=len(attributes))
    return decode_payload(bytes(attributes), _attributes, "attributes")


async def create(
    core: Core,
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
    """Create a room; -> (the room, whether it was there already). The actor becomes its owner. Raises `Conflict`, `RoomLimit`."""
    user = actor.user if actor is not None else None
    _check_room(core, room_id, title, visibility, attributes or {}, trusted=actor is None)
    if room_id is None:
        room_id = _derived_id(user.id if user else "", msg_id or new_id())
    if actor is not None:
        _check_maker(core, actor.user)
        await ask_policy(actor, action("room.create"), room_id)
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
    owner = (members.member_fact(Member(user.id, user.name, "owner", now(), creator=True)),) if user else ()
    key = (user.id, msg_id) if user and msg_id else None
    room, made = await core.store.create_room(wanted, facts=owner, key=key, hash=hash)
    if not made and key is None:
        raise Conflict(f"there is already a room {room_id}; choose another id")
    return room, not made


def _check_maker(core: Core, user: User) -> None:
    if user.guest and not core.settings.guests_create_rooms:
        raise Forbidden("guests may not make rooms here")


async def ensure(core: Core, room_id: str, **properties: Any) -> Room:
    """The app's room with this id, created or updated to these properties. Raises `Conflict` if a user created it."""
    check_room_id(room_id)
    wanted = Room(room_id, "", 0, created_at=now(), **properties)
    _check_room(core, room_id, wanted.title, wanted.visibility, wanted.attributes, trusted=True)
    for _ in range(ATTEMPTS):
        room, made = await core.store.create_room(wanted)
        if made:
            return room
        if room.created_by is not None or room.auto:
            raise Conflict(TAKEN.format(room_id))
        try:
            return await _bring(core, room, replace(room, **properties))
        except RoomNotFound:  # deleted, perhaps created by somebody else, or it has another epoch
            continue
    raise Unavailable


async def _bring(core: Core, room: Room, wanted: Room) -> Room:
    if wanted == room:
        return room
    changed = await core.store.update_room(wanted)
    if changed.visibility == room.visibility:
        return changed
    # Its connections have to join again, so that the policy is asked again. No worker sends them events of the
    # new epoch.
    core.inbox.look(room.id)
    if (held := core.hub.room(room.id)) is not None:
        core.hub.reset(held, Head(changed.epoch, changed.seq), "the room has changed")
    return changed


def _check_room(
    core: Core,
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
        if not trusted and room_id.startswith(core.settings.reserved_ids):
            raise InvalidField("ids that begin so are made by the app only; choose another one", field="room")
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


async def delete(core: Core, room_id: str) -> bool:
    """Delete a room and everything in it; True if it was there. Its connections get `room.removed`."""
    try:
        deleted = await core.store.delete_room(room_id)
    finally:
        core.inbox.look(room_id)  # also if it is unknown whether it was deleted
    core.hub.deleted(room_id)
    return deleted


async def forget_if_unused(core: Core, room_id: str) -> None:
    """Delete the room if a first join or a `direct` created it, no event was stored, and nobody is in it on any worker.
    Raises `Unavailable`.

    Called when this worker has released the room, and when the grace of its last user is over.
    """
    if is_reserved(room_id) or core.hub.room(room_id) is not None:
        return
    if not (await core.presence.count((room_id,))).get(room_id):
        await core.store.delete_room(room_id, unused=True)


@command(
    "rooms",
    List,
    ack=RoomList,
    room=Needs.NOTHING,
    judged=Judged.NO_ROOM,
    needs=ANYONE,
    looks=True,
    roams=True,
)
async def list_rooms(ctx: Ctx, ask: List) -> RoomList:
    """Public rooms, or the actor's own. Raises `InvalidCursor`."""
    limit, core = page_limit(ctx.settings, ask.limit), ctx.core
    user = None if ctx.actor is None else ctx.user.id
    mine = (members.MEMBER, user) if ask.mine and user is not None else None
    page = await core.store.rooms(fact=mine, cursor=ask.cursor, limit=limit)
    online = await _counts(core, [room.id for room in page.rooms])
    direct = [room.id for room in page.rooms if room.visibility == DIRECT]
    pairs = await members.first(core.store, direct, 2) if direct else {}
    scopes = None if ctx.actor is None else ctx.actor.scopes
    shown = [room for room in page.rooms if scopes is None or scopes.allow(Right.READ, room.id)]
    lines = [_line(room, online.get(room.id, 0), user, pairs.get(room.id, [])) for room in shown]
    return RoomList(lines, page.cursor)


async def _counts(core: Core, rooms: list[str]) -> dict[str, int]:
    try:
        return await core.presence.count(rooms)
    except Unavailable:
        return {}


def _line(room: Room, online: int, user: str | None, pair: list[Member]) -> RoomLine:
    line = RoomLine(room.id, room.title, room.visibility, room.seq, 0, online)
    if room.visibility == DIRECT:
        line.partner = next((Sender(m.user, m.name) for m in pair if m.user != user), None)
    return line


def _derived_id(user: str, msg_id: str) -> str:
    # A repetition gets the same room. Others cannot create it first without the msgId.
    return "r-" + hashlib.sha256(f"{len(user)}:{user}{msg_id}".encode()).hexdigest()[:24]
