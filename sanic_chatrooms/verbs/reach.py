"""Whom a user may reach: by a direct message, and by adding them to a room (setting `DIRECT`)."""

from ..config.settings import EVERYONE_REACHED, MEMBERS_REACHED
from ..errors import Forbidden
from ..stores.members import MEMBER
from .context import Ctx
from .core import Core

__all__ = ["check_reach"]

PAGES, PAGE = 10, 200
"""Rooms of each user that are looked at for one that they share."""


async def check_reach(ctx: Ctx, other: str) -> None:
    """Check that the actor may reach this user, who may be unknown. Raises `Forbidden`, always the same."""
    how = ctx.settings.direct
    if ctx.actor is None or how == EVERYONE_REACHED:
        return
    if how != MEMBERS_REACHED or not await _share_a_room(ctx.core, ctx.actor.user.id, other):
        raise Forbidden("you cannot reach this user here")


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
