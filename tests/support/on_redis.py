"""Short ways to say things to the Redis backends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.errors import ChatError, Unavailable
from sanic_chatrooms.models import Appended, Draft, Room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.testing import Recorder
from tests.support.brokers import WITHIN, arrived, envelope, holds, started

__all__ = ["WITHIN", "arrived", "brokers", "draft", "envelope", "holds", "said", "store_at"]


@contextlib.asynccontextmanager
async def store_at(url: str, *rooms: str, bounds: Bounds | None = None) -> AsyncIterator[RedisStore]:
    store = RedisStore(url)
    await store.start("test", bounds or Bounds())
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
    made = [RedisBroker(where) for where in (url, *others)]
    async with started(*made) as heard:
        yield list(zip(made, heard, strict=True))
