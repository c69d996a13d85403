"""Short ways to say things to the Redis backends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.errors import ChatError, Unavailable
from sanic_chatrooms.models import Appended, Draft, Envelope, Room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.redis import RedisStore
from sanic_chatrooms.testing import Recorder

__all__ = ["WITHIN", "brokers", "draft", "envelope", "holds", "rung", "said", "store_at"]

WITHIN = 15.0


@contextlib.asynccontextmanager
async def store_at(url: str, *rooms: str, bounds: Bounds | None = None) -> AsyncIterator[RedisStore]:
    store = RedisStore(url)
    await store.start("test", bounds or Bounds(timeout=2.0))
    try:
        for room in rooms:
            await store.create_room(Room(room, "", 0))
        yield store
    finally:
        await store.stop()


def draft(key: str, room: str = "r") -> Draft:
    return Draft(room, "message", b'{"text":"hi"}', f"id-{room}-{key}", 1750000000.0, None, ("u1", key), b"#")


async def said(store: RedisStore, *keys: str, room: str = "r") -> list[Appended | ChatError]:
    """Append as the journal does: again and again until the outcome is known."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                return await store.append([draft(key, room) for key in keys])
            except Unavailable:
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def brokers(url: str, *others: str) -> AsyncIterator[list[tuple[RedisBroker, Recorder]]]:
    nodes = [(RedisBroker(where), Recorder()) for where in (url, *others)]
    try:
        for broker, heard in nodes:
            await broker.start("test", heard, heard.reconnected)
        yield nodes
    finally:
        for broker, _ in nodes:
            await broker.stop()


def envelope(seq: int, room: str = "r") -> Envelope:
    return Envelope(room, "epoch", seq, "message", b"{}")


async def rung(broker: RedisBroker, heard: Recorder, seq: int, room: str = "r") -> None:
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
