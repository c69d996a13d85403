"""Closes the connections of a worker that stops, and tells clients when to reconnect.

The clients reconnect to another worker, or to the next one. If all did so at the same moment, they would wait for their
handshakes, give up, and try again.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable

from ..support.backoff import jittered
from ..wire.codes import CloseCode
from ..wire.events import Closing
from .registry import Sessions
from .session import Session

__all__ = ["FEW", "drain", "send_away", "spread"]

FEW = 100
"""Up to so many connections are closed at once."""
RATE = 50.0
"""Connections closed per second, if there is time. Each one costs another worker a handshake, a sign-in and a join, and
often all workers restart together."""
SHARE = 0.75
"""Of the time for all, for closing."""
PAUSE = 0.02
"""Seconds between two batches, jittered. Closing a connection takes 0.15 ms or more, and those who are left wait for a whole batch."""
LATE = 5
"""A batch is at most so many times as large where the event loop was late."""
COME_BACK_WITHIN = 2.0
"""Seconds within which clients are told to reconnect, each at a random moment."""


_clock = time.monotonic


def spread(connections: int, within: float) -> float:
    """The seconds over which to close so many connections, if all has to end `within` seconds. A quarter of that time is left for
    the closing handshakes. It is not more, since who is still connected does not wait for the next worker.
    """
    if connections <= FEW:
        return 0.0
    return min(connections / RATE, within * SHARE)


def send_away(session: Session) -> None:
    """Tell the client to reconnect, and close the connection with 1012."""
    wait = jittered(COME_BACK_WITHIN, 0.0, 1.0)
    session.send(Closing("restart", round(wait, 3)))
    session.close(CloseCode.RESTART)


async def drain(sessions: Sessions, flush: Callable[[], None], within: float) -> None:
    """Close all connections, also those that are opened meanwhile. Returns when all were told; the peers may still be connected."""
    waiting = list(sessions)
    random.shuffle(waiting)
    seconds = max(spread(len(waiting), within), PAUSE)
    size = math.ceil(len(waiting) * min(1.0, PAUSE / seconds))
    began, told = _clock(), 0
    while told < len(waiting):
        if told:
            await asyncio.sleep(jittered(PAUSE, 0.5, 1.5))
        due = math.ceil(len(waiting) * (_clock() - began) / seconds)
        batch = waiting[told : told + max(size, min(due - told, LATE * size))]
        for session in batch:
            send_away(session)
        told += len(batch)
        flush()
    for session in sessions:
        send_away(session)
    flush()
