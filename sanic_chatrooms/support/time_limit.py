"""A time limit for what many tasks do at a time."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

__all__ = ["TimeLimit"]

T = TypeVar("T")
OVER: Final = 0.0


class TimeLimit:
    """`asyncio.timeout(seconds)` with one timer for all tasks, for a timer takes as long as a request to Redis. It belongs to one loop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._due: dict[asyncio.Task[Any], float] = {}
        """When the time of each task is over, or `OVER`. All have the same time, so who began first is first."""
        self._timer: asyncio.TimerHandle | None = None

    async def keep(self, answer: Awaitable[T]) -> T:
        """The answer. Raises `TimeoutError` after `seconds`. What a task asks for within another answer has the limit of that one."""
        task = asyncio.current_task(self._loop)
        assert task is not None
        if task in self._due:
            return await answer
        before, cancelled = task.cancelling(), False
        self._due[task] = due = self._loop.time() + self.seconds
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._look)
        try:
            return await answer
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            if self._due.pop(task) == OVER and task.uncancel() <= before and cancelled:
                raise TimeoutError from None

    def _look(self) -> None:
        self._timer, now = None, self._loop.time()
        for task, due in self._due.items():
            if due > now:
                self._timer = self._loop.call_at(due, self._look)
                break
            if due != OVER:
                self._due[task] = OVER
                task.cancel()
