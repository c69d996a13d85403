"""Pages of a room's log: every durable event after a position, for those who may read its history.

No command of connections asks for it, since `join` brings it. It is judged, limited and wrapped like `history`.
"""

import msgspec
from msgspec.structs import replace

from ..errors import PositionLost
from ..support.positions import read_position
from . import history, pages
from .context import Ctx
from .pages import page_limit
from .table import Row, commands

__all__ = ["LOG", "LogAsked", "LogPage"]


class LogAsked(msgspec.Struct):
    """What to read: the events after `since`, an `epoch:seq`. Without it, what comes from now on, so nothing yet."""

    since: str | None = None
    limit: int | None = None


class LogPage(msgspec.Struct):
    """Events in ascending order. `epoch` and `seq` are the position after them, from which the next page goes on."""

    events: list[msgspec.Raw]
    more: bool
    epoch: str
    seq: int


async def log(ctx: Ctx, ask: LogAsked) -> LogPage:
    """The events after a position that the actor may read. Raises `PositionLost` with the room's head, `InvalidField`."""
    limit, room = page_limit(ctx.settings, ask.limit), ctx.seat.room
    if ask.since is None:
        return LogPage([], False, room.epoch, room.seq)
    epoch, seq = read_position(ask.since)
    page = await ctx.core.past.read(room.id, after=seq, limit=limit, reader=ctx.reader, seen=ctx.seen)
    await ctx.check_read(page.seq)
    if page.epoch != epoch or page.floor > seq or page.seq < seq:
        raise PositionLost(room=room.id, epoch=page.epoch, seq=page.seq)
    told = pages.cut(page, newest=False)
    last = page.events[len(told.messages) - 1].seq if told.more and told.messages else page.seq
    return LogPage(told.messages, told.more, epoch, last or seq)


LOG: Row = replace(
    commands()[history.TYPE], payload=LogAsked, decoder=msgspec.json.Decoder(LogAsked), verb=log, ack=LogPage
)
