"""Invitations, and members who are added by others."""

import msgspec
from msgspec.structs import replace

from ..access.actions import Right
from ..access.limits.kinds import Kind
from ..access.needs import INVITED, INVITING, MODERATION
from ..access.roles import level_of
from ..access.standing import INVITE, Standing
from ..errors import Forbidden, RoomNotFound
from ..models import Fact, Member, Sender
from ..sessions.inbox import Enter
from ..stores import members
from ..wire.encode import encode, live_event
from ..wire.events import Invited, Joined, MemberChanged, RoomInvited
from .capacity import check_place
from .context import Change, Ctx
from .core import Core
from .moderation import check_kept, check_words, target_of
from .reach import check_not_blocked, check_reach
from .roles import check_role, may_grant
from .table import Done, Judged, Nothing, Settled, command

__all__ = ["Add", "Invite", "accepted_by_joining", "invite_ended", "inviters", "refuse_banned"]


class Invite(msgspec.Struct):
    """The payload of `member.invite`: the user's id, and the role that they will have."""

    user: str
    role: str = "member"
    reason: str = ""


class Add(msgspec.Struct):
    """The payload of `member.add`: the user's id, and the role."""

    user: str
    role: str = "member"


class Accepted(msgspec.Struct, omit_defaults=False):
    """The ack of `member.accept`."""

    role: str
    seq: int
    duplicate: bool


