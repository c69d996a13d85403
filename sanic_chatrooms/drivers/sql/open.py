"""From a URL to the database that it names; its driver is loaded when a URL asks for it."""

import importlib

from sqlalchemy import URL

from ...errors import ConfigError
from .database import Database

__all__ = ["make_database"]

# By scheme: the module and class, and the extra that brings the driver.
_DATABASES = {
    "sqlite": ("sqlite", "SQLite", "sql"),
    "postgresql": ("postgres", "Postgres", "postgres"),
    "postgres": ("postgres", "Postgres", "postgres"),
}


def make_database(url: URL) -> Database:
    """The database, not started. Raises `ConfigError`."""
    scheme = url.drivername.partition("+")[0]
    if scheme not in _DATABASES:
        raise ConfigError(
            f"there is no driver for {scheme}; a SQL database is sqlite:///FILE or postgresql://USER@MACHINE/NAME"
        )
    module, name, extra = _DATABASES[scheme]
    try:
        made: Database = getattr(importlib.import_module(f"{__package__}.{module}"), name)(url)
    except ImportError as exc:
        raise ConfigError(f'{scheme}: {exc}; pip install "sanic-chatrooms[{extra}]"') from exc
    return made
