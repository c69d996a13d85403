"""Blocks: a user wants to hear nothing from another. Nobody else learns of it.

In their direct room the blocked user is muted. Elsewhere, a block stops invitations and additions by the blocked user, and mentions.
A user's blocks are facts in the room that all workers hold, of a kind of their own, so that they can be counted and listed.
"""

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

import msgspec

from ..access.needs import ANYONE
from ..access.standing import BLOCKED
from ..errors import InvalidField, RateLimited, RoomNotFound, Unavailable
from ..models import EVERYONE, Fact, Known, Sender, direct_room
from ..sessions.inbox import StandingChanged
from ..support.clock import now
from ..support.paging import PAGE_LIMIT
from ..support.user_ids import check_user_id
from ..wire.encode import encode
from .context import Ctx
from .core import Core
from .pages import Listed, page_limit
from .table import Done, Judged, Needs, command

__all__ = ["Block", "all_blocked", "blocking", "blocks", "is_block"]

KIND = "block."
"""How the kinds of the facts begin; a hash of the id of the user who blocks follows."""
KEPT = 1_000
"""Users whom one user can block."""
GUESTS_KEEP = 30 * 86_400.0
"""Seconds after which a block by a guest ends."""


class Block(msgspec.Struct):
    """The payload of `user.block` and `user.unblock`: the user's id."""

    user: str


class BlockedList(msgspec.Struct, omit_defaults=True):
    """The answer to `user.blocked`."""

    users: list[Sender]
    cursor: str | None = None


_sender = msgspec.json.Decoder(Sender)


@command(
    "user.block", Block, room=Needs.NOTHING, judged=Judged.NO_ROOM, needs=ANYONE, roams=True, as_user=True
)
async def block(ctx: Ctx, ask: Block) -> Done:
    """Block a user, who may be unknown. Raises `InvalidField`, `RateLimited`."""
    core, mine, user = ctx.core, ctx.user.id, check_user_id(ask.user, "user")
    if user == mine:
        raise InvalidField("is yourself", field="user")
    if not await blocks(core, mine, user):
        await _check_kept(core, mine)
        here = core.sessions.of(user)
        named = Sender(user, here[0].user.name if here else user)
        # Guests come and go, and their blocks with them.
        until = now() + GUESTS_KEEP if ctx.user.guest else None
        await _set(core, Fact(_kind(mine), _key(mine, user), encode(named), until=until))
    # Repeated too: an earlier attempt may have ended before it.
    await _mute(core, mine, user, on=True)
    return Done()


@command(
    "user.unblock", Block, room=Needs.NOTHING, judged=Judged.NO_ROOM, needs=ANYONE, roams=True, as_user=True
)
async def unblock(ctx: Ctx, ask: Block) -> Done:
    """End a block, if there is one. Raises `InvalidField`."""
    core, mine, user = ctx.core, ctx.user.id, check_user_id(ask.user, "user")
    await _set(core, Fact(_kind(mine), _key(mine, user), None))
    await _mute(core, mine, user, on=False)
    return Done()


@command(
    "user.blocked",
    Listed,
    ack=BlockedList,
    room=Needs.NOTHING,
    judged=Judged.NO_ROOM,
    needs=ANYONE,
    looks=True,
    roams=True,
    as_user=True,
)
async def blocked(ctx: Ctx, ask: Listed) -> BlockedList:
    """A page of the users whom the actor has blocked, in the order of their ids. Raises `InvalidCursor`."""
    limit, kind = page_limit(ctx.settings, ask.limit), _kind(ctx.user.id)
    try:
        page = await ctx.core.store.facts(EVERYONE, kind, cursor=ask.cursor, limit=limit)
    except RoomNotFound:
        raise Unavailable from None
    return BlockedList([_sender.decode(known.value) for known in page.facts], page.cursor)


async def all_blocked(core: Core, user: str) -> AsyncIterator[Sender]:
    """Everybody whom this user has blocked."""
    cursor = None
    while True:
        try:
            page = await core.store.facts(EVERYONE, _kind(user), cursor=cursor, limit=PAGE_LIMIT)
        except RoomNotFound:
            raise Unavailable from None
        for known in page.facts:
            yield _sender.decode(known.value)
        if (cursor := page.cursor) is None:
            return


async def blocks(core: Core, user: str, other: str) -> bool:
    """Whether `user` has blocked `other`."""
    return await core.store.fact(EVERYONE, _kind(user), _key(user, other)) is not None


async def blocking(core: Core, users: Sequence[str], other: str) -> list[str]:
    """Those of these users who have blocked `other`."""
    keys = {_key(user, other): user for user in users}
    about = await core.store.about_each(EVERYONE, keys)
    return [keys[key] for key, facts in about.items() if facts]


async def _check_kept(core: Core, user: str) -> None:
    try:
        total = (await core.store.facts(EVERYONE, _kind(user), limit=1)).total
    except RoomNotFound:
        raise Unavailable from None  # the store has just lost everything; the room is made again in a moment
    if total >= KEPT:
        raise RateLimited("you have blocked too many users", retry_after=3_600, limit="blocks")


async def _set(core: Core, fact: Fact) -> None:
    try:
        await core.store.set_fact(EVERYONE, fact)
    except RoomNotFound:
        raise Unavailable from None


async def _mute(core: Core, user: str, other: str, *, on: bool) -> None:
    """In their direct room, if there is one."""
    room = direct_room(user, other)
    try:
        changed = await core.store.set_fact(room, Fact(BLOCKED, other, b"true" if on else None))
    except RoomNotFound:
        return
    if changed:
        await core.inbox.send(other, StandingChanged(room))


def is_block(known: Known, user: str) -> bool:
    """Is this fact in the room of all a block by this user, or of this user?"""
    if not known.kind.startswith(KIND):
        return False
    return known.kind == _kind(user) or _sender.decode(known.value).id == user


def _kind(user: str) -> str:
    return KIND + _digest(user)


def _key(user: str, other: str) -> str:
    # With the one who blocks: a fact's key is looked up for all kinds together, and many may block the same user.
    return f"{_digest(user)}.{other}"


def _digest(user: str) -> str:
    return sha256(user.encode()).hexdigest()[:24]
