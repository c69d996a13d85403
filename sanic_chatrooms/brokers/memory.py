"""A broker within one process: for one worker, and for tests that run several in one event loop."""

import logging
from collections.abc import Callable, Sequence
from typing import ClassVar

from ..errors import ConfigError, Unavailable
from ..models import Envelope, Scope
from .base import Broker, Deliver

__all__ = ["MemoryBroker", "MemoryBus"]

logger = logging.getLogger(__name__)


class MemoryBus:
    """What the brokers of several workers in one process share: who listens to which room of which instance."""

    def __init__(self) -> None:
        self._listeners: dict[tuple[str, str], dict[MemoryBroker, Deliver]] = {}

    def listen(self, instance: str, room: str, broker: "MemoryBroker", deliver: Deliver) -> None:
        """Let `deliver` hear a room. Listening twice is listening once."""
        self._listeners.setdefault((instance, room), {})[broker] = deliver

    def ignore(self, instance: str, room: str, broker: "MemoryBroker") -> None:
        """Let this broker hear a room no more."""
        listeners = self._listeners.get((instance, room), {})
        listeners.pop(broker, None)
        if not listeners:
            self._listeners.pop((instance, room), None)

    def ring(self, instance: str, envelope: Envelope, publisher: "MemoryBroker") -> None:
        """Call everyone who listens to the envelope's room, except the publisher."""
        listeners = self._listeners.get((instance, envelope.room))
        if listeners is None:
            return
        for broker, deliver in list(listeners.items()):  # a copy: whoever is called may come or go
            if broker is not publisher:
                _deliver(deliver, envelope)


class MemoryBroker(Broker):
    """Delivers within `publish`: when that has returned, every other broker on the bus has been called.

    So nothing is ever under way, nothing can arrive after `unsubscribe`, and there is no task to own. One's own
    envelopes are not echoed; with a bus of its own, a broker has nobody to tell and `publish` costs a call.
    """

    scope: ClassVar[Scope] = Scope.PROCESS

    def __init__(self, bus: MemoryBus | None = None) -> None:
        self._alone = bus is None
        self._bus = MemoryBus() if bus is None else bus
        self._instance = ""
        self._deliver: Deliver | None = None
        self._rooms: set[str] = set()

    async def start(self, instance: str, deliver: Deliver, reconnected: Callable[[], None]) -> None:
        """See `Broker.start`. `reconnected` is never called: a bus in memory misses nothing."""
        if self._deliver is not None:
            raise ConfigError(
                f"this MemoryBroker already serves the instance {self._instance!r}; make one MemoryBroker per app, "
                "and give them one MemoryBus if they are to hear each other"
            )
        self._instance, self._deliver = instance, deliver

    async def stop(self) -> None:
        """See `Broker.stop`."""
        for room in list(self._rooms):
            await self.unsubscribe(room)
        self._deliver = None

    async def subscribe(self, room: str) -> None:
        """See `Broker.subscribe`."""
        if self._deliver is None:
            raise Unavailable
        self._rooms.add(room)
        self._bus.listen(self._instance, room, self, self._deliver)

    async def unsubscribe(self, room: str) -> None:
        """See `Broker.unsubscribe`."""
        self._rooms.discard(room)
        self._bus.ignore(self._instance, room, self)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See `Broker.publish`."""
        if self._deliver is None:
            raise Unavailable
        if self._alone:
            return
        for envelope in envelopes:
            self._bus.ring(self._instance, envelope, self)


def _deliver(deliver: Deliver, envelope: Envelope) -> None:
    try:
        deliver(envelope)
    except Exception:
        logger.exception("an envelope of room %s could not be delivered", envelope.room)
