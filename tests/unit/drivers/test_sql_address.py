"""Tests for `sanic_chatrooms.drivers.sql.address`: where a database is, as its URL says."""

from __future__ import annotations

import pytest

from sanic_chatrooms import ConfigError
from sanic_chatrooms.drivers.sql.address import PREFIX, connect_options, take_prefix, with_driver, with_prefix

URL = "postgresql://ada:secret@host:5433/chat"


def test_the_prefix_of_the_tables_stands_in_the_url() -> None:
    url, prefix = take_prefix(f"{URL}?prefix=shop_&sslmode=require")

    assert prefix == "shop_"
    assert dict(url.query) == {"sslmode": "require"}


def test_without_one_the_tables_have_ours() -> None:
    assert take_prefix(URL)[1] == PREFIX


@pytest.mark.parametrize("url", ["chat.db", "", "postgresql:/ada:secret@host"])
def test_what_is_no_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        take_prefix(url)

    assert "sqlite:///chat.db" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_two_prefixes_are_refused() -> None:
    with pytest.raises(ConfigError, match="one prefix="):
        take_prefix(f"{URL}?prefix=a_&prefix=b_")


@pytest.mark.parametrize("prefix", [PREFIX, "shop_"])
def test_a_url_with_its_prefix_is_read_back_as_it_was(prefix: str) -> None:
    url, found = take_prefix(with_prefix(URL, prefix))

    assert (url.render_as_string(hide_password=False), found) == (URL, prefix)


def test_asyncpg_is_told_what_libpq_calls_sslmode() -> None:
    url = with_driver(f"{URL}?sslmode=verify-full")

    assert url.drivername == "postgresql+asyncpg"
    assert dict(url.query) == {"ssl": "verify-full"}


def test_connections_of_asyncpgs_own_get_nothing_of_sqlalchemys() -> None:
    options = connect_options(f"{URL}?prepared_statement_cache_size=0&sslmode=require")

    assert options == {
        "host": "host",
        "port": 5433,
        "user": "ada",
        "password": "secret",
        "database": "chat",
        "ssl": "require",
    }
