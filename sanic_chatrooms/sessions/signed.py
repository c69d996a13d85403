"""The broker as the core uses it: signed with the secret that the store keeps, and every envelope checked.

Any make of broker may pass on a broken envelope. The hub gets only envelopes of the form that its receivers take.
"""

import logging
import time
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from ..brokers.base import Broker
from ..hub.hub import Hub
from ..models import EVERYONE, Envelope, is_reserved
from ..observe.ids import ids
from ..observe.instruments import BROKER_HEALTHY, BROKER_RECONNECTS, FORGED, UNFIT
from ..observe.meter import SILENT, Meter
from ..stores.base import Store
from .inbox import decode_inbox, decode_push

__all__ = ["SignedBroker"]

logger = logging.getLogger("sanic_chatrooms.sessions.signed")

SECRET = "broker"  # noqa: S105 - its name
LOOK_EVERY = 60.0
"""Seconds between two checks whether the secret is still the same."""
SUSPECT_EVERY = 5.0
"""Seconds between two such checks, at least, while packets arrive that another key signed."""
LOG_EVERY = 60.0


class _Mark(msgspec.Struct, gc=False):
    """The part of an event's text that says which event it is."""

    type: str
    room: str
    seq: int = 0


_mark = msgspec.json.Decoder(_Mark).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class SignedBroker:
    """Checks what comes from the broker, and keeps its key. `lost` is called when something may have been missed.

    `publishing`: the store that may publish in the broker's place, which signs with the same key.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        hub: Hub,
        publishing: Store,
        lost: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        meter: Meter = SILENT,
    ) -> None:
        self._store = store
        self._meter = meter
        self._broker = broker
        self._hub = hub
        self._publishing = publishing
        self._lost = lost
        self._clock = clock
        self._key = b""
        self._forged = 0
        self._due = self._suspects_at = self._logs_at = float("-inf")
        self.dropped = 0
        """How many envelopes came with data that are not what their type and room need."""
        meter.watch(BROKER_HEALTHY, lambda: broker.healthy)
        meter.watch(FORGED, lambda: broker.forged)
        meter.watch(UNFIT, lambda: self.dropped)

    async def start(self, instance: str) -> None:
        """Start the broker with the store's key. Raises `ConfigError`, `Unavailable`."""
        self._use(await self._secret())
        await self._broker.start(instance, self.receive, self._reconnected)

    def _reconnected(self) -> None:
        self._meter.add(BROKER_RECONNECTS, 1)
        self._lost()

    # ---- the key ----

    async def renew(self) -> None:
        """Call this every second: it uses another secret as soon as the store has one, because somebody changed it or the
        store lost it. Raises `Unavailable`."""
        now, forged = self._clock(), self._broker.forged
        suspicious = forged != self._forged and now >= self._suspects_at
        if not suspicious and now < self._due:
            return
        key = await self._secret()
        self._forged, self._suspects_at, self._due = forged, now + SUSPECT_EVERY, now + LOOK_EVERY
        if suspicious or key != self._key:
            self._lost()  # a worker with a newer or an older key may have signed what was dropped
        if key != self._key:
            logger.info("the store has another secret for the broker: it is used from now on")
            self._use(key)

    async def _secret(self) -> bytes:
        return blake2b((await self._store.secret(SECRET)).encode()).digest()

    def _use(self, key: bytes) -> None:
        self._key = self._publishing.publish_key = key
        self._broker.rekey(key)

    # ---- receiving ----

    def receive(self, envelope: Envelope) -> None:
        """Hand an envelope to the hub, if its data are what its type and room need."""
        room, seq, data = envelope.room, envelope.seq, envelope.data
        try:
            if seq and not data:
                pass  # too large for the broker: the hub reads it from the store
            elif room == EVERYONE and not seq and self._hub.handles(envelope.type):
                pass  # its handler decodes it
            elif room.startswith("~") and is_reserved(room):
                (decode_inbox if seq else decode_push)(data)
            elif seq or not self._hub.handles(envelope.type):
                mark = _mark(data.decode())  # as text, which finds bytes that are not UTF-8
                if mark.seq != seq or mark.room != room or mark.type != envelope.type:
                    raise msgspec.ValidationError("it is another event's text")
            self._hub.deliver(envelope)
        except _UNREADABLE:
            self._drop(envelope)

    def _drop(self, envelope: Envelope) -> None:
        self.dropped += 1
        now = self._clock()
        if now >= self._logs_at:
            self._logs_at = now + LOG_EVERY
            logger.warning(
                "an envelope of type %r in room %s was unfit and dropped (%d so far)",
                envelope.type, envelope.room, self.dropped, extra=ids(room=envelope.room),
            )  # fmt: skip
