"""Membership of rooms, which is stored. See `entering` for connections."""

import asyncio

from msgspec.structs import replace

from ..access.actions import Right
from ..access.limits.kinds import Kind
from ..access.needs import LEAVING
from ..access.standing import Standing
from ..errors import Banned, Conflict, RoomNotFound, Unavailable
from ..models import PRIVATE, PUBLIC, Fact, Member, Room, Sender, User
from ..sessions.inbox import Remove, StandingChanged
from ..sessions.seats import Seat
from ..stores import members
from ..stores.base import Stale
from ..support.backoff import jittered
from ..support.clock import now
from ..wire.encode import encode
from ..wire.events import Joined, MemberChanged, Moderated, RoleChanged
from .capacity import check_place, is_over, room_full
from .closing import tell_left
from .context import Ctx
from .core import Core
from .drafts import draft
from .invitations import accepted_by_joining, invite_ended, refuse_banned
from .table import Done, Nothing, command

__all__ = ["add_member", "become", "remove_member"]


TRIES = 6
"""How often somebody takes a place, of those who take the last ones at the same moment and then find the room too full."""
APART = 0.02
"""Seconds between their first two tries, at most; each time twice as many."""


async def become(ctx: Ctx, room: Room, standing: Standing, tried: int = 0) -> Standing:
    """Make a signed-in user a member of the room that they joined, public or by an invitation; -> their standing.

    Raises `RoomLimit`, `RoomNotFound` if the room has become private meanwhile, and `Banned` if the user was banned: then the membership is
    taken back.
    """
    core, user = ctx.core, ctx.user
    if standing.member or user.guest:
        return standing
    if standing.invited:
        ctx.seat = Seat(room, standing)
        return await accepted_by_joining(ctx)
    if room.visibility != PUBLIC:
        return standing
    member = Member(user.id, user.name, "member", now())
    nearly_full = await check_place(core, room.id)
    try:
        if room.announce:
            await _joined(core, room.id, user, member, judged=room, restricts=nearly_full)
        elif not await members.put(core.store, room.id, member, was=b""):
            raise Stale
    except (Stale, Conflict):  # somebody lost rights since the room was looked up, or made this user a member
        return await become(ctx, *await core.access.look(ctx.session, "join", room.id), tried)
    # Others may have taken the last places meanwhile, and the app may have made this user a member of another role.
    over = not room.announce and nearly_full and await is_over(core, room.id)
    if over and await members.remove(core.store, room.id, user.id, was=member):
        if tried + 1 == TRIES:
            raise room_full(core, room.id)
        # Others give up their place, too. Who tries again first finds one, and the others find the room full.
        await asyncio.sleep(jittered(APART * 2**tried, 0.0, 1.0))
        return await become(ctx, *await core.access.look(ctx.session, "join", room.id), tried + 1)
    now_there, standing = await core.access.find(user, room.id)
    if standing.banned is not None and standing.banned.holds(now()):
        await members.remove(core.store, room.id, user.id)
        raise Banned(**standing.banned.told())
    if now_there.visibility != PUBLIC and standing.role == member.role:
        await _end_membership(core, now_there, user, member=True, reason="left")
        raise RoomNotFound
    return standing


@command("leave", event="member.left", needs=LEAVING, right=Right.READ, archive_stops=False, rate=Kind.JOIN)
async def leave(ctx: Ctx, _: Nothing) -> Done:
    """End the user's membership, and take all their connections out of the room. Raises `RoomNotFound`, `Forbidden`."""
    core, session, room = ctx.core, ctx.session, ctx.seat.room
    leaving = (session.id, room.id)
    core.evictions.leaving.add(leaving)
    try:
        told = await _end_membership(core, room, ctx.user, ctx.seat.standing.member, "left", command=ctx)
    finally:
        core.evictions.leaving.discard(leaving)
    if (connection := ctx.source) is not None:
        core.hub.exit(connection, room.id)
        connection.evicted(room.id)
    if not told:
        await _tell(core, ctx.user, Remove(room.id, "left", session.id))
    await core.occupancy.settle()
    return Done()


async def remove_member(core: Core, room_id: str, user: User, *, reason: str = "left") -> bool:
    """End a membership for the app, and take all connections of the user out of the room. True if there was either."""
    room, _ = await core.access.find(None, room_id)
    member = await members.find(core.store, room_id, user.id)
    there = member is not None or await _is_in(core, room_id, user)
    if not await _end_membership(core, room, user, member is not None, reason, removed=True):
        await _tell(core, user, Remove(room_id, reason))
    await core.occupancy.settle()
    return there


