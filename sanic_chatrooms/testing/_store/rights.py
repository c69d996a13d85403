"""The store suite: events that take rights away, and drafts that were judged before (sentences 34 to 36)."""

from msgspec.structs import replace

from ...errors import Conflict, InvalidField, MessageNotFound
from ...models import Appended, Draft, Fact, Fold, Relation
from ...stores.base import Stale
from .hooks import StoreHooks, result, seqs


class RightsTests(StoreHooks):
    """Sentences 37 to 39."""

    async def test_34_an_event_that_restricts_makes_its_number_the_rooms_restricted(self) -> None:
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

    async def test_34_an_event_that_is_not_stored_restricts_nothing(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2")))
            kick = self.restricting(key="k")
            await result(store, kick)
            await self.say(store, 1)
            same = replace(self.stating(_fact("ban", "u2"), only_if_changed=True), restricts=True)

            again = await result(store, kick)
            unchanged = await result(store, same)

            room = await store.room("r")
            assert (again.duplicate, unchanged.unchanged) == (True, True)
            assert room is not None
            assert room.restricted == 2

    async def test_35_a_draft_that_was_judged_before_the_restriction_is_stale(self) -> None:
        async with self.two_processes() as (one, other):
            await result(one, self.restricting())

            answers = await other.append([self.judged(0), self.judged(1), self.judged(7), self.draft()])

            assert [type(answer) for answer in answers] == [Stale, Appended, Appended, Appended]
            assert seqs(await one.history("r", after=0, limit=9)) == [1, 2, 3, 4]

    async def test_35_within_one_batch_what_comes_after_the_restriction_is_stale(self) -> None:
        async with self.room() as store:
            await self.create(store, "other")
            elsewhere = replace(self.draft("other"), judged=0)

            answers = await store.append(
                [self.judged(0), self.restricting(), self.judged(0), elsewhere, self.judged(2)]
            )

            assert [type(answer) for answer in answers] == [Appended, Appended, Stale, Appended, Appended]

    async def test_35_a_draft_that_was_judged_in_another_past_is_stale(self) -> None:
        async with self.two_processes() as (one, other):
            before = await one.room("r")
            assert before is not None
            there = [replace(draft, judged_in=before.epoch) for draft in (self.judged(0), self.draft())]
            there.append(replace(self.stating(_fact("ban", "u2")), judged=0, judged_in=before.epoch))
            assert {type(answer) for answer in await one.append(there)} == {Appended}

            await one.delete_room("r")
            await self.create(one, "r")
            new = await other.room("r")
            assert new is not None

            for drafts in (there[:2], there[2:], there):
                assert {type(answer) for answer in await other.append(drafts)} == {Stale}
            answers = await other.append([replace(there[0], judged_in=new.epoch), there[1], self.draft()])
            assert [type(answer) for answer in answers] == [Appended, Stale, Appended]
            await one.renew_epoch("r", new.epoch)
            late = replace(self.judged(2), judged_in=new.epoch)
            assert [type(answer) for answer in await other.append([late])] == [Stale]

    async def test_35_a_stale_draft_is_no_first_of_its_key(self) -> None:
        async with self.room() as store:
            await result(store, self.restricting())
            draft = self.judged(0, key="k")

            (stale,) = await store.append([draft])
            answer = await result(store, replace(draft, judged=1))

            assert isinstance(stale, Stale)
            assert (answer.seq, answer.duplicate) == (2, False)

    async def test_36_a_repetition_is_answered_before_its_sender_is_judged(self) -> None:
        async with self.room() as store:
            draft = self.judged(0, key="k")
            first = await result(store, draft)
            await result(store, self.restricting())

            again = await result(store, draft)
            (clash,) = await store.append([replace(draft, hash=b"another")])

            assert (again.seq, again.duplicate) == (first.seq, True)
            assert isinstance(clash, Conflict)

    async def test_36_a_stale_draft_is_not_asked_for_its_relation_or_facts(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(_fact("ban", "u2")))
            await result(store, self.restricting())
            drafts = [replace(self.judged(0), about=Relation("nothing-of-this-id", fold)) for fold in Fold]
            drafts.append(replace(self.judged(0), facts=(_fact("ban", "u2"),), only_if_changed=True))

            answers = await store.append(drafts)
            now = await store.append([replace(draft, judged=2) for draft in drafts])

            assert [type(answer) for answer in answers] == [Stale] * 6
            assert [type(answer) for answer in now] == [
                MessageNotFound, MessageNotFound, MessageNotFound, MessageNotFound, InvalidField, Appended
            ]  # fmt: skip

    def restricting(self, *, key: str | None = None) -> Draft:
        """A draft that takes rights away."""
        return replace(self.draft(type="member.kicked", key=key), restricts=True)

    def judged(self, seq: int, *, key: str | None = None) -> Draft:
        """A draft whose sender's rights were checked when the room had this number."""
        return replace(self.draft(key=key), judged=seq)


def _fact(kind: str, key: str, value: bytes = b"{}") -> Fact:
    return Fact(kind, key, value)
