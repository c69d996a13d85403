"""What a client does over HTTP where its sockets fail: it is welcomed, and it joins rooms, without a connection.

Everything else it does as others do who have no connection. It reads the room's events from the position in the ack of `join`.
"""

from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.limits.kinds import Kind
from ..models import Head
from ..wire.events import Heartbeat, Welcome
from ..wire.names import check_room_id
from .arriving import become_member
from .context import Ctx
from .entering import Join, Joined, past_until, wanted_history
from .identity import welcome_to
from .table import Row, commands, features
from .words import spoken

__all__ = ["CONNECTED", "JOIN", "WELCOME", "CommandAsked", "NameAsked"]

CONNECTED = frozenset(
    ("auth", "exit", "message.append", "message.close", "message.open", "ping", "presence", "typing")
)
"""Commands about a connection. Without one they are unknown."""
LACKING = frozenset(("presence", "streams", "typing"))
"""Their features."""


class CommandAsked(msgspec.Struct, rename="camel"):
    """Any command, as in a frame. `msg_id`: its key, where `Idempotency-Key` tells none."""

    type: str
    room: str | None = None
    payload: dict[str, Any] = {}
    msg_id: str | None = None


class NameAsked(msgspec.Struct):
    """What a client asks for when it is welcomed: the `name` of a guest."""

    name: str | None = None


async def welcome(ctx: Ctx, ask: NameAsked) -> Welcome:
    """Tell the user what a connection is told. Raises what refuses a guest's name."""
    words = ("name",) if ctx.user.guest else ()
    return await spoken(ctx, ask, words, partial(_welcome, ctx))


async def _welcome(ctx: Ctx, ask: NameAsked) -> Welcome:
    core, user, settings = ctx.core, ctx.user, ctx.settings
    if user.guest and ask.name is not None:
        user = await core.guests.rename(user, ask.name)
    heartbeat = Heartbeat(settings.heartbeat_interval, settings.heartbeat_timeout)
    there = {*features(), "tickets"} - LACKING - core.missing
    return welcome_to(core, settings, user, tuple(sorted(there)), heartbeat)


async def join(ctx: Ctx, ask: Join) -> Joined:
    """As `join` of a connection, without receiving the room by it. `seq` of the ack is the position to read on from."""
    core, room_id = ctx.core, ctx.room_id
    history = wanted_history(ctx, ask)
    check_room_id(room_id)
    await become_member(ctx)
    seat = await ctx.find(room_id)
    position = Head(seat.room.epoch, seat.room.seq)
    recovered, past = await past_until(core, room_id, ctx.user.id, ctx.seen, position, ask.since, history)
    if past.messages and past.seq > position.seq:  # they may show later changes
        await core.access.look(ctx.session, "join", room_id)
    return Joined(
        room=room_id,
        epoch=position.epoch,
        seq=position.seq,
        recovered=recovered,
        messages=past.messages,
        more=past.more,
        role=seat.standing.role if seat.standing.member else "guest",
        title=seat.room.title,
        online=await core.occupancy.online(room_id),
    )


WELCOME: Row = replace(
    commands()["auth"],
    payload=NameAsked,
    decoder=msgspec.json.Decoder(NameAsked),
    verb=welcome,
    ack=Welcome,
    free=False,
    rate=Kind.READ,
)
"""`auth` of a user whom the request has identified."""
JOIN: Row = replace(commands()["join"], verb=join)
"""`join` without a connection."""
