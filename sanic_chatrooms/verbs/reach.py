"""Whom a user may reach: by a direct message, and by adding them to a room (setting `DIRECT`)."""

from ..config.settings import EVERYONE_REACHED, MEMBERS_REACHED
from ..errors import Forbidden
from ..stores.members import MEMBER
from .blocks import blocks
from .context import Ctx
from .core import Core

__all__ = ["check_not_blocked", "check_reach"]

UNREACHED = "you cannot reach this user here"

PAGES, PAGE = 10, 200
"""Rooms of each user that are looked at for one that they share."""


async def check_reach(ctx: Ctx, other: str) -> None:
    """Check that the actor may reach this user, who may be unknown. Raises `Forbidden`, always the same."""
    how = ctx.settings.direct
    if ctx.actor is None:
        return
    mine = ctx.actor.user.id
    if how != EVERYONE_REACHED and (how != MEMBERS_REACHED or not await _share_a_room(ctx.core, mine, other)):
        raise Forbidden(UNREACHED)
    await check_not_blocked(ctx, other)


async def check_not_blocked(ctx: Ctx, other: str) -> None:
    """Check that this user has not blocked the actor. Raises `Forbidden`, as for users who cannot be reached."""
    if ctx.actor is not None and await blocks(ctx.core, other, ctx.actor.user.id):
        raise Forbidden(UNREACHED)


async def _share_a_room(core: Core, one: str, other: str) -> bool:
    mine = await _rooms_of(core, one)
    return bool(mine) and not mine.isdisjoint(await _rooms_of(core, other))


async def _rooms_of(core: Core, user: str) -> set[str]:
    rooms, cursor = set[str](), None
    for _ in range(PAGES):
        page = await core.store.facts_of(MEMBER, user, cursor=cursor, limit=PAGE)
        rooms.update(known.room for known in page.facts)
        cursor = page.cursor
        if cursor is None:
            break
    return rooms
