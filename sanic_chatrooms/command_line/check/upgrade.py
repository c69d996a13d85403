"""The step of the WebSocket: several connections side by side, since one of several workers may be broken."""

import asyncio
import json
import time
from contextlib import suppress
from math import isfinite
from typing import Any, NamedTuple

from websockets.exceptions import ConnectionClosed, WebSocketException

from ...client.dial import Refused, dial
from ...errors import Unavailable
from ...wire.codes import CloseCode
from ..output import safe
from ..source import addresses
from .refused import PROXY, explain, said
from .visit import Visit, Wrong

__all__ = ["upgrade"]

PING = '{"type":"ping"}'


class Knock(NamedTuple):
    """What one connection told."""

    guest: bool
    """It was welcomed without a token."""
    took: float
    """Seconds of a round trip."""
    offset: float
    """By how much the server's clock is ahead."""


Outcome = Knock | Exception


async def upgrade(visit: Visit) -> str:
    """Open connections without a token, and pass a frame in both directions."""
    outcomes = await _at_the_socket(visit)
    failed = [one for one in outcomes if isinstance(one, Exception) and not _asks_for_a_token(visit, one)]
    _remember(visit, [one for one in outcomes if isinstance(one, Knock)])
    if not failed:
        return f"{len(outcomes)} connections opened, frames pass both ways"
    if len(failed) == len(outcomes):
        raise await explain(visit, failed[0])
    raise Wrong(
        f"{len(failed)} of {len(outcomes)} connections failed: {said(failed[0])}",
        "Some of the workers or machines behind this address are dead or hang. Find them by `/ready` of each, and restart them; "
        "let the load balancer ask `/health`, so that it leaves out those that do not answer.",
    )


async def _at_the_socket(visit: Visit) -> list[Outcome]:
    """Knock at the likeliest address, and at the next one where there is nothing."""
    from_the_url = addresses(visit.url)
    outcomes: list[Outcome] = []
    for visit.socket in from_the_url:
        outcomes = await asyncio.gather(*(_outcome(visit) for _ in range(visit.tries)))
        if not all(isinstance(one, Refused) and one.status == 404 for one in outcomes):
            return outcomes
    visit.socket = from_the_url[0]
    return outcomes


async def _outcome(visit: Visit) -> Outcome:
    try:
        return await _knock(visit)
    except (
        Wrong,
        Refused,
        Unavailable,
        OSError,
        WebSocketException,
    ) as problem:  # TimeoutError is an OSError
        return problem


async def _knock(visit: Visit) -> Knock:
    async with asyncio.timeout(visit.timeout):
        ws = await dial(visit.socket, None, visit.options())
    try:
        async with asyncio.timeout(visit.timeout):
            return await _pass_a_frame(ws)
    except TimeoutError:
        ws.transport.abort()  # nobody would answer the closing handshake either
        raise Wrong(
            f"the connection opens, but nothing comes through within {visit.timeout:g} s",
            "A proxy or a filter between answers the handshake by itself, or keeps frames back. Turn its buffering off, or let "
            "it pass WebSockets through.",
        ) from None
    except ConnectionClosed as closed:
        raise _closed(closed) from None
    finally:
        with suppress(Exception):
            await ws.close()


def _closed(closed: ConnectionClosed) -> Exception:
    if closed.rcvd is None:
        return Wrong("the connection opens, and is cut at once", f"A proxy cuts it. {PROXY}")
    code, reason = closed.rcvd.code, safe(closed.rcvd.reason)
    if code == CloseCode.OVERLOADED:
        return Unavailable(reason)
    return Wrong(
        f"the connection opens, and the server closes it at once: {code} {reason}".rstrip(),
        "Its log says why.",
    )


async def _pass_a_frame(ws: Any) -> Knock:
    sent, began, guest = time.time(), time.monotonic(), False
    await ws.send(PING)
    while True:
        frame = _frame(await ws.recv())
        if frame["type"] in ("pong", "error"):
            took = time.monotonic() - began
            stamp = frame.get("timestamp")
            offset = 0.0
            if isinstance(stamp, int | float) and isfinite(stamp):
                offset = stamp - sent - took / 2
            return Knock(guest, took, offset)
        guest = guest or frame["type"] == "welcome"


def _frame(text: str | bytes) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise Wrong(
            "a WebSocket answers here, but it is no chat",
            "Check the path: it is the prefix of the blueprint (/chat unless you have set another), or the socket below it (/chat/ws).",
        )
    return frame


def _asks_for_a_token(visit: Visit, problem: Exception) -> bool:
    """Some chats let nobody open a connection without a token. The next step shows ours."""
    return isinstance(problem, Refused) and problem.status == 401 and visit.token is not None


def _remember(visit: Visit, knocks: list[Knock]) -> None:
    if knocks:
        visit.guests = knocks[0].guest
        visit.offset = min(knocks, key=lambda one: one.took).offset
