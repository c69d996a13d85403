from __future__ import annotations

import pytest

from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.errors import ChatError, Forbidden, RoomNotFound
from sanic_chatrooms.models import DIRECT, PRIVATE, PUBLIC, RESERVED, Room, User

ACTIONS = ["join", "message", "typing", "history", "members", "presence", "leave", "poll.vote"]
ADA, MEMBER, OUTSIDER = User("u1", "Ada"), Standing("member", 10, 0), Standing()


def refusal(action: str, visibility: str | None, standing: Standing) -> type[ChatError] | None:
    room = Room("general", "e", 0, visibility=visibility) if visibility is not None else None
    try:
        RoomPolicy().require(ADA, action, room, standing)
    except ChatError as problem:
        return type(problem)
    return None


@pytest.mark.parametrize("action", ACTIONS)
def test_public_rooms_are_open(action: str) -> None:
    assert refusal(action, PUBLIC, OUTSIDER) is None
    assert refusal(action, PUBLIC, MEMBER) is None


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("visibility", [PRIVATE, DIRECT])
def test_hidden_rooms_do_not_exist_for_outsiders(action: str, visibility: str) -> None:
    assert refusal(action, visibility, OUTSIDER) is RoomNotFound


@pytest.mark.parametrize("action", [action for action in ACTIONS if action != "leave"])
@pytest.mark.parametrize("visibility", [PRIVATE, DIRECT])
def test_hidden_rooms_are_open_to_members(action: str, visibility: str) -> None:
    assert refusal(action, visibility, MEMBER) is None


def test_a_direct_conversation_is_not_left() -> None:
    assert refusal("leave", DIRECT, MEMBER) is Forbidden
    assert refusal("leave", PRIVATE, MEMBER) is None


def test_reserved_rooms_exist_for_nobody() -> None:
    assert refusal("join", RESERVED, MEMBER) is RoomNotFound


@pytest.mark.parametrize("action", ["rooms", "room.create", "direct"])
def test_actions_without_a_room_are_open(action: str) -> None:
    assert refusal(action, None, OUTSIDER) is None
