"""The store suite: facts that replace a value, messages that are being written, and leases (sentences 41 and 42)."""

import asyncio

from msgspec.structs import replace

from ...errors import Conflict
from ...models import Appended, Draft, Event, Fact, Fold, Relation
from ...stores.base import Store
from ...stores.streams import STREAMS, ending, opening, stream, take_over
from ...support.ids import new_stream_id
from .hooks import ADA, result
from .relation_hooks import RelationHooks, text_of, views


class StreamTests(RelationHooks):
    """Sentences 41 and 42."""

    def opened(self, text: str = "a") -> Draft:
        """A draft of a message that is going to be written."""
        plain, id = self.draft(text=text), new_stream_id()
        return replace(plain, msg_id=id, facts=opening(id, ADA, plain.payload))

    async def being_written(self, store: Store, text: str = "a") -> Event:
        """Such a message, as it is read."""
        answer = await result(store, self.opened(text))
        (event,) = (await store.history("r", after=answer.seq - 1, limit=1)).events
        return event

    def close(self, message: Event, text: str, *, key: str = "") -> Draft:
        """A draft that gives a message its last text."""
        relation = Relation(message.msg_id, Fold.CLOSE, key, value=b'{"text":"%s"}' % text.encode())
        return self.about(message, relation, "message.edited")

    # ---- facts that replace a value ----

    async def test_41_a_fact_replaces_the_value_that_it_names_and_no_other(self) -> None:
        async with self.two_processes() as (one, other):
            made = await one.set_fact("r", Fact("k", "a", b"1", was=b""))
            again = await other.set_fact("r", Fact("k", "a", b"2", was=b""))
            other_value = await other.set_fact("r", Fact("k", "a", b"2", was=b"3"))
            same_value = await other.set_fact("r", Fact("k", "a", b"2", was=b"1"))
            forgotten = [await one.set_fact("r", Fact("k", "a", None, was=was)) for was in (b"1", b"2", b"2")]

            assert (made, again, other_value, same_value) == (True, False, False, True)
            assert forgotten == [False, True, False]

    async def test_41_a_maximum_that_names_the_present_value_does_not_go_down_either(self) -> None:
        async with self.room() as store:
            await store.set_fact("r", Fact("k", "a", b"10"))

            lower = await store.set_fact("r", Fact("k", "a", b"9", "max", was=b"10"))
            higher = await store.set_fact("r", Fact("k", "a", b"11", "max", was=b"10"))

            assert (lower, higher) == (False, True)
            assert [known.value for known in (await store.facts("r", "k")).facts] == [b"11"]

    async def test_41_of_many_that_replace_the_same_value_one_does(self) -> None:
        async with self.two_processes() as (one, other):
            await one.set_fact("r", Fact("k", "a", b"0"))
            tries = (
                store.set_fact("r", Fact("k", "a", b"%d" % n, was=b"0"))
                for n, store in enumerate([one, other] * 4, 1)
            )

            assert sorted(await asyncio.gather(*tries)) == [False] * 7 + [True]

    async def test_41_a_draft_with_a_fact_that_replaces_another_value_does_nothing(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            facts = (Fact("k", "a", b"1", was=b"0"), Fact("k", "b", b"1"))

            answers = await store.append(
                [
                    self.stating(*facts),
                    replace(self.edit(message, "second"), facts=facts),
                    self.stating(Fact("k", "a", b"0", was=b"")),
                    self.stating(*facts, key="x"),
                ]
            )
            repeated = await result(store, self.stating(*facts, key="x"))

            assert [type(answer) for answer in answers] == [Conflict, Conflict, Appended, Appended]
            assert (await store.facts("r", "k")).total == 2
            assert [text_of(event) for event in await views(store, 1)] == ["first", "first"]
            assert repeated.duplicate

    # ---- messages that are being written ----

    async def test_42_a_closed_message_has_its_last_payload_and_changed_and_was_not_edited(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.being_written(one)

            answer = await result(one, self.close(message, "abc", key="ended:error"))

            for event in await views(other, 1):
                assert (text_of(event), event.changed, event.edited) == ("abc", answer.seq, None)
            related = await other.related("r", [1])
            assert (related[1].toggles["ended:error"].count, related[1].toggles["ended:error"].seq) == (1, 2)
            assert (await other.toggles("r", target=1)).total == 0

    async def test_42_an_edit_before_the_close_is_none_afterwards(self) -> None:
        async with self.room() as store:
            message = await self.being_written(store)

            await store.append([self.edit(message, "ab"), self.close(message, "abc")])

            assert [(text_of(event), event.edited) for event in await views(store, 1)] == [("abc", None)] * 2

    async def test_42_a_close_without_a_key_leaves_nothing_beside_the_message(self) -> None:
        async with self.room() as store:
            message = await self.being_written(store)

            await result(store, self.close(message, "abc"))

            assert await store.related("r", [1]) == {}

    async def test_42_the_deletion_of_a_closed_message_empties_its_close(self) -> None:
        async with self.room() as store:
            message = await self.being_written(store)
            await result(store, self.close(message, "abc", key="ended:error"))

            await result(store, self.delete(message))

            events = (await store.history("r", after=0, limit=9)).events
            assert [bytes(event.payload) for event in events[:2]] == [b"{}", b"{}"]
            assert await store.related("r", [1]) == {}

    async def test_of_two_that_close_a_message_one_does(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.being_written(one)
            known = await stream(one, "r", message.msg_id)
            closes = [
                replace(self.close(message, text), facts=(ending(message.msg_id, known),)) for text in "xy"
            ]

            (first,) = await one.append([closes[0]])
            (second,) = await other.append([closes[1]])

            assert isinstance(first, Appended)
            assert isinstance(second, Conflict)
            assert await stream(other, "r", message.msg_id) is None

    async def test_what_is_kept_of_a_message_is_there_for_who_takes_it_over(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.being_written(one, "é😀")
            kept = await one.checkpoint("r", message.msg_id, "é😀 and more", 1)

            taken = await take_over(other, "r", message.msg_id)
            late = await one.checkpoint("r", message.msg_id, "é😀 and else", 1)

            assert taken is not None
            assert (kept, taken.text, taken.fence, taken.writer, taken.seq) == (
                True, "é😀 and more", 2, ADA, message.seq,
            )  # fmt: skip
            assert not late
            assert await other.checkpoint("r", message.msg_id, "x", 2)
            assert await other.checkpoint("r", message.msg_id, "x", 2)  # in the same moment

    async def test_a_checkpoint_of_a_closed_message_keeps_nothing(self) -> None:
        async with self.room() as store:
            message = await self.being_written(store)
            known = await stream(store, "r", message.msg_id)
            await result(store, replace(self.close(message, "abc"), facts=(ending(message.msg_id, known),)))

            assert not await store.checkpoint("r", message.msg_id, "abcd", 1)
            assert await take_over(store, "r", message.msg_id) is None

    async def test_open_messages_are_found_by_when_something_was_kept(self) -> None:
        async with self.two_processes() as (one, other):
            await self.create(one, "s")
            first, second = await self.being_written(one), await self.being_written(one)
            await one.append([replace(self.opened(), room="s")])
            known = await stream(one, "r", second.msg_id)
            await one.append([replace(self.close(second, "b"), facts=(ending(second.msg_id, known),))])

            found = await other.open_streams(2**40)

            assert sorted(known.room for known in found) == ["r", "s"]
            assert first.msg_id in {known.msg_id for known in found}
            assert await other.open_streams(0) == []
            await one.delete_room("s")
            assert [known.msg_id for known in await other.open_streams(2**40)] == [first.msg_id]

    async def test_of_open_messages_so_many_are_found_at_a_time_and_all_in_the_end(self) -> None:
        async with self.two_processes() as (one, other):
            await self.create(one, "s")
            made = [replace(self.opened(), room="rs"[n % 9 == 0]) for n in range(50)]
            await one.append(made)

            some, found = await other.open_streams(2**40, 30), await other.open_streams(2**40)

            assert len(some) == 30
            assert {known.msg_id for known in found} == {draft.msg_id for draft in made}
            assert {known.msg_id for known in some} < {known.msg_id for known in found}

    async def test_a_room_in_which_nothing_is_written_any_more_is_looked_at_no_more(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.being_written(one)
            await one.set_fact("r", Fact(STREAMS, "u1", b'"of an earlier version"'))
            known = await stream(one, "r", message.msg_id)
            await result(one, replace(self.close(message, "a"), facts=(ending(message.msg_id, known),)))

            assert (await one.facts_of(STREAMS, "")).total == 1
            assert await other.open_streams(2**40) == []
            assert (await one.facts("r", STREAMS)).total == 0

    # ---- leases ----

    async def test_a_lease_is_held_by_one_process_until_its_time_is_over(self) -> None:
        async with self.two_processes() as (one, other):
            mine = await one.lease("name", 60)
            refused, elsewhere = await other.lease("name", 60), await other.lease("another", 60)
            renewed = await one.lease("name", 0.001, mine)
            await asyncio.sleep(0.01)
            theirs = await other.lease("name", 60)

            assert mine > 0
            assert (refused, renewed) == (0, mine)
            assert elsewhere > 0
            assert theirs > mine
            assert await one.lease("name", 60, mine) == 0

    async def test_of_many_that_ask_for_a_lease_one_gets_it(self) -> None:
        async with self.two_processes() as (one, other):
            asked = await asyncio.gather(*(store.lease("name", 60) for store in [one, other] * 4))

            assert sorted(map(bool, asked)) == [False] * 7 + [True]
