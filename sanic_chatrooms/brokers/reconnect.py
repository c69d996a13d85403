"""Keeps a broker connected: probes the server while it is, and reconnects when the connection is lost."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

from ..support.backoff import Backoff
from ..support.tasks import is_ending

__all__ = ["keep"]

logger = logging.getLogger("sanic_chatrooms.broker")

FIRST_WAIT, LONGEST_WAIT = 0.05, 0.5
"""Seconds between attempts to reconnect, at most; full jitter."""
LOG_EVERY = 10.0
"""Seconds between two log lines about unexpected errors."""


async def keep(
    lost: asyncio.Event,
    reconnect: Callable[[], Awaitable[bool]],
    probe: Callable[[], Awaitable[None]],
    give_up: Callable[[], None],
    every: float,
) -> NoReturn:
    """Call `probe` every so many seconds. While `lost` is set, call `reconnect` instead, with growing waits.

    The broker brings all three: `probe` and `give_up` set `lost`, `reconnect` clears it. They handle the errors that the
    broker expects. Any other error is logged, the connection counts as lost, and the task goes on.
    """
    backoff, survive = Backoff(FIRST_WAIT, LONGEST_WAIT, least=0.0), _Survivor(give_up)
    while True:
        if lost.is_set():
            await asyncio.sleep(backoff.failed())
            await survive(reconnect)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await lost.wait()
            if await survive(probe) and not lost.is_set():
                backoff.succeeded()  # it stayed for a while: the next loss is a new one


class _Survivor:
    """Calls a function that may fail in any way; True if it did not."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        self._give_up = give_up
        self._logs_at = float("-inf")

    async def __call__(self, act: Callable[[], Awaitable[object]]) -> bool:
        try:
            await act()
            return True
        except asyncio.CancelledError as error:
            if is_ending():
                raise
            self._lost(error)
        except Exception as error:  # noqa: BLE001 - logged there
            self._lost(error)
        return False

    def _lost(self, error: BaseException) -> None:
        self._log("the broker's connection failed unexpectedly; reconnecting", error)
        try:
            self._give_up()
        except Exception as another:  # noqa: BLE001 - logged there
            self._log("the broker's connection could not be given up", another)

    def _log(self, what: str, error: BaseException) -> None:
        now = time.monotonic()
        if now >= self._logs_at:
            self._logs_at = now + LOG_EVERY
            logger.error(what, exc_info=error)
