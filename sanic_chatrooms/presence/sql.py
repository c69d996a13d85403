"""Presence in a SQL database: entries that expire, in two small tables of their own; for workers of one machine or many.

Who comes in and who goes out is told once: changes of an instance happen one after the other. What is here is worth
nothing after a crash, so PostgreSQL does not log it.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias
from zlib import crc32

from sqlalchemy import (
    DDL,
    URL,
    Column,
    ColumnElement,
    Connection,
    Float,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    distinct,
    event,
    func,
    inspect,
    literal,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.exc import ProgrammingError

from ..drivers.sql.address import PREFIX, take_prefix
from ..drivers.sql.open import make_database
from ..drivers.sql.tables import Name, in_steps, insert, lock_tables, table_space
from ..errors import ConfigError, Unavailable
from ..models import SPACE, Sender
from ..support.clock import Clock
from ..support.paging import decode_cursor, encode_cursor
from .base import Entry, Presence, PresentPage

__all__ = ["SQLPresence"]

SEEN_FOR = 86_400.0
"""Seconds for which it is remembered when somebody was last here (never less than the entries' own `ttl`)."""
CONNECTIONS = 2
"""To PostgreSQL, at most: one changes, one looks."""
STEP = 500
"""Entries, rooms or users in one statement."""
FORGET_EVERY = 60.0
"""Seconds between two looks for whom nobody has seen for long."""

_Place: TypeAlias = tuple[str, str]
"""A room and a user's id."""
_Answers: TypeAlias = list[bool]
_Entries: TypeAlias = list[Entry]
# Named, since within the class `list` is the method.

_SERVERS_TIME: ColumnElement[float] = literal_column("extract(epoch FROM clock_timestamp())", Float)


class SQLPresence(Presence):
    """Keeps entries in the database of a URL: `sqlite:///chat.db`, `postgresql://user@host/name`.

    Table names begin with `prefix` (or `?prefix=` of the URL) and the name of the instance, as those of `SQLStore`. With
    `create`, a start creates missing tables; otherwise the app creates those of `metadata(instance, prefix)`. Entries
    expire by `clock`, which returns Unix seconds; without it, by PostgreSQL's clock, or with SQLite a monotonic one.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        prefix: str | None = None,
        create: bool = True,
        clock: Clock | None = None,
    ) -> None:
        url, found = take_prefix(url)
        self._prefix = prefix or found
        self._database = make_database(url)
        self._database.connections = CONNECTIONS
        self._database.makes = create
        self.scope = self._database.scope  # type: ignore[misc] # it depends on the database
        self._create = create
        self._clock = clock
        self._node = ""
        self._running = False
        self._forgot_at = 0.0
        self._taken: dict[_Place, str] = {}
        """The names of users whose entries were taken off, maybe: the answer has not come."""
        self._turn_to_end = asyncio.Lock()

    async def start(self, instance: str, node: str, ttl: float) -> None:
        """See `Presence.start`. Raises `ConfigError`, `Unavailable`."""
        self._node, self._ttl = node, ttl
        self._tables = _Tables(instance, self._prefix)
        self._turn_to_end = asyncio.Lock()  # locks belong to a loop
        await self._database.start()
        self._running = True
        if self._create:
            try:
                await self._database.write(self._make_tables)
            except BaseException as problem:
                await self._fail(problem)
                raise

    async def _fail(self, problem: BaseException) -> None:
        self._running = False
        await self._database.stop()
        if isinstance(problem, ProgrammingError):
            raise ConfigError(
                f"SQLPresence: the tables {self._tables.here.name} and {self._tables.seen.name} are not there, and cannot be "
                "made by this user; let somebody make them who may, or set PRESENCE to something else"
            ) from problem

    def _make_tables(self, connection: Connection) -> None:
        lock_tables(connection, self._tables.prefix)
        there = inspect(connection)
        for table in self._tables.metadata.sorted_tables:
            if not there.has_table(table.name):
                table.create(connection)

    async def stop(self) -> None:
        """See `Presence.stop`. Without the database, the entries expire by themselves."""
        if not self._running:
            return
        self._running = False
        try:
            await self._database.write(self._drop_node)
        except Unavailable:
            pass
        finally:
            await self._database.stop()

    async def touch(self, entries: Sequence[Entry]) -> _Answers:
        """See `Presence.touch`."""
        return [
            answer
            for some in in_steps(entries, STEP)
            for answer in await self._database.write(lambda c, some=some: self._touch(c, some))  # type: ignore[misc]
        ]

    async def drop(self, entries: Sequence[Entry]) -> _Answers:
        """See `Presence.drop`."""
        return [
            answer
            for some in in_steps(entries, STEP)
            for answer in await self._database.write(lambda c, some=some: self._drop(c, some))  # type: ignore[misc]
        ]

    async def list(self, room: str, *, cursor: str | None = None, limit: int = 50) -> PresentPage:
        """See `Presence.list`."""
        after = None if cursor is None else decode_cursor("present", cursor)
        return await self._database.read(lambda c: self._page(c, room, after, limit))

    async def count(self, rooms: Collection[str]) -> dict[str, int]:
        """See `Presence.count`."""
        counts = dict.fromkeys(rooms, 0)
        for some in in_steps(rooms, STEP):
            counts |= await self._database.read(lambda c, some=some: self._count(c, some))  # type: ignore[misc]
        return counts

    async def ended(self) -> _Entries:
        """See `Presence.ended`. Writes only if entries have expired."""
        ended: _Entries = []
        async with self._turn_to_end:
            try:
                while bool(self._taken) or await self._database.read(self._has_ended):
                    ended += await self._database.write(self._take_ended)
                    self._taken = {}
            except Unavailable:
                if not ended:
                    raise
        return ended

    async def online(self, users: Collection[str], *, room: str | None = None) -> set[str]:
        """See `Presence.online`."""
        online: set[str] = set()
        for some in in_steps(users, STEP):
            online |= await self._database.read(lambda c, some=some: self._online(c, some, room))  # type: ignore[misc]
        return online

    async def seen(self, users: Collection[str]) -> dict[str, float]:
        """See `Presence.seen`."""
        seen: dict[str, float] = {}
        for some in in_steps(users, STEP):
            seen |= await self._database.read(lambda c, some=some: self._seen(c, some))  # type: ignore[misc]
        return seen

    # ---- changes, each in a transaction of its own ----

    def _touch(self, connection: Connection, entries: _Entries) -> _Answers:
        now = self._turn(connection)
        last = {(entry.room, entry.user.id): entry.user for entry in entries}
        names = self._names(connection, last, now)
        here = self._tables.here
        rows = [
            {"room": room, "user_id": id, "node": self._node, "name": user.name}
            for (room, id), user in sorted(last.items())
        ]
        upsert = insert(connection, here).values(ends=now + self._ttl)
        upsert = upsert.on_conflict_do_update(
            index_elements=["room", "user_id", "node"],
            set_={"name": upsert.excluded.name, "ends": upsert.excluded.ends},
        )
        connection.execute(upsert, rows)
        for (room, id), user in last.items():
            if names.get((room, id), {user.name}) != {user.name}:
                same = (here.c.room == room) & (here.c.user_id == id)
                connection.execute(here.update().where(same).values(name=user.name))
        self._see(connection, {id for _, id in last})
        return _firsts(entries, lambda place: place not in names)

    def _drop(self, connection: Connection, entries: _Entries) -> _Answers:
        now = self._turn(connection)
        here = self._tables.here
        places = {(entry.room, entry.user.id) for entry in entries}
        these = tuple_(here.c.room, here.c.user_id).in_(sorted(places))
        mine = (here.c.node == self._node) & self._alive(now) & these
        found = connection.execute(select(here.c.room, here.c.user_id).where(mine))
        had = {(room, id) for room, id in found}
        if had:
            connection.execute(here.delete().where(mine))
            self._see(connection, {id for _, id in had})
        still = self._names(connection, places, now)
        return _firsts(entries, lambda place: place in had and place not in still)

    def _drop_node(self, connection: Connection) -> None:
        now = self._turn(connection)
        here = self._tables.here
        mine = (here.c.node == self._node) & self._alive(now)
        users = set(connection.scalars(select(here.c.user_id).distinct().where(mine)))
        connection.execute(here.delete().where(mine))
        self._see(connection, users)

    def _has_ended(self, connection: Connection) -> bool:
        here = self._tables.here.c
        some = select(here.room).where(self._over(self._now(connection))).limit(1)
        return connection.scalar(some) is not None

    def _take_ended(self, connection: Connection) -> _Entries:
        """Take off who has ended, a step of them; -> who of them, and of those for whom no answer came, is not there by another entry."""
        now = self._turn(connection)
        here = self._tables.here
        over = self._over(now)
        some = select(here.c.room, here.c.user_id, here.c.name).where(over).limit(STEP)
        names = self._taken | {(room, id): name for room, id, name in connection.execute(some)}
        if not names:
            return []
        self._taken = names
        these = tuple_(here.c.room, here.c.user_id).in_(sorted(names))
        connection.execute(here.delete().where(over & these))
        still = self._names(connection, names, now)
        return [
            Entry(room, Sender(id, name)) for (room, id), name in names.items() if (room, id) not in still
        ]

    def _turn(self, connection: Connection) -> ColumnElement[float]:
        """Wait until nobody else changes anything. -> now."""
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            connection.execute(select(func.pg_advisory_xact_lock(self._tables.lock_key)))
        now = self._now(connection)
        seen = self._tables.seen
        if time.monotonic() - self._forgot_at > FORGET_EVERY:
            self._forgot_at = time.monotonic()
            oldest = self._time_of_day(connection) - max(self._ttl, SEEN_FOR)
            connection.execute(seen.delete().where(seen.c.at < oldest))
        return now

    def _now(self, connection: Connection) -> ColumnElement[float]:
        """The time by which entries end."""
        if self._clock is None and connection.dialect.name == "sqlite":
            return literal(time.monotonic(), Float)  # the same in all processes of a machine
        return self._time_of_day(connection)

    def _time_of_day(self, connection: Connection) -> ColumnElement[float]:
        if self._clock is None and connection.dialect.name == "postgresql":
            return _SERVERS_TIME  # machines differ in what they take for the time
        return literal((self._clock or time.time)(), Float)

    def _alive(self, now: ColumnElement[float]) -> ColumnElement[bool]:
        ends = self._tables.here.c.ends
        return (ends > now) & (ends <= now + 2 * self._ttl)

    def _over(self, now: ColumnElement[float]) -> ColumnElement[bool]:
        # None ends that late: it is of before the clock was set back, or of another start of the machine.
        ends = self._tables.here.c.ends
        return (ends <= now) | (ends > now + 2 * self._ttl)

    def _names(
        self, connection: Connection, places: Collection[_Place], now: ColumnElement[float]
    ) -> dict[_Place, set[str]]:
        """By what names these users are in these rooms, on whichever nodes; those who are not there are left out."""
        here = self._tables.here.c
        these = tuple_(here.room, here.user_id).in_(sorted(places)) & self._alive(now)
        names: dict[_Place, set[str]] = {}
        for room, id, name in connection.execute(select(here.room, here.user_id, here.name).where(these)):
            names.setdefault((room, id), set()).add(name)
        return names

    def _see(self, connection: Connection, users: set[str]) -> None:
        if users:
            upsert = insert(connection, self._tables.seen).values(at=self._time_of_day(connection))
            upsert = upsert.on_conflict_do_update(index_elements=["user_id"], set_={"at": upsert.excluded.at})
            connection.execute(upsert, [{"user_id": id} for id in sorted(users)])

    # ---- looks ----

    def _page(self, connection: Connection, room: str, after: str | None, limit: int) -> PresentPage:
        here = self._tables.here.c
        there = (here.room == room) & self._alive(self._now(connection))
        total = connection.scalar(select(func.count(distinct(here.user_id))).where(there)) or 0
        users = select(here.user_id, func.min(here.name)).where(there).group_by(here.user_id)
        if after is not None:
            users = users.where(here.user_id > after)
        found = [
            Sender(id, name) for id, name in connection.execute(users.order_by(here.user_id).limit(limit + 1))
        ]
        following = encode_cursor("present", found[limit - 1].id) if len(found) > limit else None
        return PresentPage(found[:limit], total, following)

    def _count(self, connection: Connection, rooms: Sequence[str]) -> dict[str, int]:
        here = self._tables.here.c
        there = here.room.in_(rooms) & self._alive(self._now(connection))
        counts = select(here.room, func.count(distinct(here.user_id)).label("present")).where(there)
        return {row.room: row.present for row in connection.execute(counts.group_by(here.room))}

    def _online(self, connection: Connection, users: Sequence[str], room: str | None) -> set[str]:
        here = self._tables.here.c
        there = here.user_id.in_(users) & self._alive(self._now(connection))
        if room is not None:
            there &= here.room == room
        return set(connection.scalars(select(here.user_id).distinct().where(there)))

    def _seen(self, connection: Connection, users: Sequence[str]) -> dict[str, float]:
        seen = self._tables.seen.c
        found = connection.execute(select(seen.user_id, seen.at).where(seen.user_id.in_(users)))
        return {row.user_id: row.at for row in found}


class _Tables:
    """The tables of one instance."""

    def __init__(self, instance: str, prefix: str) -> None:
        self.prefix = base = f"{prefix}{table_space(instance)}_"
        self.metadata = MetaData()
        self.lock_key = crc32(f"{base}here".encode())
        self.here = Table(
            f"{base}here",
            self.metadata,
            Column("room", Name, nullable=False),
            Column("user_id", Name, nullable=False),
            Column("node", Text, nullable=False),
            Column("name", Text, nullable=False),
            Column("ends", Float(53), nullable=False),
            PrimaryKeyConstraint("room", "user_id", "node", name=f"{base}here_pkey"),
        )
        Index(f"{base}here_user", self.here.c.user_id)
        Index(f"{base}here_ends", self.here.c.ends)
        self.seen = Table(
            f"{base}seen",
            self.metadata,
            Column("user_id", Text, primary_key=True),
            Column("at", Float(53), nullable=False),
        )
        Index(f"{base}seen_at", self.seen.c.at)
        for table in (self.here, self.seen):
            unlogged = DDL("ALTER TABLE %(fullname)s SET UNLOGGED")  # type: ignore[no-untyped-call]
            event.listen(table, "after_create", unlogged.execute_if(dialect="postgresql"))


def metadata(instance: str = "default", prefix: str = PREFIX, namespace: str = "") -> MetaData:
    """The tables of an instance, for the `target_metadata` of an app's Alembic. `namespace`: as in `stores.sql.schema`."""
    return _Tables(f"{namespace}{SPACE}{instance}" if namespace else instance, prefix).metadata


def _firsts(entries: _Entries, holds: Any) -> _Answers:
    """For each entry whether it holds, a repetition excepted."""
    told: set[_Place] = set()
    answers = []
    for entry in entries:
        place = (entry.room, entry.user.id)
        answers.append(place not in told and holds(place))
        told.add(place)
    return answers
