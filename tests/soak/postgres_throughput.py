"""Acked messages a second on PostgreSQL: `publish` by 100 senders, beside the raw driver on the same tables.

In turns, in one run: `publish`; batches of 100 by one asyncpg connection that calls the append function itself; one
transaction for each message, on one connection and on ten. The first must reach half of the second and five times
the third.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import asyncpg

from sanic_chatrooms import ChatRooms, connect
from sanic_chatrooms.models import Draft
from sanic_chatrooms.stores.sql.append_postgres import append_call
from sanic_chatrooms.stores.sql.batch_postgres import Batch
from sanic_chatrooms.stores.sql.schema import Schema
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.wire.encode import encode
from tests.soak.runs import Progress, Verdict, main
from tests.support.postgres import PostgresServer

SHORT = 0.02
ROUNDS, SECONDS = 5, 4.0
ROOMS, SENDERS = 100, 100
PAYLOAD = {"text": "x" * 140}
OF_RAW, OF_SINGLE = 0.5, 5.0

Way = Callable[[float], Awaitable[int]]
"""Does its work for so many seconds; how many messages were acked."""


async def soak(scale: float, progress: Progress) -> Verdict:
    server = PostgresServer()
    try:
        await asyncio.to_thread(server.start)
        async with connect("soak", namespace="none", guests=True, store=SQLStore(server.url())) as chat:
            for number in range(ROOMS):
                await chat.create_room(f"room.{number}")
            pool = await asyncpg.create_pool(server.url(), min_size=10, max_size=10)
            async with pool:
                return await _race(_ways(chat, pool), scale, progress)
    finally:
        await asyncio.to_thread(server.close)


async def _race(ways: dict[str, Way], scale: float, progress: Progress) -> Verdict:
    rates: dict[str, list[float]] = {name: [] for name in ways}
    seconds = max(SECONDS * scale, 0.2)
    rounds = ROUNDS if scale >= 0.2 else 1
    for number in range(rounds):
        for place, (name, way) in enumerate(ways.items()):
            progress((number + place / len(ways)) / rounds, name)
            began = time.perf_counter()
            count = await way(seconds)
            rates[name].append(count / (time.perf_counter() - began))
    verdict = Verdict()
    middle = {name: median(found) for name, found in rates.items()}
    verdict.figures = {name: f"{rate:,.0f}/s" for name, rate in middle.items()}
    ours, raw, single, _ = middle.values()
    verdict.figures |= {
        "publish / raw batches": round(ours / raw, 2),
        "publish / single": round(ours / single, 1),
    }
    if ours < OF_RAW * raw:
        verdict.slow.append(f"publish reached {ours / raw:.2f} of the raw driver, at least {OF_RAW}")
    if ours < OF_SINGLE * single:
        verdict.slow.append(
            f"publish reached {ours / single:.1f} times single transactions, at least {OF_SINGLE}"
        )
    if not min(middle.values()):
        verdict.wrong.append(f"somebody stored nothing: {middle}")
    progress(1.0, "done")
    return verdict


def _ways(chat: ChatRooms, pool: Any) -> dict[str, Way]:
    statement = append_call(Schema("soak"))

    async def publish(seconds: float) -> int:
        end = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(_publish(chat, f"room.{n % ROOMS}", end) for n in range(SENDERS))))

    async def raw(seconds: float) -> int:
        async with pool.acquire() as connection:
            return await _append(connection, statement, SENDERS, time.perf_counter() + seconds)

    async def single(seconds: float) -> int:
        async with pool.acquire() as connection:
            return await _append(connection, statement, 1, time.perf_counter() + seconds)

    async def single_on_ten(seconds: float) -> int:
        return sum(await asyncio.gather(*(single(seconds) for _ in range(10))))

    return {
        "publish, 100 senders": publish,
        "raw asyncpg, batches of 100": raw,
        "one transaction a message": single,
        "the same on ten connections": single_on_ten,
    }


async def _publish(chat: ChatRooms, room: str, end: float) -> int:
    count = 0
    while time.perf_counter() < end:
        await chat.publish(room, "message", PAYLOAD)
        count += 1
    return count


async def _append(connection: Any, statement: str, size: int, end: float) -> int:
    count, payload = 0, encode(PAYLOAD)
    while time.perf_counter() < end:
        drafts = [_draft(f"room.{(count + n) % ROOMS}", payload) for n in range(size)]
        row = await connection.fetchrow(
            statement, *Batch(drafts).arguments(wait=True, keep=100_000, cutoff=None, now=0.0)
        )
        assert row["outcomes"] is None
        count += size
    return count


def _draft(room: str, payload: bytes) -> Draft:
    id = new_id()
    return Draft(room, "message", payload, id, now(), None, ("", id), b"#" * 16)


if __name__ == "__main__":
    main(soak)
