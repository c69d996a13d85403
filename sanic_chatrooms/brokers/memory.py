"""A broker within one process: for one worker, and for tests that run several in one event loop."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from ..errors import ConfigError, Unavailable
from ..models import Envelope, Scope
from .base import Broker, Deliver, deliver_or_log

__all__ = ["MemoryBroker", "MemoryBus"]


class MemoryBus:
    """What the brokers of several workers in one process share: the subscriptions to each room of each instance."""

    def __init__(self) -> None:
        self._subscribers: dict[tuple[str, str], dict[MemoryBroker, Deliver]] = {}

    def subscribe(self, instance: str, room: str, broker: "MemoryBroker", deliver: Deliver) -> None:
        """Let `deliver` have what is published to a room. Subscribing twice is subscribing once."""
        self._subscribers.setdefault((instance, room), {})[broker] = deliver

    def unsubscribe(self, instance: str, room: str, broker: "MemoryBroker") -> None:
        """Nothing more of a room for this broker."""
        subscribers = self._subscribers.get((instance, room), {})
        subscribers.pop(broker, None)
        if not subscribers:
            self._subscribers.pop((instance, room), None)

    def publish(self, instance: str, envelope: Envelope, publisher: "MemoryBroker") -> None:
        """Call every subscriber of the envelope's room, except the publisher."""
        subscribers = self._subscribers.get((instance, envelope.room))
        if subscribers is None:
            return
        for broker, deliver in list(subscribers.items()):  # a copy: a subscriber may come or go meanwhile
            if broker is not publisher:
                deliver_or_log(deliver, envelope)


class MemoryBroker(Broker):
    """Delivers to the other brokers on its bus, within `publish`.

    So nothing arrives after `unsubscribe`, and there is no task. A broker does not receive its own envelopes. Without
    `bus`, a broker is alone on its own bus, and `publish` costs a call.
    """

    scope: ClassVar[Scope] = Scope.PROCESS

    def __init__(self, bus: MemoryBus | None = None) -> None:
        self.alone = (
            bus is None and type(self).publish is MemoryBroker.publish
        )  # else it passes it on elsewhere
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
        if self.alone:  # nobody publishes to it
            return
        self._rooms.add(room)
        self._bus.subscribe(self._instance, room, self, self._deliver)

    async def unsubscribe(self, room: str) -> None:
        """See `Broker.unsubscribe`."""
        self._rooms.discard(room)
        self._bus.unsubscribe(self._instance, room, self)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See `Broker.publish`."""
        if self._deliver is None:
            raise Unavailable
        if self.alone:
            return
        for envelope in envelopes:
            self._bus.publish(self._instance, envelope, self)
