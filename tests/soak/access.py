"""Ten users whose roles, bans and rooms change (tests/support/access_play.py), driven long over each store: what each may do, and sees
live, in history, by recovery and by searching, is what the oracle says.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sanic_chatrooms.config.backends import make_store
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.soak.runs import Progress, Verdict, main
from tests.support.access_play import SharedMemory, play
from tests.support.postgres import PostgresServer, new_database
from tests.support.valkey import running

RUNS = {"memory": 1_000, "SQLite": 150, "PostgreSQL": 150, "Valkey": 150}
STEPS = 250
SHORT = 0.005
FOUND = 3
"""Runs with a finding after which a store is left."""

Make = Callable[[], Callable[[], Store]]
"""Called for each run: -> what makes the stores of that run, over the same data."""


@asynccontextmanager
async def making(store: str) -> AsyncIterator[Make]:
    """What makes stores. The rooms of each run are those of an instance of its own."""
    if store == "memory":
        yield _in_memory
    elif store == "SQLite":
        with tempfile.TemporaryDirectory() as directory:
            yield lambda: lambda: SQLStore(f"sqlite:///{directory}/chat.db")
    elif store == "PostgreSQL":
        server = PostgresServer()
        try:
            server.start()
            url = await new_database(server)
            yield lambda: lambda: SQLStore(url)
        finally:
            server.close()
    else:
        with running() as valkey:
            yield lambda: lambda: make_store(valkey.url)


def _in_memory() -> Callable[[], Store]:
    store = SharedMemory()
    return lambda: store


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    for store, runs in RUNS.items():
        async with making(store) as make:
            await _drive(store, make, max(1, int(runs * scale)), verdict, progress)
    return verdict


async def _drive(store: str, make: Make, runs: int, verdict: Verdict, progress: Progress) -> None:
    wrong: list[str] = []
    done = 0
    while done < runs and len(wrong) < FOUND:
        done += 1
        number = secrets.randbelow(2**32) or 1
        try:
            await play(make(), steps=STEPS, number=number)
        except Exception as exc:  # noqa: BLE001 - the finding, with the steps that lead to it
            wrong.append("\n".join([f"over {store}", repr(exc), *getattr(exc, "__notes__", [])]))
        progress(done / runs, f"{done:,} runs of {STEPS} steps over {store}")
    verdict.wrong += wrong
    verdict.figures[f"runs over {store}"] = done


if __name__ == "__main__":
    main(soak)
