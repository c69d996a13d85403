"""The broker as the core uses it: signed by the secret that the store keeps, and nothing unfit comes through.

A broker of any make may pass on what is broken. What the hub gets from here has the form that its receivers take.
"""

import logging
import time
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from ..brokers.base import Broker
from ..hub.hub import Hub
from ..models import Envelope, is_reserved
from ..stores.base import Store
from .inbox import decode_order, decode_push

__all__ = ["Bells"]

logger = logging.getLogger("sanic_chatrooms.sessions.signed")

SECRET = "broker"  # noqa: S105 - its name
LOOK_EVERY = 60.0
"""Seconds between two looks whether the secret is still the same."""
SUSPECT_EVERY = 5.0
"""Seconds between two such looks, at least, where what arrives is signed by another key."""
LOG_EVERY = 60.0


class _Mark(msgspec.Struct, gc=False):
    """What of an event's text says which it is."""

    type: str
    room: str
    seq: int = 0


_mark = msgspec.json.Decoder(_Mark).decode
_UNFIT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Bells:
    """What comes from the broker, checked; and its key. `lost` is called where something may have been missed."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        hub: Hub,
        ringing: Store,
        lost: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._broker = broker
        self._hub = hub
        self._ringing = ringing
        self._lost = lost
        self._clock = clock
        self._key = b""
        self._forged = 0
        self._due = self._suspects_at = self._logs_at = float("-inf")
        self.dropped = 0
        """How many envelopes came that nobody here could have used."""

    async def start(self, instance: str) -> None:
        """Start the broker under the store's key. Raises `ConfigError`, `Unavailable`."""
        self._use(await self._secret())
        await self._broker.start(instance, self.heard, self._lost)

    # ---- the key ----

    async def renew(self) -> None:
        """To be called every second: use another secret as soon as the store has one, because somebody changed it or it
        lost what it had. Raises `Unavailable`."""
        now, forged = self._clock(), self._broker.forged
        suspicious = forged != self._forged and now >= self._suspects_at
        if not suspicious and now < self._due:
            return
        key = await self._secret()
        self._forged, self._suspects_at, self._due = forged, now + SUSPECT_EVERY, now + LOOK_EVERY
        if suspicious or key != self._key:
            self._lost()  # what was not understood may have been a worker's with a newer or an older key
        if key != self._key:
            logger.info("the store has another secret for the broker: it is used from now on")
            self._use(key)

    async def _secret(self) -> bytes:
        return blake2b((await self._store.secret(SECRET)).encode()).digest()

    def _use(self, key: bytes) -> None:
        self._key = self._ringing.ring_key = key
        self._broker.rekey(key)

    # ---- what comes ----

    def heard(self, envelope: Envelope) -> None:
        """Let the hub have it, if it is fit to be had."""
        room, seq, data = envelope.room, envelope.seq, envelope.data
        try:
            if seq and not data:
                pass  # too large for the broker: the hub reads it from the store
            elif room.startswith("~") and is_reserved(room):
                (decode_order if seq else decode_push)(data)
            elif seq or not self._hub.interprets(envelope.type):
                mark = _mark(data.decode())  # text, so that bytes that are no UTF-8 are found
                if mark.seq != seq or mark.room != room or mark.type != envelope.type:
                    raise msgspec.ValidationError("it is another event's text")
            self._hub.deliver(envelope)
        except _UNFIT:
            self._drop(envelope)

    def _drop(self, envelope: Envelope) -> None:
        self.dropped += 1
        now = self._clock()
        if now >= self._logs_at:
            self._logs_at = now + LOG_EVERY
            logger.warning(
                "an envelope of type %r in room %s was unfit and dropped (%d so far)",
                envelope.type, envelope.room, self.dropped,
            )  # fmt: skip
