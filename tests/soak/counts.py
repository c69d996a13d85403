"""10,000 random operations over every store: what is unread and mentioned is, for every user and room, what a simple account says."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.testing.connections import running_core
from tests.soak.runs import Progress, Verdict, main
from tests.support.postgres import PostgresServer
from tests.support.unread_oracle import HISTORY_MAX, UnreadOracle
from tests.support.valkey import running

OPERATIONS = 10_000
COMPARED_EVERY = 10
STORES = ("memory", "SQLite", "PostgreSQL", "Valkey")
SHORT = 0.004


@contextmanager
def server(store: str) -> Iterator[str]:
    """The URL of such a store."""
    if store == "memory":
        yield "memory:"
    elif store == "SQLite":
        with tempfile.TemporaryDirectory() as directory:
            yield f"sqlite:///{directory}/chat.db"
    elif store == "Valkey":
        with running() as valkey:
            yield valkey.url
    else:
        postgres = PostgresServer()
        try:
            postgres.start()
            yield postgres.url()
        finally:
            postgres.close()


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    operations = max(COMPARED_EVERY, int(OPERATIONS * scale))
    for store in STORES:
        with server(store) as url:
            rooms = ChatRooms("counts", guests=True, store=url, history_max=HISTORY_MAX, rate_limits=False)
            async with running_core(rooms) as chat:
                oracle = UnreadOracle(rooms, chat, Random(operations))
                await oracle.begin()
                done: list[str] = []
                while len(done) < operations and not verdict.wrong:
                    done.append(await oracle.step())
                    if len(done) % COMPARED_EVERY == 0:
                        wrong = await oracle.differences()
                        verdict.wrong += [
                            f"over {store} after {done[-COMPARED_EVERY:]}: {one}" for one in wrong
                        ]
                        progress(len(done) / operations, f"{len(done):,} operations over {store}")
                verdict.figures[f"operations over {store}"] = len(done)
    return verdict


if __name__ == "__main__":
    main(soak)
