"""The store suite: what is on or off at a message (sentences 11, 17, 20 to 22 and 45)."""

import asyncio

import msgspec
from msgspec.structs import replace

from ...errors import ChatError, Conflict, InvalidField, MessageNotFound, RoomNotFound
from ...models import Appended, Draft, Event, Fact, Fold, Relation, Toggle
from ...stores.base import Bounds, Store
from .hooks import result
from .relation_hooks import RelationHooks, completed, number_of

KEYS = ("👍", "👍🏽", "pin", "Pin", ":+1:", "%", "*", "'", '"', "a\nb", " ", "x" * 32)
"""Keys that are one and the same to a backend that globs, folds or cuts them."""


class ToggleTests(RelationHooks):
    """Sentences 20, 21 and 23 to 25."""

    async def test_11_a_relation_is_visible_exactly_when_its_event_is(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            reading = asyncio.ensure_future(_read_until_toggled(other, 26))

            for n in range(25):
                await result(one, self.turn(message, n % 2 == 0))
                await asyncio.sleep(0)

            await reading

    async def test_11_a_repetition_does_not_apply_its_relation_again(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            draft = self.turn(message, True, key="k")
            first = await result(one, draft)
            await result(one, self.turn(message, False))

            again = await result(other, draft)

            assert (again.seq, again.duplicate, again.unchanged) == (first.seq, True, False)
            assert again.payload == first.payload
            assert await one.related("r", [1]) == {}

    async def test_11_the_relation_of_a_draft_that_is_not_stored_is_not_there(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.draft(key="k"))
            drafts = [
                self.turn(message, True, key="k"),
                replace(self.turn(message, True), room="nowhere"),
            ]

            answers = await store.append(drafts)

            assert [type(answer) for answer in answers] == [Conflict, RoomNotFound]
            assert await store.related("r", [1]) == {}

    async def test_20_the_payload_of_a_toggle_is_completed_by_the_targets_number_and_the_count(
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

    async def test_20_the_payload_of_a_toggle_without_owner_is_completed_without_a_count(self) -> None:
        async with self.room() as store:
            message = await self.said(store)

            answers = [await result(store, self.pin(message, on)) for on in (True, False)]

            rest = self.pin(message).payload[1:]
            assert [answer.payload for answer in answers] == [b'{"seq":1,' + rest] * 2

    async def test_20_an_empty_payload_is_completed_too(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            drafts = [
                replace(draft, payload=b"{}")
                for draft in (self.pin(message), self.turn(message, True), self.delete(message))
            ]

            answers = [await result(store, draft) for draft in drafts]

            assert [answer.payload for answer in answers] == [
                b'{"seq":1}', b'{"seq":1,"count":1}', b'{"seq":1}'
            ]  # fmt: skip

    async def test_45_a_message_has_at_most_so_many_different_keys(self) -> None:
        async with self.two_processes() as (one, other):
            message, second = await self.said(one), await self.said(one)

            def turn(what: str, owner: str = "u1", on: bool = True, at: Event = message) -> Draft:
                draft = self.turn(at, on, what, owner)
                assert draft.about is not None
                return replace(draft, about=replace(draft.about, most=2))

            await one.append([turn("👍"), self.pin(message), turn("🎉")])
            refused = await other.append([turn("👎"), turn("👎", "u2")])
            others = await other.append([turn("👍", "u2"), turn("👍"), turn("👎", at=second)])
            freed = await one.append([turn("🎉", on=False), turn("👎"), turn("🎉"), turn("👎", "u2")])

            for answer in (*refused, freed[2]):
                assert isinstance(answer, InvalidField), repr(answer)
                assert (answer.fields["field"], answer.fields["limit"]) == ("emoji", 2)
            assert [number_of(answer) for answer in others] == [6, 3, 7]
            assert [number_of(freed[at]) for at in (0, 1, 3)] == [8, 9, 10]
            toggles = (await one.related("r", [1]))[1].toggles
            assert {key: toggle.count for key, toggle in toggles.items()} == {"👍": 2, "👎": 2, "pin": 1}

    async def test_20_the_rest_of_a_completed_payload_stays_byte_for_byte(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            payload = '{"emoji":"👍🏽", "x" : [1.50,null,"\\u00e9 é \\" \\\\"]}'.encode()

            answer = await result(store, replace(self.turn(message, True), payload=payload))

            assert answer.payload == b'{"seq":1,"count":1,' + payload[1:]
            (event,) = (await store.history("r", after=1, limit=1)).events
            assert bytes(event.payload) == answer.payload

    async def test_20_edits_and_deletions_are_completed_by_the_targets_number(self) -> None:
        async with self.room() as store:
            await self.say(store, 1)
            message = await self.said(store)
            drafts = [self.edit(message, "second"), self.delete(message)]

            answers = [await result(store, draft) for draft in drafts]

            assert [answer.payload for answer in answers] == [completed(draft, 2) for draft in drafts]
            emptied, _ = (await store.history("r", after=2, limit=2)).events
            assert bytes(emptied.payload) == b"{}", "by the deletion"

    async def test_20_a_repetition_returns_the_payload_as_it_is_now(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store)
            edit = self.edit(message, "second", key="k")
            first = await result(store, edit)

            again = await result(store, edit)
            await result(store, self.delete(message))
            emptied = await result(store, edit)
            await self.say(store, 20)
            trimmed = await result(store, edit)

            assert again == replace(first, duplicate=True)
            assert (emptied.seq, emptied.payload) == (first.seq, b"{}")
            assert (trimmed.seq, trimmed.payload) == (first.seq, None)

    async def test_20_other_payloads_are_not_completed(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            draft = self.reply(message)

            answers = [await result(store, d) for d in (self.draft(), draft, self.stating())]

            assert [answer.payload for answer in answers] == [None] * 3
            (_, shown, _) = (await store.history("r", after=1, limit=3)).events
            assert bytes(shown.payload) == draft.payload

    async def test_20_within_one_batch_counts_are_those_after_each_event(self) -> None:
        async with self.room() as store:
            said = self.draft()
            message = Event(said.msg_id, said.timestamp, "message", msgspec.Raw(said.payload), "r", 1)
            drafts = [self.turn(message, on, owner=owner) for owner in ("u1", "u2") for on in (True, False)]

            answers = await store.append([said, drafts[0], drafts[2], drafts[2], drafts[1], drafts[3]])

            assert [_told(answer) for answer in answers] == [
                (1, None), (2, 1), (3, 2), (3, None), (4, 1), (5, 0)
            ]  # fmt: skip

    async def test_20_of_owners_at_once_each_counts_those_before(self) -> None:
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

    async def test_21_a_toggle_is_on_once_for_each_target_key_and_owner(self) -> None:
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

    async def test_21_it_keeps_the_number_time_and_sender_of_the_event_that_turned_it_on(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)
            await result(one, self.turn(message, True, owner="u1"))
            draft = self.turn(message, True, owner="u2")
            answer = await result(one, draft)
            await result(one, self.turn(message, False, owner="nobody"))

            related = await other.related("r", [1])

            assert related[1].toggles == {"👍": Toggle(2, answer.seq, draft.timestamp, draft.sender)}

    async def test_21_when_the_newest_is_turned_off_the_one_before_is_the_newest(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            draft = self.turn(message, True, owner="u1")
            await result(store, draft)
            for on in (True, False):
                await result(store, self.turn(message, on, owner="u2"))

            related = await store.related("r", [1])

            assert related[1].toggles == {"👍": Toggle(1, 2, draft.timestamp, draft.sender)}

    async def test_21_a_message_stays_as_it_is(self) -> None:
        async with self.room() as store:
            message = await self.said(store)

            await result(store, self.turn(message, True))

            assert await store.message("r", message.msg_id) == message

    async def test_22_a_toggle_that_changes_nothing_stores_no_event(self) -> None:
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

    async def test_22_a_toggle_that_changes_nothing_applies_no_fact(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            draft = replace(self.turn(message, False), facts=(Fact("ban", "u2", b"{}"),), restricts=True)

            answer = await result(store, draft)

            room = await store.room("r")
            assert answer.unchanged
            assert room is not None
            assert (room.seq, room.restricted) == (1, 0)
            assert await store.fact("r", "ban", "u2") is None

    async def test_22_the_key_of_a_toggle_that_changed_nothing_is_not_remembered(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))
            same = self.turn(message, True, key="k")
            await result(store, same)
            await result(store, self.turn(message, False))

            again = await result(store, same)

            assert (again.seq, again.unchanged, again.duplicate) == (4, False, False)

    async def test_22_of_equal_toggles_at_once_one_is_stored(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one)

            answers = await asyncio.gather(
                *(result(store, self.turn(message, True)) for store in (one, other) * 5)
            )

            assert [answer.seq for answer in answers] == [2] * 10
            assert sorted(answer.unchanged for answer in answers) == [False] + [True] * 9

    async def test_17_a_toggle_on_what_is_no_message_of_the_room_is_message_not_found(self) -> None:
        async with self.room() as store:
            await self.create(store, "other")
            elsewhere = await self.said(store, room="other")
            message = await self.said(store)
            (poll,) = await self.say(store, 1, type="poll.vote")
            deleted = await self.said(store)
            await result(store, self.delete(deleted))
            head = (await store.heads(["r"]))["r"]
            targets = ["nothing-of-this-id", "", elsewhere.msg_id, poll.msg_id, deleted.msg_id]
            drafts = [
                replace(self.turn(message, on), about=Relation(target, Fold.TOGGLE, "👍", "u1", on))
                for target in targets
                for on in (True, False)
            ]

            answers = await store.append(drafts)

            assert [type(answer) for answer in answers] == [MessageNotFound] * len(drafts)
            assert (await store.heads(["r"]))["r"] == head

    async def test_17_a_toggle_on_a_trimmed_message_is_message_not_found(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))
            await self.say(store, 5)

            answers = await store.append([self.turn(message, True), self.turn(message, False)])

            assert [type(answer) for answer in answers] == [MessageNotFound] * 2

    async def test_17_a_toggle_on_a_message_that_became_too_old_is_message_not_found(self) -> None:
        async with self.room(Bounds(retention=1.0)) as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))
            await self.pass_time(1.5)

            (answer,) = await store.append([self.turn(message, False)])

            assert isinstance(answer, MessageNotFound)
            assert await store.related("r", [1]) == {}
            assert (await store.toggles("r", key="👍")).total == 0


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
