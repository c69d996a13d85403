"""What Redis and Valkey do to those who rely on them: restarts, silence, fail-overs, moving slots, garbage."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import msgspec
import pytest

from sanic_chatrooms.brokers import redis as broker_module
from sanic_chatrooms.brokers import remote
from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.errors import ConfigError, Unavailable
from sanic_chatrooms.models import Appended, Fact, Member, Room, Sender
from sanic_chatrooms.presence.base import Entry
from sanic_chatrooms.presence.redis import RedisPresence
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.testing import Recorder
from sanic_chatrooms.testing.proxy import FaultProxy
from sanic_chatrooms.verbs.across import marked
from tests.support.on_redis import WITHIN, arrived, brokers, draft, envelope, holds, said, store_at
from tests.support.valkey import ValkeyServer, running, until


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


# The store


async def test_scripts_that_somebody_flushed_are_loaded_again(valkey: ValkeyServer) -> None:
    async with store_at(valkey.url, "r", "s") as store:
        assert valkey.ask("SCRIPT", "FLUSH") == "OK"

        first, second = await store.append([draft("one"), draft("two", "s")])

        assert [getattr(answer, "seq", None) for answer in (first, second)] == [1, 1]


@pytest.mark.parametrize(("persistence", "is_kept"), [("always", True), ("everysec", False)])
async def test_after_a_crash_everything_is_there_and_an_epoch_is_kept_only_if_nothing_can_be_missing(
    persistence: str, is_kept: bool
) -> None:
    with running(persistence=persistence) as server:
        async with store_at(server.url, "r") as store:
            (before, *_) = await said(store, "one", "two", "three")
            server.kill()
            server.start()

            (again, after) = await said(store, "one", "four")

            assert isinstance(before, Appended)
            assert isinstance(again, Appended)
            assert isinstance(after, Appended)
            assert (again.seq, again.duplicate, after.seq) == (1, True, 4)
            assert (after.epoch == before.epoch) is is_kept
            page = await store.history("r", after=0, limit=9)
            assert ([event.seq for event in page.events], page.epoch) == ([1, 2, 3, 4], after.epoch)


async def test_a_server_that_keeps_nothing_has_no_room_after_a_crash(valkey: ValkeyServer) -> None:
    async with store_at(valkey.url, "r") as store:
        (before,) = await said(store, "one")
        valkey.kill()
        valkey.start()

        (after,) = await said(store, "two")
        await store.create_room(Room("r", "", 0))

        assert isinstance(before, Appended)
        assert getattr(after, "code", None) == "room_not_found"
        assert (await store.heads(["r"]))["r"].epoch != before.epoch


async def test_the_keeper_of_a_server_can_vouch_for_it() -> None:
    with running(persistence="everysec") as server:
        store = RedisStore(server.unix_url, run_id="this machine has not been started anew")
        await store.start("test", Bounds())
        await store.create_room(Room("r", "", 0))
        (before,) = await said(store, "one")
        server.kill()
        server.start()

        (after,) = await said(store, "two")

        assert isinstance(before, Appended)
        assert isinstance(after, Appended)
        assert after.epoch == before.epoch
        await store.stop()


async def test_a_server_that_does_not_answer_is_unavailable_in_time(valkey: ValkeyServer) -> None:
    async with store_at(valkey.url, "r", bounds=Bounds(timeout=2.0)) as store:
        valkey.freeze()
        loop = asyncio.get_running_loop()
        began = loop.time()

        for _ in range(3):
            with pytest.raises(Unavailable):
                await store.append([draft("one")])
        took = loop.time() - began
        valkey.thaw()
        (answer,) = await said(store, "one")

        assert took < 30.0
        assert getattr(answer, "seq", None) == 1


async def test_one_who_gives_up_disturbs_nobody(valkey: ValkeyServer) -> None:
    async with store_at(valkey.url, "r") as store:
        impatient = [asyncio.ensure_future(store.heads(["r"])) for _ in range(20)]
        await asyncio.sleep(0)
        patient = asyncio.ensure_future(store.append([draft("one")]))
        await asyncio.sleep(0)
        for task in impatient:
            task.cancel()

        (answer,) = await patient

        assert getattr(answer, "seq", None) == 1
        assert (await store.heads(["r"]))["r"].seq == 1


async def test_nothing_is_left_in_the_server_of_what_is_trimmed_or_deleted(valkey: ValkeyServer) -> None:
    async with store_at(valkey.url, "r", bounds=Bounds(history_max=20)) as store:
        for n in range(40):
            await said(store, *(f"{n}.{k}" for k in range(10)))
        base = "chatrooms:test:{r}:"
        sizes = [
            int(valkey.ask(command, base + part))
            for command, part in (("HLEN", "m"), ("HLEN", "i"), ("LLEN", "t"))
        ]
        assert max(sizes) <= 20 + 20 // 4 + 16

        await members.put(store, "r", Member("u1", "Ada"))
        await store.delete_room("r")

        assert (await store.rooms(fact=(members.MEMBER, "u1"))).rooms == []
        left = [
            part
            for part in ("h", "m", "t", "i", "k0", "k1", "u", "o", "x")
            if valkey.ask("EXISTS", base + part) == "1"
        ]
        assert left == []


async def test_only_facts_by_which_rooms_are_found_have_a_list_of_rooms(valkey: ValkeyServer) -> None:
    async with store_at(valkey.url) as store:
        files, mark = Fact("files", "m1", b"{}"), Fact("filed", "", b"true")
        await store.create_room(Room("r", "", 0, topic="news"), facts=(Fact("place", "1", b"{}"),))
        await store.set_fact("r", Fact("report", "x", b"{}"))
        await members.put(store, "r", Member("u1", "Ada"))

        await store.append([msgspec.structs.replace(draft("one"), facts=(files, mark))])

        listed = ("chatrooms:test:user:{u1}", "chatrooms:test:user:{}:filed")
        assert valkey.ask("EXISTS", *listed) == valkey.ask("KEYS", "chatrooms:test:user:*") == "2"


async def test_going_through_the_rooms_with_a_mark_asks_each_room_about_once(valkey: ValkeyServer) -> None:
    rooms = [f"room{n}" for n in range(30)]
    async with store_at(valkey.url, *rooms) as store:
        for room in rooms:
            await store.set_fact(room, Fact("filed", "", b"true"))
        valkey.ask("CONFIG", "RESETSTAT")
        following = marked(store, "filed")
        found, cursor = [], None

        for _ in rooms:
            one, cursor = await following(cursor)
            found.append(one)

        assert cursor is None
        assert found == sorted(rooms)
        (calls,) = re.findall(r"cmdstat_evalsha:calls=(\d+)", valkey.ask("INFO", "commandstats"))
        assert int(calls) <= 2 * len(rooms)


@pytest.mark.parametrize(
    "url",
    [
        "redis://nobody:wrong@127.0.0.1:{port}",
        "redis+sentinel://:wrong@127.0.0.1:1/chat",
        "redis://127.0.0.1:1",
    ],
)
async def test_a_start_that_cannot_be_says_why(valkey: ValkeyServer, url: str) -> None:
    store = RedisStore(url.format(port=valkey.port))

    with pytest.raises(ConfigError if "nobody" in url else Unavailable) as error:
        await store.start("test", Bounds())

    assert "wrong" not in str(error.value)


async def test_a_server_that_may_throw_rooms_away_is_warned_of(
    valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with store_at(valkey.url):
        assert not caplog.records
    valkey.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    valkey.ask("CONFIG", "SET", "maxmemory", "100mb")

    async with store_at(valkey.url):
        assert [record.message for record in caplog.records if "allkeys-lru" in record.message]


# The broker


async def test_after_a_crash_of_the_server_rooms_are_heard_again_and_it_is_said(valkey: ValkeyServer) -> None:
    async with brokers(valkey.url, valkey.url) as ((one, _), (other, heard)):
        rooms = [f"room.{n}" for n in range(1200)]
        await asyncio.gather(*(other.subscribe(room) for room in rooms))
        valkey.kill()
        await holds(lambda: not other.healthy)
        with pytest.raises(Unavailable):
            await one.publish([envelope(1)])
        assert heard.reconnects == 0

        valkey.start()
        await holds(lambda: heard.reconnects == 1 and other.healthy)

        for room in (rooms[0], rooms[-1]):
            await arrived(one, heard, 2, room)


async def test_silence_is_noticed_and_over_when_the_network_is_back(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PROBE", 0.05)
    async with (
        FaultProxy("127.0.0.1", valkey.port) as proxy,
        brokers(valkey.url, f"redis://127.0.0.1:{proxy.port}") as ((one, _), (other, heard)),
    ):
        await other.subscribe("r")
        monkeypatch.setattr(broker_module, "SILENCE", 0.3)
        monkeypatch.setattr(broker_module, "PUBLISH_WITHIN", 0.5)
        proxy.up.swallow = proxy.down.swallow = True

        await holds(lambda: not other.healthy)
        with pytest.raises(Unavailable):
            await other.publish([envelope(1)])
        with pytest.raises(Unavailable):
            await other.subscribe("s")
        proxy.up.swallow = proxy.down.swallow = False
        await holds(lambda: other.healthy)

        assert heard.reconnects >= 1
        await arrived(one, heard, 2)


async def test_whom_the_server_throws_out_comes_back_and_says_so(valkey: ValkeyServer) -> None:
    async with brokers(valkey.url, valkey.url) as ((one, _), (other, heard)):
        await other.subscribe("r")

        # As it does with those who read too slowly.
        assert valkey.ask("CLIENT", "KILL", "TYPE", "pubsub") == "1"

        await holds(lambda: heard.reconnects == 1)
        await arrived(one, heard, 1)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xc1",
        b"not ours",
        b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins.",
        msgspec.msgpack.encode([2, "12345678", [["e", 1, "message", b"{}"]]]),
        msgspec.msgpack.encode([1, "12345678", [["e", -1, "message", b"{}"]]]),
        msgspec.msgpack.encode([1, "12345678", [["e", 1.5, "message", b"{}"]]]),
        msgspec.msgpack.encode([1, "12345678", [["e", 1, "message"]]]),
        msgspec.msgpack.encode({"version": 1}),
        b"\xdd\xff\xff\xff\xff",
        b"x" * 1_000_000,
        b"[",
        b'["o","e",[{"seq":0,"type":"message"}]]',
        b'["o","e",[{"seq":1}]]',
        b'["o","e",[{"seq":1,"type":"message"},7]]',
        b'["o",[]]',
        b'["\xff","e",[{"seq":1,"type":"message"}]]',
        b"[" * 100_000,
        b'["o","e",[' + b"[" * 100_000,
    ],
)
async def test_garbage_on_a_channel_is_counted_and_dropped(valkey: ValkeyServer, garbage: bytes) -> None:
    async with brokers(valkey.url, valkey.url) as ((one, _), (other, heard)):
        await other.subscribe("r")

        reader, writer = await asyncio.open_connection("127.0.0.1", valkey.port)
        channel = b"chatrooms:test:{r}"
        writer.write(
            b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
            % (len(channel), channel, len(garbage), garbage)
        )
        await reader.readline()
        writer.close()
        await arrived(one, heard, 1)

        assert other.dropped == 1
        assert {one.seq for one in heard.envelopes} == {1}
        assert other.healthy


def test_the_same_objects_serve_one_loop_after_the_other(valkey: ValkeyServer) -> None:
    store, broker, heard = RedisStore(valkey.url), RedisBroker(valkey.url), Recorder()

    async def run() -> None:
        await store.start("test", Bounds())
        await broker.start("test", heard, heard.reconnected)
        await asyncio.gather(
            *(store.heads(["r"]) for _ in range(5)), *(broker.subscribe(f"{n}") for n in range(5))
        )
        await broker.stop()
        await store.stop()

    for _ in range(2):
        asyncio.run(run())


# Presence


async def test_a_worker_that_died_is_forgotten_by_the_servers_own_clock(valkey: ValkeyServer) -> None:
    ada = Sender("u1", "Ada")
    dead, alive = RedisPresence(valkey.url), RedisPresence(valkey.url)
    await dead.start("test", "dead", 60.0)
    await alive.start("test", "alive", 60.0)
    await dead.touch([Entry("r", ada), Entry("", ada)])
    assert await alive.online(["u1"]) == {"u1"}

    dead._ttl = 0.5
    await dead.touch([Entry("r", ada), Entry("", ada)])
    await dead._link.stop()  # as a killed process: nothing is taken back
    async with asyncio.timeout(WITHIN):
        while await alive.count(["r"]) != {"r": 0} or await alive.online(["u1"]):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    await alive.stop()

    until(
        lambda: valkey.ask("EXISTS", "chatrooms:test:here:{r}:e", "chatrooms:test:here:{r}:w") == "0",
        "nothing is left",
    )
