"""Connections enter and leave rooms: `join`, `exit`, and messages in the user's inbox.

*Enter* and *exit* are about connections (in the hub). In a public room, `join` also makes the user a member (`membership`).
"""

import msgspec
from msgspec.structs import replace

from ..access.access import ask_policy, judge
from ..access.actions import action
from ..access.limits.kinds import Kind
from ..access.needs import COMING_IN
from ..access.standing import Standing
from ..access.visibility import Seen, seen_by
from ..errors import ChatError, Forbidden, InvalidField, RoomLimit, RoomNotFound, Unavailable
from ..hub.room import LocalRoom
from ..models import DIRECT, PUBLIC, Head, Room, Sender, User
from ..sessions.inbox import Enter
from ..sessions.seats import Seat
from ..sessions.session import Session
from ..stores import members
from ..support.clock import now
from ..support.paging import PAGE_LIMIT
from ..wire.encode import live_event
from ..wire.events import RoomAdded
from ..wire.names import check_room_id
from . import pages
from .beside import encode_as_now
from .context import Ctx
from .core import Core
from .membership import become
from .table import Done, Judged, Nothing, command

__all__ = [
    "RECOVERY_BYTES",
    "Join",
    "Joined",
    "Since",
    "admit",
    "may_make",
    "past_until",
    "put_in",
    "take_out",
    "vacate",
    "wanted_history",
]

CHANGED = "the room changed while you joined; join again"
RECOVERY_BYTES = 512 * 1024


class Since(msgspec.Struct):
    """The position of a client, which has everything up to `seq`."""

    epoch: str
    seq: int


class Join(msgspec.Struct):
    """The payload of `join`. `history`: how many events of the timeline come with it."""

    since: Since | None = None
    history: int | None = None


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


# ---- in ----


@command(
    "join",
    Join,
    ack=Joined,
    event="member.joined",
    judged=Judged.ITSELF,
    needs=COMING_IN,
    for_invited=True,
    feature="recovery",
    looks=True,
    rate=Kind.JOIN,
)
async def join(ctx: Ctx, ask: Join) -> Joined:
    """Put the session into the room. In a public room, a signed-in user also becomes a member.

    The standing is at least as new as the position. So a user who is removed meanwhile is either refused here, or is in
    the room when the message that removes them arrives.
    """
    core, session, room_id = ctx.core, ctx.session, ctx.room_id
    history = wanted_history(ctx, ask)
    check_room_id(room_id)  # the room of a path is not checked yet
    _check_room_limit(session, room_id)
    if not _is_open(core, session.user, room_id):
        # Entering takes time, which would tell a hidden room from a missing one: so check before, too.
        await core.access.look(session, "join", room_id)
    changes, look = session.seats.changes, _Look(core, session)
    try:
        position = await _enter(core, session, room_id, look)
    except Unavailable:
        await _keep_secret(core, session, room_id)
        raise
    try:
        room, standing = await look.judged(room_id, position)
        standing = await become(ctx, room, standing)
        seen = seen_by(room, standing)
        recovered, past = await past_until(core, room_id, session.user.id, seen, position, ask.since, history)
        if past.messages and past.seq > room.seq:
            # Messages may show later changes. So the standing is read once more after them.
            room, standing = await core.access.look(session, "join", room_id)
        online = await _seat(core, session, room, standing, changes)
        if online is None:
            online = await core.occupancy.online(room_id)
    except BaseException as problem:
        take_out(core, session, room_id)
        if isinstance(problem, RoomNotFound) and await _forgotten(core, session.user, room_id):
            raise Unavailable(CHANGED) from None
        raise
    ctx.entered = room.id
    return Joined(
        room=room.id,
        epoch=position.epoch,
        seq=position.seq,
        recovered=recovered,
        messages=past.messages,
        more=past.more,
        role=standing.role if standing.member else "guest",
        title=room.title,
        online=online,
    )


def wanted_history(ctx: Ctx, ask: Join) -> int:
    """The number of timeline events in the ack. Raises `InvalidField`."""
    history = ctx.settings.history_page if ask.history is None else ask.history
    if history < 0:
        raise InvalidField("must be 0 or more", field="history")
    if ask.since is not None and ask.since.seq < 0:
        raise InvalidField("must be 0 or more", field="since.seq")
    return history


def admit(core: Core, session: Session, room_id: str, opening: bytes) -> None:
    """After `join`: send the ack, then the events since. Raises `Unavailable` if the session was taken out meanwhile."""
    held = core.hub.room(room_id)
    if held is None or not core.hub.admit(session, held, opening):
        vacate(core, session, room_id)
        raise Unavailable(CHANGED)
    core.listeners.fire("room.entered", room=room_id, user=session.user, session=session)


