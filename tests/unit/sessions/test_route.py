from __future__ import annotations

import pytest

from sanic_chatrooms.access.policy import Policy, RoomPolicy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.config.load import load
from sanic_chatrooms.models import Room, User
from sanic_chatrooms.sessions.route import Route

SETTINGS = load("test", {}, {}, {"guests": True}, debug=False, instances=("test",))


class Slow(Policy):
    async def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None: ...


@pytest.mark.parametrize(("policy", "plain"), [(RoomPolicy(), True), (Slow(), False)])
def test_a_policy_that_takes_its_time_is_known_by_its_function(policy: Policy, plain: bool) -> None:
    route = Route(settings=SETTINGS, policy=policy, authenticator=None, guests=None)

    assert route.plain_policy is plain
