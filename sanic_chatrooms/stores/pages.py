"""Pages of the lists that stores have."""

from typing import TypeAlias

import msgspec

from ..models import Known, Room, Sender

__all__ = ["FactPage", "Holding", "RoomAbout", "RoomPage", "TogglePage", "Unread"]


RoomAbout: TypeAlias = tuple[Room, dict[str, Known]]
"""A room, and the facts about one key in it, by kind."""


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


class Unread(msgspec.Struct, frozen=True, gc=False):
    """What a user has not read in one room. Without a membership, only `last` says something."""

    member: Known | None = None
    """The user's membership; None: there is none."""
    marker: int = 0
    """The user has read up to this number."""
    count: int = 0
    """How many events the user has not read, up to the limit of the question."""
    more: bool = False
    """There are, or may be, more than `count`."""
    first: int | None = None
    """The number of the first of them."""
    mentions: int = 0
    """How many of the messages above the marker mention the user."""
    prefs: bytes | None = None
    """The value of the user's fact `stores.unread.PREFS`; None: it does not hold."""
    last: tuple[int, float] | None = None
    """Number and time of the newest event that counts, whoever sent it; None: there is none."""
