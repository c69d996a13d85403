"""`SQLStore` on a real PostgreSQL keeps the contract, and recoveries over it are whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.testing import Clock, RecoverySuite, StoreSuite
from tests.support.postgres import PostgresServer
from tests.support.used_tables import RenamedStore, UsedTables


class OverPostgres:
    """The hooks of `StoreSuite` and `RecoverySuite`, with a clock that nobody waits for."""

    @pytest.fixture(autouse=True)
    def _server(self, postgres: PostgresServer, used_tables: UsedTables) -> Iterator[None]:
        self.url = postgres.url()
        self.clock = Clock()
        self.names = used_tables.names
        yield
        used_tables.empty()

    async def make(self) -> Store:
        return RenamedStore(self.names, self.url, clock=self.clock)

    async def make_unclocked(self) -> Store:
        return RenamedStore(self.names, self.url)

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestPostgres(OverPostgres, StoreSuite):
    pass


class TestRecoveryOverPostgres(OverPostgres, RecoverySuite):
    pass
