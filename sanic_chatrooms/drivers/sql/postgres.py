"""PostgreSQL, by SQLAlchemy's asyncpg engine."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, ClassVar, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ...errors import ConfigError, Unavailable
from ...models import Scope
from .address import connect_options, with_driver
from .database import TIMEOUT, Database

__all__ = ["Postgres", "is_away"]

_AWAY = ("08", "25006", "40", "53", "55", "57", "58")
"""How the codes begin of errors that pass: no connection, a standby, a deadlock, nothing free, a lock, a shutdown, a disk."""
_REFUSED = ("28", "3D")
"""And of those that say that the URL is wrong: the user or the password, the database."""

_BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises on a connection that is gone; the second where the server cut it between two of our calls."""

_IDENTITY = text(
    "SELECT format('%s, table %s of server %s', current_database(), to_regclass(:name)::oid, pg_postmaster_start_time())"
)

_PLACE = text(
    "SELECT system_identifier || '.' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()"
)
"""Another cluster or timeline gives the numbers of transactions that it lacks to others."""
_NO_PLACE = ("0A", "42")
"""How the codes begin of a hosted database that does not tell it."""
_TRANSACTION = text("SELECT CAST(txid_current() AS text)")
_STATUS = text("SELECT txid_status(CAST(CAST(:transaction AS text) AS bigint))")

_UNBOUNDED = """
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),
       set_config('idle_in_transaction_session_timeout', '0', true),
       set_config('enable_seqscan', 'on', true), set_config('enable_bitmapscan', 'on', true)
"""
"""For a transaction that changes tables. It reads whole tables, so it may scan them."""

T = TypeVar("T")


