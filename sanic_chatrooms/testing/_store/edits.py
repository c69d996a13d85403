"""The store suite: messages that are edited (sentence 15)."""

import asyncio

import msgspec

from ...errors import Conflict
from ...models import (
    Appended,
    Event,
)
from ...stores.base import Store
from .hooks import assert_contiguous, result, seqs
from .relation_hooks import WORD, RelationHooks, completed, number_of, text_of, views


class EditTests(RelationHooks):
    """Sentence 15."""

    async def test_15_an_edited_message_has_its_present_payload_edited_and_changed_in_both_views(
        self,
    ) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, "first")
            await self.say(one, 1)

            draft = self.edit(message, "second")
            answer = await result(one, draft)

            for event in await views(other, 1):
                assert bytes(event.payload) == b'{"text":"second"}'
                assert (event.edited, event.changed, event.deleted) == (draft.timestamp, answer.seq, False)
            assert answer.seq == 3

    async def test_15_all_else_of_an_edited_message_stays(self) -> None:
        async with self.room() as store:
            before = await self.said(store, "first", key="k")

            await result(store, self.edit(before, "second"))

            after = (await views(store, 1))[0]
            for name in ("msg_id", "timestamp", "type", "room", "seq", "sender", "client_msg_id", "reply_to"):
                assert getattr(after, name) == getattr(before, name), name

    async def test_15_a_body_stays_as_the_sender_of_the_change_wrote_it(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            body = '{ "text":"é 😀 \\" \\\\", "n":9007199254740991,"x":{"y":[1.50,null]}}'.encode()

            await result(store, self.rewrite(message, body))

            assert [bytes(event.payload) for event in await views(store, 1)] == [body, body]

    async def test_15_the_last_of_many_edits_holds_also_within_one_batch(self) -> None:
        async with self.room() as store:
            first, second = await self.said(store, "one"), await self.said(store, "two")
            edits = [
                self.edit(message, f"{n}")
                for n, message in enumerate((first, second, first, second, first), 1)
            ]

            answers = await store.append(edits)

            assert [number_of(answer) for answer in answers] == [3, 4, 5, 6, 7]
            assert [(text_of(e), e.changed) for e in await views(store, 1)] == [("5", 7), ("5", 7)]
            assert [(text_of(e), e.changed) for e in await views(store, 2)] == [("4", 6), ("4", 6)]

    async def test_15_a_message_can_be_changed_in_the_batch_that_stores_it(self) -> None:
        async with self.room() as store:
            said = self.draft(text="first")
            message = Event(
                said.msg_id, said.timestamp, said.type, msgspec.Raw(said.payload), "r", 1, said.sender
            )

            answers = await store.append([said, self.edit(message, "second"), self.delete(message)])

            assert [number_of(answer) for answer in answers] == [1, 2, 3]
            assert [event.deleted for event in await views(store, 1)] == [True, True]

    async def test_15_the_events_of_changes_stand_in_the_log_only_and_leave_no_hole(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            edit = self.edit(message, "second")
            await store.append([edit, self.draft(text="between"), self.edit(message, "third")])

            log = await store.history("r", after=0, limit=9)
            timeline = await store.history("r", after=0, limit=9, timeline=True)

            assert seqs(log) == [1, 2, 3, 4]
            assert seqs(timeline) == [1, 3]
            assert bytes(log.events[1].payload) == completed(edit, 1), "an edit keeps what it said"

    async def test_15_a_change_is_seen_with_its_event_and_not_before(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, "0")
            reading = asyncio.ensure_future(_read_until_changed(other, 26))

            for n in range(25):
                await result(one, self.edit(message, f"{n}"))
                await asyncio.sleep(0)

            await reading

    async def test_15_a_repeated_edit_changes_nothing_again(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            edit = self.edit(message, "second", key="k")
            first = await result(store, edit)
            await result(store, self.edit(message, "third"))

            again = await result(store, edit)
            (clash,) = await store.append([self.edit(message, "fourth", key="k")])

            assert (again.seq, again.msg_id, again.duplicate) == (first.seq, first.msg_id, True)
            assert isinstance(clash, Conflict)
            assert [text_of(event) for event in await views(store, 1)] == ["third", "third"]

    async def test_15_many_processes_that_edit_at_once_leave_the_last(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, "first")

            answers = await asyncio.gather(
                *(result(store, self.edit(message, f"{n}")) for n in range(10) for store in (one, other))
            )

            last = max(answer.seq for answer in answers)
            log = (await one.history("r", after=0, limit=99)).events
            assert_contiguous(log)
            (wrote,) = [event for event in log if event.seq == last]
            for event in await views(other, 1):
                assert event.changed == last
                assert {"text": text_of(event)} == msgspec.json.decode(wrote.payload)["body"]

    async def test_15_the_key_of_an_edited_message_is_a_conflict_with_anything_but_its_first_payload(
        self,
    ) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, WORD, key="k")

            await result(one, self.edit(message, "second", key="e"))

            again = await result(other, self.draft(text=WORD, key="k"))
            clashes = await other.append(
                [
                    self.draft(text="second", key="k"),
                    self.draft(text="third", key="k"),
                    self.edit(message, WORD, key="k"),
                    self.edit(message, "third", key="e"),
                ]
            )
            assert (again.seq, again.duplicate) == (message.seq, True)
            assert [type(clash) for clash in clashes] == [Conflict] * 4

    async def test_15_the_key_of_a_message_edited_in_its_own_batch_is_a_conflict_with_another_payload(
        self,
    ) -> None:
        async with self.room() as store:
            said = self.draft(text=WORD, key="k")
            message = Event(
                said.msg_id, said.timestamp, said.type, msgspec.Raw(said.payload), "r", 1, said.sender
            )

            answers = await store.append(
                [said, self.edit(message, "second"), self.draft(text="second", key="k"), said]
            )

            assert isinstance(answers[2], Conflict)
            assert isinstance(answers[3], Appended)
            assert (answers[3].seq, answers[3].duplicate) == (1, True)


async def _read_until_changed(store: Store, last: int) -> None:
    async with asyncio.timeout(30):
        while True:
            page = await store.history("r", after=0, limit=99)
            changed = page.events[0].changed
            assert changed == (page.seq if page.seq > 1 else None), "message and change are of one moment"
            if page.seq == last:
                return
            await asyncio.sleep(0)
