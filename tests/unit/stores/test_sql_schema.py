from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, NullPool, create_engine, inspect, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from sanic_chatrooms import ConfigError, Member, Room
from sanic_chatrooms.presence.sql import SQLPresence
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.append_sqlite import Statements
from sanic_chatrooms.stores.sql.migrations import STEPS, migrate, require_tables
from sanic_chatrooms.stores.sql.schema import Schema, include_object, metadata
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.support.plans import plan, statements, stop_indexing


def described(connection: Connection) -> dict[str, Any]:
    """Tables with their columns, keys and indexes."""
    found = inspect(connection)
    return {
        table: (
            [
                (column["name"], str(column["type"]), column["nullable"])
                for column in found.get_columns(table)
            ],
            found.get_pk_constraint(table)["constrained_columns"],
            sorted((str(index["name"]), index["column_names"]) for index in found.get_indexes(table)),
        )
        for table in found.get_table_names()
    }


def version(connection: Connection, schema: Schema) -> str | None:
    found: str | None = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.name == "version"))
    return found


# Names


def test_no_two_instances_share_a_name_of_anything() -> None:
    names: list[str] = []
    for instance in ("a", "a_event", "a_room", "a_event_key", "b", "event", "a_event_msg"):
        schema = Schema(instance)
        for table in schema.metadata.tables.values():
            names += [table.name, *(str(index.name) for index in table.indexes)]

    assert len(names) == len(set(names)) > 50


@pytest.mark.parametrize("instance", ["x" * 32, f"{'A-b.' * 16}~{'x' * 32}"])
def test_names_of_the_longest_instance_fit_into_postgresql(instance: str) -> None:
    schema = Schema(instance)
    names = {str(index.name) for table in schema.metadata.tables.values() for index in table.indexes}

    assert max(map(len, {*schema.metadata.tables, *names, schema.name("room_id_seq")})) <= 63


def test_an_app_can_take_the_tables_of_an_instance_into_its_own_metadata() -> None:
    tables = metadata("support", "shop_").tables

    assert set(tables) == {
        f"shop_support_{noun}"
        for noun in (
            "room",
            "event",
            "fact",
            "relation",
            "mention",
            "secret",
            "meta",
            "outbox",
            "bucket",
            "word",
            "indexed",
        )
    }


def test_tables_within_a_namespace_carry_its_name_and_are_nobody_elses() -> None:
    spaces = [
        "Shop~default",
        "shop~default",
        "shop_default",
        "Shop.~default",
        "Shop~support",
        "S-hop~default",
        "Shop~def_ault",
    ]
    prefixes = {Schema(space).prefix for space in spaces}

    assert len(prefixes) == len(spaces)
    assert all(re.fullmatch(r"chatrooms_[a-z0-9_]+_", prefix) for prefix in prefixes)
    assert Schema("Shop~default").prefix.startswith("chatrooms_shop_default_")
    assert (
        metadata("default", namespace="Shop").tables.keys() == Schema("Shop~default").metadata.tables.keys()
    )


def test_both_databases_can_make_every_table() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata().sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))


# Versions


def test_migrations_lead_from_nothing_to_the_tables_of_this_version(tmp_path: Path) -> None:
    step_by_step, at_once = (
        create_engine(f"sqlite:///{tmp_path}/{name}.db", poolclass=NullPool) for name in ("steps", "once")
    )
    schema = Schema()
    with step_by_step.begin() as connection:
        migrate(connection, schema)
        migrated = described(connection)
        assert version(connection, schema) == str(1 + len(STEPS))
    with at_once.begin() as connection:
        schema.metadata.create_all(connection)
        assert described(connection) == migrated


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    schema = Schema()
    with create_engine(f"sqlite:///{tmp_path}/chat.db", poolclass=NullPool).begin() as connection:
        migrate(connection, schema)
        connection.execute(schema.secret.insert().values(name="guests", value="kept"))

        migrate(connection, schema)

        assert connection.scalar(select(schema.secret.c.value)) == "kept"


