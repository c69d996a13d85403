"""What tables of every wing have in common: their names, the type of a name, and an insert that may meet a row."""

import re
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Table, Text
from sqlalchemy.dialects import postgresql, sqlite

from ...models import SPACE

__all__ = ["Name", "insert", "table_space"]

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


def insert(connection: Connection, table: Table) -> Any:
    """An insert with `on_conflict_do_nothing` and `on_conflict_do_update`: both dialects have them, in classes of their own."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
