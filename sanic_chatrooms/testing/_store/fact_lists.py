"""The store suite: lists of facts, a page at a time."""

from collections.abc import AsyncIterator

import msgspec

from ...errors import InvalidCursor, RoomNotFound
from ...models import DIRECT, PRIVATE, RESERVED, Fact, Known
from ...stores.base import Store
from .._cursors import FORGED, assert_harmless
from .hooks import StoreHooks, raises, result

KEYS = ("u", "U", "u ", "ü", "u:1", "u.1", "*", "%", "u'", 'u"', "a\nb", "😀", "~", "x" * 128)
"""Keys that are one and the same to a backend that globs, folds or cuts them."""


class FactListTests(StoreHooks):
    """What `facts`, `facts_of` and `first_facts` promise."""

    async def test_facts_come_in_the_order_of_their_keys_and_all_are_counted(self) -> None:
        async with self.room() as store:
            for key in reversed(KEYS):
                await store.set_fact("r", _fact("member", key))
            await store.set_fact("r", _fact("ban", "u0"))

            for limit in (1, 2, 5, len(KEYS) - 1, len(KEYS), len(KEYS) + 1):
                pages = [page async for page in _pages(store, limit)]
                assert [known.key for page in pages for known in page] == sorted(KEYS)
            assert (await store.facts("r", "member", limit=1)).total == len(KEYS)

    async def test_a_fact_is_listed_for_all_rooms_in_the_order_of_their_ids(self) -> None:
        async with self.two_processes() as (one, other):
            await self.create(one, "c", "a", visibility=DIRECT)
            await self.create(one, "b", visibility=PRIVATE)
            await self.create(one, "hidden", visibility=RESERVED)
            for room in ("c", "b", "a", "hidden"):
                await one.set_fact(room, _fact("member", "u2", b"1"))
            await one.set_fact("r", _fact("ban", "u2"))
            await one.set_fact("b", _fact("invite", "u2"))

            page = await other.facts_of("member", "u2")
            first = await other.facts_of("member", "u2", limit=2)
            second = await other.facts_of("member", "u2", limit=2, cursor=first.cursor)

            assert page.facts == [Known("member", "u2", b"1", 0, 0, room) for room in "abc"]
            assert (page.total, page.cursor) == (3, None)
            assert [known.room for known in (*first.facts, *second.facts)] == ["a", "b", "c"]
            assert (await other.facts_of("member", "nobody")).facts == []
            rooms = await other.rooms(fact=("member", "u2"))
            assert [room.id for room in rooms.rooms] == ["a", "b", "c"]
            assert [known.room for known in (await other.facts_of("invite", "u2")).facts] == ["b"]
            assert [room.id for room in (await other.rooms(fact=("invite", "u2"))).rooms] == ["b"]

    async def test_the_list_of_a_fact_follows_what_becomes_of_it(self) -> None:
        async with self.two_processes() as (one, other):
            await self.create(one, "a", "b", "c")
            await result(one, self.stating(_fact("member", "u2"), room="a"))
            await one.set_fact("b", _fact("member", "u2"))
            await one.set_fact("c", _fact("member", "u2"))
            await result(one, self.stating(Fact("member", "u2", None), room="b"))
            await one.delete_room("c")

            assert [known.room for known in (await other.facts_of("member", "u2")).facts] == ["a"]

    async def test_the_first_facts_of_many_rooms_come_at_once(self) -> None:
        async with self.two_processes() as (one, other):
            rooms = [f"room.{n}" for n in range(30)]
            await self.create(one, *rooms, visibility=DIRECT)
            for n, room in enumerate(rooms):
                for key in KEYS[: n % 4]:
                    await one.set_fact(room, _fact("member", key))
                await one.set_fact(room, _fact("ban", "u"))

            found = await other.first_facts([*rooms, "nowhere"], "member", 2)

            assert set(found) == set(rooms)
            for room in rooms:
                assert found[room] == (await other.facts(room, "member", limit=2)).facts, room
            assert await other.first_facts([], "member", 2) == {}

    async def test_the_first_facts_of_more_rooms_than_one_statement_takes_come_all(self) -> None:
        async with self.started() as store:
            rooms = [f"room.{n}" for n in range(5)]
            await self.create(store, *rooms)
            for room in rooms:
                await store.set_fact(room, _fact("member", "u1", msgspec.json.encode(room)))

            found = await store.first_facts(rooms + [f"nowhere.{n}" for n in range(2_500)], "member", 3)

            assert {room: [known.value for known in facts] for room, facts in found.items()} == {
                room: [msgspec.json.encode(room)] for room in rooms
            }

    async def test_facts_of_a_room_that_does_not_exist_are_room_not_found(self) -> None:
        async with self.started() as store:
            with raises(RoomNotFound):
                await store.facts("nowhere", "member")
            with raises(RoomNotFound):
                await store.set_fact("nowhere", _fact("member", "u1"))
            with raises(RoomNotFound):
                await store.set_fact("nowhere", Fact("member", "u1", None))
            assert await store.fact("nowhere", "member", "u1") is None
            assert await store.facts_about("nowhere", "u1") == {}

    async def test_forged_cursors_of_facts_are_invalid(self) -> None:
        async with self.room() as store:
            await store.set_fact("r", _fact("member", "u1"))
            for cursor in FORGED:
                with raises(InvalidCursor):
                    await store.facts("r", "member", cursor=cursor)
                with raises(InvalidCursor):
                    await store.facts_of("member", "u1", cursor=cursor)

    async def test_hostile_cursors_of_facts_are_invalid_or_show_what_their_list_holds(self) -> None:
        async with self.room() as store:
            await store.set_fact("r", _fact("member", "u1"))

            async def keys(cursor: str) -> list[str]:
                return [known.key for known in (await store.facts("r", "member", cursor=cursor)).facts]

            async def rooms(cursor: str) -> list[str]:
                return [known.room for known in (await store.facts_of("member", "u1", cursor=cursor)).facts]

            await assert_harmless(keys, holds=["u1"])
            await assert_harmless(rooms, holds=["r"])


def _fact(kind: str, key: str, value: bytes = b"{}") -> Fact:
    return Fact(kind, key, value)


async def _pages(store: Store, limit: int) -> AsyncIterator[list[Known]]:
    cursor: str | None = None
    while True:
        page = await store.facts("r", "member", cursor=cursor, limit=limit)
        yield page.facts
        cursor = page.cursor
        if cursor is None:
            return
        assert len(page.facts) == limit, "a page that is not the last is full"
