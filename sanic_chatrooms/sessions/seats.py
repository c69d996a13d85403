"""The seats of a session: its rooms, with the user's standing in each."""

from ..access.standing import Standing
from ..models import Room

__all__ = ["Seat", "Seats"]


class Seat:
    """A session's place in a room. Its messages are judged by this without reading the store."""

    __slots__ = ("fresh", "room", "says", "standing")

    def __init__(self, room: Room, standing: Standing) -> None:
        self.fresh = True
        """False: the standing may have changed. It is read again before the next command."""
        self.says: bool | None = None
        """Whether the user may send messages here, apart from the policy; None: this was not decided yet."""
        self.stand(room, standing)

    def stand(self, room: Room, standing: Standing) -> None:
        """The room and the standing as they are now."""
        self.room = room
        self.standing = standing
        self.says = None


class Seats(dict[str, Seat]):
    """Seats by room. Only `entering` adds and removes seats."""

    __slots__ = ("changes",)

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0
        """How often a standing of the user has changed."""

    def changed(self, room: str) -> None:
        """The user's standing in this room may have changed."""
        self.changes += 1
        seat = self.get(room)
        if seat is not None:
            seat.fresh = False

    def all_changed(self) -> None:
        """What the user may do has changed everywhere."""
        self.changes += 1
        for seat in self.values():
            seat.fresh = False
