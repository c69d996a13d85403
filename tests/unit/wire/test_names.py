"""Names on the wire: which belong to the protocol, which to the app, and which are none."""

from __future__ import annotations

import pytest

from sanic_chatrooms.errors import InvalidField
from sanic_chatrooms.wire.names import check_room_id, check_type, is_event_type, is_ours


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


def test_durable_events_have_these_types() -> None:
    durable = [t for t in ("message", "message.edited", "X", "poll.vote") if is_event_type(t)]

    assert durable == ["message", "message.edited", "X", "poll.vote"]
    assert not any(map(is_event_type, ("typing", "read", "welcome", "")))


@pytest.mark.parametrize("room", ["", ".", "..", "a b", "x" * 129, "a\n"])
def test_room_ids_are_checked(room: str) -> None:
    assert check_room_id("A.b_c:d~e-9") == "A.b_c:d~e-9"
    with pytest.raises(InvalidField):
        check_room_id(room)
