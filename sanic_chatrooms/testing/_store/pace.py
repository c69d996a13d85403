"""The store suite: slow mode, and facts that end (sentences 39 and 40)."""

from msgspec.structs import replace

from ...errors import RateLimited
from ...models import EVERYONE, RESERVED, Appended, Draft, Fact, Fold, Relation, Sender
from ...stores.changes import SWEPT
from .hooks import StoreHooks, result


class PaceTests(StoreHooks):
    """Sentences 39 and 40."""

    async def test_39_a_spaced_draft_waits_for_the_last_one_of_its_sender(self) -> None:
        async with self.two_processes() as (one, other):
            first = self.spaced(10.0)
            await result(one, first)
            (refused,) = await other.append([replace(self.spaced(10.0), timestamp=first.timestamp + 4.0)])
            shorter = await result(other, replace(self.spaced(3.0), timestamp=first.timestamp + 4.0))
            (again,) = await one.append([replace(self.spaced(3.0), timestamp=first.timestamp + 5.0)])

            assert isinstance(refused, RateLimited)
            assert (refused.fields["retryAfter"], refused.fields["limit"]) == (6.0, "slowMode")
            assert shorter.seq == 2, "what was refused got no number"
            assert isinstance(again, RateLimited)

    async def test_39_others_other_rooms_and_other_drafts_do_not_wait(self) -> None:
        async with self.room() as store:
            await self.create(store, "s")
            await result(store, self.spaced(10.0))

            answers = await store.append(
                [
                    self.draft(),
                    self.spaced(10.0, user="u2"),
                    self.spaced(10.0, room="s"),
                    replace(self.spaced(10.0), sender=None, key=None),
                    self.spaced(10.0),
                ]
            )

            assert [type(answer) for answer in answers] == [Appended] * 4 + [RateLimited]

    async def test_39_within_a_batch_and_with_its_effects(self) -> None:
        async with self.room() as store:
            parent = await self.said(store)
            reply = Relation(parent.msg_id, Fold.COLLECT)
            drafts = [
                replace(self.spaced(10.0), facts=(Fact("ban", "u9", b"1"),), about=reply),
                replace(self.spaced(10.0), facts=(Fact("ban", "u9", b"2"),), about=reply),
            ]

            answers = await store.append(drafts)

            assert [type(answer) for answer in answers] == [Appended, RateLimited]
            known = await store.fact("r", "ban", "u9")
            assert known is not None
            assert known.value == b"1"
            assert [event.seq for event in (await store.history("r", after=0, limit=9, parent=1)).events] == [
                2
            ]

    async def test_39_a_repetition_is_answered_before_and_a_stale_draft_does_not_count(self) -> None:
        async with self.room() as store:
            first = self.spaced(10.0, key="k")
            await result(store, replace(self.draft(type="member.kicked"), restricts=True))
            stale = await store.append([replace(self.spaced(10.0), judged=0)])
            stored = await result(store, first)

            again = await result(store, first)

            assert not isinstance(stale[0], Appended)
            assert (again.seq, again.duplicate) == (stored.seq, True)

    async def test_40_setting_a_fact_that_ends_forgets_some_that_have_ended(self) -> None:
        async with self.two_processes() as (one, other):
            for room in ("r", EVERYONE):
                if room == EVERYONE:
                    await self.create(one, EVERYONE, visibility=RESERVED)
                now = self.now()
                soon = [self.ending(f"u{n}", now + 1.0) for n in range(SWEPT - 2)]
                for fact in soon[1:]:
                    await one.set_fact(room, fact)
                await result(one, self.stating(soon[0], self.ending("late", now + 900), room=room))
                await one.set_fact(room, Fact("ban", "ever", b"1"))
                longer = replace(self.ending("u1", now + 900), value=b"2")
                await one.set_fact(room, longer)  # one of them has another end now
                await one.set_fact(
                    room, replace(self.ending("u2", 0.0), value=b"3", until=None)
                )  # and one none
                held = await other.facts(room, "ban")
                await self.pass_time(1.5)

                still = await other.facts(room, "ban")
                await other.set_fact(room, self.ending("new", now + 900))

                left = [known.key for known in (await one.facts(room, "ban")).facts]
                assert held.total == still.total == SWEPT
                assert left == ["ever", "late", "new", "u1", "u2"]
                assert await other.facts_about(room, "u0") == {}

    async def test_40_an_event_with_such_a_fact_forgets_some_too(self) -> None:
        async with self.room() as store:
            await result(store, self.stating(self.ending("u1", self.now() + 0.5)))
            await self.pass_time(1.0)

            await result(store, self.stating(self.ending("u2", self.now() + 900.0)))

            assert [known.key for known in (await store.facts("r", "ban")).facts] == ["u2"]
            assert (await store.facts_of("ban", "u1")).total == 0

    def spaced(self, seconds: float, *, room: str = "r", user: str = "u1", key: str | None = None) -> Draft:
        """A draft in a room with slow mode."""
        return replace(self.draft(room, user=user, key=key), spaced=seconds, sender=Sender(user, "A"))

    def ending(self, key: str, until: float) -> Fact:
        """A ban that ends."""
        return Fact("ban", key, b'{"until":1}', until=until)
