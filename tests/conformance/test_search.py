"""The index of words of `SQLStore`, on SQLite and PostgreSQL: its contract, what leaves it, and what kills and restarts do to it."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from sanic_chatrooms.errors import ConfigError
from sanic_chatrooms.models import Draft, Fold, Member, Relation, Room, Sender
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.search import Hits
from sanic_chatrooms.stores.sql import find_postgres, find_sqlite, finder, indexing
from sanic_chatrooms.stores.sql.keys import Keys
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.support.words import Query
from sanic_chatrooms.testing import Clock, SearchSuite
from sanic_chatrooms.testing.search import every_page
from tests.conformance.test_postgres import OverPostgres
from tests.conformance.test_sqlite import OverSQLite
from tests.support.postgres import PostgresServer

WORD = "Rumpelstilzchen"
LATEST = 2**53


class TestSearchOverSQLite(OverSQLite, SearchSuite):
    pass


class TestSearchOverPostgres(OverPostgres, SearchSuite):
    pass


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/chat.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@asynccontextmanager
async def started(
    url: str, bounds: Bounds | None = None, clock: Clock | None = None
) -> AsyncIterator[SQLStore]:
    store = SQLStore(url, clock=clock)
    await store.start("default", bounds or Bounds())
    await store._indexing.stop()  # the tests say when
    try:
        await store.create_room(Room("r", "", 0))
        yield store
    finally:
        await store.stop()


def draft(text: str, at: float = 1_750_000_000.0, about: Relation | None = None) -> Draft:
    id, payload = new_id(), msgspec.json.encode({"text": text})
    type = "message" if about is None else "message.changed"
    return Draft("r", type, payload, id, at, Sender("u1", "Ada"), ("u1", id), b"#", about)


async def say(store: SQLStore, *texts: str, at: float = 1_750_000_000.0) -> list[Draft]:
    drafts = [draft(text, at) for text in texts]
    await store.append(drafts)
    return drafts


async def erase(store: SQLStore, of: Draft) -> None:
    await store.append([draft("", about=Relation(of.msg_id, Fold.ERASE))])


async def found(store: SQLStore, query: str) -> list[int]:
    return [hit.seq for hit in (await store.find_in("r", Query(query), before=LATEST)).hits]


async def words(store: SQLStore) -> int:
    table: Any = store._schema.word
    return len(await store._database.read(lambda c: c.execute(table.select()).all()))


def files(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


# Many rooms


async def test_a_user_with_many_rooms_finds_in_all_of_them_and_in_no_others(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "NAMED", 3)
    monkeypatch.setattr(find_sqlite, "LOOKED_AT", 4)
    async with started(url) as store:
        for n in range(12):
            await store.create_room(Room(f"r{n}", "", 0))
            await store.append([msgspec.structs.replace(draft("lamp", 1_750_000_000.0 + n), room=f"r{n}")])
            if n % 3:
                await members.put(store, f"r{n}", Member("u1", "Ada"))

        hits = await every_page(partial(page_of, store, Query("lamp"), user="u1"))

        assert [hit.room for hit in hits] == [f"r{n}" for n in range(11, -1, -1) if n % 3]


# What leaves it


async def test_trimmed_messages_leave_the_index(url: str) -> None:
    clock = Clock()
    async with started(url, Bounds(retention=1_000), clock) as store:
        await say(store, *["lamp"] * 20, at=clock())
        await store.index(["r"])
        clock.advance(2_000)
        await say(store, "lamp", at=clock())
        await store.index(["r"])

        await store._upkeep.look()

        assert await found(store, "lamp") == [21]
        assert await words(store) == 1


async def test_what_was_indexed_while_it_was_trimmed_leaves_the_index(url: str) -> None:
    clock = Clock()
    async with started(url, Bounds(retention=1_000), clock) as store:
        await say(store, *["lamp"] * 20, at=clock())
        id = (await store._database.read(lambda c: store._indexing._words.ids(c, ["r"])))[0]
        batch = await store._database.read(lambda c: store._indexing._words.read(c, id, 50))
        assert batch is not None
        clock.advance(2_000)
        await store._upkeep.look()
        terms = store._indexing._words.terms(batch, None)
        assert await store._database.write(lambda c: store._indexing._words.write(c, batch, terms))
        assert await words(store) == 20

        await store._upkeep.look()

        assert await words(store) == 0


async def test_a_deleted_room_leaves_the_index(url: str) -> None:
    async with started(url) as store:
        await say(store, *["lamp"] * 20)
        await store.index(["r"])
        await store.delete_room("r")
        assert (await store.find_of(None, Query("lamp"), before=2**60)).hits == []

        await store._upkeep.look()

        assert await words(store) == 0
        assert await store._database.read(lambda c: c.execute(store._schema.indexed.select()).all()) == []


async def test_no_file_of_sqlite_holds_what_was_indexed_and_deleted(tmp_path: Path) -> None:
    async with started(f"sqlite:///{tmp_path}/chat.db") as store:
        said = await say(store, f"{WORD} {WORD.lower()} lamp", *["lamp"] * 5)
        await store.index(["r"])
        assert await found(store, WORD) == [1]
        await erase(store, said[0])
        await store._upkeep.look()

        kept = files(tmp_path)

    assert b"lamp" in kept
    assert WORD.encode() not in kept
    assert WORD.lower().encode() not in kept


async def test_no_row_of_the_index_of_postgresql_holds_what_was_said(
    postgres: PostgresServer, postgres_url: str
) -> None:
    async with started(postgres_url) as store:
        await say(store, WORD, "lamp")
        await store.index(["r"])
        side = await postgres.connect(urlsplit(postgres_url).path[1:])
        try:
            rows = await side.fetch("SELECT terms::text FROM chatrooms_default_word")
        finally:
            await side.close()

    kept = " ".join(row["terms"] for row in rows)
    assert len(rows) == 2
    assert WORD.lower()[:3] not in kept
    assert "lamp" not in kept


def test_keys_differ_from_secret_to_secret() -> None:
    one, other = (Keys(secret).of_text("lamp", None) for secret in ("a" * 32, "b" * 32))
    assert len(one) == len(other) == 2
    assert not one & other


async def test_fts5_agrees_with_the_rows_after_changes_of_every_kind(tmp_path: Path) -> None:
    file = tmp_path / "chat.db"
    async with started(f"sqlite:///{file}", Bounds(history_max=30)) as store:
        drafts = await say(store, *[f"lamp {n}" for n in range(40)])
        await store.index(["r"])
        await erase(store, drafts[35])
        await store.append(
            [draft("", about=Relation(drafts[36].msg_id, Fold.REPLACE, value=b'{"text":"chair"}'))]
        )
        await store.index(["r"])
        await store._upkeep.look()

    side = sqlite3.connect(file)
    side.execute(
        "INSERT INTO chatrooms_default_find(chatrooms_default_find, rank) VALUES('integrity-check', 1)"
    )
    side.close()


# Kills, restarts, upgrades

INDEX_AND_DIE = """
import asyncio, os, signal, sys
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore

