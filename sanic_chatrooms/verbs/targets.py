"""The messages that commands are about: those that the actor may read. All others are `MessageNotFound`."""

from ..access.visibility import seen_by
from ..errors import MessageNotFound
from ..models import Event
from .context import Ctx

__all__ = ["message_of", "target_of"]


async def target_of(ctx: Ctx, msg_id: str) -> str:
    """The id for a relation to this message. If the actor may not read it: "", for which the store finds none either."""
    seen, room = ctx.seen, ctx.seat.room
    if seen.covers(1, max(room.seq, 1)):
        return msg_id
    found = await ctx.core.store.message(room.id, msg_id)
    if found is not None and (found.seq or 0) > room.seq and ctx.actor is not None:
        # It came since the connection's seat was looked up: what others than members see ends there.
        seen = seen_by(*await ctx.core.access.find(ctx.actor.user, room.id))
    return msg_id if found is None or found.seq in seen else ""


async def message_of(ctx: Ctx, msg_id: str, *, deleted: bool = False) -> Event:
    """The message with this id. `deleted`: also if it was deleted. Raises `MessageNotFound`."""
    found = await ctx.core.store.message(ctx.seat.room.id, msg_id)
    if (
        found is None
        or found.seq not in ctx.seen
        or found.type != "message"
        or (found.deleted and not deleted)
    ):
        raise MessageNotFound
    return found
