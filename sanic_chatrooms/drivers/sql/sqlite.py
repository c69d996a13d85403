"""A SQLite file: one thread of a process writes, two read, with the standard library's driver.

SQLite takes one writer at a time and lets those who wait try again at random, so that one of two processes can wait
for seconds. A lock of the system, on a file beside the database, makes them queue.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeVar

from sqlalchemy import URL, Connection

from ...errors import ConfigError, InvalidField, Unavailable
from ...models import Scope
from .app_transactions import holds_up, watch
from .boot_id import require_boot_id
from .database import TIMEOUT, Database
from .sqlite_connections import Reader, Writer, raw
from .sqlite_threads import Threads

__all__ = ["SQLite"]

logger = logging.getLogger("sanic_chatrooms.drivers.sql.sqlite")

READERS = 2
LARGEST = 64 * 2**20
"""Bytes of a file that is written anew by itself. It takes less than a second."""

T = TypeVar("T")


class SQLite(Database):
    """`sqlite:///path/to/file`; with `?synchronous=normal` a power failure may take the last commits back."""

    scope: ClassVar[Scope] = Scope.MACHINE
    dialect: ClassVar[str] = "sqlite"

    def __init__(self, url: URL) -> None:
        self._path = _file(url)
        self.normal = _is_normal(url)
        """May a power failure take back what was committed last?"""
        self._timeout = TIMEOUT
        self._writer = self._readers = Threads(
            "chatrooms-sqlite", 0, lambda: Reader(self._path, self._timeout)
        )

    async def start(self, within: float = TIMEOUT) -> None:
        """Open the file, and make it if there is none. Raises `ConfigError`."""
        if not self._path.parent.is_dir():
            raise ConfigError(
                f"SQLite: there is no directory {self._path.parent} to keep {self._path.name} in"
            )
        if self.makes:
            _make(self._path)
        elif not self._path.is_file():
            raise ConfigError(f"SQLite: there is no file {self._path}")
        self._timeout = timeout = within
        self._erased = True  # maybe, by a process that ended before it could tidy up
        path, normal = self._path, self.normal
        self._writer = Threads("chatrooms-sqlite-write", 1, lambda: Writer(path, timeout, normal))
        self._readers = Threads("chatrooms-sqlite-read", READERS, lambda: Reader(path, timeout))
        watch()
        self._writer.start()
        self._readers.start()

    async def stop(self) -> None:
        """Do what was asked, then close the file."""
        await self._readers.stop(self._timeout)
        await self._writer.stop(self._timeout)  # the last one to close writes the log into the file

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        return await self._readers.run(work, self._timeout)

    async def write(self, work: Callable[[Connection], T], *, bounded: bool = True) -> T:
        """See `Database.write`."""
        self.require_free()
        within = self._timeout if bounded else None
        return await self._writer.run(lambda connection: _transaction(connection, work), within)

    async def write_first(self, work: Callable[[Connection], T], *, erases: bool) -> T:
        """Run a function that writes before all that `write` was asked for. It makes its transactions itself.

        `erases`: what it removes must be in no file after the next `tidy`.
        """
        self._erased |= erases
        return await self._writer.run(work, self._timeout, first=True)

    def require_free(self) -> None:
        """See `Database.require_free`."""
        if holds_up(self._path):
            raise InvalidField(
                f"is missing: a transaction that this task has open has written to {self._path.name}, and the chat would "
                "wait for its end. Give it to publish as within=, or end it first",
                field="within",
            )

    def identity(self, connection: Connection, table: str) -> str:
        """See `Database.identity`."""
        for _, name, file in connection.exec_driver_sql("PRAGMA database_list"):
            if name == "main" and file:
                return str(Path(file).resolve())
        return "a database in memory"

    async def tidy(self, *, removed: bool) -> None:
        """Empty the log after a deletion: it still holds the pages as they were before."""
        if not (self._erased or removed):
            return
        self._erased = emptied = False
        try:
            emptied = await self._writer.run(_empty_log, self._timeout)
        finally:
            self._erased |= not emptied  # by this, or by what was deleted meanwhile

    async def scrub(self, prefix: str) -> None:
        """Write the file anew: where rows were moved between pages, copies may be left. Not if it is larger than `LARGEST`, since nobody
        writes meanwhile; and not if it has tables of the app, whose rows would get other numbers."""
        self._erased = True
        done = False
        with contextlib.suppress(Unavailable):  # callers have as long for all of it
            done = await self._writer.run(lambda c: _rewrite(c, prefix), self._timeout / 2)
            await self.tidy(removed=True)
        if not done:
            logger.warning(
                "%s may have copies of what was erased in unused parts of pages: run VACUUM", self._path
            )


def _file(url: URL) -> Path:
    if url.database in (None, "", ":memory:"):
        raise ConfigError('SQLite: name a file, as in sqlite:///chat.db; what lives in memory is "memory:"')
    assert url.database is not None
    return Path(url.database)


def _make(path: Path) -> None:
    # SQLite would let everybody read what is said, and gives its other files (-wal, -shm) the mode that this one has.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass  # its mode is the app's own affair
    except OSError as exc:
        raise ConfigError(f"SQLite: {path} cannot be made: {exc}") from exc


def _is_normal(url: URL) -> bool:
    query = dict(url.query)
    synchronous = query.pop("synchronous", "full")
    if query or synchronous not in ("full", "normal"):
        raise ConfigError(
            "a sqlite URL takes synchronous=full or synchronous=normal after its ?, and nothing else"
        )
    if synchronous == "normal":
        require_boot_id()
    return synchronous == "normal"


def _transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    with connection.begin():
        return work(connection)


def _empty_log(connection: Connection) -> bool:
    """True if it is empty; False where somebody reads, or writes."""
    driver = raw(connection)
    (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute("PRAGMA busy_timeout = 0")  # writers must not wait for readers
    try:
        busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        driver.execute(f"PRAGMA busy_timeout = {patience}")
    return not busy


def _rewrite(connection: Connection, prefix: str) -> bool:
    driver = raw(connection)
    (pages,), (size,) = (driver.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    others = (
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' "
        "AND substr(name, 1, length(?)) <> ?"
    )
    if pages * size > LARGEST or driver.execute(others, (prefix, prefix)).fetchone() is not None:
        return False
    driver.execute("VACUUM")
    return True
