"""One room, read by code: from the store up to its head, then as its events come.

What comes waits in a bounded buffer. If code is so slow that the buffer is full, it is dropped, and read from the store again later.
"""

from collections.abc import Callable, Sequence

import msgspec

from ..errors import PositionLost, RoomNotFound
from ..hub.hub import Hub
from ..hub.room import UNBOUNDED
from ..models import Envelope, Event
from ..stores.base import Store
from ..support.paging import PAGE_LIMIT
from ..support.positions import Position

__all__ = ["BUFFER", "Hearing", "Tail"]

BUFFER = 1024 * 1024
"""Bytes of events that wait for the code of one loop; its rooms share them …"""
LEAST = 64 * 1024
"""… but each has at least so many."""
SEPARATOR = b"\x00"
"""Stands before each event; JSON has none."""

_decode = msgspec.json.Decoder(Event).decode


class Hearing:
    """The codec of code that follows rooms: durable events as JSON. Live ones and replies are left out."""

    def event(self, envelope: Envelope) -> bytes:
        """The event behind a separator."""
        return SEPARATOR + envelope.data if envelope.seq else b""

    def reply(self, text: bytes) -> bytes:
        """Nothing: `Tail.evicted` tells what happened."""
        return b""


HEARING = Hearing()


class Tail:
    """A receiver of the hub for one room of one loop. `woken` is called when there is something to read."""

    codec = HEARING
    check_every = UNBOUNDED

    def __init__(
        self, hub: Hub, store: Store, room: str, woken: Callable[["Tail"], None], rooms: int = 1
    ) -> None:
        self.room = room
        self._most = max(LEAST, BUFFER // rooms)
        self.position = Position("", 0)
        """Everything up to it was read."""
        self._hub = hub
        self._store = store
        self._woken = woken
        self._heard: list[bytes] = []
        self._size = 0
        self._entered = False
        self.behind = True
        """There may be events in the store, earlier than those that are heard, that were not read yet."""

    # ---- for the hub ----

    def write(self, data: bytes) -> None:
        """Take events. Never waits and never raises."""
        if not data:
            return
        self._size += len(data)
        if self._size > self._most:
            self.behind = True
            self._heard.clear()
        else:
            self._heard.append(data)
        self._woken(self)

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """Take events."""
        self.write(replies + data)

    reply = write

    def evicted(self, room: str) -> None:
        """The room was reset or deleted: the store says what became of it."""
        self._entered = False
        self._fall_behind()
        self._woken(self)

    # ---- for the loop ----

    async def begin(self, position: Position | None) -> None:
        """Stand at this position; None: at the room's head. Raises `RoomNotFound`, `Unavailable`."""
        if position is None:
            head = (await self._store.heads((self.room,))).get(self.room)
            if head is None:
                raise RoomNotFound(f"there is no room {self.room!r}")
            position = Position(head.epoch, head.seq)
        self.position = position
        self._fall_behind()

    def leave(self) -> None:
        """Hear no more."""
        self._hub.exit(self, self.room)
        self._entered = False
        self._fall_behind()

    def _fall_behind(self) -> None:
        self.behind = True
        self._heard.clear()
        self._size = 0

    async def read(self) -> Sequence[Event]:
        """The next events, a page at most; none: there is nothing new. `position` is then for the caller to move.

        Raises `PositionLost`, `RoomNotFound`, `Unavailable`.
        """
        if not self._entered:
            await self._enter()
        if self.behind:
            return await self._read_from_store()
        return self._read_from_buffer()

    async def _enter(self) -> None:
        room = await self._hub.enter(self, self.room)
        self._entered = self._hub.admit(self, room)

    async def _read_from_store(self) -> Sequence[Event]:
        # From here on, the buffer has what comes after the page that is read now.
        self._heard.clear()
        self._size = 0
        epoch, seq = self.position
        page = await self._store.history(self.room, after=seq, limit=PAGE_LIMIT)
        if page.epoch != epoch or page.floor > seq or page.seq < seq:
            raise PositionLost(room=self.room, epoch=page.epoch, seq=page.seq)
        self.behind = page.more or not self._entered or self._size > self._most
        self._woken(self)
        return page.events

    def _read_from_buffer(self) -> Sequence[Event]:
        heard, self._heard = b"".join(self._heard), []
        self._size = 0
        last, events = self.position.seq, list[Event]()
        for text in heard.split(SEPARATOR)[1:]:
            event = _decode(text)
            seq = event.seq or 0
            if seq == last + 1:
                events.append(event)
                last = seq
            elif seq > last:
                self.behind = True
                self._woken(self)
                break
        return events
