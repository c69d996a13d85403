"""A user who acts without a connection: `as_user=` of the app's verbs.

Such a command is treated like a client's: the same limits, middleware and policy.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ..access.limits.limits import Allowance
from ..access.policy import Policy
from ..access.scopes import Scopes
from ..config.settings import Settings
from ..errors import TooLarge
from ..models import Appended, Draft, Room, User
from ..sessions.seats import Seat
from ..wire.decode import Command, decode_command
from ..wire.encode import encode

__all__ = ["Acting", "Arrive", "Keep"]

Arrive = Callable[[Any], Awaitable[Seat]]
"""Joins the room of a command, given its context; -> the seat by which the command is judged."""
Check = Callable[[Room], None]
"""Raises what refuses a change of this version of a room."""
Keep = Callable[[Draft], Awaitable[Appended | None]]
"""Stores a draft: in the journal, or in a transaction of the app, which returns None."""


class _Frame(msgspec.Struct, omit_defaults=True):
    type: str
    payload: msgspec.Raw
    room: str | None = None
    msg_id: str | None = msgspec.field(default=None, name="msgId")


class Acting:
    """Takes the place of the session, with the attributes that middleware and handlers use."""

    __slots__ = (
        "_keep",
        "arrive",
        "check",
        "data",
        "id",
        "kept",
        "limits",
        "made",
        "policy",
        "scopes",
        "settings",
        "user",
    )

    def __init__(self, user: User, policy: Policy, settings: Settings, limits: Allowance, keep: Keep) -> None:
        self.id = ""
        """Empty: there is no connection."""
        self.user = user
        self.policy = policy
        self.scopes: Scopes | None = None
        """What narrows the user: nothing, unless a token of theirs proved who it is."""
        self.settings = settings
        self.limits = limits
        self.data: dict[str, Any] = {}
        self.kept = False
        """Whether a draft was stored."""
        self.arrive: Arrive | None = None
        """Joins the room before a message, as a client does; None: it is said without joining."""
        self.check: Check | None = None
        """Asked of the room as it is when a change of it is stored, on all workers; None: it may be as it wants."""
        self.made: str | None = None
        """The room that was made by joining it."""
        self._keep = keep

    def command(self, type: str, payload: bytes, *, room: str | None, key: str | None = None) -> Command:
        """The command as if it had come in a frame. Raises the errors of such a frame."""
        frame = encode(_Frame(type, msgspec.Raw(payload), room, key))
        if len(frame) > self.settings.max_frame:
            raise TooLarge(f"the command {type} in bytes", limit=self.settings.max_frame, size=len(frame))
        self.limits.unpaid += len(frame)
        return decode_command(frame, self.settings.max_json_depth)

    async def keep(self, draft: Draft) -> Appended | None:
        """Store a draft; None if it waits for the end of a transaction."""
        stored = await self._keep(draft)
        self.kept = True
        return stored
