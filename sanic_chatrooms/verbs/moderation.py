"""Moderation: kicks, bans, mutes, and their list.

A kick or a ban is the last event of the room that its user gets. A command that was judged before it is judged again.
"""

from typing import Any

import msgspec

from ..access.decide import may_reach
from ..access.needs import MODERATION
from ..access.standing import BAN, INVITE, MUTE, Restriction, Standing
from ..auth.claims import LATEST
from ..errors import InvalidField, RateLimited, TooLarge
from ..models import Fact, Known, Sender
from ..stores import members
from ..support.user_ids import check_user_id
from ..wire.encode import encode, encode_object
from ..wire.events import Moderated
from .context import Change, Ctx
from .pages import page_limit
from .table import Judged, Settled, command

__all__ = ["Ban", "Kick", "Unban", "check_kept", "check_words", "target_of"]

REASON_LIMIT = 500
"""Characters."""
KEPT = 100_000
"""Bans that a room keeps, and as many mutes and invitations. Where there are as many, it takes no new ones."""
INVITATIONS = 1_000
"""Invitations of a banned user that end with the ban."""


class Kick(msgspec.Struct):
    """The payload of `member.kick`: the user's id."""

    user: str
    reason: str = ""


class Ban(msgspec.Struct):
    """The payload of `member.ban` and `member.mute`. `until`: Unix seconds; without it, it is permanent."""

    user: str
    until: float | None = None
    reason: str = ""


class Unban(msgspec.Struct):
    """The payload of `member.unban` and `member.unmute`: the user's id."""

    user: str


class Asked(msgspec.Struct):
    """The payload of `restrictions`. `kind`: `ban` or `mute`."""

    kind: str
    cursor: str | None = None
    limit: int | None = None


class RestrictionLine(msgspec.Struct, omit_defaults=True):
    """One ban or mute. `at`: when it was set; `until`: when it ends (Unix seconds)."""

    user: Sender
    by: Sender | None
    at: float
    until: float | None = None
    reason: str = ""


class RestrictionList(msgspec.Struct, omit_defaults=True):
    """The answer to `restrictions`."""

    restrictions: list[RestrictionLine]
    cursor: str | None = None


_line = msgspec.json.Decoder(RestrictionLine)


async def target_of(ctx: Ctx, user: str) -> tuple[Sender, Standing]:
    """The user whom a command is about, and their standing."""
    id = check_user_id(user, "user")
    standing = await ctx.core.access.standing(ctx.seat.room, ctx.seat.room.id, id)
    return _named(ctx, id, standing), standing


def _named(ctx: Ctx, id: str, standing: Standing) -> Sender:
    """A user by id, with the best name that this worker knows."""
    here = ctx.core.sessions.of(id)
    return Sender(id, standing.name or (here[0].user.name if here else id))


async def check_words(ctx: Ctx, reason: str) -> None:
    """Check a reason that others read. Raises `TooLarge`, and the refusal of somebody who may not say anything."""
    encode_object({"reason": reason}, "reason")  # the app may give what is no text
    if len(reason) > REASON_LIMIT:
        raise TooLarge("reason has too many characters", limit=REASON_LIMIT, size=len(reason))
    await ctx.may_give(reason)


async def check_kept(ctx: Ctx, kind: str, limit: str) -> None:
    """Check that the room takes another fact of this kind. `limit`: its name in the error. Raises `RateLimited`."""
    if (await ctx.core.store.facts(ctx.seat.room.id, kind, limit=1)).total >= KEPT:
        raise RateLimited(f"there are too many {limit} in this room", retry_after=3_600, limit=limit)


def _check_until(ctx: Ctx, until: float | None) -> None:
    if until is None:
        return
    if not until < LATEST:  # not a number, too
        raise InvalidField("must be a time in Unix seconds", field="until")
    if until <= ctx.now:
        raise InvalidField("has passed already", field="until")


async def _reach(ctx: Ctx, target: Standing) -> None:
    rank = None if ctx.actor is None else may_reach(ctx.seat.standing, target)
    await ctx.require(ctx.row.action, rank=rank)


_MODERATES: dict[str, Any] = {
    "ack": Settled,
    "judged": Judged.ITSELF,
    "needs": MODERATION,
    "archive_stops": False,
    "feature": "moderation",
    "as_user": True,
}


@command("member.kick", Kick, event="member.kicked", words=("reason",), **_MODERATES)
async def kick(ctx: Ctx, ask: Kick) -> Settled:
    """Take a member, or somebody who is invited, out of the room. Raises `Forbidden`, `InvalidField`."""
    await ctx.see()

    async def make() -> Change:
        user, standing = await target_of(ctx, ask.user)
        await check_words(ctx, ask.reason)
        await _reach(ctx, standing)
        if not (standing.member or standing.invited):
            raise InvalidField("is neither a member nor invited", field="user")
        facts = (members.left(user.id), Fact(INVITE, user.id, None))
        payload = Moderated(user, ctx.sender, reason=ask.reason)
        return Change(encode(payload), {"facts": facts, "restricts": True})

    return await ctx.settle(make)


