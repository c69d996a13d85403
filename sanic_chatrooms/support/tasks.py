"""Run tasks for as long as the chat runs, and cancel them until they have really ended."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

from .backoff import Backoff

__all__ = ["begin", "end", "is_ending", "keep_on"]

logger = logging.getLogger("sanic_chatrooms.support.tasks")

AGAIN = 0.2
"""Seconds after which a task that has not ended is cancelled again."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 10.0
"""Seconds until a step that failed is repeated; they double with each failure in a row."""


def begin(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """Run a coroutine as a task. From Python 3.12 on it begins at once, and what never waits has ended when this returns."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
    return asyncio.get_running_loop().create_task(work)


async def keep_on(step: Callable[[], Awaitable[object]], what: str) -> NoReturn:
    """Repeat a step until this task is cancelled. If the step raises, that is logged, and repeated after a wait.

    `what` says in the log what the step does. The step itself waits until it is time, and handles the errors it expects.
    """
    backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
    while True:
        try:
            await step()
        except asyncio.CancelledError as problem:
            if is_ending():
                raise
            await _failed(what, backoff.failed(), problem)  # of something that it waited for
        except Exception as problem:  # noqa: BLE001 - logged there
            await _failed(what, backoff.failed(), problem)
        else:
            backoff.succeeded()


async def _failed(what: str, wait: float, problem: BaseException) -> None:
    logger.error("%s failed; it goes on in %.0f s", what, wait, exc_info=problem)
    await asyncio.sleep(wait)


def is_ending() -> bool:
    """Is the running task being cancelled? If not, a `CancelledError` comes from something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel tasks and wait until they have really ended, even if a library swallows the cancellation.

    One cancellation is not always enough. `asyncio.wait_for` of Python 3.11, which database and broker clients use, can take
    it for its own time-out if the awaited result arrives in the same moment.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN)
    # Retrieve the exceptions, or asyncio would log that nobody did.
    await asyncio.gather(*tasks, return_exceptions=True)
