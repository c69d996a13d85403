"""Create, list, change and delete rooms."""

import hashlib
from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.access import Actor, ask_policy
from ..access.actions import Right, action
from ..access.limits.kinds import Kind
from ..access.needs import ANYONE, GOVERNING
from ..access.standing import INVITE
from ..errors import Conflict, Forbidden, InvalidField, RoomNotFound, Unavailable
from ..models import DIRECT, EVERYONE, Head, Member, Room, Sender, User, is_reserved
from ..stores import members
from ..stores.base import Stale
from ..stores.pages import RoomPage, Unread
from ..stores.properties import room_fact
from ..support.clock import now
from ..support.ids import new_id
from ..wire.encode import encode
from ..wire.names import check_room_id
from .context import Ctx
from .core import Core
from .deletions import deleted_before, note_deletion
from .drafts import command_hash, draft
from .invitations import inviters
from .pages import page_limit
from .properties import WORDS, Changes, applied, as_changes, updated
from .retention import retention_fact
from .table import Judged, Needs, Nothing, command
from .unread import allowed, count, is_some, last_seen, preferences

__all__ = ["RoomLine", "RoomList", "create", "delete", "ensure", "forget_if_unused"]

TAKEN = "a user made the room {0}; delete it first, or choose another id: with RESERVED_IDS users make none that begin so"
JUDGED_BY = ("topic", "permissions", "history_visibility", "slow_mode", "archived")
"""Properties that do not change without an event."""
LOOKED_AT = 10
"""Pages of rooms that are looked at for a query."""
ATTEMPTS = 3
"""Attempts to ensure a room that others delete and create at the same time."""


class Created(msgspec.Struct, omit_defaults=False):
    """The ack of `room.create`."""

    room: str
    duplicate: bool


class Deleted(msgspec.Struct, omit_defaults=False):
    """The ack of `room.delete`."""

    duplicate: bool


class List(msgspec.Struct):
    """The payload of `rooms`. `mine`: rooms that the user is a member of. `invited`: those that the user is invited to. `query`:
    a part of the title or the topic."""

    mine: bool = False
    cursor: str | None = None
    limit: int | None = None
    query: str = ""
    invited: bool = False


class Last(msgspec.Struct):
    """The newest message of a room: its number and time (Unix seconds)."""

    seq: int
    timestamp: float


class RoomLine(msgspec.Struct, omit_defaults=False):
    """One room in the answer to `rooms`. `by`: who invited the user."""

    id: str = msgspec.field(name="room")
    title: str
    visibility: str
    seq: int
    unread: int
    more: bool
    mentions: int
    online: int
    last: Last | msgspec.UnsetType = msgspec.UNSET
    notify: str | msgspec.UnsetType = msgspec.UNSET
    favourite: bool | msgspec.UnsetType = msgspec.UNSET
    archived: bool | msgspec.UnsetType = msgspec.UNSET
    partner: Sender | None | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="with")
    by: Sender | msgspec.UnsetType = msgspec.UNSET


class RoomList(msgspec.Struct, omit_defaults=True):
    """The answer to `rooms`."""

    rooms: list[RoomLine]
    cursor: str | None = None


@command(
    "room.create",
    Changes,
    ack=Created,
    room=Needs.PERHAPS,
    judged=Judged.ITSELF,
    needs=ANYONE,
    words=WORDS,
    roams=True,
    as_user=True,
    rate=Kind.CREATE,
)
async def create_room(ctx: Ctx, ask: Changes) -> Created:
    """Create a room that the actor owns. Raises `Conflict`, `RoomLimit`, `Forbidden`."""
    assert ctx.actor is not None  # the app calls `create`
    if ctx.command.room is not None and not ctx.settings.client_room_ids:
        raise InvalidField("is chosen by the server here; leave it out", field="room")
    room, duplicate = await create(
        ctx.core,
        ctx.actor,
        ctx.command.room,
        ask,
        msg_id=ctx.command.msg_id,
        hash=command_hash(ctx.command),
    )
    return Created(room.id, duplicate)


