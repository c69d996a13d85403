from __future__ import annotations

import pytest

from sanic_chatrooms.access.actions import Right
from sanic_chatrooms.access.scopes import scopes_of


@pytest.mark.parametrize("scopes", [(), ("openid", "profile"), ("chatroom:read",)])
def test_a_token_without_scopes_of_ours_narrows_nothing(scopes: tuple[str, ...]) -> None:
    assert scopes_of(scopes) is None


@pytest.mark.parametrize(
    ("scope", "read", "write", "moderate"),
    [
        ("chat:read", True, False, False),
        ("chat:write", True, True, False),
        ("chat:moderate", True, True, True),
        ("chat:admin", False, False, False),
        ("chat:fly", False, False, False),
        ("room:team:write", True, True, False),
        ("room:team", False, False, False),
        ("room:other:moderate", False, False, False),
    ],
)
def test_each_right_holds_those_below_it(scope: str, read: bool, write: bool, moderate: bool) -> None:
    scopes = scopes_of((scope,))

    assert scopes is not None
    assert [scopes.allow(right, "team") for right in Right] == [read, write, moderate]


@pytest.mark.parametrize(
    ("pattern", "room", "fits"),
    [
        ("*", "team", True),
        ("*", "~direct.1", True),
        ("team", "teams", False),
        ("team-*", "team-", True),
        ("team-*", "team", False),
        ("*-eu", "team-eu", True),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "acb", False),
        ("aa*aa", "aaa", False),
        ("order:*:chat", "order:7:chat", True),
        ("t.am", "team", False),
    ],
)
def test_an_asterisk_stands_for_any_characters(pattern: str, room: str, fits: bool) -> None:
    scopes = scopes_of((f"room:{pattern}:read",))

    assert scopes is not None
    assert scopes.allow(Right.READ, room) is fits


def test_a_right_in_a_room_is_none_everywhere() -> None:
    scopes = scopes_of(("room:team:write", "openid"))

    assert scopes is not None
    assert not scopes.allow(Right.WRITE, None)
    assert scopes.allow_somewhere(Right.WRITE)
    assert not scopes.allow_somewhere(Right.MODERATE)


def test_the_highest_right_of_several_scopes_holds() -> None:
    scopes = scopes_of(("chat:read", "room:team:moderate"))

    assert scopes is not None
    assert scopes.allow(Right.MODERATE, "team")
    assert not scopes.allow(Right.WRITE, "general")
