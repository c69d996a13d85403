"""One timer for the time limits of many tasks: it ends what `asyncio.timeout` would end, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable

import pytest

from sanic_chatrooms.support.tasks import end
from sanic_chatrooms.support.time_limit import TimeLimit

SHORT, LONG = 0.01, 30.0


async def forever() -> None:
    await asyncio.Event().wait()


async def test_an_answer_in_time_is_passed_on_and_so_is_an_error() -> None:
    limit = TimeLimit(LONG)

    assert await limit.keep(asyncio.sleep(0, "answer")) == "answer"
    with pytest.raises(ZeroDivisionError):
        await limit.keep(fail())


async def fail() -> None:
    await asyncio.sleep(0)
    raise ZeroDivisionError


async def test_who_waits_too_long_gets_a_time_out_and_goes_on() -> None:
    limit = TimeLimit(SHORT)

    for _ in range(2):  # the timer is set anew
        with pytest.raises(TimeoutError):
            await limit.keep(forever())

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)  # nothing of it is left that would end this


async def test_each_has_their_own_time_whoever_ends_before() -> None:
    limit, gate = TimeLimit(LONG), asyncio.Event()
    first, quick, last = (
        asyncio.ensure_future(limit.keep(answer)) for answer in (forever(), gate.wait(), forever())
    )
    await asyncio.sleep(0)
    gate.set()
    await quick

    limit._due[first] = asyncio.get_running_loop().time()  # the time of the first is over now
    limit._look()

    with pytest.raises(TimeoutError):
        await first
    assert not last.done()
    assert limit._timer is not None
    assert limit._timer.when() == limit._due[last]
    await end(last)


async def test_who_is_cancelled_by_others_is_cancelled() -> None:
    limit = TimeLimit(LONG)
    waiting = asyncio.ensure_future(limit.keep(forever()))
    await asyncio.sleep(0)

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_who_is_cancelled_by_others_in_the_same_moment_is_cancelled() -> None:
    limit = TimeLimit(LONG)
    waiting = asyncio.ensure_future(limit.keep(forever()))
    await asyncio.sleep(0)

    limit._due[waiting] = asyncio.get_running_loop().time()  # its time is over now
    limit._look()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_who_tidies_up_when_the_time_is_over_is_cancelled_once() -> None:
    limit = TimeLimit(SHORT)
    tidied = []

    async def slow_end() -> None:
        try:
            await forever()
        finally:
            with contextlib.suppress(TimeoutError):
                await TimeLimit(LONG).keep(other_is_over())
            tidied.append(True)

    async def other_is_over() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.ensure_future(limit.keep(forever()))  # the timer looks at both again

    with pytest.raises(TimeoutError):
        await limit.keep(slow_end())

    assert tidied == [True]


async def test_an_answer_in_spite_of_the_time_out_counts() -> None:
    """As with `asyncio.timeout`: what was not interrupted has its result, and the task is not cancelled afterwards."""
    limit = TimeLimit(SHORT)

    async def stubborn() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await forever()
        return "answer"

    assert await limit.keep(stubborn()) == "answer"

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_limit_within_a_timeout_leaves_it_its_own_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SHORT):
            await TimeLimit(LONG).keep(forever())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(LONG):
            await TimeLimit(SHORT).keep(forever())


async def test_what_is_asked_for_within_an_answer_has_the_limit_of_that_one() -> None:
    limit = TimeLimit(SHORT)

    async def answer(inner: Awaitable[object]) -> object:
        return await limit.keep(inner)

    assert await limit.keep(answer(asyncio.sleep(0, "answer"))) == "answer"
    with pytest.raises(TimeoutError):
        await limit.keep(answer(forever()))
    assert await limit.keep(asyncio.sleep(0, "answer")) == "answer"
