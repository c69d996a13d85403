"""The store suite, third part: rooms, members, secrets, and what must not be mixed up."""

import asyncio
import contextlib
from collections.abc import Iterator

import msgspec

from ...errors import Conflict, InvalidCursor, RoomLimit, RoomNotFound
from ...models import DIRECT, EVERYONE, PRIVATE, PUBLIC, RESERVED, Member, Room, direct_room, user_room
from ...stores.base import Bounds, Store
from .._cursors import FORGED, assert_harmless
from .hooks import StoreHooks, fresh, listed, raises, result, texts

ROOMS = (
    "a",
    "A",
    "a:b",
    "a:b:c",
    "a.b",
    "b",
    ":",
    ":a",
    "a:",
    "..a",
    "-",
    "_",
    "~a",
    "a~",
    "0",
    "x" * 128,
    "x" * 127,
)
"""Rooms that are one and the same to a backend that glues, globs, folds or cuts names."""

USERS = (
    "u",
    "U",
    "u ",
    "ü",
    "u:1",
    "%",
    "_",
    "*",
    "?",
    "[u]",
    "'; DROP TABLE rooms; --",
    "u\nx",
    "\\",
    "{u}",
    "😀",
    '"',
)
"""Users likewise: their ids are the host's, and may hold anything."""


