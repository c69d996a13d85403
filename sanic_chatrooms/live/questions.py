"""Questions to other workers about messages that are being written."""

import asyncio
from collections.abc import Callable

__all__ = ["Questions"]

ANSWERED = 0.5
"""Seconds to wait for an answer."""
ASK_AGAIN = 5.0
"""Seconds for which nobody is asked after nobody answered: the worker that wrote the message is gone."""
REMEMBERED = 1_000


class Questions:
    """Those that are open, by message. `ask` tells the other workers of one."""

    def __init__(self, ask: Callable[[str, str], None], clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._open: dict[str, asyncio.Future[None]] = {}
        self._unanswered: dict[str, float] = {}
        """Until when nobody is asked about a message."""

    async def ask(self, room: str, msg_id: str) -> bool:
        """Ask about a message; whether somebody answered. At once False if nobody did lately."""
        if self._clock() < self._unanswered.get(msg_id, 0.0):
            return False
        answer = self._open.get(msg_id)
        if answer is None:
            answer = self._open[msg_id] = asyncio.get_running_loop().create_future()
            self._ask(room, msg_id)
        try:
            async with asyncio.timeout(ANSWERED):
                await asyncio.shield(answer)
        except TimeoutError:
            self._open.pop(msg_id, None)
            self._unanswered[msg_id] = self._clock() + ASK_AGAIN
            if len(self._unanswered) > REMEMBERED:
                del self._unanswered[next(iter(self._unanswered))]
            return False
        return True

    def answered(self, msg_id: str) -> None:
        """Somebody has answered."""
        answer = self._open.pop(msg_id, None)
        if answer is not None and not answer.done():
            answer.set_result(None)
