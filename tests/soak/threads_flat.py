"""Pages of threads, reactions and a timeline without replies cost the same in a room with a thousand messages and with a million.

The work is counted, so the clock of a busy machine does not matter: on PostgreSQL the buffers that are touched (EXPLAIN ANALYZE), on
SQLite the instructions of its machine. What it takes is shown beside.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
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
BLOCK = 100
"""Of so many messages the first has ten replies, the next ones, and five users react to every tenth."""
MORE_WORK = 2.0
"""An index over a thousand times as many rows is two levels higher."""

Ask = Callable[[SQLStore, int], Awaitable[Any]]
"""Of the store and the size of the room."""
ASKS: dict[str, Ask] = {
    "a thread": lambda store, n: store.history("r", before=n, limit=50, parent=_middle(n)),
    "what a page shows": lambda store, n: store.history("r", before=_middle(n) + 50, limit=50, timeline=True, reader="u1"),
    "the newest without replies": lambda store, n: store.history("r", before=n + 1, limit=50, timeline=True, replies=False),
    "the middle without replies": lambda store, n: store.history(
        "r", after=_middle(n), limit=50, timeline=True, replies=False
    ),
    "beside one message": lambda store, n: store.related("r", [_middle(n)], reader="u1"),
    "who reacted": lambda store, n: store.toggles("r", target=_middle(n)),
    "who reacted so": lambda store, n: store.toggles("r", key="👍", target=_middle(n)),
}  # fmt: skip

EVENTS = """
INSERT INTO chatrooms_soak_event (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name,
                                  key_user, key_id, hash, folded, deleted, parent, related)
SELECT 1, n, 'message-' || n, 1750000000 + n, 'message', {body}, 'u1', 'Ada', 'u1', 'key-' || n, {hash},
       {no}, CASE n % 100 WHEN 5 THEN {yes} ELSE {no} END,
       CASE WHEN n % 100 BETWEEN 2 AND 11 THEN n - n % 100 + 1 END,
       CASE WHEN n % 100 = 1 OR n % 10 = 1 THEN {yes} END
  FROM {numbers}
"""
REACTIONS = """
INSERT INTO chatrooms_soak_relation (room_id, target, key, owner, seq, timestamp, sender_id, sender_name)
SELECT 1, n, CASE u WHEN 5 THEN '🎉' ELSE '👍' END, 'u' || u, n + u, 1750000000, 'u' || u, 'Ada'
  FROM {numbers}, (SELECT 1 AS u UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5) AS us
 WHERE n % 10 = 1
"""
HEAD = "UPDATE chatrooms_soak_room SET head = {last} WHERE name = 'r'"


def _middle(size: int) -> int:
    """The number of a message with replies and reactions in the middle of a room."""
    return size // 2 - size // 2 % BLOCK + 1


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, many = Verdict(), max(round(MANY * scale), 2 * FEW)
    with tempfile.TemporaryDirectory() as directory:
        await _measure(OnSQLite(Path(directory) / "chat.db"), many, verdict, progress)
    server = PostgresServer(max_wal_size="4GB")
    try:
        await asyncio.to_thread(server.start)
        await _measure(OnPostgres(server), many, verdict, progress)
    finally:
        await asyncio.to_thread(server.close)
    return verdict


class OnSQLite:
    """Fills a room, and counts what a statement takes."""

    name, unit = "SQLite", "instructions"

    def __init__(self, file: Path) -> None:
        self.url, self._file = f"sqlite:///{file}", file

    async def fill(self, first: int, last: int) -> None:
        await asyncio.to_thread(self._fill, first, last)

    def _fill(self, first: int, last: int) -> None:
        numbers = f"(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s) AS ns"
        words = {"numbers": numbers, "no": "0", "yes": "1", "hash": "x'00'", "last": last}
        body = """CAST('{"text":"' || hex(zeroblob(70)) || '"}' AS BLOB)"""
        with contextlib.closing(sqlite3.connect(self._file)) as connection, connection:
            for statement in (EVENTS, REACTIONS, HEAD):
                connection.execute(statement.format(body=body, **words))

    async def work(self, statement: str, parameters: Any) -> int:
        done = 0

        def step() -> None:
            nonlocal done
            done += 1

        with contextlib.closing(sqlite3.connect(self._file)) as connection:
            connection.set_progress_handler(step, 1)
            connection.execute(statement, parameters).fetchall()
        return done

    async def close(self) -> None:
        pass


class OnPostgres:
    """The same."""

    name, unit = "PostgreSQL", "buffers"

    def __init__(self, server: PostgresServer) -> None:
        self.url, self._server = server.url(), server
        self._side: Any = None

    async def fill(self, first: int, last: int) -> None:
        self._side = self._side or await self._server.connect()
        numbers = f"generate_series({first}::bigint, {last}::bigint) AS ns(n)"
        words = {"numbers": numbers, "no": "false", "yes": "true", "hash": "'hash'", "last": last}
        body = """convert_to('{"text":"' || repeat('x', 140) || '"}', 'UTF8')"""
        for statement in (EVENTS, REACTIONS, HEAD):
            await self._side.execute(statement.format(body=body, **words))
        for table in ("event", "relation"):
            await self._side.execute(f"VACUUM ANALYZE chatrooms_soak_{table}")

    async def work(self, statement: str, parameters: Any) -> int:
        asked = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        plan = json.loads(await self._side.fetchval(asked, *parameters))[0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    async def close(self) -> None:
        await self._side.close()


async def _measure(on: OnSQLite | OnPostgres, many: int, verdict: Verdict, progress: Progress) -> None:
    store = SQLStore(on.url)
    await store.start("soak", Bounds(history_max=10 * MANY))
    await stop_indexing(store)
    try:
        await store.create_room(Room("r", "", 0))
        await on.fill(1, FEW)
        few = {name: await _cost(store, on, ask, FEW) for name, ask in ASKS.items()}
        for start in range(FEW, many, 100_000):
            await on.fill(start + 1, min(start + 100_000, many))
            progress(start / many, f"{start:,} messages on {on.name}")
        for name, ask in ASKS.items():
            (before, quick), (then, slow) = few[name], await _cost(store, on, ask, many)
            verdict.figures[f"{name}, {on.name}"] = (
                f"{before} -> {then} {on.unit}, {quick:.2f} -> {slow:.2f} ms"
            )
            if then > MORE_WORK * before + 8:
                verdict.wrong.append(
                    f"{name} on {on.name}: {before} {on.unit} at {FEW:,}, {then} at {many:,} messages"
                )
    finally:
        await on.close()
        await store.stop()


async def _cost(store: SQLStore, on: OnSQLite | OnPostgres, ask: Ask, size: int) -> tuple[int, float]:
    """-> (the work of its statements, milliseconds as the store takes them)."""
    with statements() as seen:
        await ask(store, size)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        await ask(store, size)
        times.append((time.perf_counter() - began) * 1000)
    asked = [one for one in seen if not one[0].startswith("PRAGMA")]
    return sum([await on.work(*one) for one in asked]), median(times)


if __name__ == "__main__":
    main(soak)
