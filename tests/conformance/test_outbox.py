"""The outbox of `SQLStore` keeps its contract, on SQLite and PostgreSQL, in every kind of transaction."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from sanic_chatrooms.errors import ChatError, Conflict, InvalidField, RoomNotFound, Unavailable
from sanic_chatrooms.models import Appended, Draft, Fact, Fold, Known, Relation, Room, Sender
from sanic_chatrooms.stores.base import Bounds, Stale
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.rooms import create
from tests.support.lost_commit import loses_commits
from tests.support.postgres import PostgresServer, new_database

KINDS = ("AsyncSession", "AsyncConnection", "Session", "Connection")


def draft(text: str = "hi", room: str = "r", key: str | None = None) -> Draft:
    id = new_id()
    payload = b'{"text":"%s"}' % text.encode()
    return Draft(room, "message", payload, id, now(), Sender("u1", "Ada"), ("u1", key or id), payload)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/chat.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[SQLStore]:
    store = SQLStore(url)
    await store.start("default", Bounds())
    await store.create_room(Room("r", "", 0))
    yield store
    await store.stop()


@pytest.fixture
async def engine(url: str) -> AsyncIterator[Any]:
    """The app's own, with a table of its own."""
    driver = url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(driver)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE orders(id integer PRIMARY KEY)"))
    yield engine
    await engine.dispose()


def nothing() -> None:
    """For whoever need not know of the commit."""


async def texts(store: SQLStore) -> list[str]:
    page = await store.history("r", after=0, limit=100)
    return [bytes(event.payload).decode()[9:-2] for event in page.events]


async def numbered(store: SQLStore) -> list[Appended | ChatError]:
    return [result for _, result in await store.number(100)]


async def test_what_was_committed_is_numbered_and_what_was_rolled_back_is_not(
    store: SQLStore, engine: Any
) -> None:
    async with AsyncSession(engine) as session:
        await store.put(session, draft("kept"), nothing)
        assert await store.number(100) == [], "not before the commit"
        await session.commit()
    async with AsyncSession(engine) as session:
        await store.put(session, draft("gone"), nothing)
        await session.rollback()

    (answer,) = await numbered(store)

    assert isinstance(answer, Appended)
    assert (answer.seq, answer.duplicate) == (1, False)
    assert await texts(store) == ["kept"]
    assert await store.number(100) == []


@pytest.mark.parametrize("done", [True, False])
async def test_what_was_numbered_though_the_answer_was_lost_is_a_result_once(
    postgres: PostgresServer, postgres_url: str, done: bool
) -> None:
    item = draft("numbered")
    async with loses_commits(postgres) as link:
        store = SQLStore(link.url(postgres_url))
        await store.start("default", Bounds())
        await store.create_room(Room("r", "", 0))
        async with transaction(postgres_url, "AsyncConnection") as (within, end):
            await store.put(within, item, nothing)
            await end(True)

        link.lose(item.msg_id.encode(), done=done)
        with pytest.raises(Unavailable):
            await store.number(100)
        ((told, answer),) = await store.number(100)
        rest = await store.number(100)
        await store.stop()

    assert (told, rest) == (item, [])
    assert isinstance(answer, Appended)
    assert (answer.seq, answer.duplicate) == (1, False)


async def test_an_event_keeps_all_that_its_draft_said(store: SQLStore, engine: Any) -> None:
    item = draft("é 😀", key="client-key-012345")
    async with engine.begin() as connection:
        await store.put(connection, item, nothing)

    ((told, answer),) = await store.number(1)

    (event,) = (await store.history("r", after=0, limit=1)).events
    assert told == item
    assert isinstance(answer, Appended)
    assert (event.msg_id, event.timestamp, event.type) == (item.msg_id, item.timestamp, item.type)
    assert (event.sender, event.client_msg_id, bytes(event.payload)) == (
        item.sender,
        "client-key-012345",
        item.payload,
    )


async def test_what_a_draft_does_besides_happens_when_it_is_numbered(store: SQLStore, engine: Any) -> None:
    (message,) = await store.append([draft("hello")])
    assert isinstance(message, Appended)
    room = await store.room("r")
    assert room is not None
    item = replace(
        draft("reply"),
        about=Relation(message.msg_id, Fold.COLLECT),
        facts=(Fact("ban", "u9", b"1", until=now() + 60.0),),
        judged=1,
        judged_in=room.epoch,
        restricts=True,
        spaced=1.5,
    )
    async with engine.begin() as connection:
        await store.put(connection, item, nothing)

    ((told, answer),) = await store.number(1)

    assert told == item
    assert isinstance(answer, Appended)
    assert await store.fact("r", "ban", "u9") == Known("ban", "u9", b"1", 2, 2, "r")
    assert [event.seq for event in (await store.history("r", after=0, limit=9, parent=1)).events] == [2]
    room = await store.room("r")
    assert room is not None
    assert room.restricted == 2