async def main():
    store = SQLStore(sys.argv[1])
    await store.start("default", Bounds())
    write = store._indexing._words.write
    calls = 0
    def once(connection, batch, terms):
        global calls
        calls += 1
        done = write(connection, batch, terms)
        if calls == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    store._indexing._words.write = once
    while True:
        await store.index(["r"], most=10)

calls = 0
asyncio.run(main())
"""


async def test_a_process_that_is_killed_while_it_indexes_leaves_nothing_out_and_nothing_twice(
    url: str,
) -> None:
    async with started(url) as store:
        await say(store, *[f"lamp {n}" for n in range(100)])

        killed = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", INDEX_AND_DIE, url], check=False, timeout=60
        )

        assert killed.returncode == -signal.SIGKILL
        assert 0 < await words(store) < 100
        while await store.index(["r"]):
            pass
        assert await found(store, "lamp") == list(range(100, 0, -1))


async def test_a_restart_goes_on_where_the_index_stands(url: str) -> None:
    async with started(url) as store:
        await say(store, *["lamp"] * 20)
        await store.index(["r"], most=10)
    async with started(url) as store:
        before = await words(store)
        await say(store, "lamp")
        while await store.index(["r"]):
            pass
        assert 10 <= before < 20
        assert await found(store, "lamp") == list(range(21, 0, -1))


async def test_rooms_are_indexed_in_turns(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "STEP", 10)
    async with started(url) as store:
        await store.create_room(Room("s", "", 0))
        await say(store, *["lamp"] * 50)
        await store.append([msgspec.structs.replace(draft("lamp"), room="s")])
        order: list[int] = []
        write = store._indexing._words.write

        def noting(connection: Any, batch: Any, terms: Any) -> bool:
            order.append(batch.room)
            return write(connection, batch, terms)

        monkeypatch.setattr(store._indexing._words, "write", noting)
        assert await store.index() == 51

    assert len(set(order[:2])) == 2


async def test_workers_that_start_at_once_make_the_index_once(url: str) -> None:
    async with started(url):
        pass
    stores = [SQLStore(url, create=False) for _ in range(4)]
    drop = stores[0]
    await drop._database.start()
    try:
        await drop._database.write(
            lambda c: c.exec_driver_sql("DELETE FROM chatrooms_default_meta WHERE name = 'words'")
        )
    finally:
        await drop._database.stop()

    await asyncio.gather(*(store.start("default", Bounds()) for store in stores))

    assert all(store.searches for store in stores)
    await asyncio.gather(*(store.stop() for store in stores))


async def test_a_start_leaves_rows_with_keys_of_a_former_kind_to_whoever_indexes(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.stores.sql.words.CLEARED", 3)
    async with started(url) as store:
        await say(store, *["lamp"] * 10)
        await store.index(["r"])
    monkeypatch.setattr(indexing, "VERSION", 2)
    one, other = SQLStore(url), SQLStore(url)
    await asyncio.gather(*(store.start("default", Bounds()) for store in (one, other)))
    for store in (one, other):
        await store._indexing.stop()
    try:
        assert await words(one) == 10, "a start must not take the longer, the more there is"
        assert await store.find_in("r", Query("lamp"), before=LATEST) == Hits([], None, 0)
        while await one.index(["r"], most=4) + await other.index(["r"], most=4):
            pass
        assert await found(one, "lamp") == list(range(10, 0, -1))
        assert [hit.seq for hit in (await one.find_of(None, Query("lamp"), before=2**60)).hits] == list(
            range(10, 0, -1)
        )
        assert await words(one) == 10
    finally:
        await asyncio.gather(one.stop(), other.stop())


async def test_edits_before_a_start_with_another_kind_of_keys_touch_no_other_message(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(url) as store:
        first, second, _ = await say(store, "alpha", "beta", "gamma")
        await store.index(["r"])
        await erase(store, first)
        await store.append(
            [draft("", about=Relation(second.msg_id, Fold.REPLACE, value=b'{"text":"delta"}'))]
        )
    monkeypatch.setattr(indexing, "VERSION", 2)
    later = SQLStore(url)
    await later.start("default", Bounds())
    await later._indexing.stop()
    try:
        await later.index(["r"])

        assert {word: await found(later, word) for word in ("alpha", "beta", "delta", "gamma")} == {
            "alpha": [],
            "beta": [],
            "delta": [2],
            "gamma": [3],
        }
    finally:
        await later.stop()


async def test_one_process_indexes_by_itself_and_another_goes_on_when_it_is_gone(url: str) -> None:
    clock = Clock()
    async with started(url, clock=clock) as one, started(url, clock=clock) as other:
        await say(one, "lamp")
        assert await one.index() > 0
        await say(one, "lamp")
        assert await other.index() == 0, "the first one does it"

        clock.advance(60)

        assert await other.index() > 0
        assert await found(other, "lamp") == [2, 1]


# SQLite without FTS5, PostgreSQL with a language


async def test_sqlite_without_fts5_keeps_messages_and_does_not_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.stores.sql.find_sqlite.NEEDED", "ENABLE_NO_SUCH_THING")
    async with started(f"sqlite:///{tmp_path}/chat.db") as store:
        drafts = await say(store, "lamp")
        await erase(store, drafts[0])
        assert not store.searches
        assert await store.index(["r"]) == 0


async def test_a_language_finds_words_in_all_their_forms(postgres_url: str) -> None:
    async with started(postgres_url, Bounds(search_language="english")) as store:
        await say(store, "The dogs were running", "a dog runs", "dogma")
        await store.index(["r"])
        assert await found(store, "dog") == [2, 1]
        assert await found(store, "the run") == [2, 1]
        assert await found(store, "the") == []
        assert await store.stems(["running", "the"]) == {"running": "run", "the": ""}


async def test_another_language_makes_the_index_anew(postgres_url: str) -> None:
    async with started(postgres_url) as store:
        await say(store, "running")
        await store.index(["r"])
    async with started(postgres_url, Bounds(search_language="english")) as store:
        assert await store.find_in("r", Query("running"), before=LATEST) == Hits([], None, 0)
        await store.index(["r"])
        assert await found(store, "runs") == [1]
        assert await words(store) == 1


async def test_a_worker_that_still_has_the_former_language_indexes_nothing_more(postgres_url: str) -> None:
    async with started(postgres_url) as former:
        await say(former, "running")
        async with started(postgres_url, Bounds(search_language="english")) as store:
            assert await former.index(["r"]) == 0
            await store.index(["r"])
            assert await found(store, "runs") == [1]


async def test_a_language_that_postgresql_does_not_know_is_refused(postgres_url: str) -> None:
    with pytest.raises(ConfigError, match=r"knows no 'klingon'; it has .*english"):
        async with started(postgres_url, Bounds(search_language="klingon")):
            pass


@pytest.mark.parametrize("rare", [5, 2_000])
async def test_rare_and_frequent_words_are_found_in_either_way(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, rare: int
) -> None:
    for name, value in (("SHORT_WALK", 10), ("LONG_WALK", 30), ("RARE", rare)):
        monkeypatch.setattr(find_postgres, name, value)
    async with started(postgres_url) as store:
        await say(store, *[f"often {'seldom' if n % 40 == 0 else ''}" for n in range(120)])
        while await store.index(["r"]):
            pass
        for word, numbers in (("seldom", [81, 41, 1]), ("often", list(range(120, 0, -1)))):
            query = Query(word)
            in_room = await every_page(partial(page_in, store, query))
            of_all = await every_page(partial(page_of, store, query))
            assert [hit.seq for hit in in_room] == [hit.seq for hit in of_all] == numbers


async def page_in(store: SQLStore, query: Query, at: int) -> Hits:
    return await store.find_in("r", query, before=at, limit=20)


async def page_of(store: SQLStore, query: Query, at: int, user: str | None = None) -> Hits:
    return await store.find_of(user, query, before=at, limit=20)
