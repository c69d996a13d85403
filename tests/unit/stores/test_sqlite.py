from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import false

from sanic_chatrooms import Appended, ConfigError, Member, Room, Unavailable
from sanic_chatrooms.drivers.sql import boot_id as boot_ids
from sanic_chatrooms.models import EVERYONE, Draft, Fold, Relation, Sender, user_room
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql import trim as sql_upkeep
from sanic_chatrooms.stores.sql.directory import Directory
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.testing import Clock
from sanic_chatrooms.testing.clock import time_of_day

DEFAULT = Bounds()
SOON = Bounds(timeout=2.5)  # long enough to start, whatever else the machine does
WORD = "Rumpelstilzchen"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


@contextlib.asynccontextmanager
async def started(
    file: Path, bounds: Bounds = DEFAULT, *, query: str = "", **options: Any
) -> AsyncIterator[SQLStore]:
    store = SQLStore(f"sqlite:///{file}{query}", **options)
    await store.start("default", bounds)
    try:
        await store.create_room(Room("r", "", 0))
        yield store
    finally:
        await store.stop()


def draft(
    text: str = "hi", *, room: str = "r", key: str | None = None, type: str = "message", **more: Any
) -> Draft:
    msg_id = os.urandom(8).hex()
    payload = b'{"text":"%s"}' % text.encode()
    whole = None if key is None else ("u1", key)
    return Draft(room, type, payload, msg_id, 1_750_000_000.0, Sender("u1", "Ada"), whole, b"", **more)


async def say(store: SQLStore, *drafts: Draft) -> list[Appended]:
    answers = await store.append(drafts or [draft()])
    assert all(isinstance(answer, Appended) for answer in answers), answers
    return answers  # type: ignore[return-value]


async def epoch(store: SQLStore) -> str:
    return (await store.heads(["r"]))["r"].epoch


