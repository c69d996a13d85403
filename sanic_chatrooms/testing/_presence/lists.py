"""The presence's suite: who is where, and was (sentences 5 and 6)."""

from ...errors import InvalidCursor
from ...models import Sender
from ...presence.base import Entry, Presence
from .._cursors import FORGED, assert_harmless
from .hooks import ADA, BOB, USERS, PresenceHooks


class ListTests(PresenceHooks):
    """Sentences 5 and 6."""

    async def test_05_list_and_count_show_each_user_once(self) -> None:
        async with self.nodes() as (one, other):
            for node in (one, other):
                await node.touch([Entry("r", ADA), Entry("s", ADA), Entry("", ADA)])
            await other.touch([Entry("r", BOB)])

            page = await one.list("r")

            assert (page.users, page.total, page.cursor) == ([ADA, BOB], 2, None)
            assert await one.count(["r", "s", "nowhere"]) == {"r": 2, "s": 1, "nowhere": 0}
            assert await one.count([]) == {}

    async def test_05_users_come_in_the_order_of_their_ids_a_page_at_a_time(self) -> None:
        async with self.nodes() as (one, other):
            for n, user in enumerate(reversed(USERS)):
                await (one, other)[n % 2].touch([Entry("r", Sender(user, user.upper()))])

            for limit in (1, 2, 5, len(USERS) - 1, len(USERS), len(USERS) + 1):
                assert await _listed(one, limit) == sorted(USERS)

    async def test_05_who_goes_between_pages_swallows_nobody(self) -> None:
        async with self.nodes() as (one, _):
            users = {id: Sender(id, id) for id in "abcdef"}
            await one.touch([Entry("r", user) for user in users.values()])
            first = await one.list("r", limit=3)

            await one.drop([Entry("r", users["a"]), Entry("r", users["c"])])
            rest = await one.list("r", cursor=first.cursor, limit=3)

            assert [user.id for user in rest.users] == ["d", "e", "f"]

    async def test_05_forged_cursors_are_invalid(self) -> None:
        async with self.nodes() as (one, _):
            await one.touch([Entry("r", ADA)])
            for cursor in FORGED:
                try:
                    await one.list("r", cursor=cursor)
                except InvalidCursor:
                    continue
                raise AssertionError(f"{cursor[:20]!r} was taken for a cursor")

    async def test_05_hostile_cursors_are_invalid_or_show_who_is_there(self) -> None:
        async with self.nodes() as (one, _):
            await one.touch([Entry("r", ADA), Entry("s", BOB)])

            async def present(cursor: str) -> list[str]:
                return [user.id for user in (await one.list("r", cursor=cursor)).users]

            await assert_harmless(present, holds=[ADA.id])

    async def test_05_the_name_shown_is_that_of_the_last_touch(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA)])
            await other.touch([Entry("r", Sender("u1", "Ada L."))])

            assert (await one.list("r")).users == [Sender("u1", "Ada L.")]

    async def test_06_seen_knows_when_a_user_was_last_touched_or_dropped(self) -> None:
        async with self.nodes() as (one, other):
            before = self.now()
            await one.touch([Entry("r", ADA), Entry("r", BOB)])
            touched = await other.seen(["u1", "u2", "nobody"])
            await self.pass_time(self.ttl * 0.25)
            await one.drop([Entry("r", ADA)])
            dropped = await other.seen(["u1", "u2"])

            assert set(touched) == {"u1", "u2"}
            assert abs(touched["u1"] - before) < self.ttl * 0.2
            assert dropped["u1"] > touched["u1"]
            assert dropped["u2"] == touched["u2"]

    async def test_06_seen_outlives_the_entry(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA)])
            before = await one.seen(["u1"])
            await one.drop([Entry("r", ADA)])
            await self.pass_time(self.ttl * 0.75)

            assert (await other.seen(["u1"]))["u1"] >= before["u1"]

    async def test_online_are_those_who_are_in_a_room_or_connected(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA), Entry("s", ADA), Entry("", BOB)])
            both = await other.online(["u1", "u2", "nobody"])
            await one.drop([Entry("r", ADA), Entry("", BOB)])
            one_left = await other.online(["u1", "u2"])
            await one.drop([Entry("s", ADA)])

            assert (both, one_left) == ({"u1", "u2"}, {"u1"})
            assert await other.online(["u1", "u2"]) == set()

    async def test_online_in_a_room_are_those_who_are_in_it(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA), Entry("", ADA), Entry("s", BOB)])
            await other.touch([Entry("r", ADA)])
            in_r = await other.online(["u1", "u2", "nobody"], room="r")
            anywhere = await other.online(["u1", "u2"], room="")
            await one.drop([Entry("r", ADA), Entry("", ADA)])

            assert (in_r, anywhere) == ({"u1"}, {"u1"})
            assert await one.online(["u1", "u2"], room="r") == {"u1"}, "there is another node"
            assert await other.online(["u1", "u2"], room="") == set()
            assert await one.online([], room="r") == await one.online(["u1"], room="nowhere") == set()


async def _listed(presence: Presence, limit: int) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await presence.list("r", cursor=cursor, limit=limit)
        assert page.total == len(USERS)
        found += [user.id for user in page.users]
        if page.cursor is None:
            return found
        assert len(page.users) == limit, "a page that is not the last is full"
        assert len(found) < page.total, "a cursor leads to something"
        cursor = page.cursor
