"""The store suite: numbers and epochs (sentences 1 to 6)."""

import asyncio
import re

from ...errors import ChatError, Conflict, RoomNotFound
from ...models import Appended, Draft, Member, Sender
from ...stores import members
from ...stores.base import Bounds, Store
from .hooks import StoreHooks, assert_contiguous, fresh, raises, result, seqs, stored, texts

ODD = (
    "", " ", ",", "NULL", "null", "{}", "[1]", '"', "\\", '\\"', "\\\\", "'", "%s", "$1", ":a", "\t", "\n", "\r\n", "\x01", "\x1f",
    "\x7f", "é", "😀", "\u2028", "\ufeff", "a\\",
)  # fmt: skip
"""What some store could take for its own."""
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

    async def test_03_names_and_keys_are_kept_as_they_were_whatever_their_letters(self) -> None:
        async with self.room() as store:
            senders = [Sender(f"u{n}{odd}", odd) for n, odd in enumerate(ODD)]
            keys = [f"key {odd}" for odd in ODD]
            batch = [
                Draft("r", "message", b"{}", f"id {key}", 1.5, sender, (sender.id, key), b"#")
                for sender, key in zip(senders, keys, strict=True)
            ]

            first = await store.append(batch)
            again = await store.append(batch)

            events = (await store.history("r", after=0, limit=len(ODD))).events
            assert [event.sender for event in events] == senders
            assert [event.client_msg_id for event in events] == keys
            assert [event.msg_id for event in events] == [draft.msg_id for draft in batch]
            assert [stored(answer).seq for answer in again] == [stored(answer).seq for answer in first]

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
            await members.put(store, "r", Member("u1", "Ada"))
            await store.delete_room("r")
            await self.create(store, "r")

            new = await result(store, self.draft(text="new", key="k"))

            assert (new.seq, new.duplicate) == (1, False)
            assert new.epoch != old.epoch
            assert await members.find(store, "r", "u1") is None

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
