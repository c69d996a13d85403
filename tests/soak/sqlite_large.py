"""A room on SQLite with 1,000,000 messages beside one with 1,000: pages, heads and recovery take no longer."""

from __future__ import annotations

import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from sanic_chatrooms import Room
from sanic_chatrooms.models import Draft, Page, Sender
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.soak.runs import Progress, Verdict, main

SMALL = 1_000
LARGE = 1_000_000
SHORT = 0.004
REPEATS = 401
FLAT = 2.0
"""How much longer the median may take: a deeper tree, and pages that are in no cache, cost something."""


async def soak(scale: float, progress: Progress) -> Verdict:
    large = max(2 * SMALL, round(LARGE * scale))
    with tempfile.TemporaryDirectory() as directory:
        store = SQLStore(f"sqlite:///{Path(directory) / 'chat.db'}")
        await store.start("default", Bounds(history_max=10 * LARGE))
        try:
            await fill(store, "small", SMALL, lambda done: None)
            await fill(store, "large", large, lambda done: progress(done, f"{done * large:,.0f} messages"))
            return await compared(
                store, {"small": SMALL, "large": large}, max(11, int(REPEATS * min(1.0, scale)))
            )
        finally:
            await store.stop()


async def fill(store: SQLStore, room: str, size: int, filled: Callable[[float], None]) -> None:
    await store.create_room(Room(room, "", 0))
    ada = Sender("ada", "Ada")
    for first in range(0, size, 1_000):
        batch = []
        for n in range(first, min(first + 1_000, size)):
            id, type = secrets.token_hex(16), "reaction.added" if n % 10 == 9 else "message"
            batch.append(Draft(room, type, b'{"text":"%d"}' % n, id, time.time(), ada, ("ada", id)))
        await store.append(batch)
        filled((first + len(batch)) / size)


async def compared(store: SQLStore, sizes: dict[str, int], repeats: int) -> Verdict:
    verdict, dice = Verdict(), random.Random(1)
    times: dict[str, dict[str, list[float]]] = {}
    for _ in range(repeats):
        # In turns, so that what else the machine does strikes both.
        for room, size in sizes.items():
            for name, read in reads(store, room, size, dice.randrange(100, size - 100)).items():
                began = time.perf_counter()
                found = await read()
                times.setdefault(name, {}).setdefault(room, []).append(time.perf_counter() - began)
                if isinstance(found, Page) and len(found.events) != 50:
                    verdict.wrong.append(f"{name} of {size:,}: {len(found.events)} events")
    for name, by_room in times.items():
        small, large = (statistics.median(by_room[room]) * 1000 for room in sizes)
        verdict.figures[name] = f"{small:.2f} ms of {sizes['small']:,}, {large:.2f} ms of {sizes['large']:,}"
        if large > FLAT * small:
            verdict.slow.append(f"{name}: {large / small:.2f} times as long")
    return verdict


def reads(store: SQLStore, room: str, size: int, place: int) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "newest page": lambda: store.history(room, before=2**53, limit=50, timeline=True),
        "page at a random place": lambda: store.history(room, before=place, limit=50, timeline=True),
        "log at a random place": lambda: store.history(room, after=place, limit=50),
        "recovery of 50": lambda: store.history(room, after=size - 50, limit=500),
        "heads": lambda: store.heads([room]),
        "room": lambda: store.room(room),
    }


if __name__ == "__main__":
    main(soak)
