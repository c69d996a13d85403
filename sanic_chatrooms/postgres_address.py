"""Where a PostgreSQL is, as a URL says it: for SQLAlchemy, and for connections of asyncpg's own."""

from typing import Any

from sqlalchemy import URL, make_url

__all__ = ["connect_options", "with_driver"]

_OF_SQLALCHEMY = ("prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback")


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
