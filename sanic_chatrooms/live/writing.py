"""A message that this worker writes, and what hears the events of its room."""

import logging
from collections.abc import Callable

from ..errors import Conflict, TooLarge
from ..hub.room import UNBOUNDED
from ..models import Envelope, Event, Sender
from ..observe.ids import ids
from ..stores.streams import text_of
from ..support.ids import is_stream_id

__all__ = ["Observer", "Writing", "check_size", "is_closed", "lacks", "may_be_open"]

logger = logging.getLogger("sanic_chatrooms.live.writing")


class Writing:
    """A message that this worker writes."""

    __slots__ = (
        "app", "body", "changed_at", "closing", "due", "fence", "heard_at", "judged_at", "kept", "kept_at", "msg_id", "room", "seq",
        "session", "size", "stop", "text", "told", "told_at", "writer",
    )  # fmt: skip

    def __init__(
        self, room: str, msg_id: str, seq: int, writer: Sender | None, body: bytes, fence: int, now: float
    ) -> None:
        self.room = room
        self.msg_id = msg_id
        self.seq = seq
        self.writer = writer
        self.app = False
        """It is written by code of the app, whose rights nobody asks for."""
        self.body = body
        """As it was sent at first."""
        self.fence = fence
        self.text = text_of(body)
        self.size = self.kept = len(self.text.encode())
        """Bytes of the text, and of what the store has of it."""
        self.kept_at = self.heard_at = self.judged_at = now
        self.changed_at = float("-inf")
        """When the rights of its writer may have changed. It is judged again unless it was judged since, at `judged_at`."""
        self.told = len(self.text)
        """Code points that went out."""
        self.told_at = float("-inf")
        self.due = False
        """There is more to go out."""
        self.closing = False
        """Nothing is added any more."""
        self.session: object = None
        """The connection that sent the last piece."""
        self.stop: Callable[[Sender | None], None] | None = None
        """For code of the app that writes it: called when somebody wants it to stop."""


def is_closed() -> Conflict:
    """What is said to the writer of a message that is closed."""
    return Conflict("this message is closed; open another one")


def lacks(length: int) -> Conflict:
    """What is said to a writer who is further on than the text, of which there are `length` characters."""
    return Conflict(f"the text has only {length} characters here; send again from there", at=length)


def check_size(size: int, limit: int) -> None:
    """Check how many bytes a text has. Raises `TooLarge`."""
    if size > limit:
        raise TooLarge("bytes of the text of a message", limit=limit, size=size)


def may_be_open(event: Event) -> bool:
    """Whether this message may be one that is being written, as far as it says so itself."""
    return event.changed is None and is_stream_id(event.msg_id) and event.type == "message"


class _Codec:
    """Hands what a room gets to its observer. Writes nothing."""

    def __init__(self, observer: "Observer") -> None:
        self._observer = observer

    def event(self, envelope: Envelope) -> bytes:
        self._observer.hear(envelope)
        return b""

    def reply(self, text: bytes) -> bytes:
        return b""


class Observer:
    """Is in a room like a connection, for this worker itself: it keeps the worker subscribed, and hears each event in its order."""

    check_every = UNBOUNDED

    def __init__(self, heard: Callable[[Envelope], None], evicted: Callable[[str], None]) -> None:
        self._heard = heard
        self.codec = _Codec(self)
        self.evicted = evicted

    def hear(self, envelope: Envelope) -> None:
        """An event of the room."""
        try:
            if envelope.seq:
                self._heard(envelope)
        except Exception:  # the others in the room must get it all the same
            logger.exception(
                "an event of room %s could not be followed", envelope.room, extra=ids(room=envelope.room)
            )

    def write(self, data: bytes) -> None:
        """Nobody reads it."""

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """Nobody reads it."""

    def reply(self, data: bytes) -> None:
        """Nobody reads it."""
