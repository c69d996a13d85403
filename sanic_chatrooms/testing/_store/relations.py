"""The store suite: relations between a message and other events (sentences 20 to 30)."""

import asyncio

import msgspec

from ...errors import ChatError, Conflict, InvalidCursor, InvalidField, MessageNotFound, RoomNotFound
from ...models import Appended, Collected, Draft, Event, Fact, Fold, Related, Relation, Sender, Toggle
from ...stores.base import Bounds, Holding, Store
from .._cursors import FORGED, assert_harmless
from .hooks import StoreHooks, raises, result, seqs

__all__ = ["CollectTests", "RelatedTests", "ToggleTests"]

KEYS = ("👍", "👍🏽", "pin", "Pin", ":+1:", "%", "*", "'", '"', "a\nb", " ", "x" * 32)
"""Keys that are one and the same to a backend that globs, folds or cuts them."""


class RelationHooks(StoreHooks):
    """Short ways to say what an event is about."""

    async def said(self, store: Store, text: str = "hi", *, room: str = "r") -> Event:
        """A message that was stored."""
        answer = await result(store, self.draft(room, text))
        return (await store.events(room, [answer.seq]))[answer.seq]

    def about(self, message: Event, fold: Fold, *, key: str | None = None, **values: object) -> Draft:
        """A draft about a message."""
        relation = msgspec.convert({"target": message.msg_id, "fold": fold.value}, Relation)
        plain = self.draft(type=f"message.{fold.value}", text=fold.value, key=key)
        payload = msgspec.json.encode({"msgId": message.msg_id})
        return msgspec.structs.replace(
            plain, payload=payload, about=msgspec.structs.replace(relation, **values)
        )

    def turn(
        self, message: Event, on: bool, key: str = "👍", owner: str = "u1", *, msg_id: str | None = None
    ) -> Draft:
        """A draft that turns something on or off, as its owner."""
        draft = self.about(message, Fold.TOGGLE, key=msg_id, value=on)
        assert draft.about is not None
        about = msgspec.structs.replace(draft.about, key=key, owner=owner)
        sender = Sender(owner or "u1", f"name of {owner}")
        return msgspec.structs.replace(draft, about=about, sender=sender)

    def pin(self, message: Event, on: bool = True) -> Draft:
        """A draft that turns on or off what has no owner."""
        return self.turn(message, on, "pin", "")

    def reply(self, message: Event, text: str = "a reply", *, room: str = "r") -> Draft:
        """A draft of a reply to a message."""
        return msgspec.structs.replace(self.draft(room, text), about=Relation(message.msg_id, Fold.COLLECT))

    def erase(self, message: Event) -> Draft:
        """A draft that deletes a message."""
        return self.about(message, Fold.ERASE)


