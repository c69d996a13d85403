"""What goes out: frames gather during a turn of the event loop, and at its end each connection gets one write.

`emit` and `flush` carry every message to every connection; what makes them long is said there.
"""

import asyncio
from collections.abc import Callable, Iterable

from .room import HeldRoom, Receiver

__all__ = ["Fanout"]


class Fanout:
    """The frames of this turn: of rooms, for all who are in them, and of replies, for one connection each."""

    def __init__(self) -> None:
        self._dirty: list[HeldRoom] = []
        self._replies: dict[Receiver, list[bytes]] = {}
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()

    def emit(self, room: HeldRoom, frame: bytes) -> None:
        """Append a frame to what the room's sessions get with the next flush."""
        if not room.pending:
            self._dirty.append(room)
            self._schedule()
        room.pending.append(frame)
        for buffer in room.waiting.values():
            buffer.append(frame)

    def reply(self, receiver: Receiver, frame: bytes) -> None:
        """Frames for one connection, in the same write as its room events of this turn, and before them."""
        replies = self._replies.get(receiver)
        if replies is None:
            self._replies[receiver] = [frame]
            self._schedule()
        else:
            replies.append(frame)

    def _schedule(self) -> None:
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write everything that gathered in this turn: one join per room, one write per connection.

        One dirty room is the common case and needs no gathering per session.
        """
        self._scheduled = False
        replies, self._replies = self._replies, {}
        dirty, self._dirty = self._dirty, []
        if len(dirty) == 1:
            self._push_room(dirty[0], replies)
        elif dirty:
            self._push_gathered(dirty, replies)
        for receiver, own in replies.items():
            receiver.reply(b"".join(own))

    def _push_room(self, room: HeldRoom, replies: dict[Receiver, list[bytes]]) -> None:
        """The transports' own `write` takes what there is in one loop: a `push` for each would cost half as much as the
        system's work for it. How far each one is behind is looked at once in so many bytes."""
        blob = b"".join(room.pending)
        room.pending.clear()
        sessions = room.sessions
        room.unchecked += len(blob)
        if room.unchecked >= room.slack:
            room.unchecked = 0
            for receiver in sessions:
                receiver.push(blob, b"".join(replies.pop(receiver, ())))
            return
        answered = [receiver for receiver in replies if receiver in sessions]
        for receiver in answered:
            receiver.push(blob, b"".join(replies.pop(receiver)))
            sessions[receiver] = _written
        _write_all(sessions.values(), blob)
        for receiver in answered:
            sessions[receiver] = receiver.write

    def _push_gathered(self, dirty: list[HeldRoom], replies: dict[Receiver, list[bytes]]) -> None:
        gathered: dict[Receiver, list[bytes]] = {}
        for room in dirty:
            blob = b"".join(room.pending)
            room.pending.clear()
            for receiver in room.sessions:
                parts = gathered.get(receiver)
                if parts is None:
                    gathered[receiver] = [b"".join(replies.pop(receiver, ())), blob]
                else:
                    parts.append(blob)
        for receiver, (own, *blobs) in gathered.items():
            receiver.push(b"".join(blobs), own)

    def owed(self, receiver: Receiver) -> int:
        """Bytes for this connection alone that wait for the flush."""
        return sum(map(len, self._replies.get(receiver, ())))

    def answer(self, receiver: Receiver) -> None:
        """Write at once what is for this connection alone: it gets nothing else any more."""
        own = self._replies.pop(receiver, None)
        if own is not None:
            receiver.reply(b"".join(own))


def _write_all(writes: Iterable[Callable[[bytes], None]], blob: bytes) -> None:
    rest = iter(writes)
    while True:
        try:
            for write in rest:
                write(blob)
            return
        except RuntimeError:
            continue  # its connection is gone, which the session will hear in a moment; on with the next one


def _written(_: bytes) -> None:
    """Stands in for the `write` of who had the frames together with a reply."""
