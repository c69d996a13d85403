"""The app's own transactions: an event is there exactly when the app's row is, whatever becomes of the app.

Processes write orders and publish within the same transactions; they commit, roll back, and are killed right after a
commit, before anybody rang, or at any other moment. On SQLite and on PostgreSQL, each end fifty times.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from tests.soak._drivers import asynchronous
from tests.soak.runs import Progress, Verdict, main
from tests.support.postgres import PostgresServer

SHORT = 0.02
TIMES = 50
AT_ONCE = 2
"""Apps that run side by side."""
ENDS = ("committed", "rolled back", "killed", "shot")
SEEN_WITHIN = 15.0


async def soak(scale: float, progress: Progress) -> Verdict:
    times = max(round(TIMES * scale), 1)
    verdict = Verdict()
    with tempfile.TemporaryDirectory() as folder:
        await _soak(f"sqlite:///{Path(folder) / 'chat.db'}", times, verdict, lambda d, w: progress(d / 2, w))
    server = PostgresServer()
    try:
        await asyncio.to_thread(server.start)
        await _soak(server.url(), times, verdict, lambda d, w: progress(0.5 + d / 2, w))
    finally:
        await asyncio.to_thread(server.close)
    return verdict


async def _soak(url: str, times: int, verdict: Verdict, progress: Progress) -> None:
    kind = url.partition(":")[0]
    engine = create_async_engine(asynchronous(url))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE orders(id text PRIMARY KEY)"))
    rooms = ChatRooms("soak", guests=True, store=SQLStore(url))
    async with running_core(rooms) as chat:
        await rooms.create_room("orders")
        ada = await chat_client(chat, User("u1", "Ada"))
        await ada.ack("join", room="orders")
        ends: Counter[str] = Counter()
        lanes = (_apps(url, f"{lane}", ends, times, kind, progress) for lane in range(min(AT_ONCE, times)))
        await asyncio.gather(*lanes)
        rows = await _orders(engine)
        heard = await _heard(ada, len(rows))
        page = [json.loads(m) for m in await _messages(rooms)]
    await engine.dispose()
    stored = [event["payload"]["order"] for event in page]
    for what, orders in (("stored", stored), ("heard", heard)):
        verdict.wrong += _compared(f"{kind}: {what}", rows, orders)
    if [event["seq"] for event in page] != list(range(1, len(page) + 1)):
        verdict.wrong.append(f"{kind}: the numbers have holes or doubles")
    verdict.figures[kind] = f"{dict(ends)}, {len(rows)} rows, {len(stored)} events"
    progress(1.0, f"{kind}: {len(rows)} rows")


async def _apps(url: str, lane: str, ends: Counter[str], times: int, kind: str, progress: Progress) -> None:
    """One app after the other, until each end was seen often enough."""
    apps = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.soak._transacting",
        url,
        lane,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a group of its own, which ends as one
    )
    assert apps.stdout is not None
    pid, shooting = 0, None
    async for line in apps.stdout:
        word = line.decode().strip()
        if word.startswith("pid "):
            pid = int(word[4:])
        elif word == "gone":
            if min(ends[end] for end in ENDS) >= times:
                break
        else:
            ends[word] += 1
        progress(min(1.0, *(ends[end] / times for end in ENDS)), f"{kind}: {dict(ends)}")
        if shooting is not None:
            shooting.cancel()
            shooting = None
        if word in ("committed", "rolled back") and random.random() < 0.3:  # at any moment of what comes next
            delay = random.uniform(0.0, 0.01)
            shooting = asyncio.get_running_loop().call_later(delay, _shoot, pid, ends)
    os.killpg(apps.pid, signal.SIGKILL)
    await apps.wait()


def _shoot(pid: int, ends: Counter[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        ends["shot"] += 1


async def _orders(engine: AsyncEngine) -> set[str]:
    """What is committed, when nothing is on its way any more: a database still carries out what a killed app asked."""
    async with engine.begin() as connection:
        waiting = {"postgresql": "LOCK TABLE orders", "sqlite": "DELETE FROM orders WHERE 1 = 0"}
        await connection.execute(text(waiting[engine.dialect.name]))
        return set((await connection.execute(text("SELECT id FROM orders"))).scalars())


async def _heard(client: MemoryClient, count: int) -> list[str]:
    """What a client was told, without asking for the past."""
    found: list[str] = []
    async with asyncio.timeout(SEEN_WITHIN):
        while len(found) < count:
            found.append((await client.expect("ORDER"))["payload"]["order"])
    await client.settle()
    return found + [event["payload"]["order"] for event in client.unread("ORDER")]


async def _messages(rooms: ChatRooms) -> list[str]:
    found: list[Any] = []
    while True:
        page = await rooms.history("orders", after=found[-1]["seq"] if found else 0, limit=200)
        found += page.messages
        if not page.more:
            return [json.dumps(event) for event in found]


def _compared(what: str, rows: set[str], orders: list[str]) -> list[str]:
    wrong = [f"{what} twice: {order}" for order, times in Counter(orders).items() if times > 1]
    wrong += [f"not {what}, though committed: {order}" for order in sorted(rows - set(orders))[:5]]
    return wrong + [f"{what}, though not committed: {order}" for order in sorted(set(orders) - rows)[:5]]


if __name__ == "__main__":
    main(soak)