def test_each_step_is_taken_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    later = tuple((lambda _, __, n=n: taken.append(n)) for n in (4, 5, 6))
    schema = Schema()
    with create_engine(f"sqlite:///{tmp_path}/chat.db", poolclass=NullPool).begin() as connection:
        migrate(connection, schema)
        monkeypatch.setattr("sanic_chatrooms.stores.sql.migrations.STEPS", (*STEPS, *later[:1]))
        migrate(connection, schema)
        monkeypatch.setattr("sanic_chatrooms.stores.sql.migrations.STEPS", (*STEPS, *later))
        migrate(connection, schema)

        assert taken == [4, 5, 6]
        assert version(connection, schema) == "8"


def test_tables_of_a_later_version_are_left_alone(tmp_path: Path) -> None:
    schema = Schema()
    with create_engine(f"sqlite:///{tmp_path}/chat.db", poolclass=NullPool).begin() as connection:
        migrate(connection, schema)
        connection.execute(schema.meta.update().values(value="99"))

        with pytest.raises(ConfigError, match="are of version 99, and this sanic-chatrooms knows"):
            migrate(connection, schema)
        with pytest.raises(ConfigError, match="are of version 99, and this sanic-chatrooms knows"):
            require_tables(connection, schema)


def test_the_version_of_tables_that_an_app_has_made_is_noted(tmp_path: Path) -> None:
    schema = Schema()
    with create_engine(f"sqlite:///{tmp_path}/chat.db", poolclass=NullPool).begin() as connection:
        schema.metadata.create_all(connection)

        require_tables(connection, schema)

        assert version(connection, schema) == "5"


def test_missing_tables_are_named(tmp_path: Path) -> None:
    with create_engine(f"sqlite:///{tmp_path}/chat.db", poolclass=NullPool).begin() as connection:
        Schema().room.create(connection)

        with pytest.raises(
            ConfigError,
            match="the database has no chatrooms_default_bucket, chatrooms_default_event, chatrooms_default_fact",
        ):
            require_tables(connection, Schema())


@pytest.mark.parametrize("prefix", ["chatrooms_", "shop_chat_"])
async def test_alembic_is_to_leave_the_chats_tables_alone_and_no_others(tmp_path: Path, prefix: str) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    store, presence = SQLStore(url, prefix=prefix), SQLPresence(url, prefix=prefix)
    await store.start("my-chat", Bounds())
    await presence.start("my-chat", "node", 60.0)
    await presence.stop()
    await store.stop()
    engine = create_engine(f"sqlite:///{tmp_path}/chat.db", poolclass=NullPool)
    with engine.begin() as connection:
        for name in (f"{prefix}orders", "orders", "room", "my-chat_room"):
            connection.exec_driver_sql(f'CREATE TABLE "{name}"(id integer)')
        found = MetaData()
        found.reflect(connection)
    engine.dispose()

    looked_at = [
        name
        for name, table in found.tables.items()
        if include_object(table, name, "table", True, None, prefix=prefix)
    ]

    assert sorted(looked_at) == sorted([f"{prefix}orders", "orders", "room", "my-chat_room"])
    table = found.tables[f"{prefix}my-chat_room"]
    assert include_object(table, table.name, "table", True, table, prefix=prefix), (
        "what the app's metadata has"
    )
    assert include_object(table, table.name, "table", False, None, prefix=prefix), "what is to be made"


# Plans


async def asked(store: SQLStore, ask: Callable[[SQLStore], Awaitable[Any]]) -> list[tuple[str, Any]]:
    await stop_indexing(store)
    with statements() as seen:
        await ask(store)
    return [one for one in seen if not one[0].startswith("PRAGMA")]