class RoomTests(StoreHooks):
    """Making, listing and forgetting rooms."""

    async def test_a_room_is_kept_as_it_was_made_with_an_epoch_and_a_seq_of_the_stores_own(self) -> None:
        async with self.two_processes() as (one, other):
            wanted = Room(
                id="lobby",
                epoch="mine",
                seq=77,
                title="Café 😀 %_'\"",
                visibility=PRIVATE,
                attributes={"a": [1, 2.5, None, True, {"b": "ü"}]},
                created_at=1750000000.125,
                created_by="u'1",
                auto=False,
                announce=True,
            )

            room, made = await one.create_room(wanted)

            assert made
            assert room.epoch not in {"", "mine"}
            assert room == msgspec.structs.replace(wanted, epoch=room.epoch, seq=0)
            assert await other.room("lobby") == room

    async def test_a_room_tells_where_its_numbering_stands(self) -> None:
        async with self.room() as store:
            last = (await self.say(store, 3))[-1]

            room = await store.room("r")

            assert room is not None
            assert (room.seq, room.epoch) == (3, last.epoch)

    async def test_a_room_that_does_not_exist_is_none(self) -> None:
        async with self.started() as store:
            assert await store.room("nowhere") is None

    async def test_a_room_is_made_with_its_first_member(self) -> None:
        async with self.started() as store:
            owner = Member("u1", "Ada", "owner", 1750000000.5)

            await store.create_room(_room("club"), owner=owner)

            assert await store.member("club", "u1") == owner
            assert await listed(store, member="u1") == ["club"]

    async def test_making_a_room_again_with_the_same_key_and_hash_or_without_a_key_gives_it_back(
        self,
    ) -> None:
        async with self.started() as store:
            first, _ = await store.create_room(_room("club"), key=("u1", "k"), hash=b"h")

            again = await store.create_room(_room("club"), key=("u1", "k"), hash=b"h")
            plain = await store.create_room(_room("club", title="other"))

            assert again == plain == (first, False)

    async def test_making_a_room_again_does_not_bring_its_first_member_back(self) -> None:
        async with self.started() as store:
            owner = Member("u1", "Ada", "owner")
            await store.create_room(_room("club"), owner=owner, key=("u1", "k"), hash=b"h")
            await store.remove_member("club", "u1")

            await store.create_room(_room("club"), owner=owner, key=("u1", "k"), hash=b"h")

            assert await store.member("club", "u1") is None

    async def test_making_a_room_again_with_another_key_or_hash_is_a_conflict(self) -> None:
        async with self.started() as store:
            await store.create_room(_room("club"), key=("u1", "k"), hash=b"h")
            await store.create_room(_room("open"))

            for room, key, hash in (
                ("club", ("u1", "k"), b"H"),
                ("club", ("u1", "K"), b"h"),
                ("club", ("u2", "k"), b"h"),
                ("open", ("u1", "k"), b"h"),
            ):
                with raises(Conflict):
                    await store.create_room(_room(room), key=key, hash=hash)

    async def test_a_changed_room_is_what_it_was_besides(self) -> None:
        async with self.two_processes() as (one, other):
            owner = Member("u1", "Ada", "owner", 1750000000.125)
            made, _ = await one.create_room(_room("club", title="Old", visibility=PUBLIC), owner=owner)
            await other.append([self.draft("club")])

            for visibility in (PRIVATE, PUBLIC, PUBLIC):
                wanted = msgspec.structs.replace(
                    made, title="New", visibility=visibility, attributes={"a": 1}, announce=True
                )
                changed = await one.update_room(wanted)

                assert changed == await other.room("club") == msgspec.structs.replace(wanted, seq=1)
                listed = [room.id for room in (await other.rooms()).rooms]
                assert ("club" in listed) == (visibility == PUBLIC)
                assert [room.id for room in (await other.rooms(member="u1")).rooms] == ["club"]

            assert await other.member("club", "u1") == owner
            assert (await other.heads(["club"]))["club"].epoch == made.epoch

    async def test_a_room_that_is_another_by_now_is_not_changed(self) -> None:
        async with self.started() as store:
            old, _ = await store.create_room(_room("club"))
            await store.delete_room("club")
            with raises(RoomNotFound):
                await store.update_room(old)
            new, _ = await store.create_room(_room("club"))
            with raises(RoomNotFound):
                await store.update_room(msgspec.structs.replace(old, title="x"))

            assert await store.room("club") == new

    async def test_of_those_who_make_a_room_at_once_one_makes_it(self) -> None:
        async with self.two_processes() as (one, other):
            made = await asyncio.gather(*(store.create_room(_room("club")) for store in (one, other) * 10))

            assert sum(new for _, new in made) == 1
            assert len({room.epoch for room, _ in made}) == 1

    async def test_above_max_rooms_none_is_made_but_reserved_ones(self) -> None:
        async with self.started(Bounds(max_rooms=3)) as store:
            await self.create(store, EVERYONE, user_room("u1"), visibility=RESERVED)
            await self.create(store, "a", "b", "c")

            with raises(RoomLimit):
                await store.create_room(_room("d"))

            await self.create(store, user_room("u2"), visibility=RESERVED)
            assert await store.create_room(_room("a")) == (await store.room("a"), False), "there already"
            await store.delete_room("b")
            await self.create(store, "d")

    async def test_direct_rooms_have_a_bound_of_their_own(self) -> None:
        async with self.started(Bounds(max_rooms=2, max_direct_rooms=3)) as store:
            rooms = [direct_room("u1", f"u{n}") for n in range(2, 7)]
            await self.create(store, *rooms[:3], visibility=DIRECT)
            with raises(RoomLimit):
                await store.create_room(_room(rooms[3], visibility=DIRECT))

            await self.create(store, "a", "b")
            with raises(RoomLimit):
                await store.create_room(_room("c"))
            await store.delete_room("a")
            with raises(RoomLimit):
                await store.create_room(_room(rooms[3], visibility=DIRECT))
            await store.delete_room(rooms[0])
            await self.create(store, rooms[3], visibility=DIRECT)
            await self.create(store, "c")
            for visibility, room in ((DIRECT, rooms[4]), (PRIVATE, "d")):
                with raises(RoomLimit):
                    await store.create_room(_room(room, visibility=visibility))

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
                await store.set_member(room, Member("u1", "Ada"))
            await store.set_member("other", Member("u2", "Bob"))

            mine = [await listed(store, member="u1", limit=limit) for limit in (1, 2, 3, 4)]

            assert mine == [["hidden", "open", direct]] * 4
            assert await listed(store, member="nobody") == []

    async def test_the_list_of_a_member_follows_what_becomes_of_rooms_and_members(self) -> None:
        async with self.started() as store:
            await self.create(store, "left", "gone", "kept")
            for room in ("left", "gone", "kept"):
                await store.set_member(room, Member("u1", "Ada"))

            await store.remove_member("left", "u1")
            await store.delete_room("gone")

            assert await listed(store, member="u1") == ["kept"]

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
            await store.set_member("r", Member("u1", "Ada"))
            for cursor in FORGED:
                with raises(InvalidCursor):
                    await store.rooms(cursor=cursor)
                with raises(InvalidCursor):
                    await store.rooms(member="u1", cursor=cursor)
                with raises(InvalidCursor):
                    await store.members("r", cursor=cursor)

    async def test_hostile_cursors_are_invalid_or_show_what_the_list_holds(self) -> None:
        async with self.room() as store:
            await store.set_member("r", Member("u1", "Ada"))

            async def rooms(cursor: str) -> list[str]:
                return [room.id for room in (await store.rooms(cursor=cursor)).rooms]

            async def mine(cursor: str) -> list[str]:
                return [room.id for room in (await store.rooms(member="u1", cursor=cursor)).rooms]

            async def members(cursor: str) -> list[str]:
                return [member.user for member in (await store.members("r", cursor=cursor)).members]

            await assert_harmless(rooms, holds=["r"])
            await assert_harmless(mine, holds=["r"])
            await assert_harmless(members, holds=["u1"])

    async def test_a_cursor_of_another_list_is_invalid_or_shows_what_the_list_holds(self) -> None:
        async with self.started() as store:
            await self.create(store, "a", "b", "c")
            for room in "abc":
                for user in ("u1", "u2"):
                    await store.set_member(room, Member(user, "N"))
            rooms, mine = await store.rooms(limit=1), await store.rooms(member="u1", limit=1)
            members = await store.members("a", limit=1)

            for cursor in (mine.cursor, members.cursor):
                with contextlib.suppress(InvalidCursor):
                    found = (await store.rooms(cursor=cursor)).rooms
                    assert {room.id for room in found} <= {"a", "b", "c"}
            for cursor in (rooms.cursor, mine.cursor):
                with contextlib.suppress(InvalidCursor):
                    shown = (await store.members("b", cursor=cursor)).members
                    assert {member.user for member in shown} <= {"u1", "u2"}
            assert [m.user for m in (await store.members("b", cursor=members.cursor)).members] == ["u2"]

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

    async def test_deleting_a_room_forgets_all_that_is_in_it(self) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 3)
            await one.set_member("r", Member("u1", "Ada"))

            assert await other.delete_room("r")

            for store in (one, other):
                assert await store.room("r") is None
                assert await store.heads(["r"]) == {}
                assert await listed(store) == await listed(store, member="u1") == []
                assert await store.member("r", "u1") is None
                assert isinstance((await store.append([self.draft()]))[0], RoomNotFound)
            assert not await one.delete_room("r"), "it was gone already"

    async def test_an_unused_room_goes_only_if_its_first_join_made_it_and_nothing_was_stored(self) -> None:
        async with self.started() as store:
            await self.create(store, "auto", "used", auto=True)
            await self.create(store, "wanted")
            await self.say(store, 1, room="used")

            gone = [
                await store.delete_room(room, unused=True) for room in ("auto", "used", "wanted", "nowhere")
            ]

            assert gone == [True, False, False, False]
            assert await listed(store) == ["used", "wanted"]

    async def test_a_room_is_used_even_when_what_was_stored_is_gone(self) -> None:
        async with self.started(Bounds(retention=1.0)) as store:
            await self.create(store, "used", auto=True)
            await self.say(store, 1_000, room="used")
            await self.pass_time(1.5)
            assert (await store.history("used", after=0, limit=5)).events == []

            assert not await store.delete_room("used", unused=True)

    async def test_what_is_said_while_an_unused_room_is_deleted_is_kept_or_refused(self) -> None:
        async with self.two_processes() as (one, other):
            for n in range(20):
                room = f"room.{n}"
                await self.create(one, room, auto=True)

                (answer,), gone = await asyncio.gather(
                    one.append([self.draft(room)]), other.delete_room(room, unused=True)
                )

                assert isinstance(answer, RoomNotFound) is gone
                assert (await one.room(room) is None) is gone


