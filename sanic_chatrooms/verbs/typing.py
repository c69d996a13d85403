"""`typing`: shows for a few seconds that a user is writing."""

import msgspec

from ..access.limits.kinds import Kind
from ..access.needs import SPEAKING
from ..models import Sender
from .context import Ctx
from .table import Done, Judged, command


class Typing(msgspec.Struct):
    """The payload of `typing`."""

    active: bool = True


@command(
    "typing", Typing, judged=Judged.SEAT, needs=SPEAKING, mute_stops=True, feature="typing", rate=Kind.LIVE
)
async def typing(ctx: Ctx, ask: Typing) -> Done:
    """Say that the user types, or has stopped: every worker is told."""
    ctx.core.typists.note(ctx.room_id, Sender(ctx.user.id, ctx.user.name), ask.active)
    return Done()