AT_A_MESSAGE = r"sqlite_autoindex_chatrooms_default_relation_1 \(room_id=\? AND target=\?"
READS: dict[str, tuple[Callable[[SQLStore], Awaitable[Any]], str]] = {
    "log after": (lambda s: s.history("r", after=5, limit=9), "event_pkey"),
    "log before": (lambda s: s.history("r", before=5, limit=9), "event_pkey"),
    "timeline after": (lambda s: s.history("r", after=5, limit=9, timeline=True), "event_line"),
    "timeline before": (lambda s: s.history("r", before=5, limit=9, timeline=True), "event_line"),
    "message": (lambda s: s.message("r", "m"), "event_msg_id"),
    "heads": (lambda s: s.heads(["r", "s"]), "room_name"),
    "room": (lambda s: s.room("r"), "room_name"),
    "thread": (lambda s: s.history("r", after=5, limit=9, parent=1), "event_parent"),
    "without replies after": (
        lambda s: s.history("r", after=5, limit=9, timeline=True, replies=False),
        "event_line",
    ),
    "without replies before": (
        lambda s: s.history("r", before=5, limit=9, timeline=True, replies=False),
        "event_line",
    ),
    "events": (lambda s: s.events("r", [1, 2]), "event_pkey"),
    "related": (lambda s: s.related("r", [1, 2]), "event_pkey"),
    "replies": (lambda s: s.related("r", [1, 2]), "reply USING COVERING INDEX .*event_parent"),
    "toggles at a message": (lambda s: s.toggles("r", target=1), AT_A_MESSAGE),
    "toggles of a key at a message": (lambda s: s.toggles("r", key="👍", target=1), AT_A_MESSAGE),
    "toggles in a page": (lambda s: s.history("r", after=5, limit=9), "relation_pkey"),
    "toggles under a key": (lambda s: s.toggles("r", key="pin"), "relation_key"),
    "fact": (lambda s: s.fact("r", "member", "u"), "fact_"),
    "facts about": (lambda s: s.facts_about("r", "u"), "fact_key"),
    "facts": (lambda s: s.facts("r", "member"), "fact_pkey"),
    "facts of": (lambda s: s.facts_of("member", "u"), "fact_key"),
    "first facts": (lambda s: s.first_facts(["r", "s"], "member", 2), "fact_pkey"),
    "public rooms": (lambda s: s.rooms(), "room_listed"),
    "what is due": (lambda s: s._upkeep.look(), "event_pkey"),
    "unread": (lambda s: s.unread("u", ["r", "s"]), "event_line"),
    "mentions": (lambda s: s.unread("u", ["r", "s"]), "mention_pkey"),
    "few mentions": (lambda s: s.unread("u", ["r", "s"]), "mention_seq"),
    "markers": (lambda s: s.unread("u", ["r", "s"]), "fact_pkey"),
    "unread in what is seen": (lambda s: s.unread("u", ["r"], seen={"r": [(1, 9)]}), "event_line"),
    "about each": (lambda s: s.about_each("r", ["u", "v"]), "fact_key"),
    "rooms about": (lambda s: s.rooms_about(["r", "s"], "u"), "fact_key"),
    "rooms of a fact": (lambda s: s.rooms(fact=("member", "u")), "fact_key"),
}


@pytest.mark.parametrize("bounds", [Bounds(), Bounds(retention=60.0)], ids=["for ever", "retention"])
@pytest.mark.parametrize("name", READS)
async def test_reading_searches_an_index_and_walks_through_no_table(
    name: str, bounds: Bounds, tmp_path: Path
) -> None:
    ask, index = READS[name]
    store = SQLStore(f"sqlite:///{tmp_path}/chat.db")
    await store.start("default", bounds)
    try:
        await store.create_room(Room("r", "", 0), facts=(members.member_fact(Member("u", "Ada")),))
        seen = await asked(store, ask)
    finally:
        await store.stop()

    steps = [step for one in seen for step in plan(tmp_path / "chat.db", *one)]

    assert any(re.search(f"SEARCH .*{_index(index)}", step) for step in steps), steps
    assert not [step for step in steps if re.match(r"SCAN \w*chatrooms_", step)], steps
    if index == AT_A_MESSAGE:
        assert all(re.search(index, step) for step in steps if "relation" in step), steps
    if "event" in index:
        sorts = [step for step in steps if "TEMP B-TREE" in step and "count(DISTINCT)" not in step]
        assert not sorts, steps


