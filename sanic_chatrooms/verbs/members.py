"""`members` and `presence`: the members of a room, and the users who are there."""

import msgspec

from ..access.needs import LOOKING
from ..errors import Unavailable
from ..models import Member, Sender
from ..stores import members as stored
from .context import Ctx
from .core import Core
from .pages import Listed, page_limit
from .table import command

__all__ = ["BOT", "MAX_BOTS", "MemberLine", "MemberList", "PresentList"]


BOT = "bot"
"""The fact about a user who appears in a room by code of the app."""
MAX_BOTS = 200
"""Users of a room who may have it."""
LOOKED_AT = 20
"""Pages of members that are looked at for a query."""


class MemberLine(msgspec.Struct, rename="camel"):
    """One member in the answer to `members`. `last_seen`: Unix seconds; None: unknown. `bot`: code of the app, if that is so."""

    user: str = msgspec.field(name="id")
    name: str
    role: str
    online: bool
    last_seen: float | None
    bot: bool | msgspec.UnsetType = msgspec.UNSET


class Asked(Listed):
    """The payload of `members`. `query`: a part of the name or id."""

    query: str = ""


class MemberList(msgspec.Struct, omit_defaults=True):
    """The answer to `members`."""

    members: list[MemberLine]
    total: int
    cursor: str | None = None


class PresentList(msgspec.Struct, omit_defaults=True):
    """The answer to `presence`."""

    users: list[Sender]
    total: int
    cursor: str | None = None


@command("members", Asked, ack=MemberList, needs=LOOKING, looks=True)
async def members(ctx: Ctx, ask: Asked) -> MemberList:
    """A page of the members. Raises `RoomNotFound`, `InvalidCursor`."""
    limit = page_limit(ctx.settings, ask.limit)
    page = await _page(ctx, ask, limit)
    ids = [member.user for member in page.members]
    online, seen = await _here(ctx.core, ids)
    bots = {known.key for known in (await ctx.core.store.facts(ctx.seat.room.id, BOT, limit=MAX_BOTS)).facts}
    lines = [
        MemberLine(
            m.user, m.name, m.role, m.user in online, seen.get(m.user), m.user in bots or msgspec.UNSET
        )
        for m in page.members
    ]
    return MemberList(lines, page.total, page.cursor)


async def _page(ctx: Ctx, ask: Asked, limit: int) -> stored.MemberPage:
    """A page of members who match the query. Looks at a bounded number of members, so it may be short."""
    words, store, room = ask.query.casefold(), ctx.core.store, ctx.seat.room.id
    if not words:
        return await stored.page(store, room, cursor=ask.cursor, limit=limit)
    found, cursor, total = list[Member](), ask.cursor, 0
    for _ in range(LOOKED_AT):
        page = await stored.page(store, room, cursor=cursor, limit=limit - len(found))
        found += [m for m in page.members if words in m.name.casefold() or words in m.user.casefold()]
        cursor, total = page.cursor, page.total
        if cursor is None or len(found) >= limit:
            break
    return stored.MemberPage(found, total, cursor)


async def _here(core: Core, ids: list[str]) -> tuple[set[str], dict[str, float]]:
    try:
        return await core.presence.online(ids), await core.presence.seen(ids)
    except Unavailable:
        return set(), {}


@command("presence", Listed, ack=PresentList, needs=LOOKING, looks=True, feature="presence")
async def presence(ctx: Ctx, ask: Listed) -> PresentList:
    """A page of the users who are in the room now. Raises `RoomNotFound`, `InvalidCursor`."""
    limit = page_limit(ctx.settings, ask.limit)
    page = await ctx.core.presence.list(ctx.seat.room.id, cursor=ask.cursor, limit=limit)
    return PresentList(page.users, page.total, page.cursor)
