"""A SQL database: run a function with a connection to it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

from sqlalchemy import Connection

from ...models import Scope

__all__ = ["TIMEOUT", "Database"]

T = TypeVar("T")

TIMEOUT = 5.0
"""Seconds that a call takes at most, unless `start` says otherwise."""


class Database(ABC):
    """One database. Every call ends `within` the seconds of `start`, and raises `Unavailable` after them, or where the
    database is away. It reconnects by itself.

    The functions it runs are plain ones over a SQLAlchemy connection, whether the driver is asynchronous or a thread.
    """

    scope: ClassVar[Scope]
    dialect: ClassVar[str]
    """What SQLAlchemy calls it."""
    connections: int = 4
    """How many `read` and `write` may open together, where each needs one of its own. Callers wait for a free one."""
    makes: bool = True
    """Is it made by `start` where there is none, if it is of a kind that can be?"""

    @abstractmethod
    async def start(self, within: float = TIMEOUT) -> None:
        """Open it. No table need be there yet. Raises `ConfigError`."""

    @abstractmethod
    async def stop(self) -> None:
        """Close it. Calling it again, or before `start`, does nothing."""

    @abstractmethod
    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a function that only reads, each statement seeing what was committed before it began."""

    @abstractmethod
    async def write(self, work: Callable[[Connection], T], *, bounded: bool = True) -> T:
        """Run a function in a transaction of its own. It may run twice: it must not change anything but the database.

        It is carried out once at most. Raises `Unavailable` where it is not known whether it was.
        Without `bounded` it may take any time, and wait for any time: for changes of tables.
        """

    def transaction(self, connection: Connection) -> str | None:
        """Names the transaction of a `write`, for `was_done`; None where that cannot tell."""
        return None

    def was_done(self, connection: Connection, transaction: str | None) -> bool:
        """Is it known that this transaction was carried out? Raises `Unavailable` while it is under way."""
        return False

    @abstractmethod
    def require_free(self) -> None:
        """Raises `InvalidField` where the task that asks holds up the database itself, and would wait for ever."""

    @abstractmethod
    def identity(self, connection: Connection, table: str) -> str:
        """Names the table that `connection` finds under this name: the same for all connections that find this one."""

    @abstractmethod
    async def tidy(self, *, removed: bool) -> None:
        """Now and then: see that what was erased is in no file of the database. `removed`: rows were, just now."""

    @abstractmethod
    async def scrub(self, prefix: str) -> None:
        """After much was erased: see that it is in no file of the database, copies included, if that takes a moment only. `prefix`: how
        the names of all tables of ours begin."""
