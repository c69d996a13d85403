"""What brokers in a server of their own have in common, whatever the server is.

They sign what they publish, count and drop what was not signed, and hold on to a connection: every second they check that
the server answers, and they connect again with back-off when it does not. A server repeats nothing for a process that was not
connected, so every new connection is a `reconnected`.
"""

import asyncio
import logging
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, Generic, TypeVar

from ..errors import ConfigError, Unavailable
from ..models import Envelope, Scope
from ..support.signature import Forged, Signer
from ..support.tasks import end
from .base import Broker, Deliver, deliver_or_log
from .codec import UNREADABLE, Entry, Packer
from .reconnect import keep

__all__ = ["RemoteBroker"]

PROBE = 1.0
"""Seconds between two checks that the server answers."""
LOG_EVERY = 60.0
"""Seconds between two lines about what was dropped."""

E = TypeVar("E", bound=Entry)
P = TypeVar("P")


class RemoteBroker(Broker, Generic[E]):
    """Give it the five steps below, and call `_receive` with what arrives and `_disconnected` when a connection is lost."""

    scope: ClassVar[Scope] = Scope.CLUSTER
    logger: logging.Logger

    def __init__(self, entry: type[E]) -> None:
        self.dropped = 0
        """How many packets arrived and were not delivered."""
        self._forged = 0
        self._entry = entry
        self._signer = Signer()
        self._packer = Packer(self._signer, "", entry)
        self._deliver: Deliver | None = None
        self._reconnected: Callable[[], None] = lambda: None
        self._healthy = False
        self._lost = asyncio.Event()
        """Set while a connection, or a subscription, has to be made again."""
        self._upkeep: asyncio.Task[None] | None = None
        self._logs_at = float("-inf")

    # ---- the steps of each broker ----

    @abstractmethod
    async def _open(self, instance: str) -> None:
        """Connect for the first time. Raises `ConfigError` where the server refuses the URL, `Unavailable`."""

    @abstractmethod
    async def _close(self) -> None:
        """Let go of what `_open` and `subscribe` made, as far as it is there."""

    @abstractmethod
    async def _resubscribe(self) -> None:
        """Connect again and subscribe to all rooms. Raises `Unavailable`."""

    @abstractmethod
    async def _probe(self) -> None:
        """Check that the server answers; give up the connection if not."""

    @abstractmethod
    def _give_up(self) -> None:
        """Drop the connection, and call `_disconnected`."""

    # ---- the contract ----

    def rekey(self, key: bytes) -> None:
        """See `Broker.rekey`."""
        self._signer.use(key)

    @property
    def forged(self) -> int:
        """See `Broker.forged`."""
        return self._forged

    @property
    def healthy(self) -> bool:
        """See `Broker.healthy`: False from when a connection is lost or silent until every room is subscribed again."""
        return self._healthy

    async def start(self, instance: str, deliver: Deliver, reconnected: Callable[[], None]) -> None:
        """See `Broker.start`. Raises `ConfigError` where the server refuses the URL, `Unavailable` where none answers."""
        if self._deliver is not None:
            raise ConfigError(f"this {type(self).__name__} is started already; make one per app")
        # Of this process and this loop: an object may be made before a fork, and an app may run again in another loop.
        self._lost = asyncio.Event()
        self._signer.bind(instance)
        self._packer = Packer(self._signer, os.urandom(8).hex(), self._entry)
        try:
            await self._open(instance)
        except BaseException:
            await self.stop()
            raise
        self._deliver, self._reconnected = deliver, reconnected
        self._healthy = not self._lost.is_set()
        self._upkeep = asyncio.ensure_future(
            keep(self._lost, self._reconnect, self._probe, self._give_up, PROBE)
        )

    async def stop(self) -> None:
        """See `Broker.stop`."""
        self._deliver = None
        upkeep, self._upkeep = self._upkeep, None
        if upkeep is not None:
            await end(upkeep)
        self._give_up()
        await self._close()

    # ---- the connection ----

    def _disconnected(self) -> None:
        self._healthy = False
        self._lost.set()

    async def _reconnect(self) -> bool:
        self._lost.clear()
        try:
            await self._resubscribe()
        except Unavailable:
            self._lost.set()
        if self._lost.is_set():
            return False  # or something was lost again meanwhile
        self._healthy = True
        self._reconnected()
        return True

    # ---- what arrives ----

    def _receive(self, place: str, unpack: Callable[[str, P], Iterable[Envelope]], packet: P) -> None:
        """Deliver what `unpack` makes of a packet; drop it where it is none of ours. `place`: a room, or a channel of all."""
        try:
            envelopes = unpack(place, packet)
        except Exception as error:  # noqa: BLE001 - logged there
            self._drop(place, error)
            return
        for envelope in envelopes:
            if self._deliver is not None:
                deliver_or_log(self._deliver, envelope)

    def _drop(self, place: str, error: Exception) -> None:
        # Whatever a packet holds, it must not end the connection by which the others come.
        self.dropped += 1
        self._forged += isinstance(error, Forged)
        now = time.monotonic()
        if now >= self._logs_at:
            self._logs_at = now + LOG_EVERY
            self.logger.warning(
                "dropped a packet for %s: %s (%d dropped so far, %d of them forged)",
                place, str(error) or type(error).__name__, self.dropped, self._forged,
                exc_info=None if isinstance(error, UNREADABLE) else error,
            )  # fmt: skip

    def _leave_out(self, place: str, size: int) -> None:
        """For a live event that is larger than the server carries: it cannot be read from the store."""
        self.logger.warning("a live event of %d bytes for %s is left out: the broker takes less", size, place)
