"""`direct`: a message to one user, in the direct room of the two."""

import msgspec
from msgspec.structs import replace

from ..access.limits.kinds import Kind
from ..access.needs import ANYONE
from ..access.standing import BLOCKED, LEVELS, Standing
from ..errors import Forbidden, InvalidField, RoomNotFound, Unavailable
from ..models import DIRECT, Fact, Member, Room, Sender, User, direct_room
from ..sessions.inbox import Enter
from ..sessions.seats import Seat
from ..stores import members
from ..support.clock import now
from ..support.user_ids import check_user_id
from .attachments import files_in
from .blocks import blocks
from .context import Ctx
from .core import Core
from .drafts import parent_in
from .mentions import mentioned, names_in, tell
from .messages import Said
from .reach import check_reach
from .table import Judged, Needs, command
from .threads import reply_to

__all__ = ["SaidDirectly", "open_direct"]


PARTNER = Standing("member", LEVELS["member"], 0)
"""The standing of both users in their direct room."""


class Direct(msgspec.Struct):
    """The payload of `direct`: the id of the other user, and the body of the message."""

    to: str
    body: msgspec.Raw


class SaidDirectly(Said, kw_only=True):
    """The ack of `direct`."""

    room: str


@command(
    "direct",
    Direct,
    ack=SaidDirectly,
    event="message",
    room=Needs.NOTHING,
    judged=Judged.ITSELF,
    needs=ANYONE,
    feature="direct",
    speaks=True,
    body="body",
    roams=True,
    overlaps=True,
    rate=Kind.MESSAGE,
)
async def direct(ctx: Ctx, ask: Direct) -> SaidDirectly:
    """Create the room of the two users if needed, put their connections into it, and store the message. Each step can be
    repeated."""
    core, user = ctx.core, ctx.user
    check_user_id(ask.to, "to")
    if ask.to == user.id:
        raise InvalidField("is yourself", field="to")
    id = direct_room(user.id, ask.to)
    room = await core.store.room(id)
    try:
        await check_reach(ctx, ask.to)
        judged = await _permit(ctx, id, room)
    except Forbidden:
        if (before := await ctx.repeated(id)) is None:
            raise
        return SaidDirectly(before.msg_id, before.seq, before.timestamp, True, room=id)

    async def allowed() -> None:
        if ctx.seat is not judged:  # the rights in the room have changed
            await ctx.may_speak()

    if room is None:
        await ctx.spend(Kind.NEW_PEOPLE)
    try:
        await open_direct(core, user, ask.to, made=room is not None)
        core.typists.stopped(id, Sender(user.id, user.name))
        body = bytes(ask.body)
        about, (text, names) = await reply_to(ctx, parent_in(body)), names_in(body)
        mentions = await mentioned(ctx, ctx.seat.room, ctx.sender, names)
        said = await ctx.append(
            body, room=id, allowed=allowed, about=about, files=files_in(body), mentions=mentions.names
        )
        tell(core, id, mentions, said, ctx.sender, text)
    except RoomNotFound:
        raise Unavailable from None  # it was empty, and has just been forgotten
    assert said is not None  # no transaction contains a direct message
    return SaidDirectly(said.msg_id, said.seq, said.timestamp, said.duplicate, room=id)


async def _permit(ctx: Ctx, id: str, room: Room | None) -> Seat:
    # Both are members from the first moment, even if the other user's membership is not stored yet.
    found = await ctx.core.access.standing(room, id, ctx.user.id)
    mine = found if found.member else replace(PARTNER, banned=found.banned, muted=found.muted)
    ctx.seat = seat = Seat(room or _room(id, ctx.user), mine)
    if room is None:
        await ctx.ask_policy(id)
    else:
        await ctx.require(ctx.row.action)
    await ctx.may_speak()
    return seat


async def open_direct(core: Core, user: User, to: str, *, made: bool) -> None:
    """Put every connection of both users into their room. `made`: the room was there a moment ago."""
    id = direct_room(user.id, to)
    if not made:
        await core.store.create_room(_room(id, user), facts=(members.member_fact(_member(user)),))
    partner = await _ensure_members(core, id, user, to)
    if not made and await blocks(core, user.id, to):
        await core.store.set_fact(id, Fact(BLOCKED, to, b"true"))
    head = (await core.store.heads((id,))).get(id)
    if head is None:
        raise RoomNotFound
    await core.inbox.send(to, Enter(id, head.epoch, head.seq, Sender(user.id, user.name)))
    await core.inbox.send(user.id, Enter(id, head.epoch, head.seq, partner))


def _room(id: str, user: User) -> Room:
    # `auto`: the room is forgotten if the message is not stored after all.
    return Room(id, "", 0, visibility=DIRECT, created_at=now(), created_by=user.id, auto=True)


def _member(user: User) -> Member:
    return Member(user.id, user.name, "member", now())


async def _ensure_members(core: Core, room: str, user: User, to: str) -> Sender:
    mine = await core.store.fact(room, members.MEMBER, user.id)
    if mine is None:
        await members.put(core.store, room, _member(user), was=b"")
    elif (known := members.as_member(mine)).name != user.name:
        await members.put(core.store, room, replace(known, name=user.name), was=mine.value)
    theirs = await members.find(core.store, room, to)
    if theirs is None:
        theirs = Member(to, to, "member", now())
        await members.put(core.store, room, theirs, was=b"")
    return Sender(theirs.user, theirs.name)
