"""The presence's suite: who went out without a word (sentence 7)."""

import asyncio

from ...models import Sender
from ...presence.base import Entry, Presence
from .hooks import ADA, BOB, USERS, PresenceHooks


class EndTests(PresenceHooks):
    """Sentence 7."""

    async def test_07_ended_tells_who_went_out_by_the_end_of_their_entries_once(self) -> None:
        async with self.nodes() as (dead, alive):
            await dead.touch([Entry("r", ADA), Entry("s", ADA), Entry("", ADA), Entry("r", BOB)])
            before = await _ended(dead, alive)
            await self.pass_time(self.ttl * 0.625)
            await alive.touch([Entry("r", BOB)])
            await self.pass_time(self.ttl * 0.625)

            told = await _ended(alive, dead, alive)

            assert before == []
            assert told == [Entry("", ADA), Entry("r", ADA), Entry("s", ADA)]

    async def test_07_ended_tells_it_also_after_others_have_looked(self) -> None:
        async with self.nodes() as (dead, alive):
            await dead.touch([Entry("r", ADA)])
            await self.pass_time(self.ttl * 1.25)
            await alive.list("r")
            await alive.count(["r"])
            await alive.online(["u1"])
            await alive.touch([Entry("r", BOB)])
            await dead.drop([Entry("r", ADA)])

            assert await _ended(alive) == [Entry("r", ADA)]

    async def test_07_ended_tells_nothing_of_who_was_dropped_or_came_in_again(self) -> None:
        async with self.nodes() as (dead, alive):
            await dead.touch([Entry("r", ADA), Entry("s", ADA), Entry("r", BOB)])
            await dead.drop([Entry("r", BOB)])
            await self.pass_time(self.ttl * 1.25)

            back = await alive.touch([Entry("r", ADA)])

            assert back == [True]
            assert await _ended(alive, dead) == [Entry("s", ADA)]
            assert await alive.count(["r", "s"]) == {"r": 1, "s": 0}

    async def test_07_a_user_of_two_nodes_that_died_ends_once(self) -> None:
        async with self.nodes() as (one, other):
            await one.touch([Entry("r", ADA)])
            await other.touch([Entry("r", ADA)])
            await self.pass_time(self.ttl * 1.25)

            assert await _ended(one, other) == [Entry("r", ADA)]

    async def test_07_of_nodes_that_ask_at_once_one_is_told(self) -> None:
        async with self.nodes() as (one, other):
            entries = [Entry(f"room.{n}", Sender(user, user)) for n, user in enumerate(USERS)]
            await one.touch(entries)
            await self.pass_time(self.ttl * 1.25)

            told = await asyncio.gather(*(node.ended() for node in (one, other) * 5))

            assert sorted(entry.room for some in told for entry in some) == sorted(e.room for e in entries)
            assert {entry.user for some in told for entry in some} == {entry.user for entry in entries}


async def _ended(*nodes: Presence) -> list[Entry]:
    """What these nodes are told, one after the other, all together."""
    told = [entry for node in nodes for entry in await node.ended()]
    return sorted(told, key=lambda entry: (entry.room, entry.user.id))