def _check_room_limit(session: Session, room_id: str) -> None:
    if room_id.startswith("~") and not room_id.startswith("~direct."):
        raise RoomNotFound
    limit = session.settings.max_rooms_per_connection
    if room_id not in session.seats and sum(not r.startswith("~") for r in session.seats) >= limit:
        raise RoomLimit.of(limit)


def _is_full(session: Session, room_id: str) -> bool:
    try:
        _check_room_limit(session, room_id)
    except RoomLimit:
        return True
    return False


class _Look:
    """The store is asked for the room's head, the room and the standing at once."""

    def __init__(self, core: Core, session: Session) -> None:
        self._access = core.access
        self._session = session
        self._found: tuple[Room, Standing] | None = None

    async def head(self, room_id: str) -> Head:
        """For the hub. Raises `RoomNotFound`."""
        room, _ = self._found = await self._access.find(self._session.user, room_id)
        return Head(room.epoch, room.seq)

    async def judged(self, room_id: str, position: Head) -> tuple[Room, Standing]:
        """The room and the standing, if the user may join. They are read again if they may be older than the position."""
        if self._found is None or Head(self._found[0].epoch, self._found[0].seq) != position:
            return await self._access.look(self._session, "join", room_id)
        await judge(self._session, action("join"), *self._found)
        return self._found


async def _enter(core: Core, session: Session, room_id: str, look: _Look) -> Head:
    """Take the position: from here on, events wait for the session."""
    try:
        held = await core.hub.enter(session, room_id, look.head)
    except RoomNotFound:
        if not may_make(core, session.user, room_id):
            raise
        await ask_policy(session, action("room.create"), room_id)
        await core.store.create_room(Room(room_id, "", 0, created_at=now(), auto=True))
        held = await _enter_new(core, session, room_id, look)
    return held.head


async def _enter_new(core: Core, session: Session, room_id: str, look: _Look) -> LocalRoom:
    try:
        return await core.hub.enter(session, room_id, look.head)
    except RoomNotFound:  # another worker has just forgotten it: its last visitor had left
        raise Unavailable(CHANGED) from None


def _is_open(core: Core, user: User, room_id: str) -> bool:
    """Whether the user may know if this room exists, as far as this worker can tell."""
    held = core.hub.room(room_id)
    return may_make(core, user, room_id) or (held is not None and held.public)


async def _forgotten(core: Core, user: User, room_id: str) -> bool:
    return may_make(core, user, room_id) and await core.store.room(room_id) is None


def may_make(core: Core, user: User, room_id: str) -> bool:
    """Whether this user's first join makes this room."""
    settings = core.settings
    if not settings.auto_create or room_id.startswith(("~", *settings.reserved_ids)):
        return False
    return not user.guest or bool(settings.guests_create_rooms)


async def _keep_secret(core: Core, session: Session, room_id: str) -> None:
    """A user who may not know of the room must not learn from `unavailable` that it exists."""
    if not may_make(core, session.user, room_id) or await core.store.room(room_id) is not None:
        await core.access.look(session, "join", room_id)


async def _seat(core: Core, session: Session, room: Room, standing: Standing, changes: int) -> int | None:
    """Give the session its seat; -> how many users are in the room, if presence was asked. `changes`: the count of the session's
    seats when the standing was read."""
    if (held := core.hub.room(room.id)) is not None:
        held.public = room.visibility == PUBLIC
    if room.visibility == DIRECT and standing.member and standing.name != session.user.name:
        await _call(core, session.user, room)
    new = room.id not in session.seats
    seat = session.seats[room.id] = Seat(room, standing)
    seat.fresh = session.seats.changes == changes
    if not new:
        return None
    return await core.occupancy.entered(room.id, Sender(session.user.id, session.user.name))


async def _call(core: Core, user: User, room: Room) -> None:
    """Update the user's name in a direct room: the other user may have added them by their id, or long ago."""
    known = await core.store.fact(room.id, members.MEMBER, user.id)
    if known is not None:
        await members.put(
            core.store, room.id, replace(members.as_member(known), name=user.name), was=known.value
        )


