"""The store suite, first part: numbering, idempotency and changes (sentences 1 to 11, 14 and 19)."""

import asyncio
import re

import msgspec

from ...errors import ChatError, Conflict, RoomNotFound, Unavailable
from ...models import Appended, Draft, Member, MemberRemoved, MemberSet, Room, Sender
from ...stores.base import Bounds, Store
from ..clock import time_of_day
from ..faults import FaultyStore
from .hooks import StoreHooks, assert_contiguous, fresh, raises, result, seqs, texts

EPOCH = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NumberingTests(StoreHooks):
    """Sentences 1 to 6."""

    async def test_01_the_nth_event_stored_in_a_room_has_seq_n(self) -> None:
        async with self.room() as store:
            await self.create(store, "other")

            first = await self.say(store, 3)
            await self.say(store, 5, room="other")
            second = await self.say(store, 2)

            assert [answer.seq for answer in first + second] == [1, 2, 3, 4, 5]
            assert (await store.heads(["r"]))["r"].seq == 5

    async def test_01_concurrent_appends_leave_no_number_out_and_give_none_twice(self) -> None:
        async with self.two_processes() as (one, other):
            batches = [self.say(store, n % 4 + 1) for n in range(20) for store in (one, other)]

            answers = await asyncio.gather(*batches)

            given = [answer.seq for batch in answers for answer in batch]
            assert sorted(given) == list(range(1, len(given) + 1))

    async def test_01_batches_over_the_same_rooms_in_other_orders_all_end(self) -> None:
        async with self.two_processes() as (one, other):
            rooms = [f"room.{n}" for n in range(10)]
            await self.create(one, *rooms)
            there = [self.draft(room) for room in rooms]
            back = [self.draft(room) for room in reversed(rooms)]

            async with asyncio.timeout(30):
                await asyncio.gather(
                    *(store.append(batch) for _ in range(5) for store, batch in ((one, there), (other, back)))
                )

            assert {head.seq for head in (await one.heads(rooms)).values()} == {10}

    async def test_01_what_is_not_stored_takes_no_number(self) -> None:
        async with self.room() as store:
            await result(store, self.draft(text="one", key="k"))
            again, clash = self.draft(text="one", key="k"), self.draft(text="two", key="k")

            await store.append([again, clash, self.draft("nowhere")])

            assert (await result(store, self.draft())).seq == 2

    async def test_02_drafts_of_one_batch_are_numbered_in_the_order_of_the_batch(self) -> None:
        async with self.room() as store:
            batch = [self.draft(text=str(n)) for n in range(50)]

            answers = await store.append(batch)

            assert [_id(answer) for answer in answers] == [draft.msg_id for draft in batch]
            page = await store.history("r", after=0, limit=100)
            assert texts(page) == [draft.payload for draft in batch]

    async def test_02_a_thousand_drafts_over_a_hundred_rooms_keep_their_order_in_each(self) -> None:
        async with self.started() as store:
            rooms = [f"room.{n}" for n in range(100)]
            await self.create(store, *rooms)
            batch = [self.draft(rooms[n * 37 % 100], str(n), key=str(n)) for n in range(1000)]

            answers = await store.append(batch)

            assert [_id(answer) for answer in answers] == [draft.msg_id for draft in batch]
            for room in rooms:
                page = await store.history(room, after=0, limit=20)
                assert texts(page) == [draft.payload for draft in batch if draft.room == room]

    async def test_02_a_batch_may_be_empty(self) -> None:
        async with self.started() as store:
            assert await store.append([]) == []

    async def test_03_when_append_has_returned_every_process_shows_the_event(self) -> None:
        async with self.two_processes() as (one, other):
            for n in range(1, 6):
                answer = await result(one, self.draft(text=str(n)))

                assert (await other.heads(["r"]))["r"].seq == answer.seq == n
                assert seqs(await other.history("r", after=n - 1, limit=5)) == [n]

    async def test_03_an_event_is_shown_as_it_was_drafted(self) -> None:
        async with self.room() as store:
            payload = '{"text":"é 😀 \\" \\\\","n":9007199254740991,"x":{"y":[1.50,null]}, "a" : 1}'.encode()
            sender = Sender("ü'%", "N 😀")
            draft = Draft(
                "r", "poll.vote", payload, "id-0123456789abcdef", 1750000000.125, sender, (sender.id, "key")
            )

            await store.append([draft])

            (event,) = (await store.history("r", after=0, limit=1)).events
            assert bytes(event.payload) == payload, "a payload stays as the sender wrote it"
            assert (event.msg_id, event.timestamp, event.type) == (draft.msg_id, draft.timestamp, draft.type)
            assert (event.room, event.seq, event.sender, event.client_msg_id) == ("r", 1, sender, "key")
            assert event.reply_to is None

    async def test_03_an_event_may_have_no_sender_no_key_and_much_to_say(self) -> None:
        async with self.room() as store:
            draft = Draft("r", "message", b'{"text":"%s"}' % (b"x" * 60_000), "m" * 64, round(self.now(), 3))

            await store.append([draft])

            (event,) = (await store.history("r", after=0, limit=1)).events
            assert (event.sender, event.client_msg_id) == (None, None)
            assert bytes(event.payload) == draft.payload

    async def test_04_a_reader_never_sees_a_number_before_it_can_see_the_one_below(self) -> None:
        async with self.two_processes() as (one, other):
            senders = asyncio.gather(*(self._say_one_by_one(store, 25) for store in (one, other, one, other)))
            readers = asyncio.gather(*(_read_until(store, 100) for store in (one, other)))

            await senders
            await readers

    async def test_05_a_draft_that_cannot_be_stored_has_an_error_in_its_place(self) -> None:
        async with self.room() as store:
            await result(store, self.draft(text="one", key="k"))
            good, better = self.draft(text="two"), self.draft(text="three")

            answers = await store.append(
                [good, self.draft("nowhere"), self.draft(text="else", key="k"), better]
            )

            assert [type(answer) for answer in answers] == [Appended, RoomNotFound, Conflict, Appended]
            assert texts(await store.history("r", after=1, limit=9)) == [good.payload, better.payload]

    async def test_06_an_epoch_is_short_and_plain(self) -> None:
        async with self.room() as store:
            answer = await result(store, self.draft())

            assert EPOCH.fullmatch(answer.epoch)
            assert (await store.heads(["r"]))["r"].epoch == answer.epoch
            assert (await store.history("r", after=0, limit=1)).epoch == answer.epoch

    async def test_06_a_room_made_again_has_a_new_epoch_and_nothing_of_the_old(self) -> None:
        async with self.room() as store:
            old = await result(store, self.draft(text="old", key="k"))
            await store.set_member("r", Member("u1", "Ada"))
            await store.delete_room("r")
            await self.create(store, "r")

            new = await result(store, self.draft(text="new", key="k"))

            assert (new.seq, new.duplicate) == (1, False)
            assert new.epoch != old.epoch
            assert await store.member("r", "u1") is None

    async def test_06_a_store_that_started_again_has_everything_or_another_epoch(self) -> None:
        store, instance = await self.make(), fresh("suite")
        await store.start(instance, Bounds())
        await self.create(store, "r")
        last = (await self.say(store, 3))[-1]

        await store.stop()
        await store.start(instance, Bounds())

        try:
            if (await store.room("r")) is None:
                await self.create(store, "r")
            head = (await store.heads(["r"]))["r"]
            assert head.epoch != last.epoch or head.seq == last.seq
        finally:
            await store.stop()

    async def test_06_renewing_an_epoch_replaces_only_the_one_that_is_named(self) -> None:
        async with self.room() as store:
            old = (await self.say(store, 2))[-1]

            renewed = await store.renew_epoch("r", old.epoch)
            unchanged = await store.renew_epoch("r", old.epoch)

            assert EPOCH.fullmatch(renewed.epoch)
            assert renewed.epoch != old.epoch
            assert renewed == unchanged == (await store.heads(["r"]))["r"]
            assert (await result(store, self.draft())).epoch == renewed.epoch

    async def test_06_of_processes_that_renew_at_once_one_does_it(self) -> None:
        async with self.two_processes() as (one, other):
            old = await result(one, self.draft())

            heads = await asyncio.gather(*(store.renew_epoch("r", old.epoch) for store in (one, other) * 5))

            assert len({head.epoch for head in heads}) == 1

    async def test_06_the_epoch_of_a_room_that_does_not_exist_cannot_be_renewed(self) -> None:
        async with self.started() as store:
            with raises(RoomNotFound):
                await store.renew_epoch("nowhere", "old")

    async def _say_one_by_one(self, store: Store, count: int) -> None:
        for n in range(count):
            await result(store, self.draft(text=str(n)))
            await asyncio.sleep(0)  # a store that never suspends lets the readers look all the same