class Postgres(Database):
    """See `Database`. Several processes and machines may use one database."""

    scope: ClassVar[Scope] = Scope.CLUSTER
    dialect: ClassVar[str] = "postgresql"

    def __init__(self, url: URL) -> None:
        self._url = with_driver(url)
        self._engine: AsyncEngine | None = None
        self._ending: set[asyncio.Task[Any]] = set()
        self._tells_place: bool | None = None

    # ---- start and stop ----

    async def start(self, within: float = TIMEOUT) -> None:
        """See `Database.start`. Raises `ConfigError` where the URL is refused."""
        self._timeout = timeout = within
        server_settings = _server_settings(timeout)
        self._engine = create_async_engine(
            self._url,
            pool_size=self.connections,
            max_overflow=0,
            pool_timeout=timeout,
            connect_args={"timeout": timeout, "server_settings": server_settings},
        )
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self.connect_options = connect_options(self._url) | {
            "timeout": timeout,
            "server_settings": server_settings,
        }
        """What `asyncpg.connect` takes, for a connection like those of this database."""
        try:
            await self.read(lambda connection: connection.scalar(text("SELECT 1")))
        except Unavailable as exc:
            await self.stop()
            if _code(exc.__cause__).startswith(_REFUSED):
                raise ConfigError(f"PostgreSQL refuses the URL: {exc.__cause__}") from exc
            raise

    async def stop(self) -> None:
        """See `Database.stop`."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        with contextlib.suppress(TimeoutError):  # a database that does not answer is left as it is
            async with asyncio.timeout(self._timeout):
                await engine.dispose()
        if self._ending:
            await asyncio.wait(self._ending, timeout=self._timeout)

    def require_free(self) -> None:
        """See `Database.require_free`. Nothing: a transaction of the app locks no row that we write."""

    def identity(self, connection: Connection, table: str) -> str:
        """See `Database.identity`."""
        return str(connection.scalar(_IDENTITY, {"name": f'"{table}"'}))

    async def tidy(self, *, removed: bool) -> None:
        """Nothing: PostgreSQL's own vacuum takes what was erased out of its files."""

    async def scrub(self, prefix: str) -> None:
        """Nothing either."""

    # ---- work ----

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""

        async def run() -> T:
            async with self._reader.connect() as connection:
                return await connection.run_sync(work)

        return await self.bounded(lambda: _twice(run))

    async def write(self, work: Callable[[Connection], T], *, bounded: bool = True) -> T:
        """See `Database.write`."""

        async def run() -> T:
            assert self._engine is not None
            async with self._engine.connect() as connection:
                if not bounded:
                    await connection.exec_driver_sql(_UNBOUNDED)
                done = await connection.run_sync(work)
                with _once():
                    await connection.commit()
                return done

        return await self._run(lambda: _twice(run), self._timeout if bounded else None)

    def transaction(self, connection: Connection) -> str | None:
        """See `Database.transaction`."""
        return f"{self._place(connection)} {connection.scalar(_TRANSACTION)}"

    def was_done(self, connection: Connection, transaction: str | None) -> bool:
        """See `Database.was_done`."""
        if transaction is None:
            return False
        place, _, number = transaction.partition(" ")
        if place != self._place(connection):
            return False
        try:
            status = connection.scalar(_STATUS, {"transaction": number})
        except DBAPIError as exc:
            if _code(exc) == asyncpg.InvalidParameterValueError.sqlstate:  # another server, without this past
                return False
            raise
        if status == "in progress":
            raise Unavailable
        return bool(status == "committed")

    def _place(self, connection: Connection) -> str:
        """Which cluster this is, and which timeline; "" where it does not tell."""
        if self._tells_place is None:
            try:
                with connection.begin_nested():
                    connection.execute(_PLACE)
                self._tells_place = True
            except DBAPIError as exc:
                if not _code(exc).startswith(_NO_PLACE):
                    raise
                self._tells_place = False
        return str(connection.scalar(_PLACE)) if self._tells_place else ""

    async def bounded(self, run: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `run` returns or raises. Raises `Unavailable` after the time limit, and where the server is away."""
        return await self._run(run, self._timeout)

    async def _run(self, run: Callable[[], Coroutine[Any, Any, T]], within: float | None) -> T:
        if self._engine is None:
            raise Unavailable
        over = asyncio.get_running_loop().create_future()
        # A task of its own: giving up must not wait for a database that does not even take the cancellation.
        task = asyncio.ensure_future(_telling(run, over))
        self._ending.add(task)
        task.add_done_callback(self._ended)
        task.add_done_callback(lambda _: _wake(over))  # where it was cancelled before it began
        try:
            async with asyncio.timeout(within):
                await over
        except asyncio.CancelledError:
            task.cancel()
            raise
        except TimeoutError:
            pass
        if not task.done():
            task.cancel()
            raise Unavailable
        try:
            return task.result()
        except Exception as exc:
            if is_away(exc):
                raise Unavailable from exc
            raise

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: nobody else may be waiting any more


async def _telling(run: Callable[[], Coroutine[Any, Any, T]], over: "asyncio.Future[None]") -> T:
    # `asyncio.wait` hears of the end of a task one turn of the loop later, which is a millisecond under load.
    try:
        return await run()
    finally:
        _wake(over)


def _wake(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)


async def _twice(run: Callable[[], Coroutine[Any, Any, T]]) -> T:
    # A restart of the server leaves the pool full of dead connections; SQLAlchemy drops all of them at the first.
    try:
        return await run()
    except (DBAPIError, *_BROKEN) as exc:
        if not _is_cut(exc):
            raise
    return await run()


@contextlib.contextmanager
def _once() -> Iterator[None]:
    """For a COMMIT: where its answer is lost it may have been carried out, and the same work would find its own result."""
    try:
        yield
    except (DBAPIError, *_BROKEN) as exc:
        if _is_cut(exc):
            raise Unavailable from exc
        raise


def _is_cut(exc: Exception) -> bool:
    return not isinstance(exc, DBAPIError) or exc.connection_invalidated


def is_away(exc: BaseException) -> bool:
    """Does this say that the database cannot answer now, rather than that it was asked something wrong?"""
    if isinstance(exc, DBAPIError):
        return exc.connection_invalidated or _code(exc).startswith(_AWAY + _REFUSED) or _is_lost(exc.orig)
    return _is_lost(exc) or _code(exc).startswith(_AWAY + _REFUSED)


def _is_lost(exc: BaseException | None) -> bool:
    # What is also a ValueError cannot be sent, whatever the connection.
    kinds = (OSError, EOFError, PoolTimeout, *_BROKEN)
    return isinstance(exc, kinds) and not isinstance(exc, ValueError)


def _code(exc: BaseException | None) -> str:
    return getattr(getattr(exc, "orig", exc), "sqlstate", None) or ""


def _server_settings(timeout: float) -> dict[str, str]:
    # What we gave up waiting for shall end on the server too, and hold no lock for longer.
    milliseconds = str(max(int(timeout * 1000), 1))
    return {
        "application_name": "sanic_chatrooms",
        "default_transaction_isolation": "read committed",  # whatever the database's own default is
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
        # Every read walks an index that has its order. PostgreSQL guesses a room's size by the average of all rooms,
        # and would rather collect and sort: for one large room among many small ones that is all of its events.
        "enable_bitmapscan": "off",
        "enable_seqscan": "off",
        "jit": "off",  # worth it for queries of seconds only
    }
