"""`room`: what one room is, what the user is in it, and what they may do there."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ..access.access import explain
from ..access.actions import actions
from ..access.needs import LOOKING
from ..sessions.session import Session
from ..stores import members
from ..stores.properties import shown
from .context import Ctx
from .table import Nothing, Row, command, commands

__all__ = ["RoomShown"]


class RoomShown(msgspec.Struct, rename="camel", omit_defaults=True):
    """The answer to `room`. `may`: the actions that the user may do here, on this connection."""

    title: str
    topic: str
    visibility: str
    attributes: Mapping[str, Any]
    permissions: Mapping[str, Any]
    history_visibility: str
    slow_mode: float
    announce: bool
    archived: bool
    role: str
    level: int
    may: list[str]
    members: int
    online: int
    created_by: str | None
    created_at: float
    creator: bool = False


@command("room", ack=RoomShown, needs=LOOKING, for_invited=True, looks=True, as_user=True)
async def room(ctx: Ctx, _: Nothing) -> RoomShown:
    """The room as it is now. Raises `RoomNotFound`."""
    core, found, standing = ctx.core, ctx.seat.room, ctx.seat.standing
    page = await core.store.facts(found.id, members.MEMBER, limit=1)
    return RoomShown(
        found.title,
        found.topic,
        found.visibility,
        found.attributes,
        found.permissions,
        shown(found),
        found.slow_mode,
        found.announce,
        found.archived,
        standing.role,
        standing.level,
        await _may(ctx),
        page.total,
        await core.occupancy.online(found.id),
        found.created_by,
        found.created_at,
        standing.creator,
    )


async def _may(ctx: Ctx) -> list[str]:
    actor, room, standing = ctx.actor, ctx.seat.room, ctx.seat.standing
    named = [its for _, its in sorted(actions().items()) if its.in_a_room]
    if actor is None:
        return [its.name for its in named]
    route = actor.route if isinstance(actor, Session) else None
    found = []
    for its in named:
        row = commands().get(its.name)
        if route is not None and not _fits(row, its.looks, route.read_only, route.confined):
            continue
        if (await explain(actor, its, room, standing)).allowed:
            found.append(its.name)
    return found


def _fits(row: Row | None, looks: bool, read_only: bool, confined: bool) -> bool:
    """Whether the route of the connection lets such a command through."""
    return (looks or not read_only) and not (confined and row is not None and row.roams)