async def test_the_first_facts_of_many_rooms_are_one_statement(tmp_path: Path) -> None:
    store = SQLStore(f"sqlite:///{tmp_path}/chat.db")
    await store.start("default", Bounds())
    try:
        seen = await asked(store, lambda s: s.first_facts([f"r{n}" for n in range(200)], "member", 2))
    finally:
        await store.stop()

    assert len(seen) == 1


def _index(noun: str) -> str:
    # A primary key's index has a name of SQLite's own.
    own = re.fullmatch("(event|fact|relation|mention)_pkey", noun)
    return f"sqlite_autoindex_chatrooms_default_{own[1]}" if own else noun


async def test_appending_searches_an_index_for_each_of_its_statements(tmp_path: Path) -> None:
    store = SQLStore(f"sqlite:///{tmp_path}/chat.db")
    await store.start("default", Bounds())
    await store.stop()
    keys, ids = json.dumps([[1, "u", "k"]]), json.dumps([[1, "m"]])
    facts, held = json.dumps([[1, "member", "u"]]), json.dumps([[1, 1, "pin", ""]])
    do = Statements(Schema())
    effects = do.effects
    wanted: list[tuple[str, tuple[Any, ...], str]] = [
        (do.rooms, ('["r"]',), "room_name"),
        (do.head, (1, 0, 1), "INTEGER PRIMARY KEY"),
        (do.firsts, (keys,), "event_key"),
        (effects.messages, (ids,), "event_msg_id"),
        (effects.edit, (b"{}", 1.0, 1, 1, 1), "event_pkey"),
        (effects.erase, (1, 1, 1), "event_pkey"),
        (effects.empty_edits, (1, "m"), "event_target"),
        (effects.name_target, ("m", 1, 1), "event_pkey"),
        (effects.name_parent, (1, 1, 1), "event_pkey"),
        (effects.mark, (1, 1), "event_pkey"),
        (effects.held, (held,), "relation_pkey"),
        (effects.counts, (held,), "relation_pkey"),
        (effects.keys, ("[[1, 1]]",), "relation_pkey"),
        (effects.thread, (1, 1, 0, "[]"), "COVERING INDEX chatrooms_default_event_parent"),
        (effects.event, (1, 1), "event_pkey"),
        (effects.turn_off, (1, 1, "pin", ""), "relation_pkey"),
        (effects.turn_off_all, (1, 1), "relation_pkey"),
        (effects.facts, (facts,), "fact_pkey"),
        (effects.forget_fact, (1, "member", "u"), "fact_pkey"),
    ]

    for statement, values, index in wanted:
        steps = plan(tmp_path / "chat.db", statement, values)

        assert any(step.startswith("SEARCH") and _index(index) in step for step in steps), (statement, steps)
        assert not [step for step in steps if "SCAN" in step and "VIRTUAL TABLE" not in step], (
            statement,
            steps,
        )


async def test_a_page_of_what_is_unread_is_one_statement_that_reads_no_row_of_what_it_counts(
    tmp_path: Path,
) -> None:
    store = SQLStore(f"sqlite:///{tmp_path}/chat.db")
    await store.start("default", Bounds())
    try:
        seen = await asked(store, lambda s: s.unread("u", [f"r{n}" for n in range(200)]))
    finally:
        await store.stop()

    (statement,) = seen
    steps = plan(tmp_path / "chat.db", *statement)
    assert [step for step in steps if re.search("SEARCH .* USING COVERING INDEX .*event_line", step)], steps