async def test_a_room_that_is_made_while_it_is_looked_up_is_not_there_yet(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(file) as store:
        await members.put(store, "r", Member("u1", "Ada", "member", now()))
        described = Directory._rooms
        with monkeypatch.context() as before_it_was_made:
            before_it_was_made.setattr(Directory, "_rooms", lambda self: described(self).where(false()))

            assert await store.rooms_about(["r"], "u1") == {}

        assert list(await store.rooms_about(["r"], "u1")) == ["r"]


# URLs and options


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///chat.db?synchronous=off", "synchronous=full or synchronous=normal"),
        ("sqlite:///chat.db?mode=ro", "synchronous=full or synchronous=normal"),
        ("chat.db", "this is no URL"),
        ("oracle://localhost/chat", "there is no driver for oracle"),
    ],
)
def test_what_cannot_be_a_store_is_refused_in_words(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        SQLStore(url)


async def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no directory .*nowhere"):
        await SQLStore(f"sqlite:///{tmp_path}/nowhere/chat.db").start("default", Bounds())


def modes(file: Path) -> dict[str, int]:
    return {found.name: found.stat().st_mode & 0o777 for found in file.parent.glob(f"{file.name}*")}


async def test_what_it_makes_is_for_its_user_only(file: Path) -> None:
    async with started(file) as store:
        await say(store)

        assert modes(file) == dict.fromkeys(["chat.db", "chat.db-wal", "chat.db-shm", "chat.db.lock"], 0o600)


async def test_a_file_that_the_app_made_keeps_its_mode_and_gives_it_to_the_others(file: Path) -> None:
    os.close(os.open(file, os.O_CREAT, 0o640))

    async with started(file) as store:
        await say(store)

        assert set(modes(file).values()) == {0o640}


async def test_without_create_no_file_is_made(file: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        await SQLStore(f"sqlite:///{file}", create=False).start("default", DEFAULT)

    assert list(file.parent.iterdir()) == []


async def test_one_object_serves_one_instance(file: Path) -> None:
    async with started(file) as store:
        with pytest.raises(
            ConfigError, match="already serves the instance 'default' and cannot serve 'support'"
        ):
            await store.start("support", Bounds())

        await store.start("default", Bounds())
        await store.stop()

        assert await store.room("r") is not None


async def test_tables_that_the_app_makes_are_used_and_missing_ones_named(file: Path) -> None:
    os.close(os.open(file, os.O_CREAT, 0o600))
    with pytest.raises(
        ConfigError, match="the database has no chatrooms_default_bucket, chatrooms_default_event"
    ):
        await SQLStore(f"sqlite:///{file}", create=False).start("default", Bounds())
    async with started(file):
        pass

    async with started(file, create=False) as store:
        assert (await say(store))[0].seq == 1


@pytest.fixture
def nonsense(file: Path) -> Path:
    file.write_bytes(b"no database at all" * 1_000)
    return file


async def test_a_file_that_is_no_database_is_unavailable(nonsense: Path) -> None:
    with pytest.raises(Unavailable):
        await SQLStore(f"sqlite:///{nonsense}").start("default", Bounds())


async def test_after_the_stop_nothing_is_available(file: Path) -> None:
    async with started(file) as store:
        pass

    with pytest.raises(Unavailable):
        await store.room("r")


@pytest.mark.parametrize(("query", "mode"), [("", 2), ("?synchronous=full", 2), ("?synchronous=normal", 1)])
async def test_commits_are_on_the_disk_unless_the_app_says_otherwise(
    file: Path, query: str, mode: int
) -> None:
    async with started(file, query=query) as store:
        found = await store._database.write(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar())

    assert found == mode


# A database that does not answer


@contextlib.contextmanager
def locked(file: Path) -> Any:
    """An app's own transaction that writes, and takes its time."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_what_somebody_else_locks_is_unavailable_in_time_and_comes_back(file: Path) -> None:
    async with started(file, SOON) as store:
        first = draft(key="k")
        with locked(file):
            async with asyncio.timeout(30):
                ends = asyncio.gather(
                    store.append([first]),
                    members.put(store, "r", Member("u1", "Ada")),
                    return_exceptions=True,
                )
                assert (await store.heads(["r"]))["r"].seq == 0, "readers do not wait for writers"
                assert [type(end) for end in await ends] == [Unavailable, Unavailable]

        await _until(lambda: store.append([first]))
        again = await say(store, first)

        assert (again[0].seq, again[0].duplicate) == (1, True), (
            "stored once, whatever became of the first attempts"
        )


async def test_a_process_that_stands_still_in_its_turn_delays_the_others_no_longer_than_the_limit(
    file: Path,
) -> None:
    async with started(file, SOON) as one, started(file, SOON) as other:
        entered, leave = threading.Event(), threading.Event()

        def stand_still(_: Any) -> None:
            entered.set()
            leave.wait(30)

        standing = asyncio.ensure_future(one._database.write(stand_still))
        await asyncio.to_thread(entered.wait, 30)
        async with asyncio.timeout(30):
            with pytest.raises(Unavailable):
                await say(other)
            with pytest.raises(Unavailable):
                await standing
        leave.set()

        await _until(lambda: say(other))


async def test_a_connection_that_fails_is_made_anew(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with started(file) as store:
        with pytest.raises(Unavailable):
            await store._database.write(lambda c: c.exec_driver_sql("SELECT * FROM nowhere"))
        with pytest.raises(Unavailable):
            await store._database.read(lambda c: c.exec_driver_sql("SELECT * FROM nowhere"))

        assert (await say(store))[0].seq == 1
        assert (await store.heads(["r"]))["r"].seq == 1
        assert "no such table: nowhere" in caplog.text


async def test_after_an_error_that_nobody_thought_of_the_connection_is_made_anew(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(file) as store:
        used: list[object] = []

        def fail(connection: object) -> None:
            used.append(connection)
            raise AttributeError("nobody thought of this")

        with pytest.raises(AttributeError):
            await store._database.write(fail)
        await store._database.write(used.append)
        await store._database.write(used.append)

        assert used[0] is not used[1] is used[2]
        assert (await say(store))[0].seq == 1


async def test_a_failure_is_told_once_until_it_is_over(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with started(file) as store:
        for _ in range(2):
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await store._database.write(lambda c: c.exec_driver_sql("SELECT * FROM nowhere"))
            await say(store)

        assert caplog.text.count("cannot be used now") == 2


async def test_who_stops_waiting_before_the_turn_comes_changes_nothing(file: Path) -> None:
    async with started(file) as store:
        entered, leave = threading.Event(), threading.Event()

        def take_time(_: Any) -> None:
            entered.set()
            leave.wait(30)

        blocking = asyncio.ensure_future(store._database.write(take_time))
        await asyncio.to_thread(entered.wait, 30)
        waiting = asyncio.ensure_future(say(store))
        await asyncio.sleep(0)

        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        leave.set()
        await blocking

        assert (await say(store))[0].seq == 1


async def test_a_draft_that_the_database_refuses_is_no_outage(file: Path) -> None:
    async with started(file) as store:
        with pytest.raises(Exception, match="int") as refused:
            await store.append([draft(), draft(about=Relation("m", Fold.REPLACE, value=b"")), draft(type=7)])  # type: ignore[arg-type]

        assert not isinstance(refused.value, Unavailable)
        assert (await store.heads(["r"]))["r"].seq == 0


async def _until(attempt: Any) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(Unavailable):
                await attempt()
                return


# An outage of the machine


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Call it to let the machine start again."""
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("first\n")
    monkeypatch.setattr(boot_ids, "BOOT_ID", boot_id)
    return boot_id.write_text


NORMAL = "?synchronous=normal"


async def test_where_an_outage_may_take_messages_back_the_next_start_of_the_machine_renews_epochs(
    file: Path, boot: Callable[[str], object]
) -> None:
    async with started(file, query=NORMAL) as store:
        first = await epoch(store)
    async with started(file, query=NORMAL) as store:
        assert await epoch(store) == first, "the same start of the machine"

    boot("second\n")
    async with started(file, query=NORMAL) as store:
        second = await epoch(store)
        assert second != first
    async with started(file, query=NORMAL) as store:
        assert await epoch(store) == second


async def test_with_every_commit_on_the_disk_epochs_stay(file: Path, boot: Callable[[str], object]) -> None:
    async with started(file) as store:
        first = await epoch(store)

    boot("second\n")

    async with started(file) as store:
        assert await epoch(store) == first


async def test_changing_to_full_after_an_outage_renews_epochs_once(
    file: Path, boot: Callable[[str], object]
) -> None:
    async with started(file, query=NORMAL) as store:
        first = await epoch(store)
    boot("second\n")
    async with started(file) as store:
        second = await epoch(store)
        assert second != first
    boot("third\n")

    async with started(file) as store:
        assert await epoch(store) == second


async def test_without_a_boot_id_unsafe_commits_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(boot_ids, "BOOT_ID", tmp_path / "nothing")

    with pytest.raises(ConfigError, match="a system that numbers its starts"):
        SQLStore("sqlite:///chat.db?synchronous=normal")


# The time of day


async def test_the_key_of_a_trimmed_message_is_remembered_when_the_time_of_day_is_set_forward(
    file: Path,
) -> None:
    with time_of_day() as move:
        async with started(file, Bounds(history_max=3)) as store:
            first = msgspec.structs.replace(draft(key="k"), timestamp=now())
            await say(store, first)
            await say(store, *[draft() for _ in range(sql_upkeep.ROWS + 10)])
            move(7_200.0)

            await store._upkeep.look()

            (again,) = await say(store, first)
            assert (again.seq, again.duplicate) == (1, True)


async def test_nothing_becomes_too_old_when_the_time_of_day_is_set_forward(file: Path) -> None:
    with time_of_day() as move:
        async with started(file, Bounds(retention=3_600.0)) as store:
            await say(store, msgspec.structs.replace(draft(), timestamp=now()))
            move(7_200.0)

            await store._upkeep.look()

            assert len((await store.history("r", after=0, limit=9)).events) == 1


# What was deleted


def holds(file: Path, text: str) -> list[str]:
    """Which files of the database hold the text."""
    return [
        path.name for path in sorted(file.parent.glob(f"{file.name}*")) if text.encode() in path.read_bytes()
    ]


async def test_the_text_of_a_deleted_message_is_in_no_page_of_any_file(file: Path) -> None:
    async with started(file) as store:
        said, long = draft(f"{WORD} one"), draft(WORD * 2_000)  # the second fills pages of its own
        await say(store, said, *[draft(f"other {n}") for n in range(300)], long)
        for message in (said, long):
            edited = Relation(message.msg_id, Fold.REPLACE, value=b'{"text":"%s two"}' % WORD.encode())
            await say(store, draft(f"{WORD} two", type="message.edited", about=edited))
        await say(store, *[draft(f"more {n}") for n in range(300)])
        assert "chat.db-wal" in holds(file, WORD)

        for message in (said, long):
            await say(store, draft(type="message.deleted", about=Relation(message.msg_id, Fold.ERASE)))
        await store._upkeep.look()

        assert holds(file, WORD) == []
        assert holds(file, "other 299") == ["chat.db"], "the files were looked at where texts stand"


async def test_a_reader_that_takes_its_time_only_delays_the_emptying_of_the_log(file: Path) -> None:
    async with started(file) as store:
        said = draft(WORD)
        await say(store, said)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            await say(store, draft(type="message.deleted", about=Relation(said.msg_id, Fold.ERASE)))
            await store._upkeep.look()
            assert holds(file, WORD)

            assert (await say(store))[0].seq == 3, "nobody waited for it"
        await store._upkeep.look()

        assert holds(file, WORD) == []


async def test_a_log_that_could_not_be_emptied_is_emptied_later(file: Path) -> None:
    async with started(file, SOON) as store:
        said = draft(WORD)
        await say(store, said, draft(type="message.deleted", about=Relation(said.msg_id, Fold.ERASE)))
        entered, leave = threading.Event(), threading.Event()

        def stand_still(_: Any) -> None:
            entered.set()
            leave.wait(30)

        standing = asyncio.ensure_future(store._database.write(stand_still))
        await asyncio.to_thread(entered.wait, 30)
        with pytest.raises(Unavailable):
            await store._upkeep.look()
        with pytest.raises(Unavailable):
            await standing
        leave.set()

        await _until(store._upkeep.look)

        assert holds(file, WORD) == []


# Upkeep


async def rows(store: SQLStore) -> list[int]:
    event = store._schema.event
    return await store._database.read(
        lambda c: list(c.scalars(event.select().with_only_columns(event.c.seq).order_by(event.c.seq)))
    )


async def test_rows_below_the_floor_go_when_their_keys_may_be_forgotten(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_upkeep, "ROWS", 10)
    clock = Clock()
    async with started(file, Bounds(history_max=5), clock=clock) as store:
        await say(store, *[draft(key=str(n)) for n in range(40)])
        clock.advance(299)
        await store._upkeep.look()
        assert await rows(store) == list(range(1, 41))
        clock.advance(2)

        await store._upkeep.look()

        assert await rows(store) == [36, 37, 38, 39, 40]
        page = await store.history("r", after=0, limit=9)
        assert (page.floor, [event.seq for event in page.events]) == (35, [36, 37, 38, 39, 40])


async def test_rows_that_became_too_old_go_though_nobody_speaks_or_reads(file: Path) -> None:
    clock = Clock()
    async with started(file, Bounds(retention=1_000.0), clock=clock) as store:
        await say(store, *[draft(key=str(n)) for n in range(3)])
        clock.advance(1_001)

        await store._upkeep.look()

        assert await rows(store) == []
        assert (await store.heads(["r"]))["r"].seq == 3


async def test_the_rows_of_a_deleted_room_go_bit_by_bit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_upkeep, "ROWS", 10)
    async with started(file) as store:
        await say(store, *[draft(WORD) for _ in range(25)])
        await store.delete_room("r")
        await store.create_room(Room("r", "", 0))
        await say(store, draft("new"))
        assert len(await rows(store)) == 26

        await store._upkeep.look()

        assert await rows(store) == [1]
        assert [bytes(e.payload) for e in (await store.history("r", after=0, limit=9)).events] == [
            b'{"text":"new"}'
        ]
        assert holds(file, WORD) == []


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_was_on_at_messages_goes_with_them(
    file: Path, monkeypatch: pytest.MonkeyPatch, deleted: bool
) -> None:
    monkeypatch.setattr(sql_upkeep, "ROWS", 10)
    clock = Clock()
    async with started(file, Bounds(history_max=40), clock=clock) as store:
        said = replace(draft(), mentions=("u1", "@room"))
        abouts = [Relation(said.msg_id, Fold.TOGGLE, "👍", f"u{n}", True) for n in range(25)]
        await say(store, said, *[draft(type="reaction.added", about=about) for about in abouts])
        await say(store, *[draft() for _ in range(40)])
        if deleted:
            await store.delete_room("r")
        clock.advance(301)

        await store._upkeep.look()

        for table in (store._schema.relation, store._schema.mention):
            select = table.select()
            assert await store._database.read(lambda c, select=select: c.execute(select).all()) == []  # type: ignore[misc]


async def test_every_room_has_its_turn(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_upkeep, "ROOMS", 2)
    clock = Clock()
    async with started(file, Bounds(history_max=1), clock=clock) as store:
        for room in "abcd":
            await store.create_room(Room(room, "", 0))
            await say(store, draft(room=room), draft(room=room))
        clock.advance(301)

        for _ in range(3):
            await store._upkeep.look()

        assert await rows(store) == [2, 2, 2, 2]


async def test_a_reader_never_walks_over_more_than_a_few_rows_that_are_too_old(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_upkeep, "ROWS", 10)
    clock = Clock()
    async with started(file, Bounds(retention=10.0), clock=clock) as store:
        await say(store, *[draft(key=str(n)) for n in range(30)])
        clock.advance(11)

        await store._upkeep.look()

        room = store._schema.room
        noted = await store._database.read(lambda c: c.scalar(room.select().with_only_columns(room.c.floor)))
        assert noted == 30
        assert len(await rows(store)) == 30, "their keys are remembered"
        assert (await say(store, draft(key="0")))[0].duplicate


async def test_inboxes_that_got_nothing_for_a_week_are_forgotten(file: Path) -> None:
    """A process that was killed left them: nobody else knows of these users."""
    clock = Clock()
    async with started(file, clock=clock) as store:
        for room, age in (
            (user_room("new"), 0.0),
            (user_room("busy"), 9e5),
            (user_room("old"), 9e5),
            (EVERYONE, 9e5),
        ):
            await store.create_room(Room(room, "", 0, visibility="reserved", created_at=clock() - age))
        await store.create_room(Room("plain", "", 0, created_at=clock() - 9e5))
        busy, old = user_room("busy"), user_room("old")
        await say(store, msgspec.structs.replace(draft(room=busy), timestamp=clock() - 1e5))
        await say(store, msgspec.structs.replace(draft(room=old), timestamp=clock() - 8e5))

        await store._upkeep.look()

        assert await store.room(old) is None
        for room in (user_room("new"), busy, EVERYONE, "plain"):
            assert await store.room(room) is not None
