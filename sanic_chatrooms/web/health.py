"""`GET <prefix>/health` and `/ready`: does this worker run, and should it get new connections?"""

import asyncio
import logging
import time

from sanic import Request, json
from sanic.response import HTTPResponse

from ..chat import Chat
from ..errors import ChatError, Unavailable
from .problems import problem_of

__all__ = ["Readiness", "answer_health"]

logger = logging.getLogger("sanic_chatrooms.web.health")

WITHIN = 2.0
"""Seconds in which the store has to answer."""
LOOK_EVERY = 1.0
"""Seconds for which an answer of the store is told again, however many ask."""
_HEADERS = {"Cache-Control": "no-store"}
_REASONS = {
    "starting": "the chat does not run yet, or no more",
    "draining": "this worker sends its connections to others, because it stops",
    "store": "the store does not answer",
    "broker": "events of other workers do not arrive, because the broker does not answer",
}


async def answer_health(_: Request) -> HTTPResponse:
    """200: the event loop of this worker runs. It asks nobody else, since a restart would not help them."""
    return json({"status": "live"}, headers=_HEADERS)


class Readiness:
    """Whether this worker should get new connections."""

    def __init__(self) -> None:
        self._asking: asyncio.Task[float | None] | None = None
        self._asked_at = float("-inf")

    async def answer(self, chat: Chat | None) -> HTTPResponse:
        """200, or a problem document whose `reasons` say why not: `starting`, `draining`, `store`, `broker`."""
        reasons = await self._reasons(chat)
        if not reasons:
            return json({"status": "ready"}, headers=_HEADERS)
        message = "; ".join(_REASONS[reason] for reason in reasons)
        answer = problem_of(Unavailable(message, reasons=reasons))
        answer.headers.update(_HEADERS)
        return answer

    async def _reasons(self, chat: Chat | None) -> list[str]:
        if chat is None:
            return ["starting"]
        lacks = {
            "draining": chat.draining or chat.refusing,
            "store": await self.ask_store(chat) is None,
            "broker": not chat.backends.broker.healthy,
        }
        return [reason for reason, lacking in lacks.items() if lacking]

    async def ask_store(self, chat: Chat) -> float | None:
        """How long the store took to answer, in seconds; None: it does not answer."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now - self._asked_at > LOOK_EVERY):
            self._asked_at = now
            self._asking = asyncio.ensure_future(_answers(chat))
        return await asyncio.shield(self._asking)


async def _answers(chat: Chat) -> float | None:
    asked_at = time.monotonic()
    try:
        async with asyncio.timeout(WITHIN):
            await chat.store.heads(("~ready",))  # there is none, which is an answer too
    except (ChatError, TimeoutError) as problem:
        logger.warning("the store does not answer: %s", str(problem) or "in time")
        return None
    except Exception:
        logger.exception("the store could not be asked")
        return None
    return time.monotonic() - asked_at
