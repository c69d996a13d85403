"""What a user has not read in 50 rooms is counted in two milliseconds, where the user has 10,000 rooms and one of them a million messages.

Over each store, one page after the other, each of other rooms and always with the large one. The clock is judged: run it on a
machine that does nothing else. What only filling the stores causes is done before: PostgreSQL's vacuum and checkpoint, which would
run on one of the processors meanwhile. As in a server, the garbage collector leaves alone what was loaded at the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from statistics import quantiles

import asyncpg

from sanic_chatrooms.config.backends import make_store
from sanic_chatrooms.models import Draft, Fact, Member, Room, Sender
from sanic_chatrooms.stores.base import Bounds, Store
from sanic_chatrooms.stores.members import member_fact
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.stores.unread import READ
from sanic_chatrooms.web.workers.garbage import freeze_loaded
from tests.soak.runs import Progress, Verdict, main
from tests.support.plans import stop_indexing
from tests.support.postgres import PostgresServer
from tests.support.valkey import running

SHORT = 0.003
ROOMS, EACH, LONG = 10_000, 30, 1_000_000
"""Rooms of the user, messages in each, and messages in the large one."""
PAGE, PAGES, WARM = 50, 1_000, 50
AT_MOST = 2.0
"""Milliseconds, 99 of 100 times."""
TOGETHER, BATCH = 50, 1_000
BUFFERS = "1GB"
"""What PostgreSQL keeps in memory. Its manual advises a quarter of the machine's; with its default of 128 MB, p99 is 2.0 to 2.8 ms."""
ADA = Sender("u1", "Ada")


@asynccontextmanager
async def stores() -> AsyncIterator[dict[str, Store]]:
    """By name: each store that is not of one process."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        valkey = stack.enter_context(running())
        server = await asyncio.to_thread(PostgresServer, max_wal_size="4GB", shared_buffers=BUFFERS)
        stack.callback(server.close)
        await asyncio.to_thread(server.start)
        yield {
            "SQLite": SQLStore(f"sqlite:///{directory}/chat.db"),
            "PostgreSQL": SQLStore(server.url()),
            "Valkey": make_store(valkey.url),
        }


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, rooms = Verdict(), [f"room.{n}" for n in range(max(2 * PAGE, round(ROOMS * scale)))]
    long = max(2 * BATCH, round(LONG * scale))
    async with stores() as made:
        for number, (name, store) in enumerate(made.items()):
            await store.start("soak", Bounds(history_max=10 * LONG))
            if isinstance(store, SQLStore):
                await stop_indexing(store)
            await fill(store, rooms, long, _part(progress, number, name))
            await settle(store)
            times = await pages(store, rooms, max(20, round(PAGES * min(1.0, 2 * scale))), verdict)
            await store.stop()
            centiles = quantiles(times, n=100)
            verdict.figures[name] = (
                f"a page of {PAGE} rooms: median {centiles[49]:.2f} ms, p99 {centiles[98]:.2f} ms"
            )
            if centiles[98] > AT_MOST:
                verdict.slow.append(f"{name}: p99 of a page is {centiles[98]:.2f} ms")
    return verdict


def _part(progress: Progress, number: int, name: str) -> Callable[[float], None]:
    return lambda done: progress((number + done) / 3, name)


async def fill(store: Store, rooms: Sequence[str], long: int, progress: Callable[[float], None]) -> None:
    """Rooms with messages, of which Bob has read some; the first one has many."""
    for low in range(0, len(rooms), TOGETHER):
        await asyncio.gather(
            *[_room(store, room, n % EACH) for n, room in enumerate(rooms[low : low + TOGETHER])]
        )
        progress(0.5 * low / len(rooms))
    for low in range(EACH, long, BATCH):
        await store.append([_message(rooms[0], n) for n in range(low, min(low + BATCH, long))])
        progress(0.5 + 0.5 * low / long)


async def _room(store: Store, room: str, read: int) -> None:
    await store.create_room(Room(room, "", 0), facts=[member_fact(Member("u2", "Bob"))])
    await store.append([_message(room, n) for n in range(EACH)])
    await store.set_fact(room, Fact(READ, "u2", b"%d" % read, "max"))


def _message(room: str, n: int) -> Draft:
    mentions = ("u2",) if n % 10 == 0 else ()
    return Draft(room, "message", b'{"text":"hello there"}', f"{room}-{n}", 1.0, ADA, mentions=mentions)


async def settle(store: Store) -> None:
    """Let a database finish what filling it has left to do."""
    if isinstance(store, SQLStore) and str(store.server_url).startswith("postgresql"):
        side = await asyncpg.connect(store.server_url)
        for command in ("VACUUM (ANALYZE)", "CHECKPOINT"):
            await side.execute(command)
        await side.close()
    freeze_loaded()


async def pages(store: Store, rooms: Sequence[str], count: int, verdict: Verdict) -> list[float]:
    """Milliseconds that each page took."""
    random, times = Random(1), list[float]()
    right = {room: EACH - n % TOGETHER % EACH for n, room in enumerate(rooms)}
    for n in range(count + WARM):
        asked = [rooms[0], *random.sample(rooms[1:], PAGE - 1)]
        began = time.perf_counter()
        found = await store.unread("u2", asked)
        if n >= WARM:
            times.append((time.perf_counter() - began) * 1_000)
        unread = {room: found[room].count for room in asked[1:]}
        due = {room: right[room] for room in asked[1:]}
        if unread != due or (found[rooms[0]].count, found[rooms[0]].more) != (100, True):
            verdict.wrong.append(f"{type(store).__name__}: {unread}, not {due}")
    return times


if __name__ == "__main__":
    main(soak)
