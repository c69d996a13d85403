"""How many messages may be in the writing at a time."""

from ..errors import RateLimited
from ..stores import streams as kept
from ..stores.base import OpenStream
from .context import Ctx

__all__ = ["PER_ROOM", "PER_USER", "check_count"]

PER_ROOM, PER_USER = 16, 4
"""Messages that may be in the writing at a time. Those of the app do not count."""
AGAIN = 1.0
"""Seconds after which somebody above that may try again."""


async def check_count(ctx: Ctx, room: str, user: str) -> None:
    """Check that a user may open one more message, which `Streams.opening` counts already. Raises `RateLimited`."""
    store = ctx.core.store
    here = [known for known in await kept.streams_in(store, room) if not known.app]
    if len(here) + ctx.core.streams.opening[room] > PER_ROOM:
        raise RateLimited(
            "too many messages are being written in this room", retry_after=AGAIN, limit="streams"
        )
    mine = _count(here, user)
    for known in (await store.facts_of(kept.STREAMS, user)).facts:
        if known.room != room and mine < PER_USER:
            mine += _count(await kept.streams_in(store, known.room), user)
    if mine >= PER_USER:
        raise RateLimited("you are writing too many messages at a time", retry_after=AGAIN, limit="streams")


def _count(streams: list[OpenStream], user: str) -> int:
    return sum(known.writer is not None and known.writer.id == user and not known.app for known in streams)
