"""The store suite: what other events make of a message (sentences 15, 16, 24, 25 and 27)."""

from ...errors import InvalidCursor, RoomNotFound
from ...stores.base import Bounds, Holding
from .._cursors import FORGED, assert_harmless
from .hooks import raises, result, seqs
from .relation_hooks import RelationHooks


class RelatedTests(RelationHooks):
    """Sentences 22, 27, 28 and 30."""

    async def test_16_a_deletion_turns_off_what_is_on_at_its_message_and_nothing_else(self) -> None:
        async with self.two_processes() as (one, other):
            message, second = await self.said(one), await self.said(one)
            for target in (message, second):
                for draft in (self.turn(target, True), self.turn(target, True, "🎉", "u2"), self.pin(target)):
                    await result(one, draft)
            await result(one, self.reply(message))

            await result(one, self.delete(message))

            related = await other.related("r", [1, 2])
            assert related[1].toggles == {}
            assert related[1].collected is not None
            assert set(related[2].toggles) == {"👍", "🎉", "pin"}
            assert [row.target for row in (await other.toggles("r", key="pin")).rows] == [2]
            assert (await other.toggles("r", target=1)).total == 0

    async def test_15_an_edit_changes_nothing_of_what_is_on_or_collected(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            for draft in (self.turn(message, True), self.pin(message), self.reply(message)):
                await result(store, draft)
            before = await store.related("r", [1])

            await result(store, self.edit(message, "second"))

            assert await store.related("r", [1]) == before
            assert len(before[1].toggles) == 2

    async def test_24_history_carries_what_related_tells_in_every_view(self) -> None:
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

    async def test_24_a_reader_is_told_what_they_hold(self) -> None:
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

    async def test_24_events_are_found_by_their_numbers_as_they_are_now(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            await self.say(store, 3)
            message = await self.said(store)
            await self.say(store, 2)
            await result(store, self.edit(message, "second"))

            found = await store.events("r", [0, 1, 4, 5, 8, -1])

            assert found == {
                event.seq: event
                for event in (await store.history("r", after=0, limit=9)).events
                if event.seq in (4, 5)
            }
            assert bytes(found[4].payload) == b'{"text":"second"}'
            assert await store.events("r", []) == {}

    async def test_24_a_room_that_does_not_exist_is_room_not_found(self) -> None:
        async with self.started() as store:
            for ask in (
                store.related("nowhere", [1]),
                store.events("nowhere", [1]),
                store.toggles("nowhere", key="pin"),
            ):
                with raises(RoomNotFound):
                    await ask

    async def test_25_what_is_on_under_a_key_comes_newest_first(self) -> None:
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

    async def test_25_what_is_on_at_a_message_comes_with_or_without_a_key(self) -> None:
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

    async def test_25_pages_neither_repeat_nor_swallow_what_comes_and_goes_between_them(self) -> None:
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

    async def test_25_forged_cursors_are_invalid(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))
            for cursor in FORGED:
                with raises(InvalidCursor):
                    await store.toggles("r", key="👍", cursor=cursor)

    async def test_25_hostile_cursors_are_invalid_or_show_what_the_list_holds(self) -> None:
        async with self.room() as store:
            message = await self.said(store)
            await result(store, self.turn(message, True))

            async def owners(cursor: str) -> list[str]:
                return [row.owner for row in (await store.toggles("r", key="👍", cursor=cursor)).rows]

            await assert_harmless(owners, holds=["u1"])

    async def test_27_trimming_turns_off_what_was_on_at_the_trimmed(self) -> None:
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

    async def test_27_a_deleted_room_takes_its_relations_along(self) -> None:
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
