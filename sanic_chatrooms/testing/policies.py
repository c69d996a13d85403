"""Tests of the contract `sanic_chatrooms.access.policy.Policy`, to run on your policy.

    import pytest
    pytest.register_assert_rewrite("sanic_chatrooms.testing")  # so that a failing assert shows its values

    from sanic_chatrooms.testing import PolicySuite
    from shop.chat import ShopPolicy

    class TestShopPolicy(PolicySuite):
        async def make(self) -> ShopPolicy:
            return ShopPolicy()

With pytest-asyncio in its auto mode, you need nothing else. The suite itself needs no test runner. The number in a test's
name is that of the sentence in the contract. Every question that the chat asks a policy is asked: each action, of users and
guests of each standing, in rooms of each kind. What your policy allows beyond that is for tests of your own.
"""
# ruff: noqa: D102 - a test's name is its sentence

import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Iterator
from typing import NamedTuple

from ..access.access import judge
from ..access.actions import action as action_of
from ..access.policy import Policy, RoomPolicy
from ..access.standing import LEVELS, Standing
from ..errors import ChatError, Forbidden, RoomNotFound
from ..models import DIRECT, PRIVATE, PUBLIC, Room, User
from ..verbs.table import commands

__all__ = ["PolicySuite"]

LATER = "what.a.later.version.adds"
USERS = (User("u1", "Ada"), User("u2", "Bob", scopes=("staff",)), User("guest-1", "Guest 1001", guest=True))
STRANGERS = ("outsider", "guest")


class Question(NamedTuple):
    """What `Policy.require` is asked."""

    user: User
    action: str
    room: Room | None
    standing: Standing


class PolicySuite:
    """Tests of the contract of a policy. Derive a test class from it and implement `make`."""

    @abstractmethod
    async def make(self) -> Policy:
        """A new policy."""

    def users(self) -> tuple[User, ...]:
        """The users that are asked about. Override it if your policy looks at scopes or claims."""
        return USERS

    def rooms(self) -> tuple[Room, ...]:
        """The rooms that are asked about. Override it if your policy looks at ids, titles or attributes."""
        return tuple(Room(f"r-{kind}", "e1", 5, visibility=kind) for kind in (PUBLIC, PRIVATE, DIRECT))

    def questions(self) -> Iterator[Question]:
        """All that is asked."""
        for user in self.users():
            for action in (*_actions(), LATER):
                yield Question(user, action, None, Standing())
                for room in self.rooms():
                    for standing in _standings(room):
                        yield Question(user, action, room, standing)

    async def test_1_every_action_is_allowed_or_refused(self) -> None:
        policy = await self.make()
        for question in self.questions():
            await _refusal(policy, question)

    async def test_2_a_room_that_is_hidden_is_hidden_from_every_action(self) -> None:
        policy = await self.make()
        hidden: set[tuple[str, str, str]] = set()
        told: set[tuple[str, str, str]] = set()
        for question in self.questions():
            if (
                question.room is not None
                and question.room.visibility != PUBLIC
                and not question.standing.member
            ):
                place = (question.user.id, question.room.id, question.standing.role)
                refused = isinstance(await _refusal(policy, question), RoomNotFound)
                (hidden if refused else told).add(place)

        assert hidden & told == set()

    async def test_3_no_question_raises_anything_but_a_chat_error(self) -> None:
        policy = await self.make()
        failures = []
        for question in self.questions():
            try:
                await _refusal(policy, question)
            except Exception as exc:  # noqa: BLE001 - it is what the test is about
                failures.append((question.action, question.room, question.standing.role, exc))

        assert failures == []

    async def test_3_the_same_question_has_the_same_answer(self) -> None:
        policy = await self.make()
        for question in self.questions():
            first, second = await _refusal(policy, question), await _refusal(policy, question)

            assert type(first) is type(second), question

    async def test_4_a_plain_function_answers_at_once(self) -> None:
        policy = await self.make()
        for question in self.questions():
            try:
                answer = policy.require(*question)
            except ChatError:
                continue
            waits = inspect.isawaitable(answer)
            if waits:
                _give_up(answer)

            assert waits == inspect.iscoroutinefunction(policy.require), question

    async def test_5_who_may_not_know_of_a_room_is_refused_without_asking_the_policy(self) -> None:
        asked = _Asked(await self.make())
        for room in self.rooms():
            if room.visibility == PUBLIC:
                continue
            for action in _actions():
                for user in self.users():
                    try:
                        await judge(_Actor(user, asked), action_of(action), room, Standing())
                    except RoomNotFound:
                        continue
                    raise AssertionError(f"{action} is allowed in a room that {user.id} may not know of")

        assert asked.questions == []

    async def test_6_widen_says_yes_or_no_to_every_refusal(self) -> None:
        policy = await self.make()
        for question in self.questions():
            user, action, room, standing = question
            if room is None:
                continue
            answer = policy.widen(user, action, room, standing, Forbidden())
            if inspect.isawaitable(answer):
                answer = await answer

            assert isinstance(answer, bool), question


class _Asked(RoomPolicy):
    """Writes down what it is asked, and asks another policy."""

    def __init__(self, inner: Policy) -> None:
        self.inner = inner
        self.questions: list[Question] = []

    def require(
        self, user: User, action: str, room: Room | None, standing: Standing
    ) -> Awaitable[None] | None:
        self.questions.append(Question(user, action, room, standing))
        return self.inner.require(user, action, room, standing)


class _Actor(NamedTuple):
    user: User
    policy: Policy
    scopes: None = None


def _actions() -> list[str]:
    return sorted(type for type, row in commands().items() if row.action is not None)


def _standings(room: Room) -> Iterator[Standing]:
    for role, level in LEVELS.items():
        if role in STRANGERS:
            # A guest of a room is who may see it without being a member.
            if (role == "guest") == (room.visibility == PUBLIC):
                yield Standing(role, level)
        else:
            yield Standing(role, level, joined_seq=1)
    yield Standing("a role of the app", LEVELS["member"], joined_seq=1)


async def _refusal(policy: Policy, question: Question) -> ChatError | None:
    """Why the policy refuses; None if it allows it. Raises whatever else the policy raises."""
    try:
        answer: object = policy.require(*question)
        if inspect.isawaitable(answer):
            answer = await answer
    except ChatError as problem:
        return problem
    assert answer is None, f"a policy returns None or raises, and not {answer!r}"
    return None


def _give_up(answer: object) -> None:
    close = getattr(answer, "close", None) or getattr(answer, "cancel", None)
    if close is not None:
        close()
