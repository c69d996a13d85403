"""A draft in the journal, until it is answered."""

from collections.abc import Callable

import msgspec

from ..errors import ChatError
from ..models import Appended, Draft, Fold, Relation

__all__ = ["Done", "Entry", "is_gone", "middle", "place"]

Done = Callable[[Appended | ChatError], None]
_NOTHING = (None, b"{}")
"""What the store gives instead of the completed payload of an event that is gone."""


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


def is_gone(about: Relation, result: Appended) -> bool:
    """It was trimmed, or its text deleted, before its outcome was known. Later events are there, so rooms see a gap and read
    from the store what is left of it."""
    return about.fold is not Fold.COLLECT and result.payload in _NOTHING
