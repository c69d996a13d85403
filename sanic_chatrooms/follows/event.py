"""What code that follows rooms gets."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ..models import Event, Sender
from ..support.positions import Position

__all__ = ["RoomEvent"]


class RoomEvent(msgspec.Struct, frozen=True):
    """A durable event of a room, as code gets it from `ChatRooms.follow`."""

    room: str
    epoch: str
    seq: int
    """The event's number in its room."""
    type: str
    payload: dict[str, Any]
    sender: Sender | None
    """The user who caused it; None: the app did."""
    msg_id: str
    timestamp: float
    """Unix seconds."""
    client_msg_id: str | None = None
    """The `msgId` of the command that caused it."""
    edited: float | None = None
    deleted: bool = False
    """The message was deleted before this was read; its payload is {}."""
    changed: int | None = None
    """The number of its newest change that is in it."""
    positions: Mapping[str, Position] = {}
    """Where all rooms of the same loop stand with this event."""

    @classmethod
    def of(cls, event: Event, room: str, positions: Mapping[str, Position]) -> "RoomEvent":
        """The event at this position of its room."""
        return cls(
            room,
            positions[room].epoch,
            positions[room].seq,
            event.type,
            msgspec.json.decode(event.payload),
            event.sender,
            event.msg_id,
            event.timestamp,
            event.client_msg_id,
            event.edited,
            event.deleted,
            event.changed,
            positions,
        )