async def _tell(core: Core, user: User, removed: Remove) -> None:
    """Where no event tells that a user has left: take their connections out of the room, and end what they write there."""
    tell_left(core, removed.room, Sender(user.id, user.name))
    await core.inbox.send(user.id, removed)


async def _is_in(core: Core, room_id: str, user: User) -> bool:
    try:
        return bool(await core.presence.online((user.id,), room=room_id))
    except Unavailable:
        return False


async def add_member(core: Core, room_id: str, user: User, role: str = "member") -> None:
    """Make a user a member for the app, or give a member another role. Raises `Forbidden` for a user who is banned."""
    while True:
        try:
            return await _add(core, room_id, user, role)
        except Conflict:
            continue


async def _add(core: Core, room_id: str, user: User, role: str) -> None:
    """Raises `Conflict` if somebody changed the membership since it was read."""
    room, standing = await core.access.find(user, room_id)
    refuse_banned(standing, now())
    fact = await core.store.fact(room_id, members.MEMBER, user.id)
    known = None if fact is None else members.as_member(fact)
    member = Member(
        user.id,
        user.name,
        role,
        known.joined_at if known else now(),
        creator=known is not None and known.creator and known.role == role,
        invited_seq=None if known is None else known.invited_seq,
    )
    if known is None and (room.announce or room.visibility == PRIVATE):
        await _joined(core, room_id, user, member)
    elif fact is not None and known is not None and known.role != role:
        # Always an event: what was judged by the old role is not stored after it, on any worker.
        changed = RoleChanged(Sender(user.id, user.name), role)
        item = draft(
            room_id,
            "member.role",
            encode(changed),
            None,
            facts=(replace(members.member_fact(member), was=fact.value),),
            restricts=True,
        )
        await core.journal.append(item)
    elif known != member:
        if not await members.put(core.store, room_id, member, was=b"" if fact is None else fact.value):
            raise Conflict
        if standing.invited:
            await core.store.set_fact(room_id, invite_ended(user.id))
        await core.inbox.send(user.id, StandingChanged(room_id))


async def _end_membership(
    core: Core,
    room: Room,
    user: User,
    member: bool,
    reason: str,
    *,
    removed: bool = False,
    command: Ctx | None = None,
) -> bool:
    """Whether an event has told of it, which takes the user's connections out of the room (`Evictions.after`).

    Always, if others have `removed` the user: nothing that was judged by the membership is stored after it, on any worker.
    Who leaves a room that does not announce it gives up rights, and no event tells of that.
    """
    kicked = reason == "kicked"
    if kicked or (member and (removed or room.announce or room.visibility == PRIVATE)):
        who = Sender(user.id, user.name)
        payload = encode(Moderated(who, None) if kicked else MemberChanged(who))
        type, sender = ("member.kicked", None) if kicked else ("member.left", who)
        facts = (members.left(user.id), invite_ended(user.id))
        await _member_event(core, room.id, type, payload, sender, facts, command=command)
        return True
    if member:
        await members.remove(core.store, room.id, user.id)
    return False


async def _joined(
    core: Core,
    room: str,
    user: User,
    member: Member,
    *,
    judged: Room | None = None,
    restricts: bool = False,
) -> None:
    """`judged`: the room by which the join was judged. Raises `Stale` if somebody lost rights in it since, `Conflict` if the user is a member."""
    who = Sender(user.id, user.name)
    facts = (replace(members.member_fact(member), was=b""), invite_ended(user.id))
    event = encode(Joined(who, member.role))
    await _member_event(core, room, "member.joined", event, who, facts, judged, restricts=restricts)


async def _member_event(
    core: Core,
    room: str,
    type: str,
    payload: bytes,
    sender: Sender | None,
    facts: tuple[Fact, ...],
    judged: Room | None = None,
    command: Ctx | None = None,
    restricts: bool = False,
) -> None:
    """When it returns, this worker has passed the event on. `command`: whose repetition is known by it."""
    item = draft(room, type, payload, sender, facts=facts, restricts=restricts or facts[0].value is None)
    if command is not None and command.key is not None:
        item = replace(item, key=command.key, hash=command.hash)
    if judged is not None:
        item = replace(item, judged=judged.seq, judged_in=judged.epoch)
    stored = await core.journal.append(item)
    await core.hub.reach(room, stored.seq)
