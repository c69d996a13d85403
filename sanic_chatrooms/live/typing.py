"""Who is typing, per room, on all workers. A lost envelope does no harm, since typing ends by itself."""

import time
from collections.abc import Callable

import msgspec

from ..hub.hub import Hub
from ..models import Envelope, Sender
from ..wire.encode import encode
from ..wire.events import Typing
from .overload import Overload
from .throttle import Throttle

__all__ = ["LINGER", "Typists"]

LINGER = 6.0
"""Seconds after which a user who sends no further `typing` counts as no longer typing."""
INTERVAL = 0.5
"""Seconds between two `typing` events of a room, at least."""


class _Note(msgspec.Struct):
    user: Sender
    active: bool


_decoder = msgspec.json.Decoder(_Note)


class Typists:
    """Merges what all workers report, and tells each room who is typing now."""

    def __init__(
        self,
        hub: Hub,
        publish: Callable[[Envelope], None],
        clock: Callable[[], float] = time.monotonic,
        overload: Overload | None = None,
    ) -> None:
        self._hub = hub
        self._publish = publish
        self._clock = clock
        self._rooms: dict[str, dict[str, tuple[Sender, float]]] = {}
        self._overload = overload or Overload(None)
        self._throttle = Throttle(INTERVAL, self._emit, clock, waits=self._overload.waits)
        hub.handle("typing", self.receive)

    def note(self, room: str, user: Sender, active: bool) -> None:
        """Tell all workers that this user types, or has stopped. An overloaded worker tells nobody that somebody types."""
        if active and self._overload.sheds("typing"):
            return
        envelope = Envelope(room, "", 0, "typing", encode(_Note(user, active)))
        self.receive(envelope)
        self._publish(envelope)

    def stopped(self, room: str, user: Sender) -> None:
        """The user has sent the message, or left. Costs one lookup if nobody is typing."""
        typing = self._rooms.get(room)
        if typing is not None and user.id in typing:
            self.note(room, user, False)

    def receive(self, envelope: Envelope) -> None:
        """Take a report of any worker, this one included."""
        note = _decoder.decode(envelope.data)
        typing = self._rooms.setdefault(envelope.room, {})
        before = note.user.id in typing
        if note.active:
            typing[note.user.id] = (note.user, self._clock() + LINGER)
        else:
            typing.pop(note.user.id, None)
        if before != note.active:
            self._throttle.note(envelope.room)
        if not typing:
            self._rooms.pop(envelope.room, None)

    def sweep(self) -> None:
        """End the typing of users who have sent no further `typing`."""
        now = self._clock()
        for room, typing in list(self._rooms.items()):
            over = [id for id, (_, ends) in typing.items() if ends <= now]
            for id in over:
                del typing[id]
            if not typing:
                del self._rooms[room]
            if over:
                self._throttle.note(room)
        self._throttle.sweep()

    def _emit(self, room: str) -> None:
        users = [user for user, _ in self._rooms.get(room, {}).values()]
        self._hub.tell(room, Typing(users))
