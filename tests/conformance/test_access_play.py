"""What ten users may do and see in rooms that change is what the oracle says, over every store; where there is search, what they find, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sanic_chatrooms.config.backends import make_store
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.support.access_play import SharedMemory, play
from tests.support.thorough import only_thorough
from tests.support.valkey import ValkeyServer, running


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


async def test_everybody_sees_what_the_oracle_says() -> None:
    for _ in range(5):
        store = SharedMemory()
        await play(lambda store=store: store, steps=200)  # type: ignore[misc]


async def test_everybody_sees_what_the_oracle_says_over_sqlite(tmp_path: Path) -> None:
    await play(lambda: SQLStore(f"sqlite:///{tmp_path}/chat.db"), steps=150)


@only_thorough
async def test_everybody_sees_what_the_oracle_says_over_postgresql(postgres_url: str) -> None:
    await play(lambda: SQLStore(postgres_url), steps=150)


async def test_everybody_sees_what_the_oracle_says_over_valkey(valkey: ValkeyServer) -> None:
    await play(lambda: make_store(valkey.url), steps=150)
