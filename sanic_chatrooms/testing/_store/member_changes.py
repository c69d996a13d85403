"""The store suite: members that change with an event (sentence 11)."""

from ...errors import Conflict, RoomNotFound
from ...models import Member, MemberRemoved, MemberSet
from .hooks import StoreHooks, result


class ChangeTests(StoreHooks):
    """Sentence 11."""

    async def test_11_a_change_is_visible_exactly_when_its_event_is(self) -> None:
        async with self.two_processes() as (one, other):
            bob = Member("u2", "Bob", "moderator", 1750000000.5)

            await result(one, self.draft(type="member.joined", change=MemberSet(bob)))
            joined = await other.member("r", "u2")
            await result(one, self.draft(type="member.left", change=MemberRemoved("u2")))

            assert joined == bob
            assert await other.member("r", "u2") is None

    async def test_11_a_repetition_does_not_apply_its_change_again(self) -> None:
        async with self.room() as store:
            kick = self.draft(type="member.kicked", key="kick", change=MemberRemoved("u2"))
            await store.set_member("r", Member("u2", "Bob"))
            await result(store, kick)
            await store.set_member("r", Member("u2", "Bob"))

            assert (await result(store, kick)).duplicate
            assert await store.member("r", "u2") is not None

    async def test_11_the_change_of_a_draft_that_is_not_stored_does_not_happen(self) -> None:
        async with self.room() as store:
            await result(store, self.draft(text="one", key="k"))

            answers = await store.append(
                [
                    self.draft(text="two", key="k", change=MemberSet(Member("u2", "Bob"))),
                    self.draft("nowhere", change=MemberSet(Member("u2", "Bob"))),
                ]
            )

            assert [type(answer) for answer in answers] == [Conflict, RoomNotFound]
            assert await store.member("r", "u2") is None
            assert (await store.rooms(member="u2")).rooms == []

    async def test_11_changes_of_one_batch_happen_in_its_order(self) -> None:
        async with self.room() as store:
            await store.append(
                [
                    self.draft(change=MemberSet(Member("u2", "Bob", "admin"))),
                    self.draft(change=MemberRemoved("u2")),
                    self.draft(change=MemberSet(Member("u2", "Bob", "member"))),
                    self.draft(change=MemberRemoved("nobody")),
                ]
            )

            assert (await store.members("r")).members == [Member("u2", "Bob", "member")]
