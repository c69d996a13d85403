"""`SQLStore` on SQLite keeps the contract: by a clock of its own, and between the stores of two processes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.testing import Clock, RecoverySuite, StoreSuite
from tests.support.used_tables import Names, RenamedStore


class OverSQLite:
    """The hooks of `StoreSuite` and `RecoverySuite`: a file per test, and a clock that nobody waits for."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path, with_tables: Path) -> None:
        self.clock = Clock()
        self.names = Names(["suite"])
        self.url = f"sqlite:///{shutil.copy(with_tables, tmp_path)}"

    async def make(self) -> Store:
        return RenamedStore(self.names, self.url, clock=self.clock)

    async def make_unclocked(self) -> Store:
        return RenamedStore(self.names, self.url)

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestSQLite(OverSQLite, StoreSuite):
    pass


class TestRecoveryOverSQLite(OverSQLite, RecoverySuite):
    pass
