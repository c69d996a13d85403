"""Apps that write orders and publish in the same transactions, one after the other, each until it is killed.

    python -m tests.soak._transacting URL LANE

prints "pid N" for each app, a line for each transaction whose end it saw, and "gone". The apps never number anything
themselves: that is what others are for when one died before it could publish.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from sanic_chatrooms.models import Draft
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.wire.encode import encode
from tests.soak._drivers import asynchronous

__all__ = ["main"]


def main(url: str, lane: str) -> None:
    number = 0
    while True:
        number += 1
        pid = os.fork()  # what was imported is there at once: an app lives for milliseconds only
        if not pid:
            asyncio.run(_run(url, f"{lane}.{number}"))
        _tell(f"pid {pid}")
        os.waitpid(pid, 0)
        _tell("gone")


async def _run(url: str, name: str) -> None:
    store = SQLStore(url)
    await store.start("soak", Bounds())
    engine = create_async_engine(asynchronous(url))
    serial = 0
    while True:
        serial += 1
        await _order(store, AsyncSession(engine), f"{name}-{serial}")


async def _order(store: SQLStore, session: AsyncSession, order: str) -> None:
    fate = random.choice(("committed", "committed", "rolled back", "killed"))
    async with session:
        id = new_id()
        draft = Draft("orders", "ORDER", encode({"order": order}), id, now(), None, ("", id))
        await session.execute(text("INSERT INTO orders VALUES (:order)"), {"order": order})
        await store.put(session, draft, lambda: None)
        if fate == "rolled back":
            await session.rollback()
        else:
            await session.commit()
        _tell(fate)
        if fate == "killed":
            os.kill(os.getpid(), signal.SIGKILL)


def _tell(line: str) -> None:
    # In one piece: the app that is killed and the one that sees to it share an output.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
