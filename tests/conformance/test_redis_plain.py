"""The first part of the script that appends (plain.lua) does what the whole script does: the same results, the same keys, the same events for other workers."""

from __future__ import annotations

import hashlib
import itertools
import random
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from sanic_chatrooms.drivers.redis.cluster import Call, Script
from sanic_chatrooms.models import Draft, Fact, Fold, Relation, Room, Sender
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.redis import appending, scripts
from sanic_chatrooms.stores.redis import store as redis_store
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.testing import Clock
from tests.support.valkey import ValkeyServer, running

EPOCH = "the-first-epoch"
ADA, BOB = Sender("u1", "Ada"), Sender("ü2%d", "Bob")
MAKER = ("u1", "made-the-room")
WRITTEN_WITHIN = 60
"""Seconds between two writes of the same, at most."""


def _script(*names: str, end: str = "") -> Script:
    script = Script(scripts.__package__, *names)
    script.text += end
    script.sha = hashlib.sha1(script.text.encode(), usedforsecurity=False).hexdigest()
    return script


WHOLE = _script("publish.lua", "head.lua", "append.lua")
FIRST_PART = _script("publish.lua", "plain.lua", end="return 'not plain'")


class By(RedisStore):
    """Appends drafts without effects by this script."""

    def __init__(self, script: Script, server: ValkeyServer, clock: Clock, run_id: str = "one") -> None:
        super().__init__(server.url, clock=clock, run_id=run_id)
        self._script = script
        self.instance = ""
        self._link._opener.scripts = (*self._link._opener.scripts, script)
        self.publishes_as, self.publish_key = "abc.1", b"k" * 32

    def _append_call(self, room: str, epoch: str, drafts: Sequence[Draft]) -> Call:
        call = super()._append_call(room, epoch, drafts)
        return call._replace(script=self._script) if call.script is scripts.APPEND.script else call


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def _epochs_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    names = itertools.count(1)
    for module in (redis_store, appending):
        monkeypatch.setattr(module, "new_epoch", lambda: EPOCH if next(names) < 3 else "another-epoch")


@asynccontextmanager
async def started(store: RedisStore, instance: str, **bounds: Any) -> AsyncIterator[RedisStore]:
    await store.start(instance, Bounds(dedup_window=300.0, counted=("message",), **bounds))
    try:
        await store.create_room(Room("r", "", 0), key=MAKER, hash=b"#")
        yield store
    finally:
        await store.stop()


def everything(server: ValkeyServer, instance: str) -> dict[str, Any]:
    """All keys of an instance with what is in them, and when they end."""
    client: Any = redis.Redis(port=server.port)
    found = {}
    for key in client.scan_iter(f"*{instance}:{{r}}:*"):
        value = {
            b"hash": lambda key=key: client.hgetall(key),
            b"list": lambda key=key: client.lrange(key, 0, -1),
            b"zset": lambda key=key: client.zrange(key, 0, -1, withscores=True),
        }[client.type(key)]()
        found[key.decode().partition(instance)[2]] = (value, client.expiretime(key))
    client.close()
    return found


# ---- the same by both ways ----


@pytest.mark.parametrize("seed", range(6))
async def test_both_ways_give_the_same_results_keys_and_published_events(
    seed: int, valkey: ValkeyServer
) -> None:
    names = secrets.token_hex(8), secrets.token_hex(8)
    clock, play = Clock(), Play(random.Random(seed))
    client: Any = redis.Redis(port=valkey.port)
    heard = client.pubsub(ignore_subscribe_messages=True)
    channels = [f"chatrooms:{name}:{{r}}" for name in names]
    heard.subscribe(*channels)
    for run_id in ("one", "two"):  # the server has lost its last events meanwhile
        stores = [By(script, valkey, clock, run_id) for script in (scripts.APPEND.script, WHOLE)]
        async with (
            started(stores[0], names[0], history_max=24) as quick,
            started(stores[1], names[1], history_max=24) as whole,
        ):
            for _ in range(60):
                clock.advance(play.pause())
                batch = play.batch(clock())
                assert repr(await quick.append(batch)) == repr(await whole.append(batch))
            assert_alike(everything(valkey, names[0]), everything(valkey, names[1]))
    mine, its = _told(client, heard, channels)
    assert mine == its
    assert len(mine) > 40
    heard.close()
    client.close()


def assert_alike(mine: Mapping[str, Any], its: Mapping[str, Any]) -> None:
    """The same keys with the same in them, which end at the same time, but for that in which the second were written."""
    assert {key: value for key, (value, _) in mine.items()} == {key: value for key, (value, _) in its.items()}
    for key, (_, ends) in mine.items():
        assert abs(ends - its[key][1]) <= WRITTEN_WITHIN


def _told(client: Any, heard: Any, channels: Sequence[str]) -> list[list[bytes]]:
    """What was published on each, without its signature, which is over the channel too."""
    told: dict[str, list[bytes]] = {channel: [] for channel in channels}
    client.publish(channels[-1], "the end")
    for message in heard.listen():
        if message["data"] == b"the end":
            break
        told[message["channel"].decode()].append(message["data"][41:])
    return list(told.values())


