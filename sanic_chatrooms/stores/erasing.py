"""What a store does where a user is erased: events change without an event that says so. The part of `Store` for `erase_user`."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

import msgspec

from ..models import Known
from ..support.paging import decode_cursor, encode_cursor
from .pages import FactPage

__all__ = ["Erased", "Erasing", "facts_behind", "facts_page"]

_ALL = "all facts"


class Erased(msgspec.Struct, frozen=True, gc=False):
    """What goes from the event with this number. Without `payload`: everything but the number, id, type and time.

    With `payload`: the event has it from then on if it still has `was`. The two may be the same, where only toggles and mentions go.
    """

    seq: int
    was: bytes = b""
    payload: bytes | None = None


class Erasing(ABC):
    """The part of `Store` that erases. Its numbered sentences are in `Store`."""

    @abstractmethod
    async def erase(self, room: str, user: str, events: Sequence[Erased]) -> None:
        """Take what is of this user out of these events (200 at most), and out of the room itself. Numbers that are not there
        are passed over. The last call for a room has no events: with it goes what trimmed events still tell of the user.
        If anything was to be seen, the caller renews the room's epoch afterwards. Raises `RoomNotFound`."""

    @abstractmethod
    async def all_facts(self, room: str, *, cursor: str | None = None, limit: int = 50) -> FactPage:
        """The facts of all kinds in a room, in the order of their kinds and keys; `total` is 0, since nobody counts them.

        Raises `RoomNotFound`, `InvalidCursor`.
        """

    async def forget_user(self, user: str, kinds: Collection[str]) -> None:  # noqa: B027 - many have nothing else
        """Call this when no room has anything of the user any more: forget what else there is (drafts in an outbox, lists of the
        rooms in which facts of these kinds held), and see that what was erased leaves the files."""


def facts_behind(cursor: str | None) -> tuple[str, str] | None:
    """Kind and key of the fact behind which a page of `all_facts` begins. Raises `InvalidCursor`."""
    if cursor is None:
        return None
    kind, _, key = decode_cursor(_ALL, cursor).partition("\n")
    return kind, key


def facts_page(found: list[Known], limit: int) -> FactPage:
    """A page of `all_facts`, of at least one fact more than `limit` where there is one."""
    if len(found) <= limit:
        return FactPage(found, 0)
    last = found[limit - 1]
    return FactPage(found[:limit], 0, encode_cursor(_ALL, f"{last.kind}\n{last.key}"))
