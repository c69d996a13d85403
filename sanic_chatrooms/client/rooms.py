"""The rooms that we are in or want to be in, with our position in each, and the loops over their events.

A room has a position: everything up to it has come. Each loop over a room has its own, because its code may be slow, or begin in the
past. A join asks for what follows the lowest of them; who has that already passes it over.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import ChatError, NotAMember, PositionLost
from ..support.positions import Position
from .checks import Ack, checked_ack, position_in, text_in
from .errors import ClientClosed, NoAnswer, retry_after, seconds
from .events import Event, Frame
from .room import Follower, Room

__all__ = ["Rooms"]

MAX_ROOMS = 10_000
"""Rooms that the client keeps, whatever the server puts it into."""
AGAIN = 0.5
"""Seconds before a join is repeated, and full jitter on top."""


class Chat(Protocol):
    """What rooms need of the client."""

    @property
    def online(self) -> bool:
        """The server has welcomed us."""

    @property
    def timeout(self) -> float:
        """Seconds."""

    @property
    def backoff(self) -> tuple[float, float]:
        """The first wait and the longest, in seconds."""

    def ask(self, type: str, room: str, payload: object, done: Callable[..., None]) -> None:
        """Send a command."""

    def emit(self, event: Event, size: int) -> None:
        """Pass an event on to all who want any."""

    def confirm(self, frame: Frame) -> None:
        """Our own event proves that it is stored."""

    def pump(self) -> None:
        """Send what waits in the outbox."""


class Rooms:
    """Joins, again after every reconnect, and where events are missing."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._rooms: dict[str, Room] = {}

    def get(self, id: str | None) -> Room | None:
        """The room, if we are in it or want to be."""
        return self._rooms.get(id) if id is not None else None

    def ids(self) -> list[str]:
        """Their ids."""
        return list(self._rooms)

    def _add(self, id: str) -> Room:
        room = self._rooms[id] = Room(id, self._chat.backoff)
        return room

    # ---- for the client ----

    def join(self, id: str, history: int | None) -> "asyncio.Future[dict[str, Any]]":
        """Join, and join again for ever; -> the first ack."""
        room = self.get(id) or self._add(id)
        room.wanted, room.history = True, history
        wait: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        room.waits.append(wait)
        timer = asyncio.get_running_loop().call_later(self._chat.timeout, _reject, wait, NoAnswer())
        wait.add_done_callback(lambda _: timer.cancel())
        room.afresh = True
        self._enter(room)
        return wait

    def follow(self, follower: Follower) -> None:
        """Let a loop have the room's events."""
        room = self.get(follower.room) or self._add(follower.room)
        room.followers.add(follower)
        if follower.position is None and room.status == "in":
            follower.position = room.position
        elif room.status != "in" or follower.position != room.position:
            self._enter(room)

    def unfollow(self, follower: Follower) -> bool:
        """A loop was left. True: nobody needs the room any more."""
        room = self.get(follower.room)
        if room is None:
            return False
        room.followers.discard(follower)
        return not (room.wanted or room.followers)

    def catch_up(self, follower: Follower) -> None:
        """The code of a loop has come to the end of what it had, and there is more."""
        room = self.get(follower.room)
        follower.full = False
        if room is not None:
            self._enter(room)

    def forget(self, id: str, error: ChatError | None) -> bool:
        """Leave the room in this client: loops end with this error, or without one. True: we were in it, or wanted to be."""
        room = self._rooms.pop(id, None)
        if room is None:
            return False
        room.cancel()
        for wait in room.waits:
            _reject(wait, error or ClientClosed())
        for follower in room.followers:
            follower.waiting.end(error)
        return True

    def rejoin(self) -> None:
        """Join all rooms again after a welcome."""
        for room in list(self._rooms.values()):
            if room.status == "out":
                self._enter(room)

    def lost(self) -> None:
        """The connection is gone."""
        for room in self._rooms.values():
            room.status, room.again = "out", False
            room.cancel()

    # ---- joining ----

    def _enter(self, room: Room) -> None:
        if not self._chat.online:
            return
        if room.status == "joining":
            room.again = True
            return
        room.cancel()
        room.status, room.again = "joining", False
        afresh, room.afresh = room.afresh, False
        room.asked = None if afresh else room.lowest()
        since = None if room.asked is None else {"epoch": room.asked.epoch, "seq": room.asked.seq}
        history = room.history if room.wanted else 0
        payload = {key: value for key, value in (("since", since), ("history", history)) if value is not None}
        self._chat.ask("join", room.id, payload, lambda error, ack: self._joined(room, error, ack, afresh))

    def _joined(self, room: Room, error: ChatError | None, ack: dict[str, Any], afresh: bool) -> None:
        if self._rooms.get(room.id) is not room or room.status != "joining":
            return
        joined = checked_ack(ack) if error is None else None
        if joined is None:
            self._refused(room, error or ChatError("the server's answer to join makes no sense"))
        else:
            self._entered(room, joined, ack, afresh)

    def _refused(self, room: Room, error: ChatError) -> None:
        room.status = "out"
        if error.code in ("lost", "closed"):
            return  # the next welcome joins again
        if error.temporary:
            wait = retry_after(error)
            self._enter_later(room, AGAIN + room.backoff.failed() if wait is None else wait)
            self._answer(room, error)
            return
        entered, asked_for = room.entered, bool(room.waits)
        self.forget(room.id, error)
        if entered or not asked_for:
            self._tell("removed", room.id, {"reason": error.code})

    def _enter_later(self, room: Room, wait: float) -> None:
        room.status = "out"
        room.later(wait, self._enter)

    def _entered(self, room: Room, joined: Ack, ack: dict[str, Any], afresh: bool) -> None:
        before, asked, room.asked = room.position, room.asked, None
        room.status, room.entered = "in", True
        room.backoff.succeeded()
        missed = not joined.recovered and not afresh and before is not None
        if (
            missed and before is not None
        ):  # as long as it is only a loop that asked, the room may be recovered
            missed = before == asked or before.epoch != joined.position.epoch
        if afresh or before is None or missed:
            room.position = joined.position
            for message in joined.messages:
                self._chat.confirm(message)
        if not joined.recovered:
            self._lose(room, asked, joined.position)
        for follower in room.followers:
            follower.position = follower.position or joined.position
        self._tell("joined", room.id, {**ack, "rejoin": not afresh})
        if missed and before is not None and (before.seq > 0 or joined.more):
            self._tell("gap", room.id, {key: ack.get(key) for key in ("epoch", "seq", "messages", "more")})
        if joined.recovered:
            for message in joined.messages:
                self.take(message, joined.size)
        self._answer(room, None, ack)
        self._look_again(room, recovered=joined.recovered)
        self._chat.pump()

    def _look_again(self, room: Room, *, recovered: bool) -> None:
        """Join once more if a loop wants what this join has not brought."""
        lowest = room.lowest()
        if room.again:
            self._enter(room)
        elif lowest is not None and lowest != room.position:
            if recovered:  # the server has said that this was all
                self._hole(room)
            else:
                self._enter(room)

    def _lose(self, room: Room, asked: Position | None, head: Position) -> None:
        """What follows these positions cannot be told: the loops that stand there end."""
        for one in list(room.followers):
            if one.position is not None and (one.position == asked or one.position.epoch != head.epoch):
                room.followers.discard(one)
                one.waiting.end(PositionLost(room=room.id, epoch=head.epoch, seq=head.seq))

    def _answer(self, room: Room, error: ChatError | None, ack: dict[str, Any] | None = None) -> None:
        waits, room.waits = room.waits, []
        for wait in waits:
            if wait.done():
                continue
            if error is not None:
                wait.set_exception(error)
            else:
                wait.set_result(ack or {})

    def _tell(self, type: str, room: str, payload: dict[str, Any]) -> None:
        self._chat.emit(Event({"type": type, "room": room, "payload": payload}), 1000)

    # ---- events ----

    def take(self, frame: Frame, size: int) -> None:
        """A durable event: pass it on if it is the next one of its room."""
        room = self.get(frame["room"])
        if room is None or room.position is None:
            return
        epoch, seq = room.position
        for follower in list(room.followers):
            follower.offer(epoch, frame, size)
        if frame["seq"] == seq + 1:
            room.position = Position(epoch, seq + 1)
            room.holes = 0
            self._chat.confirm(frame)
            self._chat.emit(Event(frame, room.position), size)
        elif frame["seq"] > seq + 1 and room.status == "in":
            self._hole(room)

    def _hole(self, room: Room) -> None:
        room.holes += 1
        if room.holes == 1:
            self._enter(room)
        else:  # the same hole again: wait, to avoid a tight loop
            self._enter_later(room, AGAIN + room.backoff.failed())

    def reset(self, payload: dict[str, Any]) -> None:
        """The server cannot prove that there is no gap."""
        room = self.get(text_in(payload.get("room")))
        if room is not None and room.status == "in":
            self._enter_later(room, seconds(payload.get("rejoinIn")) or 0.0)

    def added(self, payload: dict[str, Any]) -> None:
        """The server put this connection into a room; its events from seq + 1 follow."""
        id, position = text_in(payload.get("room")), position_in(payload)
        if id is None or position is None or (id not in self._rooms and len(self._rooms) >= MAX_ROOMS):
            return
        room = self.get(id) or self._add(id)
        room.wanted = room.entered = True
        if room.status == "joining":
            return
        room.status = "in"
        if room.position is None:
            room.position = position
        elif room.position.epoch != position.epoch or room.position.seq < position.seq:
            self._enter(room)
        self._chat.pump()

    def removed(self, payload: dict[str, Any]) -> None:
        """The server took this connection out of a room."""
        id, reason = text_in(payload.get("room")), payload.get("reason")
        if id is not None:
            self.forget(id, NotAMember(f"removed from the room: {reason}"))
            self._chat.pump()

    def joined_by_path(self, ack: dict[str, Any]) -> None:
        """The server joined the room of the socket's path for us."""
        id, joined = text_in(ack.get("room")), checked_ack(ack)
        if id is None or joined is None or id in self._rooms:
            return
        room = self._add(id)
        room.wanted = True
        self._entered(room, joined, ack, True)


def _reject(wait: "asyncio.Future[dict[str, Any]]", error: ChatError) -> None:
    if not wait.done():
        wait.set_exception(error)
