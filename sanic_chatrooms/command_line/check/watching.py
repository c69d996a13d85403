"""The last steps: a quiet connection, and the clocks."""

import asyncio
import time
from contextlib import suppress
from typing import Any

from websockets.exceptions import ConnectionClosed

from ...client.dial import Refused, dial
from ..output import safe, span
from .visit import Visit, Wrong

__all__ = ["CLOCKS", "compare_clocks", "heartbeat", "is_off"]

LONGER = 1.2
"""Times the heartbeat's interval: what a quiet connection has to survive."""
OFF = 10.0
"""Seconds by which clocks may differ: as much as a server takes tokens for by default (JWT_LEEWAY)."""
CLOCKS = "Set the clocks of all machines by NTP (`timedatectl` shows whether it runs): of the server, of who signs tokens, and of this one."
"""What to do about clocks that differ."""
PING = '{"type":"ping"}'
CUT = 1006
"""The close code where there was no word of the server."""


async def heartbeat(visit: Visit) -> str:
    """Keep a connection open and say nothing, as clients do most of the time; then ask whether it still works."""
    seconds = visit.interval * LONGER if visit.watch is None else visit.watch
    if seconds <= 0:
        return "not watched"
    visit.waiting(f"watching a quiet connection for {span(seconds)} (--watch 0 leaves this out)")
    try:
        async with asyncio.timeout(visit.timeout):
            ws = await dial(visit.socket, visit.token, visit.options())
    except (Refused, OSError) as problem:
        raise Wrong(
            f"one more connection was not opened: {safe(str(problem))}", "Run the check again."
        ) from None
    try:
        return await _watch(ws, seconds, visit)
    finally:
        with suppress(Exception):
            await ws.close()


async def _watch(ws: Any, seconds: float, visit: Visit) -> str:
    heard = time.monotonic()
    end = heard + seconds
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + seconds):
                while True:
                    await ws.recv()
                    heard = time.monotonic()
        await ws.send(PING)
        async with asyncio.timeout(visit.timeout):
            await ws.recv()
    except ConnectionClosed as closed:
        raise _ended(closed, time.monotonic() - heard, visit) from None
    except TimeoutError:
        raise Wrong(
            f"after {span(time.monotonic() - heard)} without a frame, a ping is not answered",
            f"Something between forgets quiet connections and tells nobody. {_remedy(visit)}",
        ) from None
    return f"a connection that was quiet for {span(time.monotonic() - end + seconds)} still works"


def _ended(closed: ConnectionClosed, silent: float, visit: Visit) -> Wrong:
    code = closed.rcvd.code if closed.rcvd is not None else CUT
    if code == CUT:
        return Wrong(
            f"a quiet connection is cut after {span(silent)}",
            f"A proxy ends quiet connections. {_remedy(visit)}",
        )
    reason = safe(closed.rcvd.reason) if closed.rcvd is not None else ""
    return Wrong(
        f"a quiet connection is closed after {span(silent)}: {code} {reason}".rstrip(),
        "With 1001, 1012 or 1013 the server restarts or is overloaded: try again. With another code, its log says why.",
    )


def _remedy(visit: Visit) -> str:
    return (
        f"Raise its idle timeout above {span(visit.interval * 2)} (nginx: proxy_read_timeout and proxy_send_timeout; load balancers: idle "
        "timeout), or set CHATROOMS_HEARTBEAT_INTERVAL below it."
    )


async def compare_clocks(visit: Visit) -> str:
    """Compare the server's clock with this machine's."""
    offset = visit.offset or 0.0
    if not is_off(visit):
        return f"the clocks agree, to {max(abs(offset), 0.1):.1f} s"
    raise Wrong(
        f"the server's clock is {span(offset)} {'ahead of' if offset > 0 else 'behind'} this machine's",
        CLOCKS,
    )


def is_off(visit: Visit) -> bool:
    """Whether the clocks differ by so much that tokens are refused."""
    return visit.offset is not None and abs(visit.offset) > OFF
