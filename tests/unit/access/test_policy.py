from __future__ import annotations

import pytest

from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.errors import Forbidden
from sanic_chatrooms.models import DIRECT, PRIVATE, PUBLIC, Room, User

ADA = User("u1", "Ada")


@pytest.mark.parametrize("visibility", [PUBLIC, PRIVATE, DIRECT])
@pytest.mark.parametrize("action", ["join", "message", "leave", "poll.vote"])
def test_the_default_policy_leaves_everything_to_the_rooms_own_rules(action: str, visibility: str) -> None:
    room = Room("general", "e", 0, visibility=visibility)

    assert RoomPolicy().require(ADA, action, room, Standing("member", 10, 0)) is None
    assert RoomPolicy().require(ADA, action, None, Standing()) is None


def test_a_policy_widens_nothing_unless_it_says_so() -> None:
    room = Room("general", "e", 0)

    assert RoomPolicy().widen(ADA, "message.pin", room, Standing(), Forbidden()) is False
