"""All steps, one after the other, until one finds something wrong."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec
from websockets.exceptions import WebSocketException

from ...errors import ChatError
from ..output import safe, short
from .entering import echo, introduce, join
from .network import find_name, open_port, shake_hands
from .upgrade import upgrade
from .visit import Visit, Wrong
from .watching import compare_clocks, heartbeat

__all__ = ["STEPS", "Report", "Step", "examine"]

Probe = Callable[[Visit], Awaitable[str]]
STEPS: dict[str, Probe] = {
    "name": find_name,
    "tcp": open_port,
    "tls": shake_hands,
    "upgrade": upgrade,
    "auth": introduce,
    "join": join,
    "echo": echo,
    "heartbeat": heartbeat,
    "clock": compare_clocks,
}


class Step(msgspec.Struct, omit_defaults=True):
    """What one step has found."""

    step: str
    ok: bool
    ms: float
    detail: str
    advice: str | None = None
    """What to do; None: nothing is wrong."""


class Report(msgspec.Struct):
    """What a check has found."""

    ok: bool
    steps: list[Step]


async def examine(visit: Visit, told: Callable[[Step], None] = lambda step: None) -> Report:
    """Take the steps, and tell of each as soon as it is done. After one that found something wrong only the clocks are compared."""
    steps: list[Step] = []
    with _without_log():
        async with visit.ending:
            for name, probe in STEPS.items():
                if _is_due(name, visit, steps):
                    steps.append(await _take(name, probe, visit))
                    told(steps[-1])
    return Report(all(step.ok for step in steps), steps)


def _is_due(name: str, visit: Visit, steps: list[Step]) -> bool:
    if name == "tls" and not visit.secure:
        return False
    return all(step.ok for step in steps) or (name == "clock" and visit.offset is not None)


async def _take(name: str, probe: Probe, visit: Visit) -> Step:
    began = time.monotonic()
    detail, advice = "", None
    try:
        detail = await probe(visit)
    except Wrong as wrong:
        detail, advice = wrong.detail, wrong.advice
    except (ChatError, OSError, WebSocketException) as problem:
        detail, advice = (
            safe(str(problem)) or type(problem).__name__,
            "Try again; if it stays, the server's log says why.",
        )
    except (LookupError, TypeError, ValueError, ArithmeticError) as problem:
        detail = f"an answer that no chat gives: {type(problem).__name__} {safe(str(problem))}"
        advice = "Check the address. If it is a chat's, something between changes what it says."
    ms = round((time.monotonic() - began) * 1000, 1)
    return Step(name, advice is None, ms, short(detail), advice)


@contextmanager
def _without_log() -> Iterator[None]:
    """The report tells all; the client's log would stand between its lines."""
    logger = logging.getLogger("sanic_chatrooms.client")
    known = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = known
