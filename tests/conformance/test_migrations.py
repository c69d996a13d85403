"""Databases of older versions are brought to the present version, whatever becomes of the worker that does it."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, create_engine, inspect, select, text

from sanic_chatrooms import ConfigError, Member
from sanic_chatrooms.errors import Conflict
from sanic_chatrooms.models import Appended, Draft, Fold, Known, Relation, Sender
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql import migrations
from sanic_chatrooms.stores.sql.append_postgres import VERSION
from sanic_chatrooms.stores.sql.migrations import upgrade
from sanic_chatrooms.stores.sql.schema import Schema
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.words import Query
from tests.support.postgres import PostgresServer, new_database

DATA = Path(__file__).parents[1] / "data"
SAID = 1764331200.123
ADA, BOB = Sender("u1", "Ada"), Sender("u2", 'Bob é "quoted"')


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of version 1."""
    return await _database(request, tmp_path, request.param, 1)


@pytest.fixture(params=["sqlite", "postgres"])
async def url_2(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of version 2, which a migration had made from one of version 1."""
    return await _database(request, tmp_path, request.param, 2)


async def _database(request: pytest.FixtureRequest, tmp_path: Path, kind: str, version: int) -> str:
    script = (DATA / f"version_{version}.{kind}.sql").read_text()
    if kind == "sqlite":
        with sqlite3.connect(tmp_path / "chat.db") as file:
            file.executescript(script)
        file.close()
        return f"sqlite:///{tmp_path}/chat.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    url = await new_database(server)
    connection = await asyncpg.connect(url)
    await connection.execute(script)
    await connection.close()
    return url


class Started:
    """A store that was started on a database."""

    def __init__(self, url: str, **options: Any) -> None:
        self.store = SQLStore(url, clock=lambda: SAID + 1_000.0, **options)

    async def __aenter__(self) -> SQLStore:
        await self.store.start("default", Bounds())
        return self.store

    async def __aexit__(self, *_: object) -> None:
        await self.store.stop()


async def look(store: SQLStore, work: Callable[[Connection], Any]) -> Any:
    return await store._database.read(work)


def described(connection: Connection) -> dict[str, Any]:
    """Tables with their columns, keys and indexes."""
    found = inspect(connection)
    names = [name for name in found.get_table_names() if not name.startswith("sqlite_")]
    return {
        table: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)],
            found.get_pk_constraint(table)["constrained_columns"],
            sorted((str(index["name"]), index["column_names"]) for index in found.get_indexes(table)),
        )
        for table in names
    }


def repetition(key: str, sender: Sender, type: str, payload: bytes, **more: Any) -> Draft:
    return Draft("lobby", type, payload, "again", SAID, sender, (sender.id, key), b"#" + payload, **more)


# What is in it


async def test_members_become_facts_that_have_held_since_the_beginning(url: str) -> None:
    async with Started(url) as store:
        club = await members.page(store, "club")
        lobby = [known.key for known in (await store.facts("lobby", "member", limit=99)).facts]
        fact = await store.fact("club", "member", "u2")
        rooms = await store.rooms(fact=("member", "u2"))

    assert club.members == [
        Member("u1", "Ada", "owner", SAID),
        Member("u2", BOB.name, "member", 1764331207.123),
    ]
    assert lobby == [*(f"m{n:02}" for n in range(40)), "u2"]
    value = members.member_fact(club.members[1]).value
    assert value is not None
    assert fact == Known("member", "u2", value, 0, 0, "club")
    assert [room.id for room in rooms.rooms] == ["club", "lobby", "~direct.abc"]


async def test_many_members_are_moved_in_several_steps(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "ROWS", 7)
    async with Started(url) as store:
        pages = [await store.facts(room, "member", limit=99) for room in ("club", "lobby", "~direct.abc")]

    assert [page.total for page in pages] == [2, 41, 2]


async def test_events_are_as_they_were(url: str) -> None:
    async with Started(url) as store:
        page = await store.history("lobby", after=0, limit=99)
        timeline = await store.history("lobby", before=99, limit=99, timeline=True)
        room = await store.room("club")

    assert [(event.seq, event.type, bytes(event.payload)[:9], event.deleted) for event in page.events] == [
        (1, "message", b'{"text":"', False),
        (2, "message", b"{}", True),
        (3, "message", b'{"text":"', False),
        (4, "message.edited", b'{"msgId":', False),
        (5, "message.edited", b"{}", True),
        (6, "message.deleted", b'{"msgId":', False),
    ]
    first = page.events[0]
    assert (bytes(first.payload), first.edited, first.changed) == (
        b'{"text":"first, edited"}', SAID + 9, 4
    )  # fmt: skip
    assert [event.seq for event in timeline.events] == [1, 2, 3]
    assert (page.related, page.seq) == ({}, 6)
    assert room is not None
    assert (room.attributes, room.announce, room.seq, room.restricted) == ({"color": "red"}, True, 4, 0)


async def test_messages_are_found_by_their_words_once_they_are_indexed(url: str) -> None:
    async with Started(url) as store:
        while await store.index(["lobby", "club"]):
            pass
        edited = await store.find_in("lobby", Query("first edited"), before=99)
        deleted = await store._database.read(lambda c: c.execute(store._schema.word.select()).all())

    assert ([hit.seq for hit in edited.hits], edited.indexed) == ([1], 6)
    assert 2 not in [row.seq for row in deleted if row.room_id == 1], "what was deleted is not indexed"


async def test_of_deleted_texts_no_hash_is_left_and_their_keys_are_still_known(url: str) -> None:
    async with Started(url) as store:
        left = await look(
            store,
            lambda c: c.scalar(
                text("SELECT count(*) FROM chatrooms_default_event WHERE deleted AND length(hash) > 0")
            ),
        )
        again = await store.append(
            [
                repetition("k1", ADA, "message", b'{"text":"first"}'),
                repetition("k1", ADA, "message", b'{"text":"other"}'),
                repetition("k2", BOB, "message", b'{"text":"guessed"}'),
                repetition(
                    "e2", BOB, "message.edited", b"{}", about=Relation("id002", Fold.REPLACE, value=b"{}")
                ),
            ]
        )

    assert left == 0
    assert [(type(one), getattr(one, "seq", None), getattr(one, "duplicate", None)) for one in again] == [
        (Appended, 1, True),
        (Conflict, None, None),
        (Appended, 2, True),
        (Appended, 5, True),
    ]


async def test_messages_of_before_take_relations_and_lose_their_edits_when_they_are_deleted(url: str) -> None:
    async with Started(url) as store:
        react = Relation("id003", Fold.TOGGLE, "👍", "u1", True)
        reply = Relation("id003", Fold.COLLECT)
        erase = Relation("id001", Fold.ERASE)
        drafts = [
            Draft("lobby", type, b"{}", f"new{n}", SAID + 100, ADA, about=about)
            for n, (type, about) in enumerate(
                [("reaction.added", react), ("message", reply), ("message.deleted", erase)]
            )
        ]

        answers = await store.append(drafts)

        page = await store.history("lobby", after=0, limit=99)
    assert [answer.payload for answer in answers if isinstance(answer, Appended)] == [
        b'{"seq":3,"count":1}', None, b'{"seq":1}'
    ]  # fmt: skip
    assert set(page.related) == {3}
    assert [bytes(page.events[n].payload) for n in (0, 3)] == [b"{}", b"{}"]


async def test_what_waits_in_the_outbox_is_numbered(url: str) -> None:
    async with Started(url) as store:
        ((draft, answer),) = await store.number(9)

    assert (draft.room, draft.payload) == ("lobby", b'{"text":"from the outbox"}')
    assert isinstance(answer, Appended)
    assert answer.seq == 7


async def test_secrets_are_kept(url: str) -> None:
    async with Started(url) as store:
        before = await look(store, lambda c: c.scalar(text("SELECT value FROM chatrooms_default_secret")))

        assert await store.secret("guests") == before


# Of version 2


async def test_what_a_database_of_version_2_holds_is_kept(url_2: str) -> None:
    async with Started(url_2) as store:
        page = await store.history("lobby", after=0, limit=99)
        club, lobby = await store.room("club"), await store.room("lobby")
        ban = await store.fact("lobby", "ban", "u9")
        waiting = await store.number(9)

        answers = await store.append(
            [
                replace(repetition("t1", ADA, "message", b'{"text":"reply"}'), hash=b"#t"),
                repetition("new", ADA, "message", b"{}"),
            ]
        )

    assert [event.seq for event in page.events] == list(range(1, page.seq + 1))
    assert set(page.related) == {3}
    assert page.related[3].toggles["👍"].count == 1
    assert club is not None
    assert (club.topic, club.history, club.restricted) == ("news", ((1, "members"), (5, "joined")), 5)
    assert lobby is not None
    assert lobby.restricted == 9
    assert ban == Known("ban", "u9", b'{"until":1764331999.5}', 9, 9, "lobby")
    assert [(draft.payload, type(answer)) for draft, answer in waiting] == [
        (b'{"text":"from the outbox"}', Appended)
    ]
    assert [(answer.seq, answer.duplicate) for answer in answers if isinstance(answer, Appended)] == [
        (8, True), (11, False)
    ]  # fmt: skip


async def test_migrated_tables_of_version_2_are_those_that_would_be_made_anew(url_2: str) -> None:
    await _compare_with_new(url_2)


# How it comes about


async def test_migrated_tables_are_those_that_would_be_made_anew(url: str) -> None:
    await _compare_with_new(url)


async def _compare_with_new(url: str) -> None:
    async with Started(url) as store:
        migrated = await look(store, described)
        await store._database.write(lambda c: c.execute(text("DROP TABLE chatrooms_default_meta")))
        for table in reversed(store._schema.metadata.sorted_tables):
            await store._database.write(lambda c, table=table: table.drop(c, checkfirst=True))  # type: ignore[misc]
    async with Started(url) as store:
        assert await look(store, described) == migrated


async def test_of_workers_that_start_together_one_migrates(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def step(connection: Connection, schema: Schema) -> None:
        taken.append(schema.prefix)
        migrations._members_to_facts(connection, schema)

    monkeypatch.setattr(migrations, "STEPS", (step, *migrations.STEPS[1:]))
    stores = [Started(url) for _ in range(3)]

    started = await asyncio.gather(*(each.__aenter__() for each in stores))

    pages = [await store.facts("lobby", "member") for store in started]
    for each in stores:
        await each.__aexit__()
    assert taken == ["chatrooms_default_"]
    assert [page.total for page in pages] == [41, 41, 41]


async def test_a_migration_may_take_longer_than_anything_else(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bounded: list[tuple[str, bool]] = []
    for _ in range(2):
        started = Started(url)
        write = started.store._database.write

        async def noting(work: Any, write: Any = write, **options: Any) -> Any:
            bounded.append((work.__name__, options.get("bounded", True)))
            return await write(work, **options)

        monkeypatch.setattr(started.store._database, "write", noting)
        async with started:
            pass

    assert bounded == [("_make_tables", True), ("_migrate", False), ("_make_tables", True)]
    assert [record.message for record in caplog.records if "older version" in record.message] == [
        "the tables chatrooms_default_… are of an older version: migrating them"
    ]


KILLED = """
import asyncio, os, signal, sys
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql import migrations
from sanic_chatrooms.stores.sql.store import SQLStore

def step(connection, schema):
    migrations._members_to_facts(connection, schema)
    os.kill(os.getpid(), signal.SIGKILL)

migrations.STEPS = (step,)
asyncio.run(SQLStore(sys.argv[1]).start("default", Bounds()))
"""


async def test_a_migration_that_is_killed_has_changed_nothing_and_the_next_start_does_it(url: str) -> None:
    before = await _state(url)

    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, url], check=False, timeout=60, env=os.environ
    )

    assert killed.returncode == -signal.SIGKILL
    assert await _state(url) == before
    async with Started(url) as store:
        assert (await store.facts("lobby", "member")).total == 41


async def _state(url: str) -> Any:
    """The tables as they are, and some of what is in them."""
    store = SQLStore(url)
    await store._database.start()
    try:
        rows = text("SELECT * FROM chatrooms_default_member ORDER BY room_id, user_id")
        hashes = text("SELECT room_id, seq, hash FROM chatrooms_default_event ORDER BY room_id, seq")
        found: Any = await look(
            store, lambda c: (described(c), [tuple(row) for row in c.execute(rows)], c.execute(hashes).all())
        )
        return found
    finally:
        await store._database.stop()


async def test_appending_as_version_1_did_is_an_error_afterwards(postgres: PostgresServer) -> None:
    url = await new_database(postgres)
    connection = await asyncpg.connect(url)
    await connection.execute((DATA / "version_1.postgres.sql").read_text())
    async with Started(url):
        pass

    found = await connection.fetch(
        "SELECT proname FROM pg_proc WHERE proname LIKE 'chatrooms_default_append%'"
    )
    await connection.close()

    assert [row["proname"] for row in found] == [f"chatrooms_default_append_{VERSION}"]


# Apps that make the tables themselves


async def test_an_app_that_makes_the_tables_itself_is_told_what_to_do(url: str) -> None:
    with pytest.raises(
        ConfigError, match=r"are of version 1, and this .* needs 5: call .*migrations\.upgrade"
    ):
        async with Started(url, create=False):
            pass


@pytest.mark.parametrize("noted", [True, False])
async def test_upgrade_does_it_in_a_migration_of_the_apps(url: str, noted: bool) -> None:
    store = SQLStore(url)
    await store._database.start()
    try:
        if not noted:  # as it is where Alembic has made the tables
            await store._database.write(lambda c: c.execute(text("DELETE FROM chatrooms_default_meta")))
        await store._database.write(upgrade)
        await store._database.write(upgrade)
    finally:
        await store._database.stop()

    async with Started(url, create=False) as started:
        assert (await started.facts("lobby", "member")).total == 41
        version = select(started._schema.meta.c.value).where(started._schema.meta.c.name == "version")
        assert await look(started, lambda c: c.scalar(version)) == "5"


async def test_upgrade_also_moves_the_members_where_autogenerate_has_added_the_tables(tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path}/chat.db"
    with sqlite3.connect(tmp_path / "chat.db") as connection:
        connection.executescript((DATA / "version_1.sqlite.sql").read_text())
    connection.close()
    schema = Schema()
    with create_engine(file).begin() as made:
        migrations._add_column(made, schema.event.c.parent)
        schema.fact.create(made)
        upgrade(made)

    async with Started(file, create=False) as store:
        assert (await store.facts("lobby", "member")).total == 41


# To what is unread


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_members_have_read_what_was_there(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, version: int
) -> None:
    async with Started(await _database(request, tmp_path, kind, version)) as store:
        head = (await store.heads(["lobby"]))["lobby"].seq
        before = await store.unread("u2", ["club", "lobby"])
        said = Draft("lobby", "message", b'{"text":"new"}', "new-1", SAID, ADA, mentions=("u2",))
        await store.append([said])
        after = (await store.unread("u2", ["lobby"]))["lobby"]

    assert {room: (one.count, one.mentions, one.more) for room, one in before.items()} == {
        "club": (0, 0, False),
        "lobby": (0, 0, False),
    }
    assert before["lobby"].marker == head
    assert (after.count, after.mentions, after.first) == (1, 1, head + 1)
