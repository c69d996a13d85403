"""The live events of a room for one stream: what is not stored, such as typing and pieces of messages that are being written."""

from collections.abc import Callable
from contextlib import suppress

from ...errors import RoomNotFound, Unavailable
from ...hub.hub import Hub
from ...hub.room import UNBOUNDED
from ...models import Envelope
from .stream import named

__all__ = ["LiveEvents"]

MOST = 64 * 1024
"""Bytes that wait for a client that reads slowly. What comes then is left out, as live events may be."""


class Live:
    """The codec. All streams of a room share what it has encoded."""

    def event(self, envelope: Envelope) -> bytes:
        """A live event; nothing for durable ones, which come from the tail of the room."""
        return b"" if envelope.seq else named(envelope.type, envelope.data)

    def reply(self, text: bytes) -> bytes:
        """Nothing: the stream's session gets them."""
        return b""


LIVE = Live()


class LiveEvents:
    """A receiver of the hub. `woken` is called when there is something to write."""

    codec = LIVE
    check_every = UNBOUNDED

    def __init__(self, hub: Hub, room: str, woken: Callable[[], None]) -> None:
        self._hub = hub
        self._room = room
        self._woken = woken
        self._entered = False
        self._waiting: list[bytes] = []
        self._size = 0

    # ---- for the hub ----

    def write(self, data: bytes) -> None:
        """Take events. Never waits and never raises."""
        if data and self._size + len(data) <= MOST:
            self._size += len(data)
            self._waiting.append(data)
            self._woken()

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """Take events."""
        self.write(replies + data)

    reply = write

    def evicted(self, room: str) -> None:
        """The room was reset or deleted."""
        self._entered = False
        self._woken()

    # ---- for the stream ----

    async def enter(self) -> None:
        """Hear the room, unless it is heard already or cannot be now."""
        if not self._entered:
            with suppress(RoomNotFound, Unavailable):
                room = await self._hub.enter(self, self._room)
                self._entered = self._hub.admit(self, room)

    def take(self) -> bytes:
        """What has come since."""
        data, self._waiting, self._size = b"".join(self._waiting), [], 0
        return data

    def leave(self) -> None:
        """Hear no more."""
        self._hub.exit(self, self._room)
