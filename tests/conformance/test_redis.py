"""The backends in Redis and Valkey keep the contracts: on one server, on a cluster of three, as a user who may do little,
and over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.drivers.redis.server import Call, RedisServer
from sanic_chatrooms.errors import ChatError, RoomNotFound, Unavailable
from sanic_chatrooms.live.presence import LOOK_EVERY
from sanic_chatrooms.models import EVERYONE, Appended, Draft, Event, Room, Sender, user_room
from sanic_chatrooms.presence.base import Entry, Presence
from sanic_chatrooms.presence.redis import RedisPresence
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds, Store
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.testing import BrokerSuite, Clock, PresenceSuite, StoreSuite
from sanic_chatrooms.testing._presence.hooks import ADA, BOB
from sanic_chatrooms.testing._store.hooks import result
from tests.support.on_redis import WITHIN, arrived, brokers, draft, said, store_at
from tests.support.tls import tls_before
from tests.support.valkey import ValkeyServer, make_cluster, running

PASSWORD = "p@ss:word/%"
RULES = ["~shop:*", "&shop:*", "+@all", "-@admin", "-@dangerous", "+info"]
"""What a user needs: our keys and channels, and no more than the page "Redis or Valkey" says."""


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[ValkeyServer]]:
    with make_cluster() as nodes:
        yield nodes


class OnClock:
    """Time that the test lets pass."""

    def setup_method(self) -> None:
        self.clock = Clock()

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class OnServer:
    @pytest.fixture(autouse=True)
    def on(self, valkey: ValkeyServer) -> None:
        self.url = valkey.url


class OnCluster:
    @pytest.fixture(autouse=True)
    def on(self, cluster: list[ValkeyServer]) -> None:
        self.url = f"redis+cluster://127.0.0.1:{cluster[0].port},127.0.0.1:{cluster[1].port}"


class Restricted:
    @pytest.fixture(autouse=True)
    def on(self, valkey: ValkeyServer) -> None:
        assert valkey.ask("ACL", "SETUSER", "chat", "on", f">{PASSWORD}", *RULES) == "OK"
        self.url = f"redis://chat:p%40ss%3Aword%2F%25@127.0.0.1:{valkey.port}/0?prefix=shop:"


class OverTLS:
    @pytest.fixture(autouse=True)
    async def on(self, valkey: ValkeyServer) -> AsyncIterator[None]:
        async with tls_before(valkey.port) as (port, certificate):
            self.url = f"rediss://localhost:{port}/?ssl_ca_certs={certificate}"
            yield


class OfRedisStore(OnClock, StoreSuite):
    url: str

    async def make(self) -> Store:
        return RedisStore(self.url, clock=self.clock)

    async def make_unclocked(self) -> Store:
        return RedisStore(self.url)


class OfRedisBroker(BrokerSuite):
    url: str

    async def make(self) -> tuple[Broker, Broker]:
        return RedisBroker(self.url), RedisBroker(self.url)


class OfRedisPresence(OnClock, PresenceSuite):
    ttl = 60.0
    """The server forgets entries by its own clock, too, and has a part of it to answer: no pause of the machine is as long."""

    url: str

    async def make(self) -> tuple[Presence, Presence]:
        return RedisPresence(self.url, clock=self.clock), RedisPresence(self.url, clock=self.clock)

    async def make_unclocked(self) -> tuple[Presence, Presence]:
        return RedisPresence(self.url), RedisPresence(self.url)


class TestRedisStore(OnServer, OfRedisStore):
    async def test_07_a_server_whose_clock_is_set_forward_forgets_nothing_that_was_sent_just_now(
        self,
    ) -> None:
        async with self.room() as store:
            await self.say(store, 1)
            for step in (7_200.0, 86_400.0):
                self.clock.advance(299.0)
                first = await result(store, self.draft(key=f"k{step}"))
                self.clock.advance(2.0)
                await result(store, self.draft(key=f"later{step}"))  # the window is over: a new hash is begun
                self.clock.advance(step)
                await result(store, self.draft(key=f"set{step}"))

                again = await result(store, self.draft(key=f"k{step}"))

                assert (again.seq, again.duplicate) == (first.seq, True)
                self.clock.advance(400.0)
                await result(store, self.draft(key=f"on{step}"))

    async def test_the_room_of_a_user_ends_a_week_after_the_last_order(self) -> None:
        """A process that was killed left it: nobody else knows of this user."""
        store = RedisStore(self.url)
        await store.start(secrets.token_hex(8), Bounds())
        for room in (EVERYONE, user_room("u1"), user_room("u2"), "r"):
            kind = "public" if room == "r" else "reserved"
            await store.create_room(Room(room, "", 0, visibility=kind))
        await store.append([self.draft(room) for room in (EVERYONE, user_room("u1"), "r")])

        async def lives(room: str) -> list[bool]:
            """For all that there is of the room: does it end, and about a week from now?"""
            calls = [store._calls.plain("PTTL", room, part) for part in "hmtiux"]
            left = [milliseconds for milliseconds in await store._link.run(calls) if milliseconds != -2]
            return [6e8 < milliseconds <= 6.048e8 for milliseconds in left]

        assert await lives(user_room("u2")) == [True]
        assert await lives(user_room("u1")) == [True] * 4
        assert not any(await lives(EVERYONE))
        assert not any(await lives("r"))
        await store.stop()

    async def test_07_a_server_whose_clock_is_set_back_forgets_in_the_end(self, valkey: ValkeyServer) -> None:
        async with self.room() as store:
            await result(store, self.draft(key="k"))
            self.clock.advance(-7_200.0)
            for n in range(4):
                self.clock.advance(301.0)
                await result(store, self.draft(key=f"k{n}"))

            assert not (await result(store, self.draft(key="k"))).duplicate

    async def test_07_rooms_in_which_little_is_said_do_not_remember_for_ever(self) -> None:
        async with self.room() as store:
            for n in range(6):
                await result(store, self.draft(key=f"k{n}"))
                self.clock.advance(10_000.0)

            answers = [await result(store, self.draft(key=f"k{n}")) for n in range(2)]

            assert [answer.duplicate for answer in answers] == [False, False]

    async def test_the_first_members_of_many_rooms_are_one_round_trip(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []
        ask = RedisServer.ask

        async def count(self: RedisServer, calls: Sequence[Call], within: float) -> list[Any]:
            asked.append(len(calls))
            return await ask(self, calls, within)

        async with self.room() as store:
            monkeypatch.setattr(RedisServer, "ask", count)
            await members.first(store, [f"r{n}" for n in range(200)], 2)

        assert asked == [200]


class TestRedisStoreInCluster(OnCluster, OfRedisStore): ...


class TestRedisStoreAsUser(Restricted, OfRedisStore): ...


class TestRedisBroker(OnServer, OfRedisBroker): ...


class TestRedisBrokerInCluster(OnCluster, OfRedisBroker): ...


class TestRedisBrokerAsUser(Restricted, OfRedisBroker): ...


class TestRedisBrokerOverTLS(OverTLS, OfRedisBroker): ...


class TestRedisPresence(OnServer, OfRedisPresence):
    async def test_04_an_entry_of_before_the_clock_was_set_back_ends_when_somebody_comes_in(self) -> None:
        async with self.nodes() as (dead, alive):
            await dead.touch([Entry("r", ADA)])
            self.clock.advance(-7_200.0)

            await alive.touch([Entry("r", BOB)])

            assert (await alive.list("r")).users == [BOB]
            assert await dead.drop([Entry("r", ADA)]) == [False]

    @pytest.mark.parametrize("lost", ["users", "rooms", "what was asked"])
    async def test_07_ended_tells_also_what_was_done_when_its_answer_was_lost(
        self, lost: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with self.nodes() as (dead, alive):
            await dead.touch([Entry("r", ADA), Entry("s", ADA), Entry("r", BOB)])
            await self.pass_time(self.ttl * 1.25)
            assert isinstance(alive, RedisPresence)
            each, answers = alive._link.each, iter(("users", "rooms", "what was asked"))

            async def run_and_lose(calls: Sequence[Call]) -> list[Any]:
                replies = await each(calls)
                if next(answers, "") == lost:
                    raise Unavailable
                return replies

            monkeypatch.setattr(alive._link, "each", run_and_lose)
            told: list[Entry] = []
            for _ in range(2):
                with contextlib.suppress(Unavailable):
                    told += await alive.ended()

            assert {(entry.room, entry.user.id) for entry in told} == {("r", "u1"), ("s", "u1"), ("r", "u2")}
            assert len(told) == 3
            assert await alive.ended() == await dead.ended() == []


class TestRedisPresenceInCluster(OnCluster, OfRedisPresence):
    async def test_02_one_server_that_does_not_answer_keeps_no_other_from_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entries = [Entry(f"r{n}", Sender(f"u{n}", "U")) for n in range(40)]
        rooms = [entry.room for entry in entries]
        async with self.nodes() as (one, other):
            assert isinstance(one, RedisPresence)
            (silent, *_) = await one._link.masters()

            async def unavailable(*_: Any) -> list[Any]:
                raise Unavailable

            with monkeypatch.context() as patch:
                patch.setattr(silent, "ask", unavailable)
                came = list(await one.touch(entries))
                counts = await one.count(rooms)
                went = list(await one.drop(entries[:20]))

            known = [answer for answer in came if answer is not None]
            assert 0 < len(known) < len(entries)
            assert all(known)
            assert 0 < len(counts) < len(rooms)
            assert went == came[:20]
            # What is known was done, and what was not is told by the next call.
            again = await one.touch(
                [entry for entry, answer in zip(entries, came, strict=True) if not answer]
            )
            assert all(again)
            assert await other.count(rooms) == {
                entry.room: 0 if n < 20 and came[n] else 1 for n, entry in enumerate(entries)
            }

    @pytest.mark.parametrize("carried_out", [False, True])
    async def test_07_one_server_that_does_not_answer_keeps_nobody_of_others_from_being_ended(
        self, carried_out: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entries = [Entry(f"r{n}", Sender(f"u{n}", "U")) for n in range(40)]
        async with self.nodes() as (dead, alive):
            await dead.touch(entries)
            await self.pass_time(self.ttl * 1.25)
            assert isinstance(alive, RedisPresence)
            (silent, *_) = await alive._link.masters()
            ask = silent.ask

            async def unheard(calls: Sequence[Call], within: float) -> list[Any]:
                if carried_out:
                    await ask(calls, within)
                raise Unavailable

            with monkeypatch.context() as patch:
                patch.setattr(silent, "ask", unheard)
                told = await alive.ended()
                with pytest.raises(Unavailable):  # only rooms on this server are left
                    await alive.ended()

            assert 0 < len(told) < len(entries)
            told += await alive.ended()
            assert sorted(entry.room for entry in told) == sorted(entry.room for entry in entries)
            assert await alive.ended() == await dead.ended() == []

    async def test_07_ended_tells_who_is_gone_although_the_room_heard_of_them_late(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with self.nodes() as (dead, alive):
            assert isinstance(dead, RedisPresence)
            each = dead._link.each

            async def late(calls: Sequence[Call]) -> list[Any]:
                replies = await each(calls)
                self.clock.advance(5.0)
                return replies

            with monkeypatch.context() as patch:
                patch.setattr(dead._link, "each", late)
                await dead.touch([Entry("r", ADA)])
            await self.pass_time(self.ttl - 10.0)
            told = []
            for _ in range(4):
                told += await alive.ended()
                await self.pass_time(LOOK_EVERY)

            assert told == [Entry("r", ADA)]


class TestRedisPresenceAsUser(Restricted, OfRedisPresence): ...


@pytest.mark.parametrize("kind", ["one server", "a cluster"])
async def test_a_store_publishes_for_the_broker_on_its_server_in_the_step_in_which_it_stores(
    kind: str, valkey: ValkeyServer, cluster: list[ValkeyServer]
) -> None:
    url = valkey.url if kind == "one server" else f"redis+cluster://127.0.0.1:{cluster[0].port}"
    async with store_at(url, "r", "s") as store, brokers(url, url) as ((mine, own), (other, heard)):
        store.publishes_as = mine.publisher
        for broker in (mine, other):
            for room in ("r", "s"):
                await broker.subscribe(room)

        await store.append([draft("one"), draft("two", "s"), draft("one"), draft("three")])

        found = await heard.until(3, within=WITHIN)
        assert [(e.seq, e.type) for e in found if e.room == "r"] == [(1, "message"), (2, "message")]
        (event,) = [msgspec.json.decode(e.data, type=Event) for e in found if e.room == "s"]
        (kept,) = (await store.history("s", after=0, limit=9)).events
        assert event == kept
        assert {e.room: e.epoch for e in found} == {
            room: head.epoch for room, head in (await store.heads(["r", "s"])).items()
        }
        await arrived(mine, heard, 9)
        assert own.envelopes == [], "one's own are not echoed"


def published(servers: Sequence[ValkeyServer]) -> int:
    """How often anything was published."""
    told = "".join(server.ask("INFO", "commandstats") for server in servers)
    return sum(map(int, re.findall(r"cmdstat_s?publish:calls=(\d+)", told)))


@pytest.mark.parametrize("kind", ["one server", "a cluster"])
async def test_a_store_says_nothing_where_its_own_broker_is_the_only_one_in_the_room(
    kind: str, valkey: ValkeyServer, cluster: list[ValkeyServer]
) -> None:
    servers = [valkey] if kind == "one server" else cluster
    url = valkey.url if kind == "one server" else f"redis+cluster://127.0.0.1:{cluster[0].port}"
    async with store_at(url, "alone", "shared") as store, brokers(url, url) as ((mine, _), (other, heard)):
        store.publishes_as = mine.publisher
        await mine.subscribe("alone")
        await other.subscribe("shared")
        before = published(servers)

        await store.append([draft("one", "alone")])

        assert published(servers) == before
        await store.append([draft("two", "shared")])
        assert [e.room for e in await heard.until(1, within=WITHIN)] == ["shared"]
        assert published(servers) == before + 1


@pytest.mark.parametrize("kind", ["one server", "a cluster"])
async def test_whoever_is_still_in_the_room_hears_what_a_store_publishes_after_its_own_broker_has_left(
    kind: str, valkey: ValkeyServer, cluster: list[ValkeyServer]
) -> None:
    url = valkey.url if kind == "one server" else f"redis+cluster://127.0.0.1:{cluster[0].port}"
    async with store_at(url, "left") as store, brokers(url, url) as ((mine, _), (other, heard)):
        store.publishes_as = mine.publisher
        await mine.subscribe("left")
        await other.subscribe("left")

        for number in range(20):
            await mine.unsubscribe("left")
            await store.append([draft(f"{number}", "left")])
            await mine.subscribe("left")

        assert [e.seq for e in await heard.until(20, within=WITHIN)] == list(range(1, 21))


Results = list[Appended | ChatError] | None


async def heard_soon(store: RedisStore, batch: Sequence[Sequence[Draft]]) -> list[Results]:
    """What `append_soon` says of each list."""
    results: dict[int, Results] = {}
    done = asyncio.Event()

    def heard(place: int, found: Results) -> None:
        assert place not in results
        results[place] = found
        if len(results) == len(batch):
            done.set()

    assert store.append_soon(batch, heard)
    async with asyncio.timeout(WITHIN):
        await done.wait()
    return [results[place] for place in range(len(batch))]


async def test_append_soon_stores_as_append_does(valkey: ValkeyServer) -> None:
    async with store_at(valkey.url, "soon", "soon-s") as store:
        first, other, nowhere = await heard_soon(
            store, [[draft(key, "soon") for key in "121"], [draft("1", "soon-s")], [draft("1", "nowhere")]]
        )
        again = await store.append([draft(key, "soon") for key in "12"])

    assert first is not None
    assert other is not None
    assert nowhere is not None
    assert [(one.seq, one.duplicate) for one in first if isinstance(one, Appended)] == [
        (1, False),
        (2, False),
        (1, True),
    ]
    assert [(one.seq, one.duplicate) for one in again if isinstance(one, Appended)] == [(1, True), (2, True)]
    assert [one.seq for one in other if isinstance(one, Appended)] == [1]
    assert [type(one) for one in nowhere] == [RoomNotFound]


async def test_append_soon_does_not_know_what_a_server_without_the_script_did(valkey: ValkeyServer) -> None:
    async with store_at(valkey.url, "flushed") as store:
        valkey.ask("SCRIPT", "FLUSH")

        assert await heard_soon(store, [[draft("1", "flushed")]]) == [None]

        assert [
            one.seq for one in await store.append([draft("1", "flushed")]) if isinstance(one, Appended)
        ] == [1]
        (found,) = await heard_soon(store, [[draft("2", "flushed")]])
        assert found is not None


async def test_append_soon_leaves_it_to_append_to_connect() -> None:
    with running() as server:
        async with store_at(server.url, "r") as store:
            server.kill()
            with pytest.raises(Unavailable):
                await store.append([draft("1")])

            assert not store.append_soon([[draft("1")]], lambda *_: None)

            server.start()
            await said(store, "1")
            assert await heard_soon(store, [[draft("2")]]) != [None]


def test_append_soon_is_for_one_server() -> None:
    assert RedisStore("redis://localhost").appends_soon
    assert not RedisStore("redis+cluster://localhost").appends_soon
