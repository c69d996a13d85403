"""Where a SQL database is, as a URL says it: for SQLAlchemy, and for connections of asyncpg's own."""

from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ...errors import ConfigError

__all__ = ["PREFIX", "connect_options", "take_prefix", "with_driver", "with_prefix"]

PREFIX = "chatrooms_"

_OF_SQLALCHEMY = ("prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback")


def take_prefix(url: str | URL) -> tuple[URL, str]:
    """The URL without `?prefix=`, and what stands there; else `PREFIX`. Raises `ConfigError`, without the URL: it may hold a
    password."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError("this is no URL; write sqlite:///chat.db or postgresql://user@host/name") from None
    prefix = parsed.query.get("prefix", PREFIX)
    if not isinstance(prefix, str):
        raise ConfigError("the URL of a database has one prefix=")
    return parsed.difference_update_query(["prefix"]), prefix


def with_prefix(url: str | URL, prefix: str) -> str:
    """The URL with the prefix in it, for those who are to share it."""
    url = make_url(url)
    if prefix != PREFIX:
        url = url.update_query_dict({"prefix": prefix})
    return url.render_as_string(hide_password=False)


def with_driver(url: str | URL) -> URL:
    """`postgresql://user@host/name?sslmode=require` as SQLAlchemy takes it for asyncpg."""
    url = make_url(url)
    mode = url.query.get("sslmode")  # libpq's word, which asyncpg knows by another name
    if mode is not None:
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return url.set(drivername="postgresql+asyncpg")


def connect_options(url: str | URL) -> dict[str, Any]:
    """What `asyncpg.connect` takes."""
    url = with_driver(url)
    _, options = url.get_dialect()().create_connect_args(url)
    return {name: value for name, value in options.items() if name not in _OF_SQLALCHEMY}
