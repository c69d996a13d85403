"""`ping`: answered by `pong` with the same payload."""

from .context import Ctx
from .table import Judged, Needs, Nothing, command


@command("ping", room=Needs.NOTHING, judged=Judged.FREE, looks=True, free=True)
async def ping(ctx: Ctx, _: Nothing) -> None:
    """Do nothing: the answer is all."""
