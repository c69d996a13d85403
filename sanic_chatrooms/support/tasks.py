"""Tasks that go on for as long as the chat runs, and their end, also of one whose wait swallows the order to end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from .backoff import Backoff

__all__ = ["end", "is_ending", "keep_on"]

logger = logging.getLogger("sanic_chatrooms.support.tasks")

AGAIN = 0.2
"""Seconds after which a task that goes on is told again."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 10.0
"""Seconds until what failed is done again: twice as many each time in a row."""


async def keep_on(step: Callable[[], Awaitable[object]], what: str) -> NoReturn:
    """Do a step again and again until this task is ended. Whatever the step raises is logged, and it goes on after a wait.

    The step itself waits for its time, and deals with what it expects.
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
    """Whether the task that runs now is to end. If not, the `CancelledError` that it got is of something it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel these and return when they are done, whatever they raised.

    Once is not always enough: where what is waited for comes in the same moment, `asyncio.wait_for` of Python 3.11, which
    clients of databases and brokers use, takes the cancellation for a time-out of its own and goes on.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN)
    # Looked at, so that nobody calls them unseen.
    await asyncio.gather(*tasks, return_exceptions=True)
