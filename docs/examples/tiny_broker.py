from collections.abc import Callable, Sequence
from typing import ClassVar

from sanic_chatrooms import Broker, Unavailable
from sanic_chatrooms.brokers.base import Deliver
from sanic_chatrooms.models import Envelope, Scope


class Wire:
    def __init__(self) -> None:
        self.ends: list[TinyBroker] = []


class TinyBroker(Broker):
    scope: ClassVar[Scope] = Scope.PROCESS

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._rooms: set[str] = set()
        self._deliver: Deliver | None = None

    async def start(self, instance: str, deliver: Deliver, reconnected: Callable[[], None]) -> None:
        self._instance, self._deliver = instance, deliver
        self._wire.ends.append(self)

    async def stop(self) -> None:
        self._deliver = None
        self._rooms.clear()
        if self in self._wire.ends:
            self._wire.ends.remove(self)

    async def subscribe(self, room: str) -> None:
        if self._deliver is None:
            raise Unavailable
        self._rooms.add(room)

    async def unsubscribe(self, room: str) -> None:
        self._rooms.discard(room)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self._deliver is None:
            raise Unavailable
        for envelope in envelopes:
            for end in list(self._wire.ends):
                if end is not self and end._instance == self._instance:
                    end._take(envelope)

    def _take(self, envelope: Envelope) -> None:
        if self._deliver is not None and envelope.room in self._rooms:
            try:
                self._deliver(envelope)
            except Exception as exc:  # noqa: BLE001 - sentence 5: an exception in `deliver` does not stop the broker
                print(f"an envelope of {envelope.room} could not be delivered: {exc!r}")
