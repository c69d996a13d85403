"""One of two processes that write into the same SQLite file: FILE SECONDS SIZE. Prints what it did as JSON."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time

from sanic_chatrooms.models import Draft, Sender
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore

ROOMS = 100


def drafts(size: int) -> list[Draft]:
    ada = Sender("ada", "Ada")
    ids = [secrets.token_hex(16) for _ in range(size)]
    payload = b'{"text":"%s"}' % (b"x" * 140)
    return [
        Draft(
            f"room.{secrets.randbelow(ROOMS)}",
            "message",
            payload,
            id,
            round(time.time(), 3),
            ada,
            ("ada", id),
        )
        for id in ids
    ]


async def main(file: str, seconds: float, size: int) -> None:
    store = SQLStore(f"sqlite:///{file}")
    await store.start("default", Bounds())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)  # both begin at once
    waits, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        batch, began = drafts(size), time.perf_counter()
        await store.append(batch)
        waits.append(time.perf_counter() - began)
    await store.stop()
    print(json.dumps({"stored": len(waits) * size, "longest": max(waits)}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
