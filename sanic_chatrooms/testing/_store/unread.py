"""The store suite: what is unread, and who is mentioned (sentences 43, 44, 46, 47 and 52)."""

import asyncio

from msgspec.structs import replace

from ...models import APP, Draft, Fact, Fold, Member, Relation, Sender
from ...stores import members
from ...stores.base import Bounds, Store
from ...stores.pages import Unread
from ...stores.unread import PREFS, READ
from .hooks import StoreHooks, result

BOB = Sender("u2", "Bob")


class UnreadTests(StoreHooks):
    """Sentences 41 to 44."""

    async def _join(self, store: Store, user: str = "u2", role: str = "member", room: str = "r") -> None:
        await members.put(store, room, Member(user, user.upper(), role))

    async def _read(self, store: Store, seq: int, user: str = "u2", room: str = "r") -> bool:
        return await store.set_fact(room, Fact(READ, user, b"%d" % seq, "max"))

    async def _unread(self, store: Store, user: str = "u2", cap: int = 100) -> Unread:
        return (await store.unread(user, ["r"], cap))["r"]

    def _mentioning(self, *names: str, text: str = "hi", about: Relation | None = None) -> Draft:
        return replace(self.draft(text=text, about=about), mentions=names)

    # ---- what belongs to a membership ----

    async def test_46_only_members_have_facts_of_their_own(self) -> None:
        async with self.two_processes() as (one, other):
            before = await self._read(one, 1)
            await self._join(one)
            after = await self._read(one, 1)

            assert (before, after) == (False, True)
            assert (await other.facts_about("r", "u2"))[READ].value == b"1"

    async def test_46_the_end_of_a_membership_ends_them_and_nothing_else(self) -> None:
        async with self.two_processes() as (one, other):
            for user in ("u2", "u3"):
                await self._join(one, user)
                await self._read(one, 1, user)
                await one.set_fact("r", Fact(PREFS, user, b'{"notify":"none"}'))
            await one.set_fact("r", Fact("mute", "u2", b"{}"))
            await one.set_fact("r", Fact("mymy", "u2", b"{}"))

            await members.remove(one, "r", "u2")
            await result(one, self.stating(members.left("u3")))

            assert set(await other.facts_about("r", "u2")) == {"mute", "mymy"}
            assert await other.facts_about("r", "u3") == {}
            assert (await other.facts_of(READ, "u2")).facts == []
            assert (await other.facts("r", PREFS)).facts == []

    async def test_46_another_role_changes_nothing_of_them(self) -> None:
        async with self.room() as store:
            await self._join(store)
            await self._read(store, 3)

            await result(store, self.stating(members.member_fact(Member("u2", "U2", "admin"))))

            assert (await store.facts_about("r", "u2"))[READ].value == b"3"

    # ---- what counts ----

    async def test_47_messages_of_others_since_the_membership_began_are_unread(self) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 2)
            await self._join(one)
            await self.say(one, 3)
            await result(one, replace(self.draft(), sender=BOB))
            await self.say(one, 1, type="poll.vote")
            await result(one, replace(self.draft(), sender=None, key=(APP, "key-of-the-app-1")))

            found = await self._unread(other)

            assert (found.count, found.more, found.first, found.marker) == (4, False, 3, 2)
            assert found.member is not None
            assert (found.member.key, found.member.since) == ("u2", 2)
            assert found.last is not None
            assert found.last[0] == 8

    async def test_47_a_marker_is_where_counting_begins(self) -> None:
        async with self.two_processes() as (one, other):
            await self._join(one)
            await self.say(one, 5)
            counts = []
            for value in (2, 4, 5):
                await self._read(one, value)
                found = await self._unread(other)
                counts.append((found.marker, found.count, found.first))
            await one.set_fact("r", Fact(READ, "u2", b"0"))

            assert counts == [(2, 3, 3), (4, 1, 5), (5, 0, None)]
            assert (await self._unread(other)).count == 5

    async def test_47_deleted_messages_do_not_count_and_edited_ones_do(self) -> None:
        async with self.two_processes() as (one, other):
            await self._join(one)
            gone, kept = await self.said(one), await self.said(one)
            await result(one, self.draft(type="message.deleted", about=Relation(gone.msg_id, Fold.ERASE)))
            edit = Relation(kept.msg_id, Fold.REPLACE, value=b'{"text":"second"}')
            await result(one, self.draft(type="message.edited", about=edit))

            found = await self._unread(other)

            assert (found.count, found.first) == (1, 2)
            assert found.last == (2, kept.timestamp)

    async def test_47_trimmed_messages_do_not_count(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            await self._join(store)
            await self.say(store, 12)

            found = await self._unread(store)

            assert (found.count, found.first) == (5, 8)

    async def test_47_messages_that_are_too_old_do_not_count(self) -> None:
        async with self.room(Bounds(history_max=1_000, retention=2.0)) as store:
            await self._join(store)
            await self.say(store, 3)
            await self.pass_time(1.5)
            await self.say(store, 2)
            await self.pass_time(1.0)

            found = await self._unread(store)

            assert (found.count, found.first) == (2, 4)

    async def test_47_others_than_members_have_read_everything(self) -> None:
        async with self.room() as store:
            await self.create(store, "empty")
            await self.say(store, 3)

            found = await store.unread("u2", ["r", "empty", "nowhere"])

            assert set(found) == {"r", "empty"}
            assert found["empty"] == Unread()
            assert found["r"].last is not None
            assert replace(found["r"], last=None) == Unread()

    async def test_47_many_rooms_are_counted_at_once(self) -> None:
        async with self.started() as store:
            rooms = [f"r{n:02}" for n in range(40)]
            await self.create(store, *rooms)
            for n, room in enumerate(rooms):
                await self._join(store, room=room)
                await self.say(store, n % 7, room=room)
                await self._read(store, n % 3, room=room)

            found = await store.unread("u2", rooms)

            assert {room: one.count for room, one in found.items()} == {
                room: max(n % 7 - n % 3, 0) for n, room in enumerate(rooms)
            }

    async def test_47_other_types_count_where_the_bounds_say_so(self) -> None:
        async with self.room(Bounds(counted=("message", "poll.opened"))) as store:
            await self._join(store)
            for type in ("message", "poll.opened", "poll.vote"):
                await self.say(store, 2, type=type)

            assert (await self._unread(store)).count == 4

    async def test_47_preferences_come_with_the_count(self) -> None:
        async with self.room() as store:
            await self._join(store)
            before = (await self._unread(store)).prefs
            await store.set_fact("r", Fact(PREFS, "u2", b'{"notify":"none"}'))

            assert (before, (await self._unread(store)).prefs) == (None, b'{"notify":"none"}')

    async def test_43_no_more_is_counted_than_was_asked_for(self) -> None:
        async with self.room() as store:
            await self._join(store)
            await self.say(store, 101)
            counts = [await self._unread(store, cap=cap) for cap in (1, 100, 101, 200)]

            assert [(one.count, one.more) for one in counts] == [
                (1, True), (100, True), (101, False), (101, False)
            ]  # fmt: skip
            assert {one.first for one in counts} == {1}

    async def test_47_what_may_not_be_seen_does_not_count(self) -> None:
        async with self.room() as store:
            await self._join(store)
            await self.say(store, 9)
            await result(store, self._mentioning("u2"))
            ranges = {
                "r": [(1, 2), (5, 6), (9, 9)],
            }

            found = (await store.unread("u2", ["r"], seen=ranges))["r"]
            few = (await store.unread("u2", ["r"], 2, seen=ranges))["r"]
            none = (await store.unread("u2", ["r"], seen={"r": []}))["r"]

            assert (found.count, found.more, found.first, found.mentions) == (5, False, 1, 0)
            assert (few.count, few.more, few.first) == (2, True, 1)
            assert (none.count, none.first, none.marker) == (0, None, 0)

    # ---- mentions ----

    async def test_44_messages_that_mention_a_user_are_counted(self) -> None:
        async with self.two_processes() as (one, other):
            await self._join(one)
            await self._join(one, "u3", "moderator")
            for names in (("u2",), ("u3", "u2"), ("@room",), ("@moderator",), ("u2", "@room"), ()):
                await result(one, self._mentioning(*names))

            assert (await self._unread(other)).mentions == 4
            assert (await self._unread(other, "u3")).mentions == 4

            await self._read(one, 2)

            assert (await self._unread(other)).mentions == 2

    async def test_44_users_are_not_mentioned_by_themselves(self) -> None:
        async with self.room() as store:
            await self._join(store)
            await result(store, replace(self._mentioning("u2", "@room"), sender=BOB))

            assert (await self._unread(store)).mentions == 0

    async def test_44_blocked_users_mention_nobody(self) -> None:
        async with self.two_processes() as (one, other):
            await self._join(one)
            for sender in (None, "u1", "u1", "u3", "u4"):
                said = self._mentioning("u2", "@room") if sender != "u3" else self._mentioning("@member")
                await result(one, replace(said, sender=sender and Sender(sender, sender.upper())))
            seen = {"r": [(1, 2), (5, 9)]}

            found = [
                (await other.unread("u2", ["r"], blocked=blocked, seen=ranges))["r"]
                for blocked in ((), ("u1",), ("u1", "u3", "u9"))
                for ranges in ({}, seen)
            ]

            assert [one.mentions for one in found] == [5, 3, 3, 2, 2, 2]
            assert [one.count for one in found] == [5, 3] * 3

    async def test_44_blocked_users_take_no_place_among_those_that_are_counted(self) -> None:
        async with self.room() as store:
            await self._join(store)
            await store.append([self._mentioning("u2", "@room") for _ in range(150)])
            await result(store, replace(self._mentioning("u2"), sender=Sender("u3", "U3")))

            assert (await store.unread("u2", ["r"], blocked=["u1"]))["r"].mentions == 1

    async def test_44_few_mentions_by_name_are_counted_like_many(self) -> None:
        async with self.room() as store:
            await self._join(store)
            for sender, name in (("u1", "u2"), ("u2", "u2"), ("u3", "u2"), ("u3", "u20"), ("u1", "u2")):
                await result(store, replace(self._mentioning(name), sender=Sender(sender, "S")))

            assert (await self._unread(store)).mentions == 3
            assert (await store.unread("u2", ["r"], blocked=["u1", "u9"]))["r"].mentions == 1

    async def test_44_the_app_mentions_too(self) -> None:
        async with self.two_processes() as (one, other):
            await self._join(one)
            said = replace(self._mentioning("u2"), sender=None)
            about = Relation(said.msg_id, Fold.REPLACE, value=b'{"text":"second"}')
            await result(one, said)
            first = (await self._unread(other)).mentions
            await result(one, replace(self._mentioning(about=about), sender=None))

            assert (first, (await self._unread(other)).mentions) == (1, 0)

    async def test_44_a_role_mentions_those_who_had_it_before(self) -> None:
        async with self.room() as store:
            await self._join(store)
            await result(store, self._mentioning("@admin"))
            await result(store, self.stating(members.member_fact(Member("u2", "U2", "admin"))))
            before = (await self._unread(store)).mentions
            await result(store, self._mentioning("@admin"))

            assert (before, (await self._unread(store)).mentions) == (0, 1)

    async def test_44_groups_mention_nobody_who_became_a_member_later(self) -> None:
        async with self.two_processes() as (one, other):
            for names in (("@room",), ("@admin",), ("u2",)):
                await result(one, self._mentioning(*names))
            await self._join(one, role="admin")
            await one.set_fact("r", Fact(READ, "u2", b"0"))

            assert (await self._unread(other)).mentions == 1

    async def test_44_an_edit_changes_whom_a_message_mentions(self) -> None:
        async with self.two_processes() as (one, other):
            await self._join(one)
            await self._join(one, "u3")
            stored = await result(one, self._mentioning("u2"))
            await self.say(one, 1)
            about = Relation(stored.msg_id, Fold.REPLACE, value=b'{"text":"second"}')

            await result(one, replace(self._mentioning("u3", about=about), type="message.edited"))
            await self._read(one, 2, "u2")

            assert (await self._unread(other)).mentions == 0
            assert (await self._unread(other, "u3")).mentions == 1
            await self._read(one, 1, "u3")
            assert (await self._unread(other, "u3")).mentions == 0

    async def test_44_deleting_and_trimming_a_message_removes_its_mentions(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            await self._join(store)
            gone = await result(store, self._mentioning("u2"))
            await result(store, self._mentioning("u2", "@room"))
            await result(store, self.draft(type="message.deleted", about=Relation(gone.msg_id, Fold.ERASE)))
            before = (await self._unread(store)).mentions
            await self.say(store, 9)

            assert (before, (await self._unread(store)).mentions) == (1, 0)

    async def test_44_a_repetition_mentions_nobody_again(self) -> None:
        async with self.room() as store:
            await self._join(store)
            draft = replace(self.draft(key="k"), mentions=("u2",))
            for _ in range(2):
                await result(store, draft)

            found = await self._unread(store)

            assert (found.mentions, found.count) == (1, 1)

    async def test_44_a_deleted_room_takes_its_mentions_along(self) -> None:
        async with self.two_processes() as (one, other):
            await result(one, self._mentioning("u2"))
            await one.delete_room("r")
            await self.create(one, "r")
            await self._join(one)
            await self.say(one, 1)
            await one.set_fact("r", Fact(READ, "u2", b"0"))

            assert (await self._unread(other)).mentions == 0

    async def test_44_100_mentions_are_counted_at_most(self) -> None:
        async with self.room() as store:
            await self._join(store)
            await store.append([self._mentioning("u2", "@room") for _ in range(120)])

            assert (await self._unread(store)).mentions == 100

    # ---- several at once ----

    async def test_what_is_known_of_several_keys_or_rooms_comes_in_one_answer(self) -> None:
        async with self.started() as store:
            await self.create(store, "r", "s", "t")
            for user, room in (("u2", "r"), ("u3", "r"), ("u2", "s")):
                await self._join(store, user, room=room)
            await store.set_fact("r", Fact("mute", "u2", b"{}"))

            each = await store.about_each("r", ["u2", "u3", "u4"])
            rooms = await store.rooms_about(["r", "s", "t", "nowhere"], "u2")

            assert each == {user: await store.facts_about("r", user) for user in ("u2", "u3", "u4")}
            assert rooms == {
                room: (await store.room(room), await store.facts_about(room, "u2")) for room in "rst"
            }

    async def test_52_facts_of_rooms_are_at_least_as_new_as_their_number(self) -> None:
        async with self.two_processes() as (one, other):
            first = (await result(one, self._muting(0))).seq
            found = list[tuple[int, int]]()

            async def look() -> None:
                while not found or found[-1][1] < 30:
                    room, facts = (await other.rooms_about(["r"], "u2"))["r"]
                    found.append((room.seq - first, int(facts["mute"].value)))
                    await asyncio.sleep(0)  # a store of this process does not wait

            looking = asyncio.create_task(look())
            for n in range(1, 31):
                await result(one, self._muting(n))
            await looking

            assert [pair for pair in found if pair[1] < pair[0]] == []

    def _muting(self, n: int) -> Draft:
        return replace(self.draft(), facts=(Fact("mute", "u2", b"%d" % n),))
