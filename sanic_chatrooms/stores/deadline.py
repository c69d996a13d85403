"""A store that answers in time: what `STORE_TIMEOUT` promises, whatever the store itself does about it.

Everything but the journal's `append` goes through here. So a store that hangs costs a connection its time limit per
command, and the hub one per look; the rest goes on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ..errors import ChatError, Unavailable
from ..models import Appended, Draft
from ..observe.instruments import STORE_ERRORS, STORE_SECONDS
from ..observe.meter import SILENT, Meter
from ..support.time_limit import TimeLimit
from .base import Bounds, Store
from .soon import Heard
from .wrapped import WrappedStore

__all__ = ["TimedStore", "timed"]

T = TypeVar("T")
READS = 16
"""Pieces of the past that are read at a time: each can be some megabytes."""


def timed(store: Store, timeout: float, meter: Meter) -> Store:
    """The store with a time limit, unless there is nothing to wait for and nobody to tell: joining asks a store many times."""
    return TimedStore(store, timeout, meter) if store.waits or meter is not SILENT else store


class TimedStore(WrappedStore):
    """Every verb of `inner` ends within `timeout` seconds, at the latest as `Unavailable`.

    Except `append`: the journal repeats it until its outcome is known, within the same limit. Starting takes as long as
    it takes, too.
    """

    def __init__(self, inner: Store, timeout: float, meter: Meter = SILENT) -> None:
        super().__init__(inner)
        self.waits = inner.waits  # type: ignore[misc]
        self.appends_soon = inner.appends_soon
        self._timeout = timeout
        self._meter = meter

    async def start(self, instance: str, bounds: Bounds) -> None:
        """Start what is wrapped."""
        # They belong to a loop, and an app may run again in another.
        self._limit, self._reads = TimeLimit(self._timeout), asyncio.Semaphore(READS)
        await super().start(instance, bounds)

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`; without a limit."""
        return await self.inner.append(drafts)

    def append_soon(self, batch: Sequence[Sequence[Draft]], heard: Heard) -> bool:
        """See `Store.append_soon`."""
        return self.inner.append_soon(batch, heard)

    def append_now(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append_now`."""
        return self.inner.append_now(drafts)

    async def around(self, verb: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask in time; history together with a few other readers only."""
        since = time.monotonic()
        try:
            answer = await self._limit.keep(self._in_turn(ask) if verb == "history" else ask())
        except TimeoutError as exc:
            self._meter.add(STORE_ERRORS, 1, verb, Unavailable.code)
            raise Unavailable from exc
        except ChatError as problem:
            self._meter.add(STORE_ERRORS, 1, verb, problem.code)
            raise
        self._meter.observe(STORE_SECONDS, time.monotonic() - since, verb)
        return answer

    async def _in_turn(self, ask: Callable[[], Awaitable[T]]) -> T:
        async with self._reads:
            return await ask()
