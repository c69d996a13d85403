"""The store suite: facts (sentences 11 and 28 to 33)."""

import msgspec
from msgspec.structs import replace

from ...errors import ChatError, Conflict, MessageNotFound, RoomNotFound
from ...models import Appended, Fact, Fold, Known, Relation, Room
from ...stores.base import Bounds
from .hooks import StoreHooks, result, seqs

KEYS = ("u", "U", "u ", "ü", "u:1", "u.1", "*", "%", "u'", 'u"', "a\nb", "😀", "~", "x" * 128)
"""Keys that are one and the same to a backend that globs, folds or cuts them."""

VALUES = (
    b'{"name":"Ada"}', b'{ "b" : 1,  "a":[1.50,null]}', '{"name":"é 😀 \\" \\\\"}'.encode(), b"{}", b"null", b"0",
    b'"text"', b'{"x":"' + b"x" * 10_000 + b'"}',
)  # fmt: skip
"""Values that one must not decode and encode again."""


class FactTests(StoreHooks):
    """Sentences 31 to 36."""

    async def test_11_facts_are_visible_exactly_when_their_event_is(self) -> None:
        async with self.two_processes() as (one, other):
            before = await other.fact("r", "ban", "u2")
            answer = await result(one, self.stating(_fact("ban", "u2", b'{"until":1}')))

            assert before is None
            assert await other.fact("r", "ban", "u2") == Known(
                "ban", "u2", b'{"until":1}', answer.seq, answer.seq, "r"
            )

    async def test_11_a_repetition_does_not_apply_its_facts_again(self) -> None:
        async with self.two_processes() as (one, other):
            draft = self.stating(_fact("ban", "u2"), key="k")
            first = await result(one, draft)
            await result(one, self.stating(Fact("ban", "u2", None)))

            again = await result(other, draft)

            assert (again.seq, again.duplicate) == (first.seq, True)
            assert await one.fact("r", "ban", "u2") is None

    async def test_11_the_facts_of_a_draft_that_is_not_stored_do_not_hold(self) -> None:
        async with self.room() as store:
            await result(store, self.draft(text="one", key="k"))
            missing = Relation("nothing-of-this-id", Fold.REPLACE, value=b"{}")
            drafts = [
                self.stating(_fact("ban", "u2"), text="two", key="k"),
                self.stating(_fact("ban", "u2"), room="nowhere"),
                replace(self.stating(_fact("ban", "u2")), about=missing),
            ]

            answers = await store.append(drafts)

            assert [type(answer) for answer in answers] == [Conflict, RoomNotFound, MessageNotFound]
            assert await store.facts_about("r", "u2") == {}
            assert (await store.facts_of("ban", "u2")).total == 0

    async def test_11_facts_of_one_batch_are_applied_in_its_order(self) -> None:
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

    async def test_28_another_value_has_another_seq_and_the_same_since(self) -> None:
        async with self.two_processes() as (one, other):
            await self.say(one, 2)
            for value in (b"1", b"2"):
                await result(one, self.stating(_fact("member", "u2", value)))

            assert await other.fact("r", "member", "u2") == Known("member", "u2", b"2", 4, 3, "r")

    async def test_28_the_same_value_again_changes_neither(self) -> None:
        async with self.room() as store:
            for _ in range(2):
                await result(store, self.stating(_fact("member", "u2", b"1")))
            await store.set_fact("r", _fact("member", "u2", b"1"))

            assert await store.fact("r", "member", "u2") == Known("member", "u2", b"1", 1, 1, "r")
            assert (await store.heads(["r"]))["r"].seq == 2, "the events are stored all the same"

    async def test_28_values_come_back_byte_for_byte(self) -> None:
        async with self.two_processes() as (one, other):
            drafted = [_fact("kind", f"{n}", value) for n, value in enumerate(VALUES)]
            await result(one, self.stating(*drafted))
            for n, value in enumerate(VALUES):
                await one.set_fact("r", _fact("set", f"{n}", value))

            for kind in ("kind", "set"):
                page = await other.facts("r", kind)
                assert [fact.value for fact in page.facts] == list(VALUES)

    async def test_28_kinds_and_keys_that_resemble_each_other_are_different_facts(self) -> None:
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

    async def test_29_a_forgotten_fact_is_gone_and_begins_anew_later(self) -> None:
        async with self.two_processes() as (one, other):
            await result(one, self.stating(_fact("member", "u2", b"1")))
            await result(one, self.stating(Fact("member", "u2", None)))
            gone = await other.fact("r", "member", "u2")
            page = await other.facts("r", "member")
            await result(one, self.stating(_fact("member", "u2", b"1")))

            assert gone is None
            assert (page.facts, page.total) == ([], 0)
            assert await other.fact("r", "member", "u2") == Known("member", "u2", b"1", 3, 3, "r")

    async def test_29_forgetting_what_does_not_hold_changes_nothing(self) -> None:
        async with self.room() as store:
            answer = await result(store, self.stating(Fact("member", "u2", None)))

            assert (answer.seq, answer.unchanged) == (1, False), "the event is stored all the same"
            assert await store.set_fact("r", Fact("member", "u2", None)) is False
            assert await store.facts_about("r", "u2") == {}

    async def test_30_a_maximum_never_goes_down(self) -> None:
        async with self.room() as store:
            changed = [
                await store.set_fact("r", Fact("read", "u2", b"%d" % value, "max"))
                for value in (0, 9, 10, 9, 10, 100, 2**53 - 1, 99)
            ]

            known = await store.fact("r", "read", "u2")

            assert changed == [True, True, True, False, False, True, True, False]
            assert known is not None
            assert known.value == b"%d" % (2**53 - 1)

    async def test_30_a_maximum_goes_down_when_it_is_set(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(Fact("read", "u2", b"10", "max")))
            await result(store, self.stating(Fact("read", "u2", b"9", "max")))
            lower = await store.fact("r", "read", "u2")
            await result(store, self.stating(Fact("read", "u2", b"8")))

            assert lower == Known("read", "u2", b"10", 1, 1, "r")
            assert await store.fact("r", "read", "u2") == Known("read", "u2", b"8", 3, 1, "r")

    async def test_31_facts_that_hold_already_store_no_event_if_the_draft_says_so(self) -> None:
        async with self.two_processes() as (one, other):
            await result(one, self.stating(_fact("ban", "u2", b"1")))
            await result(one, self.stating(_fact("mute", "u2", b"1")))
            same = self.stating(_fact("ban", "u2", b"1"), _fact("mute", "u2", b"1"), only_if_changed=True)

            answer = await result(other, same)

            assert (answer.seq, answer.unchanged, answer.duplicate) == (2, True, False)
            assert (await one.heads(["r"]))["r"].seq == 2

    async def test_31_one_fact_that_changes_is_enough_to_store_the_event(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2", b"1")))

            answer = await result(
                store,
                self.stating(_fact("ban", "u2", b"1"), _fact("ban", "u3", b"1"), only_if_changed=True),
            )

            assert (answer.seq, answer.unchanged) == (2, False)
            assert await store.fact("r", "ban", "u2") == Known("ban", "u2", b"1", 1, 1, "r")
            assert await store.fact("r", "ban", "u3") == Known("ban", "u3", b"1", 2, 2, "r")

    async def test_31_forgetting_what_does_not_hold_is_unchanged_by_no_event(self) -> None:
        async with self.room() as store:
            lift = self.stating(Fact("ban", "u2", None), only_if_changed=True)

            answer = await result(store, lift)
            await store.set_fact("r", _fact("ban", "u2"))
            lifted = await result(store, lift)

            assert (answer.seq, answer.unchanged) == (0, True)
            assert (lifted.seq, lifted.unchanged, lifted.duplicate) == (1, False, False)

    async def test_31_a_lower_maximum_is_unchanged_too(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(Fact("read", "u2", b"10", "max")))

            answer = await result(store, self.stating(Fact("read", "u2", b"9", "max"), only_if_changed=True))

            assert (answer.seq, answer.unchanged) == (1, True)

    async def test_31_the_key_of_an_unchanged_draft_is_not_remembered(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2", b"1")))
            same = self.stating(_fact("ban", "u2", b"1"), key="k", only_if_changed=True)
            await result(store, same)
            await result(store, self.stating(Fact("ban", "u2", None)))

            again = await result(store, same)

            assert (again.seq, again.duplicate, again.unchanged) == (3, False, False)

    async def test_31_a_batch_is_compared_as_it_goes(self) -> None:
        async with self.room() as store:
            ban = self.stating(_fact("ban", "u2", b"1"), only_if_changed=True)
            lift = self.stating(Fact("ban", "u2", None), only_if_changed=True)

            answers = await store.append([lift, ban, ban, lift, lift, self.draft()])

            assert [_told(answer) for answer in answers] == [
                (0, True), (1, False), (1, True), (2, False), (0, True), (3, False)
            ]  # fmt: skip
            assert seqs(await store.history("r", after=0, limit=9)) == [1, 2, 3]

    async def test_32_a_fact_can_be_set_and_forgotten_without_an_event(self) -> None:
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

    async def test_32_what_an_event_made_is_changed_without_one(self) -> None:
        async with self.room() as store:
            await self.say(store, 1)
            await result(store, self.stating(_fact("member", "u2", b"1")))
            await self.say(store, 1)

            await store.set_fact("r", _fact("member", "u2", b"2"))

            assert await store.fact("r", "member", "u2") == Known("member", "u2", b"2", 0, 2, "r")

    async def test_32_a_room_is_made_with_its_first_facts(self) -> None:
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

    async def test_33_facts_are_not_trimmed(self) -> None:
        async with self.room(Bounds(history_max=3)) as store:
            await result(store, self.stating(_fact("ban", "u2", b"1")))
            await self.say(store, 30)

            assert await store.fact("r", "ban", "u2") == Known("ban", "u2", b"1", 1, 1, "r")

    async def test_33_facts_go_with_their_room(self) -> None:
        async with self.two_processes() as (one, other):
            await one.set_fact("r", _fact("member", "u2"))
            await one.delete_room("r")
            await self.create(one, "r")

            assert await other.facts_about("r", "u2") == {}
            assert (await other.facts_of("member", "u2")).facts == []
            assert (await other.facts("r", "member")).total == 0

    async def test_33_facts_are_of_the_same_room_under_a_new_epoch(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2", b"1")))
            head = (await store.heads(["r"]))["r"]

            await store.renew_epoch("r", head.epoch)

            assert await store.fact("r", "ban", "u2") == Known("ban", "u2", b"1", 1, 1, "r")


def _fact(kind: str, key: str, value: bytes = b"{}") -> Fact:
    return Fact(kind, key, value)


def _told(answer: Appended | ChatError) -> tuple[int, bool]:
    assert isinstance(answer, Appended), repr(answer)
    return answer.seq, answer.unchanged
