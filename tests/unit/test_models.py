from __future__ import annotations

import pytest

from sanic_chatrooms.models import Scope, direct_room, user_room
from sanic_chatrooms.wire.names import check_room_id


def test_a_direct_room_belongs_to_an_unordered_pair() -> None:
    assert direct_room("u1", "u2") == direct_room("u2", "u1")
    assert direct_room("u1", "u2") != direct_room("u1", "u3")


def test_ids_that_only_look_alike_together_make_different_rooms() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("a:1", "b"), ("a", "1:b"), ("", "abc"), ("2:ab", "c")]

    assert len({direct_room(*pair) for pair in pairs}) == len(pairs)


@pytest.mark.parametrize("user", ["u1", "", "a b/c", "\u00fc" * 128, "x" * 128, "\x00"])
def test_reserved_rooms_have_sound_ids_whatever_a_users_id_holds(user: str) -> None:
    for room in (user_room(user), direct_room(user, "u2")):
        assert check_room_id(room) == room
        assert room.startswith("~")


def test_a_users_room_is_no_direct_room() -> None:
    assert user_room("u1") != user_room("u2")
    assert not user_room("u1").startswith("~direct.")


def test_the_scope_of_a_machine_has_its_old_name_too() -> None:
    assert Scope["HOST"] is Scope.MACHINE