class ToggleTests(RelationHooks):
    """Sentences 20, 21 and 23 to 25."""

    async def test_20_a_relation_is_visible_exactly_when_its_event_is(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            reading = asyncio.ensure_future(_read_until_toggled(other, 26))

            for n in range(25):
                await result(one, self.turn(message, n % 2 == 0))
                await asyncio.sleep(0)

            await reading

    async def test_20_a_repetition_does_not_apply_its_relation_again(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            draft = self.turn(message, True, msg_id="k")
            first = await result(one, draft)
            await result(one, self.turn(message, False))

            again = await result(other, draft)

            assert (again.seq, again.duplicate, again.unchanged) == (first.seq, True, False)
            assert again.payload == first.payload
            assert await one.related("r", [1]) == {}

    async def test_20_the_relation_of_a_draft_that_is_not_stored_is_not_there(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.draft(key="k"))
            drafts = [
                self.turn(message, True, msg_id="k"),
                msgspec.structs.replace(self.turn(message, True), room="nowhere"),
            ]

            answers = await store.append(drafts)

            assert [type(answer) for answer in answers] == [Conflict, RoomNotFound]
            assert await store.related("r", [1]) == {}

    async def test_21_the_payload_of_a_toggle_is_completed_by_the_targets_number_and_the_count(
        self,
    ) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 2)
            message = await self.said(one)

            drafts = [
                self.turn(message, True, owner="u1"),
                self.turn(message, True, owner="u2"),
                self.turn(message, False, owner="u1"),
                self.turn(message, True, "🎉"),
                self.turn(message, False, owner="u2"),
            ]
            answers = [await result(one, draft) for draft in drafts]

            wanted = [
                b'{"seq":3,"count":%d,%s' % (count, draft.payload[1:])
                for draft, count in zip(drafts, (1, 2, 1, 1, 0), strict=True)
            ]
            assert [answer.payload for answer in answers] == wanted
            shown = (await other.history("r", after=3, limit=9)).events
            assert [bytes(event.payload) for event in shown] == wanted

    async def test_21_the_payload_of_a_toggle_without_owner_is_completed_without_a_count(self) -> None:
        async with self.room() as store:
            message = await self.said(store)

            answers = [await result(store, self.pin(message, on)) for on in (True, False)]

            rest = self.pin(message).payload[1:]
            assert [answer.payload for answer in answers] == [b'{"seq":1,' + rest] * 2

    async def test_21_an_empty_payload_is_completed_too(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            drafts = [
                msgspec.structs.replace(draft, payload=b"{}")
                for draft in (self.pin(message), self.turn(message, True), self.erase(message))
            ]

            answers = [await result(store, draft) for draft in drafts]

            assert [answer.payload for answer in answers] == [
                b'{"seq":1}', b'{"seq":1,"count":1}', b'{"seq":1}'
            ]  # fmt: skip

    async def test_21_the_rest_of_a_completed_payload_stays_byte_for_byte(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            payload = '{"emoji":"👍🏽", "x" : [1.50,null,"\\u00e9 é \\" \\\\"]}'.encode()

            answer = await result(store, msgspec.structs.replace(self.turn(message, True), payload=payload))

            assert answer.payload == b'{"seq":1,"count":1,' + payload[1:]
            (event,) = (await store.history("r", after=1, limit=1)).events
            assert bytes(event.payload) == answer.payload

    async def test_21_edits_and_deletions_are_completed_by_the_targets_number(self) -> None:
        async with self.room() as store:
            await self.say(store, 1)
            message = await self.said(store)
            edit = self.about(message, Fold.REPLACE, value=b'{"text":"second"}')

            answers = [await result(store, draft) for draft in (edit, self.erase(message))]

            assert [answer.payload for answer in answers] == [b'{"seq":2,' + edit.payload[1:]] * 2
            emptied, _ = (await store.history("r", after=2, limit=2)).events
            assert bytes(emptied.payload) == b"{}", "by the deletion"

    async def test_21_a_repetition_returns_the_payload_as_it_is_now(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store)
            edit = self.about(message, Fold.REPLACE, key="k", value=b'{"text":"second"}')
            first = await result(store, edit)

            again = await result(store, edit)
            await result(store, self.erase(message))
            emptied = await result(store, edit)
            await self.say(store, 20)
            trimmed = await result(store, edit)

            assert again == msgspec.structs.replace(first, duplicate=True)
            assert (emptied.seq, emptied.payload) == (first.seq, b"{}")
            assert (trimmed.seq, trimmed.payload) == (first.seq, None)

    async def test_21_other_payloads_are_not_completed(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            draft = self.reply(message)

            answers = [await result(store, d) for d in (self.draft(), draft, self.stating())]

            assert [answer.payload for answer in answers] == [None] * 3
            (_, shown, _) = (await store.history("r", after=1, limit=3)).events
            assert bytes(shown.payload) == draft.payload

    async def test_21_within_one_batch_counts_are_those_after_each_event(self) -> None:
        async with self.room() as store:
            said = self.draft()
            message = Event(said.msg_id, said.timestamp, "message", msgspec.Raw(said.payload), "r", 1)
            drafts = [self.turn(message, on, owner=owner) for owner in ("u1", "u2") for on in (True, False)]

            answers = await store.append([said, drafts[0], drafts[2], drafts[2], drafts[1], drafts[3]])

            assert [_told(answer) for answer in answers] == [
                (1, None), (2, 1), (3, 2), (3, None), (4, 1), (5, 0)
            ]  # fmt: skip

    async def test_21_of_owners_at_once_each_counts_those_before(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)

            answers = await asyncio.gather(
                *(
                    result(store, self.turn(message, True, owner=f"u{n}.{m}"))
                    for n in range(10)
                    for m, store in enumerate((one, other))
                )
            )

            by_seq = sorted(answers, key=lambda answer: answer.seq)
            assert [_told(answer) for answer in by_seq] == [(n + 1, n) for n in range(1, 21)]

    async def test_23_a_toggle_is_on_once_for_each_target_key_and_owner(self) -> None:
        async with self.two_processes() as (one, other):
            first, second = await self.said(one), await self.said(one)
            for message in (first, second):
                for key in KEYS:
                    for owner in ("u1", "U1", "u1 ", ""):
                        await result(one, self.turn(message, True, key, owner))
            await result(one, self.turn(first, False, KEYS[0], "U1"))

            related = await other.related("r", [1, 2])

            assert set(related[1].toggles) == set(related[2].toggles) == set(KEYS)
            counts = {key: toggle.count for key, toggle in related[1].toggles.items()}
            assert counts == dict.fromkeys(KEYS, 4) | {KEYS[0]: 3}
            assert {toggle.count for toggle in related[2].toggles.values()} == {4}

    async def test_23_it_keeps_the_number_time_and_sender_of_the_event_that_turned_it_on(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            await result(one, self.turn(message, True, owner="u1"))
            draft = self.turn(message, True, owner="u2")
            answer = await result(one, draft)
            await result(one, self.turn(message, False, owner="nobody"))

            related = await other.related("r", [1])

            assert related[1].toggles == {"👍": Toggle(2, answer.seq, draft.timestamp, draft.sender)}

    async def test_23_when_the_newest_is_turned_off_the_one_before_is_the_newest(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            draft = self.turn(message, True, owner="u1")
            await result(store, draft)
            for on in (True, False):
                await result(store, self.turn(message, on, owner="u2"))

            related = await store.related("r", [1])

            assert related[1].toggles == {"👍": Toggle(1, 2, draft.timestamp, draft.sender)}

    async def test_23_a_message_stays_as_it_is(self) -> None:
        async with self.room() as store:
            message = await self.said(store)

            await result(store, self.turn(message, True))

            assert await store.message("r", message.msg_id) == message

    async def test_24_a_toggle_that_changes_nothing_stores_no_event(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            await result(one, self.turn(message, True))
            await self.say(one, 1)

            on = await result(other, self.turn(message, True))
            off = await result(other, self.turn(message, False, owner="u2"))

            assert (on.seq, on.unchanged, on.duplicate, on.payload) == (2, True, False, None)
            assert (off.seq, off.unchanged, off.duplicate, off.payload) == (0, True, False, None)
            assert (await one.heads(["r"]))["r"].seq == 3
            assert (await one.related("r", [1]))[1].toggles["👍"].seq == 2

    async def test_24_a_toggle_that_changes_nothing_applies_no_fact(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            draft = msgspec.structs.replace(
                self.turn(message, False), facts=(Fact("ban", "u2", b"{}"),), restricts=True
            )

            answer = await result(store, draft)

            room = await store.room("r")
            assert answer.unchanged
            assert room is not None
            assert (room.seq, room.restricted) == (1, 0)
            assert await store.fact("r", "ban", "u2") is None

    async def test_24_the_key_of_a_toggle_that_changed_nothing_is_not_remembered(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))
            same = self.turn(message, True, msg_id="k")
            await result(store, same)
            await result(store, self.turn(message, False))

            again = await result(store, same)

            assert (again.seq, again.unchanged, again.duplicate) == (4, False, False)

    async def test_24_of_equal_toggles_at_once_one_is_stored(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)

            answers = await asyncio.gather(
                *(result(store, self.turn(message, True)) for store in (one, other) * 5)
            )

            assert [answer.seq for answer in answers] == [2] * 10
            assert sorted(answer.unchanged for answer in answers) == [False] + [True] * 9

    async def test_25_a_toggle_on_what_is_no_message_of_the_room_is_message_not_found(self) -> None:
        async with self.room() as store:
            await self.create(store, "other")
            elsewhere = await self.said(store, room="other")
            message = await self.said(store)
            (poll,) = await self.say(store, 1, type="poll.vote")
            deleted = await self.said(store)
            await result(store, self.erase(deleted))
            head = (await store.heads(["r"]))["r"]
            targets = ["nothing-of-this-id", "", elsewhere.msg_id, poll.msg_id, deleted.msg_id]
            drafts = [
                msgspec.structs.replace(
                    self.turn(message, on), about=Relation(target, Fold.TOGGLE, "👍", "u1", on)
                )
                for target in targets
                for on in (True, False)
            ]

            answers = await store.append(drafts)

            assert [type(answer) for answer in answers] == [MessageNotFound] * len(drafts)
            assert (await store.heads(["r"]))["r"] == head

    async def test_25_a_toggle_on_a_trimmed_message_is_message_not_found(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))
            await self.say(store, 5)

            answers = await store.append([self.turn(message, True), self.turn(message, False)])

            assert [type(answer) for answer in answers] == [MessageNotFound] * 2

    async def test_25_a_toggle_on_a_message_that_became_too_old_is_message_not_found(self) -> None:
        async with self.room(Bounds(retention=1.0)) as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))
            await self.pass_time(1.5)

            (answer,) = await store.append([self.turn(message, False)])

            assert isinstance(answer, MessageNotFound)
            assert await store.related("r", [1]) == {}
            assert (await store.toggles("r", key="👍")).total == 0


class CollectTests(RelationHooks):
    """Sentences 26 and 29: threads."""

    async def test_26_a_reply_is_counted_at_its_target(self) -> None:
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

    async def test_26_a_deleted_message_may_be_replied_to(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.reply(message))
            await result(store, self.erase(message))

            answer = await result(store, self.reply(message))

            collected = (await store.related("r", [1]))[1].collected
            assert collected is not None
            assert (collected.count, collected.seq) == (2, answer.seq)

    async def test_26_a_reply_to_anything_else_is_invalid(self) -> None:
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
            drafts = [
                msgspec.structs.replace(self.draft(), about=Relation(target, Fold.COLLECT))
                for target in targets
            ]

            answers = await store.append(drafts)

            for answer in answers:
                assert isinstance(answer, InvalidField), repr(answer)
                assert answer.fields["field"] == "parent"
            assert (await store.heads(["r"]))["r"] == head

    async def test_26_a_message_can_be_replied_to_in_the_batch_that_stores_it(self) -> None:
        async with self.room() as store:
            said = self.draft()
            message = Event(said.msg_id, said.timestamp, "message", msgspec.Raw(said.payload), "r", 1)
            reply = self.reply(message)
            nested = msgspec.structs.replace(self.draft(), about=Relation(reply.msg_id, Fold.COLLECT))

            answers = await store.append([said, reply, nested, self.draft()])

            assert [type(answer) for answer in answers] == [Appended, Appended, InvalidField, Appended]
            assert list(await store.related("r", [1, 2, 3])) == [1]

    async def test_27_deleted_replies_are_not_counted(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            replies = [await result(store, self.reply(message)) for _ in range(2)]
            events = await store.events("r", [reply.seq for reply in replies])

            counts = []
            for seq in (3, 2):
                await result(store, self.erase(events[seq]))
                collected = (await store.related("r", [1])).get(1, Related()).collected
                counts.append(None if collected is None else (collected.count, collected.seq))

            assert counts == [(1, 2), None]

    async def test_29_the_replies_to_a_message_are_paged_in_both_directions(self) -> None:
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

    async def test_29_the_thread_of_a_message_without_replies_is_empty(self) -> None:
        async with self.room() as store:
            await self.say(store, 3)

            for parent in (1, 0, 99):
                page = await store.history("r", after=0, limit=9, parent=parent)
                assert (page.events, page.more) == ([], False)

    async def test_29_deleted_replies_are_in_the_thread(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            reply = await result(store, self.reply(message))
            event = (await store.events("r", [reply.seq]))[reply.seq]
            await result(store, self.erase(event))

            (shown,) = (await store.history("r", after=0, limit=9, parent=1)).events

            assert (shown.seq, shown.deleted, bytes(shown.payload)) == (2, True, b"{}")

    async def test_29_a_timeline_without_replies_has_all_else(self) -> None:
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

    async def test_30_replies_stay_replies_when_their_message_is_trimmed(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store)
            reply = await result(store, self.reply(message))
            await self.say(store, 4)
            nested = Relation(reply.msg_id, Fold.COLLECT)

            (answer,) = await store.append([msgspec.structs.replace(self.draft(), about=nested)])

            assert isinstance(answer, InvalidField)
            assert seqs(await store.history("r", after=0, limit=9, parent=1)) == [2]
            page = await store.history("r", after=0, limit=9, timeline=True, replies=False)
            assert seqs(page) == [3, 4, 5, 6]
            assert await store.related("r", [1, 2]) == {}


class RelatedTests(RelationHooks):
    """Sentences 22, 27, 28 and 30."""

    async def test_22_a_deletion_turns_off_what_is_on_at_its_message_and_nothing_else(self) -> None:
        async with self.two_processes() as (one, other):
            message, second = await self.said(one), await self.said(one)
            for target in (message, second):
                for draft in (self.turn(target, True), self.turn(target, True, "🎉", "u2"), self.pin(target)):
                    await result(one, draft)
            await result(one, self.reply(message))

            await result(one, self.erase(message))

            related = await other.related("r", [1, 2])
            assert related[1].toggles == {}
            assert related[1].collected is not None
            assert set(related[2].toggles) == {"👍", "🎉", "pin"}
            assert [row.target for row in (await other.toggles("r", key="pin")).rows] == [2]
            assert (await other.toggles("r", target=1)).total == 0

    async def test_22_an_edit_changes_nothing_of_what_is_on_or_collected(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            for draft in (self.turn(message, True), self.pin(message), self.reply(message)):
                await result(store, draft)
            before = await store.related("r", [1])

            await result(store, self.about(message, Fold.REPLACE, value=b'{"text":"second"}'))

            assert await store.related("r", [1]) == before
            assert len(before[1].toggles) == 2

    async def test_27_history_carries_what_related_tells_in_every_view(self) -> None:
        async with self.two_processes() as (one, other):
            message, plain = await self.said(one), await self.said(one)
            reply = await result(one, self.reply(message))
            event = (await one.events("r", [reply.seq]))[reply.seq]
            for draft in (self.turn(message, True), self.turn(event, True, owner="u2"), self.pin(event)):
                await result(one, draft)
            related = await other.related("r", [1, 2, 3])

            pages = [
                await other.history("r", after=0, limit=9),
                await other.history("r", after=0, limit=9, timeline=True),
                await other.history("r", after=0, limit=9, timeline=True, replies=False),
                await other.history("r", after=0, limit=9, parent=1),
                await other.history("r", before=3, limit=1),
            ]

            assert set(related) == {1, 3}
            assert plain.seq not in related
            assert [page.related for page in pages] == [
                related, related, {1: related[1]}, {3: related[3]}, {}
            ]  # fmt: skip

    async def test_27_a_reader_is_told_what_they_hold(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            for draft in (
                self.turn(message, True, owner="u1"),
                self.turn(message, True, owner="u2"),
                self.turn(message, True, "🎉", "u2"),
                self.pin(message),
            ):
                await result(one, draft)

            for reader, mine in (
                ("u1", {"👍"}),
                ("u2", {"👍", "🎉"}),
                ("u3", set[str]()),
                (None, set[str]()),
            ):
                page = await other.history("r", after=0, limit=1, reader=reader)
                related = await other.related("r", [1], reader=reader)
                assert page.related == related
                assert {key for key, toggle in related[1].toggles.items() if toggle.mine} == mine
                assert set(related[1].toggles) == {"👍", "🎉", "pin"}

    async def test_27_events_are_found_by_their_numbers_as_they_are_now(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            await self.say(store, 3)
            message = await self.said(store)
            await self.say(store, 2)
            await result(store, self.about(message, Fold.REPLACE, value=b'{"text":"second"}'))

            found = await store.events("r", [0, 1, 4, 5, 8, -1])

            assert found == {
                event.seq: event
                for event in (await store.history("r", after=0, limit=9)).events
                if event.seq in (4, 5)
            }
            assert bytes(found[4].payload) == b'{"text":"second"}'
            assert await store.events("r", []) == {}

    async def test_27_a_room_that_does_not_exist_is_room_not_found(self) -> None:
        async with self.started() as store:
            for ask in (
                store.related("nowhere", [1]),
                store.events("nowhere", [1]),
                store.toggles("nowhere", key="pin"),
            ):
                with raises(RoomNotFound):
                    await ask

    async def test_28_what_is_on_under_a_key_comes_newest_first(self) -> None:
        async with self.two_processes() as (one, other):
            messages = [await self.said(one) for _ in range(4)]
            pins = [self.pin(message) for message in messages]
            for n in (2, 0, 3, 1):
                await result(one, pins[n])
            await result(one, self.pin(messages[3], False))
            await result(one, self.turn(messages[0], True))

            page = await other.toggles("r", key="pin")

            assert page.rows == [
                Holding(n + 1, "pin", "", seq, pins[n].timestamp, pins[n].sender)
                for n, seq in ((1, 8), (0, 6), (2, 5))
            ]
            assert (page.total, page.cursor) == (3, None)

    async def test_28_what_is_on_at_a_message_comes_with_or_without_a_key(self) -> None:
        async with self.two_processes() as (one, other):
            message, second = await self.said(one), await self.said(one)
            for draft in (
                self.turn(message, True, "👍", "u1"),
                self.turn(second, True, "👍", "u1"),
                self.turn(message, True, "🎉", "u1"),
                self.pin(message),
                self.turn(message, True, "👍", "u2"),
            ):
                await result(one, draft)

            all_keys = await other.toggles("r", target=1)
            one_key = await other.toggles("r", target=1, key="👍")

            assert [(row.key, row.owner, row.seq) for row in all_keys.rows] == [
                ("👍", "u2", 7), ("🎉", "u1", 5), ("👍", "u1", 3)
            ]  # fmt: skip
            assert [row.owner for row in one_key.rows] == ["u2", "u1"]
            assert (all_keys.total, one_key.total) == (3, 2)
            assert [row.target for row in (await other.toggles("r", target=1, key="pin")).rows] == [1]

    async def test_28_pages_neither_repeat_nor_swallow_what_comes_and_goes_between_them(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            for n in range(6):
                await result(store, self.turn(message, True, owner=f"u{n}"))

            first = await store.toggles("r", key="👍", target=1, limit=2)
            await result(store, self.turn(message, True, owner="late"))
            await result(store, self.turn(message, False, owner="u4"))
            await result(store, self.turn(message, False, owner="u2"))
            second = await store.toggles("r", key="👍", target=1, limit=2, cursor=first.cursor)
            third = await store.toggles("r", key="👍", target=1, limit=2, cursor=second.cursor)

            owners = [[row.owner for row in page.rows] for page in (first, second, third)]
            assert owners == [["u5", "u4"], ["u3", "u1"], ["u0"]]
            assert (first.total, second.total, third.cursor) == (6, 5, None)

    async def test_28_forged_cursors_are_invalid(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))
            for cursor in FORGED:
                with raises(InvalidCursor):
                    await store.toggles("r", key="👍", cursor=cursor)

    async def test_28_hostile_cursors_are_invalid_or_show_what_the_list_holds(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))

            async def owners(cursor: str) -> list[str]:
                return [row.owner for row in (await store.toggles("r", key="👍", cursor=cursor)).rows]

            await assert_harmless(owners, holds=["u1"])

    async def test_30_trimming_turns_off_what_was_on_at_the_trimmed(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            for _ in range(10):
                message = await self.said(store)
                for draft in (self.turn(message, True), self.pin(message)):
                    await result(store, draft)

            page = await store.history("r", after=0, limit=9)

            assert (page.floor, set(page.related)) == (25, {28})
            assert [row.target for row in (await store.toggles("r", key="pin")).rows] == [28]
            assert (await store.toggles("r", key="👍")).total == 1
            assert await store.related("r", range(1, 31)) == page.related

    async def test_30_a_deleted_room_takes_its_relations_along(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            for draft in (self.turn(message, True), self.pin(message), self.reply(message)):
                await result(one, draft)
            await one.delete_room("r")
            await self.create(one, "r")
            await self.say(one, 3)

            assert await other.related("r", [1, 2, 3]) == {}
            assert (await other.toggles("r", key="pin")).total == 0
            assert seqs(await other.history("r", after=0, limit=9, parent=1)) == []


def _told(answer: Appended | ChatError) -> tuple[int, int | None]:
    assert isinstance(answer, Appended), repr(answer)
    payload = None if answer.payload is None else msgspec.json.decode(answer.payload)
    return answer.seq, payload and payload["count"]


async def _read_until_toggled(store: Store, last: int) -> None:
    async with asyncio.timeout(30):
        while True:
            page = await store.history("r", after=0, limit=99)
            on = page.seq > 1 and page.seq % 2 == 0
            assert (1 in page.related) is on, "an event and what it does are of one moment"
            if page.seq == last:
                return
            await asyncio.sleep(0)
