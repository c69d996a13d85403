"""A store in a SQL database: SQLite for one machine, PostgreSQL for many."""

import secrets
from collections.abc import Callable, Collection, Sequence
from itertools import compress

from sqlalchemy import URL, Connection

from ...drivers.sql.address import take_prefix, with_prefix
from ...drivers.sql.open import make_database
from ...errors import ChatError, ConfigError, Unavailable
from ...models import Appended, Draft, Event, Head, Member, Page, Room
from ...support.clock import Clock, Steady
from ...support.ids import new_epoch
from ..base import Bounds, MemberPage, RoomPage, Store
from ..outbox import Outbox
from .appender import make_appender
from .directory import Directory, renew_epochs
from .history import Past
from .outbox import Outgoing
from .schema import Schema, migrate, require_tables
from .trim import Upkeep

__all__ = ["SQLStore"]


class SQLStore(Store, Outbox):
    """Keeps everything in the database that a URL names: `sqlite:///chat.db`, `postgresql://user@host/name`.

    Tables begin with `prefix` (or `?prefix=` of the URL; else `chatrooms_`) and the name of the instance, so that several
    instances share a database. With `create`
    they are made, and brought to the present version, at start; an app whose Alembic does that passes `create=False`.
    An object belongs to one instance; several chats of one process that carry the same name may share it.
    `clock` returns Unix seconds, by which retention and the window for repeated keys are measured. Without one it is the
    time of day, and setting that forward ends nothing early.
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
        """Open the database and bring its tables to this version. Raises `ConfigError`, `Unavailable`."""
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
        self._past = Past(self._schema, bounds)
        self._directory = Directory(self._schema, bounds)
        self._outgoing = Outgoing(self._schema, self._database)
        await self._database.start(bounds.timeout)
        self._appender = make_appender(self._database, self._schema, bounds, self._clock)
        self._upkeep = Upkeep(self._database, self._schema, self._past, bounds, self._clock)
        try:
            await self._database.write(self._make_tables)
        except BaseException:
            await self._database.stop()
            raise
        self._upkeep.start()

    def _make_tables(self, connection: Connection) -> None:
        if self._create:
            self._database.lock(connection, self._schema.prefix)
            migrate(connection, self._schema)
        else:
            require_tables(connection, self._schema)
        self._appender.prepare(connection)

    async def stop(self) -> None:
        """End one start; the last one closes the database."""
        if self._starts == 1:
            await self._upkeep.stop()
            await self._appender.stop()
            await self._database.stop()
        self._starts = max(self._starts - 1, 0)

    # ---- the past ----

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`."""
        return await self._appender.append(drafts) if drafts else []

    async def heads(self, rooms: Collection[str]) -> dict[str, Head]:
        """See `Store.heads`."""
        asked = list(rooms)
        return await self._database.read(lambda c: self._directory.heads(c, asked)) if asked else {}

    async def history(  # type: ignore[override] # until it knows facts
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        timeline: bool = False,
    ) -> Page:
        """See `Store.history`. Costs the same wherever the page lies and however long the room is."""
        if (after is None) == (before is None):
            raise ValueError("history: give exactly one of after and before")
        now = self._clock()
        return await self._database.read(
            lambda c: self._past.page(c, now, room, after, before, limit, timeline)
        )

    async def message(self, room: str, msg_id: str) -> Event | None:
        """See `Store.message`."""
        now = self._clock()
        return await self._database.read(lambda c: self._past.message(c, now, room, msg_id))

    async def renew_epoch(self, room: str, old: str) -> Head:
        """See `Store.renew_epoch`."""
        new = new_epoch()
        return await self._database.write(lambda c: self._directory.renew_epoch(c, room, old, new))

    async def renew_epochs(self, rooms: Sequence[str] | None = None) -> list[str]:
        """Give these rooms, or all, a new epoch, after a backup was restored; -> the ids of those that are there."""
        return await self._database.write(lambda c: renew_epochs(c, self._schema, rooms))

    # ---- rooms ----

    async def create_room(  # type: ignore[override] # until it knows facts
        self,
        room: Room,
        *,
        owner: Member | None = None,
        key: tuple[str, str] | None = None,
        hash: bytes = b"",
    ) -> tuple[Room, bool]:
        """See `Store.create_room`."""
        epoch = new_epoch()
        return await self._database.write(lambda c: self._directory.create(c, room, epoch, owner, key, hash))

    async def room(self, room: str) -> Room | None:
        """See `Store.room`."""
        return await self._database.read(lambda c: self._directory.room(c, room))

    async def rooms(  # type: ignore[override] # until it knows facts
        self, *, member: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> RoomPage:
        """See `Store.rooms`."""
        return await self._database.read(lambda c: self._directory.page(c, member, cursor, limit))

    async def update_room(self, room: Room) -> Room:
        """See `Store.update_room`."""
        return await self._database.write(lambda c: self._directory.update(c, room))

    async def delete_room(self, room: str, *, unused: bool = False) -> bool:
        """See `Store.delete_room`."""
        return await self._database.write(lambda c: self._directory.delete(c, room, unused))

    # ---- members and secrets ----

    async def member(self, room: str, user: str) -> Member | None:
        """See `Store.member`."""
        return await self._database.read(lambda c: self._directory.member(c, room, user))

    async def members(self, room: str, *, cursor: str | None = None, limit: int = 50) -> MemberPage:
        """See `Store.members`."""
        return await self._database.read(lambda c: self._directory.members(c, room, cursor, limit))

    async def first_members(self, rooms: Collection[str], limit: int) -> dict[str, list[Member]]:
        """See `Store.first_members`. One statement for up to 1,000 rooms."""
        asked = list(rooms)
        if not asked:
            return {}
        return await self._database.read(lambda c: self._directory.first_members(c, asked, limit))

    async def set_member(self, room: str, member: Member) -> None:
        """See `Store.set_member`."""
        await self._database.write(lambda c: self._directory.set_member(c, room, member))

    async def remove_member(self, room: str, user: str) -> bool:
        """See `Store.remove_member`."""
        return await self._database.write(lambda c: self._directory.remove_member(c, room, user))

    async def secret(self, name: str) -> str:
        """See `Store.secret`."""
        fresh = secrets.token_urlsafe(32)
        return await self._database.write(lambda c: self._directory.secret(c, name, fresh))

    # ---- the app's own transactions ----

    async def put(self, within: object, draft: Draft, committed: Callable[[], None]) -> None:
        """See `Outbox.put`: `within` is a Session, AsyncSession, Connection or AsyncConnection of SQLAlchemy."""
        await self._outgoing.put(within, draft, committed)

    def require_free(self) -> None:
        """See `Store.require_free`."""
        self._database.require_free()

    async def number(self, limit: int) -> list[tuple[Draft, Appended | ChatError]]:
        """See `Outbox.number`."""
        if not await self._database.read(self._outgoing.waiting):
            return []
        return await self._database.write(lambda c: self._number(c, limit))

    def _number(self, connection: Connection, limit: int) -> list[tuple[Draft, Appended | ChatError]]:
        waiting = self._outgoing.take(connection, limit)
        if not waiting:
            return []
        drafts = [draft for _, draft in waiting]
        results = self._appender.append_within(connection, drafts)
        done = [not isinstance(result, Unavailable) for result in results]
        self._outgoing.remove(connection, [id for (id, _), gone in zip(waiting, done, strict=True) if gone])
        return list(compress(zip(drafts, results, strict=True), done))
