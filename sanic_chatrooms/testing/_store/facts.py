"""The store suite: facts and rights (sentences 20 and 31 to 39)."""

from collections.abc import AsyncIterator

import msgspec

from ...errors import ChatError, Conflict, InvalidCursor, InvalidField, MessageNotFound, RoomNotFound
from ...models import DIRECT, PRIVATE, RESERVED, Appended, Draft, Fact, Fold, Known, Relation, Room
from ...stores.base import Bounds, Stale, Store
from .._cursors import FORGED, assert_harmless
from .hooks import StoreHooks, raises, result, seqs

__all__ = ["FactTests", "RightsTests"]

KEYS = ("u", "U", "u ", "ü", "u:1", "u.1", "*", "%", "u'", 'u"', "a\nb", "😀", "~", "x" * 128)
"""Keys that are one and the same to a backend that globs, folds or cuts them."""

VALUES = (
    b'{"name":"Ada"}', b'{ "b" : 1,  "a":[1.50,null]}', '{"name":"é 😀 \\" \\\\"}'.encode(), b"{}", b"null", b"0",
    b'"text"', b'{"x":"' + b"x" * 10_000 + b'"}',
)  # fmt: skip
"""Values that one must not decode and encode again."""


class FactTests(StoreHooks):
    """Sentences 31 to 36."""

    async def test_20_facts_are_visible_exactly_when_their_event_is(self) -> None:
        async with self.two_processes() as (one, other):
            before = await other.fact("r", "ban", "u2")
            answer = await result(one, self.stating(_fact("ban", "u2", b'{"until":1}')))

            assert before is None
            assert await other.fact("r", "ban", "u2") == Known(
                "ban", "u2", b'{"until":1}', answer.seq, answer.seq, "r"
            )

    async def test_20_a_repetition_does_not_apply_its_facts_again(self) -> None:
        async with self.two_processes() as (one, other):
            draft = self.stating(_fact("ban", "u2"), key="k")
            first = await result(one, draft)
            await result(one, self.stating(Fact("ban", "u2", None)))

            again = await result(other, draft)

            assert (again.seq, again.duplicate) == (first.seq, True)
            assert await one.fact("r", "ban", "u2") is None

    async def test_20_the_facts_of_a_draft_that_is_not_stored_do_not_hold(self) -> None:
        async with self.room() as store:
            await result(store, self.draft(text="one", key="k"))
            missing = Relation("nothing-of-this-id", Fold.REPLACE, value=b"{}")
            drafts = [
                self.stating(_fact("ban", "u2"), text="two", key="k"),
                self.stating(_fact("ban", "u2"), room="nowhere"),
                msgspec.structs.replace(self.stating(_fact("ban", "u2")), about=missing),
            ]

            answers = await store.append(drafts)

            assert [type(answer) for answer in answers] == [Conflict, RoomNotFound, MessageNotFound]
            assert await store.facts_about("r", "u2") == {}
            assert (await store.facts_of("ban", "u2")).total == 0

    async def test_20_facts_of_one_batch_are_applied_in_its_order(self) -> None:
        async with self.room() as store:
            await store.append(
                [
                    self.stating(_fact("ban", "u2", b"1")),
                    self.stating(Fact("ban", "u2", None), _fact("mute", "u2", b"1")),
                    self.stating(_fact("ban", "u2", b"2"), _fact("ban", "u2", b"3")),
                    self.draft(),
                ]
            )

            known = await store.facts_about("r", "u2")

            assert {kind: (fact.value, fact.seq, fact.since) for kind, fact in known.items()} == {
                "ban": (b"3", 3, 3),
                "mute": (b"1", 2, 2),
            }

    async def test_31_another_value_has_another_seq_and_the_same_since(self) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 2)
            for value in (b"1", b"2"):
                await result(one, self.stating(_fact("member", "u2", value)))

            assert await other.fact("r", "member", "u2") == Known("member", "u2", b"2", 4, 3, "r")

    async def test_31_the_same_value_again_changes_neither(self) -> None:
        async with self.room() as store:
            for _ in range(2):
                await result(store, self.stating(_fact("member", "u2", b"1")))
            await store.set_fact("r", _fact("member", "u2", b"1"))

            assert await store.fact("r", "member", "u2") == Known("member", "u2", b"1", 1, 1, "r")
            assert (await store.heads(["r"]))["r"].seq == 2, "the events are stored all the same"

    async def test_31_values_come_back_byte_for_byte(self) -> None:
        async with self.two_processes() as (one, other):
            drafted = [_fact("kind", f"{n}", value) for n, value in enumerate(VALUES)]
            await result(one, self.stating(*drafted))
            for n, value in enumerate(VALUES):
                await one.set_fact("r", _fact("set", f"{n}", value))

            for kind in ("kind", "set"):
                page = await other.facts("r", kind)
                assert [fact.value for fact in page.facts] == list(VALUES)

    async def test_31_kinds_and_keys_that_resemble_each_other_are_different_facts(self) -> None:
        async with self.room() as store:
            await self.create(store, "R")
            for kind in ("member", "members", "Member"):
                for key in ("", *KEYS):
                    await store.set_fact("r", _fact(kind, key, msgspec.json.encode([kind, key])))

            for kind in ("member", "members", "Member"):
                for key in ("", *KEYS):
                    known = await store.fact("r", kind, key)
                    assert known is not None
                    assert msgspec.json.decode(known.value) == [kind, key]
                    assert await store.fact("R", kind, key) is None
            assert set(await store.facts_about("r", "u")) == {"member", "members", "Member"}

    async def test_32_a_forgotten_fact_is_gone_and_begins_anew_later(self) -> None:
        async with self.two_processes() as (one, other):
            await result(one, self.stating(_fact("member", "u2", b"1")))
            await result(one, self.stating(Fact("member", "u2", None)))
            gone = await other.fact("r", "member", "u2")
            page = await other.facts("r", "member")
            await result(one, self.stating(_fact("member", "u2", b"1")))

            assert gone is None
            assert (page.facts, page.total) == ([], 0)
            assert await other.fact("r", "member", "u2") == Known("member", "u2", b"1", 3, 3, "r")

    async def test_32_forgetting_what_does_not_hold_changes_nothing(self) -> None:
        async with self.room() as store:
            answer = await result(store, self.stating(Fact("member", "u2", None)))

            assert (answer.seq, answer.unchanged) == (1, False), "the event is stored all the same"
            assert await store.set_fact("r", Fact("member", "u2", None)) is False
            assert await store.facts_about("r", "u2") == {}

    async def test_33_a_maximum_never_goes_down(self) -> None:
        async with self.room() as store:
            changed = [
                await store.set_fact("r", Fact("read", "u2", b"%d" % value, "max"))
                for value in (0, 9, 10, 9, 10, 100, 2**53 - 1, 99)
            ]

            known = await store.fact("r", "read", "u2")

            assert changed == [True, True, True, False, False, True, True, False]
            assert known is not None
            assert known.value == b"%d" % (2**53 - 1)

    async def test_33_a_maximum_goes_down_when_it_is_set(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(Fact("read", "u2", b"10", "max")))
            await result(store, self.stating(Fact("read", "u2", b"9", "max")))
            lower = await store.fact("r", "read", "u2")
            await result(store, self.stating(Fact("read", "u2", b"8")))

            assert lower == Known("read", "u2", b"10", 1, 1, "r")
            assert await store.fact("r", "read", "u2") == Known("read", "u2", b"8", 3, 1, "r")

    async def test_34_facts_that_hold_already_store_no_event_if_the_draft_says_so(self) -> None:
        async with self.two_processes() as (one, other):
            await result(one, self.stating(_fact("ban", "u2", b"1")))
            await result(one, self.stating(_fact("mute", "u2", b"1")))
            same = self.stating(_fact("ban", "u2", b"1"), _fact("mute", "u2", b"1"), only_if_changed=True)

            answer = await result(other, same)

            assert (answer.seq, answer.unchanged, answer.duplicate) == (2, True, False)
            assert (await one.heads(["r"]))["r"].seq == 2

    async def test_34_one_fact_that_changes_is_enough_to_store_the_event(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2", b"1")))

            answer = await result(
                store,
                self.stating(_fact("ban", "u2", b"1"), _fact("ban", "u3", b"1"), only_if_changed=True),
            )

            assert (answer.seq, answer.unchanged) == (2, False)
            assert await store.fact("r", "ban", "u2") == Known("ban", "u2", b"1", 1, 1, "r")
            assert await store.fact("r", "ban", "u3") == Known("ban", "u3", b"1", 2, 2, "r")

    async def test_34_forgetting_what_does_not_hold_is_unchanged_by_no_event(self) -> None:
        async with self.room() as store:
            lift = self.stating(Fact("ban", "u2", None), only_if_changed=True)

            answer = await result(store, lift)
            await store.set_fact("r", _fact("ban", "u2"))
            lifted = await result(store, lift)

            assert (answer.seq, answer.unchanged) == (0, True)
            assert (lifted.seq, lifted.unchanged, lifted.duplicate) == (1, False, False)

    async def test_34_a_lower_maximum_is_unchanged_too(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(Fact("read", "u2", b"10", "max")))

            answer = await result(store, self.stating(Fact("read", "u2", b"9", "max"), only_if_changed=True))

            assert (answer.seq, answer.unchanged) == (1, True)

    async def test_34_the_key_of_an_unchanged_draft_is_not_remembered(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2", b"1")))
            same = self.stating(_fact("ban", "u2", b"1"), key="k", only_if_changed=True)
            await result(store, same)
            await result(store, self.stating(Fact("ban", "u2", None)))

            again = await result(store, same)

            assert (again.seq, again.duplicate, again.unchanged) == (3, False, False)

    async def test_34_a_batch_is_compared_as_it_goes(self) -> None:
        async with self.room() as store:
            ban = self.stating(_fact("ban", "u2", b"1"), only_if_changed=True)
            lift = self.stating(Fact("ban", "u2", None), only_if_changed=True)

            answers = await store.append([lift, ban, ban, lift, lift, self.draft()])

            assert [_told(answer) for answer in answers] == [
                (0, True), (1, False), (1, True), (2, False), (0, True), (3, False)
            ]  # fmt: skip
            assert seqs(await store.history("r", after=0, limit=9)) == [1, 2, 3]

    async def test_35_a_fact_can_be_set_and_forgotten_without_an_event(self) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 3)

            changed = [
                await one.set_fact("r", _fact("prefs", "u2", b"1")),
                await one.set_fact("r", _fact("prefs", "u2", b"1")),
                await one.set_fact("r", _fact("prefs", "u2", b"2")),
            ]
            known = await other.fact("r", "prefs", "u2")
            forgotten = [await one.set_fact("r", Fact("prefs", "u2", None)) for _ in range(2)]

            assert changed == [True, False, True]
            assert known == Known("prefs", "u2", b"2", 0, 3, "r")
            assert forgotten == [True, False]
            assert await other.fact("r", "prefs", "u2") is None
            assert (await other.heads(["r"]))["r"].seq == 3

    async def test_35_what_an_event_made_is_changed_without_one(self) -> None:
        async with self.room() as store:
            await self.say(store, 1)
            await result(store, self.stating(_fact("member", "u2", b"1")))
            await self.say(store, 1)

            await store.set_fact("r", _fact("member", "u2", b"2"))

            assert await store.fact("r", "member", "u2") == Known("member", "u2", b"2", 0, 2, "r")

    async def test_35_a_room_is_made_with_its_first_facts(self) -> None:
        async with self.two_processes() as (one, other):
            club = Room("club", "", 0, created_at=self.now())
            facts = (_fact("member", "u1", b"1"), _fact("member", "u2", b"2"))
            await one.create_room(club, facts=facts, key=("u1", "k"), hash=b"h")
            await one.set_fact("club", Fact("member", "u2", None))
            _, made = await other.create_room(club, facts=facts, key=("u1", "k"), hash=b"h")

            assert not made
            assert (await other.facts("club", "member")).facts == [
                Known("member", "u1", b"1", 0, 0, "club")
            ], "a repetition does not bring the second back"

    async def test_36_facts_are_not_trimmed(self) -> None:
        async with self.room(Bounds(history_max=3)) as store:
            await result(store, self.stating(_fact("ban", "u2", b"1")))
            await self.say(store, 30)

            assert await store.fact("r", "ban", "u2") == Known("ban", "u2", b"1", 1, 1, "r")

    async def test_36_facts_go_with_their_room(self) -> None:
        async with self.two_processes() as (one, other):
            await one.set_fact("r", _fact("member", "u2"))
            await one.delete_room("r")
            await self.create(one, "r")

            assert await other.facts_about("r", "u2") == {}
            assert (await other.facts_of("member", "u2")).facts == []
            assert (await other.facts("r", "member")).total == 0

    async def test_36_facts_are_of_the_same_room_under_a_new_epoch(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2", b"1")))
            head = (await store.heads(["r"]))["r"]

            await store.renew_epoch("r", head.epoch)

            assert await store.fact("r", "ban", "u2") == Known("ban", "u2", b"1", 1, 1, "r")

    # ---- lists ----

    async def test_facts_come_in_the_order_of_their_keys_and_all_are_counted(self) -> None:
        async with self.room() as store:
            for key in reversed(KEYS):
                await store.set_fact("r", _fact("member", key))
            await store.set_fact("r", _fact("ban", "u0"))

            for limit in (1, 2, 5, len(KEYS) - 1, len(KEYS), len(KEYS) + 1):
                pages = [page async for page in _pages(store, limit)]
                assert [known.key for page in pages for known in page] == sorted(KEYS)
            assert (await store.facts("r", "member", limit=1)).total == len(KEYS)

    async def test_a_fact_is_listed_for_all_rooms_in_the_order_of_their_ids(self) -> None:
        async with self.two_processes() as (one, other):
            await self.create(one, "c", "a", visibility=DIRECT)
            await self.create(one, "b", visibility=PRIVATE)
            await self.create(one, "hidden", visibility=RESERVED)
            for room in ("c", "b", "a", "hidden"):
                await one.set_fact(room, _fact("member", "u2", b"1"))
            await one.set_fact("r", _fact("ban", "u2"))

            page = await other.facts_of("member", "u2")
            first = await other.facts_of("member", "u2", limit=2)
            second = await other.facts_of("member", "u2", limit=2, cursor=first.cursor)

            assert page.facts == [Known("member", "u2", b"1", 0, 0, room) for room in "abc"]
            assert (page.total, page.cursor) == (3, None)
            assert [known.room for known in (*first.facts, *second.facts)] == ["a", "b", "c"]
            assert (await other.facts_of("member", "nobody")).facts == []
            rooms = await other.rooms(fact=("member", "u2"))
            assert [room.id for room in rooms.rooms] == ["a", "b", "c"]

    async def test_the_list_of_a_fact_follows_what_becomes_of_it(self) -> None:
        async with self.two_processes() as (one, other):
            await self.create(one, "a", "b", "c")
            await result(one, self.stating(_fact("member", "u2"), room="a"))
            await one.set_fact("b", _fact("member", "u2"))
            await one.set_fact("c", _fact("member", "u2"))
            await result(one, self.stating(Fact("member", "u2", None), room="b"))
            await one.delete_room("c")

            assert [known.room for known in (await other.facts_of("member", "u2")).facts] == ["a"]

    async def test_the_first_facts_of_many_rooms_come_at_once(self) -> None:
        async with self.two_processes() as (one, other):
            rooms = [f"room.{n}" for n in range(30)]
            await self.create(one, *rooms, visibility=DIRECT)
            for n, room in enumerate(rooms):
                for key in KEYS[: n % 4]:
                    await one.set_fact(room, _fact("member", key))
                await one.set_fact(room, _fact("ban", "u"))

            found = await other.first_facts([*rooms, "nowhere"], "member", 2)

            assert set(found) == set(rooms)
            for room in rooms:
                assert found[room] == (await other.facts(room, "member", limit=2)).facts, room
            assert await other.first_facts([], "member", 2) == {}

    async def test_the_first_facts_of_more_rooms_than_one_statement_takes_come_all(self) -> None:
        async with self.started() as store:
            rooms = [f"room.{n}" for n in range(5)]
            await self.create(store, *rooms)
            for room in rooms:
                await store.set_fact(room, _fact("member", "u1", msgspec.json.encode(room)))

            found = await store.first_facts(rooms + [f"nowhere.{n}" for n in range(2_500)], "member", 3)

            assert {room: [known.value for known in facts] for room, facts in found.items()} == {
                room: [msgspec.json.encode(room)] for room in rooms
            }

    async def test_facts_of_a_room_that_does_not_exist_are_room_not_found(self) -> None:
        async with self.started() as store:
            with raises(RoomNotFound):
                await store.facts("nowhere", "member")
            with raises(RoomNotFound):
                await store.set_fact("nowhere", _fact("member", "u1"))
            with raises(RoomNotFound):
                await store.set_fact("nowhere", Fact("member", "u1", None))
            assert await store.fact("nowhere", "member", "u1") is None
            assert await store.facts_about("nowhere", "u1") == {}

    async def test_forged_cursors_are_invalid(self) -> None:
        async with self.room() as store:
            await store.set_fact("r", _fact("member", "u1"))
            for cursor in FORGED:
                with raises(InvalidCursor):
                    await store.facts("r", "member", cursor=cursor)
                with raises(InvalidCursor):
                    await store.facts_of("member", "u1", cursor=cursor)

    async def test_hostile_cursors_are_invalid_or_show_what_the_list_holds(self) -> None:
        async with self.room() as store:
            await store.set_fact("r", _fact("member", "u1"))

            async def keys(cursor: str) -> list[str]:
                return [known.key for known in (await store.facts("r", "member", cursor=cursor)).facts]

            async def rooms(cursor: str) -> list[str]:
                return [known.room for known in (await store.facts_of("member", "u1", cursor=cursor)).facts]

            await assert_harmless(keys, holds=["u1"])
            await assert_harmless(rooms, holds=["r"])


class RightsTests(StoreHooks):
    """Sentences 37 to 39."""

    async def test_37_an_event_that_restricts_makes_its_number_the_rooms_restricted(self) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 2)
            fresh = await other.room("r")
            await result(one, self.restricting())
            await self.say(one, 1)

            room = await other.room("r")

            assert fresh is not None
            assert fresh.restricted == 0
            assert room is not None
            assert (room.restricted, room.seq) == (3, 4)
            assert [r.restricted for r in (await other.rooms()).rooms] == [3]
            assert (await other.update_room(room)).restricted == 3

    async def test_37_an_event_that_is_not_stored_restricts_nothing(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2")))
            kick = self.restricting(key="k")
            await result(store, kick)
            await self.say(store, 1)
            same = msgspec.structs.replace(
                self.stating(_fact("ban", "u2"), only_if_changed=True), restricts=True
            )

            again = await result(store, kick)
            unchanged = await result(store, same)

            room = await store.room("r")
            assert (again.duplicate, unchanged.unchanged) == (True, True)
            assert room is not None
            assert room.restricted == 2

    async def test_38_a_draft_that_was_judged_before_the_restriction_is_stale(self) -> None:
        async with self.two_processes() as (one, other):
            await result(one, self.restricting())

            answers = await other.append([self.judged(0), self.judged(1), self.judged(7), self.draft()])

            assert [type(answer) for answer in answers] == [Stale, Appended, Appended, Appended]
            assert seqs(await one.history("r", after=0, limit=9)) == [1, 2, 3, 4]

    async def test_38_within_one_batch_what_comes_after_the_restriction_is_stale(self) -> None:
        async with self.room() as store:
            await self.create(store, "other")
            elsewhere = msgspec.structs.replace(self.draft("other"), judged=0)

            answers = await store.append(
                [self.judged(0), self.restricting(), self.judged(0), elsewhere, self.judged(2)]
            )

            assert [type(answer) for answer in answers] == [Appended, Appended, Stale, Appended, Appended]

    async def test_38_a_stale_draft_is_no_first_of_its_key(self) -> None:
        async with self.room() as store:
            await result(store, self.restricting())
            draft = self.judged(0, key="k")

            (stale,) = await store.append([draft])
            answer = await result(store, msgspec.structs.replace(draft, judged=1))

            assert isinstance(stale, Stale)
            assert (answer.seq, answer.duplicate) == (2, False)

    async def test_39_a_repetition_is_answered_before_its_sender_is_judged(self) -> None:
        async with self.room() as store:
            draft = self.judged(0, key="k")
            first = await result(store, draft)
            await result(store, self.restricting())

            again = await result(store, draft)
            (clash,) = await store.append([msgspec.structs.replace(draft, hash=b"another")])

            assert (again.seq, again.duplicate) == (first.seq, True)
            assert isinstance(clash, Conflict)

    async def test_39_a_stale_draft_is_not_asked_for_its_relation_or_facts(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2")))
            await result(store, self.restricting())
            drafts = [
                msgspec.structs.replace(self.judged(0), about=Relation("nothing-of-this-id", fold))
                for fold in Fold
            ]
            drafts.append(
                msgspec.structs.replace(self.judged(0), facts=(_fact("ban", "u2"),), only_if_changed=True)
            )

            answers = await store.append(drafts)
            now = await store.append([msgspec.structs.replace(draft, judged=2) for draft in drafts])

            assert [type(answer) for answer in answers] == [Stale] * 5
            assert [type(answer) for answer in now] == [
                MessageNotFound, MessageNotFound, MessageNotFound, InvalidField, Appended
            ]  # fmt: skip

    def restricting(self, *, key: str | None = None) -> Draft:
        """A draft that takes rights away."""
        return msgspec.structs.replace(self.draft(type="member.kicked", key=key), restricts=True)

    def judged(self, seq: int, *, key: str | None = None) -> Draft:
        """A draft whose sender's rights were checked when the room had this number."""
        return msgspec.structs.replace(self.draft(key=key), judged=seq)


def _fact(kind: str, key: str, value: bytes = b"{}") -> Fact:
    return Fact(kind, key, value)


def _told(answer: Appended | ChatError) -> tuple[int, bool]:
    assert isinstance(answer, Appended), repr(answer)
    return answer.seq, answer.unchanged


async def _pages(store: Store, limit: int) -> AsyncIterator[list[Known]]:
    cursor: str | None = None
    while True:
        page = await store.facts("r", "member", cursor=cursor, limit=limit)
        yield page.facts
        cursor = page.cursor
        if cursor is None:
            return
        assert len(page.facts) == limit, "a page that is not the last is full"
