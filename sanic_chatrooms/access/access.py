"""Looks up a room and the user's standing in it, and decides with the policy whether the user may do something."""

import asyncio
import inspect
import logging
from typing import Protocol

from msgspec.structs import replace

from ..errors import ChatError, Forbidden, RoomNotFound
from ..models import RESERVED, Draft, Room, User
from ..stores.base import Store
from ..support.clock import now
from ..support.tasks import is_ending
from .policy import Policy
from .standing import HIDDEN, Standing, check_restrictions, standing_of

__all__ = ["Access", "Actor", "judge", "permit", "refusal"]

logger = logging.getLogger("sanic_chatrooms.access.access")


class Actor(Protocol):
    """A session, or a user for whom the app acts."""

    @property
    def user(self) -> User:
        """The user."""

    @property
    def policy(self) -> Policy:
        """The policy that decides for this actor."""


async def judge(
    actor: Actor, action: str, room: Room, standing: Standing, *, mute_stops: bool = False
) -> None:
    """Allow the action or raise the refusal: bans and mutes first, then the policy."""
    check_restrictions(room, standing, action, now(), mute_stops=mute_stops)
    await permit(actor, action, room, standing)


async def permit(actor: Actor, action: str, room: Room | None, standing: Standing) -> None:
    """Ask the actor's policy. If it fails, the action is refused (Policy, 3)."""
    try:
        answer = actor.policy.require(actor.user, action, room, standing)
        if inspect.isawaitable(answer):
            await answer
    except ChatError:
        raise
    except (Exception, asyncio.CancelledError) as exc:
        if is_ending():
            raise
        raise refusal(action, exc) from exc


def refusal(action: str, problem: BaseException) -> ChatError:
    """The refusal for what a policy raised: its own `ChatError`, or `Forbidden` if it failed (Policy, 3)."""
    if isinstance(problem, ChatError):
        return problem
    logger.error("the policy failed on %s; refused", action, exc_info=problem)
    return Forbidden()


class Access:
    """Finds rooms for actors."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(self, actor: Actor, action: str, room_id: str) -> tuple[Room, Standing]:
        """The room and the actor's standing in it, if the actor may do this there.

        Raises `RoomNotFound` also if the policy hides the room. Reserved rooms exist for nobody.
        """
        room, standing = await self.find(actor.user, room_id)
        await judge(actor, action, room, standing)
        return room, standing

    async def find(self, user: User | None, room_id: str) -> tuple[Room, Standing]:
        """The room and the user's standing in it, without a decision. Raises `RoomNotFound`.

        The room is read first, so the standing is at least as new as the room's number.
        """
        room = await self._store.room(room_id)
        # Also read if there is no room: the answer must take as long as for a hidden room.
        standing = await self.standing(room, room_id, user) if user is not None else Standing()
        if room is None or room.visibility == RESERVED:
            raise RoomNotFound
        return room, standing

    async def again(self, draft: Draft) -> Draft:
        """A draft that waited for a transaction, as it is judged now: by membership, bans and mutes.

        The policy is not asked again, since it may need more of the user than the draft has. Raises `RoomNotFound`,
        `Banned`, `Muted`.
        """
        user = None if draft.sender is None else User(draft.sender.id, draft.sender.name)
        room, standing = await self.find(user, draft.room)
        if room.visibility in HIDDEN and not standing.member:
            raise RoomNotFound
        check_restrictions(room, standing, draft.type, now(), mute_stops=True)
        return replace(draft, judged=room.seq, judged_in=room.epoch)

    async def standing(self, room: Room | None, room_id: str, user: User) -> Standing:
        """The user's standing in this room now."""
        return standing_of(room, await self._store.facts_about(room_id, user.id))
