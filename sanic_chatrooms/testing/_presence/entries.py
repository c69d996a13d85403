"""The presence's suite: entries, their ends, and what must not be mixed up (sentences 1 to 4)."""

import asyncio

from ...models import Sender
from ...presence.base import Entry
from ..clock import time_of_day
from .hooks import ADA, BOB, ROOMS, USERS, PresenceHooks, fresh


class EntryTests(PresenceHooks):
    """Sentences 1 to 4."""

    async def test_01_a_user_is_present_as_long_as_one_node_has_an_entry(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA)])
            await other.touch([Entry("r", ADA)])

            await one.drop([Entry("r", ADA)])
            still = await one.list("r")
            await other.drop([Entry("r", ADA)])

            assert still.users == [ADA]
            assert (await one.list("r")).users == []

    async def test_02_touch_says_true_once_however_many_nodes_and_repetitions_follow(self) -> None:
        async with self.nodes() as (one, other):
            first = await one.touch([Entry("r", ADA), Entry("r", ADA), Entry("r", BOB)])
            again = await one.touch([Entry("r", ADA), Entry("s", ADA)])
            elsewhere = await other.touch([Entry("r", ADA), Entry("r", BOB)])

            assert first == [True, False, True]
            assert again == [False, True]
            assert elsewhere == [False, False]

    async def test_02_of_nodes_that_touch_at_once_one_hears_true(self) -> None:
        async with self.nodes() as (one, other):
            entries = [Entry(f"room.{n}", ADA) for n in range(10)]

            answers = await asyncio.gather(*(node.touch(entries) for node in (one, other) * 5))

            assert [sum(answer) for answer in zip(*answers, strict=True)] == [1] * 10

    async def test_02_who_went_out_comes_in_again(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA)])
            await one.drop([Entry("r", ADA)])

            assert await other.touch([Entry("r", ADA)]) == [True]

    async def test_03_drop_says_true_for_the_last_nodes_entry(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA), Entry("r", BOB)])
            await other.touch([Entry("r", ADA)])

            first = await one.drop([Entry("r", ADA), Entry("r", BOB), Entry("r", BOB), Entry("s", ADA)])
            last = await other.drop([Entry("r", ADA), Entry("r", BOB)])

            assert first == [False, True, False, False]
            assert last == [True, False]

    async def test_03_a_node_drops_only_its_own_entries(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA)])

            assert await other.drop([Entry("r", ADA)]) == [False]
            assert (await other.list("r")).users == [ADA]

    async def test_04_an_entry_that_was_not_touched_for_ttl_seconds_is_gone_and_counts_nowhere(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA), Entry("", BOB)])
            await self.pass_time(self.ttl * 1.25)

            for node in (one, other):
                page = await node.list("r")
                assert (page.users, page.total, page.cursor) == ([], 0, None)
                assert await node.count(["r"]) == {"r": 0}
                assert await node.online(["u1", "u2"]) == set()
            assert await one.drop([Entry("r", ADA)]) == [False]
            assert await other.touch([Entry("r", ADA)]) == [True]

    async def test_04_an_entry_lives_as_long_when_the_time_of_day_is_set(self) -> None:
        with time_of_day() as move:
            async with self.nodes(clocked=False) as (one, other):
                for step in (7_200.0, -14_400.0, 90_000.0):
                    user = Sender(f"u{step}", "N")
                    await one.touch([Entry("r", user)])
                    move(step)

                    assert user in (await other.list("r")).users, step
                    assert await other.online([user.id]) == {user.id}, step
                    assert await one.drop([Entry("r", user)]) == [True], step

    async def test_04_a_touch_refreshes_an_entry(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA), Entry("r", BOB)])
            for _ in range(2):
                await self.pass_time(self.ttl * 0.625)
                await one.touch([Entry("r", ADA)])

            assert (await other.list("r")).users == [ADA]

    async def test_04_the_entry_of_a_node_that_lives_outlasts_that_of_one_that_died(self) -> None:
        async with self.nodes() as (dead, alive):
            await dead.touch([Entry("r", ADA)])
            await self.pass_time(self.ttl * 0.625)
            await alive.touch([Entry("r", ADA)])
            await self.pass_time(self.ttl * 0.625)

            assert await alive.count(["r"]) == {"r": 1}
            assert await alive.drop([Entry("r", ADA)]) == [True], "the dead node's entry counts no more"

    async def test_stop_takes_back_the_nodes_own_entries(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA), Entry("r", BOB), Entry("", BOB)])
            await other.touch([Entry("r", ADA)])

            await one.stop()

            assert (await other.list("r")).users == [ADA]
            assert await other.online(["u1", "u2"]) == {"u1"}

    async def test_stopping_again_or_before_the_start_does_nothing(self) -> None:
        for presence in await self.make():
            await presence.stop()
            await presence.start(fresh("suite"), fresh("node"), self.ttl)
            await presence.stop()
            await presence.stop()

    async def test_two_instances_share_nothing(self) -> None:
        name = fresh("suite")
        # Names that meet where instance and room are simply glued together.
        async with self.nodes(name) as (one, _), self.nodes(f"{name}:a") as (other, _):
            await one.touch([Entry("a:b", ADA), Entry("b", ADA)])

            assert await other.count(["b", "a:b"]) == {"b": 0, "a:b": 0}
            assert await other.online(["u1"]) == set()
            assert await other.seen(["u1"]) == {}

    async def test_rooms_and_users_that_resemble_each_other_are_told_apart(self) -> None:
        async with self.nodes() as (one, other):
            for n, room in enumerate(ROOMS):
                user = Sender(USERS[n], "N")

                assert await one.touch([Entry(room, user)]) == [True]
                assert (await other.list(room)).users == [user]

            assert await other.count(ROOMS) == dict.fromkeys(ROOMS, 1)
            assert await other.online(USERS) == set(USERS[: len(ROOMS)])
