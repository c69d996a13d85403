"""PostgreSQL is killed, its connections are cut, its connections run out: nothing acked is lost, nothing is doubled.

Ten times `kill -9` of the whole server, fifty times all connections terminated, ten seconds without a free connection,
while 40 senders publish. The service must be back two seconds after the database answers again.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg

from sanic_chatrooms import connect
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.soak._publishing import Senders, flaws
from tests.soak.runs import Progress, Verdict, main
from tests.support.postgres import PostgresServer

SHORT = 0.1
BACK_WITHIN = 2.0
STORE_TIMEOUT = 3.0
SENDERS = 40
KILLS, CUTS, EXHAUSTED = 10, 50, 10.0
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sanic_chatrooms'"
)


async def soak(scale: float, progress: Progress) -> Verdict:
    server = PostgresServer(max_connections="20", superuser_reserved_connections="0")
    try:
        await asyncio.to_thread(server.start)
        return await _soak(server, scale, progress)
    finally:
        await asyncio.to_thread(server.close)


async def _soak(server: PostgresServer, scale: float, progress: Progress) -> Verdict:
    verdict, backs = Verdict(), dict[str, list[float]]()
    kills, cuts = max(round(KILLS * scale), 1), max(round(CUTS * scale), 2)
    store = SQLStore(server.url())
    async with connect(
        "soak", namespace="none", guests=True, store=store, store_timeout=STORE_TIMEOUT
    ) as chat:
        senders = Senders(chat, SENDERS)
        await senders.start()
        for number in range(kills):
            progress(0.5 * number / kills, f"kill -9, {number + 1} of {kills}; {len(senders.acked)} acked")
            backs.setdefault("killed", []).append(await _kill(server, senders))
        for number in range(cuts):
            progress(
                0.5 + 0.3 * number / cuts,
                f"connections cut, {number + 1} of {cuts}; {len(senders.acked)} acked",
            )
            backs.setdefault("cut", []).append(await _cut(server, senders))
        progress(0.8, f"no connection free; {len(senders.acked)} acked")
        backs["exhausted"] = [await _exhaust(server, senders, EXHAUSTED * scale)]
        await senders.next_ack()
        await senders.stop()
    side = await server.connect()
    verdict.wrong += senders.wrong + await flaws(side, "soak", senders.acked)
    await side.close()
    for what, seconds in backs.items():
        verdict.figures[f"back after {what}, s"] = (
            f"median {sorted(seconds)[len(seconds) // 2]:.3f}, worst {max(seconds):.3f}"
        )
        if max(seconds) > BACK_WITHIN:
            verdict.slow.append(f"back {max(seconds):.2f} s after {what}, at most {BACK_WITHIN}")
    if senders.longest > STORE_TIMEOUT + 1:
        verdict.slow.append(f"a publish took {senders.longest:.1f} s, STORE_TIMEOUT is {STORE_TIMEOUT}")
    verdict.figures |= {
        "acked": len(senders.acked),
        "told unavailable": senders.refused,
        "longest publish, s": round(senders.longest, 2),
    }
    progress(1.0, "all rows looked at")
    return verdict


async def _kill(server: PostgresServer, senders: Senders) -> float:
    await asyncio.sleep(random.uniform(0.1, 0.5))
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(random.uniform(0.0, 1.0))
    await asyncio.to_thread(server.start)
    return await senders.next_ack()


async def _cut(server: PostgresServer, senders: Senders) -> float:
    await asyncio.sleep(random.uniform(0.0, 0.1))
    side = await server.connect()
    await side.execute(TERMINATE)
    await side.close()
    return await senders.next_ack()


async def _exhaust(server: PostgresServer, senders: Senders, seconds: float) -> float:
    taken = await _take_all(server)
    await taken[0].execute(TERMINATE)
    taken += await _take_all(server)
    await asyncio.sleep(seconds)
    for connection in taken:
        await connection.close()
    return await senders.next_ack()


async def _take_all(server: PostgresServer) -> list[Any]:
    taken = []
    while True:
        try:
            taken.append(await server.connect())
        except asyncpg.TooManyConnectionsError:
            return taken


if __name__ == "__main__":
    main(soak)
