"""Connections to a SQLite file: one that reads, and one that writes when its turn comes."""

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from ...errors import ChatroomsError, ConfigError, Unavailable

__all__ = ["Reader", "Writer", "raw"]

logger = logging.getLogger("sanic_chatrooms.drivers.sql.sqlite")

CHECKPOINT_PAGES = 4_000
"""Pages of 4 KiB in the log before SQLite moves them into the file. At its own 1,000 a single sender is served at two
thirds of the pace; at 10,000 a move takes 40 ms and more."""
CACHE_KIB = 65_536
READ_CACHE_KIB = 16_384
"""SQLite's own 2 MiB hold less than the parts of the indices that are read again and again where there are 10,000 rooms: a page of
unread counts takes a fifth longer."""

PATIENCE = 0.8
"""The part of the time limit for which a statement waits for others: what it waited for is told then. SQLite adds up the naps
that it asked for, and on a busy machine each takes longer."""

T = TypeVar("T")


class _FileConnection:
    """Keeps one connection; after a failure it opens another."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self._path = path
        self._engine = engine
        self._connection: Connection | None = None
        self._failing = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns or raises. Raises `Unavailable` where the database cannot be used."""
        try:
            result = self._run(work)
        except (sqlite3.Error, DBAPIError, OSError) as problem:
            self.close()
            if not _is_outage(problem):
                raise
            if not self._failing:  # once: those who wait try again many times a second
                logger.warning("%s cannot be used now: %s%s", self._path, problem, _advice(problem))
            self._failing = True
            raise Unavailable from problem
        except ChatroomsError:
            raise  # an answer
        except BaseException:
            self.close()  # in which state nobody knows
            raise
        self._failing = False
        return result

    def _run(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            return work(self._connection)
        finally:
            self._connection.rollback()  # where nothing is open, this only lets SQLAlchemy know

    def close(self) -> None:
        """Close the connection, if it is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error, DBAPIError):
                connection.close()


class Reader(_FileConnection):
    """Reads. Each statement sees what was committed before it began."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__(path, _engine(path, timeout, "query_only=ON", f"cache_size=-{READ_CACHE_KIB}"))


class Writer(_FileConnection):
    """Writes, while no other process of ours does."""

    def __init__(self, path: Path, timeout: float, normal: bool) -> None:
        engine = _engine(
            path,
            timeout,
            "journal_mode=WAL",
            f"synchronous={'NORMAL' if normal else 'FULL'}",
            f"wal_autocheckpoint={CHECKPOINT_PAGES}",
            f"cache_size=-{CACHE_KIB}",
            "secure_delete=ON",  # what is deleted is overwritten, not only forgotten
        )
        event.listen(engine, "begin", _begin)
        super().__init__(path, engine)
        self._turns: int | None = None

    def _run(self, work: Callable[[Connection], T]) -> T:
        with self._turn():
            return super()._run(work)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        # The system hands the lock on in the order of those who wait, and takes it back from a process that dies.
        if self._turns is None:
            mode = self._path.stat().st_mode & 0o666  # the lock is for all who may write to the file
            self._turns = os.open(
                f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode
            )
        fcntl.flock(self._turns, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turns, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the connection, if it is open, and leave the queue."""
        super().close()
        turns, self._turns = self._turns, None
        if turns is not None:
            os.close(turns)


def _engine(path: Path, timeout: float, *pragmas: str) -> Engine:
    url = URL.create("sqlite", database=str(path))
    # SQLite's own waiting: for those who do not queue with us, such as the app.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": PATIENCE * timeout})

    def connected(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        for pragma in pragmas:
            answer = connection.execute(f"PRAGMA {pragma}").fetchone()
            if pragma == "journal_mode=WAL" and answer != ("wal",):
                raise ConfigError(f"SQLite: {path} lies where SQLite cannot use WAL; take a local disk")

    event.listen(engine, "connect", connected)
    return engine


def _begin(connection: Connection) -> None:
    # At once as a writer: a transaction that reads first and then writes fails where another wrote in between.
    raw(connection).execute("BEGIN IMMEDIATE")


def raw(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection: a statement through it costs a fifth."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _advice(problem: Exception) -> str:
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    if getattr(cause, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
        return ""
    # Those of ours queue before they begin.
    return ". A transaction that is not the chat's has written and stays open: end it sooner, or give it to publish as within="


def _is_outage(problem: Exception) -> bool:
    """Is it the database that fails, and not what it was asked to do?"""
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    refusals = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
    return not isinstance(cause, refusals)
