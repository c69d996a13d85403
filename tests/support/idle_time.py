"""Time that passes only while nothing happens, for tests of time limits: no pause of the machine decides them, and they do not wait.

The event loop's clock stands still as long as there is something to do. Where the loop would wait for a timer, the clock
moves on to it instead. So a test runs as on an endlessly fast machine: work takes no time, a limit ends after exactly its
seconds, and timers end in the order in which they are due.

It is for tests that run in one thread and in memory: to wait for a thread or another process, hours would pass here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import pytest

__all__ = ["idle_time", "idle_time_passes"]


@contextlib.contextmanager
def idle_time_passes() -> Iterator[None]:
    """From now on, in the running loop, and for those who ask `time.monotonic`."""
    loop: Any = asyncio.get_running_loop()
    now: float = loop.time()
    select = loop._selector.select

    def clock() -> float:
        return now

    def pass_or_select(timeout: float | None) -> Any:
        nonlocal now
        if timeout is None:  # there is no timer: whatever comes comes from elsewhere
            return select(None)
        found = select(0)
        if not found:
            now += timeout
        return found

    with (
        mock.patch.object(loop, "time", clock),
        mock.patch.object(loop._selector, "select", pass_or_select),
        mock.patch.object(time, "monotonic", clock),
    ):
        yield


@pytest.fixture
async def idle_time() -> AsyncIterator[None]:
    """In a module: `pytestmark = pytest.mark.usefixtures("idle_time")`."""
    with idle_time_passes():
        yield
