"""After `erase_user`, no table, key, file or log of any store holds what the user said, or was called, or what others said about them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import pytest
import redis

from sanic_chatrooms import ChatRooms, Happening, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import EVERYONE, Draft, Fold, Relation, Room, Sender, direct_room, user_room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.erasing import Erased
from sanic_chatrooms.stores.redis import eraser as redis_eraser
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.stores.sql import outbox
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing.connections import running_core
from tests.support.joined import joined
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer, running, until

ADA = User("u-erased", "needle-name", claims={"team": "needle-claim"})
BOB, EVE = User("u2", "Bob"), User("u3", "Eve")
KEPT = "what the others said"
SHA = "0123456789abcdef" * 4


class Story:
    """A user who leaves traces of every kind, among what others say."""

    def __init__(self, store: str) -> None:
        self.rooms = ChatRooms("test", guests=True, tickets=True)
        self.told: list[str] = []
        self._url = store
        self.rooms.on("message.unattached")(self._forget)

    async def _forget(self, event: Happening) -> None:
        self.told += [one["url"] for one in event.payload["attachments"]]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Chat]:
        async with running_core(self.rooms, store=self._url, broker="memory:", presence="memory:") as chat:
            yield chat

    async def live(self, chat: Chat) -> None:
        """Leave the traces."""
        rooms = self.rooms
        await rooms.create_room("general", as_user=EVE)
        await rooms.create_room("team", visibility="private", announce=True, as_user=ADA)
        await rooms.create_room("other", visibility="private", as_user=EVE)
        await rooms.add_member("team", BOB)
        ada = await joined(chat, ADA, "general", "team")
        bob, eve = await joined(chat, BOB, "general", "team"), await joined(chat, EVE, "general", "other")
        said = await bob.ack("message", room="general", payload={"text": KEPT, "mentions": [ADA.id, EVE.id]})
        await bob.ack("message.edit", room="general", payload={"msgId": said["msgId"], "body": {"text": KEPT, "mentions": [ADA.id]}})  # fmt: skip

        files = [
            {"url": "/needle-url", "name": "needle-file", "type": "text/plain", "size": 1, "sha256": SHA}
        ]
        body = {
            "text": "needle-text",
            "needle-field": "needle-value",
            "attachments": files,
            "mentions": [BOB.id],
        }
        mine = await ada.ack("message", room="general", payload=body)
        await ada.ack(
            "message", room="general", payload={"text": "needle-keyed"}, msg_id="needle-key-of-a-message"
        )
        await ada.ack("message", room="general", payload={"text": "needle-reply", "parent": said["msgId"]})
        reply = await bob.ack("message", room="general", payload={"text": KEPT, "parent": said["msgId"]})
        await bob.ack(
            "message.delete", room="general", payload={"msgId": reply["msgId"]}
        )  # it tells who replied last
        edited = await ada.ack("message", room="general", payload={"text": "needle-first"})
        for text in ("needle-second", "needle-third"):
            await ada.ack(
                "message.edit", room="general", payload={"msgId": edited["msgId"], "body": {"text": text}}
            )
        deleted = await ada.ack("message", room="general", payload={"text": "needle-deleted"})
        await eve.ack(
            "message.delete", room="general", payload={"msgId": deleted["msgId"], "reason": "needle-why"}
        )
        await ada.ack(
            "reaction.add", room="general", payload={"msgId": said["msgId"], "emoji": ":needle_emoji:"}
        )
        await ada.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "needle-report"})
        await bob.ack("report", room="general", payload={"msgId": mine["msgId"], "reason": "needle-reported"})
        await ada.ack("prefs", room="general", payload={"notify": "none"})
        await ada.ack("read", room="general", payload={"seq": 2})
        opened = await ada.ack("message.open", room="general", payload={"text": "needle-open"})
        await ada.ack(
            "message.append",
            room="general",
            payload={"msgId": opened["msgId"], "at": 11, "text": " needle-more"},
        )
        assert await chat.store.checkpoint("general", opened["msgId"], "needle-open needle-more", 1)
        await bob.ack("message.open", room="general", payload={"text": KEPT, "mentions": [ADA.id]})

        theirs = await bob.ack("message", room="team", payload={"text": KEPT})
        await ada.ack("message.pin", room="team", payload={"msgId": theirs["msgId"]})
        await ada.ack("member.invite", room="team", payload={"user": EVE.id, "reason": "needle-invite"})
        await ada.ack("member.mute", room="team", payload={"user": BOB.id, "reason": "needle-mute"})
        await eve.ack("member.invite", room="other", payload={"user": ADA.id, "reason": "needle-invited"})
        await ada.ack("direct", payload={"to": BOB.id, "body": {"text": "needle-direct"}})
        await bob.ack("direct", payload={"to": ADA.id, "body": {"text": KEPT}})
        await ada.ack("user.block", payload={"user": EVE.id})
        await bob.ack("user.block", payload={"user": ADA.id})
        await eve.ack("member.mute", room="general", payload={"user": ADA.id, "reason": "needle-muted"})
        await rooms.ticket(ADA)
        await rooms.update_room("team", permissions={"message.pin": {"users": [ADA.id]}})
        if chat.core.index is not None:
            await chat.core.index.index()

    async def play(self, caplog: pytest.LogCaptureFixture, chat: Chat, before: Any) -> None:
        """Live, and be erased. `before` looks that the traces are there."""
        caplog.set_level(logging.DEBUG)
        await self.live(chat)
        before()
        await self.rooms.erase_user(ADA)

        assert self.told == ["/needle-url"]
        assert needles(caplog.text.encode(), whole=False) == []
        await self.check(chat)

    async def check(self, chat: Chat) -> None:
        """What others did is there, and rooms show what they should."""
        store = chat.store
        page = await store.history("general", after=0, limit=200, reader=ADA.id)
        there = [event for event in page.events if not event.deleted]
        assert {event.sender.id for event in page.events if event.sender is not None} <= {BOB.id, EVE.id}
        assert [event.type for event in there if event.type.startswith("message")][:2] == [
            "message",
            "message.edited",
        ]
        assert dict(page.related) == {}
        assert ADA.id.encode() not in b"".join(bytes(event.payload) for event in page.events)
        assert (await store.message("general", there[0].msg_id)) is not None
        for room in ("general", "team", "other", direct_room(ADA.id, BOB.id)):
            assert await store.facts_about(room, ADA.id) == {}
            assert (await store.facts(room, "erasing")).facts == []
        assert await store.room(user_room(ADA.id)) is None
        team = await store.room("team")
        assert team is not None
        assert team.created_by is None
        assert [line async for line in self.rooms.export_user(ADA)] == []


def needles(kept: bytes, *, whole: bool = True) -> list[bytes]:
    assert not whole or KEPT.encode() in kept, "the search finds what is there"
    return sorted(set(re.findall(rb"needle[\w-]*", kept)))


WRITTEN = {
    b"needle-text", b"needle-value", b"needle-url", b"needle-file", b"needle-name", b"needle-more", b"needle-reply", b"needle-third",
    b"needle-report", b"needle-reported", b"needle-why", b"needle-invite", b"needle-invited", b"needle-mute", b"needle-muted",
    b"needle-direct", b"needle-claim", b"needle-key-of-a-message", b"needle_emoji",
}  # fmt: skip


def files(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


async def test_memory_holds_nothing_of_a_user_who_was_erased(caplog: pytest.LogCaptureFixture) -> None:
    story = Story("memory:")
    async with story.running() as chat:
        await story.play(caplog, chat, lambda: None)


async def test_no_file_of_sqlite_holds_anything_of_a_user_who_was_erased(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    story = Story(f"sqlite:///{tmp_path}/chat.db")

    def before() -> None:
        assert set(needles(files(tmp_path))) >= WRITTEN

    async with story.running() as chat:
        await story.play(caplog, chat, before)
        store = cast("SQLStore", chat.backends.store)
        async with asyncio.timeout(40):
            while needles(files(tmp_path)):  # as long as somebody reads, the log cannot be emptied
                await store._upkeep.look()


async def leave_what_is_gone(rooms: ChatRooms, chat: Chat) -> None:
    """The user has said something that was trimmed, like what others did to them, and something in a room that was deleted, and
    is no member of any room."""
    for room in ("general", "gone", "other"):
        await rooms.create_room(room)
    ada = await joined(chat, ADA, "gone")
    await ada.ack("message", room="gone", payload={"text": "needle-gone"})
    await rooms.delete_room("gone")
    await rooms.publish("general", "message", {"text": "needle-trimmed"}, sender=ADA)
    await rooms.mute("general", ADA, reason="needle-muted")
    await rooms.unmute("general", ADA)
    for room in ("general", "other"):
        for _ in range(20):
            await rooms.publish(room, "message", {"text": KEPT}, sender=BOB)


async def test_what_was_trimmed_or_went_with_its_room_a_moment_ago_is_in_no_file_of_sqlite(
    tmp_path: Path,
) -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms, store=f"sqlite:///{tmp_path}/chat.db", history_max=4) as chat:
        await leave_what_is_gone(rooms, chat)
        before = await chat.store.heads(["general", "other"])
        assert set(needles(files(tmp_path))) >= {
            b"needle-gone", b"needle-trimmed", b"needle-name", b"needle-muted"
        }  # fmt: skip

        await rooms.erase_user(ADA)

        async with asyncio.timeout(40):
            while needles(files(tmp_path)):  # as long as somebody reads, the log cannot be emptied
                await cast("SQLStore", chat.backends.store)._upkeep.look()
        assert await chat.store.heads(["general", "other"]) == before, "nobody has to join anew"


async def test_what_was_trimmed_or_went_with_its_room_a_moment_ago_is_in_no_row_of_postgresql(
    postgres: PostgresServer, postgres_url: str
) -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(
        rooms, store=postgres_url, broker="memory:", presence="memory:", history_max=4
    ) as chat:
        await leave_what_is_gone(rooms, chat)
        assert set(needles(b"\n".join(await rows_of(postgres, postgres_url)))) >= {b"needle-trimmed"}

        await rooms.erase_user(ADA)

        assert needles(b"\n".join(await rows_of(postgres, postgres_url))) == []


async def rows_of(postgres: PostgresServer, url: str) -> list[bytes]:
    """All rows of all tables."""
    side, rows = await postgres.connect(urlsplit(url).path[1:]), list[bytes]()
    try:
        for (table,) in await side.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            for row in await side.fetch(f'SELECT * FROM "{table}"'):
                values = [value if isinstance(value, bytes) else str(value).encode() for value in row]
                rows.append(b" ".join(values))
    finally:
        await side.close()
    return rows


async def moved_about(store: SQLStore) -> None:
    """Fill a room with what two users say, and edit it, so that SQLite moves rows from page to page. Then erase one of them."""
    await store.create_room(Room("r", "", 0))
    dice, theirs = random.Random(1), list[tuple[str, str]]()
    for n in range(60):
        drafts = []
        for _ in range(10):
            user, word = dice.choice((("u-erased", "needle "), ("u2", KEPT)))
            text = word * dice.randrange(1, 40)
            drafts.append(draft(user, text))
            theirs.append((drafts[-1].msg_id, user))
        msg_id, user = dice.choice(theirs)
        body = b'{"text":"%s"}' % (("needle " if user == "u-erased" else KEPT) * dice.randrange(60)).encode()
        about = Relation(msg_id, Fold.REPLACE, value=body)
        await store.append(
            [*drafts, msgspec.structs.replace(draft(user, str(n), "message.edited"), about=about)]
        )
    head = (await store.heads(["r"]))["r"].seq
    for low in range(1, head + 1, 200):
        events = (await store.history("r", after=low - 1, limit=200)).events
        gone = [Erased(e.seq or 0) for e in events if e.sender is not None and e.sender.id == "u-erased"]
        await store.erase("r", "u-erased", gone)
    await store._upkeep.look()


def draft(user: str, text: str, type: str = "message") -> Draft:
    payload = b'{"text":"%s"}' % text.encode()
    return Draft("r", type, payload, new_id(), 1_750_000_000.0, Sender(user, user), (user, new_id()), b"#")


async def test_copies_that_sqlite_has_left_in_its_pages_go_too(tmp_path: Path) -> None:
    store = SQLStore(f"sqlite:///{tmp_path}/chat.db")
    await store.start("default", Bounds())
    try:
        await moved_about(store)
        assert needles(files(tmp_path)) != [], "a copy is left: without one this shows nothing"

        await store.forget_user("u-erased", ())

        assert needles(files(tmp_path)) == []
    finally:
        await store.stop()


async def test_a_file_with_tables_of_the_app_is_not_written_anew_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "chat.db")) as app:
        app.execute("CREATE TABLE orders (name TEXT)")
        app.executemany("INSERT INTO orders (name) VALUES (?)", [("one",), ("two",)])
        app.execute("DELETE FROM orders WHERE name = 'one'")
        app.commit()
        store = SQLStore(f"sqlite:///{tmp_path}/chat.db")
        await store.start("default", Bounds())
        try:
            await store.forget_user("u-erased", ())
        finally:
            await store.stop()

        assert app.execute("SELECT rowid FROM orders").fetchall() == [(2,)]
    assert "run VACUUM" in caplog.text


async def test_no_row_of_postgresql_holds_anything_of_a_user_who_was_erased(
    postgres: PostgresServer, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    story = Story(postgres_url)
    async with story.running() as chat:
        await story.play(caplog, chat, lambda: None)
        rows = await rows_of(postgres, postgres_url)

    assert needles(b"\n".join(rows)) == []
    of_the_user = [row for row in rows if ADA.id.encode() in row]
    assert of_the_user
    assert [row for row in of_the_user if b"revoked" not in row and b'"refuse"' not in row] == []


@pytest.fixture(scope="module")
def durable() -> Iterator[ValkeyServer]:
    with running(
        "--rdbcompression", "no", persistence="always"
    ) as server:  # so that a search finds what is there
        yield server


async def test_no_key_or_file_of_valkey_holds_anything_of_a_user_who_was_erased(
    durable: ValkeyServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_eraser, "SOONEST", 0.0)
    monkeypatch.setattr(redis_eraser, "SHARE", 0)
    story = Story(durable.url)

    def before() -> None:
        assert set(needles(files(durable.directory))) >= WRITTEN

    async with story.running() as chat:
        await story.play(caplog, chat, before)
        kept = everything(durable)
        assert needles(b"\n".join(kept)) == []
        of_the_user = [part for part in kept if ADA.id.encode() in part]
        assert of_the_user
        assert [part for part in of_the_user if EVERYONE.encode() not in part.partition(b" ")[0]] == []
        store = cast("RedisStore", chat.backends.store)
        await store._eraser.look()
        await store._eraser.look()

        until(lambda: needles(files(durable.directory)) == [], "the server removes its old files")
    durable.kill()
    durable.start()

    assert needles(files(durable.directory)) == []


def everything(valkey: ValkeyServer) -> list[bytes]:
    """Each key with what it holds."""
    kept = []
    with redis.Redis(port=valkey.port) as asking:
        for key in asking.scan_iter():
            match asking.type(key):
                case b"hash":
                    parts = [part for pair in asking.hgetall(key).items() for part in pair]
                case b"list":
                    parts = asking.lrange(key, 0, -1)
                case b"zset":
                    parts = asking.zrange(key, 0, -1)
                case b"string":
                    parts = [asking.get(key)]
                case other:
                    raise AssertionError(other)
            kept.append(b" ".join([key, *parts]))
    return kept


# ---- what was trimmed, and the outbox ----


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/chat.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


async def test_what_waits_in_the_outbox_is_forgotten(url: str) -> None:
    store = SQLStore(url)
    await store.start("default", Bounds())
    try:
        await store.create_room(Room("r", "", 0))
        for user in (ADA, BOB):
            sender = Sender(user.id, user.name)
            waiting = Draft(
                "r", "message", b'{"text":"hi"}', new_id(), 1_750_000_000.0, sender, (user.id, "k")
            )
            await store._database.write(
                lambda c, draft=waiting: c.execute(store._schema.outbox.insert(), outbox._values(draft))  # type: ignore[misc]
            )

        await store.forget_user(ADA.id, ())

        assert [draft.sender for draft, _ in await store.number(9)] == [Sender(BOB.id, BOB.name)]
    finally:
        await store.stop()


async def test_nothing_is_left_of_what_was_trimmed_a_moment_ago(url: str) -> None:
    store = SQLStore(url)
    await store.start("default", Bounds(history_max=2))
    try:
        await store.create_room(Room("r", "", 0))
        await store.append([draft(user, f"needle {user}") for user in ("u-erased", "u2", "u-erased", "u2")])

        await store.erase("r", "u-erased", [Erased(3)])
        await store.erase("r", "u-erased", ())

        rows = await store._database.read(
            lambda c: c.execute(store._schema.event.select().order_by(store._schema.event.c.seq)).all()
        )
        assert [(row.sender_id, b"needle" in row.payload, row.key_user) for row in rows] == [
            (None, False, None),
            ("u2", True, "u2"),
        ] * 2
    finally:
        await store.stop()
