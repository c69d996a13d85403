"""A store in a SQL database: SQLite for one machine, PostgreSQL for many."""

import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from sqlalchemy import URL, Connection

from ...drivers.sql.address import take_prefix, with_prefix
from ...drivers.sql.open import make_database
from ...drivers.sql.tables import lock_tables
from ...errors import ChatError, ConfigError
from ...models import Appended, Draft
from ...support.clock import Clock, Steady
from ...support.words import Query
from ..base import Bounds, Store
from ..outbox import Outbox
from ..search import Hits, SearchIndex
from .appender import make_appender
from .directory import Directory, renew_epochs
from .erasing import Erasure
from .facts import Facts
from .history import Past
from .indexing import Indexing
from .migrations import is_due, migrate, require_tables
from .outbox import Outgoing
from .schema import Schema
from .trim import Upkeep
from .unread import Unreads

__all__ = ["SQLStore"]

logger = logging.getLogger("sanic_chatrooms.stores.sql")


P = ParamSpec("P")
T = TypeVar("T")
Part = TypeVar("Part")

_Step: TypeAlias = Callable[Concatenate[Part, Connection, P], T]
_Verb: TypeAlias = Callable[Concatenate["SQLStore", P], Coroutine[Any, Any, T]]


def _reads(part: type[Part], step: _Step[Part, P, T]) -> _Verb[P, T]:
    """The verb of the contract that reads by this step: its arguments, result and description are the step's."""

    @wraps(step)
    async def verb(self: "SQLStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        own = self._parts[part]
        return await self._database.read(lambda connection: step(own, connection, *args, **kwargs))

    return verb


def _writes(part: type[Part], step: _Step[Part, P, T]) -> _Verb[P, T]:
    """The same for a step that writes."""

    @wraps(step)
    async def verb(self: "SQLStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        own = self._parts[part]
        return await self._database.write(lambda connection: step(own, connection, *args, **kwargs))

    return verb


class SQLStore(Store, Outbox, SearchIndex):
    """Keeps everything in the database that a URL names: `sqlite:///chat.db`, `postgresql://user@host/name`.

    Table names begin with `prefix` (or `?prefix=` of the URL; default `chatrooms_`) and the name of the instance, so that
    several instances can share a database. With `create`, a start creates the tables and migrates them to the current
    version. Pass `create=False` if your Alembic does that. An object belongs to one instance. Several chats of one process
    with the same name may share it. `clock` returns Unix seconds, for retention and the window of repeated keys. Without
    it, the store uses the wall clock; setting that forward expires nothing early.
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
        self._database.makes = create
        self.scope = self._database.scope  # type: ignore[misc] # it depends on the database
        self.server_url = with_prefix(url, self._prefix)
        self._create = create
        self._clock = clock or Steady()
        self._instance = ""
        self._starts = 0

    # ---- start and stop ----

    async def start(self, instance: str, bounds: Bounds) -> None:
        """Open the database and migrate its tables to this version. Raises `ConfigError`, `Unavailable`."""
        if self._starts and instance != self._instance:
            raise ConfigError(
                f"this SQLStore already serves the instance {self._instance!r} and cannot serve {instance!r} too; "
                "make one SQLStore per instance"
            )
        if not self._starts:
            await self._open(instance, bounds)
        self._starts += 1

    async def _open(self, instance: str, bounds: Bounds) -> None:
        self._instance = instance
        self._schema = Schema(instance, self._prefix)
        past, directory = Past(self._schema, bounds, self._clock), Directory(self._schema, bounds)
        self._parts: dict[type, Any] = {
            Past: past,
            Directory: directory,
            Facts: Facts(self._schema, self._clock),
            Unreads: Unreads(
                self._schema, past, bounds.counted, postgresql=self._database.dialect == "postgresql"
            ),
            Erasure: Erasure(self._schema, past),
        }
        await self._database.start(bounds.timeout)
        self._appender = make_appender(self._database, self._schema, past, bounds)
        self._outgoing = Outgoing(self._schema, self._database, self._appender)
        self._upkeep = Upkeep(self._database, self._schema, past, bounds, self._clock)
        self._indexing = Indexing(self._database, self._schema, past, directory, bounds, self._clock)
        try:
            if not await self._database.write(self._make_tables):
                logger.warning("the tables %s… are of an older version: migrating them", self._schema.prefix)
                await self._database.write(self._migrate, bounded=False)
        except BaseException:
            await self._database.stop()
            raise
        self._upkeep.start()
        self._indexing.start()
        self.searches = self._indexing.possible

    def _make_tables(self, connection: Connection) -> bool:
        """Bring the tables to this version. False where that may take longer than a store may."""
        if not self._create:
            require_tables(connection, self._schema)
            self._prepare(connection)
        elif is_due(connection, self._schema):
            return False
        else:
            self._migrate(connection)
        return True

    def _migrate(self, connection: Connection) -> None:
        lock_tables(connection, self._schema.prefix)  # of several workers that start, one does it
        migrate(connection, self._schema)
        self._prepare(connection)

    def _prepare(self, connection: Connection) -> None:
        self._appender.prepare(connection)
        self._indexing.prepare(connection)

    async def stop(self) -> None:
        """End one start; the last one closes the database."""
        if self._starts == 1:
            await self._upkeep.stop()
            await self._indexing.stop()
            await self._appender.stop()
            await self._database.stop()
        self._starts = max(self._starts - 1, 0)

    # ---- the past ----

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`."""
        self._indexing.appended(len(drafts))
        return await self._appender.append(drafts) if drafts else []

    heads = _reads(Directory, Directory.heads)
    history = _reads(Past, Past.history)
    message = _reads(Past, Past.message)
    events = _reads(Past, Past.events)
    related = _reads(Past, Past.related)
    toggles = _reads(Past, Past.toggles)
    trim = _writes(Directory, Directory.trim)
    renew_epoch = _writes(Directory, Directory.renew_epoch)

    async def renew_epochs(self, rooms: Sequence[str] | None = None) -> list[str]:
        """Give these rooms, or all, a new epoch, after a backup was restored. Returns the ids of rooms that exist."""
        renewed: list[str] = []
        while step := await self._renew_some(rooms, renewed[-1] if renewed else ""):
            renewed += step
        return renewed

    async def _renew_some(self, rooms: Sequence[str] | None, after: str) -> list[str]:
        return await self._database.write(lambda c: renew_epochs(c, self._schema, rooms, after))

    # ---- rooms, facts and secrets ----

    room = _reads(Directory, Directory.room)
    rooms = _reads(Directory, Directory.rooms)
    create_room = _writes(Directory, Directory.create_room)
    update_room = _writes(Directory, Directory.update_room)
    delete_room = _writes(Directory, Directory.delete_room)
    fact = _reads(Facts, Facts.fact)
    facts_about = _reads(Facts, Facts.facts_about)
    facts = _reads(Facts, Facts.facts)
    facts_of = _reads(Facts, Facts.facts_of)
    first_facts = _reads(Facts, Facts.first_facts)
    about_each = _reads(Facts, Facts.about_each)
    rooms_about = _reads(Directory, Directory.rooms_about)
    set_fact = _writes(Facts, Facts.set_fact)
    unread = _reads(Unreads, Unreads.unread)
    take = _writes(Facts, Facts.take)
    secret = _writes(Directory, Directory.secret)

    # ---- erasing ----

    erase = _writes(Erasure, Erasure.erase)
    all_facts = _reads(Erasure, Erasure.all_facts)

    async def forget_user(self, user: str, kinds: Collection[str]) -> None:
        """See `Store.forget_user`."""
        erasure: Erasure = self._parts[Erasure]
        await self._upkeep.clear_deleted()
        await self._database.write(lambda connection: erasure.forget_user(connection, user))
        await self._database.scrub(self._prefix)

    # ---- search ----

    async def find_in(
        self, room: str, query: Query, *, before: int, after: int = 0, limit: int = 200
    ) -> Hits:
        """See `SearchIndex.find_in`."""
        return await self._indexing.find_in(room, query, before, after, limit)

    async def find_of(self, user: str | None, query: Query, *, before: int, limit: int = 200) -> Hits:
        """See `SearchIndex.find_of`."""
        return await self._indexing.find_of(user, query, before, limit)

    async def index(self, rooms: Collection[str] | None = None, *, most: int = 500) -> int:
        """See `SearchIndex.index`."""
        return await self._indexing.index(rooms, most)

    async def stems(self, words: Collection[str]) -> Mapping[str, str] | None:
        """See `SearchIndex.stems`."""
        return await self._indexing.stems(words)

    # ---- the app's own transactions ----

    async def put(self, within: object, draft: Draft, committed: Callable[[], None]) -> None:
        """See `Outbox.put`: `within` is a Session, AsyncSession, Connection or AsyncConnection of SQLAlchemy."""
        await self._outgoing.put(within, draft, committed)

    def require_free(self) -> None:
        """See `Store.require_free`."""
        self._database.require_free()

    async def number(self, limit: int) -> list[tuple[Draft, Appended | ChatError]]:
        """See `Outbox.number`."""
        return await self._outgoing.number(limit)

    async def judge(self, draft: Draft) -> None:
        """See `Outbox.judge`."""
        await self._database.write(lambda c: self._outgoing.judge(c, draft))

    async def drop(self, msg_id: str) -> None:
        """See `Outbox.drop`."""
        await self._database.write(lambda c: self._outgoing.drop(c, msg_id))
