"""Writes to connections: events and replies gather during a turn of the event loop, and each connection gets one write.

`emit` and `flush` carry every message to every connection; what makes them long is said there.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..models import Envelope
from .room import Codec, Lane, LocalRoom, Receiver

__all__ = ["Fanout"]

FEW = 32
"""Sessions of a room for whom an event is written alone. Where more hear it, those who speak meanwhile have to share the write …"""
PAUSE = 0.002
"""… and seconds since the end of the last flush. In what a flush takes, others speak, so it counts as no pause."""


class Fanout:
    """What goes out in this turn: events of rooms for all their sessions, and replies for one connection each."""

    def __init__(self, rooms: Mapping[str, LocalRoom] | None = None) -> None:
        self._rooms = {} if rooms is None else rooms
        self._flushed_at = 0.0
        self._dirty: list[Lane] = []
        self._replies: dict[Receiver, list[bytes]] = {}
        self._scheduled = False
        self.deliveries = 0
        """Events that were written to connections, one for each that got it …"""
        self.delivered_bytes = 0
        """… and their bytes."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()

    def emit(self, room: LocalRoom, envelope: Envelope) -> None:
        """Append an event to what the room's sessions get with the next flush. The codec of each lane encodes it once."""
        for lane in room.lanes:
            data = lane.codec.event(envelope)
            if not lane.pending:
                self._dirty.append(lane)
                self._schedule()
            lane.pending.append(data)
            for buffer in lane.waiting.values():
                buffer.append(data)

    def emit_to_quick(
        self, room: LocalRoom, envelopes: Sequence[Envelope], slow: Callable[[Receiver], bool]
    ) -> list[Receiver]:
        """Like `emit` for each, but not to sessions that are `slow`; -> these."""
        left_out: list[Receiver] = []
        for lane in room.lanes:
            late = [receiver for receiver in lane.sessions if slow(receiver)]
            if late:
                self._emit_around(lane, envelopes, set(late))
                left_out += late
            else:
                self._emit_to(lane, envelopes)
        return left_out

    def _emit_to(self, lane: Lane, envelopes: Sequence[Envelope]) -> None:
        data = list(map(lane.codec.event, envelopes))
        if not lane.pending:
            self._dirty.append(lane)
            self._schedule()
        lane.pending += data
        for buffer in lane.waiting.values():
            buffer += data

    def _emit_around(self, lane: Lane, envelopes: Sequence[Envelope], late: set[Receiver]) -> None:
        self.flush()  # what came before goes first
        data = b"".join(map(lane.codec.event, envelopes))
        for receiver in list(lane.sessions):
            if receiver not in late:
                receiver.push(data)
        for buffer in lane.waiting.values():
            buffer.append(data)

    def reply(self, receiver: Receiver, data: bytes) -> None:
        """Append bytes for one connection. They go first in its write of this turn."""
        replies = self._replies.get(receiver)
        if replies is None:
            self._replies[receiver] = [data]
            self._schedule()
        else:
            replies.append(data)

    def _schedule(self) -> None:
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def is_quiet(self, id: str) -> bool:
        """Do so few hear the room, and was nothing written for so long, that its next event need not wait for others to share its write?"""
        room = self._rooms.get(id)
        if room is None:
            return False  # nobody waits for it
        sessions = 0
        for lane in room.lanes:
            sessions += len(lane.sessions)
        return 0 < sessions <= FEW and time.monotonic() - self._flushed_at > PAUSE

    def together(self, work: Callable[[], None]) -> None:
        """Do what makes events and replies, and write these at its end. A flush that waits for the next turn costs a turn."""
        self._scheduled = True
        try:
            work()
        finally:
            self.flush()

    def flush(self) -> None:
        """Write everything that gathered in this turn: one join per lane, one write per connection.

        Mostly only one lane has something, and nothing has to be gathered per session.
        """
        self._scheduled = False
        replies, self._replies = self._replies, {}
        dirty, self._dirty = self._dirty, []
        if len(dirty) == 1:
            self._push_lane(dirty[0], replies)
        elif dirty:
            self._push_lanes(dirty, replies)
        for receiver, own in replies.items():
            receiver.reply(b"".join(own))
        self._flushed_at = time.monotonic()

    def _take(self, lane: Lane) -> bytes:
        data = b"".join(lane.pending)
        receivers = len(lane.sessions)
        self.deliveries += receivers * len(lane.pending)
        self.delivered_bytes += receivers * len(data)
        lane.pending.clear()
        return data

    def _push_lane(self, lane: Lane, replies: dict[Receiver, list[bytes]]) -> None:
        """Call the transports' own `write` in one loop: calling `push` for each would cost half as much as the system calls.
        So `push` checks how far each session is behind only once in so many bytes."""
        blob = self._take(lane)
        sessions = lane.sessions
        lane.unchecked += len(blob)
        if lane.unchecked >= lane.check_every:
            lane.unchecked = 0
            for receiver in sessions:
                receiver.push(blob, b"".join(replies.pop(receiver, ())))
            return
        answered: list[Receiver] = []
        for receiver, own in replies.items():
            if receiver in sessions:
                receiver.push(blob, b"".join(own))
                sessions[receiver] = _written
                answered.append(receiver)
        _write_all(sessions.values(), blob)
        for receiver in answered:
            sessions[receiver] = receiver.write
            del replies[receiver]

    def _push_lanes(self, lanes: Iterable[Lane], replies: dict[Receiver, list[bytes]]) -> None:
        """Lanes of different codecs share no connection. Lanes of the same codec have to be gathered per session, if they share one."""
        by_codec: dict[Codec, list[Lane]] = {}
        for lane in lanes:
            by_codec.setdefault(lane.codec, []).append(lane)
        for alike in by_codec.values():
            if _share_nobody(alike):
                for lane in alike:
                    self._push_lane(lane, replies)
            else:
                self._push_gathered(alike, replies)

    def _push_gathered(self, lanes: Iterable[Lane], replies: dict[Receiver, list[bytes]]) -> None:
        gathered: dict[Receiver, list[bytes]] = {}
        for lane in lanes:
            blob = self._take(lane)
            for receiver in lane.sessions:
                parts = gathered.get(receiver)
                if parts is None:
                    gathered[receiver] = [b"".join(replies.pop(receiver, ())), blob]
                else:
                    parts.append(blob)
        for receiver, (own, *blobs) in gathered.items():
            receiver.push(b"".join(blobs), own)

    def owed(self, receiver: Receiver) -> int:
        """Bytes for this connection alone that wait for the flush."""
        own = self._replies.get(receiver)
        return 0 if own is None else sum(map(len, own))

    def answer(self, receiver: Receiver) -> None:
        """Write the replies of this connection at once, since it gets no more events."""
        own = self._replies.pop(receiver, None)
        if own is not None:
            receiver.reply(b"".join(own))


def _share_nobody(lanes: Iterable[Lane]) -> bool:
    seen: set[Receiver] = set()
    for lane in lanes:
        if not seen.isdisjoint(lane.sessions):
            return False
        seen.update(lane.sessions)
    return True


def _write_all(writes: Iterable[Callable[[bytes], None]], blob: bytes) -> None:
    rest = iter(writes)
    while True:
        try:
            for write in rest:
                write(blob)
            return
        except RuntimeError:
            continue  # the connection is closed, which its session is told in a moment; on with the next one


def _written(_: bytes) -> None:
    """Stands in for the `write` of a session that got its events together with a reply."""
