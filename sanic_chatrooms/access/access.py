"""Who asks, and whether they may: looks up room and membership, and asks the policy."""

import asyncio
import inspect
import logging
from typing import Protocol

from ..errors import ChatError, Forbidden, RoomNotFound
from ..models import RESERVED, Room, User
from ..stores.base import Store
from ..support.clock import now
from ..support.tasks import is_ending
from .policy import Policy
from .standing import Standing, check_restrictions, standing_of

__all__ = ["Access", "Actor", "judge", "permit", "refusal"]

logger = logging.getLogger("sanic_chatrooms.access.access")


class Actor(Protocol):
    """Who acts: a session, or the app on behalf of a user."""

    @property
    def user(self) -> User:
        """Who it is."""

    @property
    def policy(self) -> Policy:
        """By what they are judged."""


async def judge(
    actor: Actor, action: str, room: Room, standing: Standing, *, mute_stops: bool = False
) -> None:
    """May the actor do this there? Restrictions first, then the policy. Raises what refuses."""
    check_restrictions(room, standing, action, now(), mute_stops=mute_stops)
    await permit(actor, action, room, standing)


async def permit(actor: Actor, action: str, room: Room | None, standing: Standing) -> None:
    """Ask the actor's policy. A policy that fails refuses (Policy, 3)."""
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
    """What it means that a policy raised this: what it says, and where it failed, no (Policy, 3)."""
    if isinstance(problem, ChatError):
        return problem
    logger.error("the policy failed on %s; refused", action, exc_info=problem)
    return Forbidden()


class Access:
    """The way to a room for everything that has an actor."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(self, actor: Actor, action: str, room_id: str) -> tuple[Room, Standing]:
        """The room, and what the actor is in it, if they may do this there.

        Raises `RoomNotFound` also where the policy hides the room; reserved rooms exist for nobody.
        """
        room, standing = await self.find(actor.user, room_id)
        await judge(actor, action, room, standing)
        return room, standing

    async def find(self, user: User | None, room_id: str) -> tuple[Room, Standing]:
        """The room and what the user is in it, without judging. Raises `RoomNotFound`.

        The room is read first: its number is one at which the standing was still to be looked at.
        """
        room = await self._store.room(room_id)
        # Asked also where there is no room: it must not answer sooner than one that is hidden.
        standing = await self.standing(room, room_id, user) if user is not None else Standing()
        if room is None or room.visibility == RESERVED:
            raise RoomNotFound
        return room, standing

    async def standing(self, room: Room | None, room_id: str, user: User) -> Standing:
        """What the user is in this room now."""
        return standing_of(room, await self._store.facts_about(room_id, user.id))
