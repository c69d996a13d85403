"""Does a presence keep its contract? The tests of `sanic_chatrooms.presence.base.Presence`, to be run on yours.

    import pytest
    pytest.register_assert_rewrite("sanic_chatrooms.testing")  # so that a failing assert shows its values

    from sanic_chatrooms.testing.presence import PresenceSuite
    from mypresence import MyPresence

    class TestMyPresence(PresenceSuite):
        async def make(self) -> tuple[MyPresence, MyPresence]:
            return MyPresence("my://localhost"), MyPresence("my://localhost")

That is all, with pytest-asyncio in its auto mode; the suite itself needs no test runner. The number in a test's name
is that of the sentence in the contract. A presence that takes a clock should override `now` and `pass_time`, or the
tests of expiry really wait; and `make_unclocked`, so that its own clock is tested.
"""

# ruff: noqa: D102 - a test's name is its sentence

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import InvalidCursor
from ..models import Sender
from ..presence.base import Entry, Presence
from ._cursors import FORGED, assert_harmless
from .clock import time_of_day

__all__ = ["PresenceSuite"]

ADA, BOB = Sender("u1", "Ada"), Sender("u2", "Bob")

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
    "'; DROP TABLE x; --",
    "u\nx",
    "\\",
    "{u}",
    "😀",
    '"',
)
"""Users who are one and the same to a backend that glues, globs, folds or cuts names."""

ROOMS = ("a", "A", "a:b", "a:b:c", "a.b", "b", ":", "a:", "-", "~a", "x" * 128, "x" * 127)
"""Rooms likewise."""


class PresenceSuite:
    """Subclass it and override `make`."""

    ttl = 2.0
    """Seconds for which an entry lives in these tests."""

    async def make(self) -> tuple[Presence, Presence]:
        """The presences of two processes, not started. Called twice in a test: four processes of one system."""
        raise NotImplementedError("override make() to return two of your presences")

    async def make_unclocked(self) -> tuple[Presence, Presence]:
        """The same without a clock of the test's. Override it where `make` gives them one."""
        return await self.make()

    def now(self) -> float:
        """The time by which entries expire (Unix seconds)."""
        return time.time()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for the presence."""
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def nodes(
        self, instance: str | None = None, *, clocked: bool = True
    ) -> AsyncIterator[tuple[Presence, Presence]]:
        """Two started nodes, of an instance that nobody used before unless one is given."""
        instance = instance or _fresh("suite")
        one, other = await (self.make() if clocked else self.make_unclocked())
        try:
            for node in (one, other):
                await node.start(instance, _fresh("node"), self.ttl)
            yield one, other
        finally:
            await one.stop()
            await other.stop()

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
            await presence.start(_fresh("suite"), _fresh("node"), self.ttl)
            await presence.stop()
            await presence.stop()

    async def test_two_instances_share_nothing(self) -> None:
        name = _fresh("suite")
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


async def _ended(*nodes: Presence) -> list[Entry]:
    """What these nodes are told, one after the other, all together."""
    told = [entry for node in nodes for entry in await node.ended()]
    return sorted(told, key=lambda entry: (entry.room, entry.user.id))


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


def _fresh(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(8)}"
