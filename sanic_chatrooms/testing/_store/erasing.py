"""The store suite: what is left where a user is erased (sentences 48 to 51)."""

import msgspec
from msgspec.structs import replace

from ...errors import Conflict, InvalidCursor, MessageNotFound, RoomNotFound
from ...models import Fact, Known, Room, Sender
from ...stores.base import Bounds, Store
from ...stores.erasing import Erased
from .._cursors import FORGED, assert_harmless
from .hooks import raises, result, seqs
from .relation_hooks import WORD, RelationHooks

BOB = Sender("u2", "Bob")
KINDS = ("a", "a.b", "ab", "member", "my.read")
KEYS = ("", "u", "U", "ü", "a\nb", "😀", "*")


class ErasingTests(RelationHooks):
    """Sentences 48 to 51."""

    async def test_48_of_an_emptied_event_only_the_number_is_left(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, WORD, key="k")
            edited = await result(one, self.edit(message, f"{WORD} again", key="k2"))
            notice = await result(one, self.draft(text=WORD, type="order.paid"))

            await one.erase("r", "u1", [Erased(number) for number in (1, 2, 3)])

            for store in (one, other):
                page = await store.history("r", after=0, limit=9)
                assert seqs(page) == [1, 2, 3]
                for event, (msg_id, type) in zip(
                    page.events,
                    (
                        (message.msg_id, "message"),
                        (edited.msg_id, "message.edited"),
                        (notice.msg_id, "order.paid"),
                    ),
                    strict=True,
                ):
                    assert (event.msg_id, event.type, event.room) == (msg_id, type, "r")
                    assert (bytes(event.payload), event.deleted, event.edited) == (b"{}", True, None)
                    assert (event.sender, event.client_msg_id) == (None, None)
                assert [event.changed for event in page.events] == [2, None, None]
                assert page.events[0].timestamp == message.timestamp
                assert await store.message("r", message.msg_id) == page.events[0]
                assert seqs(await store.history("r", after=0, limit=9, timeline=True)) == [1, 3]

    async def test_48_the_edits_of_an_emptied_message_say_nothing_either_whoever_made_them(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            edit = replace(self.edit(message, WORD), sender=BOB, key=("u2", "k"), hash=b"#")
            await store.append([edit])

            await store.erase("r", "u1", [Erased(1)])

            log = (await store.history("r", after=0, limit=9)).events
            assert WORD.encode() not in msgspec.json.encode(log)
            assert [event.sender for event in log] == [None, BOB]
            again = await result(store, replace(edit, hash=b"a guess"))
            assert (again.seq, again.duplicate) == (2, True)
            assert isinstance((await store.append([self.edit(message, "late")]))[0], MessageNotFound)

    async def test_48_the_same_draft_is_a_new_one_afterwards(self) -> None:
        async with self.two_processes() as (one, other):
            draft = self.draft(text=WORD, key="k")
            await result(one, draft)
            await one.erase("r", "u1", [Erased(1)])

            again = await result(other, replace(draft, hash=b"another"))

            assert (again.seq, again.duplicate) == (2, False)

    async def test_48_what_was_on_at_an_emptied_message_is_off_and_it_is_no_reply_that_counts(self) -> None:
        async with self.room() as store:
            parent = await self.said(store, "parent")
            await result(store, self.reply(parent, "a reply"))
            reply = (await store.history("r", after=1, limit=1)).events[0]
            await result(store, self.turn(reply, on=True, owner="u9"))

            await store.erase("r", "u1", [Erased(2)])

            page = await store.history("r", after=0, limit=9)
            assert dict(page.related) == {}
            assert (await store.toggles("r", key="👍")).total == 0
            assert seqs(await store.history("r", after=0, limit=9, parent=1)) == [2]

    async def test_48_an_emptied_message_mentions_nobody_and_counts_no_more(self) -> None:
        async with self.room() as store:
            await store.set_fact("r", Fact("member", "u2", b'{"name":"Bob","role":"member","joinedAt":0}'))
            await result(store, replace(self.draft(), mentions=("u2",)))
            before = (await store.unread("u2", ["r"]))["r"]

            await store.erase("r", "u1", [Erased(1)])

            after = (await store.unread("u2", ["r"]))["r"]
            assert ((before.count, before.mentions), (after.count, after.mentions)) == ((1, 1), (0, 0))

    async def test_48_numbers_that_are_not_there_are_passed_over(self) -> None:
        async with self.room(Bounds(history_max=5)) as store:
            await self.say(store, 9)

            await store.erase("r", "u1", [Erased(1), Erased(9), Erased(10), Erased(2**40, b"{}", b"{}")])

            page = await store.history("r", after=0, limit=9)
            assert [event.deleted for event in page.events] == [False] * 4 + [True]
            with raises(RoomNotFound):
                await store.erase("nowhere", "u1", [Erased(1)])

    async def test_48_it_may_be_done_twice(self) -> None:
        async with self.room() as store:
            await self.said(store, WORD)
            await store.erase("r", "u1", [Erased(1)])
            first = await store.history("r", after=0, limit=9)

            await store.erase("r", "u1", [Erased(1)])

            assert await store.history("r", after=0, limit=9) == first

    async def test_49_an_event_gets_another_payload_if_it_has_the_one_that_was_named(self) -> None:
        async with self.two_processes() as (one, other):
            for text in ("first", "second"):
                await self.said(one, text, key=text)
            before = (await one.history("r", after=0, limit=9)).events
            now = '{"text":"ü 😀"}'.encode()

            named = Erased(1, bytes(before[0].payload), now), Erased(2, b'{"text":"another"}', now)
            await one.erase("r", "u9", named)

            page = await other.history("r", after=0, limit=9)
            assert page.events == [replace(before[0], payload=msgspec.Raw(now)), before[1]]
            again = await result(other, self.draft(text="first", key="first"))
            assert (again.seq, again.duplicate) == (1, True)

    async def test_49_a_message_that_was_edited_keeps_what_it_is_besides(self) -> None:
        async with self.room() as store:
            message = await self.said(store, "first")
            await result(store, self.edit(message, "second"))
            before = (await store.history("r", after=0, limit=1)).events[0]

            await store.erase("r", "u9", [Erased(1, bytes(before.payload), b"{}")])

            after = (await store.history("r", after=0, limit=1)).events[0]
            assert after == replace(before, payload=msgspec.Raw(b"{}"))

    async def test_49_what_the_user_holds_is_off_and_what_others_hold_does_not_tell_of_the_user(self) -> None:
        async with self.two_processes() as (one, other):
            message = await self.said(one, "first")
            for owner in ("u1", "u2"):
                await result(one, self.turn(message, on=True, owner=owner))
            await result(one, self.pin(message))
            payload = bytes(message.payload)

            await one.erase("r", "u1", [Erased(1, payload, payload)])

            toggles = (await other.history("r", after=0, limit=1, reader="u1")).related[1].toggles
            assert {key: (toggle.count, toggle.mine) for key, toggle in toggles.items()} == {
                "👍": (1, False),
                "pin": (1, False),
            }
            by = {key: toggle.by for key, toggle in toggles.items()}
            assert by == {"👍": Sender("u2", "name of u2"), "pin": None}
            assert [row.owner for row in (await other.toggles("r", key="👍")).rows] == ["u2"]
            again = await result(one, self.turn(message, on=True, owner="u2"))
            assert again.unchanged

    async def test_49_it_mentions_the_user_no_more_and_others_as_before(self) -> None:
        async with self.room() as store:
            for user in ("u2", "u3"):
                await store.set_fact("r", Fact("member", user, b'{"name":"x","role":"member","joinedAt":0}'))
            await result(store, replace(self.draft(), mentions=("u2", "u3", "@room")))
            payload = bytes((await store.history("r", after=0, limit=1)).events[0].payload)

            await store.erase("r", "u2", [Erased(1, payload, payload)])
            await store.erase("r", "@room", [Erased(1, payload, payload)])

            assert (await store.unread("u3", ["r"]))["r"].mentions == 1
            assert (await store.unread("u2", ["r"]))["r"].mentions == 1, "by @room, which is no user"

    async def test_50_the_room_does_not_tell_who_made_it(self) -> None:
        async with self.started() as store:
            room = Room("made", "", 0, title="by u1", attributes={"created_by": "u1"}, created_by="u1")
            await store.create_room(room, key=("u1", "k"), hash=b"#")
            await store.erase("made", "u2", [])
            before = await store.room("made")

            await store.erase("made", "u1", [])

            found = await store.room("made")
            assert before is not None
            assert before.created_by == "u1"
            assert found == replace(before, created_by=None)
            with raises(Conflict):
                await store.create_room(room, key=("u1", "k"), hash=b"#")
            assert (await result(store, self.draft("made", key="k"))).seq == 1

    async def test_51_all_facts_come_in_the_order_of_kinds_and_keys(self) -> None:
        async with self.room() as store:
            for kind in KINDS:
                for key in KEYS:
                    await store.set_fact("r", Fact("member", key, b"0"))
                    await store.set_fact("r", Fact(kind, key, b"1"))
            wanted = sorted((kind, key) for kind in KINDS for key in KEYS)

            for limit in (1, 2, 5, len(wanted) - 1, len(wanted), len(wanted) + 1):
                assert [(known.kind, known.key) for known in await _all(store, limit)] == wanted
            first = (await store.all_facts("r", limit=1)).facts[0]
            assert first == Known("a", "", b"1", 0, 0, "r")
            with raises(RoomNotFound):
                await store.all_facts("nowhere")

    async def test_51_facts_that_go_meanwhile_neither_repeat_nor_hide_others(self) -> None:
        async with self.room() as store:
            for key in KEYS:
                await store.set_fact("r", Fact("ban", key, b"1"))
            cursor, found = None, list[Known]()
            while True:
                page = await store.all_facts("r", cursor=cursor, limit=2)
                for known in page.facts:
                    await store.set_fact("r", Fact(known.kind, known.key, None))
                found += page.facts
                if (cursor := page.cursor) is None:
                    break

            assert [known.key for known in found] == sorted(KEYS)
            assert (await store.all_facts("r")).facts == []

    async def test_51_a_cursor_that_nobody_gave_is_refused(self) -> None:
        async with self.room() as store:
            await store.set_fact("r", Fact("ban", "u", b"1"))

            async def shown(cursor: str) -> list[str]:
                return [known.key for known in (await store.all_facts("r", cursor=cursor)).facts]

            await assert_harmless(shown, holds=["u"])
            for forged in FORGED:
                with raises(InvalidCursor):
                    await shown(forged)


async def _all(store: Store, limit: int) -> list[Known]:
    found, cursor = list[Known](), None
    while True:
        page = await store.all_facts("r", cursor=cursor, limit=limit)
        found += page.facts
        cursor = page.cursor
        if cursor is None:
            return found
        assert len(page.facts) == limit
