"""Keeps a process hearing: looks whether the server answers while it is heard, and hears it again when it is not."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import NoReturn

__all__ = ["keep"]

LONGEST_WAIT = 0.5
"""Seconds between attempts to hear again, at most; full jitter."""


async def keep(
    deaf: asyncio.Event,
    hear_again: Callable[[], Awaitable[bool]],
    probe: Callable[[], Awaitable[None]],
    every: float,
) -> NoReturn:
    """Call `probe` every so many seconds; and while `deaf` is set `hear_again`, until it answers True.

    Both are the broker's own, and raise nothing: `probe` sets `deaf` where there is no answer, `hear_again` clears it.
    """
    attempt = 0
    while True:
        if deaf.is_set():
            wait = min(LONGEST_WAIT, 0.05 * 2**attempt)
            await asyncio.sleep(random.uniform(0.0, wait))  # noqa: S311 - jitter
            attempt = 0 if await hear_again() else min(attempt + 1, 10)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await deaf.wait()
            await probe()
