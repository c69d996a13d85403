"""`SQLPresence` keeps the contract, in a SQLite file and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from sanic_chatrooms.errors import Unavailable
from sanic_chatrooms.presence.base import Entry, Presence
from sanic_chatrooms.presence.sql import SQLPresence
from sanic_chatrooms.testing import Clock, PresenceSuite
from sanic_chatrooms.testing._presence.hooks import ADA, BOB
from tests.support.postgres import PostgresServer


class OfSQLPresence(PresenceSuite):
    url: str

    def setup_method(self) -> None:
        self.clock = Clock()

    async def make(self) -> tuple[Presence, Presence]:
        return SQLPresence(self.url, clock=self.clock), SQLPresence(self.url, clock=self.clock)

    async def make_unclocked(self) -> tuple[Presence, Presence]:
        return SQLPresence(self.url), SQLPresence(self.url)

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def test_04_an_entry_of_before_the_clock_was_set_back_ends(self) -> None:
        async with self.nodes() as (dead, alive):
            await dead.touch([Entry("r", ADA)])
            self.clock.advance(-7_200.0)

            assert (await alive.list("r")).users == []
            assert await alive.touch([Entry("r", ADA)]) == [True]
            assert await dead.drop([Entry("r", ADA)]) == [False]

    async def test_07_ended_tells_also_what_was_done_when_its_answer_was_lost(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with self.nodes() as (dead, alive):
            await dead.touch([Entry("r", ADA), Entry("r", BOB)])
            await self.pass_time(self.ttl * 1.25)
            assert isinstance(alive, SQLPresence)
            database = alive._database

            async def lost(work: Callable[[Connection], Any]) -> None:
                await type(database).write(database, work)
                raise Unavailable

            with monkeypatch.context() as patch:
                patch.setattr(database, "write", lost)
                with pytest.raises(Unavailable):
                    await alive.ended()
            await dead.touch([Entry("r", BOB)])

            assert await alive.ended() == [Entry("r", ADA)]
            assert await alive.ended() == await dead.ended() == []


class TestSQLPresenceInSQLite(OfSQLPresence):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/chat.db"


class TestSQLPresenceInPostgres(OfSQLPresence):
    @pytest.fixture(autouse=True)
    def _server(self, postgres: PostgresServer) -> None:
        self.url = postgres.url()
