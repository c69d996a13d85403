"""Names on the wire: which belong to the protocol, which to the app, and which are none."""

from __future__ import annotations

import pytest

from sanic_chatrooms.errors import InvalidField
from sanic_chatrooms.wire.names import MSG_ID, check_room_id, check_type, is_msg_id, is_ours


@pytest.mark.parametrize(
    ("type", "ours", "app"),
    [
        ("message", True, False),
        ("typing", True, False),
        ("later", True, False),
        ("message.pin", True, False),
        ("reaction.x", True, False),
        ("member.", True, False),
        ("room.archive.now", True, False),
        ("presence.away", True, False),
        ("auth.expiring", True, False),
        ("user.banned", True, False),
        ("report.close", True, False),
        ("users.banned", False, True),
        ("poll.vote", False, True),
        ("messages.sent", False, True),
        ("ORDER_CREATED", False, True),
        ("V2", False, True),
        ("Poll.Vote_2", False, True),
        ("A" * 64, False, True),
        ("A" * 65, False, False),
        ("Vote", False, False),
        ("poll.", False, False),
        (".vote", False, False),
        ("poll..vote", False, False),
        ("poll vote", False, False),
        ("poll.vote\n", False, False),
        ("message.\n", False, False),
        ("2.x", False, False),
        ("\u00dc", False, False),
        ("", False, False),
    ],
)
def test_whose_type_it_is(type: str, ours: bool, app: bool) -> None:
    assert is_ours(type) is ours
    if app:
        assert check_type(type) == type
    else:
        with pytest.raises(InvalidField):
            check_type(type)


@pytest.mark.parametrize("room", ["", ".", "..", "a b", "x" * 129, "a\n"])
def test_room_ids_are_checked(room: str) -> None:
    assert check_room_id("A.b_c:d~e-9") == "A.b_c:d~e-9"
    with pytest.raises(InvalidField):
        check_room_id(room)


def test_an_id_of_a_command_is_what_its_pattern_says() -> None:
    for place in range(0x3000):
        id = f"{chr(place)}{'x' * 15}"
        assert is_msg_id(id) is bool(MSG_ID.fullmatch(id)), id
    for size in range(70):
        assert is_msg_id("x" * size) is bool(MSG_ID.fullmatch("x" * size)), size
