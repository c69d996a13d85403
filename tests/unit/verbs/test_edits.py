"""What becomes of messages after they were said: who may change them, and what is left of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatRooms,
    Forbidden,
    Happening,
    MessageNotFound,
    Policy,
    RoomNotFound,
    TooLarge,
    User,
)
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.brokers.memory import MemoryBroker
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import Member, Room
from sanic_chatrooms.presence.memory import MemoryPresence
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core

ADA, BOB, MOD = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Mod")
ID, OTHER_ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11", "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a12"
BODY = {"text": "better"}


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True, max_text=20)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


class Scene:
    """Ada and Bob in the room general, where Ada has said something."""

    def __init__(self, chat: Chat, ada: MemoryClient, bob: MemoryClient, said: Any) -> None:
        self.chat, self.ada, self.bob = chat, ada, bob
        self.id: str = said["msgId"]

    async def edit(self, client: MemoryClient, **arguments: Any) -> Any:
        payload = {"msgId": self.id, "body": BODY}
        return await client.request("message.edit", **{"room": "general", "payload": payload, **arguments})

    async def delete(self, client: MemoryClient, **arguments: Any) -> Any:
        arguments = {"room": "general", "payload": {"msgId": self.id}, **arguments}
        return await client.request("message.delete", **arguments)

    async def message(self) -> Any:
        return (await self.bob.ack("history", room="general"))["messages"][0]


@pytest.fixture
async def scene(chat: Chat) -> Scene:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    for client in (ada, bob):
        await client.ack("join", room="general")
    said = await ada.ack("message", room="general", payload={"text": "good", "own": 1}, msg_id=OTHER_ID)
    for client in (ada, bob):
        await client.expect("message")
    return Scene(chat, ada, bob, said)


# ---- what happens ----


async def test_an_edit_is_acknowledged_and_heard(scene: Scene) -> None:
    reply = await scene.edit(scene.ada, msg_id=ID)
    heard = await scene.bob.expect("message.edited")

    assert (reply["type"], reply["payload"]) == ("ack", {"seq": 2, "duplicate": False})
    assert (heard["seq"], heard["sender"], heard["clientMsgId"]) == (2, {"id": "u1", "name": "Ada"}, ID)
    assert heard["payload"] == {"msgId": scene.id, "seq": 1, "body": BODY, "edited": heard["timestamp"]}


async def test_an_edited_message_is_read_as_it_is_now(scene: Scene) -> None:
    before = await scene.message()

    await scene.edit(scene.ada)

    heard = await scene.bob.expect("message.edited")
    assert await scene.message() == {
        **before,
        "payload": BODY,
        "edited": heard["timestamp"],
        "changed": heard["seq"],
    }


async def test_a_deletion_is_acknowledged_and_heard(scene: Scene) -> None:
    reply = await scene.delete(scene.ada, msg_id=ID)
    heard = await scene.bob.expect("message.deleted")

    assert reply["payload"] == {"seq": 2, "duplicate": False}
    assert heard["payload"] == {"msgId": scene.id, "seq": 1, "deleted": True}
    assert (heard["sender"], heard["clientMsgId"]) == ({"id": "u1", "name": "Ada"}, ID)


async def test_a_deleted_message_is_read_as_deleted(scene: Scene) -> None:
    before = await scene.message()
    await scene.edit(scene.ada)

    await scene.delete(scene.ada)

    assert await scene.message() == {**before, "payload": {}, "deleted": True, "changed": 3}


async def test_listeners_hear_of_it(rooms: ChatRooms, scene: Scene) -> None:
    heard: list[Any] = []

    @rooms.on("message.edited")
    @rooms.on("message.deleted")
    def note(happening: Happening) -> None:
        heard.append((happening.type, happening.room, happening.user, happening.payload["msgId"]))

    await scene.edit(scene.ada)
    await scene.delete(scene.ada)
    await scene.ada.settle()

    assert [what for what, *_ in heard] == ["message.edited", "message.deleted"]
    assert {(room, user.id, id) for _, room, user, id in heard} == {("general", "u1", scene.id)}


# ---- who may ----


async def test_nobody_edits_what_another_said_whatever_their_role(scene: Scene) -> None:
    for role in ("member", "moderator", "admin", "owner"):
        await members.put(scene.chat.backends.store, "general", Member(BOB.id, BOB.name, role))

        reply = await scene.edit(scene.bob)

        assert reply["payload"]["code"] == "forbidden"
    assert (await scene.message())["payload"] == {"text": "good", "own": 1}


@pytest.mark.parametrize("role", ["owner", "admin", "moderator"])
async def test_who_moderates_deletes_what_others_said(scene: Scene, role: str) -> None:
    await members.put(scene.chat.backends.store, "general", Member(BOB.id, BOB.name, role))

    reply = await scene.delete(scene.bob)

    assert reply["type"] == "ack"
    assert (await scene.message())["sender"] == {"id": "u1", "name": "Ada"}, "it is still known whose it was"


@pytest.mark.parametrize("as_user", [None, BOB])
async def test_the_app_says_why_a_message_is_deleted(
    rooms: ChatRooms, scene: Scene, as_user: User | None
) -> None:
    await members.put(scene.chat.backends.store, "general", Member(BOB.id, BOB.name, "moderator"))

    await rooms.delete("general", scene.id, reason="spam", as_user=as_user)

    heard = await scene.ada.expect("message.deleted")
    assert heard["payload"] == {"msgId": scene.id, "seq": 1, "deleted": True, "reason": "spam"}
    with pytest.raises(TooLarge):
        await rooms.delete("general", scene.id, reason="x" * 501, as_user=as_user)


@pytest.mark.parametrize("role", ["member", "guest", "a role of the app's"])
async def test_others_do_not(scene: Scene, role: str) -> None:
    await members.put(scene.chat.backends.store, "general", Member(BOB.id, BOB.name, role))

    assert (await scene.delete(scene.bob))["payload"]["code"] == "forbidden"
    assert "deleted" not in await scene.message()


async def test_a_message_of_nobodys_is_nobodys_own(rooms: ChatRooms, scene: Scene) -> None:
    said = await rooms.publish("general", "message", {"text": "from the app"})
    assert said is not None
    payload = {"msgId": said.msg_id, "body": BODY}

    assert (await scene.edit(scene.ada, payload=payload))["payload"]["code"] == "forbidden"
    assert (await scene.delete(scene.ada, payload=payload))["payload"]["code"] == "forbidden"


async def test_it_needs_no_join(scene: Scene) -> None:
    phone = await chat_client(scene.chat, ADA)

    assert (await scene.edit(phone))["type"] == (await scene.delete(phone))["type"] == "ack"


async def test_the_policy_is_asked_for_each_by_its_name(scene: Scene) -> None:
    asked: list[Any] = []

    class Nothing(Policy):
        def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
            asked.append((user.id, action, room.id if room else None, standing.role))
            raise Forbidden

    ada = await chat_client(scene.chat, ADA)
    ada.session.policy = Nothing()

    for reply in (await scene.edit(ada), await scene.delete(ada)):
        assert reply["payload"]["code"] == "forbidden"
    assert asked == [
        ("u1", "message.edit", "general", "member"),
        ("u1", "message.delete", "general", "member"),
    ]


# ---- what cannot be changed ----


async def test_what_is_no_message_of_the_room_is_message_not_found(rooms: ChatRooms, scene: Scene) -> None:
    await scene.ada.ack("join", room="other")
    elsewhere = await scene.ada.ack("message", room="other", payload={"text": "x"})
    poll = await rooms.publish("general", "poll.vote", {}, sender=ADA)
    assert poll is not None
    await scene.edit(scene.ada)
    edited = await scene.ada.expect("message.edited")

    for id in ("nothing-of-this-id", "", elsewhere["msgId"], poll.msg_id, edited["msgId"], OTHER_ID):
        payload = {"msgId": id, "body": BODY}
        for reply in (
            await scene.edit(scene.ada, payload=payload),
            await scene.delete(scene.ada, payload=payload),
        ):
            assert reply["payload"]["code"] == "message_not_found"
    assert (await scene.bob.ack("history", room="general"))["seq"] == 3


async def test_a_deleted_message_is_not_found_again(scene: Scene) -> None:
    await scene.delete(scene.ada)

    for reply in (await scene.edit(scene.ada), await scene.delete(scene.ada), await scene.delete(scene.bob)):
        assert reply["payload"]["code"] == "message_not_found"


@pytest.mark.parametrize(
    ("payload", "code", "field"),
    [
        ({}, "invalid_field", "msgId"),
        ({"msgId": 7, "body": BODY}, "invalid_field", "msgId"),
        ({"msgId": "x"}, "invalid_field", "body"),
        ({"msgId": "x", "body": {}}, "invalid_field", "body.text"),
        ({"msgId": "x", "body": "better"}, "invalid_field", "body"),
        ({"msgId": "x", "body": {"text": "x" * 21}}, "too_large", None),
    ],
)
async def test_edits_that_are_refused_for_what_they_say(
    scene: Scene, payload: Any, code: str, field: str | None
) -> None:
    error = (await scene.edit(scene.ada, payload=payload))["payload"]

    assert (error["code"], error.get("field")) == (code, field)


async def test_both_need_a_room_that_is_there(scene: Scene) -> None:
    for room, code in ((None, "invalid_field"), ("nowhere", "room_not_found")):
        assert (await scene.edit(scene.ada, room=room))["payload"]["code"] == code
        assert (await scene.delete(scene.ada, room=room))["payload"]["code"] == code


# ---- once is once ----


async def test_a_repeated_edit_has_the_first_ack_and_changes_nothing(scene: Scene) -> None:
    first = await scene.edit(scene.ada, msg_id=ID)
    await scene.edit(scene.ada, payload={"msgId": scene.id, "body": {"text": "best"}})

    again = await scene.edit(scene.ada, msg_id=ID)

    assert again["payload"] == {**first["payload"], "duplicate": True}
    assert (await scene.message())["payload"] == {"text": "best"}


async def test_a_repetition_is_answered_also_when_the_message_is_gone(scene: Scene) -> None:
    edit = await scene.edit(scene.ada, msg_id=ID)
    deletion = await scene.delete(scene.ada, msg_id=OTHER_ID + "-d")

    again = [
        (await scene.edit(scene.ada, msg_id=ID))["payload"],
        (await scene.delete(scene.ada, msg_id=OTHER_ID + "-d"))["payload"],
    ]

    assert again == [{**edit["payload"], "duplicate": True}, {**deletion["payload"], "duplicate": True}]
    await scene.bob.settle()
    assert [event["seq"] for event in scene.bob.unread("message.edited")] == [2]


async def test_the_same_msg_id_for_something_else_is_a_conflict(scene: Scene) -> None:
    await scene.edit(scene.ada, msg_id=ID)

    other_body = await scene.edit(scene.ada, msg_id=ID, payload={"msgId": scene.id, "body": {"text": "best"}})
    other_type = await scene.delete(scene.ada, msg_id=ID)
    of_the_message = await scene.edit(scene.ada, msg_id=OTHER_ID)

    assert {reply["payload"]["code"] for reply in (other_body, other_type, of_the_message)} == {"conflict"}
    assert (await scene.message())["changed"] == 2


async def test_another_user_with_the_same_msg_id_repeats_nothing(scene: Scene) -> None:
    await scene.delete(scene.ada, msg_id=ID)

    assert (await scene.delete(scene.bob, msg_id=ID))["payload"]["code"] == "message_not_found"


# ---- the app ----


async def test_the_app_may_change_everything(rooms: ChatRooms, scene: Scene) -> None:
    edited = await rooms.edit("general", scene.id, {"text": "x" * 30})
    event = await scene.bob.expect("message.edited")
    assert (edited.seq, "sender" in event, "clientMsgId" in event) == (2, False, False)
    assert (await scene.message())["payload"] == {"text": "x" * 30}

    deleted = await rooms.delete("general", scene.id)
    assert deleted.seq == 3
    assert (await scene.message())["deleted"]

    with pytest.raises(MessageNotFound):
        await rooms.edit("general", scene.id, BODY)
    with pytest.raises(MessageNotFound):
        await rooms.delete("general", "nothing-of-this-id")
    with pytest.raises(RoomNotFound):
        await rooms.delete("nowhere", scene.id)


async def test_the_app_as_a_user_may_what_they_may(rooms: ChatRooms, scene: Scene) -> None:
    await members.put(scene.chat.backends.store, "general", Member(MOD.id, MOD.name, "moderator"))
    for user in (BOB, MOD):
        with pytest.raises(Forbidden):
            await rooms.edit("general", scene.id, BODY, as_user=user)
    with pytest.raises(Forbidden):
        await rooms.delete("general", scene.id, as_user=BOB)

    await rooms.edit("general", scene.id, BODY, as_user=ADA)
    await rooms.delete("general", scene.id, as_user=MOD)

    assert (await scene.bob.expect("message.edited"))["sender"]["id"] == "u1"
    assert (await scene.bob.expect("message.deleted"))["sender"]["id"] == "u3"


# ---- other workers ----


async def test_a_worker_that_heard_of_nothing_catches_up_to_what_is_there_now() -> None:
    store = MemoryStore()
    deaf = [Backends(store, MemoryBroker(), MemoryPresence()) for _ in range(2)]
    async with running_core(guests=True, backends=deaf[0]) as here, running_core(backends=deaf[1]) as there:
        ada, bob = await chat_client(here, ADA), await chat_client(there, BOB)
        for client in (ada, bob):
            await client.ack("join", room="general")
        said = await ada.ack("message", room="general", payload={"text": "a secret"})
        payload = {"msgId": said["msgId"], "body": {"text": "a better kept secret"}}
        await ada.ack("message.edit", room="general", payload=payload)
        await ada.ack("message.delete", room="general", payload={"msgId": said["msgId"]})

        await there.hub.check()

        events = [await bob.expect(type) for type in ("message", "message.edited", "message.deleted")]
        assert [event["seq"] for event in events] == [1, 2, 3]
        assert [event["payload"] for event in events[:2]] == [{}, {}]
        assert [event.get("deleted") for event in events] == [True, True, None]
        assert events[0]["changed"] == 3, "so that who reads on skips the changes that it holds already"


async def test_the_reason_of_a_deletion_has_a_limit(scene: Scene) -> None:
    payload = {"msgId": scene.id, "reason": "x" * 501}

    refused = (await scene.delete(scene.ada, payload=payload))["payload"]

    assert (refused["code"], refused["limit"]) == ("too_large", 500)
    assert (await scene.delete(scene.ada, payload={**payload, "reason": "x" * 500}))["type"] == "ack"
