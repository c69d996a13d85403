"""The store suite: lists of rooms, a page at a time."""

import asyncio
import contextlib
from collections.abc import Iterator

from msgspec.structs import replace

from ...errors import InvalidCursor
from ...models import DIRECT, PRIVATE, PUBLIC, RESERVED, Draft, Member, Room, direct_room, user_room
from ...stores import members
from ...stores.properties import room_fact
from .._cursors import FORGED, assert_harmless
from .hooks import StoreHooks, listed, raises
from .separation import ROOMS


class RoomListTests(StoreHooks):
    """What `rooms` promises."""

    async def test_the_list_holds_the_public_rooms_in_the_order_of_their_ids(self) -> None:
        async with self.started() as store:
            await self.create(store, *reversed(ROOMS))
            await self.create(store, "hidden", visibility=PRIVATE)
            await self.create(store, direct_room("u1", "u2"), visibility=DIRECT)
            await self.create(store, user_room("u1"), visibility=RESERVED)

            for limit in (1, 2, len(ROOMS) - 1, len(ROOMS), len(ROOMS) + 1):
                assert await listed(store, limit=limit) == sorted(ROOMS)

    async def test_the_list_shows_rooms_as_they_are(self) -> None:
        async with self.room() as store:
            await self.say(store, 2)

            (room,) = (await store.rooms()).rooms

            assert room == await store.room("r")
            assert room.seq == 2

    async def test_the_list_of_a_member_holds_their_rooms_of_every_kind_but_reserved(self) -> None:
        async with self.started() as store:
            direct = direct_room("u1", "u2")
            await self.create(store, "open", "other")
            await self.create(store, "hidden", visibility=PRIVATE)
            await self.create(store, direct, visibility=DIRECT)
            await self.create(store, user_room("u1"), visibility=RESERVED)
            for room in ("open", "hidden", direct, user_room("u1")):
                await members.put(store, room, Member("u1", "Ada"))
            await members.put(store, "other", Member("u2", "Bob"))

            mine = [await listed(store, member="u1", limit=limit) for limit in (1, 2, 3, 4)]

            assert mine == [["hidden", "open", direct]] * 4
            assert await listed(store, member="nobody") == []

    async def test_the_list_of_a_member_follows_what_becomes_of_rooms_and_members(self) -> None:
        async with self.started() as store:
            await self.create(store, "left", "gone", "kept")
            for room in ("left", "gone", "kept"):
                await members.put(store, room, Member("u1", "Ada"))

            await members.remove(store, "left", "u1")
            await store.delete_room("gone")

            assert await listed(store, member="u1") == ["kept"]

    async def test_private_and_direct_rooms_have_lists_of_their_own_and_one_list_has_all(self) -> None:
        async with self.started() as store:
            pairs = sorted(direct_room("u1", f"u{n}") for n in (2, 3, 4))
            await self.create(store, *ROOMS)
            await self.create(store, "hidden", "a-hidden", "z-hidden", visibility=PRIVATE)
            await self.create(store, *pairs, visibility=DIRECT)
            await self.create(store, user_room("u1"), visibility=RESERVED)

            for limit in (1, 2, 3, 4, 200):
                hidden = await listed(store, visibility=PRIVATE, limit=limit)
                everything = await listed(store, visibility=None, limit=limit)
                assert hidden == ["a-hidden", "hidden", "z-hidden"]
                assert await listed(store, visibility=DIRECT, limit=limit) == pairs
                assert everything == sorted((*ROOMS, *hidden, *pairs))

    async def test_a_room_is_on_the_list_of_its_visibility(self) -> None:
        async with self.two_processes() as (one, other):
            was = await one.room("r")
            assert was is not None
            hidden = replace(was, visibility=PRIVATE)
            await one.append([self._updated(hidden, was)])
            then = [await listed(other, visibility=kind) for kind in (PUBLIC, PRIVATE, None)]
            was = await one.room("r")
            assert was is not None
            await one.update_room(replace(was, visibility=PUBLIC))
            now = [await listed(other, visibility=kind) for kind in (PUBLIC, PRIVATE, None)]
            await one.delete_room("r")
            gone = [await listed(other, visibility=kind) for kind in (PUBLIC, PRIVATE, None)]

            assert then == [[], ["r"], ["r"]]
            assert now == [["r"], [], ["r"]]
            assert gone == [[], [], []]

    async def test_a_room_whose_visibility_changes_meanwhile_is_on_the_list_of_all(self) -> None:
        async with self.two_processes() as (one, other):

            async def change() -> None:
                for visibility in (PRIVATE, PUBLIC) * 5:
                    was = await one.room("r")
                    assert was is not None
                    await one.update_room(replace(was, visibility=visibility))

            changing = asyncio.create_task(change())
            seen = [await listed(other, visibility=None)]
            while not changing.done():
                seen.append(await listed(other, visibility=None))
                await asyncio.sleep(0)
            await changing

            assert [rooms for rooms in seen if rooms != ["r"]] == []

    def _updated(self, room: Room, was: Room) -> Draft:
        return replace(self.stating(room_fact(room, was)), type="room.updated", restricts=True)

    async def test_rooms_that_come_and_go_between_pages_neither_repeat_nor_swallow_others(self) -> None:
        async with self.started() as store:
            await self.create(store, "b", "d", "f", "h")
            first = await store.rooms(limit=2)

            await store.delete_room("d")  # the one that the cursor stands on
            await store.delete_room("f")
            await self.create(store, "a", "e")
            rest = await store.rooms(cursor=first.cursor, limit=5)

            assert [room.id for room in rest.rooms] == ["e", "h"]
            assert rest.cursor is None

    async def test_forged_cursors_are_invalid(self) -> None:
        async with self.room() as store:
            await members.put(store, "r", Member("u1", "Ada"))
            for cursor in FORGED:
                with raises(InvalidCursor):
                    await store.rooms(cursor=cursor)
                with raises(InvalidCursor):
                    await store.rooms(fact=(members.MEMBER, "u1"), cursor=cursor)
                with raises(InvalidCursor):
                    await members.page(store, "r", cursor=cursor)

    async def test_hostile_cursors_are_invalid_or_show_what_the_list_holds(self) -> None:
        async with self.room() as store:
            await members.put(store, "r", Member("u1", "Ada"))

            async def rooms(cursor: str) -> list[str]:
                return [room.id for room in (await store.rooms(cursor=cursor)).rooms]

            async def mine(cursor: str) -> list[str]:
                return [
                    room.id for room in (await store.rooms(fact=(members.MEMBER, "u1"), cursor=cursor)).rooms
                ]

            async def there(cursor: str) -> list[str]:
                return [member.user for member in (await members.page(store, "r", cursor=cursor)).members]

            await assert_harmless(rooms, holds=["r"])
            await assert_harmless(mine, holds=["r"])
            await assert_harmless(there, holds=["u1"])

    async def test_a_cursor_of_another_list_is_invalid_or_shows_what_the_list_holds(self) -> None:
        async with self.started() as store:
            await self.create(store, "a", "b", "c")
            for room in "abc":
                for user in ("u1", "u2"):
                    await members.put(store, room, Member(user, "N"))
            rooms, mine = await store.rooms(limit=1), await store.rooms(fact=(members.MEMBER, "u1"), limit=1)
            there = await members.page(store, "a", limit=1)

            for cursor in (mine.cursor, there.cursor):
                with contextlib.suppress(InvalidCursor):
                    found = (await store.rooms(cursor=cursor)).rooms
                    assert {room.id for room in found} <= {"a", "b", "c"}
            for cursor in (rooms.cursor, mine.cursor):
                with contextlib.suppress(InvalidCursor):
                    shown = (await members.page(store, "b", cursor=cursor)).members
                    assert {member.user for member in shown} <= {"u1", "u2"}
            assert [m.user for m in (await members.page(store, "b", cursor=there.cursor)).members] == ["u2"]

    async def test_a_cursor_that_was_tampered_with_shows_nothing_else(self) -> None:
        async with self.started() as store:
            await self.create(store, "a", "b", "c")
            await self.create(store, "hidden", visibility=PRIVATE)
            cursor = (await store.rooms(limit=1)).cursor
            assert cursor is not None

            for forged in _altered(cursor):
                try:
                    page = await store.rooms(cursor=forged)
                except InvalidCursor:
                    continue
                assert {room.id for room in page.rooms} <= {"a", "b", "c"}, forged


def _room(id: str, *, title: str = "", visibility: str = PUBLIC) -> Room:
    return Room(id, "", 0, title=title, visibility=visibility)


def _altered(cursor: str) -> Iterator[str]:
    for place in range(len(cursor)):
        yield cursor[:place]
        yield cursor[:place] + cursor[place + 1 :]
        for other in "A~%'\x00":
            yield cursor[:place] + other + cursor[place + 1 :]
    yield cursor + cursor
    yield cursor + "="
