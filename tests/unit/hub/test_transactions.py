"""Events within transactions of the app's own: how the core numbers what an outbox holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, create_engine

from sanic_chatrooms import ChatRooms, Context, InvalidField, RoomNotFound, TooLarge, Unavailable, User
from sanic_chatrooms.access.access import Access
from sanic_chatrooms.errors import ChatError
from sanic_chatrooms.hooks.middleware import Handler
from sanic_chatrooms.hub.transactions import Transactions
from sanic_chatrooms.models import Appended, Draft, Fact, Room, Sender
from sanic_chatrooms.observe.instruments import DROPPED_COMMITS
from sanic_chatrooms.observe.meter import SILENT, Meter
from sanic_chatrooms.stores.base import Bounds, Stale
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.stores.outbox import Outbox
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import RecordingMeter, chat_client
from sanic_chatrooms.testing.connections import running_core

ADA = User("u1", "Ada")


class OutboxInMemory(MemoryStore, Outbox):
    """Everything that is put is committed when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Draft] = []
        self.failures: list[Exception] = []
        self.asked = asyncio.Event()
        self.committed: Callable[[], None] = lambda: None

    async def put(self, within: object, draft: Draft, committed: Callable[[], None]) -> None:
        assert isinstance(within, list)
        within.append(draft)
        self.committed = committed

    async def number(self, limit: int) -> list[tuple[Draft, Appended | ChatError]]:
        self.asked.set()
        if self.failures:
            raise self.failures.pop()
        drafts, self.waiting = self.waiting[:limit], self.waiting[limit:]
        results = await self.append(drafts)
        self.waiting[:0] = [
            draft for draft, result in zip(drafts, results, strict=True) if isinstance(result, Stale)
        ]
        return list(zip(drafts, results, strict=True))

    async def judge(self, draft: Draft) -> None:
        self.waiting = [draft if draft.msg_id == one.msg_id else one for one in self.waiting]

    async def drop(self, msg_id: str) -> None:
        self.waiting = [one for one in self.waiting if one.msg_id != msg_id]

    def commit(self, within: list[Draft]) -> None:
        self.waiting += within
        within.clear()


