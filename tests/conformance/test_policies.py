"""The policies that come with the package, and those of its pages, keep the contract."""

from __future__ import annotations

import asyncio

import pytest

from sanic_chatrooms import Forbidden, Policy, Room, RoomNotFound, RoomPolicy, Standing, User
from sanic_chatrooms.testing import PolicySuite


class TestRoomPolicy(PolicySuite):
    async def make(self) -> Policy:
        return RoomPolicy()


class TestSlowPolicy(PolicySuite):
    """One that waits."""

    async def make(self) -> Policy:
        class Slow(RoomPolicy):
            async def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
                await asyncio.sleep(0)
                super().require(user, action, room, standing)

        return Slow()


class Answering(Policy):
    """Does what it is told to."""

    def __init__(self, problem: type[Exception] | None = None, *, only: str = "message") -> None:
        self.problem = problem
        self.only = only

    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        if self.problem is not None and action == self.only:
            raise self.problem


def suite_of(policy: Policy) -> PolicySuite:
    class Suite(PolicySuite):
        async def make(self) -> Policy:
            return policy

    return Suite()


async def test_a_policy_that_fails_is_found() -> None:
    with pytest.raises(AssertionError, match="KeyError"):
        await suite_of(Answering(KeyError)).test_3_no_question_raises_anything_but_a_chat_error()


async def test_a_policy_that_tells_of_a_hidden_room_by_one_action_is_found() -> None:
    class Leaky(RoomPolicy):
        def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
            if action != "members" and not standing.member:
                raise RoomNotFound
            super().require(user, action, room, standing)

    with pytest.raises(AssertionError):
        await suite_of(Leaky()).test_2_a_room_that_is_hidden_is_hidden_from_every_action()


async def test_a_policy_that_refuses_passes() -> None:
    for problem in (Forbidden, RoomNotFound):
        await suite_of(Answering(problem)).test_1_every_action_is_allowed_or_refused()
        await suite_of(Answering(problem)).test_3_no_question_raises_anything_but_a_chat_error()


def test_every_action_of_the_chat_is_asked_about() -> None:
    asked = {question.action for question in suite_of(RoomPolicy()).questions()}

    assert {"join", "message", "message.edit", "rooms"} < asked
    assert {question.room is None for question in suite_of(RoomPolicy()).questions()} == {True, False}
