"""The rooms that this worker hears because it writes messages there."""

from collections import Counter
from collections.abc import Callable

from ..errors import Unavailable
from ..hub.hub import Hub
from ..models import Envelope
from ..support.locks import Locks
from .writing import Observer

__all__ = ["Observing"]


class Observing:
    """Stays in a room while something is written there, or is about to be.

    `heard` is given each event of these rooms. `evicted` is called with a room that can be heard no more. `writes` says
    whether something is being written in a room.
    """

    def __init__(
        self,
        hub: Hub,
        heard: Callable[[Envelope], None],
        evicted: Callable[[str], None],
        writes: Callable[[str], bool],
    ) -> None:
        self._hub = hub
        self._heard = heard
        self._evicted = evicted
        self._writes = writes
        self._locks = Locks()
        self._beginning = Counter[str]()
        """How many messages are about to be written, by room."""
        self.observers: dict[str, Observer] = {}

    async def begin(self, room: str) -> None:
        """Hear the room from now on, and at least until `begun` was called as often. Raises `RoomNotFound`, `Unavailable`."""
        self._beginning[room] += 1
        try:
            async with self._locks.of(room):
                if room not in self.observers:
                    await self._observe(room)
        except BaseException:
            self.begun(room)
            raise

    def begun(self, room: str) -> None:
        """The message is being written now, or it is not."""
        self._beginning[room] -= 1
        if not self._beginning[room]:
            del self._beginning[room]
        self.leave_unused(room)

    def leave_unused(self, room: str) -> None:
        """Hear no more of the room, if nothing is written there."""
        if room in self.observers and room not in self._beginning and not self._writes(room):
            self._hub.exit(self.observers.pop(room), room)

    async def _observe(self, room: str) -> None:
        observer = self.observers[room] = Observer(self._heard, self._left)
        try:
            held = await self._hub.enter(observer, room)
            if not self._hub.admit(observer, held):
                raise Unavailable
        except BaseException:
            if self.observers.get(room) is observer:
                del self.observers[room]
            raise

    def _left(self, room: str) -> None:
        self.observers.pop(room, None)
        self._evicted(room)
