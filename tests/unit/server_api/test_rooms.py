"""Verbs of the app about rooms: what is no value of the right type is refused by name, and stored nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, InvalidField, User
from sanic_chatrooms.testing import running_chat

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("verb", "arguments", "field"),
    [
        *(
            (verb, {"until": until}, "until")
            for verb in ("ban", "mute")
            for until in (NAN, INFINITE, 1e308, "5", True)
        ),
        ("ban", {"reason": 5}, "reason"),
        ("ban", {"reason": "\ud800"}, "reason"),
        ("set_role", {"role": ["admin"]}, "role"),
        ("add_member", {"role": 5}, "role"),
        ("update_room", {"slow_mode": "5"}, "slowMode"),
        ("update_room", {"slow_mode": True}, "slowMode"),
        ("update_room", {"slow_mode": NAN}, "slowMode"),
        ("update_room", {"archived": "yes"}, "archived"),
        ("update_room", {"announce": 1}, "announce"),
        ("update_room", {"permissions": ["message"]}, "permissions"),
        ("create_room", {"archived": "yes"}, "archived"),
    ],
)
async def test_a_value_of_another_type_is_refused_by_its_name(
    verb: str, arguments: dict[str, Any], field: str
) -> None:
    async with running_chat(ChatRooms("test", guests=True)) as chat:
        bob: Any = () if verb in ("update_room", "create_room") else (User("bob", "Bob"),)
        if verb != "create_room":
            await chat.create_room("team")
        if verb == "set_role":
            await chat.add_member("team", *bob)

        with pytest.raises(InvalidField) as refused:
            await getattr(chat, verb)("team", *bob, **arguments)

    assert refused.value.fields["field"] == field
