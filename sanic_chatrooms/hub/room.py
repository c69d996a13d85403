"""A room as this worker has it: where it stands, and who is in it, by the way in which they are told."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from ..models import Envelope, Head
from .sequence import Sequencer

__all__ = ["Codec", "Lane", "LocalRoom", "Receiver", "Watcher"]

UNBOUNDED = 2**62


class Codec(Protocol):
    """How one kind of connection is told: each has one object for all its connections.

    What it returns is joined without a separator, and written to all of them as it is.
    """

    def event(self, envelope: Envelope) -> bytes:
        """An event of a room."""

    def reply(self, text: bytes) -> bytes:
        """A reply, or a live event for this connection alone, as a JSON object of `chatrooms.v1`."""


class Receiver(Protocol):
    """What the hub needs of a session.

    `write` checks nothing: it is the transport's own. `check_every` is how many bytes may be written that way before
    `push` has to check that the peer reads them.
    """

    @property
    def codec(self) -> Codec:
        """How it is told."""

    @property
    def check_every(self) -> int:
        """Bytes."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Bytes onto the connection."""

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """Take events of rooms; may decide that the connection is too slow.

        `replies` are for this connection alone: they go first, in the same write, and do not count towards that.
        """

    def reply(self, data: bytes) -> None:
        """Take what is for this connection alone."""

    def evicted(self, room: str) -> None:
        """The hub has taken this session out of the room."""


class Watcher(Protocol):
    """Hears a reserved room inside this process."""

    def heard(self, envelope: Envelope) -> None:
        """The room's next event, in order; or a live one."""

    def lost(self, room: str) -> None:
        """Events of this room are gone for good."""

    def vanished(self, room: str) -> None:
        """The room is gone, before there ever was an event in it."""


class Lane:
    """The sessions of a room that are told by one codec: an event is encoded once for all of them."""

    __slots__ = ("check_every", "codec", "pending", "sessions", "unchecked", "waiting")

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.sessions: dict[Receiver, Callable[[bytes], None]] = {}
        """Who is in it, with how they are written to."""
        self.waiting: dict[Receiver, list[bytes]] = {}
        """Sessions that are entering, with what came since their position was taken."""
        self.pending: list[bytes] = []
        """What goes out with the next flush."""
        self.check_every = UNBOUNDED
        """Bytes that may be written before it is checked that everybody reads: the least that one of them asks for."""
        self.unchecked = 0
        """Bytes that were written since."""

    @property
    def used(self) -> bool:
        """Somebody is in it, or enters."""
        return bool(self.sessions or self.waiting)

    def admit(self, receiver: Receiver) -> None:
        """From now on it shares the flush."""
        self.sessions[receiver] = receiver.write
        self.check_every = min(self.check_every, receiver.check_every)


class LocalRoom:
    """A room that this worker is subscribed to, or is about to be."""

    __slots__ = ("id", "lanes", "public", "repairing", "sequence", "store_epoch", "timer", "watcher")

    def __init__(self, id: str) -> None:
        self.id = id
        self.sequence = Sequencer()
        self.store_epoch: str | None = None
        """The epoch of the room of everybody when the position was taken: another one since means that the store lost its rooms."""
        self.public = False
        """Whoever entered it last found it public."""
        self.lanes: tuple[Lane, ...] = ()
        """One for each codec that is present."""
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
        """Nobody here needs it."""
        return self.watcher is None and not any(lane.used for lane in self.lanes)

    def sessions(self) -> Iterator[Receiver]:
        """Who is in it."""
        return (receiver for lane in self.lanes for receiver in lane.sessions)

    def __contains__(self, receiver: Receiver) -> bool:
        """Is it in the room, or entering?"""
        return any(receiver in lane.sessions or receiver in lane.waiting for lane in self.lanes)

    def lane(self, receiver: Receiver) -> Lane | None:
        """The lane of this session's codec, if there is one."""
        codec = receiver.codec
        return next((lane for lane in self.lanes if lane.codec is codec), None)

    def open_lane(self, receiver: Receiver) -> Lane:
        """The same; a new one where the session is the first of its kind."""
        lane = self.lane(receiver)
        if lane is None:
            lane = Lane(receiver.codec)
            self.lanes += (lane,)
        return lane

    def drop_empty_lanes(self) -> None:
        """A codec that nobody needs any more encodes nothing."""
        if not all(lane.used for lane in self.lanes):
            self.lanes = tuple(lane for lane in self.lanes if lane.used)
