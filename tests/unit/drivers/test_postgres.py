"""What of `sanic_chatrooms.drivers.sql.postgres` can be told without a server."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from sanic_chatrooms.drivers.sql.postgres import Postgres, is_away
from sanic_chatrooms.errors import Unavailable

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


# ---- the time limit ----


@pytest.fixture
def postgres() -> Postgres:
    """One that has an engine, which is asked nothing."""
    postgres = Postgres(make_url("postgresql://db/shop"))
    postgres._timeout = 0.05
    postgres._engine = create_async_engine("postgresql+asyncpg://db/shop")
    return postgres


async def test_what_hangs_and_takes_no_cancellation_is_given_up_in_time(postgres: Postgres) -> None:
    released = asyncio.Event()

    async def stubborn() -> None:
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

    with pytest.raises(Unavailable):
        await postgres.bounded(stubborn)
    released.set()
    await asyncio.wait(postgres._ending)


async def test_whoever_gives_up_ends_what_was_asked(postgres: Postgres) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hanging() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    caller = asyncio.ensure_future(postgres.bounded(hanging))
    await begun.wait()
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    await ended.wait()


async def test_what_ends_before_it_has_begun_keeps_nobody_waiting(postgres: Postgres) -> None:
    async def never() -> None:
        raise AssertionError

    caller = asyncio.ensure_future(postgres._run(never, None))
    await asyncio.sleep(0)
    (asked,) = postgres._ending
    asked.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_an_error_is_told_and_one_of_a_server_that_is_away_is_unavailable(postgres: Postgres) -> None:
    async def fail(problem: Exception) -> None:
        raise problem

    with pytest.raises(KeyError):
        await postgres.bounded(lambda: fail(KeyError("x")))
    with pytest.raises(Unavailable):
        await postgres.bounded(lambda: fail(ConnectionRefusedError()))
