"""What the tests themselves rely on: time that passes only while nothing happens."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.idle_time import idle_time_passes

HOUR = 3600.0


async def test_nobody_waits_and_timers_end_when_and_as_they_are_due() -> None:
    ended = []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append(asyncio.get_running_loop().time() - began)

    with idle_time_passes():
        began = time.monotonic()
        await asyncio.gather(wait(2 * HOUR), wait(HOUR))

    assert ended == pytest.approx([HOUR, 2 * HOUR])


async def test_work_takes_no_time() -> None:
    with idle_time_passes():
        began = time.monotonic()
        async with asyncio.timeout(0.001):
            for _ in range(1_000):
                await asyncio.sleep(0)

        assert time.monotonic() == began


async def test_who_waits_in_vain_is_told_by_their_limit() -> None:
    with idle_time_passes(), pytest.raises(TimeoutError):
        async with asyncio.timeout(HOUR):
            await asyncio.Event().wait()


async def test_afterwards_time_is_as_it_was() -> None:
    with idle_time_passes():
        await asyncio.sleep(HOUR)

    assert asyncio.get_running_loop().time() == pytest.approx(time.monotonic(), abs=HOUR / 2)