class MemberTests(StoreHooks):
    """The durable tie between users and rooms."""

    async def test_a_membership_is_kept_and_changed(self) -> None:
        async with self.two_processes() as (one, other):
            await one.set_member("r", Member("u1", "Ada", "owner", 1750000000.125))
            first = await other.member("r", "u1")
            await one.set_member("r", Member("u1", "Ada L.", "a role of the host's", 1750000001.5))

            assert first == Member("u1", "Ada", "owner", 1750000000.125)
            assert await other.member("r", "u1") == Member(
                "u1", "Ada L.", "a role of the host's", 1750000001.5
            )
            assert (await other.members("r")).total == 1

    async def test_removing_a_member_says_whether_there_was_one(self) -> None:
        async with self.room() as store:
            await store.set_member("r", Member("u1", "Ada"))

            removed = [await store.remove_member("r", user) for user in ("u1", "u1", "nobody")]

            assert removed == [True, False, False]
            assert await store.member("r", "u1") is None
            assert (await store.heads(["r"]))["r"].seq == 0, "no event came of it"

    async def test_members_come_in_the_order_of_their_ids_and_all_are_counted(self) -> None:
        async with self.room() as store:
            for user in reversed(USERS):
                await store.set_member("r", Member(user, user.upper()))

            for limit in (1, 2, 5, len(USERS) - 1, len(USERS), len(USERS) + 1):
                assert await _members(store, limit) == sorted(USERS)

    async def test_a_room_without_members_has_an_empty_page(self) -> None:
        async with self.room() as store:
            page = await store.members("r")

            assert (page.members, page.total, page.cursor) == ([], 0, None)

    async def test_members_of_a_room_that_does_not_exist_are_room_not_found(self) -> None:
        async with self.started() as store:
            with raises(RoomNotFound):
                await store.members("nowhere")
            with raises(RoomNotFound):
                await store.set_member("nowhere", Member("u1", "Ada"))
            with raises(RoomNotFound):
                await store.remove_member("nowhere", "u1")
            assert await store.member("nowhere", "u1") is None

    async def test_the_first_members_of_many_rooms_come_at_once(self) -> None:
        async with self.two_processes() as (one, other):
            rooms = [f"room.{n}" for n in range(30)]
            await self.create(one, *rooms, visibility=DIRECT)
            for n, room in enumerate(rooms):
                for user in USERS[: n % 4]:
                    await one.set_member(room, Member(user, user.upper(), "a role", 1750000000.5))

            found = await other.first_members([*rooms, "nowhere"], 2)

            assert set(found) == set(rooms)
            for room in rooms:
                assert found[room] == (await other.members(room, limit=2)).members, room
            assert await other.first_members([], 2) == {}

    async def test_the_first_members_of_more_rooms_than_one_statement_takes_come_all(self) -> None:
        async with self.started() as store:
            rooms = [f"room.{n}" for n in range(5)]
            await self.create(store, *rooms)
            for room in rooms:
                await store.set_member(room, Member("u1", room))

            found = await store.first_members(rooms + [f"nowhere.{n}" for n in range(2_500)], 3)

            assert {room: [member.name for member in members] for room, members in found.items()} == {
                room: [room] for room in rooms
            }