async def past_until(
    core: Core, room: str, reader: str, seen: Seen, position: Head, since: Since | None, history: int
) -> tuple[bool, pages.Messages]:
    """The past up to the position: (True, everything after `since`), or (False, the newest page of the timeline).

    What the reader may not see is left out of the timeline. Of a log with a gap the client would know that it missed
    something, so then it is the timeline.
    """
    if since is not None and (since.seq >= position.seq or seen.covers(since.seq + 1, position.seq)):
        past = await _since(core, room, reader, position, since)
        if past is not None:
            return True, past
    empty = pages.Messages([], position.seq > 0, position.epoch, position.seq)
    if history < 1:
        return False, empty
    limit = min(history, PAGE_LIMIT)
    page = await core.past.read(
        room, before=position.seq + 1, limit=limit, timeline=True, reader=reader, seen=seen
    )
    if page.epoch != position.epoch:
        raise Unavailable("the room has just been renewed; join again")
    return False, pages.cut(page, newest=True)


async def _since(core: Core, room: str, reader: str, position: Head, since: Since) -> pages.Messages | None:
    limit = core.settings.recovery_limit
    missed = position.seq - since.seq
    if since.epoch != position.epoch or not 0 <= missed <= limit or since.seq < 0:
        return None
    if missed == 0:
        return pages.Messages([], False, position.epoch, position.seq)
    page = await core.past.read(room, after=since.seq, limit=missed, most=RECOVERY_BYTES, reader=reader)
    whole = page.epoch == position.epoch and page.floor <= since.seq and len(page.events) == missed
    encoded = [msgspec.Raw(encode_as_now(event, page.related.get(event.seq or 0))) for event in page.events]
    if not whole or page.events[-1].seq != position.seq or sum(map(len, encoded)) > RECOVERY_BYTES:
        return None
    return pages.Messages(encoded, False, page.epoch, page.seq)


async def put_in(core: Core, session: Session, message: Enter) -> None:
    """Put a connection into a direct room: `room.added`, then the room's events from `message.seq` + 1.

    A connection whose user may not join stays outside. Raises `Unavailable` if a backend does not answer.
    """
    if session.closed or message.room in session.seats or _is_full(session, message.room):
        return
    try:
        held, opening = await _be_put_into(core, session, message)
    except BaseException as problem:
        take_out(core, session, message.room)
        if isinstance(problem, RoomNotFound | Forbidden):
            return
        raise
    if core.hub.admit(session, held, *opening):
        core.listeners.fire("room.entered", room=message.room, user=session.user, session=session)
    else:
        vacate(core, session, message.room)


async def _be_put_into(core: Core, session: Session, message: Enter) -> tuple[LocalRoom, list[bytes]]:
    try:
        held = await core.hub.enter(session, message.room)
    except Unavailable:  # the room may just have been deleted and created again; try once more
        held = await core.hub.enter(session, message.room)
    position = held.head
    changes = session.seats.changes
    room, standing = await core.access.find(session.user, message.room)
    await _permit_or_forbid(session, room, standing)
    past = await _since(core, message.room, session.user.id, position, Since(message.epoch, message.seq))
    if past is not None and past.messages and past.seq > room.seq:
        room, standing = await core.access.find(session.user, message.room)
        await _permit_or_forbid(session, room, standing)
    await _seat(core, session, room, standing, changes)
    session.who.acted()
    start = message.seq if past is not None else position.seq
    added = RoomAdded(room.id, position.epoch, start, message.partner, message.by)
    opening = [live_event(added, room=room.id)]
    opening += [bytes(event) for event in (past.messages if past is not None else ())]
    return held, opening


# ---- out ----


@command("exit", judged=Judged.FREE, looks=True, rate=Kind.JOIN)
async def exit(ctx: Ctx, _: Nothing) -> Done:
    """The connection stops receiving the room. Does nothing if it is not in it."""
    take_out(ctx.core, ctx.session, ctx.room_id)
    await ctx.core.occupancy.settle()
    return Done()


def take_out(core: Core, session: Session, room_id: str, *, at_once: bool = True) -> None:
    """Take the connection out of the room. `at_once`: the user is gone without the grace for short disconnects."""
    core.hub.exit(session, room_id)
    vacate(core, session, room_id, at_once=at_once)


def vacate(core: Core, session: Session, room_id: str, *, at_once: bool = True) -> None:
    """Remove the seat of a session that the hub has taken out of the room."""
    if session.seats.pop(room_id, None) is None:
        return
    core.occupancy.exited(room_id, session.user.id, at_once=at_once)
    core.typists.stopped(room_id, Sender(session.user.id, session.user.name))
    core.listeners.fire("room.exited", room=room_id, user=session.user, session=session)


async def _permit_or_forbid(session: Session, room: Room, standing: Standing) -> None:
    """Ask the policy about a join that another user caused: every error is a refusal, also `Unavailable`."""
    try:
        await judge(session, action("join"), room, standing)
    except ChatError as problem:
        raise Forbidden from problem