class Play:
    """Makes batches: mostly plain, with whatever else may come between."""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._ids: list[str] = []

    def pause(self) -> float:
        """Seconds until the next one."""
        return self._random.choice((0.0, 0.25, 2.0, 2.0, 20.0, 299.0, 900.0, -5.0))

    def batch(self, at: float) -> list[Draft]:
        """Up to eight drafts."""
        odd = self._random.random() < 0.5
        return [self._draft(at, odd=odd) for _ in range(self._random.choice((1, 1, 2, 8)))]

    def _draft(self, at: float, *, odd: bool) -> Draft:
        pick = self._random.choice
        id = f"id-{len(self._ids)}"
        self._ids.append(id)
        plain = Draft("r", "message", b'{"text":"hi"}', id, at, pick((ADA, BOB)), ("u1", id), b"#")
        if not odd or self._random.random() < 0.6:
            return plain
        changed = {
            "key": (("u1", pick(self._ids)), MAKER, ("", id), None),
            "hash": (b"# #\n", b"other"),
            "type": ("message.edited", "poll.closed", "member.joined"),
            "sender": (None,),
            "judged": (0, 3, 10_000),
            "judged_in": (EPOCH, "another-epoch", "none"),
            "restricts": (True,),
            "facts": ((Fact("mood", "u1", b'"x"'),),),
            "about": (Relation(pick(self._ids), Fold.TOGGLE, "+", "u1", value=True),),
        }
        name = pick(list(changed))
        return replace(plain, **{name: pick(changed[name])})


# ---- what ends in the first part, and what does not ----


def plain(name: str = "1", /, **more: Any) -> Draft:
    given: dict[str, Any] = {
        "room": "r", "type": "message", "payload": b'{"text":"hi"}', "msg_id": f"id-{name}", "timestamp": 1750000000.0,
        "sender": ADA, "key": ("u1", name), "hash": b"#",
    }  # fmt: skip
    return Draft(**{**given, **more})


@asynccontextmanager
async def begun(valkey: ValkeyServer, clock: Clock, run_id: str = "one", **bounds: Any) -> AsyncIterator[By]:
    """A store that knows nothing but the first part, with a room in which the whole script has stored an event."""
    store = By(WHOLE, valkey, clock)
    instance = secrets.token_hex(8)
    async with started(store, instance, **bounds):
        await store.append([plain("0"), plain("restricts", restricts=True)])
    store = By(FIRST_PART, valkey, clock, run_id)
    store.instance = instance
    async with started(store, instance, **bounds):
        yield store


async def ends_there(store: By, drafts: Sequence[Draft]) -> bool:
    return bool(await store._link.call(store._append_call("r", "new-epoch", drafts)) != b"not plain")


@pytest.mark.parametrize(
    "drafts",
    [
        [plain()],
        [plain(str(n)) for n in range(1, 9)],
        [plain("1"), plain("2", sender=None, key=("", "id-2"))],
        [plain(judged=2, judged_in=EPOCH), plain("2", judged=3), plain("3")],
        [plain(type="poll")],
    ],
    ids=["one", "eight", "of the app", "judged", "another type"],
)
async def test_new_drafts_for_the_timeline_end_in_the_first_part(
    drafts: list[Draft], valkey: ValkeyServer
) -> None:
    async with begun(valkey, Clock()) as store:
        assert await ends_there(store, drafts)
        assert (await store.heads(["r"]))["r"].seq == 2 + len(drafts)


@pytest.mark.parametrize(
    "drafts",
    [
        [plain("0")],
        [plain("1"), plain("0", hash=b"other")],
        [plain("1"), plain("1")],
        [plain(key=None)],
        [plain(key=MAKER)],
        [plain("1"), plain("2", judged=1)],
        [plain(judged_in="another")],
        [plain(type="message.edited")],
        [plain(str(n)) for n in range(1, 32)],
    ],
    ids=[
        "repeated",
        "conflict",
        "twice",
        "no key",
        "the room's key",
        "stale",
        "another past",
        "no timeline",
        "erases",
    ],
)
async def test_first_part_leaves_all_else_to_the_rest_and_has_written_nothing(
    drafts: list[Draft], valkey: ValkeyServer
) -> None:
    async with begun(valkey, Clock(), history_max=4) as store:
        before = everything(valkey, store.instance)

        assert not await ends_there(store, drafts)

        assert everything(valkey, store.instance) == before


@pytest.mark.parametrize(
    ("run_id", "passed", "bounds"),
    [("two", 0.0, {}), ("one", 300.0, {}), ("one", -1.0, {}), ("one", 0.0, {"retention": 60.0})],
    ids=["the server was another", "the window is over", "the clock was set back", "events may be too old"],
)
async def test_first_part_leaves_rooms_where_something_is_due_to_the_rest(
    run_id: str, passed: float, bounds: dict[str, Any], valkey: ValkeyServer
) -> None:
    clock = Clock()
    async with begun(valkey, clock, run_id, **bounds) as store:
        clock.advance(passed)

        assert not await ends_there(store, [plain()])


async def test_first_part_leaves_rooms_of_an_earlier_version_to_the_rest(valkey: ValkeyServer) -> None:
    async with begun(valkey, Clock()) as store:
        client: Any = redis.Redis(port=valkey.port)
        (room,) = client.scan_iter(f"*{store.instance}:{{r}}:h")
        client.hdel(room, "y")
        client.close()

        assert not await ends_there(store, [plain()])
