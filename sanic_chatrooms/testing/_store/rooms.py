"""The store suite: making, changing and forgetting rooms."""

import asyncio

import msgspec

from ...errors import Conflict, RoomLimit, RoomNotFound
from ...models import DIRECT, EVERYONE, PRIVATE, PUBLIC, RESERVED, Member, Room, direct_room, user_room
from ...stores import members
from ...stores.base import Bounds
from .hooks import StoreHooks, listed, raises


class RoomTests(StoreHooks):
    """Making, changing and forgetting rooms."""

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

            await store.create_room(_room("club"), facts=(members.member_fact(owner),))

            assert await members.find(store, "club", "u1") == owner
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
            await store.create_room(
                _room("club"), facts=(members.member_fact(owner),), key=("u1", "k"), hash=b"h"
            )
            await members.remove(store, "club", "u1")

            await store.create_room(
                _room("club"), facts=(members.member_fact(owner),), key=("u1", "k"), hash=b"h"
            )

            assert await members.find(store, "club", "u1") is None

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
            made, _ = await one.create_room(
                _room("club", title="Old", visibility=PUBLIC), facts=(members.member_fact(owner),)
            )
            await other.append([self.draft("club")])

            for visibility in (PRIVATE, PUBLIC, PUBLIC):
                wanted = msgspec.structs.replace(
                    made, title="New", visibility=visibility, attributes={"a": 1}, announce=True
                )
                changed = await one.update_room(wanted)

                as_wanted = msgspec.structs.replace(
                    wanted, seq=1, epoch=changed.epoch, history=changed.history
                )
                assert changed == await other.room("club") == as_wanted
                assert (changed.epoch == made.epoch) is (visibility == made.visibility), "another past"
                made = changed
                listed = [room.id for room in (await other.rooms()).rooms]
                assert ("club" in listed) == (visibility == PUBLIC)
                assert [room.id for room in (await other.rooms(fact=(members.MEMBER, "u1"))).rooms] == [
                    "club"
                ]

            assert await members.find(other, "club", "u1") == owner
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

    async def test_deleting_a_room_forgets_all_that_is_in_it(self) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 3)
            await members.put(one, "r", Member("u1", "Ada"))

            assert await other.delete_room("r")

            for store in (one, other):
                assert await store.room("r") is None
                assert await store.heads(["r"]) == {}
                assert await listed(store) == await listed(store, member="u1") == []
                assert await members.find(store, "r", "u1") is None
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


def _room(id: str, *, title: str = "", visibility: str = PUBLIC) -> Room:
    return Room(id, "", 0, title=title, visibility=visibility)
