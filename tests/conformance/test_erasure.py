"""What was deleted is in no table, key or file of any store, neither the text nor its hash; nor is the text that an edit replaced."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec
import pytest
import redis

from sanic_chatrooms.models import Appended, Draft, Fold, Relation, Room, Sender
from sanic_chatrooms.stores.base import Bounds, Store
from sanic_chatrooms.stores.redis import eraser as redis_eraser
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.ids import new_id
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer, running, until

Erase: TypeAlias = Callable[[Store], Awaitable[None]]

S = TypeVar("S", bound=Store)

WORD = "Rumpelstilzchen"
KEPT = "what the others said"


def digest(text: str) -> bytes:
    """What a worker would compute; in hex, so that a search for it finds it in every encoding."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest().encode()


NEEDLES = [WORD.encode(), *(digest(f"{WORD} {n}") for n in range(3))]


def draft(text: str, *, type: str = "message", about: Relation | None = None) -> Draft:
    payload, key = b'{"text":"%s"}' % text.encode(), ("u1", new_id())
    return Draft("r", type, payload, new_id(), 1_750_000_000.0, Sender("u1", "Ada"), key, digest(text), about)


def edit(of: Draft, text: str) -> Draft:
    return draft(
        text,
        type="message.edited",
        about=Relation(of.msg_id, Fold.REPLACE, value=b'{"text":"%s"}' % text.encode()),
    )


async def store_one(store: Store, item: Draft) -> None:
    (answer,) = await store.append([item])
    assert isinstance(answer, Appended), answer


async def say_and_delete(store: Store) -> None:
    """Say it in three versions, among what others say, and delete it."""
    said = draft(f"{WORD} 0")
    await store_one(store, said)
    await store_one(store, draft(KEPT))
    for n in (1, 2):
        await store_one(store, edit(said, f"{WORD} {n}"))
    await store_one(store, draft("", type="message.deleted", about=Relation(said.msg_id, Fold.ERASE)))


async def say_and_edit(store: Store) -> None:
    """Say it, and edit it. The hash stays, so that another payload under the same key is a conflict."""
    said = msgspec.structs.replace(draft(f"{WORD} 0"), hash=b"a hash")
    await store_one(store, said)
    await store_one(store, edit(said, KEPT))


@contextlib.asynccontextmanager
async def started(store: S) -> AsyncIterator[S]:
    await store.start("default", Bounds())
    try:
        await store.create_room(Room("r", "", 0))
        yield store
    finally:
        await store.stop()


def found(kept: bytes) -> list[bytes]:
    assert KEPT.encode() in kept, "the search finds what is there"
    return [needle for needle in NEEDLES if needle in kept]


def files(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


# ---- SQLite ----


@pytest.mark.parametrize("erase", [say_and_delete, say_and_edit])
async def test_no_file_of_sqlite_holds_it(tmp_path: Path, erase: Erase) -> None:
    store = SQLStore(f"sqlite:///{tmp_path}/chat.db")
    async with started(store):
        await erase(store)
        await store._upkeep.look()

        assert found(files(tmp_path)) == []


# ---- PostgreSQL ----


@pytest.mark.parametrize("erase", [say_and_delete, say_and_edit])
async def test_no_row_of_postgresql_holds_it(
    postgres: PostgresServer, postgres_url: str, erase: Erase
) -> None:
    async with started(SQLStore(postgres_url)) as store:
        await erase(store)
        side = await postgres.connect(urlsplit(postgres_url).path[1:])
        try:
            tables = await side.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            kept = b""
            for (table,) in tables:
                for row in await side.fetch(f'SELECT * FROM "{table}"'):
                    kept += b" ".join(
                        value if isinstance(value, bytes) else str(value).encode() for value in row
                    )
        finally:
            await side.close()

    assert found(kept) == []


# ---- Redis ----


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


@pytest.mark.parametrize("erase", [say_and_delete, say_and_edit])
async def test_no_key_of_redis_holds_it(valkey: ValkeyServer, erase: Erase) -> None:
    valkey.ask("FLUSHALL")
    async with started(RedisStore(valkey.url)) as store:
        await erase(store)

    assert found(everything(valkey)) == []


@pytest.fixture(scope="module")
def durable() -> Iterator[ValkeyServer]:
    with running(
        "--rdbcompression", "no", persistence="always"
    ) as server:  # so that a search finds what is there
        yield server


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_eraser, "SOONEST", 0.0)
    monkeypatch.setattr(redis_eraser, "SHARE", 0)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("erase", [say_and_delete, say_and_edit])
