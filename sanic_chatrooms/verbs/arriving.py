"""A user without a connection joins a room before a message: all of `join` but what is about the connection."""

from ..access.access import ask_policy
from ..access.actions import action
from ..access.limits.kinds import Kind
from ..errors import Forbidden, RoomNotFound
from ..hooks.middleware import Context
from ..models import Room
from ..sessions.seats import Seat
from ..support.clock import now
from ..wire.decode import Command
from ..wire.names import check_room_id
from .acting import Acting
from .context import Ctx
from .core import Core
from .entering import may_make
from .membership import become
from .rooms import forget_if_unused
from .table import Done, commands

__all__ = ["arrive", "become_member", "forget_made"]


async def arrive(ctx: Ctx) -> Seat:
    """Join the room of the command, unless the user is a member: in a public room, a signed-in user becomes one. With
    `AUTO_CREATE` the room is made. -> the seat by which the command is judged. Raises the refusal of `join`."""
    core, user, room_id = ctx.core, ctx.user, ctx.room_id
    check_room_id(room_id)
    try:
        seat = await ctx.find(room_id)
    except RoomNotFound:
        if not may_make(core, user, room_id):
            raise
    else:
        if seat.standing.member:
            return seat
    await ctx.spend(Kind.JOIN)
    command = Command("join", None, room_id)
    join = Ctx(core, commands()["join"], ctx.actor, command, ctx.chat, ctx.app)
    if await core.chain.around("join", become_member)(join) is None:
        raise Forbidden
    return await ctx.find(room_id)


async def become_member(ctx: Context) -> Done:
    """Join the room of the command: what `join` stores. Raises the refusal of `join`."""
    assert isinstance(ctx, Ctx)
    assert isinstance(ctx.actor, Acting)
    core, acting, room_id = ctx.core, ctx.actor, ctx.room_id
    try:
        room, standing = await core.access.look(acting, "join", room_id)
    except RoomNotFound:
        if not may_make(core, acting.user, room_id) or await core.store.room(room_id) is not None:
            raise
        await ask_policy(acting, action("room.create"), room_id)
        acting.made = room_id
        await core.store.create_room(Room(room_id, "", 0, created_at=now(), auto=True))
        room, standing = await core.access.look(acting, "join", room_id)
    await become(ctx, room, standing)
    return Done()


async def forget_made(core: Core, acting: Acting) -> None:
    """The command failed: delete the room that it has made by joining, if nothing is in it. Raises `Unavailable`."""
    if acting.made is not None:
        await forget_if_unused(core, acting.made)
