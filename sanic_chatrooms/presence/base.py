"""The contract of presence: who is in a room right now, over all workers.

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
    """Entries (room, user, node), which expire by themselves.

    1. A user is present in a room as long as one node has an entry for them there.
    2. `touch` says for each entry whether the user came in by it: True once, however many nodes and repetitions follow.
    3. `drop` says for each entry whether the user went out by it: True for the last node's.
    4. An entry that was not touched for `ttl` seconds is gone, and counts nowhere.
    5. `list` and `count` show each user once.
    6. `seen` knows when a user was last touched or dropped anywhere, for at least `ttl` seconds after it.
    7. Who went out because the last of their entries was gone by 4 is told by `ended`, once, to one node; unless they have come in again.
    """

    scope: ClassVar[Scope]

    @abstractmethod
    async def start(self, instance: str, node: str, ttl: float) -> None:
        """Connect. `node` names this process, uniquely and never again."""

    @abstractmethod
    async def stop(self) -> None:
        """Take back this node's entries and disconnect. Calling it again does nothing."""

    @abstractmethod
    async def touch(self, entries: Sequence[Entry]) -> list[bool]:
        """Make or refresh entries of this node. Raises `Unavailable`."""

    @abstractmethod
    async def drop(self, entries: Sequence[Entry]) -> list[bool]:
        """Take back entries of this node. Raises `Unavailable`."""

    @abstractmethod
    async def ended(self) -> list[Entry]:
        """Who went out, and where, without anybody dropping them. To be asked every few seconds. Raises `Unavailable`."""

    @abstractmethod
    async def list(self, room: str, *, cursor: str | None = None, limit: int = 50) -> PresentPage:
        """Who is present. Raises `InvalidCursor`, `Unavailable`."""

    @abstractmethod
    async def count(self, rooms: Collection[str]) -> dict[str, int]:
        """How many users are present in each of these rooms; 0 where nobody is."""

    @abstractmethod
    async def online(self, users: Collection[str], *, room: str | None = None) -> set[str]:
        """Which of these users are present in that room; None: in any. Entries with room '' say who has a connection."""

    @abstractmethod
    async def seen(self, users: Collection[str]) -> dict[str, float]:
        """When these users were last here (Unix seconds); those of whom nothing is known are left out."""
