"""`SQLPresence` keeps the contract, in a SQLite file and on a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from sanic_chatrooms.presence.base import Presence
from sanic_chatrooms.presence.sql import SQLPresence
from sanic_chatrooms.testing import Clock, PresenceSuite
from tests.support.postgres import PostgresServer


class OfSQLPresence(PresenceSuite):
    url: str

    def setup_method(self) -> None:
        self.clock = Clock()

    async def make(self) -> tuple[Presence, Presence]:
        return SQLPresence(self.url, clock=self.clock), SQLPresence(self.url, clock=self.clock)

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestSQLPresenceInSQLite(OfSQLPresence):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/chat.db"


class TestSQLPresenceInPostgres(OfSQLPresence):
    @pytest.fixture(autouse=True)
    def _server(self, postgres: PostgresServer) -> None:
        self.url = postgres.url()