async def create(
    core: Core,
    actor: Actor | None,
    room_id: str | None,
    ask: Changes | None = None,
    *,
    msg_id: str | None = None,
    hash: bytes = b"",
    **properties: Any,
) -> tuple[Room, bool]:
    """Create a room; -> (the room, whether it was there already). The actor becomes its owner. Raises `Conflict`, `RoomLimit`.

    `ask`, or by name what the app gives: its properties.
    """
    user = actor.user if actor is not None else None
    _check_id(core, room_id, trusted=actor is None)
    plain = Room(room_id or "", "", 0, created_at=now(), created_by=user.id if user else None)
    wanted = applied(plain, ask or as_changes(properties), trusted=actor is None)
    if room_id is None:
        room_id = _derived_id(user.id if user else "", msg_id or new_id())
    if actor is not None:
        _check_maker(core, actor.user)
        await ask_policy(actor, action("room.create"), room_id)
    wanted = replace(wanted, id=room_id)
    owner = (members.member_fact(Member(user.id, user.name, "owner", now(), creator=True)),) if user else ()
    key = (user.id, msg_id) if user and msg_id else None
    facts = (*owner, retention_fact(wanted)) if wanted.retention else owner
    room, made = await core.store.create_room(wanted, facts=facts, key=key, hash=hash)
    if not made and key is None:
        raise Conflict(f"there is already a room {room_id}; choose another id")
    return room, not made


def _check_maker(core: Core, user: User) -> None:
    if user.guest and not core.settings.guests_create_rooms:
        raise Forbidden("guests may not make rooms here")


async def ensure(core: Core, room_id: str, **properties: Any) -> Room:
    """The app's room with this id, created or updated to these properties. Raises `Conflict` if a user created it."""
    check_room_id(room_id)
    _check_id(core, room_id, trusted=True)
    ask = as_changes(properties)
    wanted = applied(Room(room_id, "", 0, created_at=now()), ask, trusted=True)
    for _ in range(ATTEMPTS):
        facts = (retention_fact(wanted),) if wanted.retention else ()
        room, made = await core.store.create_room(wanted, facts=facts)
        if made:
            return room
        if room.created_by is not None or room.auto:
            raise Conflict(TAKEN.format(room_id))
        try:
            return await _bring(core, room, applied(room, ask, trusted=True))
        except RoomNotFound:  # deleted, perhaps created by somebody else, or it has another epoch
            continue
    raise Unavailable


async def _bring(core: Core, room: Room, wanted: Room) -> Room:
    if wanted == room:
        return room
    if wanted.retention != room.retention:
        await core.store.set_fact(room.id, retention_fact(wanted))
    if any(getattr(wanted, name) != getattr(room, name) for name in JUDGED_BY):
        return await _bring_by_event(core, room, wanted)
    changed = await core.store.update_room(wanted)
    if changed.visibility == room.visibility:
        return changed
    # Its connections have to join again, so that the policy is asked again. No worker sends them events of the
    # new epoch.
    core.inbox.look(room.id)
    if (held := core.hub.room(room.id)) is not None:
        core.hub.reset(held, Head(changed.epoch, changed.seq), "the room has changed")
    return changed


async def _bring_by_event(core: Core, room: Room, wanted: Room) -> Room:
    """All workers judge by it from that event on."""
    item = draft(
        room.id,
        "room.updated",
        encode(updated(wanted, None, room)),
        None,
        facts=(room_fact(wanted, room),),
        restricts=True,
        judged=room.seq,
        judged_in=room.epoch,
    )
    try:
        await core.journal.append(item)
    except Stale:
        raise RoomNotFound from None  # it has changed meanwhile: look again
    found = await core.store.room(room.id)
    if found is None:
        raise RoomNotFound
    return found


def _check_id(core: Core, room_id: str | None, *, trusted: bool) -> None:
    if room_id is not None:
        check_room_id(room_id)
        if room_id.startswith("~"):
            raise InvalidField("ids that begin with ~ are made by the server only", field="room")
        if not trusted and room_id.startswith(core.settings.reserved_ids):
            raise InvalidField("ids that begin so are made by the app only; choose another one", field="room")


