"""`history`: pages of a room's timeline."""

from functools import partial

import msgspec

from ..access.needs import LOOKING
from ..errors import InvalidCursor, InvalidField
from . import pages
from .context import Ctx
from .pages import Messages, page_limit
from .table import command

MAX_SEQ = 2**53 - 1


class History(msgspec.Struct):
    """The payload of `history`. `before` and `after` are exclusive; without both, it is the newest page."""

    before: int | None = None
    after: int | None = None
    limit: int | None = None


@command("history", History, ack=Messages, needs=LOOKING, looks=True, as_user=True, feature="history")
async def history(ctx: Ctx, ask: History) -> Messages:
    """A page of the timeline. Raises `InvalidCursor`, `InvalidField`, `RoomNotFound`."""
    if ask.before is not None and ask.after is not None:
        raise InvalidField("give before or after, not both", field="before")
    for position in (ask.before, ask.after):
        if position is not None and not 0 <= position <= MAX_SEQ:
            raise InvalidCursor
    limit = page_limit(ctx.settings, ask.limit)
    read = partial(
        ctx.core.past.read, ctx.seat.room.id, limit=limit, timeline=True, reader=ctx.reader, seen=ctx.seen
    )
    if ask.after is not None:
        page = await read(after=ask.after)
    else:
        at = MAX_SEQ if ask.before is None else ask.before
        page = await read(before=at)
    await ctx.check_read(page.seq)
    return pages.cut(page, newest=ask.after is None)
