"""Where a session is: its seats in rooms, by which it is judged without asking the store each time."""

from ..access.standing import Standing
from ..models import Room

__all__ = ["Seat", "Seats"]


class Seat:
    """A session in a room: what its messages are judged by without asking the store each time."""

    __slots__ = ("fresh", "room", "standing")

    def __init__(self, room: Room, standing: Standing) -> None:
        self.room = room
        self.standing = standing
        self.fresh = True
        """Nothing is known that has changed since. Else it is looked up before the next command is judged."""


class Seats(dict[str, Seat]):
    """By room. Only entering and leaving rooms adds and removes seats."""

    __slots__ = ("changes",)

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0
        """How often something has changed that the user is in some room."""

    def changed(self, room: str) -> None:
        """What the user is in this room has changed, or may have."""
        self.changes += 1
        seat = self.get(room)
        if seat is not None:
            seat.fresh = False
