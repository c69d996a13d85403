"""`RedisStore` takes over what earlier versions of the package have written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from sanic_chatrooms.errors import Conflict
from sanic_chatrooms.models import (
    DIRECT,
    PRIVATE,
    Appended,
    Draft,
    Fact,
    Fold,
    Known,
    Member,
    Relation,
    Sender,
)
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.testing._store.hooks import listed, result
from tests.support import layouts
from tests.support.valkey import ValkeyServer, running

FIRST = Path(layouts.__file__).with_name("valkey_1.json")
"""A whole server, as the package wrote it at 893b427: rooms, members, messages, an edit, a deletion."""
ODD = 'x,"name":"no","joined_at":9'
MEMBERS = [
    Member("u1", "Ada", "owner", 1750000000.5),
    Member("u2", "Bob", "member", 1750000004.25),
    Member(ODD, 'A "name": with,"joined_at":1', "moderator", 3.0),
]


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


@pytest.fixture
async def store(valkey: ValkeyServer) -> AsyncIterator[RedisStore]:
    load(valkey, FIRST)
    store = RedisStore(valkey.url, clock=lambda: 1750000110.0)
    await store.start("old", Bounds())
    yield store
    await store.stop()


def load(server: ValkeyServer, file: Path) -> None:
    """Bytes stand in the file as the characters with their numbers."""
    with redis.Redis(port=server.port) as client:
        client.flushall()
        for name, (kind, value) in json.loads(file.read_text()).items():
            key = name.encode("latin-1")
            match kind:
                case "hash":
                    client.hset(key, mapping={_raw(k): _raw(v) for k, v in value.items()})
                case "zset":
                    client.zadd(key, {_raw(one): 0 for one in value})
                case "list":
                    client.rpush(key, *map(_raw, value))


def _raw(text: str) -> Any:
    return text.encode("latin-1")


def about(target: str, fold: Fold, **values: object) -> Draft:
    relation = msgspec.structs.replace(Relation(target, fold), **values)
    return Draft(
        "general", f"message.{fold.value}", b"{}", "m99", 1750000105.0, Sender("u2", "Bob"), about=relation
    )


async def test_members_are_facts_that_have_held_from_the_beginning(store: RedisStore) -> None:
    page = await members.page(store, "general")

    assert (page.members, page.total) == (MEMBERS, 3)
    assert await store.fact("general", "member", "u2") == Known(
        "member", "u2", b'{"name":"Bob","role":"member","joinedAt":1750000004.25}', 0, 0, "general"
    )
    assert await store.fact("general", "member", "gone") is None


@pytest.mark.parametrize("first", ["one", "about", "list", "mine", "set", "append"])
async def test_whichever_call_comes_first_brings_the_room_to_the_present_layout(
    store: RedisStore, valkey: ValkeyServer, first: str
) -> None:
    statement = Draft("two", "x", b"{}", "m9", 1.0, facts=(Fact("ban", "u9", b"1"),))
    match first:
        case "one":
            assert (await store.fact("two", "member", "u1")) is not None
        case "about":
            assert set(await store.facts_about("two", "u2")) == {"member"}
        case "list":
            assert (await store.facts("two", "member")).total == 2
        case "mine":
            assert [room.id for room in (await store.rooms(fact=("member", "u2"))).rooms] == [
                "general",
                "two",
            ]
        case "set":
            assert await store.set_fact("two", Fact("ban", "u9", b"1"))
        case "append":
            assert (await result(store, statement)).seq == 2

    assert [member.name for member in (await members.page(store, "two")).members] == ["Ada", 'Bob, "b" é 😀']
    for command in (("HSET", "u", "u3", "{}"), ("ZADD", "o", "0", "u3"), ("HGET", "u", "u1")):
        name, part, *rest = command
        reply = valkey.ask(name, f"chatrooms:old:{{two}}:{part}", *rest)
        assert "WRONGTYPE" in reply, "a worker of the earlier version must not write beside it"


async def test_a_member_can_change_and_leave(store: RedisStore) -> None:
    await members.put(store, "general", Member("u2", "Robert"))
    await members.remove(store, "general", "u1")

    assert [member.name for member in (await members.page(store, "general")).members] == [
        "Robert",
        MEMBERS[2].name,
    ]
    known = await store.fact("general", "member", "u2")
    assert known is not None
    assert (known.seq, known.since) == (0, 0)
    assert [room.id for room in (await store.rooms(fact=("member", "u1"))).rooms] == ["two"]


async def test_messages_of_before_can_be_changed_related_to_and_read(store: RedisStore) -> None:
    on = {"key": "👍", "owner": "u1", "value": True}
    answers = await store.append(
        [
            about("m1", Fold.TOGGLE, **on),
            about("m2", Fold.REPLACE, value=b'{"text":"again"}'),
            about("m1", Fold.COLLECT),
            about("m2", Fold.ERASE),
        ]
    )

    assert [answer.seq for answer in answers if isinstance(answer, Appended)] == [7, 8, 9, 10]
    page = await store.history("general", after=0, limit=99)
    assert [event.deleted for event in page.events] == [
        False, True, True, False, True, False, False, True, False, False
    ]  # fmt: skip
    assert b"two" not in b"".join(bytes(event.payload) for event in page.events)
    assert page.related[1].toggles["👍"].count == 1
    assert page.related[1].collected is not None


async def test_repetitions_of_before_are_known(store: RedisStore) -> None:
    ada = Sender("u1", "Ada")
    again = Draft("general", "message", b'{"text":"one"}', "m50", 1750000105.0, ada, ("u1", "k1"), b"hash-1")

    answers = await store.append([again, msgspec.structs.replace(again, hash=b"other")])

    assert isinstance(answers[0], Appended)
    assert (answers[0].seq, answers[0].msg_id, answers[0].duplicate) == (1, "m1", True)
    assert isinstance(answers[1], Conflict)


async def test_rooms_of_before_are_on_the_lists_of_private_and_direct_rooms(
    store: RedisStore, valkey: ValkeyServer
) -> None:
    hidden = await store.room("empty")
    assert hidden is not None
    await store.update_room(msgspec.structs.replace(hidden, visibility=PRIVATE))
    for list in ("private", "pairs"):  # which those versions did not have
        valkey.ask("DEL", f"chatrooms:{{old}}:{list}")

    assert await listed(store, visibility=None) == ["empty", "general", "two"]
    assert await listed(store, visibility=PRIVATE) == ["empty"]
    assert await listed(store, visibility=DIRECT) == ["two"]
    assert await store.delete_room("two")
    assert await listed(store, visibility=DIRECT) == []


async def test_rooms_of_before_are_listed_and_can_go(store: RedisStore) -> None:
    assert [room.id for room in (await store.rooms()).rooms] == ["empty", "general"]
    assert await store.delete_room("general")
    assert (await store.facts_about("general", "u1")) == {}
    assert [room.id for room in (await store.rooms(fact=("member", "u1"))).rooms] == ["two"]
