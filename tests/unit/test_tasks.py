from __future__ import annotations

import asyncio

from sanic_chatrooms.tasks import end


async def test_nothing_to_end_is_no_wait() -> None:
    await end()


async def test_a_task_is_over_when_it_returns() -> None:
    task = asyncio.ensure_future(asyncio.sleep(3600))
    await end(task)
    assert task.cancelled()


async def test_one_that_swallows_a_cancellation_is_told_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if swallowed == 2:
                    raise
                swallowed += 1

    task = asyncio.ensure_future(stubborn())
    await asyncio.sleep(0)
    await end(task)
    assert task.cancelled()
    assert swallowed == 2


async def test_what_they_raise_is_looked_at_and_not_raised() -> None:
    async def fails() -> None:
        raise RuntimeError("of its own")

    over, running = asyncio.ensure_future(fails()), asyncio.ensure_future(asyncio.sleep(3600))
    await asyncio.wait({over})
    await end(over, running)
    assert running.cancelled()


async def test_who_waits_for_the_end_can_be_cancelled() -> None:
    released = asyncio.Event()

    async def busy() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.ensure_future(busy())
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(end(task))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    released.set()
    await task
