"""The store suite: reading the past (sentences 12, 13 and 18), and retention."""

from ...errors import RoomNotFound
from ...models import Fold, Relation
from ...stores.base import Bounds, Store
from .hooks import StoreHooks, raises, result, seqs
from .relation_hooks import RelationHooks, text_of


class PastTests(StoreHooks):
    """What `history` promises."""

    async def test_12_history_after_is_ascending_without_a_hole_and_exclusive(self) -> None:
        async with self.room() as store:
            await self.say(store, 10)

            page = await store.history("r", after=3, limit=4)

            assert seqs(page) == [4, 5, 6, 7]
            assert page.more

    async def test_12_history_before_ends_right_below_and_is_exclusive(self) -> None:
        async with self.room() as store:
            await self.say(store, 10)

            page = await store.history("r", before=8, limit=4)

            assert seqs(page) == [4, 5, 6, 7]
            assert page.more

    async def test_12_a_page_says_more_exactly_when_there_is_more_that_way(self) -> None:
        async with self.room() as store:
            await self.say(store, 5)

            after = [(await store.history("r", after=2, limit=limit)).more for limit in (1, 2, 3, 4)]
            before = [(await store.history("r", before=4, limit=limit)).more for limit in (1, 2, 3, 4)]

            assert after == before == [True, True, False, False]

    async def test_12_pages_put_together_are_the_whole(self) -> None:
        async with self.room() as store:
            await self.say(store, 25)
            for limit in (1, 2, 7, 24, 25, 26):
                for timeline in (False, True):
                    assert await _forwards(store, limit, timeline) == list(range(1, 26))
                    assert await _backwards(store, limit, timeline) == list(range(1, 26))

    async def test_12_pages_beyond_the_ends_are_empty(self) -> None:
        async with self.room() as store:
            await self.say(store, 3)
            for timeline in (False, True):
                after = [
                    await store.history("r", after=n, limit=5, timeline=timeline) for n in (3, 4, 2**53 - 1)
                ]
                before = [await store.history("r", before=n, limit=5, timeline=timeline) for n in (0, 1)]
                late = await store.history("r", before=2**53 - 1, limit=5, timeline=timeline)

                assert [(seqs(page), page.more, page.seq) for page in after + before] == [([], False, 3)] * 5
                assert seqs(late) == [1, 2, 3]

    async def test_12_an_empty_room_has_an_empty_past(self) -> None:
        async with self.room() as store:
            head = (await store.heads(["r"]))["r"]

            page = await store.history("r", after=0, limit=5)

            assert (page.events, page.more, page.seq, page.floor, page.epoch) == ([], False, 0, 0, head.epoch)

    async def test_12_a_page_carries_the_head_and_the_floor(self) -> None:
        async with self.room(Bounds(history_max=10)) as store:
            answers = await self.say(store, 14)
            for timeline in (False, True):
                after = await store.history("r", after=12, limit=1, timeline=timeline)
                before = await store.history("r", before=7, limit=1, timeline=timeline)

                for page in (after, before):
                    assert (page.epoch, page.seq, page.floor) == (answers[-1].epoch, 14, 4)

    async def test_12_the_past_of_a_room_that_does_not_exist_is_room_not_found(self) -> None:
        async with self.started() as store:
            with raises(RoomNotFound):
                await store.history("nowhere", after=0, limit=5)
            assert await store.heads(["nowhere"]) == {}

    async def test_12_heads_of_many_rooms_leave_out_those_that_do_not_exist(self) -> None:
        async with self.started() as store:
            rooms = [f"room.{n}" for n in range(300)]
            await self.create(store, *rooms)
            await self.say(store, 2, room="room.7")

            heads = await store.heads(["nowhere", *rooms])

            assert set(heads) == set(rooms)
            assert (heads["room.7"].seq, heads["room.8"].seq) == (2, 0)
            assert await store.heads([]) == {}

    async def test_12_a_timeline_leaves_out_what_is_folded_or_tells_of_members_and_the_room(self) -> None:
        async with self.room() as store:
            types = [
                "message", "member.joined", "message.edited", "poll.vote", "reaction.added", "room.updated",
                "messages", "message.deleted", "ORDER_CREATED", "member.banned", "message",
            ]  # fmt: skip
            for type in types:
                await self.say(store, 1, type=type)

            whole = await store.history("r", after=0, limit=20, timeline=True)
            after = await store.history("r", after=1, limit=2, timeline=True)
            before = await store.history("r", before=9, limit=2, timeline=True)

            assert seqs(whole) == [1, 4, 7, 9, 11]
            assert (seqs(after), after.more) == ([4, 7], True)
            assert (seqs(before), before.more) == ([4, 7], True)
            assert not whole.more
            assert not (await store.history("r", before=5, limit=2, timeline=True)).more
            assert not (await store.history("r", after=9, limit=1, timeline=True)).more

    async def test_12_a_timeline_page_looks_past_any_number_of_folded_events(self) -> None:
        async with self.room() as store:
            await self.say(store, 2)
            await self.say(store, 500, type="reaction.added")

            page = await store.history("r", before=503, limit=1, timeline=True)

            assert (seqs(page), page.more) == ([2], True)

    async def test_13_above_history_max_the_oldest_events_go_one_for_one(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            for n in range(1, 40):
                await self.say(store, 1)

                page = await store.history("r", after=0, limit=100)
                assert seqs(page) == list(range(max(1, n - 4), n + 1))
                assert (page.floor, page.seq, page.more) == (max(0, n - 5), n, False)

    async def test_13_a_batch_larger_than_history_max_leaves_its_end(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            await self.say(store, 300)

            page = await store.history("r", before=301, limit=100)

            assert seqs(page) == [296, 297, 298, 299, 300]
            assert (page.floor, page.more) == (295, False)

    async def test_what_was_trimmed_is_gone_and_its_keys_are_known(self) -> None:
        async with self.two_processes() as (one, other):
            first = await self.said(one, key="k")
            await self.say(one, 6)
            on = await result(
                one,
                self.draft(about=Relation(first.msg_id, Fold.TOGGLE, "x", "u2", True), type="reaction.added"),
            )
            for seq in (3, 2, 0):
                await one.trim("r", seq)

            page = await other.history("r", after=0, limit=50)
            again = await result(other, self.draft(key="k"))
            await other.trim("r", 1_000)
            everything = await one.history("r", after=0, limit=50)
            said = await self.said(one)

            assert (seqs(page), page.floor, page.seq) == ([4, 5, 6, 7, 8], 3, on.seq)
            assert await other.message("r", first.msg_id) is None
            assert (await other.toggles("r", key="x")).rows == []
            assert (again.seq, again.duplicate) == (1, True)
            assert (seqs(everything), everything.floor) == ([], on.seq)
            assert said.seq == on.seq + 1
            with raises(RoomNotFound):
                await one.trim("nowhere", 1)

    async def test_13_a_timeline_is_trimmed_with_the_log(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            await self.say(store, 3)
            assert seqs(await store.history("r", after=0, limit=100, timeline=True)) == [1, 2, 3]
            await self.say(store, 4, type="reaction.added")

            page = await store.history("r", after=0, limit=100, timeline=True)
            back = await store.history("r", before=8, limit=100, timeline=True)

            assert seqs(page) == seqs(back) == [3]
            assert (page.floor, page.more, back.more) == (2, False, False)

    async def test_13_events_that_are_too_old_go_and_the_floor_says_so(self) -> None:
        async with self.room(Bounds(retention=1.0)) as store:
            await self.say(store, 3)
            await self.pass_time(1.5)
            await self.say(store, 2)

            for timeline in (False, True):
                page = await store.history("r", after=0, limit=100, timeline=timeline)
                assert (seqs(page), page.floor, page.seq) == ([4, 5], 3, 5)

    async def test_13_a_room_whose_events_all_went_goes_on_counting(self) -> None:
        async with self.room(Bounds(retention=1.0)) as store:
            last = (await self.say(store, 3))[-1]
            await self.pass_time(1.5)

            page = await store.history("r", before=100, limit=100)
            following = await result(store, self.draft())

            assert (page.events, page.floor, page.seq, page.more) == ([], 3, 3, False)
            assert (following.seq, following.epoch) == (4, last.epoch)


async def _forwards(store: Store, limit: int, timeline: bool) -> list[int | None]:
    found: list[int | None] = []
    more, last = True, 0
    while more:
        page = await store.history("r", after=last, limit=limit, timeline=timeline)
        found, more, last = found + seqs(page), page.more, page.events[-1].seq or 0
    return found


async def _backwards(store: Store, limit: int, timeline: bool) -> list[int | None]:
    found: list[int | None] = []
    more, first = True, 1_000
    while more:
        page = await store.history("r", before=first, limit=limit, timeline=timeline)
        found, more, first = seqs(page) + found, page.more, page.events[0].seq or 0
    return found


class OneEventTests(RelationHooks):
    """Sentence 18."""

    async def test_18_an_event_is_found_by_its_id_as_it_is_now(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, "first")
            poll = await result(one, self.draft(type="poll.vote"))
            await result(one, self.edit(message, "second"))
            shown = (await other.history("r", after=0, limit=9)).events

            found = [await other.message("r", id) for id in (message.msg_id, poll.msg_id)]

            assert found == shown[:2]
            assert found[0] is not None
            assert text_of(found[0]) == "second"

    async def test_18_what_is_not_there_is_none(self) -> None:
        async with self.room(Bounds(history_max=3)) as store:
            await self.create(store, "other")
            elsewhere = await self.said(store, "elsewhere", room="other")
            trimmed = await self.said(store, "first")
            await self.say(store, 3)

            found = [
                await store.message("r", id) for id in ("", "no-such-id", elsewhere.msg_id, trimmed.msg_id)
            ]

            assert found == [None] * 4

    async def test_18_what_became_too_old_is_none(self) -> None:
        async with self.room(Bounds(retention=1.0)) as store:
            message = await self.said(store, "first")
            await self.pass_time(1.5)

            assert await store.message("r", message.msg_id) is None

    async def test_18_a_message_of_a_room_that_does_not_exist_is_room_not_found(self) -> None:
        async with self.started() as store:
            with raises(RoomNotFound):
                await store.message("nowhere", "no-such-id")
