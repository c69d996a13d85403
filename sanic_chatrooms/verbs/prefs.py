"""`prefs`: what a member prefers in a room. Nobody else learns of it."""

from typing import Literal

import msgspec

from ..access.actions import Right
from ..access.needs import PREFERRING
from ..errors import Forbidden
from ..models import Fact
from ..stores.unread import PREFS
from ..wire.encode import encode, live_event
from ..wire.events import PrefsChanged
from .context import Ctx
from .table import command
from .unread import Preferences, preferences, tell_others


class Prefer(msgspec.Struct):
    """The payload of `prefs`: what changes; nothing asks what is."""

    notify: Literal["all", "mentions", "none"] | msgspec.UnsetType = msgspec.UNSET
    favourite: bool | msgspec.UnsetType = msgspec.UNSET


@command(
    "prefs",
    Prefer,
    ack=Preferences,
    feature="unread",
    needs=PREFERRING,
    right=Right.READ,
    archive_stops=False,
    as_user=True,
)
async def prefs(ctx: Ctx, ask: Prefer) -> Preferences:
    """Change or read what the user prefers in the room. Raises `Forbidden` to others than members."""
    actor, room = ctx.actor, ctx.seat.room
    if actor is None or not ctx.seat.standing.member:
        raise Forbidden("only members have preferences in a room")
    known = await ctx.core.store.fact(room.id, PREFS, actor.user.id)
    before = preferences(None if known is None else known.value)
    notify = before.notify if ask.notify is msgspec.UNSET else ask.notify
    favourite = before.favourite if ask.favourite is msgspec.UNSET else ask.favourite
    after = Preferences(notify, favourite)
    if after != before:
        if not await ctx.core.store.set_fact(room.id, Fact(PREFS, actor.user.id, encode(after))):
            raise Forbidden("only members have preferences in a room")  # since a moment ago
        event = live_event(PrefsChanged(after.notify, after.favourite), room=room.id)
        tell_others(ctx.core, actor.user.id, event, ctx.source_id)
    return after
