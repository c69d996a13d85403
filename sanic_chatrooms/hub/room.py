"""A room as this process holds it: where it stands, who is in it, and what has come for it out of turn."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ..models import Envelope, Head
from .sequence import Sequencer

__all__ = ["HeldRoom", "Receiver", "Watcher"]

UNBOUNDED = 2**62


class Receiver(Protocol):
    """What the hub needs of a session.

    `write` looks at nothing: it is the transport's own. `slack` is how many bytes may be put there so before `push` has
    to look whether they are read at all.
    """

    slack: int

    @property
    def write(self) -> Callable[[bytes], None]:
        """Bytes onto the connection."""

    def push(self, frames: bytes, replies: bytes = b"") -> None:
        """Take room events, whole frames; may decide that the connection is too slow.

        `replies` are for this connection alone: they go first, in the same write, and do not count towards that.
        """

    def reply(self, frames: bytes) -> None:
        """Take what is for this connection alone."""

    def evicted(self, room: str) -> None:
        """The hub has taken this session out of the room."""


class Watcher(Protocol):
    """Hears a reserved room inside this process."""

    def heard(self, envelope: Envelope) -> None:
        """The room's next event, in order; or a live one."""

    def lost(self, room: str) -> None:
        """Events of this room are gone for good."""

    def vanished(self, room: str) -> None:
        """The room is gone, before there ever was an event in it."""


class HeldRoom:
    """A room as this process holds it."""

    __slots__ = (
        "id", "pending", "public", "repairing", "sequence", "sessions", "slack", "store_epoch", "timer", "unchecked", "waiting", "watcher",
    )  # fmt: skip

    def __init__(self, id: str) -> None:
        self.id = id
        self.sequence = Sequencer()
        self.store_epoch: str | None = None
        """The epoch of the room of everybody when the position was taken: another one since means that the store lost its rooms."""
        self.public = False
        """Whoever entered it last found it public."""
        self.sessions: dict[Receiver, Callable[[bytes], None]] = {}
        """Who is in it, with how its frames are written."""
        self.slack = UNBOUNDED
        """Bytes that may be written before it is looked whether everybody reads: the least that one of them asks for."""
        self.unchecked = 0
        """Bytes that were written since."""
        self.waiting: dict[Receiver, list[bytes]] = {}
        """Sessions that are entering, with the frames that came since their position was taken."""
        self.pending: list[bytes] = []
        self.watcher: Watcher | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.repairing: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Subscribed, and the position is known."""
        return self.sequence.up

    @property
    def head(self) -> Head:
        """The position: everything up to it has been sent."""
        return self.sequence.head

    @property
    def unused(self) -> bool:
        """Nobody here needs it."""
        return not self.sessions and not self.waiting and self.watcher is None