class Told:
    """In the place of a journal."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.users: list[str] = []
        """Types of the events of which users were told."""
        self.heard = asyncio.Event()

    def tell(self, draft: Draft, result: Appended) -> None:
        self.types.append(draft.type)
        self.heard.set()

    async def tell_users(self, draft: Draft, result: Appended) -> None:
        self.users.append(draft.type)


@asynccontextmanager
async def numbering(
    store: OutboxInMemory,
    judge: Callable[[Draft], Awaitable[Draft]] | None = None,
    meter: Meter = SILENT,
) -> AsyncIterator[tuple[Transactions, Told, list[str]]]:
    """The store has the room "r"."""
    await store.start("test", Bounds())
    await store.create_room(Room("r", "", 0))
    told, doubts = Told(), list[str]()
    transactions = Transactions(
        store,
        told,  # type: ignore[arg-type]
        lambda: doubts.append("doubt"),
        judge or Access(store).again,
        told.tell_users,
        interval=0.02,
        meter=meter,
    )
    task = asyncio.ensure_future(transactions.run())
    yield transactions, told, doubts
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.stop()


def draft(type: str = "ORDER", room: str = "r") -> Draft:
    id = new_id()
    return Draft(room, type, b"{}", id, now(), None, ("", id))


# ---- the app's verb ----


async def test_what_is_published_within_a_transaction_is_heard_after_its_commit_and_not_before(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    rooms = ChatRooms("test", guests=True, store=SQLStore(url))
    engine = create_engine(url)
    async with running_core(rooms) as chat:
        await rooms.create_room("orders")
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="orders")
        with engine.connect() as connection:
            await rooms.publish("orders", "ORDER", {"id": 7}, within=connection)
            before = await rooms.history("orders")
            connection.commit()

        event = await ada.expect("ORDER")

    engine.dispose()
    assert before.messages == []
    assert (event["payload"], event["seq"]) == ({"id": 7}, 1)


async def test_a_rolled_back_transaction_says_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    engine = create_engine(url)
    rooms = ChatRooms("test", guests=True, store=SQLStore(url))
    async with running_core(rooms) as chat:
        await rooms.create_room("orders")
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="orders")
        for type, end in (("ROLLED_BACK", Connection.rollback), ("COMMITTED", Connection.commit)):
            with engine.connect() as connection:
                await rooms.publish("orders", type, {}, within=connection)
                end(connection)

        await ada.expect("COMMITTED")
        page = await rooms.history("orders")

    engine.dispose()
    assert [message["type"] for message in page.messages] == ["COMMITTED"]


async def test_a_store_without_an_outbox_names_those_that_have_one() -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms):
        await rooms.create_room("orders")

        with pytest.raises(InvalidField, match=r"MemoryStore .*SQLStore"):
            await rooms.publish("orders", "ORDER", {}, within=object())


async def test_checks_come_before_the_transaction() -> None:
    store = OutboxInMemory()
    rooms = ChatRooms("test", guests=True, store=store)
    transaction: list[Draft] = []
    async with running_core(rooms):
        await rooms.create_room("orders")

        with pytest.raises(RoomNotFound):
            await rooms.publish("nowhere", "ORDER", {}, within=transaction)
        with pytest.raises(InvalidField, match="key"):
            await rooms.publish("orders", "ORDER", {}, key="short", within=transaction)

        assert transaction == []
        await rooms.publish("orders", "ORDER", {"n": 1}, within=transaction, sender=ADA)
        assert [(d.type, d.payload, d.sender and d.sender.id) for d in transaction] == [
            ("ORDER", b'{"n":1}', "u1")
        ]


async def test_a_users_command_goes_into_the_transaction_after_all_that_wraps_it() -> None:
    store = OutboxInMemory()
    rooms = ChatRooms("test", guests=True, store=store, max_text=10)

    @rooms.middleware("message")
    async def shout(ctx: Context, call_next: Handler) -> Any:
        ctx.payload = {"text": ctx.payload["text"].upper()}
        return await call_next(ctx)

    transaction: list[Draft] = []
    async with running_core(rooms):
        await rooms.create_room("orders")

        await rooms.publish("orders", "message", {"text": "hi"}, within=transaction, as_user=ADA)
        with pytest.raises(TooLarge):
            await rooms.publish("orders", "message", {"text": "x" * 11}, within=transaction, as_user=ADA)

        assert [(d.payload, d.sender and d.sender.id) for d in transaction] == [(b'{"text":"HI"}', "u1")]


# ---- numbering ----


async def test_what_others_committed_is_numbered_though_nobody_rang() -> None:
    store = OutboxInMemory()
    async with numbering(store) as (_, told, _):
        store.commit([draft()])

        async with asyncio.timeout(30):
            await told.heard.wait()

    assert told.types == ["ORDER"]


async def test_a_commit_is_looked_for_until_it_is_there() -> None:
    store, transaction = OutboxInMemory(), list[Draft]()
    async with numbering(store) as (transactions, told, _):
        await transactions.put(transaction, draft())
        store.asked.clear()
        store.committed()  # right before the COMMIT
        async with asyncio.timeout(30):
            await store.asked.wait()
            store.commit(transaction)
            await told.heard.wait()

    assert told.types == ["ORDER"]


async def test_what_cannot_be_stored_is_logged_and_the_rest_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, again = OutboxInMemory(), draft("AGAIN")
    async with numbering(store) as (_, told, _):
        await store.append([again])
        with caplog.at_level(logging.WARNING, "sanic_chatrooms.hub.transactions"):
            store.commit([draft("LOST", "nowhere"), again, draft("KEPT")])
            async with asyncio.timeout(30):
                await told.heard.wait()

    assert told.types == told.users == ["KEPT"]
    assert "nowhere" in caplog.text


async def test_an_outage_casts_doubt_and_is_got_over() -> None:
    store = OutboxInMemory()
    async with numbering(store) as (_, told, doubts):
        store.failures = [RuntimeError("defect"), Unavailable()]
        store.commit([draft()])

        async with asyncio.timeout(40):
            await told.heard.wait()

    assert told.types == ["ORDER"]
    assert doubts == ["doubt", "doubt"]  # after either, something may be stored that nobody here was told of


async def test_who_was_muted_between_the_call_and_the_commit_is_not_heard_and_others_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, meter = OutboxInMemory(), RecordingMeter()
    async with numbering(store, meter=meter) as (_, told, _):
        mute = replace(draft("member.muted"), facts=(Fact("mute", "u1", b"{}"),), restricts=True)
        await store.append([mute])
        with caplog.at_level(logging.WARNING, "sanic_chatrooms.hub.transactions"):
            store.commit(
                [
                    replace(draft("MUTED"), sender=Sender("u1", "Ada"), judged=0),
                    replace(draft("OTHER"), sender=Sender("u2", "Bob"), judged=0),
                ]
            )
            async with asyncio.timeout(30):
                await told.heard.wait()

    assert told.types == ["OTHER"]
    assert (store.waiting, meter.value(DROPPED_COMMITS, "muted")) == ([], 1)
    assert "for room r was dropped: you may read here and not write" in caplog.text


async def test_what_cannot_be_judged_now_keeps_nothing_that_is_stored_untold() -> None:
    store = OutboxInMemory()

    async def away(draft: Draft) -> Draft:
        raise Unavailable

    async with numbering(store, away) as (_, told, _):
        await store.append([replace(draft("member.kicked"), restricts=True)])
        store.commit([replace(draft("WAITS"), judged=0), draft("ONE"), draft("TWO")])
        async with asyncio.timeout(30):
            await told.heard.wait()
        await asyncio.sleep(0)

    assert told.types == told.users == ["ONE", "TWO"]


async def test_what_cannot_be_judged_now_waits() -> None:
    store, outages = OutboxInMemory(), [Unavailable(), Unavailable()]

    async def judge(draft: Draft) -> Draft:
        if outages:
            raise outages.pop()
        return await Access(store).again(draft)

    async with numbering(store, judge) as (_, told, _):
        await store.append([replace(draft("member.kicked"), restricts=True)])
        store.commit([replace(draft(), judged=0)])
        async with asyncio.timeout(30):
            await told.heard.wait()

    assert told.types == ["ORDER"]
