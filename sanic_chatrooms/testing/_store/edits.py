"""The store suite, fourth part: messages that change (sentences 15 to 18)."""

import asyncio
from typing import Any

import msgspec

from ...errors import ChatError, Conflict, MessageNotFound, RoomNotFound
from ...models import (
    HOST,
    Appended,
    Change,
    Draft,
    Event,
    Fold,
    MessageDeleted,
    MessageEdited,
    Relation,
    Sender,
)
from ...stores.base import Bounds, Store
from .hooks import StoreHooks, assert_contiguous, raises, result, seqs

WORD = "the secret word"


class EditTests(StoreHooks):
    """Sentences 15 to 18."""

    async def test_15_an_edited_message_has_its_present_payload_edited_and_changed_in_both_views(
        self,
    ) -> None:
        async with self.two_processes() as (one, other):
            message = await self._said(one, "first")
            await self.say(one, 1)

            draft = self.edit(message, "second")
            answer = await result(one, draft)

            for event in await _views(other, 1):
                assert bytes(event.payload) == b'{"text":"second"}'
                assert (event.edited, event.changed, event.deleted) == (draft.timestamp, answer.seq, False)
            assert answer.seq == 3

    async def test_15_all_else_of_an_edited_message_stays(self) -> None:
        async with self.room() as store:
            before = await self._said(store, "first", key="k")

            await result(store, self.edit(before, "second"))

            after = (await _views(store, 1))[0]
            for name in ("msg_id", "timestamp", "type", "room", "seq", "sender", "client_msg_id", "reply_to"):
                assert getattr(after, name) == getattr(before, name), name

    async def test_15_a_body_stays_as_the_sender_of_the_change_wrote_it(self) -> None:
        async with self.room() as store:
            message = await self._said(store, "first")
            body = '{ "text":"é 😀 \\" \\\\", "n":9007199254740991,"x":{"y":[1.50,null]}}'.encode()

            await result(store, self.change(message, "message.edited", MessageEdited(message.msg_id, body)))

            assert [bytes(event.payload) for event in await _views(store, 1)] == [body, body]

    async def test_15_the_last_of_many_edits_holds_also_within_one_batch(self) -> None:
        async with self.room() as store:
            first, second = await self._said(store, "one"), await self._said(store, "two")
            edits = [
                self.edit(message, f"{n}")
                for n, message in enumerate((first, second, first, second, first), 1)
            ]

            answers = await store.append(edits)

            assert [_number(answer) for answer in answers] == [3, 4, 5, 6, 7]
            assert [(_text(e), e.changed) for e in await _views(store, 1)] == [("5", 7), ("5", 7)]
            assert [(_text(e), e.changed) for e in await _views(store, 2)] == [("4", 6), ("4", 6)]

    async def test_15_a_message_can_be_changed_in_the_batch_that_stores_it(self) -> None:
        async with self.room() as store:
            said = self.draft(text="first")
            message = Event(
                said.msg_id, said.timestamp, said.type, msgspec.Raw(said.payload), "r", 1, said.sender
            )

            answers = await store.append([said, self.edit(message, "second"), self.delete(message)])

            assert [_number(answer) for answer in answers] == [1, 2, 3]
            assert [event.deleted for event in await _views(store, 1)] == [True, True]

    async def test_15_the_events_of_changes_stand_in_the_log_only_and_leave_no_hole(self) -> None:
        async with self.room() as store:
            message = await self._said(store, "first")
            edit = self.edit(message, "second")
            await store.append([edit, self.draft(text="between"), self.edit(message, "third")])

            log = await store.history("r", after=0, limit=9)
            timeline = await store.history("r", after=0, limit=9, timeline=True)

            assert seqs(log) == [1, 2, 3, 4]
            assert seqs(timeline) == [1, 3]
            assert bytes(log.events[1].payload) == self.told(edit, 1), "an edit keeps what it said"

    async def test_15_a_change_is_seen_with_its_event_and_not_before(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self._said(one, "0")
            reading = asyncio.ensure_future(_read_until_changed(other, 26))

            for n in range(25):
                await result(one, self.edit(message, f"{n}"))
                await asyncio.sleep(0)

            await reading

    async def test_15_a_repeated_edit_changes_nothing_again(self) -> None:
        async with self.room() as store:
            message = await self._said(store, "first")
            edit = self.edit(message, "second", key="k")
            first = await result(store, edit)
            await result(store, self.edit(message, "third"))

            again = await result(store, edit)
            (clash,) = await store.append([self.edit(message, "fourth", key="k")])

            assert (again.seq, again.msg_id, again.duplicate) == (first.seq, first.msg_id, True)
            assert isinstance(clash, Conflict)
            assert [_text(event) for event in await _views(store, 1)] == ["third", "third"]

    async def test_15_many_processes_that_edit_at_once_leave_the_last(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self._said(one, "first")

            answers = await asyncio.gather(
                *(result(store, self.edit(message, f"{n}")) for n in range(10) for store in (one, other))
            )

            last = max(answer.seq for answer in answers)
            log = (await one.history("r", after=0, limit=99)).events
            assert_contiguous(log)
            (wrote,) = [event for event in log if event.seq == last]
            for event in await _views(other, 1):
                assert event.changed == last
                assert {"text": _text(event)} == msgspec.json.decode(wrote.payload)["body"]

    async def test_15_the_key_of_an_edited_message_is_a_conflict_with_anything_but_its_first_payload(
        self,
    ) -> None:
        async with self.two_processes() as (one, other):
            message = await self._said(one, WORD, key="k")

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

    async def test_16_a_deleted_message_leaves_its_number_in_both_views(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self._said(one, "first")
            await result(one, self.edit(message, "second"))

            answer = await result(one, self.delete(message))

            for event in await _views(other, 1):
                assert (bytes(event.payload), event.deleted, event.changed) == (b"{}", True, answer.seq)
                assert (event.edited, event.msg_id, event.type) == (None, message.msg_id, "message")
                assert (event.timestamp, event.sender) == (message.timestamp, message.sender)
            assert seqs(await other.history("r", after=0, limit=9)) == [1, 2, 3]
            assert seqs(await other.history("r", after=0, limit=9, timeline=True)) == [1]

    async def test_16_a_deletion_empties_the_earlier_edits_of_its_message_and_no_others(self) -> None:
        async with self.room() as store:
            message, other = await self._said(store, "first"), await self._said(store, "other")
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
            assert [bytes(event.payload) for event in log[:3]] == [b"{}", self.told(kept, 2), b"{}"]

    async def test_16_no_text_of_a_deleted_message_is_left(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self._said(one, WORD, key="k")
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
            message = await self._said(one, WORD, key="k")
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

    async def test_16_the_keys_of_others_keep_their_hashes(self) -> None:
        async with self.room() as store:
            message, other = await self._said(store, "one", key="k"), await self._said(store, "two", key="K")
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
                    key = (user, "k") if sender is not None else (HOST, "K")
                    said = Draft("r", "message", b'{"text":"hi"}', id, at, sender, key, WORD.encode())
                    await result(store, said)
                    message = await store.message("r", id)
                    assert message is not None

                    await result(store, self.delete(message))

                    again = await result(store, msgspec.structs.replace(said, hash=b"a guess"))
                    assert again.duplicate, (user, sender)

    async def test_16_an_emptied_edit_is_emptied_wherever_it_is_found(self) -> None:
        async with self.room() as store:
            message = await self._said(store, "first")
            edit = self.edit(message, "second")
            await store.append([edit, self.delete(message)])

            found = await store.message("r", edit.msg_id)

            assert found is not None
            assert (bytes(found.payload), found.deleted, found.seq) == (b"{}", True, 2)

    async def test_16_a_repeated_deletion_has_the_first_result(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self._said(one, "first")
            delete = self.delete(message, key="k")
            first = await result(one, delete)

            again = await result(other, delete)

            assert (again.seq, again.duplicate) == (first.seq, True)
            assert (await other.heads(["r"]))["r"].seq == first.seq

    async def test_16_of_deletions_at_once_one_is_stored(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self._said(one, "first")

            answers = await asyncio.gather(
                *(store.append([self.delete(message)]) for store in (one, other) * 5)
            )

            kinds = [type(answer) for (answer,) in answers]
            assert (kinds.count(Appended), kinds.count(MessageNotFound)) == (1, 9)
            assert (await one.heads(["r"]))["r"].seq == 2

    async def test_17_a_change_to_what_is_no_message_of_the_room_is_message_not_found(self) -> None:
        async with self.room() as store:
            await self.create(store, "other")
            elsewhere = await self._said(store, "elsewhere", room="other")
            poll = await result(store, self.draft(type="poll.vote"))
            message = await self._said(store, "first")
            edited = await result(store, self.edit(message, "second"))
            head = (await store.heads(["r"]))["r"]
            targets = ["nothing-of-this-id", "", elsewhere.msg_id, poll.msg_id, edited.msg_id]
            changes: list[Change] = [MessageEdited(id, b'{"text":"no"}') for id in targets]
            changes += [MessageDeleted(id) for id in targets]

            answers = await store.append(
                [self.draft(type="message.edited", **self.doing(c)) for c in changes]
            )

            assert [type(answer) for answer in answers] == [MessageNotFound] * len(changes)
            assert (await store.heads(["r"]))["r"] == head
            assert _text((await store.history("other", after=0, limit=1)).events[0]) == "elsewhere"

    async def test_17_a_deleted_message_cannot_be_changed(self) -> None:
        async with self.room() as store:
            message = await self._said(store, "first")
            await result(store, self.delete(message))

            answers = await store.append([self.edit(message, "back"), self.delete(message, key="k")])

            assert [type(answer) for answer in answers] == [MessageNotFound, MessageNotFound]
            assert (await store.heads(["r"]))["r"].seq == 2
            assert [bytes(event.payload) for event in await _views(store, 1)] == [b"{}", b"{}"]

    async def test_17_the_others_of_its_batch_are_stored(self) -> None:
        async with self.room() as store:
            message = await self._said(store, "first")
            nowhere = self.draft(type="message.deleted", **self.doing(MessageDeleted("nothing-of-this-id")))

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
            message = await self._said(store, "first")
            missing = self.draft(
                key="k", type="message.deleted", **self.doing(MessageDeleted("nothing-of-this-id"))
            )
            await store.append([missing])

            (again,) = await store.append([missing])
            answer = await result(store, self.edit(message, "second", key="k"))

            assert isinstance(again, MessageNotFound)
            assert (answer.seq, answer.duplicate) == (2, False)

    async def test_17_a_trimmed_message_cannot_be_changed(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self._said(store, "first")
            kept = await self._said(store, "second")
            await self.say(store, 4)

            answers = await store.append([self.edit(message, "late"), self.delete(message)])

            assert [type(answer) for answer in answers] == [MessageNotFound, MessageNotFound]
            assert (await result(store, self.edit(kept, "in time"))).seq == 7

    async def test_17_a_message_that_became_too_old_cannot_be_changed(self) -> None:
        async with self.room(Bounds(retention=1.0)) as store:
            message = await self._said(store, "first")
            await self.pass_time(1.5)

            (answer,) = await store.append([self.delete(message)])

            assert isinstance(answer, MessageNotFound)
            assert (await store.heads(["r"]))["r"].seq == 1

    async def test_17_a_repetition_is_answered_also_when_its_message_is_gone(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self._said(store, "first")
            edit = self.edit(message, "second", key="k")
            first = await result(store, edit)
            await self.say(store, 20)

            again = await result(store, edit)

            assert (again.seq, again.duplicate) == (first.seq, True)

    async def test_17_edits_of_a_message_are_trimmed_like_everything_else(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self._said(store, "first")
            for n in range(40):
                await self.say(store, 1)
                message = await self._said(store, f"{n}")
                await result(store, self.edit(message, f"{n} again"))

            answer = await result(store, self.delete(message))

            page = await store.history("r", after=0, limit=9)
            assert seqs(page) == list(range(answer.seq - 4, answer.seq + 1))
            assert [event.deleted for event in page.events] == [False, False, True, True, False]

    async def test_18_an_event_is_found_by_its_id_as_it_is_now(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self._said(one, "first")
            poll = await result(one, self.draft(type="poll.vote"))
            await result(one, self.edit(message, "second"))
            shown = (await other.history("r", after=0, limit=9)).events

            found = [await other.message("r", id) for id in (message.msg_id, poll.msg_id)]

            assert found == shown[:2]
            assert found[0] is not None
            assert _text(found[0]) == "second"

    async def test_18_what_is_not_there_is_none(self) -> None:
        async with self.room(Bounds(history_max=3)) as store:
            await self.create(store, "other")
            elsewhere = await self._said(store, "elsewhere", room="other")
            trimmed = await self._said(store, "first")
            await self.say(store, 3)

            found = [
                await store.message("r", id) for id in ("", "no-such-id", elsewhere.msg_id, trimmed.msg_id)
            ]

            assert found == [None] * 4

    async def test_18_what_became_too_old_is_none(self) -> None:
        async with self.room(Bounds(retention=1.0)) as store:
            message = await self._said(store, "first")
            await self.pass_time(1.5)

            assert await store.message("r", message.msg_id) is None

    async def test_18_a_message_of_a_room_that_does_not_exist_is_room_not_found(self) -> None:
        async with self.started() as store:
            with raises(RoomNotFound):
                await store.message("nowhere", "no-such-id")

    # ---- ways to say it ----

    def doing(self, change: Change) -> dict[str, Any]:
        """How a draft says what it changes."""
        return {"change": change}

    def told(self, draft: Draft, seq: int) -> bytes:
        """The payload of a draft's event about the message with this number."""
        return draft.payload

    async def _said(self, store: Store, text: str, *, key: str | None = None, room: str = "r") -> Event:
        answer = await result(store, self.draft(room, text, key=key))
        (event,) = (await store.history(room, after=answer.seq - 1, limit=1)).events
        return event

    def change(self, message: Event, type: str, change: Change, *, key: str | None = None) -> Draft:
        """A draft that changes a message, with the payload that the protocol gives its event."""
        plain = self.draft(type=type, text=str(change), key=key, **self.doing(change))
        state: dict[str, object] = {"msgId": message.msg_id}
        if isinstance(change, MessageEdited):
            state |= {"body": msgspec.Raw(change.payload), "edited": plain.timestamp}
        else:
            state["deleted"] = True
        return msgspec.structs.replace(plain, payload=msgspec.json.encode(state))

    def edit(self, message: Event, text: str, *, key: str | None = None) -> Draft:
        """A draft that gives a message another text."""
        body = b'{"text":"%s"}' % text.encode()
        return self.change(message, "message.edited", MessageEdited(message.msg_id, body), key=key)

    def delete(self, message: Event, *, key: str | None = None) -> Draft:
        """A draft that deletes a message."""
        return self.change(message, "message.deleted", MessageDeleted(message.msg_id), key=key)


class RelatedEditTests(EditTests):
    """The same said by relations: sentence 22."""

    def doing(self, change: Change) -> dict[str, Any]:
        """As a relation."""
        if isinstance(change, MessageEdited):
            return {"about": Relation(change.msg_id, Fold.REPLACE, value=change.payload)}
        assert isinstance(change, MessageDeleted)
        return {"about": Relation(change.msg_id, Fold.ERASE)}

    def told(self, draft: Draft, seq: int) -> bytes:
        """Completed by the store."""
        return b'{"seq":%d,' % seq + draft.payload[1:]


async def _views(store: Store, seq: int) -> list[Event]:
    """One event in the log and in the timeline."""
    pages = [
        await store.history("r", after=seq - 1, limit=1, timeline=timeline) for timeline in (False, True)
    ]
    events = [page.events[0] for page in pages]
    assert [event.seq for event in events] == [seq, seq]
    return events


async def _read_until_changed(store: Store, last: int) -> None:
    async with asyncio.timeout(30):
        while True:
            page = await store.history("r", after=0, limit=99)
            changed = page.events[0].changed
            assert changed == (page.seq if page.seq > 1 else None), "message and change are of one moment"
            if page.seq == last:
                return
            await asyncio.sleep(0)


def _text(event: Event) -> str:
    return str(msgspec.json.decode(event.payload)["text"])


def _number(answer: Appended | ChatError) -> int:
    assert isinstance(answer, Appended), repr(answer)
    return answer.seq
