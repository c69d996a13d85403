"""Looks up a room and the user's standing in it, and decides whether the user may do something.

`decide` asks the first questions, the policy the last one. `explain` gives the same decision as a value.
"""

import asyncio
import inspect
import logging
from collections.abc import Mapping
from typing import Protocol

from msgspec.structs import replace

from ..errors import ChatError, Forbidden, RoomNotFound
from ..models import RESERVED, Draft, Room, User
from ..stores.base import Store
from ..support.clock import now
from ..support.tasks import is_ending
from .actions import Action, Right
from .actions import action as action_of
from .decide import Denial, Verdict, first_refusal, out_of_scope
from .policy import Policy
from .roles import LEVELS
from .scopes import Scopes
from .standing import Standing, standing_of

__all__ = ["WIDENED", "Access", "Actor", "ask_policy", "explain", "judge", "permit", "refusal", "widened"]

logger = logging.getLogger("sanic_chatrooms.access.access")

WIDENED = frozenset(("need", "rank"))
"""Refusals that a policy may lift."""


class Actor(Protocol):
    """A session, or a user for whom the app acts."""

    @property
    def user(self) -> User:
        """The user."""

    @property
    def policy(self) -> Policy:
        """The policy that decides for this actor."""

    @property
    def scopes(self) -> Scopes | None:
        """What narrows this actor; None: nothing does."""


async def judge(
    actor: Actor, action: Action, room: Room, standing: Standing, *, rank: Denial | None = None
) -> str:
    """Allow the action or raise the refusal; -> the rule that allows it. `rank`: what question 5 says."""
    refused = first_refusal(action, actor.user, actor.scopes, room, standing, now()) or rank
    if refused is not None:
        if not await widened(actor, action, room, standing, refused):
            raise refused.error
        await permit(actor, action.name, room, standing)
        return "widened"
    await permit(actor, action.name, room, standing)
    return "allowed"


async def explain(actor: Actor, action: Action, room: Room, standing: Standing) -> Verdict:
    """The decision of `judge`, and why. What shows words to others is decided like a message too."""
    verdict = await _explain(actor, action, room, standing)
    if verdict.allowed and action.speaks:
        message = await _explain(actor, action_of("message"), room, standing)
        return verdict if message.allowed else message
    return verdict


async def _explain(actor: Actor, action: Action, room: Room, standing: Standing) -> Verdict:
    refused = first_refusal(action, actor.user, actor.scopes, room, standing, now())
    rule, because = "allowed", f"{standing.role} ({standing.level}) may {action.name} here"
    if refused is not None:
        if not await widened(actor, action, room, standing, refused):
            return refused.verdict()
        rule, because = "widened", "the app's policy allows it"
    try:
        await permit(actor, action.name, room, standing)
    except RoomNotFound:
        return Denial("unknown", RoomNotFound()).verdict()
    except ChatError as problem:
        return Denial("policy", problem).verdict()
    return Verdict(True, rule, because, standing.role_seq or None)


async def widened(actor: Actor, action: Action, room: Room, standing: Standing, refused: Denial) -> bool:
    """Ask the policy whether it lifts this refusal. If it fails, the refusal stays."""
    if refused.rule not in WIDENED:
        return False
    try:
        answer = actor.policy.widen(actor.user, action.name, room, standing, refused.error)
        if inspect.isawaitable(answer):
            answer = await answer
    except (Exception, asyncio.CancelledError) as exc:
        if is_ending():
            raise
        logger.error("the policy failed to widen %s; refused", action.name, exc_info=exc)
        return False
    return answer is True


async def permit(actor: Actor, action: str, room: Room | None, standing: Standing) -> None:
    """Ask the actor's policy. If it fails, the action is refused (Policy, 3)."""
    try:
        answer = actor.policy.require(actor.user, action, room, standing)
        if answer is not None and inspect.isawaitable(answer):
            await answer
    except ChatError:
        raise
    except (Exception, asyncio.CancelledError) as exc:
        if is_ending():
            raise
        raise refusal(action, exc) from exc


async def ask_policy(actor: Actor, action: Action, id: str | None = None) -> None:
    """Decide about an action without a room: the token's scopes, then the policy. `id`: of the room that it is about, if any."""
    scopes = actor.scopes
    refused = None if scopes is None else out_of_scope(action, scopes, None, id)
    if refused is not None and not (
        action.looks and scopes is not None and scopes.allow_somewhere(Right.READ)
    ):
        raise refused.error
    await permit(actor, action.name, None, Standing())


def refusal(action: str, problem: BaseException) -> ChatError:
    """The refusal for what a policy raised: its own `ChatError`, or `Forbidden` if it failed (Policy, 3)."""
    if isinstance(problem, ChatError):
        return problem
    logger.error("the policy failed on %s; refused", action, exc_info=problem)
    return Forbidden()


class Access:
    """Finds rooms for actors. `levels` are those of all roles."""

    def __init__(self, store: Store, levels: Mapping[str, int] = LEVELS) -> None:
        self._store = store
        self.levels = levels

    async def look(self, actor: Actor, name: str, room_id: str) -> tuple[Room, Standing]:
        """The room and the actor's standing in it, if the actor may do this there.

        Raises `RoomNotFound` also if the room is hidden. Reserved rooms exist for nobody.
        """
        room, standing = await self.find(actor.user, room_id)
        await judge(actor, action_of(name), room, standing)
        return room, standing

    async def find(self, user: User | None, room_id: str) -> tuple[Room, Standing]:
        """The room and the user's standing in it, without a decision. Raises `RoomNotFound`.

        The room is read first, so the standing is at least as new as the room's number.
        """
        if user is None:
            room, standing = await self._store.room(room_id), Standing()
        else:  # asked at once: every join and every seat that is not fresh asks
            about = (await self._store.rooms_about((room_id,), user.id)).get(room_id)
            room, facts = about or (None, {})
            standing = standing_of(room, facts, self.levels)
        if room is None or room.visibility == RESERVED:
            raise RoomNotFound
        return room, standing

    async def again(self, draft: Draft) -> Draft:
        """A draft that waited for a transaction, as it is judged now: by membership, bans, mutes and needs.

        The policy is not asked again, since it may need more of the user than the draft has. Raises `RoomNotFound`,
        `Banned`, `Muted`.
        """
        user = None if draft.sender is None else User(draft.sender.id, draft.sender.name)
        room, standing = await self.find(user, draft.room)
        refused = (
            None if user is None else first_refusal(action_of("message"), user, None, room, standing, now())
        )
        if refused is not None:
            raise refused.error
        return replace(draft, judged=room.seq, judged_in=room.epoch)

    async def standing(self, room: Room | None, room_id: str, user: str) -> Standing:
        """The standing of the user with this id in this room now."""
        return standing_of(room, await self._store.facts_about(room_id, user), self.levels)
