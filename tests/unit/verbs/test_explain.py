"""`explain`: the decision, with its rule, and who may ask about whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from sanic_chatrooms import ChatError, ChatRooms, Forbidden, InvalidField, Room, RoomPolicy, User
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Fact, Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.membership import add_member
from sanic_chatrooms.verbs.rooms import create
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


class Widening(RoomPolicy):
    """Editors pin; nobody looks at the list of members."""

    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        if action == "members":
            raise Forbidden("the list is closed")

    def widen(self, user: User, action: str, room: Room, standing: Standing, refused: ChatError) -> bool:
        if action == "message.unpin":
            raise ZeroDivisionError
        return action == "message.pin" and "editor" in str(user.claims)


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", policy=Widening(), roles={"editor": 30}, guests=True)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


async def asked(chat: Chat, user: User, action: str, room: str = "general") -> dict[str, Any]:
    client = await chat_client(chat, user)
    answer: dict[str, Any] = await client.ack("explain", room=room, payload={"action": action})
    return answer


async def test_what_is_allowed_says_so(chat: Chat) -> None:
    await create(chat.core, None, "general")

    answer = await asked(chat, ADA, "message")

    assert (answer["allowed"], answer["rule"]) == (True, "allowed")
    assert "seq" not in answer


async def test_each_refusal_names_its_rule_and_the_event_that_set_it(chat: Chat) -> None:
    await create(chat.core, None, "general")
    await add_member(chat.core, "general", ADA)
    await add_member(chat.core, "general", ADA, "reader")
    await chat.store.set_fact("general", Fact("ban", BOB.id, b'{"reason":"spam"}'))
    narrow = replace(EVE, scopes=("chat:read",))

    answers = [
        await asked(chat, ADA, "message"), await asked(chat, BOB, "join"), await asked(chat, narrow, "message"),
        await asked(chat, EVE, "members"), await asked(chat, EVE, "message.delete.any"),
    ]  # fmt: skip

    assert [answer["rule"] for answer in answers] == ["need", "restriction", "scope", "policy", "need"]
    assert not any(answer["allowed"] for answer in answers)
    assert answers[0]["seq"] == 1
    assert answers[3]["because"] == "the list is closed"


async def test_a_policy_widens_what_the_need_refuses_and_nothing_else(chat: Chat) -> None:
    await create(chat.core, None, "general")
    editor = replace(ADA, claims={"job": "editor"})
    ada = await joined(chat, editor, "general")
    said = await ada.ack("message", room="general", payload={"text": "hi"})

    assert (await asked(chat, editor, "message.pin"))["rule"] == "widened"
    assert (await asked(chat, BOB, "message.pin"))["rule"] == "need"
    assert (await asked(chat, editor, "message.unpin"))["rule"] == "need", "it failed"
    await ada.ack("message.pin", room="general", payload={"msgId": said["msgId"]})
    await chat.store.set_fact("general", Fact("mute", ADA.id, b"{}"))
    assert (await asked(chat, editor, "message.pin"))["rule"] == "restriction"


async def test_only_who_may_give_roles_asks_about_others(chat: Chat) -> None:
    await create(chat.core, None, "general")
    await members.put(chat.store, "general", Member(BOB.id, BOB.name, "owner"))
    await add_member(chat.core, "general", ADA, "editor")
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general")
    question = {"action": "message.pin", "user": ADA.id}

    assert (await ada.ack("explain", room="general", payload=question))["rule"] == "need", "oneself"
    assert (await bob.ack("explain", room="general", payload=question))["because"].endswith("editor (30)")
    other = {**question, "user": BOB.id}
    assert (await ada.error("explain", room="general", payload=other))["code"] == "forbidden"


async def test_an_action_that_there_is_not_is_an_invalid_field(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    for action in ("message.fly", "rooms", "auth"):
        refused = await ada.error("explain", room="general", payload={"action": action})
        assert (refused["code"], refused["field"]) == ("invalid_field", "action")


async def test_a_hidden_room_answers_like_none(chat: Chat) -> None:
    await create(chat.core, None, "secret", visibility="private")
    ada = await chat_client(chat, ADA)

    answers = [
        await ada.error("explain", room=room, payload={"action": "join"}) for room in ("secret", "nowhere")
    ]

    assert answers[0] == answers[1]


async def test_the_app_asks_about_anybody(rooms: ChatRooms, chat: Chat) -> None:
    await create(chat.core, None, "secret", visibility="private")

    assert (await rooms.explain(ADA, "join", "secret")).rule == "unknown"
    await add_member(chat.core, "secret", ADA)
    assert (await rooms.explain(ADA, "message", "secret")).allowed
    narrow = replace(ADA, scopes=("room:other:write",))
    assert (await rooms.explain(narrow, "message", "secret")).rule == "scope"
    with pytest.raises(InvalidField):
        await rooms.explain(ADA, "message.fly", "secret")


async def test_a_repetition_has_the_first_result_also_when_it_would_be_refused_now(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    id = "0" * 16
    said = await ada.ack("message", room="general", payload={"text": "hi"}, msg_id=id)
    await chat.store.set_fact("general", Fact("mute", ADA.id, b"{}"))
    ada.session.seats.changed("general")

    again = await ada.ack("message", room="general", payload={"text": "hi"}, msg_id=id)

    assert again == {**said, "duplicate": True}
    other = await ada.error("message", room="general", payload={"text": "ho"}, msg_id=id)
    assert other["code"] == "conflict"
    new = await ada.error("message", room="general", payload={"text": "hi"})
    assert new["code"] == "muted"
