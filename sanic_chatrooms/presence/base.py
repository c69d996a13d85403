"""The contract of presence, which knows the users in each room now, over all workers.

Each numbered sentence has a test in `sanic_chatrooms.testing.presence`.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar

import msgspec

from ..models import Scope, Sender

__all__ = ["Entry", "Presence", "PresentPage"]


class Entry(msgspec.Struct, frozen=True):
    """One user in one room, as one worker sees it."""

    room: str
    user: Sender


class PresentPage(msgspec.Struct, frozen=True):
    """Users in the order of their ids. `total` counts all who are present."""

    users: list[Sender]
    total: int
    cursor: str | None = None


class Presence(ABC):
    """Knows which users are in which rooms. It has entries (room, user, node), which expire by themselves.

    1. A user is present in a room as long as one node has an entry for them there.
    2. `touch` says for each entry whether the user came in by it: True once, however many nodes and repetitions follow.
    3. `drop` says for each entry whether the user went out by it: True for the last node's.
    4. An entry that was not touched for `ttl` seconds is gone, and counts nowhere.
    5. `list` and `count` show each user once.
    6. `seen` knows when a user was last touched or dropped anywhere, for at least `ttl` seconds after it.
    7. If a user went out because their last entry expired (4), `ended` returns this once, to one node, unless the user has come in again.
    """

    scope: ClassVar[Scope]
    waits: ClassVar[bool] = True
    """Its methods wait for something outside of this process."""

    @abstractmethod
    async def start(self, instance: str, node: str, ttl: float) -> None:
        """Connect. `node` is a unique name of this process, which is never used again."""

    @abstractmethod
    async def stop(self) -> None:
        """Remove this node's entries and disconnect. Calling it again does nothing."""

    @abstractmethod
    async def touch(self, entries: Sequence[Entry]) -> Sequence[bool | None]:
        """Create or refresh entries of this node. Raises `Unavailable`. None for an entry: it is unknown, while others are known."""

    @abstractmethod
    async def drop(self, entries: Sequence[Entry]) -> Sequence[bool | None]:
        """Remove entries of this node. Raises `Unavailable`. None: as for `touch`."""

    @abstractmethod
    async def ended(self) -> list[Entry]:
        """Users who went out of a room because their entries expired. Call it every few seconds. Raises `Unavailable`."""

    @abstractmethod
    async def list(self, room: str, *, cursor: str | None = None, limit: int = 50) -> PresentPage:
        """The users who are present. Raises `InvalidCursor`, `Unavailable`."""

    @abstractmethod
    async def count(self, rooms: Collection[str]) -> dict[str, int]:
        """The number of users in each of these rooms; 0 for empty rooms. Those that cannot be counted now are left out. Raises `Unavailable`
        if that is all of them."""

    @abstractmethod
    async def online(self, users: Collection[str], *, room: str | None = None) -> set[str]:
        """Which of these users are present in the room; None: in any room. Entries with room '' are users with a connection."""

    @abstractmethod
    async def seen(self, users: Collection[str]) -> dict[str, float]:
        """When these users were last present, in Unix seconds. Unknown users are left out."""
