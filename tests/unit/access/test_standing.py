from __future__ import annotations

import pytest

from sanic_chatrooms.access.standing import Restriction, Standing, level_of, standing_of
from sanic_chatrooms.models import DIRECT, PRIVATE, PUBLIC, Known, Member, Room
from sanic_chatrooms.stores.members import member_fact


def room(visibility: str = PUBLIC) -> Room:
    return Room("general", "e", 9, visibility=visibility)


def known(kind: str, value: bytes, since: int = 0) -> Known:
    return Known(kind, "u1", value, 0, since, "general")


def member(role: str, since: int = 0) -> Known:
    return known("member", member_fact(Member("u1", "Ada", role)).value or b"", since)


def test_a_member_has_the_level_of_the_role_and_the_number_of_joining() -> None:
    standing = standing_of(room(), {"member": member("moderator", 4)})

    assert standing == Standing("moderator", 50, 4, name="Ada")
    assert standing.member


def test_a_role_that_nobody_knows_is_a_members() -> None:
    assert level_of("editor") == level_of("member") == 10


@pytest.mark.parametrize(
    ("visibility", "role", "level"), [(PUBLIC, "guest", 1), (PRIVATE, "outsider", 0), (DIRECT, "outsider", 0)]
)
def test_others_are_guests_where_everybody_may_come_in(visibility: str, role: str, level: int) -> None:
    assert standing_of(room(visibility), {}) == Standing(role, level)
    assert not standing_of(room(visibility), {}).member


def test_in_a_room_that_is_not_there_everybody_is_an_outsider() -> None:
    assert standing_of(None, {}) == Standing()


def test_restrictions_and_invitations_stand_beside_the_role() -> None:
    facts = {
        "member": member("owner"),
        "ban": known("ban", b"{}"),
        "mute": known("mute", b'{"until":9,"reason":"spam","by":{"id":"u2","name":"Bob"}}'),
        "invite": known("invite", b"{}"),
    }

    standing = standing_of(room(), facts)

    assert (standing.role, standing.invited, standing.restricted) == ("owner", True, True)
    assert standing.banned == Restriction()
    assert standing.muted is not None
    assert (standing.muted.until, standing.muted.reason) == (9.0, "spam")
