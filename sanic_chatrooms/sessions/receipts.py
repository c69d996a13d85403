"""Tells members how far others have read, where the setting `RECEIPTS` is on. A lost envelope does no harm: the next one says more."""

import time
from collections.abc import Callable

import msgspec

from ..hub.hub import Hub
from ..live.throttle import Throttle
from ..models import Envelope, Sender
from ..wire.encode import encode, live_event
from ..wire.events import Read
from .session import Session

__all__ = ["MOST_MEMBERS", "ReadEvents"]

MOST_MEMBERS = 200
"""In rooms with more members, nobody is told."""
INTERVAL = 1.0
"""Seconds between two events about one user in one room, at least."""


class _Note(msgspec.Struct):
    user: Sender
    seq: int


_decoder = msgspec.json.Decoder(_Note)


class ReadEvents:
    """Sends the event `read` to the members in a room, on all workers, except to the user whom it is about."""

    def __init__(
        self, hub: Hub, publish: Callable[[Envelope], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hub = hub
        self._publish = publish
        self._latest: dict[str, tuple[str, _Note]] = {}
        """What is still to be told, by room and user."""
        self._throttle = Throttle(INTERVAL, self._emit, clock)
        hub.handle("receipt", self.receive)

    def note(self, room: str, user: Sender, seq: int) -> None:
        """The user has read the room up to there: tell it now, or in a second if something was told just now."""
        key = f"{room} {user.id}"
        self._latest[key] = (room, _Note(user, seq))
        self._throttle.note(key)

    def sweep(self) -> None:
        """Tell what has waited for a second."""
        self._throttle.sweep()

    def receive(self, envelope: Envelope) -> None:
        """Take a report of any worker, this one included. Raises `msgspec.DecodeError`."""
        room, note = self._hub.room(envelope.room), _decoder.decode(envelope.data)
        if room is None:
            return
        event = live_event(Read(note.user, note.seq), room=envelope.room)
        for session in list(room.sessions()):
            if isinstance(session, Session) and session.user.id != note.user.id:
                seat = session.seats.get(envelope.room)
                if seat is not None and seat.standing.member:
                    session.answer_raw(session.codec.reply(event))

    def _emit(self, key: str) -> None:
        room, note = self._latest.pop(key)
        envelope = Envelope(room, "", 0, "receipt", encode(note))
        self.receive(envelope)
        self._publish(envelope)
