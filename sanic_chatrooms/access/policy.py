"""Who may do what: one contract, asked before every action, and the policy that holds unless an app brings another."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable

from ..errors import Forbidden, RoomNotFound
from ..models import DIRECT, PRIVATE, RESERVED, Room, User
from .standing import Standing

__all__ = ["Policy", "RoomPolicy"]


class Policy(ABC):
    """Asked before every action.

    1. It is asked for each action by its command's type: join, message, direct, message.edit, message.delete, typing,
       history, members, presence, rooms, room.create; and for what is delivered by recovery exactly as for what is
       asked. Whose message may be edited or deleted is decided besides (`edits`). About an app's own commands it is
       not asked: their handlers ask what they need.
       Whoever says something by another command (direct, message.edit) has to pass `message` as well.
    2. `require` returns (or its awaitable does) to allow, and raises a `ChatError` to refuse: `RoomNotFound` where the
       user must not learn that the room exists, `Forbidden` elsewhere.
    3. Any other exception counts as a refusal, and is logged.
    4. A policy whose `require` is a plain function costs a call; a coroutine function makes every message wait its turn.
    """

    @abstractmethod
    def require(
        self, user: User, action: str, room: Room | None, standing: Standing
    ) -> Awaitable[None] | None:
        """May `user` do `action` in `room`? `standing` is what they are there: role, level, member or not.

        `room` is None for actions without one (rooms, room.create of a room that does not exist yet); then they are
        an outsider.
        """


class RoomPolicy(Policy):
    """Public rooms are open; private and direct rooms are for their members, and hidden from everybody else."""

    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        """See `Policy.require`."""
        if room is None or room.visibility not in _HIDDEN:
            return
        if not standing.member or room.visibility == RESERVED:
            raise RoomNotFound
        if room.visibility == DIRECT and action == "leave":
            raise Forbidden("a direct conversation cannot be left; exit it instead")


_HIDDEN = frozenset((PRIVATE, DIRECT, RESERVED))
