"""Pages, heads and recovery on PostgreSQL cost the same with a thousand messages in a room and with a million.

What the database touches for each of them is counted (EXPLAIN ANALYZE, buffers), so the clock of a busy machine does
not matter; what it takes is shown beside.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from statistics import median
from typing import Any

from sanic_chatrooms.models import Room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.soak.runs import Progress, Verdict, main
from tests.support.plans import statements, stop_indexing
from tests.support.postgres import PostgresServer

SHORT = 0.01
FEW, MANY = 1_000, 1_000_000
MORE_BUFFERS = 2.0
"""An index over a thousand times as many rows is two levels higher."""
FILL = """
INSERT INTO chatrooms_soak_event (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name,
                                  key_user, key_id, hash, folded, deleted)
SELECT r.id, n, md5(r.id || '-' || n), 1750000000 + n, CASE n % 10 WHEN 0 THEN 'reaction.added' ELSE 'message' END,
       convert_to('{"text":"' || repeat('x', 140) || '"}', 'UTF8'), 'u1', 'Ada', 'u1', 'key-' || n, 'hash',
       n % 10 = 0, false
  FROM chatrooms_soak_room r, generate_series($2::bigint, $3::bigint) n WHERE r.name = $1
"""

OTHER_ROOMS = 5_000
"""Small ones: the average by which PostgreSQL guesses says nothing of the large one."""
OTHERS = """
WITH made AS (
  INSERT INTO chatrooms_soak_room (name, epoch, head, floor, title, visibility, attributes, created_at, auto, announce, hash)
  SELECT 'other.' || n, 'epoch', 10, 0, '', 'public', '{}', 0, false, false, '' FROM generate_series(0, $1::int - 1) n
  RETURNING id)
INSERT INTO chatrooms_soak_event (room_id, seq, msg_id, timestamp, type, payload, hash, folded, deleted)
SELECT id, n, md5(id || '-' || n), 1750000000, 'message', '{}', '', false, false FROM made, generate_series(1, 10) n
"""

Ask = Callable[[SQLStore, int], Awaitable[Any]]
ASKS: dict[str, Ask] = {
    "the newest page": lambda store, n: store.history("r", before=2**53 - 1, limit=50),
    "a page in the middle": lambda store, n: store.history("r", before=n // 2, limit=50),
    "the oldest page": lambda store, n: store.history("r", after=0, limit=50),
    "the newest of the timeline": lambda store, n: store.history(
        "r", before=2**53 - 1, limit=50, timeline=True
    ),
    "the timeline in the middle": lambda store, n: store.history("r", after=n // 2, limit=50, timeline=True),
    "recovery of 100": lambda store, n: store.history("r", after=n - 100, limit=500),
    "recovery of none": lambda store, n: store.history("r", after=n, limit=500),
    "recovery too late": lambda store, n: store.history("r", after=n // 2, limit=500),
    "heads of 100 rooms": lambda store, n: store.heads([f"other.{k}" for k in range(99)] + ["r"]),
    "one message": lambda store, n: store.message("r", "no-such-id"),
}


async def soak(scale: float, progress: Progress) -> Verdict:
    server = PostgresServer(max_wal_size="4GB")
    try:
        await asyncio.to_thread(server.start)
        return await _soak(server, max(round(MANY * scale), 2 * FEW), progress)
    finally:
        await asyncio.to_thread(server.close)


async def _soak(server: PostgresServer, many: int, progress: Progress) -> Verdict:
    store, verdict = SQLStore(server.url()), Verdict()
    await store.start("soak", Bounds(history_max=10 * MANY, retention=1e10))
    await stop_indexing(store)
    side = await server.connect()
    await store.create_room(Room("r", "", 0))
    await side.execute(OTHERS, OTHER_ROOMS)
    await side.execute(FILL, "r", 1, 20)
    await _fill(side, 21, FEW)
    few = {name: await _cost(store, side, ask, FEW) for name, ask in ASKS.items()}
    for start in range(FEW, many, 50_000):
        progress(start / many, f"{start:,} messages in the room")
        await _fill(side, start + 1, min(start + 50_000, many))
    for name, ask in ASKS.items():
        before, then = few[name], await _cost(store, side, ask, many)
        verdict.figures[name] = f"{before[0]} -> {then[0]} buffers, {before[1]:.2f} -> {then[1]:.2f} ms"
        if then[0] > MORE_BUFFERS * before[0] + 8:
            verdict.wrong.append(f"{name}: {before[0]} buffers at {FEW:,} messages, {then[0]} at {many:,}")
        verdict.wrong += [f"{name}: {flaw}" for flaw in then[2]]
    await side.close()
    await store.stop()
    progress(1.0, "done")
    return verdict


async def _fill(side: Any, first: int, last: int) -> None:
    await side.execute(FILL, "r", first, last)
    await side.execute("UPDATE chatrooms_soak_room SET head = $1 WHERE name = 'r'", last)
    await side.execute("VACUUM ANALYZE chatrooms_soak_event")


async def _cost(store: SQLStore, side: Any, ask: Ask, size: int) -> tuple[int, float, list[str]]:
    """-> (buffers touched, milliseconds as the store takes them, what is wrong with the plan)."""
    with statements() as seen:
        await ask(store, size)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        await ask(store, size)
        times.append((time.perf_counter() - began) * 1000)
    buffers, flaws = 0, []
    for statement, parameters in seen:
        explained = await side.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *parameters)
        plan = json.loads(explained)[0]["Plan"]
        buffers += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        scans = {node["Relation Name"] for node in _nodes(plan) if node["Node Type"] == "Seq Scan"}
        flaws += [f"reads all of {table}" for table in scans if table.endswith("_event")]
    return buffers, median(times), flaws


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


if __name__ == "__main__":
    main(soak)
