"""Search in a room with a thousand messages and with a million takes as long, and sending takes as long with an index as without.

Both databases are filled and indexed through the store. Appending is measured in turns, with the task that indexes and without.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import tempfile
import time
from itertools import accumulate
from pathlib import Path
from statistics import median

import msgspec

from sanic_chatrooms.models import Draft, Member, Room, Sender
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.words import Query
from tests.soak.runs import Progress, Verdict, main
from tests.support.postgres import PostgresServer

SHORT = 0.003
FEW, MANY = 1_000, 1_000_000
MORE, MOST = 10.0, 0.05
"""A page may take so many times as long in the large room, or so many seconds."""
TURNS, SECONDS, SHARE = 12, 2.0, 0.97
"""Appending: turns of each kind, their length, and the rate with an index as a share of that without."""
chance = random.Random(5)
WORDS = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(20_000)]
OFTEN = list(accumulate(1 / (n + 1) for n in range(len(WORDS))))
QUERIES = {
    "a frequent word": WORDS[0],
    "one in a hundred": "often",
    "one in ten thousand": "needle",
    "no message": "nowhere",
    "two frequent words": f"{WORDS[0]} {WORDS[1]}",
    "two words of a few messages": f"{WORDS[40]} {WORDS[60]}",
}


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, many = Verdict(), max(round(MANY * scale), 2 * FEW)
    with tempfile.TemporaryDirectory() as directory:
        await _measure("SQLite", f"sqlite:///{Path(directory) / 'chat.db'}", many, scale, verdict, progress)
    server = PostgresServer(max_wal_size="4GB")
    try:
        await asyncio.to_thread(server.start)
        await _measure("PostgreSQL", server.url(), many, scale, verdict, progress)
    finally:
        await asyncio.to_thread(server.close)
    return verdict


async def _measure(
    name: str, url: str, many: int, scale: float, verdict: Verdict, progress: Progress
) -> None:
    store = SQLStore(url)
    await store.start("soak", Bounds(history_max=100 * MANY))
    try:
        await store._indexing.stop()
        await store.create_room(Room("r", "", 0))
        await members.put(store, "r", Member("u1", "Ada"))
        await _fill(store, 0, FEW)
        before = await _look(store)
        progress(0.1, f"{name}: {FEW} messages")
        began = time.perf_counter()
        spent = await _fill(store, FEW, many)
        verdict.figures[f"{name}: messages indexed a second"] = round((many - FEW) / spent)
        progress(0.8, f"{name}: {many} messages in {time.perf_counter() - began:.0f} s")
        after = await _look(store)
        for query, seconds in after.items():
            shown = f"{before[query] * 1000:.2f} ms, {seconds * 1000:.2f} ms"
            verdict.figures[f"{name}: {query}, in {FEW} and {many} messages"] = shown
            if seconds > max(MORE * before[query], MOST):
                verdict.slow.append(f"{name}: {query}: {shown}")
        await _compare(name, store, scale, verdict)
    finally:
        await store.stop()


async def _fill(store: SQLStore, begin: int, end: int) -> float:
    """Append and index messages. -> the seconds that indexing took."""
    spent = 0.0
    for first in range(begin, end, 10_000):
        last = min(first + 10_000, end)
        for n in range(first, last, 500):
            await store.append([_draft(k) for k in range(n, min(n + 500, last))])
        since = time.perf_counter()
        while await store.index(["r"], most=10_000):
            pass
        spent += time.perf_counter() - since
    return spent


def _draft(n: int) -> Draft:
    said = [*chance.choices(WORDS, cum_weights=OFTEN, k=8)]
    said += ["often"] * (n % 100 == 7) + ["needle"] * (n % 10_000 == 7)
    payload = msgspec.json.encode({"text": " ".join(said)})
    id = secrets.token_hex(12)
    return Draft("r", "message", payload, id, 1_750_000_000 + n / 2, Sender("u2", "Bob"), ("u2", id), b"")


async def _look(store: SQLStore) -> dict[str, float]:
    """Seconds of a page, by what is looked for: the median of some."""
    seconds: dict[str, float] = {}
    for name, words in QUERIES.items():
        for where in ("in the room", "in own rooms"):
            spent = []
            for _ in range(15):
                since = time.perf_counter()
                if where == "in the room":
                    await store.find_in("r", Query(words), before=2**53, limit=50)
                else:
                    await store.find_of("u1", Query(words), before=2**60, limit=50)
                spent.append(time.perf_counter() - since)
            seconds[f"{name} {where}"] = median(spent)
    return seconds


async def _compare(name: str, store: SQLStore, scale: float, verdict: Verdict) -> None:
    """Append with the task that indexes and without, in turns; twice without, which shows how far the machine is to be trusted."""
    rates: dict[str, list[float]] = {"with": [], "without": [], "again": []}
    kinds = list(rates)
    for turn in range(TURNS if scale >= 1 else 2):
        for kind in (*kinds[turn % 3 :], *kinds[: turn % 3]):
            if kind == "with":
                store._indexing._wait = 0.0
                store._indexing.start()
            rates[kind].append(await _append(store, SECONDS if scale >= 1 else 0.2))
            await store._indexing.stop()
    figures = {kind: median(found) for kind, found in rates.items()}
    share = figures["with"] / median(rates["without"] + rates["again"])
    shown = ", ".join(f"{kind} {rate:,.0f}" for kind, rate in figures.items())
    verdict.figures[f"{name}: appended a second, with indexing and without"] = f"{shown}: {share:.3f}"
    if share < SHARE:
        verdict.slow.append(f"{name}: appending is {share:.3f} of what it is without an index")


async def _append(store: SQLStore, seconds: float) -> float:
    drafts = [_draft(n) for n in range(2_000)]
    said, since = 0, time.perf_counter()
    while (spent := time.perf_counter() - since) < seconds:
        some = [drafts[(said + k) % len(drafts)] for k in range(50)]
        fresh = [msgspec.structs.replace(one, key=("u2", secrets.token_hex(12))) for one in some]
        await store.append(fresh)
        said += len(fresh)
    return said / spent


if __name__ == "__main__":
    main(soak)
