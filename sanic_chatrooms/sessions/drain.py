"""The end of a worker's connections: each is told to come back, and closed; many of them not all in one moment.

Who was sent away comes back to another worker, or to the next one. If all came in the same moment, they would queue for
their handshakes, give up, and come again.
"""

import asyncio
import math
import random
from collections.abc import Callable

from ..support.backoff import jittered
from ..wire.codes import CloseCode
from ..wire.events import Closing
from .registry import Sessions
from .session import Session

__all__ = ["FEW", "drain", "send_away", "spread"]

FEW = 100
"""So many connections are closed at once."""
RATE = 50.0
"""Connections closed per second, where there is time: what is lost by one worker costs the others a handshake, a sign-in and
a join each, and often all workers are restarted together."""
PAUSE = 0.1
"""Seconds between two batches, jittered."""
COME_BACK_WITHIN = 2.0
"""Seconds from a close to the return of its client, at most; each is told another moment."""


def spread(connections: int, within: float) -> float:
    """Over how many seconds so many connections are closed, where all has to be over `within` seconds.

    Half of the time is left to the peers, for their part of the closing handshake.
    """
    if connections <= FEW:
        return 0.0
    return min(connections / RATE, within / 2)


def send_away(session: Session) -> None:
    """Tell it to come back, and close it with 1012."""
    wait = jittered(COME_BACK_WITHIN, 0.0, 1.0)
    session.send(Closing("restart", round(wait, 3)))
    session.close(CloseCode.RESTART)


async def drain(sessions: Sessions, flush: Callable[[], None], within: float) -> None:
    """Send everybody away, those included who come meanwhile. Returns when all were told; the peers may still be there."""
    waiting = list(sessions)
    random.shuffle(waiting)
    batches = max(1, round(spread(len(waiting), within) / PAUSE))
    size = max(1, math.ceil(len(waiting) / batches))
    for start in range(0, len(waiting), size):
        if start:
            await asyncio.sleep(jittered(PAUSE, 0.5, 1.5))
        for session in waiting[start : start + size]:
            send_away(session)
        flush()
    for session in sessions:
        send_away(session)
    flush()
