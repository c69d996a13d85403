"""How many members a room takes (`MAX_MEMBERS`). The app may add more."""

from ..errors import RoomLimit
from ..stores.members import MEMBER
from .core import Core

__all__ = ["check_place", "is_over", "room_full"]

NEAR = 200
"""Free places below which members are counted for each new one."""
SHARE = 100
"""A process lets this part of the free places be taken before it counts again: counting may cost the more the more there are."""
REMEMBERED = 10_000
"""Rooms whose free places a process remembers."""


async def check_place(core: Core, room: str) -> bool:
    """Check that the room takes one more member; -> whether it is nearly full: then nobody else may become one at the same time.

    Raises `RoomLimit`, `RoomNotFound`.
    """
    places, most = core.places, core.settings.max_members
    if (left := places.pop(room, 0)) > 1:
        places[room] = left - 1
        return False
    free = most - await _members(core, room)
    if free <= 0:
        raise room_full(core, room)
    if free < NEAR:
        return True
    if len(places) >= REMEMBERED:
        places.pop(next(iter(places)))
    places[room] = free // SHARE
    return False


def room_full(core: Core, room: str) -> RoomLimit:
    """The refusal of one more member."""
    most = core.settings.max_members
    return RoomLimit(f"the room is full: it takes {most} members", limit=most, room=room)


async def is_over(core: Core, room: str) -> bool:
    """Whether the room has more members than it takes."""
    return await _members(core, room) > core.settings.max_members


async def _members(core: Core, room: str) -> int:
    return (await core.store.facts(room, MEMBER, limit=1)).total
