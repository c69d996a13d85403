"""A room on this worker: its position, and the sessions in it, grouped by codec."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from ..models import Envelope, Head
from .sequence import Sequencer

__all__ = ["Codec", "Lane", "LocalRoom", "Receiver", "Watcher", "Writer"]

UNBOUNDED = 2**62


class Codec(Protocol):
    """Encodes events and replies for one kind of connection. All connections of that kind share one codec object.

    What it returns is joined without a separator, and written to the connections as it is.
    """

    def event(self, envelope: Envelope) -> bytes:
        """An event of a room."""

    def reply(self, text: bytes) -> bytes:
        """A reply, or a live event for one connection. `text` is a JSON object of `chatrooms.v1`."""


class Writer(Protocol):
    """Writes to one connection.

    `write` checks nothing: it is the transport's own. `check_every` is how many bytes may be written that way before
    `push` has to check that the peer reads them.
    """

    @property
    def codec(self) -> Codec:
        """The codec of its kind of connection."""

    @property
    def check_every(self) -> int:
        """Bytes."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Write bytes to the connection."""

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """Write events of rooms, or close the connection if it reads too slowly.

        `replies` are for this connection alone. They go first, in the same write, and do not count as unread.
        """

    def reply(self, data: bytes) -> None:
        """Write what is for this connection alone. Never closes the connection."""


class Receiver(Writer, Protocol):
    """What the hub needs of a session."""

    def evicted(self, room: str) -> None:
        """The hub has taken this session out of the room."""


class Watcher(Protocol):
    """Gets the events of a reserved room in this process."""

    def on_event(self, envelope: Envelope) -> None:
        """The room's next event, in order; or a live one."""

    def on_gap(self, room: str) -> None:
        """Events of this room are lost."""

    def on_deleted(self, room: str) -> None:
        """The room was deleted before it had an event."""


class Lane:
    """The sessions in a room that share a codec. An event is encoded once for all of them."""

    __slots__ = ("check_every", "codec", "pending", "sessions", "unchecked", "waiting")

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.sessions: dict[Receiver, Callable[[bytes], None]] = {}
        """Sessions in the room, with the `write` of each."""
        self.waiting: dict[Receiver, list[bytes]] = {}
        """Sessions that are entering, with the events since their position was taken."""
        self.pending: list[bytes] = []
        """What goes out with the next flush."""
        self.check_every = UNBOUNDED
        """Bytes that may be written before the hub checks that the sessions read: the smallest `check_every` of them."""
        self.unchecked = 0
        """Bytes written since the last check."""

    @property
    def used(self) -> bool:
        """A session is in it, or entering."""
        return bool(self.sessions or self.waiting)

    def admit(self, receiver: Receiver) -> None:
        """Put a session into the lane."""
        self.sessions[receiver] = receiver.write
        self.check_every = min(self.check_every, receiver.check_every)


class LocalRoom:
    """A room that this worker is subscribed to, or is about to be."""

    __slots__ = ("id", "lanes", "public", "repairing", "sequence", "store_epoch", "timer", "watcher")

    def __init__(self, id: str) -> None:
        self.id = id
        self.sequence = Sequencer()
        self.store_epoch: str | None = None
        """The epoch of the reserved room of all connections, when the position was taken. If it has changed, the store has lost its rooms."""
        self.public = False
        """The last session that entered found it public."""
        self.lanes: tuple[Lane, ...] = ()
        """One for each codec of the sessions."""
        self.watcher: Watcher | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.repairing: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Subscribed, and the position is known."""
        return self.sequence.up

    @property
    def head(self) -> Head:
        """The position: everything up to it has been sent."""
        return self.sequence.head

    @property
    def unused(self) -> bool:
        """No session needs it, and it is not watched."""
        if self.watcher is not None:
            return False
        for lane in self.lanes:  # noqa: SIM110 - mostly there is one lane: a generator would cost more than the rest
            if lane.used:
                return False
        return True

    @property
    def size(self) -> int:
        """How many sessions are in the room."""
        return sum(len(lane.sessions) for lane in self.lanes)

    def sessions(self) -> Iterator[Receiver]:
        """The sessions in the room."""
        return (receiver for lane in self.lanes for receiver in lane.sessions)

    def __contains__(self, receiver: Receiver) -> bool:
        """Whether a session is in the room, or entering it."""
        lane = self.lane(receiver)
        return lane is not None and (receiver in lane.sessions or receiver in lane.waiting)

    def lane(self, receiver: Receiver) -> Lane | None:
        """The lane of this session's codec, if there is one."""
        codec = receiver.codec
        for lane in self.lanes:
            if lane.codec is codec:
                return lane
        return None

    def open_lane(self, receiver: Receiver) -> Lane:
        """The lane of this session's codec. It is created for the first session of its kind."""
        lane = self.lane(receiver)
        if lane is None:
            lane = Lane(receiver.codec)
            self.lanes += (lane,)
        return lane

    def drop_empty_lanes(self) -> None:
        """Drop lanes without sessions: their codecs need not encode."""
        for lane in self.lanes:
            if not lane.used:
                self.lanes = tuple(lane for lane in self.lanes if lane.used)
                return
