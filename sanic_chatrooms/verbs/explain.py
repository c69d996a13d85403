"""`explain`: may a user do something in a room, and why? The code that decides gives the answer."""

import msgspec
from msgspec.structs import replace

from ..access.access import Actor
from ..access.access import explain as verdict_of
from ..access.actions import Action, action, actions
from ..access.decide import Verdict
from ..access.needs import LOOKING
from ..access.policy import Policy
from ..access.scopes import Scopes, scopes_of
from ..errors import InvalidField
from ..models import Room, User
from ..stores.properties import ROOM
from ..support.user_ids import GUEST, check_user_id
from .context import Ctx
from .core import Core
from .table import command

__all__ = ["Explain", "Somebody", "action_in_a_room", "explain_to_app"]


class Explain(msgspec.Struct):
    """The payload of `explain`. `user`: another user's id; for those who may give roles."""

    action: str
    user: str | None = None


class Somebody(msgspec.Struct, frozen=True):
    """A user about whom is asked what they may do."""

    user: User
    policy: Policy
    scopes: Scopes | None = None


@command("explain", Explain, ack=Verdict, needs=LOOKING, looks=True, as_user=True)
async def explain(ctx: Ctx, ask: Explain) -> Verdict:
    """Whether the actor, or another user, may do this in the room. Raises `Forbidden`, `InvalidField`, `RoomNotFound`."""
    asked, actor = action_in_a_room(ask.action), ctx.actor
    assert actor is not None  # the app calls `explain_to_app`
    if ask.user is None or ask.user == actor.user.id:
        return await _verdict(ctx.core, actor, asked, ctx.seat.room)
    await ctx.require(action("member.role"))
    id = check_user_id(ask.user, "user")
    member = await ctx.core.access.standing(ctx.seat.room, ctx.seat.room.id, id)
    user = User(id, member.name or id, guest=id.startswith(GUEST))
    return await _verdict(ctx.core, Somebody(user, actor.policy), asked, ctx.seat.room)


def action_in_a_room(name: str) -> Action:
    """The action with this name. Raises `InvalidField`."""
    found = actions().get(name)
    if found is None or not found.in_a_room:
        raise InvalidField(
            "is no action in a room; see the list of actions in the documentation", field="action"
        )
    return found


async def explain_to_app(core: Core, user: User, name: str, room_id: str, policy: Policy) -> Verdict:
    """The same for the app. Raises `RoomNotFound` only if there is no such room."""
    asked = action_in_a_room(name)
    room, _ = await core.access.find(None, room_id)
    return await _verdict(core, Somebody(user, policy, scopes_of(user.scopes)), asked, room)


async def _verdict(core: Core, actor: Actor, asked: Action, room: Room) -> Verdict:
    standing = await core.access.standing(room, room.id, actor.user.id)
    verdict = await verdict_of(actor, asked, room, standing)
    by_room = verdict.rule == "archived" or (verdict.rule == "need" and asked.name in room.permissions)
    if not by_room:
        return verdict
    known = await core.store.fact(room.id, ROOM, "")
    return replace(verdict, seq=known.seq or None) if known is not None else verdict
