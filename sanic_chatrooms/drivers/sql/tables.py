"""What tables of every wing have in common: names, the type of a name, a lock for who makes them, an upsert."""

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any, TypeVar
from zlib import crc32

from sqlalchemy import Connection, Table, Text, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ...models import SPACE

__all__ = ["Name", "in_steps", "insert", "lock_key", "lock_tables", "table_space"]

T = TypeVar("T")

# By bytes, which is the order of Python's strings; SQLite has no other.
Name = Text().with_variant(Text(collation="C"), "postgresql")


def table_space(instance: str) -> str:
    """How an instance's tables are called: `default`, and within a namespace `shop_default_1f0c9a3e`.

    PostgreSQL's names have 63 bytes, and lower-case letters where nobody quotes them; the digits tell apart what looks
    alike then.
    """
    if SPACE not in instance:
        return instance
    alike = re.sub("[^a-z0-9]+", "_", instance.lower())[:23].strip("_")
    return f"{alike}_{blake2b(instance.encode(), digest_size=4).hexdigest()}"


def lock_tables(connection: Connection, tables: str) -> None:
    """Within a transaction: let nobody else make or change the tables whose names begin so, until it ends.

    On SQLite a transaction that writes keeps all others from writing anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(lock_key(tables))))


def lock_key(tables: str) -> int:
    """Of PostgreSQL's advisory lock for these tables."""
    return crc32(tables.encode())


def in_steps(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """These, so many at a time: a database bounds how many parameters a statement has."""
    rest = iter(values)
    while step := list(islice(rest, size)):
        yield step


def insert(connection: Connection, table: Table) -> Any:
    """An insert with `on_conflict_do_nothing` and `on_conflict_do_update`: both dialects have them, in classes of their own."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
