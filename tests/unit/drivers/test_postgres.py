"""What of `sanic_chatrooms.drivers.sql.postgres` can be told without a server."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import make_url

from sanic_chatrooms.drivers.sql.postgres import Postgres, is_away

# ---- the URL ----


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg"])
def test_every_way_to_write_the_scheme_means_asyncpg(scheme: str) -> None:
    url = Postgres(make_url(f"{scheme}://ada:secret@db.example:5433/shop"))._url

    assert url.render_as_string(hide_password=False) == (
        "postgresql+asyncpg://ada:secret@db.example:5433/shop"
    )


def test_libpqs_word_for_tls_is_understood() -> None:
    url = Postgres(make_url("postgresql://db/shop?sslmode=require&target_session_attrs=primary"))._url

    assert dict(url.query) == {"ssl": "require", "target_session_attrs": "primary"}


# ---- errors ----


@pytest.mark.parametrize(
    "problem",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.ConnectionDoesNotExistError("closed"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.AdminShutdownError("terminating"),
        asyncpg.TooManyConnectionsError("too many"),
        asyncpg.DeadlockDetectedError("deadlock"),
        asyncpg.LockNotAvailableError("locked"),
        asyncpg.QueryCanceledError("statement timeout"),
        asyncpg.ReadOnlySQLTransactionError("a standby"),
        asyncpg.DiskFullError("full"),
        asyncpg.InvalidPasswordError("password"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state"),
    ],
)
def test_what_passes_is_an_outage(problem: Exception) -> None:
    assert is_away(problem)


@pytest.mark.parametrize(
    "problem",
    [
        asyncpg.CharacterNotInRepertoireError("0x00"),
        asyncpg.UniqueViolationError("twice"),
        asyncpg.UndefinedTableError("no table"),
        asyncpg.ClientConfigurationError("nonsense"),
        ValueError("nonsense"),
    ],
)
def test_what_was_asked_wrongly_is_none(problem: Exception) -> None:
    assert not is_away(problem)