@command(
    "room.delete",
    ack=Deleted,
    judged=Judged.ITSELF,
    needs=GOVERNING,
    archive_stops=False,
    as_user=True,
)
async def delete_room(ctx: Ctx, _: Nothing) -> Deleted:
    """Delete the room with everything in it. Raises `Forbidden`, `RoomNotFound`."""
    core, room = ctx.core, ctx.room_id
    # Asked first: a room that was made again with this id is another one.
    if await deleted_before(core, room, ctx.key, ctx.hash):
        core.inbox.look(room)  # the first attempt may have ended before
        return Deleted(True)
    await ctx.see()
    await ctx.require(ctx.row.action)
    await note_deletion(core, ctx.seat.room, ctx.key, ctx.hash, ctx.settings.dedup_window)
    return Deleted(not await delete(core, room))


async def delete(core: Core, room_id: str) -> bool:
    """Delete a room and everything in it; True if it was there. Its connections get `room.removed`."""
    noted = await core.unattached.note(room_id)
    try:
        deleted = await core.store.delete_room(room_id)
    finally:
        core.inbox.look(room_id)  # also if it is unknown whether it was deleted
    if noted:
        core.unattached.look(EVERYONE)
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
    fact = (INVITE if ask.invited else members.MEMBER, user) if user and (ask.mine or ask.invited) else None
    page = await _page(core, fact, ask, limit)
    online = await _counts(core, [room.id for room in page.rooms])
    direct = [room.id for room in page.rooms if room.visibility == DIRECT]
    pairs = await members.first(core.store, direct, 2) if direct else {}
    scopes = None if ctx.actor is None else ctx.actor.scopes
    shown = [room for room in page.rooms if scopes is None or scopes.allow(Right.READ, room.id)]
    left = await _unread(core, ctx.actor, {room.id: room for room in shown}) if ctx.actor and shown else {}
    hosts = await inviters(core, user, [room.id for room in shown]) if user and ask.invited else {}
    lines = [_line(room, online.get(room.id, 0), user, pairs.get(room.id, [])) for room in shown]
    for room, line in zip(shown, lines, strict=True):
        line.by = hosts.get(room.id, msgspec.UNSET)
        if (unread := left.get(room.id)) is not None:
            _add_unread(core, room, unread, line)
    return RoomList(lines, page.cursor)


async def _unread(core: Core, actor: Actor, rooms: dict[str, Room]) -> dict[str, Unread]:
    """What the actor has not read in these rooms; nothing where they may not ask for it."""
    left = await count(core, actor.user.id, rooms)
    some = [id for id, one in left.items() if is_some(one)]
    refused = set(some).difference(await allowed(core, actor, some))
    return left | {id: replace(left[id], count=0, more=False, mentions=0) for id in refused}


async def _page(core: Core, fact: tuple[str, str] | None, ask: List, limit: int) -> RoomPage:
    """A page of rooms whose titles or topics contain the query. Looks at a bounded number of rooms, so it may be short."""
    words = ask.query.casefold()
    if not words:
        return await core.store.rooms(fact=fact, cursor=ask.cursor, limit=limit)
    found, cursor = list[Room](), ask.cursor
    for _ in range(LOOKED_AT):
        page = await core.store.rooms(fact=fact, cursor=cursor, limit=limit - len(found))
        found += [room for room in page.rooms if words in f"{room.title}\n{room.topic}".casefold()]
        cursor = page.cursor
        if cursor is None or len(found) >= limit:
            break
    return RoomPage(found, cursor)


async def _counts(core: Core, rooms: list[str]) -> dict[str, int]:
    try:
        return await core.presence.count(rooms)
    except Unavailable:
        return {}


def _line(room: Room, online: int, user: str | None, pair: list[Member]) -> RoomLine:
    line = RoomLine(room.id, room.title, room.visibility, room.seq, 0, False, 0, online)
    if room.archived:
        line.archived = True
    if room.visibility == DIRECT:
        line.partner = next((Sender(m.user, m.name) for m in pair if m.user != user), None)
    return line


def _add_unread(core: Core, room: Room, unread: Unread, line: RoomLine) -> None:
    line.unread, line.more, line.mentions = unread.count, unread.more, unread.mentions
    if (last := last_seen(core, room, unread)) is not None:
        line.last = Last(*last)
    if unread.member is not None:
        own = preferences(unread.prefs)
        line.notify, line.favourite = own.notify, own.favourite or msgspec.UNSET


def _derived_id(user: str, msg_id: str) -> str:
    # A repetition gets the same room. Others cannot create it first without the msgId.
    return "r-" + hashlib.sha256(f"{len(user)}:{user}{msg_id}".encode()).hexdigest()[:24]
