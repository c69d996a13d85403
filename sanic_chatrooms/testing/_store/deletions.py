"""The store suite: messages that are deleted (sentence 16), and what cannot be changed (17)."""

import asyncio

import msgspec
from msgspec.structs import replace

from ...errors import Conflict, MessageNotFound
from ...models import (
    APP,
    Appended,
    Draft,
    Event,
    Fold,
    Relation,
    Sender,
)
from ...stores.base import Bounds
from .hooks import result, seqs
from .relation_hooks import WORD, RelationHooks, completed, text_of, views


class DeletionTests(RelationHooks):
    """Sentences 16 and 17."""

    async def test_16_a_deleted_message_leaves_its_number_in_both_views(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, "first")
            await result(one, self.edit(message, "second"))

            answer = await result(one, self.delete(message))

            for event in await views(other, 1):
                assert (bytes(event.payload), event.deleted, event.changed) == (b"{}", True, answer.seq)
                assert (event.edited, event.msg_id, event.type) == (None, message.msg_id, "message")
                assert (event.timestamp, event.sender) == (message.timestamp, message.sender)
            assert seqs(await other.history("r", after=0, limit=9)) == [1, 2, 3]
            assert seqs(await other.history("r", after=0, limit=9, timeline=True)) == [1]

    async def test_16_a_deletion_empties_the_earlier_edits_of_its_message_and_no_others(self) -> None:
        async with self.room() as store:
            message, other = await self.said(store, "first"), await self.said(store, "other")
            kept = self.edit(other, "kept")
            await store.append([self.edit(message, "second"), kept, self.edit(message, "third")])

            await result(store, self.delete(message))

            log = (await store.history("r", after=2, limit=9)).events
            assert [(event.type, event.deleted) for event in log] == [
                ("message.edited", True),
                ("message.edited", False),
                ("message.edited", True),
                ("message.deleted", False),
            ]
            assert [bytes(event.payload) for event in log[:3]] == [b"{}", completed(kept, 2), b"{}"]

    async def test_16_no_text_of_a_deleted_message_is_left(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, WORD, key="k")
            for n in range(3):
                await result(one, self.edit(message, f"{WORD} {n}", key=f"k{n}"))

            await result(other, self.delete(message))

            for store in (one, other):
                for timeline in (False, True):
                    page = await store.history("r", after=0, limit=9, timeline=timeline)
                    assert WORD.encode() not in msgspec.json.encode(page.events)
                assert WORD.encode() not in msgspec.json.encode(await store.message("r", message.msg_id))

    async def test_16_whatever_comes_under_the_keys_of_a_deleted_message_is_a_repetition(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, WORD, key="k")
            edits = [await result(one, self.edit(message, f"{WORD} {n}", key=f"k{n}")) for n in range(2)]

            await result(one, self.delete(message, key="gone"))

            for store in (one, other):
                drafts = [self.draft(text=text, key="k") for text in (WORD, "a guess", "")]
                drafts += [self.edit(message, "a guess", key=f"k{n}") for n in range(2)]
                answers = [await result(store, draft) for draft in drafts]
                assert all(answer.duplicate for answer in answers)
                assert [answer.seq for answer in answers] == [1, 1, 1, edits[0].seq, edits[1].seq]
            clashes = await other.append(
                [self.draft(text="a guess", key="gone"), self.draft(type="poll.vote", key="k")]
            )
            assert [type(clash) for clash in clashes] == [Conflict, Conflict], "other commands"

    async def test_16_a_message_deleted_in_the_batch_that_stores_it_leaves_no_hash(self) -> None:
        async with self.room() as store:
            said = self.draft(text=WORD, key="k")
            message = Event(
                said.msg_id, said.timestamp, said.type, msgspec.Raw(said.payload), "r", 1, said.sender
            )
            await store.append([said, self.edit(message, f"{WORD} again", key="e"), self.delete(message)])

            for again, seq in (
                (self.draft(text="a guess", key="k"), 1),
                (self.edit(message, "no", key="e"), 2),
            ):
                answer = await result(store, again)
                assert (answer.seq, answer.duplicate) == (seq, True)

    async def test_16_what_comes_again_in_the_batch_of_the_deletion_has_no_text(self) -> None:
        for stored in (0, 1, 2):  # how many of the two were stored before that batch
            async with self.room() as store:
                said = self.draft(text=WORD, key="k")
                message = Event(
                    said.msg_id, said.timestamp, said.type, msgspec.Raw(said.payload), "r", 1, said.sender
                )
                drafts = [said, self.edit(message, WORD, key="e")]
                await store.append(drafts[:stored])
                again = [self.draft(text="a guess", key="k"), self.edit(message, WORD, key="e")]
                again.append(self.edit(message, "a guess", key="e"))

                answers = await store.append([*drafts[stored:], self.delete(message), *again])

                for answer, seq, payload in zip(answers[-3:], (1, 2, 2), (None, b"{}", b"{}"), strict=True):
                    assert isinstance(answer, Appended), (stored, answer)
                    assert (answer.duplicate, answer.seq, answer.payload) == (True, seq, payload)

    async def test_16_the_keys_of_others_keep_their_hashes(self) -> None:
        async with self.room() as store:
            message, other = await self.said(store, "one", key="k"), await self.said(store, "two", key="K")
            await result(store, self.edit(other, "three", key="e"))

            await result(store, self.delete(message))

            (clash,) = await store.append([self.edit(other, "four", key="e")])
            assert isinstance(clash, Conflict)
            assert (await result(store, self.draft(text="two", key="K"))).duplicate

    async def test_16_the_key_of_a_deleted_message_is_found_whatever_its_sender_is_called(self) -> None:
        for user in ("ü", "😀'", 'a"b\\', "u\nx", "%", "12:3", " ", "~host"):
            async with self.room() as store:
                for n, sender in enumerate((Sender(user, "N"), None)):
                    at, id = round(self.now(), 3), f"{n}" * 32
                    key = (user, "k") if sender is not None else (APP, "K")
                    said = Draft("r", "message", b'{"text":"hi"}', id, at, sender, key, WORD.encode())
                    await result(store, said)
                    message = await store.message("r", id)
                    assert message is not None

                    await result(store, self.delete(message))

                    again = await result(store, msgspec.structs.replace(said, hash=b"a guess"))
                    assert again.duplicate, (user, sender)

    async def test_16_an_emptied_edit_is_emptied_wherever_it_is_found(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            edit = self.edit(message, "second")
            await store.append([edit, self.delete(message)])

            found = await store.message("r", edit.msg_id)

            assert found is not None
            assert (bytes(found.payload), found.deleted, found.seq) == (b"{}", True, 2)

    async def test_16_a_repeated_deletion_has_the_first_result(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, "first")
            delete = self.delete(message, key="k")
            first = await result(one, delete)

            again = await result(other, delete)

            assert (again.seq, again.duplicate) == (first.seq, True)
            assert (await other.heads(["r"]))["r"].seq == first.seq

    async def test_16_of_deletions_at_once_one_is_stored(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, "first")

            answers = await asyncio.gather(
                *(store.append([self.delete(message)]) for store in (one, other) * 5)
            )

            kinds = [type(answer) for (answer,) in answers]
            assert (kinds.count(Appended), kinds.count(MessageNotFound)) == (1, 9)
            assert (await one.heads(["r"]))["r"].seq == 2

    async def test_17_a_change_to_what_is_no_message_of_the_room_is_message_not_found(self) -> None:
        async with self.room() as store:
            await self.create(store, "other")
            elsewhere = await self.said(store, "elsewhere", room="other")
            poll = await result(store, self.draft(type="poll.vote"))
            message = await self.said(store, "first")
            edited = await result(store, self.edit(message, "second"))
            head = (await store.heads(["r"]))["r"]
            targets = ["nothing-of-this-id", "", elsewhere.msg_id, poll.msg_id, edited.msg_id]
            relations = [Relation(id, Fold.REPLACE, value=b'{"text":"no"}') for id in targets]
            relations += [Relation(id, Fold.ERASE) for id in targets]

            answers = await store.append(
                [replace(self.draft(type="message.edited"), about=relation) for relation in relations]
            )

            assert [type(answer) for answer in answers] == [MessageNotFound] * len(relations)
            assert (await store.heads(["r"]))["r"] == head
            assert text_of((await store.history("other", after=0, limit=1)).events[0]) == "elsewhere"

    async def test_17_a_deleted_message_cannot_be_changed(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            await result(store, self.delete(message))

            answers = await store.append([self.edit(message, "back"), self.delete(message, key="k")])

            assert [type(answer) for answer in answers] == [MessageNotFound, MessageNotFound]
            assert (await store.heads(["r"]))["r"].seq == 2
            assert [bytes(event.payload) for event in await views(store, 1)] == [b"{}", b"{}"]

    async def test_17_the_others_of_its_batch_are_stored(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            nowhere = replace(
                self.draft(type="message.deleted"), about=Relation("nothing-of-this-id", Fold.ERASE)
            )

            answers = await store.append([nowhere, self.draft(), self.edit(message, "second"), nowhere])

            assert [type(answer) for answer in answers] == [
                MessageNotFound,
                Appended,
                Appended,
                MessageNotFound,
            ]
            assert seqs(await store.history("r", after=0, limit=9)) == [1, 2, 3]

    async def test_17_what_was_not_stored_is_no_first_of_its_key(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            missing = replace(
                self.draft(key="k", type="message.deleted"), about=Relation("nothing-of-this-id", Fold.ERASE)
            )
            await store.append([missing])

            (again,) = await store.append([missing])
            answer = await result(store, self.edit(message, "second", key="k"))

            assert isinstance(again, MessageNotFound)
            assert (answer.seq, answer.duplicate) == (2, False)

    async def test_17_a_trimmed_message_cannot_be_changed(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store, "first")
            kept = await self.said(store, "second")
            await self.say(store, 4)

            answers = await store.append([self.edit(message, "late"), self.delete(message)])

            assert [type(answer) for answer in answers] == [MessageNotFound, MessageNotFound]
            assert (await result(store, self.edit(kept, "in time"))).seq == 7

    async def test_17_a_message_that_became_too_old_cannot_be_changed(self) -> None:
        async with self.room(Bounds(retention=1.0)) as store:
            message = await self.said(store, "first")
            await self.pass_time(1.5)

            (answer,) = await store.append([self.delete(message)])

            assert isinstance(answer, MessageNotFound)
            assert (await store.heads(["r"]))["r"].seq == 1

    async def test_17_a_repetition_is_answered_also_when_its_message_is_gone(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store, "first")
            edit = self.edit(message, "second", key="k")
            first = await result(store, edit)
            await self.say(store, 20)

            again = await result(store, edit)

            assert (again.seq, again.duplicate) == (first.seq, True)

    async def test_17_edits_of_a_message_are_trimmed_like_everything_else(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store, "first")
            for n in range(40):
                await self.say(store, 1)
                message = await self.said(store, f"{n}")
                await result(store, self.edit(message, f"{n} again"))

            answer = await result(store, self.delete(message))

            page = await store.history("r", after=0, limit=9)
            assert seqs(page) == list(range(answer.seq - 4, answer.seq + 1))
            assert [event.deleted for event in page.events] == [False, False, True, True, False]