async def test_what_is_stale_waits_until_it_is_judged_or_dropped_and_the_rest_goes_on(
    store: SQLStore, engine: Any
) -> None:
    items = [replace(draft(text), judged=0) for text in ("one", "two")]
    async with engine.begin() as connection:
        for item in (*items, draft("three")):
            await store.put(connection, item, nothing)
    await store.append([replace(draft("kick"), restricts=True)])

    first = await store.number(9)
    again = await store.number(9)
    await store.judge(replace(items[0], judged=1))
    await store.drop(items[1].msg_id)
    last = await store.number(9)

    assert [type(result) for _, result in first] == [Stale, Stale, Appended]
    assert [(told, type(result)) for told, result in again] == [(item, Stale) for item in items]
    assert [type(result) for _, result in last] == [Appended]
    assert await texts(store) == ["kick", "three", "one"]
    assert await store.number(9) == []


async def test_drafts_are_numbered_in_the_order_in_which_they_were_put(store: SQLStore, engine: Any) -> None:
    for start in (0, 3):
        async with engine.begin() as connection:
            for n in range(start, start + 3):
                await store.put(connection, draft(str(n)), nothing)

    pieces = [await store.number(4), await store.number(4), await store.number(4)]

    assert [len(piece) for piece in pieces] == [4, 2, 0]
    assert await texts(store) == ["0", "1", "2", "3", "4", "5"]


async def test_of_two_processes_that_number_at_once_each_draft_is_in_one_result(
    store: SQLStore, engine: Any, url: str
) -> None:
    other = SQLStore(url)
    await other.start("default", Bounds())
    async with engine.begin() as connection:
        for n in range(50):
            await store.put(connection, draft(str(n)), nothing)

    found = await asyncio.gather(*(one.number(7) for one in (store, other) * 10))

    found.append(await store.number(100))  # while one is at it, the other finds nothing
    await other.stop()
    told = [item.payload for piece in found for item, _ in piece]
    assert len(told) == len(set(told)) == 50
    assert await texts(store) == [str(n) for n in range(50)]


async def test_a_key_that_was_used_before_is_a_repetition_and_the_rest_is_dropped_with_its_error(
    store: SQLStore, engine: Any
) -> None:
    first = draft("one", key="k")
    await store.append([first])
    async with engine.begin() as connection:
        for item in (first, draft("two", key="k"), draft(room="nowhere"), draft("three")):
            await store.put(connection, item, nothing)

    again, clash, nowhere, other = await numbered(store)

    assert isinstance(again, Appended)
    assert (again.duplicate, again.seq) == (True, 1)
    assert isinstance(clash, Conflict)
    assert isinstance(nowhere, RoomNotFound)
    assert isinstance(other, Appended)
    assert (other.duplicate, other.seq) == (False, 2)
    assert await store.number(100) == []


# ---- the kinds of transactions ----


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_transaction_tells_of_its_commit(store: SQLStore, url: str, kind: str) -> None:
    told = asyncio.Event()
    # Synchronous SQLAlchemy on PostgreSQL wants another driver; the asynchronous one, driven from within, does as well.
    async with transaction(url, kind) as (within, end):
        await store.put(within, draft("one"), told.set)
        await store.put(within, draft("two"), told.set)
        await asyncio.sleep(0)
        assert not told.is_set()
        await end(True)
    async with asyncio.timeout(30):
        await told.wait()

    assert [type(answer) for answer in await numbered(store)] == [Appended, Appended]
    assert await texts(store) == ["one", "two"]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_kind_of_transaction_leaves_anything_when_it_is_rolled_back(
    store: SQLStore, url: str, kind: str
) -> None:
    async with transaction(url, kind) as (within, end):
        await store.put(within, draft("gone"), nothing)
        await end(False)

    assert await store.number(100) == []


@asynccontextmanager
async def transaction(url: str, kind: str) -> AsyncIterator[tuple[Any, Callable[[bool], Awaitable[None]]]]:
    """-> (what the app passes, commit or roll back)."""
    if kind in ("Session", "Connection"):
        async with _synchronous(url, kind) as made:
            yield made
        return
    driver = url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(driver)
    within: AsyncSession | AsyncConnection
    within = AsyncSession(engine) if kind == "AsyncSession" else await engine.connect()

    async def end(commit: bool) -> None:
        await (within.commit() if commit else within.rollback())

    yield within, end
    await within.close()
    await engine.dispose()


@asynccontextmanager
async def _synchronous(url: str, kind: str) -> AsyncIterator[tuple[Any, Callable[[bool], Awaitable[None]]]]:
    engine: Engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    within = Session(engine) if kind == "Session" else engine.connect()

    async def end(commit: bool) -> None:
        within.commit() if commit else within.rollback()

    yield within, end
    within.close()
    engine.dispose()


async def test_a_scoped_session_stands_for_that_of_its_scope(store: SQLStore, engine: Any) -> None:
    scoped = async_scoped_session(async_sessionmaker(engine), scopefunc=asyncio.current_task)
    await store.put(scoped, draft("scoped"), nothing)
    await scoped.commit()
    await scoped.remove()

    assert [type(answer) for answer in await numbered(store)] == [Appended]


