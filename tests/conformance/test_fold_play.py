"""What clients make of events, what recovery and joins show, and what is so, are the same messages, over every store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sanic_chatrooms.config.backends import make_store
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.support.access_stage import SharedMemory
from tests.support.fold_again import NODE, fold_again
from tests.support.fold_play import play
from tests.support.valkey import ValkeyServer, running


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


async def test_everybody_shows_what_is_so() -> None:
    for _ in range(4):
        store = SharedMemory()
        await play(lambda store=store: store, steps=300)  # type: ignore[misc]


async def test_everybody_shows_what_is_so_over_sqlite(tmp_path: Path) -> None:
    await play(lambda: SQLStore(f"sqlite:///{tmp_path}/chat.db"), steps=200)


async def test_everybody_shows_what_is_so_over_postgresql(postgres_url: str) -> None:
    await play(lambda: SQLStore(postgres_url), steps=200)


async def test_everybody_shows_what_is_so_over_valkey(valkey: ValkeyServer) -> None:
    await play(lambda: make_store(valkey.url), steps=200)


@pytest.mark.skipif(NODE is None, reason="there is no node on PATH")
async def test_the_javascript_client_makes_the_same_of_events() -> None:
    store = SharedMemory()
    cases = await play(lambda: store, steps=300)

    assert await asyncio.to_thread(fold_again, cases) > 100
