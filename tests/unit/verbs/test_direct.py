"""Messages to one user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import User
from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.declaration import RouteDeclaration
from sanic_chatrooms.errors import Forbidden
from sanic_chatrooms.models import DIRECT, Fact, Member, Room, direct_room
from sanic_chatrooms.sessions.inbox import Enter, InboxMessage
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import chat_client
from sanic_chatrooms.testing.connections import running_core
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_core(guests=True, max_text=20) as chat:
        yield chat


async def test_a_direct_enters_all_connections_of_both(chat: Chat) -> None:
    ada, phone, bob = await joined(chat, ADA), await joined(chat, ADA), await joined(chat, BOB)

    said = await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})

    assert said["room"] == direct_room("u1", "u2")
    for client, partner in ((ada, "u2"), (phone, "u2"), (bob, "u1")):
        added = await client.expect("room.added")
        message = await client.expect("message", room=said["room"])
        assert added["payload"]["with"]["id"] == partner
        assert (added["payload"]["seq"], message["seq"]) == (0, 1)
        assert client.frames.index(added) < client.frames.index(message)
    assert phone.session.seats.keys() == bob.session.seats.keys() == {said["room"]}


async def test_a_direct_is_stored_once_however_often_it_is_sent(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA), await joined(chat, BOB)
    payload = {"to": "u2", "body": {"text": "hi"}}

    first = await ada.ack("direct", payload=payload, msg_id=ID)
    again = await ada.ack("direct", payload=payload, msg_id=ID)
    other = await ada.error("direct", payload={"to": "u2", "body": {"text": "ho"}}, msg_id=ID)
    await bob.settle()

    assert again == {**first, "duplicate": True}
    assert other["code"] == "conflict"
    assert (len(bob.unread("room.added")), len(bob.unread("message"))) == (1, 1)


async def test_the_same_msg_id_to_another_user_is_another_direct(chat: Chat) -> None:
    ada = await joined(chat, ADA)

    first = await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}}, msg_id=ID)
    other = await ada.ack("direct", payload={"to": "u3", "body": {"text": "hi"}}, msg_id=ID)

    assert first["room"] != other["room"]
    assert (first["duplicate"], other["duplicate"]) == (False, False)


async def test_both_find_their_conversation_later(chat: Chat) -> None:
    ada = await joined(chat, ADA)
    said = await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})

    bob = await joined(chat, BOB)
    answer = await bob.ack("direct", payload={"to": "u1", "body": {"text": "ho"}})
    (mine,) = (await ada.ack("rooms", payload={"mine": True}))["rooms"]
    (theirs,) = (await bob.ack("rooms", payload={"mine": True}))["rooms"]

    assert answer["room"] == mine["room"] == theirs["room"] == said["room"]
    assert (mine["with"]["id"], theirs["with"]["id"]) == ("u2", "u1")
    assert mine["with"]["name"] == "Bob"
    assert mine["visibility"] == "direct"


async def test_a_conversation_is_hidden_from_everybody_else(chat: Chat) -> None:
    ada, eve = await joined(chat, ADA), await joined(chat, EVE)
    room = (await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}}))["room"]

    for type in ("join", "history", "members", "presence"):
        assert (await eve.error(type, room=room))["code"] == "room_not_found"
    assert (await eve.ack("rooms"))["rooms"] == []


async def test_a_direct_goes_through_while_the_other_user_is_making_the_room(chat: Chat) -> None:
    """Both write first, on different workers; the one who made the room has not come to the other's membership yet."""
    bob = await chat_client(chat, User("u2", "Bob"))
    id = direct_room("u1", "u2")
    made = Room(id, "", 0, visibility=DIRECT)
    await chat.store.create_room(made, facts=(members.member_fact(Member("u1", "Ada", "member", 0.0)),))

    said = await bob.ack("direct", payload={"to": "u1", "body": {"text": "hi"}})

    assert (said["room"], said["seq"]) == (id, 1)


