"""What brokers that cross processes have in common: they sign what they publish, and count and drop what nobody signed."""

import logging
import time

from ..support.signature import Forged, Seal
from .base import Broker
from .codec import UNREADABLE

__all__ = ["SealedBroker"]

LOG_EVERY = 60.0
"""Seconds between two lines about what was dropped."""


class SealedBroker(Broker):
    """`dropped` counts the pieces that arrived and were not delivered, and `forged` those of them that nobody signed who
    has the key."""

    logger: logging.Logger

    def __init__(self) -> None:
        self.dropped = 0
        self._forged = 0
        self._seal = Seal()
        self._logs_at = float("-inf")

    def rekey(self, key: bytes) -> None:
        """See `Broker.rekey`."""
        self._seal.use(key)

    @property
    def forged(self) -> int:
        """See `Broker.forged`."""
        return self._forged

    def _drop(self, where: str, error: Exception) -> None:
        """A piece of whose reading this came. Whatever it is, it must not end the connection by which the others come."""
        self.dropped += 1
        self._forged += isinstance(error, Forged)
        now = time.monotonic()
        if now >= self._logs_at:
            self._logs_at = now + LOG_EVERY
            self.logger.warning(
                "dropped what came by %s: %s (%d dropped so far, %d of them forged)",
                where, str(error) or type(error).__name__, self.dropped, self._forged,
                exc_info=None if isinstance(error, UNREADABLE) else error,
            )  # fmt: skip
