"""Verbs of the app about rooms: what is no value of the right type is refused by name, and stored nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, InvalidField, InvalidText, User
from sanic_chatrooms.testing import running_chat

NAN, INFINITE = float("nan"), float("inf")
NO_OBJECTS: tuple[Any, ...] = (
    [],
    (),
    "",
    "text",
    5,
    True,
    NAN,
    {"a": NAN},
    {"a": [{"b": -INFINITE}]},
    {"a": (1, NAN)},
    {"a": {1, INFINITE}},
    {"a": 2**60},
    {"a": "\0"},
    {"a": "\ud800"},
    {"a": object()},
    {"a": [[]] * 6000},
)


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
        *(
            (verb, {"attributes": attributes}, "attributes")
            for verb in ("create_room", "update_room", "ensure_room")
            for attributes in NO_OBJECTS
        ),
        ("update_room", {"permissions": {"message": NAN}}, "permissions.message"),
        ("update_room", {"permissions": []}, "permissions"),
    ],
)
async def test_a_value_of_another_type_is_refused_by_its_name(
    verb: str, arguments: dict[str, Any], field: str
) -> None:
    async with running_chat(ChatRooms("test", guests=True)) as chat:
        bob: Any = () if verb.endswith("_room") else (User("bob", "Bob"),)
        if verb != "create_room":
            await chat.create_room("team")
        if verb == "set_role":
            await chat.add_member("team", *bob)

        with pytest.raises((InvalidField, InvalidText)) as refused:
            await getattr(chat, verb)("team", *bob, **arguments)

    assert refused.value.fields["field"] == field


async def test_all_rooms_are_listed_with_what_they_are() -> None:
    async with running_chat(ChatRooms("test", guests=True)) as chat:
        await chat.create_room("open", title="Open")
        await chat.create_room("team", visibility="private", topic="secret", as_user=User("u1", "Ada"))

        page = await chat.all_rooms()
        first = await chat.all_rooms(limit=1)
        hidden = await chat.all_rooms(visibility="private")

        assert page.rooms == [await chat.room("open"), await chat.room("team")]
        assert [room.id for room in (await chat.all_rooms(cursor=first.cursor)).rooms] == ["team"]
        assert [(room.id, room.topic, room.created_by) for room in hidden.rooms] == [("team", "secret", "u1")]
        assert (page.cursor, (await chat.all_rooms(visibility="direct")).rooms) == (None, [])


@pytest.mark.parametrize("wrong", [{"visibility": "reserved"}, {"visibility": ["public"]}, {"limit": 0}])
async def test_what_is_no_visibility_or_limit_is_refused(wrong: dict[str, Any]) -> None:
    async with running_chat(ChatRooms("test", guests=True)) as chat:
        with pytest.raises(InvalidField) as refused:
            await chat.all_rooms(**wrong)

    assert refused.value.fields["field"] == next(iter(wrong))


@pytest.mark.parametrize("payload", [[], "text", None, {"a": NAN}, {"a": 2**60}, {"a": {"b": [INFINITE]}}])
@pytest.mark.parametrize("verb", ["publish", "push", "notify", "broadcast", "edit", "redirect"])
async def test_a_payload_that_json_cannot_say_is_refused(verb: str, payload: Any) -> None:
    async with running_chat(ChatRooms("test", guests=True)) as chat:
        await chat.create_room("team")
        verbs: dict[str, tuple[Any, ...]] = {
            "publish": (chat.publish, "team", "message"),
            "push": (chat.push, "team", "notice"),
            "notify": (chat.notify, "u1", "notice"),
            "broadcast": (chat.broadcast, "notice"),
            "edit": (chat.edit, "team", "x"),
            "redirect": (chat.push, "team", "redirect"),
        }
        call, *arguments = verbs[verb]
        with pytest.raises(InvalidField) as refused:
            await call(*arguments, payload)

    assert refused.value.fields["field"] == "payload"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"expires_at": NAN}, "expires_at"),
        ({"expires_at": INFINITE}, "expires_at"),
        ({"claims": {"a": NAN}}, "user"),
    ],
)
async def test_no_ticket_says_what_json_cannot(wrong: dict[str, Any], field: str) -> None:
    async with running_chat(ChatRooms("test", guests=True), tickets=True) as chat:
        with pytest.raises(InvalidField) as refused:
            await chat.ticket(User("u1", "Ada", **wrong))

    assert refused.value.fields["field"] == field