class IdempotencyTests(StoreHooks):
    """Sentences 7 to 10, 14, and 19."""

    async def test_07_a_repeated_key_is_not_stored_again_and_has_the_first_result(self) -> None:
        async with self.two_processes() as (one, other):
            first = await result(one, self.draft(key="k"))
            await result(one, self.draft(text="between"))

            again = await result(other, self.draft(key="k"))

            assert again.duplicate
            assert not first.duplicate
            assert (again.msg_id, again.seq, again.timestamp, again.epoch) == (
                first.msg_id,
                first.seq,
                first.timestamp,
                first.epoch,
            )
            assert (await other.heads(["r"]))["r"].seq == 2

    async def test_07_of_equal_drafts_at_once_one_is_stored(self) -> None:
        async with self.two_processes() as (one, other):
            answers = await asyncio.gather(
                *(result(store, self.draft(key="k")) for store in (one, other) * 10)
            )

            assert sum(not answer.duplicate for answer in answers) == 1
            assert len({(answer.msg_id, answer.seq) for answer in answers}) == 1
            assert (await one.heads(["r"]))["r"].seq == 1

    async def test_07_drafts_without_a_key_are_never_repetitions(self) -> None:
        async with self.room() as store:
            draft = self.draft()

            answers = [await result(store, self.draft()), await result(store, self.draft())]

            assert draft.key is None
            assert [(answer.seq, answer.duplicate) for answer in answers] == [(1, False), (2, False)]

    async def test_07_a_key_is_remembered_when_the_time_of_day_is_set(self) -> None:
        with time_of_day() as move:
            store = await self.make_unclocked()
            await store.start(fresh("suite"), Bounds(history_max=3))
            try:
                await self.create(store, "r")
                for step in (7_200.0, -14_400.0, 90_000.0):
                    key = f"k{step}"
                    first = await result(store, self.draft(key=key))
                    await self.say(store, 50)
                    move(step)
                    await self.say(store, 50)

                    again = await result(store, self.draft(key=key))

                    assert (again.seq, again.duplicate) == (first.seq, True), step
            finally:
                await store.stop()

    async def test_08_the_same_key_with_another_hash_is_a_conflict_and_nothing_is_stored(self) -> None:
        async with self.room() as store:
            await result(store, self.draft(text="one", key="k"))

            (answer,) = await store.append([self.draft(text="two", key="k")])

            assert isinstance(answer, Conflict)
            assert (await store.heads(["r"]))["r"].seq == 1
            assert (await result(store, self.draft(text="one", key="k"))).duplicate, "the first still counts"

    async def test_09_a_key_is_remembered_longer_than_its_event(self) -> None:
        async with self.room(Bounds(history_max=3)) as store:
            first = await result(store, self.draft(text="one", key="k"))
            await self.say(store, 20)

            again = await result(store, self.draft(text="one", key="k"))
            (clash,) = await store.append([self.draft(text="two", key="k")])

            assert (await store.history("r", after=0, limit=1)).floor > first.seq
            assert (again.seq, again.msg_id, again.duplicate) == (first.seq, first.msg_id, True)
            assert isinstance(clash, Conflict)

    async def test_09_a_key_is_remembered_longer_than_an_event_that_became_too_old(self) -> None:
        async with self.room(Bounds(retention=1.0)) as store:
            first = await result(store, self.draft(key="k"))
            await self.pass_time(2.0)

            again = await result(store, self.draft(key="k"))

            assert (again.seq, again.duplicate) == (first.seq, True)

    async def test_09_of_two_equal_keys_in_one_batch_the_first_counts(self) -> None:
        async with self.room() as store:
            batch = [
                self.draft(text="one", key="k"),
                self.draft(text="one", key="k"),
                self.draft(text="two", key="k"),
                self.draft(text="three"),
            ]

            first, again, clash, other = await store.append(batch)

            assert isinstance(first, Appended)
            assert again == Appended(first.msg_id, first.seq, first.timestamp, first.epoch, duplicate=True)
            assert isinstance(clash, Conflict)
            assert isinstance(other, Appended)
            assert (first.duplicate, other.seq) == (False, 2)

    async def test_10_the_same_key_in_another_room_or_of_another_user_is_another_key(self) -> None:
        async with self.room() as store:
            await self.create(store, "other")
            drafts = [
                self.draft("r", "one", key="k"),
                self.draft("other", "two", key="k"),
                self.draft("r", "three", key="k", user="u2"),
                self.draft("r", "four", key="K"),
                # The same when glued together: (u1, k) and (u, 1k), with several kinds of glue.
                self.draft("r", "five", key="1k", user="u"),
                self.draft("r", "six", key="1:k", user="u"),
                self.draft("r", "seven", key="k", user="u:1"),
                self.draft("r", "eight", key="k", user="u\n1"),
                self.draft("r", "nine", key="1\nk", user="u"),
            ]

            answers = await store.append(drafts)

            assert all(isinstance(answer, Appended) and not answer.duplicate for answer in answers), answers

    async def test_14_after_an_unknown_outcome_the_same_batch_can_be_appended_again(self) -> None:
        async with self.room() as inner:
            store = FaultyStore(inner)
            batch = [self.draft(text=str(n), key=str(n)) for n in range(3)]
            store.unknown_outcome_next()

            with raises(Unavailable):
                await store.append(batch)
            answers = await store.append([*batch, self.draft(text="new", key="new")])

            assert [getattr(answer, "seq", None) for answer in answers] == [1, 2, 3, 4]
            assert [getattr(answer, "duplicate", None) for answer in answers] == [True, True, True, False]
            assert seqs(await store.history("r", after=0, limit=9)) == [1, 2, 3, 4]

    async def test_19_the_key_that_made_a_room_is_a_conflict_in_it(self) -> None:
        async with self.two_processes() as (one, other):
            made = Room("club", "", 0, created_at=self.now())
            await one.create_room(made, key=("u1", "k"), hash=b"h")
            clash = self.draft("club", "clash", key="k")
            same_hash = msgspec.structs.replace(clash, hash=b"h")
            others = [self.draft("club", "other", key="K"), self.draft("club", "theirs", key="k", user="u2")]

            answers = [await store.append([draft]) for store in (one, other) for draft in (clash, same_hash)]
            mixed = await other.append([others[0], clash, others[1], clash])
            elsewhere = await result(one, self.draft("r", key="k"))

            assert [type(answer) for (answer,) in answers] == [Conflict] * 4
            assert [type(answer) for answer in mixed] == [Appended, Conflict, Appended, Conflict]
            assert [getattr(answer, "seq", None) for answer in mixed] == [1, None, 2, None]
            assert texts(await one.history("club", after=0, limit=9)) == [draft.payload for draft in others]
            assert elsewhere.seq == 1

    async def test_19_the_key_that_made_a_room_changes_nothing_in_it(self) -> None:
        async with self.started() as store:
            await store.create_room(Room("club", "", 0, created_at=self.now()), key=("u1", "k"), hash=b"h")
            joined = self.draft("club", key="k", change=MemberSet(Member("u2", "Bob")))

            (answer,) = await store.append([joined])

            assert isinstance(answer, Conflict)
            assert await store.member("club", "u2") is None

    async def test_19_the_key_that_made_a_room_counts_for_as_long_as_it_is_there(self) -> None:
        async with self.started(Bounds(dedup_window=1.0)) as store:
            made = Room("club", "", 0, created_at=self.now())
            await store.create_room(made, key=("u1", "k"), hash=b"h")
            await self.pass_time(1.5)
            (late,) = await store.append([self.draft("club", key="k")])
            await store.delete_room("club")
            await store.create_room(made)

            assert isinstance(late, Conflict)
            assert (await result(store, self.draft("club", key="k"))).seq == 1


