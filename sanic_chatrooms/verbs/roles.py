"""`member.role`: gives a member another role. Oneself may always step down."""

import msgspec
from msgspec.structs import replace

from ..access.actions import Action, Right
from ..access.decide import Denial, may_reach
from ..access.needs import LEAVING, MANAGING
from ..access.roles import level_of
from ..access.standing import Standing
from ..errors import Forbidden, InvalidField
from ..models import Sender
from ..stores import members
from ..wire.encode import encode
from ..wire.events import RoleChanged
from .context import Change, Ctx
from .moderation import target_of
from .table import Judged, Settled, command

__all__ = ["NewRole", "check_role", "may_grant"]

NO_MEMBERS = ("guest", "outsider")
STEP_DOWN = Action(name="member.role", needs=LEAVING, right=Right.MODERATE)
"""Giving oneself a lower role."""


class NewRole(msgspec.Struct):
    """The payload of `member.role`: the user's id, and the role."""

    user: str
    role: str


@command(
    "member.role",
    NewRole,
    ack=Settled,
    event="member.role",
    judged=Judged.ITSELF,
    needs=MANAGING,
    feature="moderation",
    as_user=True,
)
async def give_role(ctx: Ctx, ask: NewRole) -> Settled:
    """Give a member another role. Raises `Forbidden`, `InvalidField`."""
    await ctx.see()

    async def make() -> Change | int:
        user, standing = await target_of(ctx, ask.user)
        await _judge(ctx, ask, user, standing)
        known = await ctx.core.store.fact(ctx.seat.room.id, members.MEMBER, user.id)
        if known is None:
            raise InvalidField("is not a member of the room", field="user")
        member = members.as_member(known)
        if member.role == ask.role and not (member.creator and ctx.actor is not None):
            return standing.role_seq
        # `was`: whoever leaves meanwhile stays away
        fact = replace(members.member_fact(replace(member, role=ask.role, creator=False)), was=known.value)
        payload = encode(RoleChanged(user, ask.role, ctx.sender))
        return Change(payload, {"facts": (fact,), "restricts": True})

    return await ctx.settle(make)


async def _judge(ctx: Ctx, ask: NewRole, user: Sender, standing: Standing) -> None:
    levels = ctx.core.access.levels
    if ctx.actor is None:
        check_role(ctx, ask.role)
        return
    own = user.id == ctx.actor.user.id
    if own and standing.member and level_of(ask.role, levels) < standing.rank and ask.role not in NO_MEMBERS:
        await ctx.require(STEP_DOWN)
    else:
        rank = may_reach(ctx.seat.standing, standing) or may_grant(ctx, ask.role)
        await ctx.require(ctx.row.action, rank=rank)
    check_role(ctx, ask.role)


def check_role(ctx: Ctx, role: str) -> None:
    """Check that members may have this role. Raises `InvalidField`."""
    if role not in ctx.core.access.levels or role in NO_MEMBERS:
        raise InvalidField("is no role that members have; the app declares others", field="role")


def may_grant(ctx: Ctx, role: str) -> Denial | None:
    """A role is granted only below one's own."""
    if ctx.actor is None or level_of(role, ctx.core.access.levels) < ctx.seat.standing.rank:
        return None
    return Denial("rank", Forbidden("you grant only roles below your own"), ctx.seat.standing.role_seq)
