from __future__ import annotations

import asyncio

import pytest

from sanic_chatrooms.support.tasks import LONGEST_WAIT, end, keep_on


async def test_what_fails_again_and_again_is_tried_less_and_less_often_and_at_once_after_it_worked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []
    outcomes: list[BaseException | None] = [
        ValueError(),
        asyncio.CancelledError(),
        *([KeyError()] * 20),
        None,
        KeyError(),
    ]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def step() -> None:
        if not outcomes:
            raise GeneratorExit  # what ends a task whatever it does
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    monkeypatch.setattr("sanic_chatrooms.support.tasks.asyncio.sleep", sleep)
    with pytest.raises(GeneratorExit):
        await keep_on(step, "counting")

    assert all(0.8 * full <= wait <= full for wait, full in zip(waits, [1.0, 2.0, 4.0, 8.0], strict=False))
    assert 0.8 * LONGEST_WAIT <= min(waits[4:-1]) <= max(waits) <= LONGEST_WAIT
    assert waits[-1] <= 1.0
    assert [r.getMessage().split(";")[0] for r in caplog.records] == ["counting failed"] * len(waits)


async def test_a_task_that_keeps_on_ends_when_it_is_told_to() -> None:
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        await asyncio.sleep(3600)

    task = asyncio.ensure_future(keep_on(step, "waiting"))
    await begun.wait()
    await end(task)

    assert task.cancelled()


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
