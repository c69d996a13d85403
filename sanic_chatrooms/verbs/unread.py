"""`read`, `unread` and `badge`: what a member has not read.

Markers are stored, and counts are derived from them when somebody asks.
"""

from collections.abc import Collection, Mapping

import msgspec

from ..access.access import Actor, judge
from ..access.actions import Right, action
from ..access.limits.kinds import Kind
from ..access.needs import ANYONE, MARKING
from ..access.standing import Standing, standing_of
from ..access.visibility import Seen, seen_by
from ..errors import ChatError, InvalidField
from ..models import RESERVED, Fact, Known, Room, Sender
from ..sessions.receipts import MOST_MEMBERS
from ..stores.members import MEMBER
from ..stores.pages import Unread
from ..stores.unread import READ
from ..wire.encode import live_event
from ..wire.events import Read as ReadByUser
from ..wire.names import is_room_id
from .blocks import all_blocked
from .context import Ctx
from .core import Core
from .table import Judged, Needs, Nothing, command

__all__ = [
    "Badge",
    "Marked",
    "Preferences",
    "UnreadLine",
    "UnreadList",
    "allowed",
    "badge_of",
    "count",
    "is_some",
    "last_seen",
    "mark",
    "preferences",
    "shown",
    "tell_others",
]

CAP = 100
"""Unread messages that are counted in a room."""
MOST_ROOMS = 100
"""Rooms that one command may ask about."""
BADGE_ROOMS = 1_000
"""Rooms that a badge looks at."""


class Mark(msgspec.Struct):
    """The payload of `read`: everything up to `seq` is read. `unread`: that message and what follows is not."""

    seq: int
    unread: bool = False


class Marked(msgspec.Struct, omit_defaults=False):
    """The answer to `read`: what is left, and up to where the room is read."""

    unread: int
    more: bool
    mentions: int
    read: int


class UnreadLine(msgspec.Struct, omit_defaults=False):
    """One room in the answer to `unread`. `first`: the number of the first unread message."""

    unread: int
    more: bool
    mentions: int
    read: int
    first: int | msgspec.UnsetType = msgspec.UNSET


class Asked(msgspec.Struct):
    """The payload of `unread`: ids of rooms."""

    rooms: list[str]


class UnreadList(msgspec.Struct, omit_defaults=False):
    """The answer to `unread`. Rooms that the user may not see are left out."""

    rooms: dict[str, UnreadLine]


class Badge(msgspec.Struct, omit_defaults=False):
    """The answer to `badge`: in how many rooms something is unread, and how often the user is mentioned there."""

    rooms: int
    mentions: int
    more: bool


class Preferences(msgspec.Struct, omit_defaults=False):
    """What a member prefers in a room. `notify`: all, mentions or none."""

    notify: str
    favourite: bool


_preferences = msgspec.json.Decoder(Preferences)


def preferences(value: bytes | None) -> Preferences:
    """What the fact `PREFS` says."""
    return Preferences("all", False) if value is None else _preferences.decode(value)


# ---- counting ----


async def count(core: Core, user: str, rooms: Mapping[str, Room], cap: int = CAP) -> dict[str, Unread]:
    """What the user has not read in these rooms, of what they may see. Mentions by users whom they have blocked do not count."""
    found = await _count(core, user, rooms, cap)
    named = {id: rooms[id] for id, one in found.items() if one.mentions}
    if named and (blocked := [other.id async for other in all_blocked(core, user)]):
        found |= await _count(core, user, named, cap, blocked)
    return found


async def _count(
    core: Core, user: str, rooms: Mapping[str, Room], cap: int, blocked: Collection[str] = ()
) -> dict[str, Unread]:
    found = await core.store.unread(user, rooms, cap, blocked=blocked)
    # Of what comes after the beginning of a membership, its member sees everything.
    early = {id: one for id, one in found.items() if one.member is not None and one.marker < one.member.since}
    ranges = {id: seen for id, one in early.items() if not (seen := _seen(core, rooms[id], one)).everything}
    if ranges:
        visible = {id: list(seen) for id, seen in ranges.items()}
        found |= await core.store.unread(user, ranges, cap, seen=visible, blocked=blocked)
    return found


def _seen(core: Core, room: Room, unread: Unread) -> Seen:
    facts: dict[str, Known] = {} if unread.member is None else {MEMBER: unread.member}
    return seen_by(room, standing_of(room, facts, core.access.levels))


def last_seen(core: Core, room: Room, unread: Unread) -> tuple[int, float] | None:
    """Number and time of the room's newest message, if the user may see it."""
    if unread.last is None:
        return None
    member, seq = unread.member, unread.last[0]
    return unread.last if (member and seq > member.since) or seq in _seen(core, room, unread) else None


def is_some(unread: Unread) -> bool:
    """Whether there is, or may be, something that the user has not read."""
    return unread.count > 0 or unread.more or unread.mentions > 0


def shown(unread: Unread) -> UnreadLine:
    """As the wire has it."""
    first = msgspec.UNSET if unread.first is None else unread.first
    return UnreadLine(unread.count, unread.more, unread.mentions, unread.marker, first)


# ---- commands ----


