"""What `SQLStore` asks of one kind of database beside what every database can do: append a batch, as fast as it can."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from ...drivers.sql.database import Database
from ...errors import ChatError
from ...models import Appended, Draft
from ..base import Bounds
from .history import Past
from .schema import Schema

__all__ = ["Appender", "make_appender"]

T = TypeVar("T")

# By dialect: the module and class. PostgreSQL's needs a driver that not everybody has.
_APPENDERS = {
    "sqlite": ("append_sqlite", "SQLiteAppender"),
    "postgresql": ("appender_postgres", "PostgresAppender"),
}


class Appender(ABC):
    """Appends to the tables of one instance. Its database is started before it is used, and ended after `stop`."""

    @abstractmethod
    def __init__(self, database: Any, schema: Schema, past: Past, bounds: Bounds) -> None:
        """`past` says which messages are too old to be changed."""

    @abstractmethod
    def prepare(self, connection: Connection) -> None:
        """Within the first transaction after each start, when the tables are there: make what else it needs."""

    @abstractmethod
    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`. The tables are there."""

    @abstractmethod
    def append_within(self, connection: Connection, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """The same as a step of a transaction that `write` began."""

    @abstractmethod
    async def write(self, work: Callable[[Connection], T]) -> T:
        """See `Database.write`. The transaction may call `append_within`."""

    @abstractmethod
    async def stop(self) -> None:
        """Close what it holds open. Batches that come afterwards raise `Unavailable`."""


def make_appender(database: Database, schema: Schema, past: Past, bounds: Bounds) -> Appender:
    """The appender for this kind of database."""
    module, name = _APPENDERS[database.dialect]
    made: Appender = getattr(importlib.import_module(f"{__package__}.{module}"), name)(
        database, schema, past, bounds
    )
    return made