class SeparationTests(StoreHooks):
    """What must not be mixed up, and the life of the store itself."""

    async def test_rooms_whose_ids_resemble_each_other_share_nothing(self) -> None:
        async with self.started() as store:
            await self.create(store, *ROOMS)
            for n, room in enumerate(ROOMS):
                await result(store, self.draft(room, str(n), key="k"))
                await store.set_member(room, Member(f"u{n}", "Ada"))

            for n, room in enumerate(ROOMS):
                assert texts(await store.history(room, after=0, limit=9)) == [b'{"text":"%d"}' % n], room
                assert [member.user for member in (await store.members(room)).members] == [f"u{n}"]
                assert await listed(store, member=f"u{n}") == [room]

            await store.delete_room("a")
            assert await listed(store) == sorted(set(ROOMS) - {"a"})
            assert len(await store.heads(ROOMS)) == len(ROOMS) - 1

    async def test_users_whose_ids_resemble_each_other_share_nothing(self) -> None:
        async with self.started() as store:
            for n, user in enumerate(USERS):
                await self.create(store, f"room.{n}")
                await store.set_member(f"room.{n}", Member(user, user))

            for n, user in enumerate(USERS):
                assert await listed(store, member=user) == [f"room.{n}"]
                assert await store.member(f"room.{n}", user) == Member(user, user)
                assert await store.member(f"room.{(n + 1) % len(USERS)}", user) is None

    async def test_two_instances_share_nothing(self) -> None:
        name = fresh("suite")
        # Names that meet where instance and room are simply glued together.
        async with self.started(instance=name) as one, self.started(instance=f"{name}:a") as other:
            await self.create(one, "a:b", "b")
            await self.say(one, 2, room="a:b")
            await one.set_member("a:b", Member("u1", "Ada"))

            assert await other.room("b") is None
            assert await listed(other) == await listed(other, member="u1") == []
            assert await one.secret("key") != await other.secret("key")
            await self.create(other, "b")
            assert (await other.heads(["b"]))["b"].seq == 0

    async def test_a_secret_is_long_and_the_same_for_everyone(self) -> None:
        async with self.two_processes() as (one, other):
            found = await asyncio.gather(*(store.secret("guests") for store in (one, other) * 5))

            assert len(set(found)) == 1
            assert len(found[0]) * 6 >= 256, "six bits a character is the most that plain text carries"
            assert await one.secret("tickets") != found[0]

    async def test_stopping_again_or_before_the_start_does_nothing(self) -> None:
        store = await self.make()
        await store.stop()
        await store.start(fresh("suite"), Bounds())
        await self.create(store, "r")

        await store.stop()
        await store.stop()


def _room(id: str, *, title: str = "", visibility: str = PUBLIC) -> Room:
    return Room(id, "", 0, title=title, visibility=visibility)


async def _members(store: Store, limit: int) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await store.members("r", cursor=cursor, limit=limit)
        assert page.total == len(USERS)
        found += [member.user for member in page.members]
        if page.cursor is None:
            return found
        assert len(found) < page.total, "a cursor leads to something"
        cursor = page.cursor


def _altered(cursor: str) -> Iterator[str]:
    for place in range(len(cursor)):
        yield cursor[:place]
        yield cursor[:place] + cursor[place + 1 :]
        for other in "A~%'\x00":
            yield cursor[:place] + other + cursor[place + 1 :]
    yield cursor + cursor
    yield cursor + "="
