"""The store suite: what must not be mixed up, secrets, and the end."""

import asyncio

from ...models import Member
from ...stores import members
from ...stores.base import Bounds
from .hooks import StoreHooks, fresh, listed, result, texts

__all__ = ["ROOMS", "USERS", "SeparationTests"]

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
"""Users likewise: the app chooses their ids, which may contain anything."""


class SeparationTests(StoreHooks):
    """What must not be mixed up, and the life of the store itself."""

    async def test_rooms_whose_ids_resemble_each_other_share_nothing(self) -> None:
        async with self.started() as store:
            await self.create(store, *ROOMS)
            for n, room in enumerate(ROOMS):
                await result(store, self.draft(room, str(n), key="k"))
                await members.put(store, room, Member(f"u{n}", "Ada"))

            for n, room in enumerate(ROOMS):
                assert texts(await store.history(room, after=0, limit=9)) == [b'{"text":"%d"}' % n], room
                assert [member.user for member in (await members.page(store, room)).members] == [f"u{n}"]
                assert await listed(store, member=f"u{n}") == [room]

            await store.delete_room("a")
            assert await listed(store) == sorted(set(ROOMS) - {"a"})
            assert len(await store.heads(ROOMS)) == len(ROOMS) - 1

    async def test_users_whose_ids_resemble_each_other_share_nothing(self) -> None:
        async with self.started() as store:
            for n, user in enumerate(USERS):
                await self.create(store, f"room.{n}")
                await members.put(store, f"room.{n}", Member(user, user))

            for n, user in enumerate(USERS):
                assert await listed(store, member=user) == [f"room.{n}"]
                assert await members.find(store, f"room.{n}", user) == Member(user, user)
                assert await members.find(store, f"room.{(n + 1) % len(USERS)}", user) is None

    async def test_two_instances_share_nothing(self) -> None:
        name = fresh("suite")
        # Names that meet where instance and room are simply glued together.
        async with self.started(instance=name) as one, self.started(instance=f"{name}:a") as other:
            await self.create(one, "a:b", "b")
            await self.say(one, 2, room="a:b")
            await members.put(one, "a:b", Member("u1", "Ada"))

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
