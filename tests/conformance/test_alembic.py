"""Alembic's `--autogenerate` in a database that app and chat share proposes nothing about the chat's tables."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, create_engine, text

from sanic_chatrooms.presence import sql as presence_sql
from sanic_chatrooms.presence.sql import SQLPresence
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql import schema as sql_schema
from sanic_chatrooms.stores.sql.schema import include_object
from sanic_chatrooms.stores.sql.store import SQLStore

compare_metadata = importlib.import_module("alembic.autogenerate").compare_metadata
configure = importlib.import_module("alembic.migration").MigrationContext.configure

HOSTS = MetaData()
Table("orders", HOSTS, Column("id", Integer, primary_key=True))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (
        f"sqlite:///{tmp_path}/shop.db"
        if request.param == "sqlite"
        else str(request.getfixturevalue("postgres_url"))
    )


@pytest.fixture
async def url(database: str) -> str:
    """A database with the tables of a store and a presence."""
    store, presence = SQLStore(database), SQLPresence(database)
    await store.start("default", Bounds())
    await presence.start("default", "node", 60.0)
    await presence.stop()
    await store.stop()
    return database


def proposed(url: str, *metadata: MetaData, **options: Any) -> list[str]:
    """What `--autogenerate` would write into a migration: "remove_table chatrooms_default_room" and the like."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY NOT NULL)"))
        found = _compared(connection, [HOSTS, *metadata], options)
    engine.dispose()
    return found


def _compared(connection: Connection, metadata: list[MetaData], options: dict[str, Any]) -> list[str]:
    strict = {"target_metadata": metadata, "compare_type": True, "compare_server_default": True}
    differences = compare_metadata(configure(connection, opts=strict | options), metadata)
    return [f"{one[0]} {one[1].name}" if isinstance(one, tuple) else str(one) for one in differences]


async def test_without_the_helper_it_would_drop_them(url: str) -> None:
    assert "remove_table chatrooms_default_room" in proposed(url)


async def test_an_app_that_leaves_the_tables_to_the_chat_sees_none_of_them(url: str) -> None:
    assert proposed(url, include_object=include_object) == []


async def test_an_app_that_makes_the_tables_itself_finds_them_as_they_should_be(url: str) -> None:
    store, presence = sql_schema.metadata(), presence_sql.metadata()

    assert proposed(url, store, include_object=include_object) == []
    assert proposed(url, store, presence, include_object=include_object) == []


async def test_what_is_missing_or_the_apps_own_is_proposed_as_ever(url: str) -> None:
    other, more = sql_schema.metadata("other"), MetaData()
    Table("customers", more, Column("id", Integer, primary_key=True))

    added = proposed(url, other, more, include_object=include_object)

    assert {"add_table chatrooms_other_room", "add_table customers"} <= set(added)
    assert not [one for one in added if one.startswith("remove_")]
