"""The model of two workers (tests/support/model.py), driven long: over memory, over SQLite, and over PostgreSQL."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sanic_chatrooms import MemoryStore
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.soak.runs import Progress, Verdict, main
from tests.support.model import ChatModel, explore
from tests.support.postgres import PostgresServer

RUNS = {"memory": 500, "SQLite": 150, "PostgreSQL": 150}
STEPS = 50
SHORT = 0.002
PORTION = 25


@contextmanager
def making(store: str) -> Iterator[Callable[[], Store]]:
    """What makes stores over the same data."""
    if store == "memory":
        yield MemoryStore
    elif store == "SQLite":
        with tempfile.TemporaryDirectory() as directory:
            yield lambda: SQLStore(f"sqlite:///{directory}/chat.db")
    else:
        server = PostgresServer()
        try:
            server.start()
            yield lambda: SQLStore(server.url())
        finally:
            server.close()


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    for store, runs in RUNS.items():
        # In a thread: it runs loops of its own.
        await asyncio.to_thread(_drive, store, max(1, int(runs * scale)), verdict, progress)
    return verdict


def _drive(store: str, runs: int, verdict: Verdict, progress: Progress) -> None:
    with making(store) as made:
        model = type("OverStore", (ChatModel,), {"make": staticmethod(made)})
        done = 0
        while done < runs and not verdict.wrong:
            portion = min(PORTION, runs - done)
            try:
                explore(model, examples=portion, steps=STEPS)
            except Exception as exc:  # noqa: BLE001 - the finding, with the steps that lead to it
                verdict.wrong.append("\n".join([f"over {store}", repr(exc), *getattr(exc, "__notes__", [])]))
            done += portion
            progress(done / runs, f"{done:,} runs of up to {STEPS} steps over {store}")
        verdict.figures[f"runs over {store}"] = done


if __name__ == "__main__":
    main(soak)
