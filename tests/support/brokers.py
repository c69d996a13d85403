"""Short ways to ring with brokers, and to hear it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.errors import Unavailable
from sanic_chatrooms.models import Envelope
from sanic_chatrooms.testing import Recorder

__all__ = ["WITHIN", "arrived", "envelope", "holds", "started"]

WITHIN = 40.0


@contextlib.asynccontextmanager
async def started(*brokers: Broker) -> AsyncIterator[list[Recorder]]:
    """What each of them hears, as long as the block lasts."""
    recorders = [Recorder() for _ in brokers]
    try:
        for broker, heard in zip(brokers, recorders, strict=True):
            await broker.start("test", heard, heard.reconnected)
        yield recorders
    finally:
        for broker in brokers:
            await broker.stop()


def envelope(seq: int, room: str = "r") -> Envelope:
    return Envelope(room, "epoch", seq, "message", b"{}")


async def arrived(broker: Broker, heard: Recorder, seq: int, room: str = "r") -> None:
    """Publish until it arrives."""
    async with asyncio.timeout(WITHIN):
        while seq not in {one.seq for one in heard.envelopes if one.room == room}:
            with contextlib.suppress(Unavailable):
                await broker.publish([envelope(seq, room)])
            await asyncio.sleep(0.02)


async def holds(condition: Callable[[], bool], within: float = WITHIN) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - it changes in other processes
            await asyncio.sleep(0.01)
