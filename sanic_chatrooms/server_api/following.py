"""Verbs with which code hears rooms."""

import re
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any

from ..errors import InvalidField, RoomNotFound
from ..follows.event import RoomEvent
from ..models import is_reserved
from ..support.positions import Position, Since, read_since, write
from ..wire.names import check_room_id
from .base import Verbs

__all__ = ["Following"]

MAX_ROOMS = 1_000
"""Rooms in one loop."""
_ONCE = re.compile(r"[A-Za-z0-9_.:~-]{1,64}")


class Following(Verbs):
    """Verbs with which code hears rooms."""

    def follow(
        self,
        room: str | None = None,
        *,
        rooms: Collection[str] | None = None,
        since: Since | None = None,
        types: Collection[str] | None = None,
        once: str | None = None,
    ) -> AsyncGenerator[RoomEvent, None]:
        """Loop over the durable events of a room, or of up to 1,000 `rooms`: in order in each room, without a gap, in any process.

            async for event in chat.follow("orders", since=saved):
                ...
                saved = chat.position(event)

        `since` is what `position` gave, or (epoch, seq) in a single room. Without it, the loop begins with what comes from its
        first step on; so do rooms that `since` does not name. `types` leaves out events of other types. Edited and deleted
        messages that are read from the store are as they are now. The loop ends when the chat stops. While the store does
        not answer, it waits.

        With `once`, a name, only one loop of all processes that have this name gets the events, and another takes over in
        some seconds if its process dies. How far it came is kept in the store, and comes before `since`: the next loop
        begins after the last event whose turn of the loop was finished. So each event is handled exactly once, except the
        one that was being handled when a process died: that one again.

        Raises `InvalidField` at once; in the loop `RoomNotFound`, and `PositionLost` where what follows a position was
        trimmed or the room has another past. With `once`, the next loop then begins at the room's head.
        """
        asked = _rooms(room, rooms)
        places = {} if since is None else read_since(since, asked)
        if types is not None and (isinstance(types, str) or not all(isinstance(type, str) for type in types)):
            raise InvalidField('must be several types: types=("message",)', field="types")
        _check_name(once)
        return self.running().follows.follow(asked, places, types, once)

    def position(self, event: RoomEvent) -> str:
        """Where a loop stands with this event: what `since` takes to go on after it, in the same rooms."""
        if not isinstance(event, RoomEvent):
            raise InvalidField(f"must be an event of follow(), and not {type(event).__name__}", field="event")
        places: Mapping[str, Position] = event.positions or {event.room: Position(event.epoch, event.seq)}
        return write(places)


def _check_name(once: object) -> None:
    if once is not None and not (isinstance(once, str) and _ONCE.fullmatch(once)):
        raise InvalidField("must be a name of 1 to 64 letters, digits or -_.:~", field="once")


def _rooms(room: str | None, rooms: Collection[str] | None) -> list[str]:
    if (room is None) == (rooms is None):
        raise InvalidField("give a room, or rooms", field="rooms")
    if isinstance(rooms, str):
        raise InvalidField('must be several rooms: rooms=["a", "b"]', field="rooms")
    asked: list[Any] = list(dict.fromkeys((room,) if rooms is None else rooms))
    if not 0 < len(asked) <= MAX_ROOMS:
        raise InvalidField(f"must be 1 to {MAX_ROOMS} rooms", field="rooms", limit=MAX_ROOMS)
    for id in asked:
        check_room_id(id)
        if is_reserved(id):
            raise RoomNotFound
    return asked
