from __future__ import annotations

from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, ConfigError
from sanic_chatrooms.access.roles import check_roles, level_of


def test_the_apps_roles_stand_beside_those_of_the_protocol() -> None:
    levels = check_roles({"editor": 30}, "here")

    assert (level_of("editor", levels), level_of("owner", levels), level_of("unknown", levels)) == (
        30,
        100,
        10,
    )


@pytest.mark.parametrize(
    ("roles", "what"),
    [({"owner": 50}, "owner"), ({"Editor": 30}, "Editor"), ({"editor": 100}, "100"), ({"editor": True}, "True"), ({1: 1}, "1"), (["editor"], "editor")],
)  # fmt: skip
def test_a_role_that_cannot_be_is_refused_where_it_is_declared(roles: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        ChatRooms("test", roles=roles)