@command("member.ban", Ban, event="member.banned", words=("reason",), **_MODERATES)
async def ban(ctx: Ctx, ask: Ban) -> Settled:
    """Ban a user from the room, for a time or for good: membership and invitation end.

    Raises `Forbidden`, `InvalidField`, `RateLimited`.
    """
    await ctx.see()

    async def make() -> Change | int:
        user, standing = await target_of(ctx, ask.user)
        await check_words(ctx, ask.reason)
        await _reach(ctx, standing)
        if not standing.member and (seq := _holds(ctx, standing.banned, ask)) is not None:
            return seq
        _check_until(ctx, ask.until)
        if standing.banned is None:
            await check_kept(ctx, BAN, "restrictions")
        ended = (members.left(user.id), Fact(INVITE, user.id, None), *await _invitations_of(ctx, user.id))
        payload = Moderated(user, ctx.sender, ask.until, ask.reason)
        return Change(
            encode(payload), {"facts": (_restriction(BAN, ctx, user, ask), *ended), "restricts": True}
        )

    return await ctx.settle(make)


@command("member.mute", Ban, event="member.muted", words=("reason",), **_MODERATES)
async def mute(ctx: Ctx, ask: Ban) -> Settled:
    """Let a user read and say nothing, for a time or for good. Raises `Forbidden`, `InvalidField`, `RateLimited`."""
    await ctx.see()

    async def make() -> Change | int:
        user, standing = await target_of(ctx, ask.user)
        await check_words(ctx, ask.reason)
        await _reach(ctx, standing)
        if (seq := _holds(ctx, standing.muted, ask)) is not None:
            return seq
        _check_until(ctx, ask.until)
        if standing.muted is None:
            await check_kept(ctx, MUTE, "restrictions")
        payload = Moderated(user, ctx.sender, ask.until, ask.reason)
        return Change(encode(payload), {"facts": (_restriction(MUTE, ctx, user, ask),), "restricts": True})

    return await ctx.settle(make)


@command("member.unban", Unban, event="member.unbanned", **_MODERATES)
async def unban(ctx: Ctx, ask: Unban) -> Settled:
    """End a ban. It restores neither membership nor invitation. Raises `Forbidden`."""
    return await _end(ctx, ask.user, BAN)


@command("member.unmute", Unban, event="member.unmuted", **_MODERATES)
async def unmute(ctx: Ctx, ask: Unban) -> Settled:
    """End a mute. Raises `Forbidden`."""
    return await _end(ctx, ask.user, MUTE)


async def _end(ctx: Ctx, id: str, kind: str) -> Settled:
    await ctx.see()

    async def make() -> Change | int:
        user, standing = await target_of(ctx, id)
        await _reach(ctx, standing)
        there = standing.banned if kind == BAN else standing.muted
        if there is None or not there.holds(ctx.now):
            return 0
        ended = (Fact(kind, user.id, None),)
        return Change(encode(Moderated(user, ctx.sender)), {"facts": ended, "only_if_changed": True})

    return await ctx.settle(make)


def _holds(ctx: Ctx, there: Restriction | None, ask: Ban) -> int | None:
    """The number of the event by which just this holds already; None: it does not."""
    same = there is not None and there.holds(ctx.now) and there.until == ask.until
    return there.seq if same and there is not None else None


def _restriction(kind: str, ctx: Ctx, user: Sender, ask: Ban) -> Fact:
    line = RestrictionLine(user, ctx.sender, ctx.now, ask.until, ask.reason)
    return Fact(kind, user.id, encode(line), until=ask.until)


async def _invitations_of(ctx: Ctx, user: str) -> list[Fact]:
    """What ends the invitations that this user has sent."""
    found, cursor = list[Known](), None
    for _ in range(INVITATIONS // 200):
        page = await ctx.core.store.facts(ctx.seat.room.id, INVITE, cursor=cursor, limit=200)
        found += page.facts
        cursor = page.cursor
        if cursor is None:
            break
    return [Fact(INVITE, known.key, None) for known in found if _inviter(known) == user]


class _By(msgspec.Struct):
    by: Sender | None = None


_by = msgspec.json.Decoder(_By)


def _inviter(known: Known) -> str | None:
    by = _by.decode(known.value).by
    return None if by is None else by.id


@command(
    "restrictions",
    Asked,
    ack=RestrictionList,
    needs=MODERATION,
    looks=True,
    feature="moderation",
    as_user=True,
)
async def restrictions(ctx: Ctx, ask: Asked) -> RestrictionList:
    """A page of the bans or mutes that hold. Raises `Forbidden`, `InvalidCursor`, `InvalidField`."""
    if ask.kind not in (BAN, MUTE):
        raise InvalidField("must be ban or mute", field="kind")
    limit = page_limit(ctx.settings, ask.limit)
    page = await ctx.core.store.facts(ctx.seat.room.id, ask.kind, cursor=ask.cursor, limit=limit)
    lines = [_shown(known) for known in page.facts]
    return RestrictionList(
        [line for line in lines if line.until is None or ctx.now < line.until], page.cursor
    )


def _shown(known: Known) -> RestrictionLine:
    return _line.decode(known.value)
