"""`history`: pages of a room's timeline."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypedDict

import msgspec

from ..access.needs import LOOKING
from ..access.visibility import LAST
from ..errors import InvalidCursor, InvalidField
from ..models import Page
from . import pages
from .context import Ctx
from .pages import PAGE_BYTES, Messages, page_limit
from .table import command

__all__ = ["TYPE", "History", "place_of"]


TYPE = "history"


class History(msgspec.Struct):
    """The payload of `history`. Without `before`, `after` and `around` it is the newest page."""

    before: int | None = None
    """Only what is below this number."""
    after: int | None = None
    """Only what is above it."""
    limit: int | None = None
    replies: bool = True
    """False leaves replies to messages out."""
    around: int | None = None
    """Half of the page is below this number, half from there on."""
    log: bool = False
    """True reads the log instead of the timeline. `replies` means nothing then."""


class Place(TypedDict, total=False):
    """Where a page lies; `before` or `after`, both exclusive."""

    before: int
    after: int


def place_of(before: int | None, after: int | None) -> Place:
    """Where a page lies that is asked for so; without both, at the end. Raises `InvalidField`, `InvalidCursor`."""
    if before is not None and after is not None:
        raise InvalidField("give before or after, not both", field="before")
    if after is not None:
        return {"after": _number(after)}
    return {"before": LAST if before is None else _number(before)}


def _number(seq: int) -> int:
    if not 0 <= seq <= LAST:
        raise InvalidCursor
    return seq


@command(TYPE, History, ack=Messages, needs=LOOKING, looks=True, as_user=True, feature="history")
async def history(ctx: Ctx, ask: History) -> Messages:
    """A page of the timeline, or of the log. Raises `InvalidCursor`, `InvalidField`, `RoomNotFound`."""
    if ask.around is not None and (ask.before is not None or ask.after is not None):
        raise InvalidField("give around, before or after, not two of them", field="around")
    limit = page_limit(ctx.settings, ask.limit)
    read = partial(
        ctx.core.past.read,
        ctx.seat.room.id,
        timeline=not ask.log,
        replies=ask.replies,
        reader=ctx.reader,
        seen=ctx.seen,
    )
    if ask.around is not None:
        return await _around(ctx, read, _number(ask.around), limit)
    page = await read(limit=limit, **place_of(ask.before, ask.after))
    await ctx.check_read(page.seq)
    return pages.cut(page, newest=ask.after is None)


async def _around(ctx: Ctx, read: Callable[..., Awaitable[Page]], seq: int, limit: int) -> Messages:
    """Two pages as one, each of at most half of the bytes. `more`: on one of the two sides."""
    half, most = limit // 2, PAGE_BYTES // 2
    below = await read(before=seq, limit=max(half, 1), most=most)
    above = await read(after=max(seq - 1, 0), limit=limit - half, most=most)
    await ctx.check_read(above.seq)
    if below.epoch != above.epoch:
        return pages.cut(above, newest=False)
    if not half:
        below = msgspec.structs.replace(below, events=[], more=bool(below.events))
    older = pages.cut(below, newest=True, most=most)
    newer = pages.cut(above, newest=False, most=most)
    # What the older one shows may be of a moment before: of its number on, changes may come once more.
    return Messages(
        older.messages + newer.messages, older.more or newer.more, older.epoch, min(older.seq, newer.seq)
    )
