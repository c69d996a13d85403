"""Who is typing, per room, over all workers. Live: a lost envelope costs nothing, since typing ends by itself."""

import time
from collections.abc import Callable

import msgspec

from ..hub.hub import Hub
from ..models import Envelope, Sender
from ..wire.encode import encode
from ..wire.events import Typing
from .throttle import Throttle

__all__ = ["LINGER", "Typists"]

LINGER = 6.0
"""Seconds after which somebody who does not repeat it is no longer typing."""
INTERVAL = 0.5


class _Note(msgspec.Struct):
    user: Sender
    active: bool


_decoder = msgspec.json.Decoder(_Note)


class Typists:
    """Hears the workers' notes, tells the room who is typing now: {"users": [{"id": …, "name": …}]}."""

    def __init__(
        self, hub: Hub, publish: Callable[[Envelope], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hub = hub
        self._publish = publish
        self._clock = clock
        self._rooms: dict[str, dict[str, tuple[Sender, float]]] = {}
        self._throttle = Throttle(INTERVAL, self._emit, clock)
        hub.interpret("typing", self.heard)

    def note(self, room: str, user: Sender, active: bool) -> None:
        """This user types, or stopped; tell every worker."""
        envelope = Envelope(room, "", 0, "typing", encode(_Note(user, active)))
        self.heard(envelope)
        self._publish(envelope)

    def stopped(self, room: str, user: Sender) -> None:
        """They sent what they typed, or went away. Costs one look where nobody types."""
        typing = self._rooms.get(room)
        if typing is not None and user.id in typing:
            self.note(room, user, False)

    def heard(self, envelope: Envelope) -> None:
        """A worker's note, ours too."""
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
        """End what was not repeated."""
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
