"""The store suite: replies to a message (sentences 20, 23, 24, 26 and 27)."""

from typing import Any

import msgspec
from msgspec.structs import replace

from ...errors import ChatError, InvalidField
from ...models import Appended, Collected, Draft, Event, Fold, Related, Relation, Sender
from ...stores.base import Bounds
from .hooks import result, seqs
from .relation_hooks import RelationHooks, completed


class ReplyTests(RelationHooks):
    """Sentences 26, 27, 29 and 30."""

    async def test_23_a_reply_is_counted_at_its_target(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            await self.said(one)
            replies = [self.reply(message, f"{n}") for n in range(3)]
            for reply in replies:
                await result(one, reply)

            related = await other.related("r", [1, 2, 3, 4, 5])

            last = replies[-1]
            assert related == {1: Related({}, Collected(3, 5, last.timestamp, last.sender))}
            assert await other.message("r", message.msg_id) == message, "which does not change"

    async def test_23_a_deleted_message_may_be_replied_to(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.reply(message))
            await result(store, self.delete(message))

            answer = await result(store, self.reply(message))

            collected = (await store.related("r", [1]))[1].collected
            assert collected is not None
            assert (collected.count, collected.seq) == (2, answer.seq)

    async def test_23_a_reply_to_anything_else_is_invalid(self) -> None:
        async with self.room(Bounds(history_max=8)) as store:
            await self.create(store, "other")
            elsewhere = await self.said(store, room="other")
            trimmed = await self.said(store)
            await self.say(store, 5)
            (poll,) = await self.say(store, 1, type="poll.vote")
            message = await self.said(store)
            reply = await result(store, self.reply(message))
            head = (await store.heads(["r"]))["r"]
            targets = ["nothing-of-this-id", "", elsewhere.msg_id, trimmed.msg_id, poll.msg_id, reply.msg_id]
            drafts = [replace(self.draft(), about=Relation(target, Fold.COLLECT)) for target in targets]

            answers = await store.append(drafts)

            for answer in answers:
                assert isinstance(answer, InvalidField), repr(answer)
                assert answer.fields["field"] == "parent"
            assert (await store.heads(["r"]))["r"] == head

    async def test_23_a_message_can_be_replied_to_in_the_batch_that_stores_it(self) -> None:
        async with self.room() as store:
            said = self.draft()
            message = Event(said.msg_id, said.timestamp, "message", msgspec.Raw(said.payload), "r", 1)
            reply = self.reply(message)
            nested = replace(self.draft(), about=Relation(reply.msg_id, Fold.COLLECT))

            answers = await store.append([said, reply, nested, self.draft()])

            assert [type(answer) for answer in answers] == [Appended, Appended, InvalidField, Appended]
            assert list(await store.related("r", [1, 2, 3])) == [1]

    async def test_24_deleted_replies_are_not_counted(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            replies = [await result(store, self.reply(message)) for _ in range(2)]
            events = await store.events("r", [reply.seq for reply in replies])

            counts = []
            for seq in (3, 2):
                await result(store, self.delete(events[seq]))
                collected = (await store.related("r", [1])).get(1, Related()).collected
                counts.append(None if collected is None else (collected.count, collected.seq))

            assert counts == [(1, 2), None]

    async def test_20_the_deletion_of_a_reply_tells_what_is_left_of_the_thread(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            drafts = [self.reply(message) for _ in range(3)]
            drafts[1] = replace(drafts[1], sender=None)
            awkward = Sender("ü/1", 'Ada "/" \\ \n é 👍')
            drafts[0] = replace(drafts[0], sender=awkward)
            await one.append(drafts)
            replies = await one.events("r", [2, 3, 4])

            answers = [await result(other, self.delete(replies[seq])) for seq in (4, 3, 2)]

            told = [_told(answer) for answer in answers]
            assert told == [
                (message.msg_id, 4, _thread(2, 3, drafts[1], None)),
                (message.msg_id, 3, _thread(1, 2, drafts[0], {"id": awkward.id, "name": awkward.name})),
                (message.msg_id, 2, None),
            ]
            shown = (await one.history("r", after=4, limit=3)).events
            payloads = [msgspec.json.decode(answer.payload or b"") for answer in answers]
            assert [msgspec.json.decode(event.payload) for event in shown] == payloads

    async def test_20_the_rest_of_a_thread_is_that_of_its_place_in_the_batch(self) -> None:
        async with self.room() as store:
            said = self.draft()
            message = Event(said.msg_id, said.timestamp, "message", msgspec.Raw(said.payload), "r", 1)
            await result(store, said)
            first = self.reply(message)
            await result(store, first)
            drafts = [self.reply(message), self.reply(message)]
            events = [
                Event(draft.msg_id, draft.timestamp, "message", msgspec.Raw(draft.payload), "r")
                for draft in (first, *drafts)
            ]

            answers = await store.append([*drafts, *map(self.delete, events)])

            assert [_told(answer)[2] for answer in answers[2:]] == [
                _thread(2, 4, drafts[1]),
                _thread(1, 4, drafts[1]),
                None,
            ]

    async def test_20_the_deletion_of_a_reply_to_a_trimmed_message_tells_of_no_thread(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store)
            reply = await result(store, self.reply(message))
            await self.say(store, 4)
            event = (await store.events("r", [reply.seq]))[reply.seq]
            draft = self.delete(event)

            assert (await result(store, draft)).payload == completed(draft, 2)

    async def test_26_the_replies_to_a_message_are_paged_in_both_directions(self) -> None:
        async with self.two_processes() as (one, other):
            message, second = await self.said(one), await self.said(one)
            for _ in range(5):
                await one.append([self.reply(message), self.draft(), self.reply(second)])
            thread = [3, 6, 9, 12, 15]

            for limit in (1, 2, 5, 9):
                for place in range(19):
                    after = await other.history("r", after=place, limit=limit, parent=1)
                    before = await other.history("r", before=place, limit=limit, parent=1)
                    above = [seq for seq in thread if seq > place]
                    below = [seq for seq in thread if seq < place]
                    assert (seqs(after), after.more) == (above[:limit], len(above) > limit)
                    assert (seqs(before), before.more) == (below[-limit:], len(below) > limit)
                    assert (after.seq, after.floor) == (17, 0)

    async def test_26_the_thread_of_a_message_without_replies_is_empty(self) -> None:
        async with self.room() as store:
            await self.say(store, 3)

            for parent in (1, 0, 99):
                page = await store.history("r", after=0, limit=9, parent=parent)
                assert (page.events, page.more) == ([], False)

    async def test_26_deleted_replies_are_in_the_thread(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            reply = await result(store, self.reply(message))
            event = (await store.events("r", [reply.seq]))[reply.seq]
            await result(store, self.delete(event))

            (shown,) = (await store.history("r", after=0, limit=9, parent=1)).events

            assert (shown.seq, shown.deleted, bytes(shown.payload)) == (2, True, b"{}")

    async def test_26_a_timeline_without_replies_has_all_else(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            for _ in range(3):
                await one.append([self.reply(message), self.draft(), self.draft(type="member.joined")])
            rest = [1, 3, 6, 9]

            for limit in (1, 2, 4, 9):
                for place in range(12):
                    after = await other.history("r", after=place, limit=limit, timeline=True, replies=False)
                    before = await other.history("r", before=place, limit=limit, timeline=True, replies=False)
                    above = [seq for seq in rest if seq > place]
                    below = [seq for seq in rest if seq < place]
                    assert (seqs(after), after.more) == (above[:limit], len(above) > limit)
                    assert (seqs(before), before.more) == (below[-limit:], len(below) > limit)
            assert seqs(await other.history("r", after=0, limit=99, timeline=True)) == [1, 2, 3, 5, 6, 8, 9]

    async def test_27_replies_stay_replies_when_their_message_is_trimmed(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store)
            reply = await result(store, self.reply(message))
            await self.say(store, 4)
            nested = Relation(reply.msg_id, Fold.COLLECT)

            (answer,) = await store.append([replace(self.draft(), about=nested)])

            assert isinstance(answer, InvalidField)
            assert seqs(await store.history("r", after=0, limit=9, parent=1)) == [2]
            page = await store.history("r", after=0, limit=9, timeline=True, replies=False)
            assert seqs(page) == [3, 4, 5, 6]
            assert await store.related("r", [1, 2]) == {}


def _told(answer: Appended | ChatError) -> tuple[str, int, Any]:
    """Of a deletion: the id of the message that was replied to, the number of the reply, and the thread."""
    assert isinstance(answer, Appended), repr(answer)
    assert answer.payload is not None
    told = msgspec.json.decode(answer.payload)
    return told["parent"], told["seq"], told["thread"]


def _thread(count: int, seq: int, last: Draft, sender: object = ...) -> dict[str, Any]:
    by = {"id": last.sender.id, "name": last.sender.name} if sender is ... and last.sender else sender
    return {"count": count, "last": {"seq": seq, "timestamp": last.timestamp, "sender": by}}