class Invitation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of the fact "invite" about a user. `at`: Unix seconds."""

    role: str
    by: Sender | None
    at: float
    reason: str = ""


class _Joined(msgspec.Struct):
    role: str


_invitation = msgspec.json.Decoder(Invitation)
_joined = msgspec.json.Decoder(_Joined)


@command(
    "member.invite",
    Invite,
    ack=Settled,
    event="member.invited",
    judged=Judged.ITSELF,
    needs=INVITING,
    speaks=True,
    words=("reason",),
    as_user=True,
)
async def invite(ctx: Ctx, ask: Invite) -> Settled:
    """Invite a user to the room. Raises `Forbidden`, `InvalidField`, `RateLimited`."""
    await ctx.see()
    spent = False

    async def make() -> Change | int:
        nonlocal spent
        user, standing = await target_of(ctx, ask.user)
        await ctx.may_speak()
        await _judge_role(ctx, ask.role)
        await check_words(ctx, ask.reason)
        if standing.member:
            return standing.role_seq
        known = await ctx.core.store.fact(ctx.seat.room.id, INVITE, user.id)
        if known is not None and _stands(ctx, _invitation.decode(known.value), ask.role):
            return known.seq
        refuse_banned(standing, ctx.now)
        await check_not_blocked(ctx, user.id)
        if known is None:
            await check_kept(ctx, INVITE, "invitations")
        if not spent:
            await ctx.spend(Kind.NEW_PEOPLE)
            spent = True
        value = encode(Invitation(ask.role, ctx.sender, ctx.now, ask.reason))
        payload = encode(Invited(user, ask.role, ctx.sender))
        was = b"" if known is None else known.value
        return Change(payload, {"facts": (Fact(INVITE, user.id, value, was=was),)})

    settled = await ctx.settle(make)
    if (
        ctx.stored is not None
    ):  # a new invitation, or this very command again: its first attempt may have ended before
        _tell(ctx, ask.user)
    return settled


def _stands(ctx: Ctx, there: Invitation, role: str) -> bool:
    """Whether the invitation stays as it is: it has this role, or a higher one that the actor neither gave nor may grant."""
    if there.role == role:
        return True
    levels, by = ctx.core.access.levels, None if there.by is None else there.by.id
    higher = level_of(there.role, levels) > level_of(role, levels)
    return higher and by != ctx.reader and may_grant(ctx, there.role) is not None


async def _judge_role(ctx: Ctx, role: str) -> None:
    # Whoever may invite or add grants `member`.
    await ctx.require(ctx.row.action, rank=None if role == "member" else may_grant(ctx, role))
    check_role(ctx, role)


def refuse_banned(standing: Standing, now: float) -> None:
    """Check that somebody may make this user a member. Raises `Forbidden`."""
    if standing.banned is not None and standing.banned.holds(now):
        raise Forbidden("this user is banned from the room; end the ban first")


def _tell(ctx: Ctx, user: str) -> None:
    room = ctx.seat.room
    event = live_event(RoomInvited(room.id, room.title, ctx.sender), room=room.id)
    ctx.core.inbox.push(ctx.core.inbox.notify(user, event, None, room=room.id))


@command(
    "member.accept",
    ack=Accepted,
    event="member.joined",
    judged=Judged.ITSELF,
    needs=INVITED,
    for_invited=True,
    as_user=True,
)
async def accept(ctx: Ctx, _: Nothing) -> Accepted:
    """Become a member by an invitation. Raises `Forbidden` without one, `RoomLimit`, `RoomNotFound`."""
    role = "member"

    async def make() -> Change | int:
        nonlocal role
        await ctx.require(ctx.row.action)
        standing = ctx.seat.standing
        if standing.member:
            role = standing.role
            return standing.role_seq
        role, change = await accepted(ctx)
        return change

    try:
        await ctx.see()
        settled = await ctx.settle(make)
    except (
        Forbidden,
        RoomNotFound,
    ):  # the invitation, or the membership, may have ended since the first time
        ctx.stored = await ctx.repeated(ctx.room_id)
        if ctx.stored is None:
            raise
        settled = Settled(ctx.stored.seq, True)
    if settled.duplicate and ctx.stored is not None:
        role = await _role_given(ctx, ctx.stored.seq)
    return Accepted(role, settled.seq or 0, settled.duplicate)


async def _role_given(ctx: Ctx, seq: int) -> str:
    """The role with which the event with this number made the user a member."""
    event = (await ctx.core.store.events(ctx.room_id, [seq])).get(seq)
    return "member" if event is None else _joined.decode(event.payload).role


def invite_ended(user: str) -> Fact:
    """The fact that this user is not invited, or no longer."""
    return Fact(INVITE, user, None)


async def inviters(core: Core, user: str, rooms: list[str]) -> dict[str, Sender]:
    """Who has invited this user to each of these rooms, where somebody has."""
    about = await core.store.rooms_about(rooms, user)
    known = {
        id: _invitation.decode(facts[INVITE].value) for id, (_, facts) in about.items() if INVITE in facts
    }
    return {id: invitation.by for id, invitation in known.items() if invitation.by is not None}


async def accepted_by_joining(ctx: Ctx) -> Standing:
    """Make the invited user who joins a member; -> their standing then."""

    async def make() -> Change | int:
        await ctx.require(ctx.row.action)
        if ctx.seat.standing.member:
            return ctx.seat.standing.role_seq
        _, change = await accepted(ctx)
        return change

    await ctx.settle(make)
    _, standing = await ctx.core.access.find(ctx.user, ctx.seat.room.id)
    return standing


async def accepted(ctx: Ctx) -> tuple[str, Change]:
    """What makes the invited user a member: -> the role, and the event. Raises `Forbidden` without an invitation."""
    room, user = ctx.seat.room, ctx.user
    known = await ctx.core.store.fact(room.id, INVITE, user.id)
    if known is None:
        raise Forbidden("you are not invited to this room")
    role = await _role_now(ctx, _invitation.decode(known.value))
    member = Member(user.id, user.name, role, ctx.now, invited_seq=known.since)
    return role, await _joins(ctx, member, Joined(Sender(user.id, user.name), role))


async def _joins(ctx: Ctx, member: Member, event: Joined) -> Change:
    """Of several workers that make a user a member at once, one stores the event. Raises `RoomLimit`."""
    nearly_full = await check_place(ctx.core, ctx.seat.room.id)
    facts = (replace(members.member_fact(member), was=b""), invite_ended(member.user))
    # It restricts where others who become members at the same time have to be counted.
    return Change(encode(event), {"facts": facts, "restricts": nearly_full})


async def _role_now(ctx: Ctx, invitation: Invitation) -> str:
    """The role, if the inviter may still grant it; else `member`."""
    if invitation.role == "member" or invitation.by is None:
        return invitation.role
    access, room = ctx.core.access, ctx.seat.room
    inviter = await access.standing(room, room.id, invitation.by.id)
    return invitation.role if level_of(invitation.role, access.levels) < inviter.rank else "member"


@command(
    "member.decline",
    event="member.declined",
    judged=Judged.ITSELF,
    needs=INVITED,
    for_invited=True,
    right=Right.WRITE,
    as_user=True,
)
async def decline(ctx: Ctx, _: Nothing) -> Done:
    """Refuse an invitation. Raises `Forbidden` without one, `RoomNotFound`."""
    await ctx.see()

    async def make() -> Change | int:
        await ctx.require(ctx.row.action)
        if not ctx.seat.standing.invited:
            raise Forbidden("you are not invited to this room")
        user = Sender(ctx.user.id, ctx.user.name)
        return Change(encode(MemberChanged(user)), {"facts": (invite_ended(user.id),), "restricts": True})

    await ctx.settle(make)
    return Done()


@command(
    "member.add",
    Add,
    ack=Settled,
    event="member.joined",
    judged=Judged.ITSELF,
    needs=MODERATION,
    as_user=True,
)
async def add(ctx: Ctx, ask: Add) -> Settled:
    """Make a user a member. Their connections are put into the room. Raises `Forbidden`, `InvalidField`, `RateLimited`,
    `RoomLimit`."""
    await ctx.see()
    spent = False

    async def make() -> Change | int:
        nonlocal spent
        user, standing = await target_of(ctx, ask.user)
        await _judge_role(ctx, ask.role)
        if standing.member:
            return standing.role_seq
        refuse_banned(standing, ctx.now)
        if not spent:
            await ctx.spend(Kind.NEW_PEOPLE)
            spent = True
        await check_reach(ctx, user.id)
        member = Member(user.id, user.name, ask.role, ctx.now)
        return await _joins(ctx, member, Joined(user, ask.role, ctx.sender))

    settled = await ctx.settle(make)
    if ctx.stored is None:  # a member already: who has left the room with a connection stays outside
        return settled
    # Repeated too: an earlier attempt may have ended before it.
    head = (await ctx.core.store.heads((ctx.seat.room.id,))).get(ctx.seat.room.id)
    if head is not None:
        await ctx.core.inbox.send(ask.user, Enter(ctx.seat.room.id, head.epoch, head.seq, by=ctx.sender))
    return settled
