"""The store suite: what a room is, as a fact (sentences 37 and 38)."""

from typing import Any

from msgspec.structs import replace

from ...models import PRIVATE, PUBLIC, Draft, Member, Room
from ...stores import members
from ...stores.base import Store
from ...stores.properties import HISTORY_KEPT, room_fact
from .hooks import StoreHooks, listed, result

ALL: dict[str, Any] = {
    "title": "Café 😀 \"'\\ [0,",
    "visibility": PRIVATE,
    "announce": True,
    "attributes": {"a": [0, 2.5, None, True, {"b": "ü"}], "history": [[0, "world"]]},
    "topic": '[[0,"members"]]',
    "permissions": {"message": 50, "join": {"level": 10, "roles": ["guest"]}},
    "history_visibility": "joined",
    "slow_mode": 2.5,
    "archived": True,
}


class PropertyTests(StoreHooks):
    """Sentences 37 and 38."""

    async def test_37_a_room_is_what_its_fact_says_from_its_event_on(self) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 2)
            was = await _room(one)
            answer = await result(one, self.becoming(was, **ALL))

            now = await _room(other)

            assert now == replace(was, seq=3, history=((1, "world"), (3, "joined")), restricted=3, **ALL)
            assert now.epoch == was.epoch
            known = await other.fact("r", "room", "")
            assert known is not None
            assert known.seq == answer.seq == 3

    async def test_37_the_lists_of_rooms_follow_the_rooms_visibility(self) -> None:
        async with self.two_processes() as (one, other):
            await self.create(one, "s", visibility=PRIVATE)
            assert await listed(other) == ["r"]

            await result(one, self.becoming(await _room(one, "r"), visibility=PRIVATE, title="R"))
            await result(one, self.becoming(await _room(one, "s"), visibility=PUBLIC, title="S"))

            assert [(room.id, room.title) for room in (await other.rooms()).rooms] == [("s", "S")]
            await result(one, self.becoming(await _room(one, "r"), visibility=PUBLIC))
            assert [(room.id, room.title) for room in (await other.rooms()).rooms] == [("r", "R"), ("s", "S")]

    async def test_37_what_a_draft_that_is_not_stored_says_of_the_room_does_not_hold(self) -> None:
        async with self.room() as store:
            was = await _room(store)
            draft = self.becoming(was, key="k", title="new")
            await result(store, draft)
            await result(store, self.becoming(await _room(store), title="newer"))

            again = await result(store, draft)
            await store.append([self.becoming(was, title="late", visibility=PRIVATE)])

            assert again.duplicate
            assert (await _room(store)).title == "newer"
            assert await listed(store) == ["r"]

    async def test_37_a_room_has_the_properties_with_which_it_was_made(self) -> None:
        async with self.two_processes() as (one, other):
            wanted = Room("club", "", 0, created_at=self.now(), history=((7, "world"),), **ALL)
            joined = (members.member_fact(Member("u1", "Ada")),)
            room, made = await one.create_room(wanted, facts=joined, key=("u1", "k"), hash=b"h")
            again, made_again = await other.create_room(wanted, key=("u1", "k"), hash=b"h")

            assert (made, made_again) == (True, False)
            assert room == again == await other.room("club") == replace(wanted, epoch=room.epoch, history=())
            (shown,) = (await other.rooms(fact=(members.MEMBER, "u1"))).rooms
            assert shown == room

    async def test_37_updating_a_room_without_an_event_changes_the_same_properties(self) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 2)
            await result(one, self.becoming(await _room(one), topic="news", slow_mode=1))
            was = await _room(other)

            now = await other.update_room(replace(was, title="by the app", archived=True))

            assert now == await _room(one) == replace(was, title="by the app", archived=True)
            hidden = await one.update_room(replace(now, **ALL))
            assert hidden == await _room(other)
            assert hidden == replace(now, **ALL, epoch=hidden.epoch, history=((1, "world"), (4, "joined"))), (
                "from the next event on"
            )
            assert hidden.epoch != now.epoch
            assert (await _room(other)).topic == ALL["topic"]

    async def test_37_an_event_changes_what_was_updated_without_one(self) -> None:
        async with self.two_processes() as (one, other):
            was = await one.update_room(replace(await _room(one), title="app", topic="app"))
            await result(other, self.becoming(was, title="event"))

            now = await _room(one)

            assert (now.title, now.topic) == ("event", "app")

    async def test_38_the_history_has_the_number_of_each_event_that_changed_who_may_read(self) -> None:
        async with self.two_processes() as (one, other):
            for visibility, shown in (
                (PUBLIC, "joined"), (PRIVATE, "joined"), (PRIVATE, "joined"), (PRIVATE, None), (PUBLIC, None)
            ):  # fmt: skip
                await self.say(one, 1)
                changed = {"visibility": visibility, "history_visibility": shown, "title": f"{visibility}"}
                await result(one, self.becoming(await _room(one), **changed))

            assert (await _room(other)).history == (
                (1, "world"),
                (4, "joined"),
                (8, "members"),
                (10, "world"),
            )

    async def test_38_the_last_changes_are_kept_and_what_is_older_is_read_by_fewer(self) -> None:
        async with self.room() as store:
            for n in range(HISTORY_KEPT + 4):
                values = ("joined", "members", "invited")
                changed = {"visibility": PRIVATE, "history_visibility": values[n % 3]}
                await result(store, self.becoming(await _room(store), **changed))

            history = (await _room(store)).history

            assert len(history) == HISTORY_KEPT
            assert history[0] == (1, "joined")
            assert history[-1] == (HISTORY_KEPT + 4, "members")
            assert [seq for seq, _ in history[1:]] == list(range(6, HISTORY_KEPT + 5))

    def becoming(self, was: Room, *, key: str | None = None, **properties: Any) -> Draft:
        """A draft that gives the room these properties."""
        return replace(
            self.draft(was.id, type="room.updated", key=key),
            facts=(room_fact(replace(was, **properties), was),),
            judged=was.seq,
            restricts=True,
        )


async def _room(store: Store, room: str = "r") -> Room:
    found = await store.room(room)
    assert found is not None
    return found
