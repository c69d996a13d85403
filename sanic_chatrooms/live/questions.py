"""Questions to other workers about messages that are being written."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from ..support.ids import new_id

__all__ = ["Questions"]

ANSWERED = 0.5
"""Seconds to wait for an answer."""
ASK_AGAIN = 5.0
"""Seconds for which nobody is asked after nobody answered: the worker that wrote the message is gone."""
REMEMBERED = 1_000


class _Question(NamedTuple):
    id: str
    answer: "asyncio.Future[None]"


class Questions:
    """Those that are open, by message. `ask(room, msg_id, id)` tells the other workers of one; an answer has its id."""

    def __init__(self, ask: Callable[[str, str, str], None], clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._open: dict[str, _Question] = {}
        self._unanswered: dict[str, float] = {}
        """Until when nobody is asked about a message."""

    async def ask(self, room: str, msg_id: str) -> bool:
        """Ask about a message; whether somebody answered. At once False if nobody did lately."""
        if self._clock() < self._unanswered.get(msg_id, 0.0):
            return False
        question = self._open.get(msg_id)
        if question is None:
            question = _Question(new_id(), asyncio.get_running_loop().create_future())
            self._open[msg_id] = question
            self._ask(room, msg_id, question.id)
        try:
            async with asyncio.timeout(ANSWERED):
                await asyncio.shield(question.answer)
        except TimeoutError:
            self._open.pop(msg_id, None)
            self._unanswered[msg_id] = self._clock() + ASK_AGAIN
            if len(self._unanswered) > REMEMBERED:
                del self._unanswered[next(iter(self._unanswered))]
            return False
        return True

    def answered(self, msg_id: str, id: str) -> None:
        """Somebody has answered the question with this id. What was told before it was asked is no answer, however late it comes."""
        question = self._open.get(msg_id)
        if question is not None and question.id == id:
            del self._open[msg_id]
            if not question.answer.done():
                question.answer.set_result(None)
