"""SQL stores of tests over tables that are there already, and empty: to make them takes a third of the processor time of these tests.

Suites start their stores under new names. The first store of a name finds the tables that an earlier test had, under the
name which they had then. That a store makes its tables, and migrates them, has tests of its own.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.schema import Schema
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.clock import Clock
from tests.support.postgres import PostgresServer

__all__ = ["Names", "RenamedStore", "UsedTables"]


@dataclass
class Names:
    """Under which instance's name a store starts instead of a new one."""

    free: list[str]
    """Instances whose tables are there and empty."""
    taken: dict[str, str] = field(default_factory=dict)
    glued: set[str] = field(default_factory=set)
    """Instances of which a test used others whose names begin alike: it wants names that resemble each other."""

    def of(self, instance: str) -> str:
        """The name instead of this one: the same each time."""
        for known, name in self.taken.items():
            if instance.startswith(known):
                if instance != known:
                    self.glued.add(name)
                return name + instance.removeprefix(known)
        self.taken[instance] = self.free.pop() if self.free else instance
        return self.taken[instance]


class RenamedStore(SQLStore):
    """A store that asks `names` for its instance."""

    def __init__(self, names: Names, url: str, clock: Clock | None = None) -> None:
        super().__init__(url, clock=clock)
        self._names = names

    async def start(self, instance: str, bounds: Bounds) -> None:
        await super().start(self._names.of(instance), bounds)


class UsedTables:
    """Those on a server of PostgreSQL."""

    def __init__(self, server: PostgresServer) -> None:
        self.names = Names([])
        self._server = server

    def empty(self) -> None:
        """A test has ended: keep its tables for the next one."""
        done, self.names = self.names, Names(self.names.free)
        instances = [name for name in done.taken.values() if name not in done.glued]
        if not instances:
            return
        deletes = (f'DELETE FROM "{table}"' for name in instances for table in _tables(name))
        with psycopg.connect(
            host=str(self._server.directory), user="postgres", autocommit=True
        ) as connection:
            connection.execute("SET synchronous_commit = off; SET lock_timeout = '5s'")
            connection.execute("; ".join(deletes))
        self.names.free += instances


@functools.lru_cache(maxsize=100)
def _tables(instance: str) -> list[str]:
    schema = Schema(instance)
    return [name for name in schema.metadata.tables if name != schema.meta.name]


@pytest.fixture(scope="session")
def used_tables(postgres: PostgresServer) -> UsedTables:
    return UsedTables(postgres)


@pytest.fixture(scope="session")
def with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables of the instance "suite", and nothing in them."""
    path = tmp_path_factory.mktemp("sqlite") / "chat.db"

    async def make() -> None:
        store = SQLStore(f"sqlite:///{path}")
        await store.start("suite", Bounds())
        await store.stop()

    asyncio.run(make())
    return path
