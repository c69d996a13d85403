"""One room of a client, and the loops over its events."""

import asyncio
from typing import Any

from ..support.backoff import Backoff
from ..support.positions import Position
from .events import Event, Frame, Waiting

__all__ = ["Follower", "Room"]


class Follower:
    """One loop over the durable events of one room."""

    def __init__(self, room: str, position: Position | None, waiting: Waiting) -> None:
        self.room = room
        self.position = position
        """What was put into the queue last; None: it begins where the room stands when it is joined."""
        self.waiting = waiting
        self.full = False
        """It has missed events, and gets them when its code has come so far."""

    def offer(self, epoch: str, frame: Frame, size: int) -> None:
        """Take the event if it is the next one."""
        if self.position is None or self.full:
            return
        if self.position.epoch == epoch and frame["seq"] == self.position.seq + 1:
            place = Position(epoch, frame["seq"])
            if self.waiting.put(Event(frame, place), size):
                self.position = place
            else:
                self.full = True


class Room:
    """One room. `status`: out, joining, in."""

    def __init__(self, id: str, backoff: tuple[float, float]) -> None:
        self.id = id
        self.status = "out"
        self.position: Position | None = None
        self.history: int | None = None
        self.wanted = False
        """The app has joined it; else it is joined only for loops."""
        self.entered = False
        self.followers: set[Follower] = set()
        self.waits: list[asyncio.Future[dict[str, Any]]] = []
        self.timer: asyncio.TimerHandle | None = None
        self.backoff = Backoff(*backoff, least=0.0)
        self.holes = 0
        self.asked: Position | None = None
        """The position with which the join under way asks."""
        self.afresh = False
        self.again = False
        """Join once more after the join under way."""

    def lowest(self) -> Position | None:
        """The position to ask from: positions in another epoch first, which the server will refuse."""
        places = [one.position for one in self.followers if one.position is not None and not one.full]
        if self.position is not None:
            places.append(self.position)
        mine = None if self.position is None else self.position.epoch
        return min(places, key=lambda place: (place.epoch == mine, place.seq), default=None)

    def later(self, wait: float, call: Any) -> None:
        """Call it with this room after so many seconds, unless something else comes before."""
        self.cancel()
        self.timer = asyncio.get_running_loop().call_later(wait, call, self)

    def cancel(self) -> None:
        """Do not call it."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
