"""Membership of rooms, which is stored. See `entering` for connections."""

from msgspec.structs import replace

from ..access.actions import Right
from ..access.limits.kinds import Kind
from ..access.needs import LEAVING, MANAGING
from ..access.standing import Standing
from ..errors import RoomNotFound, Unavailable
from ..models import PRIVATE, PUBLIC, Fact, Member, Room, Sender, User
from ..sessions.inbox import Remove, StandingChanged
from ..stores import members
from ..support.clock import now
from ..wire.encode import encode
from ..wire.events import MemberChanged, RoleChanged
from .context import Ctx
from .core import Core
from .drafts import draft
from .table import Done, Nothing, also_action, also_event, command

__all__ = ["add_member", "become", "remove_member"]

also_event("member.joined")
also_event("member.kicked")
also_event("member.role")
also_action("member.role", MANAGING)


async def become(core: Core, user: User, room: Room, standing: Standing) -> Standing:
    """Make a signed-in user a member of the public room that they joined; -> their standing.

    Raises `RoomNotFound` if the room has become private meanwhile: then the membership is taken back.
    """
    if standing.member or user.guest or room.visibility != PUBLIC:
        return standing
    member = Member(user.id, user.name, "member", now())
    if room.announce:
        await _member_event(core, room.id, "member.joined", user, members.member_fact(member))
    else:
        await members.put(core.store, room.id, member)
    now_there, standing = await core.access.find(user, room.id)
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
        told = await _end_membership(core, room, ctx.user, ctx.seat.standing.member, "left")
    finally:
        core.evictions.leaving.discard(leaving)
    core.hub.exit(session, room.id)
    session.evicted(room.id)
    if not told:
        await core.inbox.send(ctx.user.id, Remove(room.id, "left", session.id))
    await core.occupancy.settle()
    return Done()


async def remove_member(core: Core, room_id: str, user: User, *, reason: str = "left") -> bool:
    """End a membership for the app, and take all connections of the user out of the room. True if there was either."""
    room, _ = await core.access.find(None, room_id)
    member = await members.find(core.store, room_id, user.id)
    there = member is not None or await _is_in(core, room_id, user)
    if not await _end_membership(core, room, user, member is not None, reason, removed=True):
        await core.inbox.send(user.id, Remove(room_id, reason))
    await core.occupancy.settle()
    return there


async def _is_in(core: Core, room_id: str, user: User) -> bool:
    try:
        return bool(await core.presence.online((user.id,), room=room_id))
    except Unavailable:
        return False


async def add_member(core: Core, room_id: str, user: User, role: str = "member") -> None:
    """Make a user a member for the app, or give a member another role."""
    room, _ = await core.access.find(None, room_id)
    known = await members.find(core.store, room_id, user.id)
    member = Member(user.id, user.name, role, known.joined_at if known else now())
    if known is not None:
        member = replace(member, invited_seq=known.invited_seq)
    if known is None and (room.announce or room.visibility == PRIVATE):
        await _member_event(core, room_id, "member.joined", user, members.member_fact(member))
    elif known is not None and known.role != role:
        # Always an event: what was judged by the old role is not stored after it, on any worker.
        changed = RoleChanged(Sender(user.id, user.name), role)
        item = draft(
            room_id,
            "member.role",
            encode(changed),
            None,
            facts=(members.member_fact(member),),
            restricts=True,
        )
        await core.journal.append(item)
    elif known != member:
        await members.put(core.store, room_id, member)
        await core.inbox.send(user.id, StandingChanged(room_id))


async def _end_membership(
    core: Core, room: Room, user: User, member: bool, reason: str, *, removed: bool = False
) -> bool:
    """Whether an event has told of it, which takes the user's connections out of the room (`Evictions.after`).

    Always, if others have `removed` the user: nothing that was judged by the membership is stored after it, on any worker.
    Who leaves a room that does not announce it gives up rights, and no event tells of that.
    """
    kicked = reason == "kicked"
    if kicked or (member and (removed or room.announce or room.visibility == PRIVATE)):
        type = "member.kicked" if kicked else "member.left"
        await _member_event(core, room.id, type, user, members.left(user.id))
        return True
    if member:
        await members.remove(core.store, room.id, user.id)
    return False


async def _member_event(core: Core, room: str, type: str, user: User, fact: Fact) -> None:
    """When it returns, this worker has passed the event on."""
    who = Sender(user.id, user.name)
    payload = encode(MemberChanged(who))
    item = draft(room, type, payload, who, facts=(fact,), restricts=fact.value is None)
    stored = await core.journal.append(item)
    await core.hub.reach(room, stored.seq)
