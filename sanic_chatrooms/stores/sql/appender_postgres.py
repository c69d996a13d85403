"""The connection that appends: held open, taken anew when it is lost.

So a store takes at most `Database.connections` + 1 of the server's.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ...drivers.sql.postgres import Postgres
from ...errors import ChatError, Unavailable
from ...models import Appended, Draft
from ..base import Bounds
from .append_postgres import append_call
from .appender import Appender
from .batch_postgres import Batch
from .functions_postgres import make_functions, opened_call
from .history import Past
from .schema import Schema

__all__ = ["PostgresAppender"]

logger = logging.getLogger("sanic_chatrooms.postgres")

T = TypeVar("T")

LOCK_SHARE = 0.2
"""The part of the time limit for which a batch waits for a room that somebody holds locked."""


class PostgresAppender(Appender):
    """See `Appender`: one batch at a time. A failure leaves no doubtful connection behind: it is dropped, the next batch opens another."""

    def __init__(self, database: Postgres, schema: Schema, past: Past, bounds: Bounds) -> None:
        self._database = database
        self._schema = schema
        self._lock_timeout = str(max(int(bounds.timeout * LOCK_SHARE * 1000), 1))  # milliseconds
        options = database.connect_options
        patience = {"lock_timeout": self._lock_timeout}
        self._options = options | {"server_settings": options["server_settings"] | patience}
        self._statement = append_call(schema)
        self._opened = opened_call(schema)
        self._past = past
        self._turn = asyncio.Lock()
        self._connection: Any = None
        self._safe: WeakSet[Any] = WeakSet()
        """Connections of the database's that may append, too: since they were opened, `opened` was called."""
        self._stopped = False

    def prepare(self, connection: Connection) -> None:
        """Make the functions in the database that it calls."""
        make_functions(connection, self._schema)

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Appender.append`."""
        return await self._database.bounded(lambda: self._append_in_turn(Batch(drafts)))

    async def _append_in_turn(self, batch: Batch) -> list[Appended | ChatError]:
        async with self._turn:
            if self._stopped:
                raise Unavailable
            try:
                return batch.results(await self._call(batch, wait=True))
            except asyncpg.LockNotAvailableError:
                # Somebody holds a room: the other rooms of the batch need not wait for it.
                return batch.results(await self._call(batch, wait=False))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See `Appender.write`. A new connection first learns whether all rooms need new epochs."""
        return await self._database.bounded(lambda: self._write(work))

    async def _write(self, work: Callable[[Connection], T]) -> T:
        while True:
            done, opened = await self._database.write(lambda connection: self._if_safe(connection, work))
            if done:
                return done[0]
            if opened is not None:  # only now: what `opened` did is committed
                self._safe.add(opened)

    def _if_safe(self, connection: Connection, work: Callable[[Connection], T]) -> tuple[list[T], Any]:
        """-> what `work` returned; or nothing, and the driver's connection if it is safe after this transaction."""
        driver = connection.connection.driver_connection
        if driver in self._safe:
            return [work(connection)], None
        state = connection.exec_driver_sql(self._opened).one()
        _warn(state.renewed, state.unfinished)
        return [], None if state.unfinished else driver

    def append_within(self, connection: Connection, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Appender.append_within`."""
        batch = Batch(drafts)
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {self._lock_timeout}")
                return self._call_within(connection, batch, wait=True)
        except DBAPIError as exc:
            if getattr(exc.orig, "sqlstate", None) != asyncpg.LockNotAvailableError.sqlstate:
                raise
            return self._call_within(connection, batch, wait=False)

    def _call_within(self, connection: Connection, batch: Batch, *, wait: bool) -> list[Appended | ChatError]:
        rows = connection.exec_driver_sql(self._statement, tuple(self._arguments(batch, wait=wait)))
        return batch.results(rows.mappings().one())

    def _arguments(self, batch: Batch, *, wait: bool) -> list[Any]:
        return batch.arguments(
            wait=wait, keep=self._past.history_max, cutoff=self._past.oldest(), now=self._past.now()
        )

    async def _call(self, batch: Batch, *, wait: bool) -> Any:
        try:
            connection = self._connection or await self._connect()
            return await connection.fetchrow(self._statement, *self._arguments(batch, wait=wait))
        except (asyncpg.DataError, asyncpg.LockNotAvailableError, ValueError):
            raise  # the connection is as good as before
        except BaseException:  # cancelled too: what the server does with the batch is not known
            self._drop()
            raise

    async def _connect(self) -> Any:
        connection = await asyncpg.connect(**self._options)
        try:
            # Each step is kept: the next batch goes on where this one runs out of time.
            while await self._renews(connection):
                pass
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        return connection

    async def _renews(self, connection: Any) -> bool:
        renewed, unfinished = await connection.fetchrow(self._opened)
        _warn(renewed, unfinished)
        return bool(unfinished)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def stop(self) -> None:
        """Close the connection; a batch that is under way goes first."""
        self._stopped = True
        with contextlib.suppress(Unavailable):  # a database that does not answer is left as it is
            await self._database.bounded(self._close)

    async def _close(self) -> None:
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                try:
                    await connection.close()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    connection.terminate()


def _warn(renewed: bool, unfinished: bool) -> None:
    if renewed and not unfinished:
        logger.warning("the database may have lost what it had acknowledged: all rooms have new epochs")
