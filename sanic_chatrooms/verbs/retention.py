"""How long the events of a room are kept, where that is shorter than for others. The app decides."""

from ..errors import InvalidField, RoomNotFound
from ..models import Fact, Room
from ..stores.base import Store
from ..support.clock import now
from ..support.paging import PAGE_LIMIT
from .across import all_rooms

__all__ = ["LONGEST", "check_retention", "drop_old", "retention_fact"]

RETENTION = "retention"
"""The kind of the fact about a room that it has a retention of its own."""
LONGEST = 3_153_600_000
"""Seconds."""


def check_retention(room: Room) -> None:
    """Check how long a room keeps its events. Raises `InvalidField`."""
    if not (room.retention == 0 or 1 <= room.retention <= LONGEST):
        raise InvalidField(f"must be from 1 to {LONGEST} seconds, or 0", field="retention", limit=LONGEST)


def retention_fact(room: Room) -> Fact:
    """The fact by which the room is found when old events are dropped."""
    return Fact(RETENTION, "", b"true" if room.retention else None)


async def drop_old(store: Store) -> None:
    """Drop what is too old in all rooms with a retention of their own. Raises `Unavailable`."""
    async for room in all_rooms(store, fact=(RETENTION, "")):
        try:
            await _drop(store, room.id, now() - room.retention)
        except RoomNotFound:
            continue


async def _drop(store: Store, room: str, before: float) -> None:
    """From the front only: what is left has no hole, even where clocks of several senders disagree."""
    more, after = True, 0
    while more:
        page = await store.history(room, after=after, limit=PAGE_LIMIT)
        last = after
        for event in page.events:
            if event.timestamp >= before:
                break
            last = event.seq or last
        if last > after:
            await store.trim(room, last)
        more = page.more and bool(page.events) and last == page.events[-1].seq
        after = last
