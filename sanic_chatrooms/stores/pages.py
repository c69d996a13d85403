"""Pages of the lists that stores have."""

import msgspec

from ..models import Known, Room, Sender

__all__ = ["FactPage", "Holding", "RoomPage", "TogglePage"]


class RoomPage(msgspec.Struct, frozen=True):
    """Rooms in the order of their ids. `cursor` asks for the next page; None: this was the last."""

    rooms: list[Room]
    cursor: str | None = None


class FactPage(msgspec.Struct, frozen=True):
    """Facts of one kind, in the order of their keys (`facts`) or rooms (`facts_of`). `total` counts all of them."""

    facts: list[Known]
    total: int
    cursor: str | None = None


class Holding(msgspec.Struct, frozen=True):
    """One owner of a toggled key at a message, with the number, time and sender of the event that turned it on."""

    target: int
    """The number of the message."""
    key: str
    owner: str
    seq: int
    at: float
    by: Sender | None


class TogglePage(msgspec.Struct, frozen=True):
    """What is toggled on, the newest (the highest `seq`) first. `total` counts all of it."""

    rows: list[Holding]
    total: int
    cursor: str | None = None
