"""Who asks, and whether they may: looks up room and membership, and asks the policy."""

import asyncio
import inspect
import logging
from typing import Protocol

from ..errors import ChatError, Forbidden, RoomNotFound
from ..models import RESERVED, Member, Room, User
from ..stores.base import Store
from ..support.tasks import is_ending
from .policy import Policy

__all__ = ["Access", "Actor", "permit", "refusal"]

logger = logging.getLogger("sanic_chatrooms.access.access")


class Actor(Protocol):
    """Somebody who acts: a session, or the host on behalf of a user."""

    @property
    def user(self) -> User:
        """Who it is."""

    @property
    def policy(self) -> Policy:
        """By what they are judged."""


async def permit(actor: Actor, action: str, room: Room | None, member: Member | None) -> None:
    """Ask the actor's policy. A policy that fails refuses (Policy, 3)."""
    try:
        answer = actor.policy.require(actor.user, action, room, member)
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

    async def look(self, actor: Actor | None, action: str, room_id: str) -> tuple[Room, Member | None]:
        """The room, and the actor's membership in it, if they may do this there. `actor` None: the host, who may.

        Raises `RoomNotFound` also where the policy hides the room; reserved rooms exist for nobody.
        """
        room, member = await self.find(actor.user if actor is not None else None, room_id)
        if actor is not None:
            await permit(actor, action, room, member)
        return room, member

    async def find(self, user: User | None, room_id: str) -> tuple[Room, Member | None]:
        """The room and the user's membership in it, without asking the policy. Raises `RoomNotFound`."""
        room = await self._store.room(room_id)
        # Asked also where there is no room: it must not answer sooner than one that is hidden.
        member = await self._store.member(room_id, user.id) if user is not None else None
        if room is None or room.visibility == RESERVED:
            raise RoomNotFound
        return room, member