async def test_no_file_of_redis_holds_it_once_the_append_only_file_is_written_anew(
    durable: ValkeyServer, erase: Erase
) -> None:
    async with started(RedisStore(durable.url)) as store:
        await erase(store)
        assert WORD.encode() in found(files(durable.directory)), "the file keeps what was said"

    async with started(RedisStore(durable.url)) as other:  # another worker, which did not delete it
        await other._eraser.look()
        await other._eraser.look()
        await store_one(other, draft(KEPT))

        until(lambda: not found(files(durable.directory)), "the server removes its old files")
    durable.kill()
    durable.start()

    assert found(files(durable.directory)) == []


@pytest.mark.usefixtures("at_once")
async def test_a_deleted_room_goes_out_of_the_append_only_file(durable: ValkeyServer) -> None:
    async with started(RedisStore(durable.url)) as store:
        await store.create_room(Room("secret", "", 0))
        await store_one(store, msgspec.structs.replace(draft(f"{WORD} 0"), room="secret"))
        await store_one(store, draft(KEPT))
        assert WORD.encode() in found(files(durable.directory))

        await store.delete_room("secret")
        await store._eraser.look()

        until(lambda: not found(files(durable.directory)), "the server removes its old files")


@pytest.mark.usefixtures("at_once")
async def test_the_append_only_file_is_written_anew_once_for_what_was_deleted(durable: ValkeyServer) -> None:
    def rewrites() -> str:
        return next(
            line for line in durable.ask("INFO", "persistence").splitlines() if "aof_rewrites:" in line
        )

    async with started(RedisStore(durable.url)) as one, started(RedisStore(durable.url)) as other:
        await one._eraser.look()
        before = rewrites()
        await say_and_edit(one)

        for store in (one, other) * 3:
            await store._eraser.look()

        number = int(before.partition(":")[2])
        assert rewrites() == f"aof_rewrites:{number + 1}"


async def test_many_deletions_share_one_new_append_only_file(durable: ValkeyServer) -> None:
    async with started(RedisStore(durable.url)) as store:
        await say_and_edit(store)
        for _ in range(3):
            await store._eraser.look()

        assert WORD.encode() in found(files(durable.directory)), "not before SOONEST"


async def test_who_may_not_have_it_written_anew_is_told_what_stays(
    durable: ValkeyServer, at_once: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_eraser, "INTERVAL", 0.01)
    durable.ask(
        "ACL", "SETUSER", "few", "on", ">pw", "~chatrooms:*", "+@all", "-@admin", "-@dangerous", "+info"
    )
    async with started(RedisStore(f"redis://few:pw@127.0.0.1:{durable.port}")) as store:
        await say_and_edit(store)
        task = store._eraser._task
        assert task is not None
        async with asyncio.timeout(30):
            await task

    assert "ACL: +bgrewriteaof" in caplog.text


def everything(valkey: ValkeyServer) -> bytes:
    kept = b""
    with redis.Redis(port=valkey.port) as asking:
        for key in asking.scan_iter():
            match asking.type(key):
                case b"hash":
                    kept += b" ".join(part for pair in asking.hgetall(key).items() for part in pair)
                case b"list":
                    kept += b" ".join(asking.lrange(key, 0, -1))
                case b"zset":
                    kept += b" ".join(asking.zrange(key, 0, -1))
                case b"string":
                    kept += asking.get(key)
                case other:
                    raise AssertionError(other)
    return kept
