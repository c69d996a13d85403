"""How much a store keeps, and for how long."""

import msgspec

from ..models import DIRECT, PRIVATE, PUBLIC, RESERVED

__all__ = ["FOLDED", "HISTORY_MAX", "LISTED", "RESERVED_HISTORY_MAX", "Bounds"]

HISTORY_MAX = 100_000
"""Events that a database keeps of a room unless `Bounds.history_max` says otherwise."""
RESERVED_HISTORY_MAX = 100
"""Events that any store keeps of a reserved room."""


LISTED = (PUBLIC, PRIVATE, DIRECT)
"""Visibilities of rooms that have lists."""
FOLDED = ("message.", "reaction.", "member.", "room.")
"""Prefixes of the types that a timeline leaves out: such events change a message, or are about members and the room."""


class Bounds(msgspec.Struct, frozen=True):
    """How much a store keeps, and how long it remembers keys."""

    history_max: int | None = None
    """Events kept per room; None: the store's own default."""
    retention: float | None = None
    """Seconds after which an event is dropped; None: never."""
    dedup_window: float = 300.0
    """Seconds for which a repeated key is answered with the first result."""
    erase_within: float = 86_400.0
    """Seconds after which erased text is in no file that the store can rewrite."""
    max_rooms: int = 100_000
    """Public and private rooms together."""
    max_direct_rooms: int = 1_000_000
    counted: tuple[str, ...] = ("message",)
    """Types of events that count as unread; none begins with one of `FOLDED`."""
    search_language: str | None = None
    """The language whose words are found in all their forms, by a store that knows languages. None: words as they are."""
    timeout: float = 5.0
    """Seconds after which a store that waits for a server raises `Unavailable`."""

    def most_rooms(self, visibility: str) -> int | None:
        """The limit for rooms that are counted together with this visibility; None: there is none."""
        if visibility == RESERVED:
            return None
        return self.max_direct_rooms if visibility == DIRECT else self.max_rooms
