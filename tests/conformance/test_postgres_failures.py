"""`SQLStore` on PostgreSQL while the server is away, slow, locked, or comes back as another."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from sanic_chatrooms.drivers.sql import postgres as postgres_driver
from sanic_chatrooms.drivers.sql.prepared import Prepared
from sanic_chatrooms.errors import ChatError, ConfigError, RoomNotFound, Unavailable
from sanic_chatrooms.models import Appended, Draft, Room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.functions_postgres import opened_call
from sanic_chatrooms.stores.sql.schema import Schema, metadata
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.ids import new_id
from tests.support.lost_commit import loses_commits
from tests.support.postgres import PostgresServer, new_database

SOON = Bounds(timeout=2.5)  # long enough for what is to succeed, whatever else the machine does


def draft(room: str = "r", text: str = "hi") -> Draft:
    id = new_id()
    return Draft(room, "message", b'{"text":"%s"}' % text.encode(), id, 1.5, None, ("", id))


@asynccontextmanager
async def started(url: str, bounds: Bounds = SOON) -> AsyncIterator[SQLStore]:
    store = SQLStore(url)
    await store.start("default", bounds)
    try:
        yield store
    finally:
        await store.stop()


@asynccontextmanager
async def with_rooms(url: str, *rooms: str, bounds: Bounds = SOON) -> AsyncIterator[SQLStore]:
    async with started(url, bounds) as store:
        for room in rooms or ("r",):
            await store.create_room(Room(room, "", 0))
        yield store


async def append_until_known(store: SQLStore, batch: list[Draft]) -> list[Appended | ChatError]:
    """As the journal does it: the same batch again, for as long as nobody knows what became of it."""
    async with asyncio.timeout(40):
        while True:
            try:
                return await store.append(batch)
            except Unavailable:
                await asyncio.sleep(0.02)


async def on_the_side(server: PostgresServer, url: str) -> Any:
    return await server.connect(urlsplit(url).path[1:])


async def epoch(store: SQLStore) -> str:
    return (await store.heads(["r"]))["r"].epoch


@pytest.fixture
async def mortal_url(mortal_postgres: PostgresServer) -> str:
    """An empty database on the server that may be killed."""
    return await new_database(mortal_postgres)


# ---- away ----


async def test_connections_that_are_cut_cost_one_retry_and_double_nothing(
    postgres: PostgresServer, postgres_url: str
) -> None:
    side = await on_the_side(postgres, postgres_url)
    async with with_rooms(postgres_url) as store:
        await store.append([draft()])
        for n in range(2, 7):
            await side.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sanic_chatrooms'"
            )
            if n % 2:
                assert set(await store.unread("u", ["r"])) == {"r"}, "so is a prepared one"
            assert (await store.heads(["r"]))["r"].seq == n - 1, "a read is simply done again"

            (answer,) = await append_until_known(store, [draft()])

            assert isinstance(answer, Appended)
            assert (answer.seq, answer.duplicate) == (n, False)
    await side.close()


async def test_a_write_whose_commit_was_not_answered_is_unavailable_and_is_not_done_again(
    postgres: PostgresServer, postgres_url: str
) -> None:
    async with loses_commits(postgres) as link, with_rooms(link.url(postgres_url)) as store:
        link.lose(b"mine")
        with pytest.raises(Unavailable):  # done again, it would be another's room that was there before
            await store.create_room(Room("mine", "", 0))

        assert link.word is None, "an answer was lost"
        assert await store.room("mine") is not None, "it was carried out"


async def test_a_write_on_a_connection_that_was_cut_before_is_simply_done_again(
    postgres: PostgresServer, postgres_url: str
) -> None:
    side = await on_the_side(postgres, postgres_url)
    async with with_rooms(postgres_url) as store:
        await side.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sanic_chatrooms'"
        )

        _, made = await store.create_room(Room("mine", "", 0))

        assert made
    await side.close()


async def test_a_server_that_does_not_answer_is_unavailable_within_the_time_limit(
    mortal_postgres: PostgresServer, mortal_url: str
) -> None:
    async with with_rooms(mortal_url) as store:
        await store.append([draft()])
        batch = [draft(text="frozen")]
        mortal_postgres.freeze()
        began = time.monotonic()
        try:
            with pytest.raises(Unavailable):
                await store.append(batch)
            with pytest.raises(Unavailable):
                await store.heads(["r"])
            with pytest.raises(Unavailable):
                await store.create_room(Room("other", "", 0))
            assert time.monotonic() - began < 3 * SOON.timeout + 10.0
        finally:
            mortal_postgres.thaw()

        (answer,) = await append_until_known(store, batch)

        assert isinstance(answer, Appended)
        assert answer.seq == 2
        assert (await store.heads(["r"]))["r"].seq == 2, "stored once, whichever attempt it was"


async def test_a_killed_server_has_all_that_was_acknowledged_under_the_same_epoch(
    mortal_postgres: PostgresServer, mortal_url: str
) -> None:
    async with with_rooms(mortal_url) as store:
        (last,) = await store.append([draft()])
        assert isinstance(last, Appended)

        mortal_postgres.kill()
        with pytest.raises(Unavailable):
            await store.append([draft()])
        with pytest.raises(Unavailable):
            await store.history("r", after=0, limit=5)
        mortal_postgres.start()

        (following,) = await append_until_known(store, [draft()])
        assert isinstance(following, Appended)
        assert (following.seq, following.epoch) == (2, last.epoch)


async def test_reads_that_take_all_connections_end_in_time_and_delay_no_append(postgres_url: str) -> None:
    async with with_rooms(postgres_url, bounds=Bounds(timeout=4.0)) as store:
        nap = Prepared(select(func.pg_sleep(9)))
        sleepers: list[Any] = [
            store._database.read(lambda c: c.execute(text("SELECT pg_sleep(9)"))) for _ in range(6)
        ]
        sleepers += [store._database.read(lambda c: nap.rows(c, {})) for _ in range(3)]
        reading = asyncio.gather(*sleepers, return_exceptions=True)
        await asyncio.sleep(0)

        answers = [await store.append([draft()]) for _ in range(3)]
        still_reading = not reading.done()
        outcomes = await reading

        assert [type(answer) for (answer,) in answers] == [Appended] * 3
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 9
        assert still_reading
        assert (await store.heads(["r"]))["r"].seq == 3, "connections are free again"


# ---- another past ----


async def test_without_synchronous_commit_a_crash_changes_the_epochs_and_a_restart_does_not(
    mortal_postgres: PostgresServer, mortal_url: str
) -> None:
    side = await on_the_side(mortal_postgres, mortal_url)
    database = await side.fetchval("SELECT current_database()")
    await side.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    async with with_rooms(mortal_url) as store:
        await store.append([draft()])
        first = await epoch(store)

        mortal_postgres.stop()
        mortal_postgres.start()
        await append_until_known(store, [draft()])
        restarted = await epoch(store)
        mortal_postgres.kill()
        mortal_postgres.start()
        await append_until_known(store, [draft()])

        assert restarted == first
        assert await epoch(store) != first
    side.terminate()


async def test_a_database_that_was_restored_elsewhere_has_new_epochs(
    postgres: PostgresServer, postgres_url: str
) -> None:
    async with with_rooms(postgres_url) as store:
        await store.append([draft()])
        before = await epoch(store)
    side = await on_the_side(postgres, postgres_url)
    # As a dump of another cluster would have it: that one's identifier, or an earlier timeline's number.
    changed = await side.execute(
        "UPDATE chatrooms_default_meta SET value = '1.00000001' WHERE name = 'place'"
    )
    await side.close()

    async with started(postgres_url) as store, started(postgres_url) as other:
        await store.append([draft()])
        renewed = await epoch(store)
        await other.append([draft()])

        assert changed == "UPDATE 1"
        assert renewed != before
        assert await epoch(other) == renewed, "once, whoever comes first"


async def test_new_epochs_can_be_given_by_hand(postgres_url: str) -> None:
    async with with_rooms(postgres_url) as store:
        before = await epoch(store)

        command = [sys.executable, "-m", "sanic_chatrooms", "new-epoch", postgres_url, "--namespace", "none"]
        given = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)

        assert await given.wait() == 0
        assert await epoch(store) != before


async def append_by(url: str) -> Appended:
    async with started(url) as store:
        (answer,) = await append_until_known(store, [draft()])
        assert isinstance(answer, Appended)
        return answer


@pytest.fixture
async def many_rooms(postgres: PostgresServer, postgres_url: str) -> AsyncIterator[Any]:
    """A connection to a database with 2500 rooms, of which the time limit allows 1500 new epochs. It also cuts short the attempt
    that comes to the 1700th. Table `renewed` tells which rooms have new ones."""
    async with with_rooms(postgres_url) as store:
        await store.append([draft()])
    side = await on_the_side(postgres, postgres_url)
    await side.execute(
        """
        INSERT INTO chatrooms_default_room (name, epoch, head, floor, title, visibility, attributes, created_at, auto, announce, hash)
        SELECT 'room' || n, '', 0, 0, '', 'public', '{}', 0, true, false, '' FROM generate_series(2, 2500) n;
        UPDATE chatrooms_default_room SET epoch = 'first';
        CREATE TABLE renewed (id bigint);
        CREATE SEQUENCE in_all;
        CREATE FUNCTION renew() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            n int := coalesce(nullif(current_setting('test.renewed', true), ''), '0')::int + 1;  -- by this transaction
        BEGIN
            IF n > 1500 OR nextval('in_all') = 1700 THEN
                RAISE query_canceled;
            END IF;
            PERFORM set_config('test.renewed', n::text, true);
            INSERT INTO renewed VALUES (NEW.id);
            RETURN NEW;
        END $$;
        CREATE TRIGGER renew BEFORE UPDATE OF epoch ON chatrooms_default_room FOR EACH ROW EXECUTE FUNCTION renew();
        """
    )
    yield side
    await side.close()


_RENEWED = "SELECT count(*), count(DISTINCT id) FROM renewed"
_EPOCHS = "SELECT count(DISTINCT epoch) FROM chatrooms_default_room WHERE epoch <> 'first'"
_ELSEWHERE = "UPDATE chatrooms_default_meta SET value = '1.00000001' WHERE name = 'place'"


async def test_epochs_of_more_rooms_than_the_time_limit_allows_are_new_before_anything_is_stored(
    many_rooms: Any, postgres_url: str
) -> None:
    await many_rooms.execute(_ELSEWHERE)

    answers = await asyncio.gather(append_by(postgres_url), append_by(postgres_url))

    assert "first" not in {answer.epoch for answer in answers}
    assert answers[0].epoch == answers[1].epoch
    assert await many_rooms.fetchval(_EPOCHS) == 2500
    assert tuple(await many_rooms.fetchrow(_RENEWED)) == (2500, 2500), "once, however many workers were at it"


async def test_epochs_are_new_from_the_first_room_on_if_another_failover_comes_between(
    many_rooms: Any, postgres_url: str
) -> None:
    step = f"SELECT renewed, unfinished FROM {opened_call(Schema('default')).split()[-1]}"
    await many_rooms.execute(_ELSEWHERE + "; ALTER SEQUENCE in_all RESTART 1701")
    begun = tuple(await many_rooms.fetchrow(step))
    gone_on = tuple(await many_rooms.fetchrow(step))
    await many_rooms.execute("UPDATE chatrooms_default_meta SET value = '2' || value WHERE name = 'place'")
    await many_rooms.execute("TRUNCATE renewed")

    steps = [tuple(await many_rooms.fetchrow(step)) for _ in range(4)]

    assert begun == gone_on == (True, True)
    assert steps == [(True, True), (True, True), (True, False), (False, False)]
    assert tuple(await many_rooms.fetchrow(_RENEWED)) == (2500, 2500)


async def test_new_epochs_of_many_rooms_by_hand_take_their_time(many_rooms: Any, postgres_url: str) -> None:
    await many_rooms.execute("ALTER SEQUENCE in_all RESTART 1701")
    async with started(postgres_url) as store:
        renewed = await store.renew_epochs()

    assert sorted(renewed) == renewed
    assert len(renewed) == await many_rooms.fetchval(_EPOCHS) == 2500


async def test_a_number_of_the_app_s_transactions_is_not_given_again_after_a_failover(
    postgres: PostgresServer, postgres_url: str
) -> None:
    side = await on_the_side(postgres, postgres_url)
    engine = create_async_engine(postgres_url.replace("postgresql:", "postgresql+asyncpg:"))
    async with with_rooms(postgres_url) as store:
        (lost,) = await store.append([draft()])
        # A standby takes over that lacks this event.
        await side.execute(
            "DELETE FROM chatrooms_default_event; UPDATE chatrooms_default_room SET head = 0;"
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sanic_chatrooms'"
        )
        await side.execute(_ELSEWHERE)
        async with engine.begin() as transaction:
            await store.put(transaction, draft(), lambda: None)

        ((_, answer),) = await store.number(10)
        (later,) = await append_until_known(store, [draft()])

        assert isinstance(lost, Appended)
        assert isinstance(answer, Appended)
        assert isinstance(later, Appended)
        assert (answer.seq, later.seq) == (1, 2)
        assert answer.epoch == later.epoch != lost.epoch
    await engine.dispose()
    await side.close()


async def carried_out(store: SQLStore, monkeypatch: pytest.MonkeyPatch, places: list[str]) -> list[bool]:
    """Is it known in each of these places that a transaction of the first one was carried out? A place is SQL."""
    database, known = store._database, list[bool]()
    monkeypatch.setattr("sanic_chatrooms.drivers.sql.postgres._PLACE", text(places[0]))
    transaction = await database.write(database.transaction)
    for place in places:
        monkeypatch.setattr("sanic_chatrooms.drivers.sql.postgres._PLACE", text(place))
        known.append(await database.read(lambda c: database.was_done(c, transaction)))
    return known


async def test_the_number_of_a_transaction_says_nothing_after_a_failover(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = str(postgres_driver._PLACE)
    async with started(postgres_url) as store:
        assert await carried_out(store, monkeypatch, [here, "SELECT '7.00000002'"]) == [True, False]


async def test_a_database_that_does_not_tell_its_place_tells_of_transactions(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(postgres_url) as store:
        assert await carried_out(store, monkeypatch, ["SELECT not_here()"]) == [True]


async def test_transactions_beside_the_first_one_do_not_fail_where_the_database_does_not_tell_its_place(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.drivers.sql.postgres._PLACE", text("SELECT not_here()"))
    async with started(postgres_url) as store:
        database, begun = store._database, asyncio.Barrier(2)

        def number(connection: Connection) -> str | None:
            await_only(begun.wait())
            return database.transaction(connection)

        numbers = await asyncio.gather(database.write(number), database.write(number))

    assert len(set(numbers)) == 2


# ---- locked and refused ----


async def test_a_room_that_somebody_holds_locked_does_not_stop_the_others(
    postgres: PostgresServer, postgres_url: str
) -> None:
    side = await on_the_side(postgres, postgres_url)
    async with with_rooms(postgres_url, "held", "free") as store:
        holding = side.transaction()
        await holding.start()
        await side.execute("SELECT 1 FROM chatrooms_default_room WHERE name = 'held' FOR UPDATE")
        batch = [draft("free"), draft("held"), draft("nowhere"), draft("free")]

        answers = await store.append(batch)
        await holding.rollback()
        again = await store.append(batch)

        assert [type(answer) for answer in answers] == [Appended, Unavailable, RoomNotFound, Appended]
        assert [getattr(answer, "seq", None) for answer in again] == [1, 1, None, 2]
        assert [getattr(answer, "duplicate", None) for answer in again] == [True, False, None, True]
    await side.close()


async def test_what_cannot_be_stored_is_no_outage(postgres_url: str) -> None:
    async with with_rooms(postgres_url) as store:
        with pytest.raises(Exception, match="0x00") as refused:
            await store.append([Draft("r", "message", b"{}", "a\0b", 1.5)])

        assert not isinstance(refused.value, Unavailable)
        (answer,) = await store.append([draft()])
        assert isinstance(answer, Appended)
        assert answer.seq == 1


@pytest.mark.parametrize("database", ["there_is_none", "postgres"])
async def test_a_url_that_is_refused_is_an_error_of_configuration(
    postgres: PostgresServer, database: str
) -> None:
    url = postgres.url(database)
    if database == "postgres":
        url = url.replace("postgres@", "nobody_of_that_name@")

    with pytest.raises(ConfigError, match="refuses"):
        await SQLStore(url).start("default", SOON)


async def test_a_server_that_is_away_at_the_start_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await SQLStore("postgresql://postgres@/postgres?host=/nowhere/at/all").start("default", SOON)


async def test_an_app_may_make_the_tables_itself(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as connection:
        await connection.run_sync(metadata().create_all)  # as its Alembic would
    await engine.dispose()
    store = SQLStore(postgres_url, create=False)
    await store.start("default", SOON)
    await store.create_room(Room("r", "", 0))

    (answer,) = await store.append([draft()])
    await store.stop()

    assert isinstance(answer, Appended)


async def test_a_role_that_may_not_create_runs_on_what_another_has_made(
    postgres: PostgresServer, postgres_url: str
) -> None:
    async with with_rooms(postgres_url) as store:
        await store.append([draft()])
    side = await on_the_side(postgres, postgres_url)
    await side.execute(
        """
        DROP ROLE IF EXISTS plain;
        CREATE ROLE plain LOGIN;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO plain;
        """
    )
    await side.close()

    async with started(postgres_url.replace("postgres@", "plain@")) as store:
        (answer,) = await store.append([draft()])

    assert isinstance(answer, Appended)
    assert answer.seq == 2
