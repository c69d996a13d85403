"""What `SQLStore` asks of one kind of database: run a function with a connection, and append."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias, TypeVar

from sqlalchemy import Connection

from ...errors import ChatError
from ...models import Appended, Draft, Scope
from ..base import Bounds
from .schema import Schema

__all__ = ["Clock", "Database"]

T = TypeVar("T")

Clock: TypeAlias = Callable[[], float]
"""Returns Unix seconds."""


class Database(ABC):
    """One database. Every call is bounded by `Bounds.timeout` and raises `Unavailable` where that is over or the
    database is away; it reconnects by itself.

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
    async def start(self, schema: Schema, bounds: Bounds, clock: Clock) -> None:
        """Open it. No table need be there yet. By `clock` a message is too old to be changed. Raises `ConfigError`."""

    @abstractmethod
    async def stop(self) -> None:
        """Close it. Calling it again, or before `start`, does nothing."""

    @abstractmethod
    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a function that only reads, each statement seeing what was committed before it began."""

    @abstractmethod
    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in a transaction of its own. It may run twice: it must not change anything but the database."""

    @abstractmethod
    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`. The tables are there."""

    @abstractmethod
    def append_within(self, connection: Connection, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """The same as a step of a transaction that `write` began."""

    @abstractmethod
    def require_free(self) -> None:
        """Raises `InvalidField` where the task that asks holds up the database itself, and would wait for ever."""

    @abstractmethod
    def identity(self, connection: Connection, table: str) -> str:
        """Names the table that `connection` finds under this name: the same for all connections that find this one."""

    @abstractmethod
    def lock(self, connection: Connection) -> None:
        """Within a transaction: let nobody else make or change tables at the same time."""

    @abstractmethod
    def prepare(self, connection: Connection) -> None:
        """Within the first transaction after each start, when the tables are there: what else this database needs."""

    @abstractmethod
    async def tidy(self, *, removed: bool) -> None:
        """Now and then: see that what was erased is in no file of the database. `removed`: rows were, just now."""