class ChangeTests(StoreHooks):
    """Sentence 11."""

    async def test_11_a_change_is_visible_exactly_when_its_event_is(self) -> None:
        async with self.two_processes() as (one, other):
            bob = Member("u2", "Bob", "moderator", 1750000000.5)

            await result(one, self.draft(type="member.joined", change=MemberSet(bob)))
            joined = await other.member("r", "u2")
            await result(one, self.draft(type="member.left", change=MemberRemoved("u2")))

            assert joined == bob
            assert await other.member("r", "u2") is None

    async def test_11_a_repetition_does_not_apply_its_change_again(self) -> None:
        async with self.room() as store:
            kick = self.draft(type="member.kicked", key="kick", change=MemberRemoved("u2"))
            await store.set_member("r", Member("u2", "Bob"))
            await result(store, kick)
            await store.set_member("r", Member("u2", "Bob"))

            assert (await result(store, kick)).duplicate
            assert await store.member("r", "u2") is not None

    async def test_11_the_change_of_a_draft_that_is_not_stored_does_not_happen(self) -> None:
        async with self.room() as store:
            await result(store, self.draft(text="one", key="k"))

            answers = await store.append(
                [
                    self.draft(text="two", key="k", change=MemberSet(Member("u2", "Bob"))),
                    self.draft("nowhere", change=MemberSet(Member("u2", "Bob"))),
                ]
            )

            assert [type(answer) for answer in answers] == [Conflict, RoomNotFound]
            assert await store.member("r", "u2") is None
            assert (await store.rooms(member="u2")).rooms == []

    async def test_11_changes_of_one_batch_happen_in_its_order(self) -> None:
        async with self.room() as store:
            await store.append(
                [
                    self.draft(change=MemberSet(Member("u2", "Bob", "admin"))),
                    self.draft(change=MemberRemoved("u2")),
                    self.draft(change=MemberSet(Member("u2", "Bob", "member"))),
                    self.draft(change=MemberRemoved("nobody")),
                ]
            )

            assert (await store.members("r")).members == [Member("u2", "Bob", "member")]


def _id(answer: Appended | ChatError) -> str:
    assert isinstance(answer, Appended), repr(answer)
    return answer.msg_id


async def _read_until(store: Store, last: int) -> None:
    async with asyncio.timeout(30):
        seen = 0
        while seen < last:
            head = (await store.heads(["r"]))["r"].seq
            page = await store.history("r", after=0, limit=1000)
            assert_contiguous(page.events)
            assert len(page.events) == page.seq >= head >= seen
            seen = page.seq
            await asyncio.sleep(0)
