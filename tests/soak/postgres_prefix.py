"""Sixteen publishers into one room of PostgreSQL, with random delays inside the transaction: every prefix is whole.

The database itself delays: after the rows are written, and once more at the commit. Readers page `since` all the time;
a number that they see before the one below it would be a message that a client never gets.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from itertools import pairwise

from sanic_chatrooms.models import Appended, Draft, Room
from sanic_chatrooms.stores.base import Bounds, Store
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.support.ids import new_id
from tests.soak.runs import Progress, Verdict, main
from tests.support.postgres import PostgresServer

SHORT = 0.02
PUBLISHERS, READERS = 16, 4
SECONDS = 60.0
DELAY = """
CREATE FUNCTION delay() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_sleep(random() * random() * 0.02); RETURN NULL; END';
CREATE TRIGGER within AFTER INSERT ON chatrooms_soak_event FOR EACH STATEMENT EXECUTE FUNCTION delay();
CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON chatrooms_soak_room DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION delay();
"""


async def soak(scale: float, progress: Progress) -> Verdict:
    server = PostgresServer()
    try:
        await asyncio.to_thread(server.start)
        return await _soak(server, SECONDS * scale, progress)
    finally:
        await asyncio.to_thread(server.close)


async def _soak(server: PostgresServer, seconds: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    async with AsyncExitStack() as stack:
        stores = [await _started(server, stack) for _ in range(PUBLISHERS + READERS)]
        await stores[0].create_room(Room("r", "", 0))
        side = await server.connect()
        await side.execute(DELAY)
        end = time.monotonic() + seconds
        publishing = [asyncio.ensure_future(_publish(store, end)) for store in stores[:PUBLISHERS]]
        done = asyncio.Event()
        reading = [asyncio.ensure_future(_read(store, done)) for store in stores[PUBLISHERS:]]
        while (left := end - time.monotonic()) > 0:
            progress(
                1 - left / seconds, f"{await side.fetchval('SELECT head FROM chatrooms_soak_room')} stored"
            )
            await asyncio.sleep(min(left, 1.0))
        given = [seq for seqs in await asyncio.gather(*publishing) for seq in seqs]
        done.set()
        read = await asyncio.gather(*reading)
        await side.close()
    if sorted(given) != list(range(1, len(given) + 1)):
        verdict.wrong.append("the acked numbers have holes or doubles")
    for number, (seen, pages, flaws) in enumerate(read, 1):
        verdict.wrong += [f"reader {number}: {flaw}" for flaw in flaws]
        if seen != len(given):
            verdict.wrong.append(f"reader {number} saw {seen} of {len(given)}")
        verdict.figures[f"reader {number}"] = f"{pages} pages, {seen} events"
    verdict.figures["stored"] = len(given)
    progress(1.0, "done")
    return verdict


async def _started(server: PostgresServer, stack: AsyncExitStack) -> Store:
    store = SQLStore(server.url())
    await store.start("soak", Bounds(timeout=30.0))
    stack.push_async_callback(store.stop)
    return store


async def _publish(store: Store, end: float) -> list[int]:
    given = []
    while time.monotonic() < end:
        drafts = [
            Draft("r", "message", b"{}", id, now(), None, ("", id)) for id in (new_id(), new_id(), new_id())
        ]
        given += [answer.seq for answer in await store.append(drafts) if isinstance(answer, Appended)]
    return given


async def _read(store: Store, done: asyncio.Event) -> tuple[int, int, list[str]]:
    """-> (events seen, pages read, what was wrong)."""
    seen, pages, flaws = 0, 0, list[str]()
    while True:
        last = done.is_set()
        page = await store.history("r", after=seen, limit=50)
        numbers = [seen, *(event.seq or 0 for event in page.events)]
        flaws += [f"{b} came after {a}" for a, b in pairwise(numbers) if b != a + 1]
        if page.seq < numbers[-1]:
            flaws.append(f"the head was {page.seq} on a page that ended with {numbers[-1]}")
        seen, pages = numbers[-1], pages + 1
        if last and not page.events:
            return seen, pages, flaws[:5]


if __name__ == "__main__":
    main(soak)
