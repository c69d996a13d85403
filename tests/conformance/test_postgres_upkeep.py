"""What `SQLStore` removes from PostgreSQL, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from sanic_chatrooms.models import Appended, Draft, Fact, Fold, Relation, Room, user_room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql import trim as sql_upkeep
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import Clock


def drafts(clock: Clock, count: int) -> list[Draft]:
    return [Draft("r", "message", b"{}", f"id-{n}", clock(), None, ("u1", f"{n}")) for n in range(count)]


@asynccontextmanager
async def started(url: str, bounds: Bounds, clock: Clock) -> AsyncIterator[SQLStore]:
    store = SQLStore(url, clock=clock)
    await store.start("default", bounds)
    await store.create_room(Room("r", "", 0))
    yield store
    await store.stop()


async def rows(store: SQLStore, noun: str = "event") -> int:
    table: Any = getattr(store._schema, noun)
    return len(await store._database.read(lambda c: c.execute(table.select()).all()))


async def test_rows_below_the_floor_go_when_their_keys_may_be_forgotten(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_upkeep, "ROWS", 10)
    clock = Clock()
    async with started(postgres_url, Bounds(history_max=5), clock) as store:
        said = drafts(clock, 40)
        await store.append(said)
        clock.advance(299)
        await store._upkeep.look()
        kept = await rows(store)
        (again,) = await store.append(said[:1])
        clock.advance(2)

        await store._upkeep.look()

        assert isinstance(again, Appended)
        assert (kept, again.seq, again.duplicate) == (40, 1, True)
        assert await rows(store) == 5
        page = await store.history("r", after=0, limit=9)
        assert (page.floor, [event.seq for event in page.events]) == (35, [36, 37, 38, 39, 40])


def reactions(clock: Clock, target: str, count: int) -> list[Draft]:
    return [
        Draft("r", "reaction.added", b"{}", f"re-{target}-{n}", clock(), about=about)
        for n in range(count)
        for about in [Relation(target, Fold.TOGGLE, "👍", f"u{n}", True)]
    ]


async def test_what_was_on_at_a_trimmed_message_goes_too(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_upkeep, "ROWS", 10)
    clock = Clock()
    async with started(postgres_url, Bounds(history_max=40), clock) as store:
        await store.append([*drafts(clock, 1), *reactions(clock, "id-0", 25)])
        last = Draft("r", "message", b"{}", "last", clock())
        await store.append([last, *reactions(clock, "last", 3), *drafts(clock, 36)[1:]])
        clock.advance(301)

        await store._upkeep.look()

        assert await rows(store, "relation") == 3
        assert (await store.toggles("r", key="👍")).total == 3


async def test_mentions_in_trimmed_messages_go_too(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_upkeep, "ROWS", 10)
    clock = Clock()
    async with started(postgres_url, Bounds(history_max=5), clock) as store:
        named = [replace(draft, mentions=("u1", "u2")) for draft in drafts(clock, 20)]
        await store.append(named)
        clock.advance(301)

        await store._upkeep.look()

        assert await rows(store, "mention") == 10


async def test_a_deleted_room_goes_with_all_its_rows(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_upkeep, "ROWS", 10)
    clock = Clock()
    async with started(postgres_url, Bounds(), clock) as store:
        named = [replace(draft, mentions=("u1",)) for draft in drafts(clock, 1)]
        await store.append([*named, *reactions(clock, "id-0", 25)])
        await store.set_fact("r", Fact("member", "u1", b"{}"))
        await store.delete_room("r")

        await store._upkeep.look()

        for noun in ("event", "relation", "mention", "fact", "room"):
            assert await rows(store, noun) == 0


async def test_what_is_said_while_rows_are_removed_is_kept(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_upkeep, "ROWS", 10)
    clock = Clock()
    async with started(postgres_url, Bounds(history_max=5, dedup_window=1.0), clock) as store:
        await store.append(drafts(clock, 100))
        clock.advance(2)
        later = [Draft("r", "message", b"{}", f"later-{n}", clock(), None, ("u2", f"{n}")) for n in range(20)]

        answers, _ = await asyncio.gather(
            asyncio.gather(*(store.append([item]) for item in later)), store._upkeep.look()
        )

        given = [getattr(answer, "seq", None) for (answer,) in answers]
        assert given == list(range(101, 121))
        page = await store.history("r", after=0, limit=9)
        assert [event.seq for event in page.events] == [116, 117, 118, 119, 120]


async def test_inboxes_that_got_nothing_for_a_week_are_forgotten(postgres_url: str) -> None:
    clock = Clock()
    async with started(postgres_url, Bounds(), clock) as store:
        for user, age in (("new", 0.0), ("old", 9e5)):
            await store.create_room(
                Room(user_room(user), "", 0, visibility="reserved", created_at=clock() - age)
            )

        await store._upkeep.look()

        assert await store.room(user_room("old")) is None
        assert await store.room(user_room("new")) is not None


async def test_facts_that_have_ended_and_full_buckets_go(postgres_url: str) -> None:
    clock = Clock()
    async with started(postgres_url, Bounds(), clock) as store:
        for n in range(3):
            await store.set_fact("r", Fact("ban", f"u{n}", b"1", until=clock() + 10 * n + 5))
            await store.take(f"key-{n}", 0.1 / (n + 1), 5)
        await store.set_fact("r", Fact("ban", "ever", b"1"))
        clock.advance(16)

        await store._upkeep.look()

        assert [known.key for known in (await store.facts("r", "ban")).facts] == ["ever", "u2"]
        assert await rows(store, "bucket") == 2
