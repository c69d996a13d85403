from __future__ import annotations

import pytest

from sanic_chatrooms.access.needs import NEVER, SPEAKING, Need, need_of
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.errors import InvalidField
from sanic_chatrooms.models import DIRECT, PRIVATE, PUBLIC, RESERVED

MEMBER = Standing("member", 10, 0)


@pytest.mark.parametrize(
    ("need", "suffices"),
    [
        (Need(10), True),
        (Need(11), False),
        (Need(50, roles=("member",)), True),
        (Need(50, users=("u1",)), True),
        (Need(users=("u2",)), False),
        (Need(), False),
        (NEVER, False),
    ],
)
def test_any_part_of_a_need_suffices(need: Need, suffices: bool) -> None:
    assert need.met("u1", MEMBER) is suffices


def test_the_creator_meets_every_need_that_is_not_never() -> None:
    creator = Standing("owner", 100, 0, creator=True)

    assert need_of({}, "permissions.message").met("u1", creator)
    assert need_of({"users": ["u2"]}, "permissions.message").met("u1", creator)
    assert not NEVER.met("u1", creator)


@pytest.mark.parametrize(
    "value",
    [
        -1, 101, True, "50", None, [50], {"levels": 5}, {"level": 101}, {"users": [1]},
        {"users": [""]}, {"users": ["u" * 129]}, {"roles": ["r" * 129]},
    ],
)  # fmt: skip
def test_what_is_no_need_names_its_field(value: object) -> None:
    with pytest.raises(InvalidField, match=r"permissions\.message"):
        need_of(value, "permissions.message")


def test_a_need_is_told_as_it_was_written() -> None:
    for value in (0, 50, {"level": 50, "roles": ["editor"]}, {"users": ["u1"]}, {}):
        assert need_of(value, "x").told() == value


def test_each_kind_of_room_has_its_need() -> None:
    assert [SPEAKING.within(kind) for kind in (PUBLIC, PRIVATE, DIRECT)] == [
        Need(10, roles=("guest",)), Need(10), Need(10),
    ]  # fmt: skip
    assert SPEAKING.within(RESERVED) is NEVER
