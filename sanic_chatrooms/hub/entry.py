"""A draft in the journal, until it is answered."""

from collections.abc import Callable

import msgspec

from ..errors import ChatError
from ..models import Appended, Draft

__all__ = ["Done", "Entry", "middle", "place"]

Done = Callable[[Appended | ChatError], None]


class Entry(msgspec.Struct, gc=False):
    """A draft that waits for its result."""

    draft: Draft
    done: Done
    source: object
    due: float
    """The time at which it has waited long enough for its batch (monotonic seconds)."""
    sent: bool = False
    """The store may have it, and the outcome is not known. It is repeated, also where its source has gone."""


def middle(batch: list[Entry]) -> int:
    """Where to cut a batch in two: near its middle, and not between drafts of one room, which would make two writes for each
    connection in it instead of one."""
    half = len(batch) // 2
    room = batch[half - 1].draft.room
    for at in range(half, len(batch)):
        if batch[at].draft.room != room:
            return at
    return half


def place(entry: Entry) -> tuple[int, str]:
    """Drafts with the same place are answered in order: those of one connection for one room."""
    return id(entry.source), entry.draft.room
