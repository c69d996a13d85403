"""What operators have decided for the whole server.

Each decision is a fact in the room that every worker holds. Unlike the events there, facts are not trimmed.
"""

import secrets
import time
from typing import Any

import msgspec

from ..errors import RoomNotFound, Unavailable
from ..models import EVERYONE, Fact, Known, Sender
from ..stores.base import Store
from ..support.clock import now
from ..wire.encode import encode

__all__ = ["Decision", "concerns", "decisions", "keep"]

KIND = "decision"
KEPT = 366 * 86_400.0
"""Seconds for which a decision is kept."""
END = 10**19
"""Nanoseconds, in the year 2286. Keys count down to it, so that the newest decision comes first."""


class Decision(msgspec.Struct, frozen=True):
    """Who decided what of whom, and why."""

    at: float
    type: str
    actor: Sender
    user: str | None
    """The id of the user whom it is about; None: nobody in particular."""
    reason: str
    details: dict[str, Any]


_decision = msgspec.json.Decoder(Decision)


async def keep(
    store: Store, type: str, actor: Sender, *, user: str | None, reason: str, details: dict[str, Any]
) -> None:
    """Keep a decision of this moment. Raises `Unavailable`."""
    at, key = now(), f"{END - time.time_ns():019}.{secrets.token_hex(4)}"
    decision = Decision(at, type, actor, user, reason, details)
    try:
        await store.set_fact(EVERYONE, Fact(KIND, key, encode(decision), until=at + KEPT))
    except RoomNotFound:
        raise Unavailable from None  # the store has just lost everything; it is made again in a moment


async def decisions(store: Store, cursor: str | None, limit: int) -> tuple[list[Decision], str | None]:
    """A page of them, newest first, and the cursor for older ones. Raises `RoomNotFound`, `InvalidCursor`, `Unavailable`."""
    page = await store.facts(EVERYONE, KIND, cursor=cursor, limit=limit)
    return [_decision.decode(known.value) for known in page.facts], page.cursor


def concerns(known: Known, user: str) -> bool:
    """Whether this fact is a decision of or about the user."""
    if known.kind != KIND:
        return False
    decision = _decision.decode(known.value)
    return user in (decision.user, decision.actor.id)
