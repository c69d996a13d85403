from __future__ import annotations

import pytest

from sanic_chatrooms.access.standing import Restriction, Standing, check_restrictions, level_of, standing_of
from sanic_chatrooms.errors import Banned, ChatError, Muted, RoomNotFound
from sanic_chatrooms.models import DIRECT, PRIVATE, PUBLIC, Known, Member, Room
from sanic_chatrooms.stores.members import member_fact

NOW = 1_000.0


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


def refusal(
    standing: Standing, action: str, visibility: str = PUBLIC, *, speaks: bool = False
) -> ChatError | None:
    try:
        check_restrictions(room(visibility), standing, action, NOW, mute_stops=speaks)
    except ChatError as problem:
        return problem
    return None


def test_a_ban_stops_everything_but_leaving() -> None:
    banned = Standing(banned=Restriction(2_000.0, "spam"))

    problem = refusal(banned, "history")

    assert isinstance(problem, Banned)
    assert problem.fields == {"until": 2_000.0, "reason": "spam"}
    assert refusal(banned, "leave") is None


def test_the_banned_do_not_learn_of_a_hidden_room() -> None:
    for action in ("history", "leave"):
        assert isinstance(refusal(Standing(banned=Restriction()), action, PRIVATE), RoomNotFound)


def test_a_mute_stops_what_speaks() -> None:
    muted = Standing(muted=Restriction())

    problem = refusal(muted, "message", speaks=True)

    assert isinstance(problem, Muted)
    assert problem.fields == {}
    assert refusal(muted, "history") is None


@pytest.mark.parametrize(
    "standing", [Standing(banned=Restriction(until=NOW)), Standing(muted=Restriction(until=NOW))]
)
def test_what_has_passed_stops_nothing(standing: Standing) -> None:
    assert refusal(standing, "message", speaks=True) is None
