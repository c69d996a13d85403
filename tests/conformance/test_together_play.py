"""Whatever ten users do together, what they see, what is unread and whom messages mention is what the oracle says, over every store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sanic_chatrooms.config.backends import make_store
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.support.access_stage import SharedMemory
from tests.support.together_play import play
from tests.support.valkey import ValkeyServer, running


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


async def test_everything_together_is_what_the_oracle_says() -> None:
    for _ in range(4):
        store = SharedMemory()
        await play(lambda store=store: store, steps=250)  # type: ignore[misc]


async def test_everything_together_is_what_the_oracle_says_over_sqlite(tmp_path: Path) -> None:
    await play(lambda: SQLStore(f"sqlite:///{tmp_path}/chat.db"), steps=100)


async def test_everything_together_is_what_the_oracle_says_over_postgresql(postgres_url: str) -> None:
    await play(lambda: SQLStore(postgres_url), steps=60)


async def test_everything_together_is_what_the_oracle_says_over_valkey(valkey: ValkeyServer) -> None:
    await play(lambda: make_store(valkey.url), steps=100)