async def test_a_savepoint_that_is_rolled_back_takes_its_drafts_along(store: SQLStore, engine: Any) -> None:
    async with AsyncSession(engine) as session:
        await store.put(session, draft("outer"), nothing)
        inner = await session.begin_nested()
        await store.put(session, draft("inner"), nothing)
        await inner.rollback()
        await session.commit()

    await numbered(store)

    assert await texts(store) == ["outer"]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_an_open_transaction_of_the_app_delays_no_append_on_postgresql(
    store: SQLStore, engine: Any
) -> None:
    async with AsyncSession(engine) as session:
        await store.put(session, draft("later"), nothing)
        async with asyncio.timeout(30):
            await store.append([draft("sooner")])
        await session.commit()
    await numbered(store)

    assert await texts(store) == ["sooner", "later"]


async def test_what_is_no_transaction_of_this_database_is_refused(
    store: SQLStore, engine: Any, tmp_path: Path
) -> None:
    elsewhere = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/other.db")
    async with AsyncSession(elsewhere) as session:
        with pytest.raises(InvalidField, match="chatrooms_default_outbox"):
            await store.put(session, draft(), nothing)
    await elsewhere.dispose()
    for other in (engine, "session", scoped_session(sessionmaker())):
        with pytest.raises(InvalidField, match="within"):
            await store.put(other, draft(), nothing)
    unbound = AsyncSession()
    with pytest.raises(InvalidField, match="engine"):
        await store.put(unbound, draft(), nothing)
    await unbound.close()

    async with AsyncSession(engine) as session:  # the app's transaction goes on
        await session.execute(text("INSERT INTO orders VALUES (1)"))
        await session.commit()


async def test_a_transaction_on_another_database_that_has_chat_tables_too_is_refused(
    store: SQLStore, url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if url.startswith("sqlite"):
        other_url = f"sqlite:///{tmp_path}/other.db"
    else:
        other_url = await new_database(request.getfixturevalue("postgres"))
    other = SQLStore(other_url)
    await other.start("default", Bounds())
    await other.create_room(Room("r", "", 0))
    driver = other_url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")
    elsewhere = create_async_engine(driver)

    async with AsyncSession(elsewhere) as session:
        for _ in range(2):
            with pytest.raises(InvalidField, match="another database than the chat's"):
                await store.put(session, draft(), nothing)
        await session.commit()
    there, here = await other.number(100), await store.number(100)

    await other.stop()
    await elsewhere.dispose()
    assert (there, here) == ([], []), "the event is in neither"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_the_same_file_by_another_name_is_the_same_database(store: SQLStore, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/link/chat.db")
    async with AsyncSession(engine) as session:
        await store.put(session, draft("kept"), nothing)
        await session.commit()
    await engine.dispose()

    assert [type(answer) for answer in await numbered(store)] == [Appended]


# ---- a transaction that is not given ----


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_task_that_would_wait_for_its_own_transaction_is_told_at_once(
    store: SQLStore, url: str, kind: str
) -> None:
    async with transaction(url, kind) as (within, end):
        await _execute(within, "CREATE TABLE IF NOT EXISTS orders(id integer PRIMARY KEY)")
        await _execute(within, "INSERT INTO orders VALUES (1)")

        with pytest.raises(InvalidField, match="publish as within="):
            store.require_free()
        with pytest.raises(InvalidField, match="publish as within="):
            await store.create_room(Room("late", "", 0))
        await store.put(within, draft("within"), nothing)
        elsewhere = asyncio.create_task(_required(store))
        assert await elsewhere, "another task waits for nobody but that one"
        await end(True)

        store.require_free()
        await store.create_room(Room("late", "", 0))
    assert [type(answer) for answer in await numbered(store)] == [Appended]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_transaction_that_has_only_read_or_was_rolled_back_holds_nobody_up(
    store: SQLStore, url: str, kind: str
) -> None:
    async with transaction(url, kind) as (within, end):
        await _execute(within, "SELECT * FROM chatrooms_default_room")

        store.require_free()
        await store.create_room(Room("beside", "", 0))
        await _execute(within, "SELECT 1")
        await end(False)
        store.require_free()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_publish_in_ones_own_transaction_without_within_is_refused_at_once_and_with_it_works(
    url: str, engine: Any
) -> None:
    async with running_core(guests=True, store=url) as chat:
        await create(chat.core, None, "general")
        async with AsyncSession(engine) as session:
            await session.execute(text("INSERT INTO orders VALUES (1)"))
            with pytest.raises(InvalidField, match="publish as within="):
                await chat.journal.append(draft(room="general"))
            await session.commit()

        assert (await chat.journal.append(draft(room="general"))).seq == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_transaction_of_another_program_is_named_in_the_log(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = SQLStore(url)
    await store.start("default", Bounds(timeout=2.0))
    with contextlib.closing(sqlite3.connect(tmp_path / "chat.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await store.create_room(Room("late", "", 0))
        # SQLite itself gives up before that, or a little later on a busy machine, and `stop` waits for it.
        await store.stop()

    assert "give it to publish as within=" in caplog.text


async def _required(store: SQLStore) -> bool:
    store.require_free()
    return True


async def _execute(within: Any, statement: str) -> None:
    answer = within.execute(text(statement))
    if isinstance(answer, Awaitable):
        await answer
