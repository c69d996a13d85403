"""`prefs`: what a member prefers in a room. Nobody else learns of it."""

from typing import Literal

import msgspec

from ..access.actions import Right
from ..access.needs import PREFERRING
from ..errors import Forbidden, Unavailable
from ..models import Fact
from ..stores.members import MEMBER
from ..stores.unread import PREFS
from ..wire.encode import encode, live_event
from ..wire.events import PrefsChanged
from .context import Ctx
from .table import command
from .unread import Preferences, preferences, tell_others

NO_MEMBER = "only members have preferences in a room"
TRIES = 5
"""How often a change is tried while the user's other connections change it too."""


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
    """Change or read what the user prefers in the room. Raises `Forbidden` to others than members, `Unavailable`."""
    actor, room = ctx.actor, ctx.seat.room
    if actor is None or not ctx.seat.standing.member:
        raise Forbidden(NO_MEMBER)
    store, user = ctx.core.store, actor.user.id
    for _ in range(TRIES):
        known = await store.fact(room.id, PREFS, user)
        before = preferences(None if known is None else known.value)
        notify = before.notify if ask.notify is msgspec.UNSET else ask.notify
        favourite = before.favourite if ask.favourite is msgspec.UNSET else ask.favourite
        after = Preferences(notify, favourite)
        if after == before:
            return after
        was = b"" if known is None else known.value
        if await store.set_fact(room.id, Fact(PREFS, user, encode(after), was=was)):
            event = live_event(PrefsChanged(after.notify, after.favourite), room=room.id)
            tell_others(ctx.core, user, event, ctx.source_id, room.id)
            return after
        if await store.fact(room.id, MEMBER, user) is None:
            raise Forbidden(NO_MEMBER)
    raise Unavailable
