"""Gives envelopes to the broker, for the other workers. No ack waits for it.

The store is the truth. If an envelope is lost on the way, other workers notice the missing number and read the store.
"""

import asyncio
import contextlib
import logging
import time

from ..brokers.base import Broker
from ..errors import Unavailable
from ..models import Envelope
from ..observe.instruments import DROPPED, ENVELOPES_WAITING, PUBLISH_BATCH, PUBLISH_SECONDS
from ..observe.meter import SILENT, Meter
from ..support.tasks import end, keep_on

__all__ = ["WAITING_LIMIT", "Publisher"]

logger = logging.getLogger("sanic_chatrooms.hub.publisher")

WAITING_LIMIT = 10_000
"""Envelopes that may wait for the broker. Above it the oldest tenth is dropped."""


class Publisher:
    """`publish` only queues; one task gives the queue to the broker."""

    def __init__(self, broker: Broker, timeout: float, meter: Meter = SILENT) -> None:
        self._broker = broker
        self._alone = broker.alone
        self._timeout = timeout
        self._meter = meter
        self._waiting: list[Envelope] = []
        self._woken = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._away = False
        """The broker did not take the last batch."""
        meter.watch(ENVELOPES_WAITING, lambda: len(self._waiting))

    def start(self) -> None:
        """Begin to publish."""
        self._task = asyncio.ensure_future(keep_on(self._publish_next, "publishing to the broker"))

    async def stop(self) -> None:
        """Publish what waits, within the time limit; then end. Calling it again does nothing."""
        task, self._task = self._task, None
        if task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._publish()  # behind what is under way
        await end(task)

    def publish(self, envelope: Envelope) -> None:
        """Give an envelope to the broker, soon. Returns at once."""
        if self._alone:
            return
        if len(self._waiting) >= WAITING_LIMIT:
            oldest = WAITING_LIMIT // 10
            del self._waiting[:oldest]
            self._meter.add(DROPPED, oldest, "publish")
        self._waiting.append(envelope)
        self._woken.set()

    async def _publish_next(self) -> None:
        await self._woken.wait()
        self._woken.clear()
        await self._publish()

    async def _publish(self) -> None:
        async with self._one_at_a_time:
            batch, self._waiting = self._waiting, []
            if batch:
                await self._hand_over(batch)

    async def _hand_over(self, batch: list[Envelope]) -> None:
        since = time.monotonic()
        try:
            await self._broker.publish(batch)
        except Unavailable:
            if not self._away:
                logger.warning("the broker is away; other workers read the store until it is back")
            self._away = True
        except Exception:
            logger.exception("the broker failed; %d envelopes were not passed on", len(batch))
        else:
            self._away = False
            if self._meter is SILENT:
                return
            self._meter.observe(PUBLISH_BATCH, len(batch))
            self._meter.observe(PUBLISH_SECONDS, time.monotonic() - since)
