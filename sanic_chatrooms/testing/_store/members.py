"""The store suite: who is a member of which room."""

from ...errors import RoomNotFound
from ...models import DIRECT, Member
from ...stores.base import Store
from .hooks import StoreHooks, raises
from .separation import USERS


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
