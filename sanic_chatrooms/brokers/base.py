"""The contract of a broker: it tells other processes at once that a room has something new.

The store is the truth. So a broker may lose, double, delay and reorder envelopes: the hub notices by `seq` and reads the
store. What a broker must not do is stated below; each numbered sentence has a test in `sanic_chatrooms.testing.brokers`.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from ..models import Envelope, Scope
from ..observe.ids import ids

__all__ = ["Broker", "Deliver", "deliver_or_log"]

logger = logging.getLogger("sanic_chatrooms.broker")

Deliver = Callable[[Envelope], None]


class Broker(ABC):
    """Passes envelopes to every process that subscribed to their room.

    1. After `subscribe(room)` has returned, what any process publishes to that room arrives here, as long as nothing fails.
    2. After `unsubscribe(room)` has returned, nothing more of that room arrives until it is subscribed again.
    3. Envelopes of rooms that were not subscribed never arrive; nor do those of another instance.
    4. `publish` returns within a time limit, or raises `Unavailable`; its envelopes may then be lost.
    5. `deliver` is called on the event loop, one envelope at a time. An exception in it does not stop the broker.
    6. An envelope arrives with every field as it was published, or not at all. A durable one (`seq` ≥ 1) that is larger
       than the system carries may come without its data, b"": the hub reads it from the store.
    7. A broker may, but need not, deliver envelopes to the process that published them.
    8. Where it crosses processes, an envelope arrives only if a process with the same key (`rekey`) published it, in
       this instance, for its room. Everything else on its channels is dropped and counted in `forged`, or only dropped
       where it carries this broker's own name. A recorded live envelope is not delivered again. A broker within one
       process needs no key.
    """

    scope: ClassVar[Scope]
    server_url: str | None = None
    """The URL by which the same server is a presence too: used where the app names none."""
    alone: bool = False
    """No other process or broker can get what is published, so that nobody needs to publish."""
    publisher: str = ""
    """The name on its own envelopes, for a store that publishes in its place (`Store.publishes_as`)."""

    def rekey(self, key: bytes) -> None:  # noqa: B027 - a broker within one process needs none
        """Sign with this key, and accept what is signed with it and with no earlier one. Called before `start`, and
        whenever the key has changed."""

    @property
    def forged(self) -> int:
        """How many packets arrived that were not signed with the key."""
        return 0

    @abstractmethod
    async def start(self, instance: str, deliver: Deliver, reconnected: Callable[[], None]) -> None:
        """Connect. `deliver` takes what arrives; `reconnected` is called when something may have been missed."""

    @abstractmethod
    async def stop(self) -> None:
        """Disconnect. Calling it again, or before `start`, does nothing."""

    @abstractmethod
    async def subscribe(self, room: str) -> None:
        """Begin to receive a room. Subscribing twice is subscribing once. Raises `Unavailable`."""

    @abstractmethod
    async def unsubscribe(self, room: str) -> None:
        """Stop receiving a room."""

    @abstractmethod
    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Send envelopes to every other process that subscribed. Raises `Unavailable`."""

    @property
    def healthy(self) -> bool:
        """False while envelopes cannot pass. The hub then checks the store every second."""
        return True


def deliver_or_log(deliver: Deliver, envelope: Envelope) -> None:
    """Call `deliver`; log what it raises (sentence 5)."""
    try:
        deliver(envelope)
    except Exception:
        logger.exception(
            "an envelope of room %s could not be delivered", envelope.room, extra=ids(room=envelope.room)
        )
