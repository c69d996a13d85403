"""The contract of a policy, which decides who may do what, and the default policy."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable

from ..errors import Forbidden, RoomNotFound
from ..models import DIRECT, PRIVATE, RESERVED, Room, User
from .standing import Standing

__all__ = ["Policy", "RoomPolicy"]


class Policy(ABC):
    """Decides whether a user may do something. The chat asks it before every action.

    1. An action is the type of its command, such as `join` or `message.edit`. Recovery asks for the same actions. For other
       commands that say something (direct, message.edit), the policy is asked about that action and then about `message`.
       What only authors or moderators may do is checked separately, by the command. The policy is not asked about the
       app's own commands: their handlers check permissions themselves.
    2. `require` returns (or its awaitable does) to allow the action, and raises a `ChatError` to refuse it:
       `RoomNotFound` if the user must not learn that the room exists, `Forbidden` otherwise.
    3. Any other exception refuses the action, and is logged.
    4. If `require` is a plain function, asking costs a call. If it is a coroutine function, each message runs in a task.
    """

    @abstractmethod
    def require(
        self, user: User, action: str, room: Room | None, standing: Standing
    ) -> Awaitable[None] | None:
        """Allow `user` to do `action` in `room`, or raise a `ChatError`.

        `standing` has the user's current role, membership and restrictions in the room. `room` is None for actions
        without one (rooms, room.create of a new room); then the user is an outsider.
        """


class RoomPolicy(Policy):
    """Public rooms are open to everybody. Private and direct rooms are for their members, and hidden from others."""

    def require(
        self, user: User, action: str, room: Room | None, standing: Standing
    ) -> Awaitable[None] | None:
        """See `Policy.require`. It never waits; a policy that is derived from it may."""
        if room is None or room.visibility not in _HIDDEN:
            return None
        if not standing.member or room.visibility == RESERVED:
            raise RoomNotFound
        if room.visibility == DIRECT and action == "leave":
            raise Forbidden("a direct conversation cannot be left; exit it instead")
        return None


_HIDDEN = frozenset((PRIVATE, DIRECT, RESERVED))
