"""The contract of a policy, the app's last word on who may do what, and the default policy."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable

from ..errors import ChatError
from ..models import Room, User
from .standing import Standing

__all__ = ["Policy", "RoomPolicy"]


class Policy(ABC):
    """Decides whether a user may do something. The chat asks it after its own rules (docs/reference/permissions.md).

    1. An action is the type of its command, such as `join` or `message.edit`. Recovery asks for the same actions. For other
       commands that say something (direct, message.edit), the policy is asked about that action and then about `message`.
       About a message that is being written, it is asked for `message.open` and then `message`: when it is opened, when rights
       in its room change, every 10 seconds and when it is closed, but not for each piece.
       The policy is not asked about the app's own commands: their handlers check permissions themselves.
    2. `require` returns (or its awaitable does) to allow the action, and raises a `ChatError` to refuse it:
       `RoomNotFound` if the user must not learn that the room exists, `Forbidden` otherwise.
    3. Any other exception refuses the action, and is logged.
    4. If `require` is a plain function, asking costs a call. If it is a coroutine function, each message runs in a task.
    5. `require` is asked last, about what the room's own rules allow. It never sees a user who may not know of the room.
    6. `widen` may allow what the room's needs or the ranks of its users refuse; never what a hidden room, a ban, a mute,
       an archived room or a token's scopes refuse. Then `require` is asked too. If `widen` fails, the refusal stays.
    """

    @abstractmethod
    def require(
        self, user: User, action: str, room: Room | None, standing: Standing
    ) -> Awaitable[None] | None:
        """Allow `user` to do `action` in `room`, or raise a `ChatError`.

        `standing` has the user's current role, membership and restrictions in the room. `room` is None for actions
        without one (rooms, room.create of a new room); then the user is an outsider.
        """

    def widen(
        self, user: User, action: str, room: Room, standing: Standing, refused: ChatError
    ) -> Awaitable[bool] | bool:
        """Whether the user may do it all the same. `refused` is the error that the user would get."""
        return False


class RoomPolicy(Policy):
    """Allows what the room's own rules allow."""

    def require(
        self, user: User, action: str, room: Room | None, standing: Standing
    ) -> Awaitable[None] | None:
        """See `Policy.require`. It never waits; a policy that is derived from it may."""
        return None
