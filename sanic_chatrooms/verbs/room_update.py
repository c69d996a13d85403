"""`room.update`: changes what a room is. Its event has everything as it is then; all workers judge by it from then on."""

import msgspec

from ..access.actions import Action
from ..access.needs import GOVERNING, MANAGING
from ..stores.properties import ROOM, room_fact
from ..wire.encode import encode
from .acting import Acting
from .context import Change, Ctx
from .properties import WORDS, Changes, applied, check_levels, updated
from .retention import retention_fact
from .table import Judged, Settled, also_action, command

__all__ = ["GOVERN"]

GOVERN = also_action("room.govern", GOVERNING, archive_stops=False)


@command(
    "room.update",
    Changes,
    ack=Settled,
    event="room.updated",
    judged=Judged.ITSELF,
    needs=MANAGING,
    words=WORDS,
    as_user=True,
)
async def update_room(ctx: Ctx, ask: Changes) -> Settled:
    """Change properties of the room. Raises `Forbidden`, `InvalidField`, `TooLarge`, `Muted`, `RoomNotFound`."""
    await ctx.see()

    async def make() -> Change | int:
        await _judge(ctx, ask)
        was = ctx.seat.room
        if isinstance(ctx.actor, Acting) and ctx.actor.check is not None:
            ctx.actor.check(was)
        now = applied(was, ask, trusted=ctx.actor is None)
        if now == was:
            known = await ctx.core.store.fact(was.id, ROOM, "")
            return known.seq if known is not None else 0
        # It restricts, so that another change in between is seen: then the room is read again.
        facts = (room_fact(now, was), retention_fact(now))
        return Change(encode(updated(now, ctx.sender, was)), {"facts": facts, "restricts": True})

    return await ctx.settle(make)


async def _judge(ctx: Ctx, ask: Changes) -> None:
    if ctx.actor is None:
        return
    await ctx.may_give(ask.words)
    opens = ctx.seat.room.archived and ask.given() == {"archived": False}
    await ctx.require(_in_any_case(ctx.row.action) if opens else ctx.row.action)
    if ask.governs:
        await ctx.require(GOVERN)
    check_levels(ask, ctx.seat.standing, ctx.core.access.levels)


def _in_any_case(its: Action | None) -> Action | None:
    """The same action in an archived room, which it opens."""
    return None if its is None else msgspec.structs.replace(its, archive_stops=False)
