from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sanic_chatrooms.errors import RoomNotFound
from sanic_chatrooms.models import Fact, Known, Member, Room
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore

ADA, BOB = Member("u1", "Ada", "owner", 1750000000.125), Member("u2", 'Bob "é"')


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    await store.start("test", Bounds())
    await store.create_room(Room("r", "", 0), facts=(members.member_fact(ADA),))
    yield store
    await store.stop()


@pytest.mark.parametrize("member", [ADA, BOB])
def test_a_member_is_a_fact_and_comes_back_from_it(member: Member) -> None:
    fact = members.member_fact(member)
    assert fact.value is not None

    assert members.as_member(Known(fact.kind, fact.key, fact.value, 3, 2, "r")) == member


def test_a_member_in_a_store_is_a_plain_object() -> None:
    assert members.member_fact(ADA) == Fact(
        "member", "u1", b'{"name":"Ada","role":"owner","joinedAt":1750000000.125}'
    )


async def test_members_are_found_and_listed(store: MemoryStore) -> None:
    await members.put(store, "r", BOB)

    page = await members.page(store, "r", limit=1)

    assert await members.find(store, "r", "u2") == BOB
    assert (page.members, page.total) == ([ADA], 2)
    assert (await members.page(store, "r", cursor=page.cursor)).members == [BOB]
    assert await members.first(store, ["r", "nowhere"], 1) == {"r": [ADA]}


async def test_a_member_who_is_removed_was_one(store: MemoryStore) -> None:
    assert [await members.remove(store, "r", "u1") for _ in range(2)] == [True, False]

    assert await members.find(store, "r", "u1") is None
    assert await members.find(store, "nowhere", "u1") is None


async def test_who_is_a_member_already_changes_nothing(store: MemoryStore) -> None:
    assert [await members.put(store, "r", member) for member in (ADA, BOB, BOB)] == [False, True, False]


async def test_members_of_a_room_that_does_not_exist_are_room_not_found(store: MemoryStore) -> None:
    with pytest.raises(RoomNotFound):
        await members.page(store, "nowhere")
    with pytest.raises(RoomNotFound):
        await members.put(store, "nowhere", ADA)
