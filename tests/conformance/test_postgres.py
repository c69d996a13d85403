"""`SQLStore` on a real PostgreSQL keeps the contract, and recoveries over it are whole."""

from __future__ import annotations

import pytest

from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import Clock, RecoverySuite, StoreSuite
from tests.support.postgres import PostgresServer


class OverPostgres:
    """The hooks of `StoreSuite` and `RecoverySuite`, with a clock that nobody waits for."""

    @pytest.fixture(autouse=True)
    def _server(self, postgres: PostgresServer) -> None:
        self.url = postgres.url()
        self.clock = Clock()

    async def make(self) -> Store:
        return SQLStore(self.url, clock=self.clock)

    async def make_unclocked(self) -> Store:
        return SQLStore(self.url)

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestPostgres(OverPostgres, StoreSuite):
    pass


class TestRecoveryOverPostgres(OverPostgres, RecoverySuite):
    pass
