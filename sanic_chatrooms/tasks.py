"""The end of a task, also of one whose wait swallows the order to end."""

import asyncio
from typing import Any

__all__ = ["end", "is_ending"]

AGAIN = 0.2
"""Seconds after which a task that goes on is told again."""


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