@command(
    "read",
    Mark,
    ack=Marked,
    feature="unread",
    needs=MARKING,
    right=Right.READ,
    archive_stops=False,
    rate=Kind.READ,
    as_user=True,
)
async def read(ctx: Ctx, ask: Mark) -> Marked:
    """Move the marker of a member. Others have none. Raises `InvalidField`."""
    seat, user = ctx.seat, ctx.sender
    assert user is not None  # the app calls `mark`
    return await mark(
        ctx.core, seat.room, seat.standing, user, ask.seq, unread=ask.unread, source=ctx.source_id
    )


async def mark(
    core: Core,
    room: Room,
    standing: Standing,
    user: Sender,
    seq: int,
    *,
    unread: bool = False,
    source: str | None = None,
) -> Marked:
    """Move a member's marker up to a message, or with `unread` before it, and tell their connections except `source`."""
    if seq < 0:
        raise InvalidField("must be the number of a message", field="seq")
    if standing.joined_seq is None:
        return Marked(0, False, 0, 0)
    marker = min(max(seq - 1, 0) if unread else seq, room.seq)
    if not unread and marker < standing.joined_seq and await core.store.fact(room.id, READ, user.id) is None:
        marker = standing.joined_seq
    fact = Fact(READ, user.id, b"%d" % marker, "set" if unread else "max")
    changed = await core.store.set_fact(room.id, fact)
    left = (await count(core, user.id, {room.id: room})).get(room.id, Unread())
    if changed:
        event = live_event(ReadByUser(user, left.marker), room=room.id)
        tell_others(core, user.id, event, source, room.id)
        if core.settings.receipts and not unread:
            await _tell_members(core, room.id, user, left.marker)
    return Marked(left.count, left.more, left.mentions, left.marker)


async def _tell_members(core: Core, room: str, user: Sender, seq: int) -> None:
    members = (await core.store.first_facts((room,), MEMBER, MOST_MEMBERS + 1)).get(room, ())
    if len(members) <= MOST_MEMBERS:
        core.receipts.note(room, user, seq)


def tell_others(core: Core, user: str, event: bytes, source: str | None, room: str) -> None:
    """Send a live event that tells of a room to the user's connections on every worker, except the one with the session id `source`."""
    core.inbox.push(core.inbox.notify(user, event, None, unless=source, room=room))


def check_rooms(rooms: Collection[str]) -> None:
    """Check of how many rooms somebody asks. Raises `InvalidField`."""
    if len(rooms) > MOST_ROOMS:
        raise InvalidField(f"names more than {MOST_ROOMS} rooms", field="rooms", limit=MOST_ROOMS)


@command(
    "unread",
    Asked,
    ack=UnreadList,
    feature="unread",
    room=Needs.NOTHING,
    judged=Judged.ITSELF,
    needs=MARKING,
    looks=True,
    roams=True,
    as_user=True,
)
async def unread(ctx: Ctx, ask: Asked) -> UnreadList:
    """What the user has not read in these rooms. Raises `InvalidField`."""
    assert ctx.actor is not None  # the app calls `count`
    check_rooms(ask.rooms)
    rooms = await allowed(ctx.core, ctx.actor, dict.fromkeys(id for id in ask.rooms if is_room_id(id)))
    found = await count(ctx.core, ctx.actor.user.id, rooms)
    return UnreadList({id: shown(found[id]) for id in rooms if id in found})


async def allowed(core: Core, actor: Actor, ids: Collection[str]) -> dict[str, Room]:
    """Those of these rooms in which the actor may ask what is unread. `rooms` and `badge` count nothing in others, either."""
    rooms, asked = dict[str, Room](), action("unread")
    for id, (room, facts) in (await core.store.rooms_about(ids, actor.user.id)).items() if ids else ():
        if room.visibility == RESERVED:
            continue
        try:
            await judge(actor, asked, room, standing_of(room, facts, core.access.levels))
        except ChatError as problem:
            if problem.temporary:
                raise
        else:
            rooms[id] = room
    return rooms


@command(
    "badge",
    ack=Badge,
    feature="unread",
    room=Needs.NOTHING,
    judged=Judged.NO_ROOM,
    needs=ANYONE,
    looks=True,
    roams=True,
    as_user=True,
)
async def badge(ctx: Ctx, _: Nothing) -> Badge:
    """In how many of the user's rooms something is unread. Looks at the first 1,000."""
    assert ctx.actor is not None  # the app calls `badge_of`
    return await badge_of(ctx.core, ctx.actor.user.id, ctx.actor)


async def badge_of(core: Core, user: str, actor: Actor | None = None) -> Badge:
    """In how many rooms of a user something is unread: of those where the `actor` may ask for it, or of all for the app."""
    page = await core.store.rooms(fact=(MEMBER, user), limit=BADGE_ROOMS)
    rooms = {room.id: room for room in page.rooms}
    found = await count(core, user, rooms, 1) if rooms else {}
    loud = {id: one for id, one in found.items() if is_some(one) and preferences(one.prefs).notify != "none"}
    if actor is not None:  # the few of the rooms that may add something
        loud = {id: loud[id] for id in await allowed(core, actor, loud)}
    with_some = sum(one.count > 0 for one in loud.values())
    return Badge(with_some, sum(one.mentions for one in loud.values()), page.cursor is not None)