async def test_a_conversation_is_exited_and_entered_again_by_the_next_direct(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA), await joined(chat, BOB)
    room = (await ada.ack("direct", payload={"to": "u2", "body": {"text": "1"}}))["room"]
    await bob.expect("message")
    await bob.ack("exit", room=room)
    await ada.ack("message", room=room, payload={"text": "unheard"})

    await ada.ack("direct", payload={"to": "u2", "body": {"text": "2"}})

    assert (await bob.expect("message"))["seq"] == 3
    assert [a["payload"]["seq"] for a in bob.frames if a["type"] == "room.added"] == [0, 2]
    assert (await bob.error("leave", room=room))["code"] == "forbidden"


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"body": {"text": "x"}}, "to"),
        ({"to": "u2"}, "body"),
        ({"to": 7, "body": {"text": "x"}}, "to"),
        ({"to": "", "body": {"text": "x"}}, "to"),
        ({"to": "u" * 129, "body": {"text": "x"}}, "to"),
        ({"to": "u1", "body": {"text": "x"}}, "to"),
        ({"to": "u2", "body": {}}, "body.text"),
        ({"to": "u2", "body": "x"}, "body"),
    ],
)
async def test_directs_that_do_not_fit_make_no_room(chat: Chat, payload: Any, field: str) -> None:
    ada = await joined(chat, ADA)

    error = await ada.error("direct", payload=payload)

    assert (error["code"], error["field"]) == ("invalid_field", field)
    assert (await ada.ack("rooms", payload={"mine": True}))["rooms"] == []


async def test_a_policy_is_asked_for_directs(chat: Chat) -> None:
    class Alone(RoomPolicy):
        def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
            if action == "direct":
                raise Forbidden

    ada = await joined(chat, ADA, route=RouteDeclaration("/ws", policy=Alone()))

    assert (await ada.error("direct", payload={"to": "u2", "body": {"text": "x"}}))["code"] == "forbidden"
    assert await chat.backends.store.room(direct_room("u1", "u2")) is None


async def test_a_new_name_is_the_members_from_the_next_direct_on_and_nothing_else_changes(chat: Chat) -> None:
    ada = await joined(chat, ADA)
    room = (await ada.ack("direct", payload={"to": "u2", "body": {"text": "x"}}))["room"]
    await members.put(chat.backends.store, room, Member("u1", "Ada", "moderator", 5.0))

    renamed = await joined(chat, User("u1", "Ada L."))
    await renamed.ack("direct", payload={"to": "u2", "body": {"text": "x"}})

    assert await members.find(chat.backends.store, room, "u1") == Member("u1", "Ada L.", "moderator", 5.0)


async def test_a_direct_into_a_room_that_is_forgotten_in_that_moment_is_a_matter_of_a_moment(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was empty. The client repeats, and the room is made anew."""
    ada = await chat_client(chat, ADA)
    store, send, once = chat.backends.store, chat.inbox.send, iter([True])

    async def send_and_forget(user_id: str, message: InboxMessage) -> None:
        await send(user_id, message)
        if isinstance(message, Enter) and user_id == "u1" and next(once, False):
            await store.delete_room(message.room, unused=True)

    monkeypatch.setattr(chat.inbox, "send", send_and_forget)
    command: dict[str, Any] = {"payload": {"to": "u2", "body": {"text": "hi"}}, "msg_id": "0123456789abcdef"}

    refused = await ada.error("direct", **command)
    said = await ada.ack("direct", **command)

    assert (refused["code"], refused["temporary"]) == ("unavailable", True)
    assert (said["seq"], said["duplicate"]) == (1, False)


async def test_direct_rooms_are_bounded_by_themselves() -> None:
    async with running_core(guests=True, max_rooms=1, max_direct_rooms=2) as chat:
        ada = await chat_client(chat, ADA)
        for user in ("u2", "u3"):
            await ada.ack("direct", payload={"to": user, "body": {"text": "hi"}})

        refused = await ada.error("direct", payload={"to": "u4", "body": {"text": "hi"}})

        assert (refused["code"], refused["limit"]) == ("room_limit", 2)
        await ada.ack("direct", payload={"to": "u2", "body": {"text": "again"}})
        await ada.ack("join", room="general")


@pytest.mark.parametrize(("kind", "code"), [("ban", "room_not_found"), ("mute", "muted")])
async def test_who_is_restricted_stays_so_without_a_membership(chat: Chat, kind: str, code: str) -> None:
    ada = await joined(chat, ADA)
    payload = {"to": "u2", "body": {"text": "hi"}}
    room = (await ada.ack("direct", payload=payload))["room"]

    await chat.backends.store.set_fact(room, Fact(kind, ADA.id, b"{}"))
    await members.remove(chat.backends.store, room, ADA.id)

    assert (await ada.error("direct", payload=payload))["code"] == code


async def test_a_repetition_has_the_first_result_also_when_it_would_be_refused_now(chat: Chat) -> None:
    ada, id = await chat_client(chat, ADA), "0" * 16
    payload = {"to": BOB.id, "body": {"text": "hi"}}
    said = await ada.ack("direct", payload=payload, msg_id=id)
    await chat.backends.store.set_fact(said["room"], Fact("mute", ADA.id, b"{}"))

    assert await ada.ack("direct", payload=payload, msg_id=id) == {**said, "duplicate": True}
    assert (await ada.error("direct", payload=payload))["code"] == "muted"
