"""The store suite: keys and repetitions (sentences 7 to 10, 14 and 19)."""

import asyncio

import msgspec
from msgspec.structs import replace

from ...errors import Conflict, Unavailable
from ...models import Appended, Member, Room
from ...stores import members
from ...stores.base import Bounds
from ..clock import time_of_day
from ..faults import FaultyStore
from .hooks import StoreHooks, fresh, raises, result, seqs, texts


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

    async def test_07_without_a_hash_the_key_alone_tells_a_repetition_in_one_batch_and_in_two(self) -> None:
        async with self.room() as store:
            first, same, other = (
                replace(self.draft(key="k", type=type), hash=b"")
                for type in ("message", "message", "note.left")
            )

            at_once = await store.append([first, same, other])
            later = await store.append([same, other])

            assert [(one.seq, one.duplicate) for one in at_once if isinstance(one, Appended)] == [
                (1, False),
                (1, True),
                (1, True),
            ]
            assert [(one.seq, one.duplicate) for one in later if isinstance(one, Appended)] == [(1, True)] * 2

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
            joined = replace(self.draft("club", key="k"), facts=(members.member_fact(Member("u2", "Bob")),))

            (answer,) = await store.append([joined])

            assert isinstance(answer, Conflict)
            assert await members.find(store, "club", "u2") is None

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
