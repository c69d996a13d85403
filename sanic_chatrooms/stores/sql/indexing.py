"""Indexing behind the log: now and then, and slowly while messages come in."""

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping
from functools import partial
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, text

from ...drivers.sql.database import Database
from ...drivers.sql.tables import lock_tables
from ...errors import ConfigError, Unavailable
from ...support.backoff import jittered
from ...support.clock import Clock
from ...support.tasks import end, keep_on
from ...support.words import Query
from ..base import Bounds
from ..search import Hits
from .directory import Directory
from .find_postgres import PostgresFinder, check_language
from .find_sqlite import SQLiteFinder
from .finder import Asked, Finder
from .history import Past
from .keys import Keys
from .schema import Schema
from .words import Batch, Words

__all__ = ["Indexing"]

FIRST, INTERVAL = 5.0, 2.0
"""Seconds from the start to the first turn, and between two, about. A search does not wait for them."""
LOOK = 10.0
"""Seconds after which other rooms have their turn, about."""
STEP = 100
"""Messages of one transaction: a few milliseconds of the thread that writes."""
BEFORE_SEARCH = 300
"""Messages that a search in all of one's rooms indexes first."""
BUSY, QUIET = 40.0, 4.0
"""How much longer a pause is than the step before it: while this process appends many messages, and while it does not. So 2 %
or 20 % of the time go into the index."""
MANY = 200
"""Messages a second."""
WORDS = 2_000
"""Words whose stems are asked for at a time."""
VERSION = 1
"""Goes up when the keys of a text change (`support.words`). Then the index is made anew, room by room."""


class Indexing:
    """The index of words of one `SQLStore`, and the task that fills it."""

    def __init__(
        self,
        database: Database,
        schema: Schema,
        past: Past,
        directory: Directory,
        bounds: Bounds,
        clock: Clock,
    ) -> None:
        self._database = database
        self._schema = schema
        self._directory = directory
        self._language = bounds.search_language
        self._words = Words(schema, past, clock, token_hex(8))
        self._finder: Finder = (SQLiteFinder if database.dialect == "sqlite" else PostgresFinder)(schema)
        self._after = 0
        self._appended, self._since = 0, time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._wait = FIRST
        self.possible = False
        """Can this database have an index?"""

    def prepare(self, connection: Connection) -> None:
        """Within the first transaction after each start, when the tables are there. Raises `ConfigError`."""
        lock_tables(
            connection, self._schema.prefix
        )  # of several workers that start, one makes what is missing
        if self._language is not None:
            if connection.dialect.name != "postgresql":
                raise ConfigError("CHATROOMS_SEARCH_LANGUAGE: only PostgreSQL knows languages; leave it out")
            check_language(connection, self._language)
        self.possible = self._finder.prepare(connection)
        self._words.keys = Keys(self._directory.secret(connection, "search"), self._language)
        self._words.kind = f"{VERSION} {self._language or ''}"
        if self.possible:
            self._words.start_anew(connection)

    def start(self) -> None:
        """Begin to index."""
        if self.possible:
            self._task = asyncio.ensure_future(keep_on(self._look_in_time, "indexing messages for search"))

    async def stop(self) -> None:
        """End. What was begun is indexed by the next process."""
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    def appended(self, drafts: int) -> None:
        """So many drafts were appended: there is other work to do."""
        self._appended += drafts

    # ---- indexing ----

    async def _look_in_time(self) -> None:
        wait, self._wait = self._wait, INTERVAL
        await asyncio.sleep(jittered(wait))
        with contextlib.suppress(Unavailable):  # other callers have told it already
            await self.look(slowly=True)

    async def look(self, *, slowly: bool = False) -> int:
        """Index what waits in the next rooms, until they are done or another process is at it; -> how many messages."""
        after = self._after
        rooms, self._after = await self._database.read(lambda c: self._words.behind(c, after))
        done, until = 0, time.monotonic() + LOOK
        while rooms and (not slowly or time.monotonic() < until):
            # In turns, so that a room in which much is said keeps no other one waiting.
            sizes = [(room, await self._step(room, slowly)) for room in rooms]
            done += sum(size for _, size in sizes)
            rooms = [room for room, size in sizes if size]
        return done

    async def _step(self, room: int, slowly: bool) -> int:
        since = time.monotonic()
        size = await self._index(room, STEP)
        if size and slowly:
            now = time.monotonic()
            busy = self._appended > MANY * (now - self._since)
            self._appended, self._since = 0, now
            await asyncio.sleep((now - since) * (BUSY if busy else QUIET))
        return size

    async def index(self, rooms: Collection[str] | None, most: int) -> int:
        """See `SearchIndex.index`."""
        if not self.possible:
            return 0
        if rooms is None:
            return await self.look()
        return await self._index_some(await self._database.read(lambda c: self._words.ids(c, rooms)), most)

    async def _index_some(self, rooms: Collection[int], most: int) -> int:
        done = 0
        for room in rooms:
            while done < most and (size := await self._index(room, min(STEP, most - done))):
                done += size
        return done

    async def _index(self, room: int, most: int) -> int:
        async with self._turn:
            batch = await self._database.read(lambda c: self._words.read(c, room, most))
            if batch is None:
                return 0
            # In a thread: on PostgreSQL what a connection does would be done in the event loop.
            stems = await self._stems(batch) if self._language is not None else None
            terms = await asyncio.to_thread(self._words.terms, batch, stems)
            stored = await self._database.write(lambda c: self._words.write(c, batch, terms))
            return max(batch.size, 1) if stored else 0

    async def _stems(self, batch: Batch) -> dict[str, str] | None:
        return await self._stems_of(await asyncio.to_thread(batch.words))

    async def _stems_of(self, words: Collection[str]) -> dict[str, str]:
        """Some words at a time, because PostgreSQL's driver writes and reads them in the event loop."""
        stems, asked = dict[str, str](), list(words)
        for at in range(0, len(asked), WORDS):
            some = asked[at : at + WORDS]
            told = await self._database.read(partial(self._words.keys.stems, words=some))
            stems |= told or {}
        return stems

    # ---- finding ----

    async def find_in(self, room: str, query: Query, before: int, after: int, limit: int) -> Hits:
        """See `SearchIndex.find_in`."""
        return await self._find(
            query, lambda c, keys: self._finder.in_room(c, room, Asked(keys, before, after, limit))
        )

    async def find_of(self, user: str | None, query: Query, before: int, limit: int) -> Hits:
        """See `SearchIndex.find_of`."""
        behind = await self._database.read(lambda c: self._words.behind_of(c, user, BEFORE_SEARCH))
        await self._index_some(behind, BEFORE_SEARCH)
        return await self._find(
            query, lambda c, keys: self._finder.in_rooms(c, user, Asked(keys, before, 0, limit))
        )

    async def _find(self, query: Query, find: Any) -> Hits:
        def look(connection: Connection) -> Hits:
            keys = self._words.keys
            found: Hits = find(connection, keys.of_query(query, keys.stems(connection, query.words)))
            return found

        if self._database.dialect != "postgresql":
            return await self._database.read(look)

        def look_at_one_moment(connection: Connection) -> Hits:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            return look(connection)

        return await self._database.write(look_at_one_moment)

    async def stems(self, words: Collection[str]) -> Mapping[str, str] | None:
        """See `SearchIndex.stems`."""
        return None if self._language is None else await self._stems_of(words)
