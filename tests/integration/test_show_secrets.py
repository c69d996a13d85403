"""What the first milestone must show: nothing of a private room reaches those who may not know of it."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, User
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.server import new_app

SECRET = "a secret of more than thirty-two bytes for tests"
PRIVATE, NOWHERE = "board-of-directors", "nothing-at-all-her"
"""A private room, and a name of the same length that no room has."""
WORD = "the merger is on friday"
ADA, BOB = User("ada", "Ada"), User("bob", "Bob")
MEMBER = User("member", "Member")


def token(name: str) -> str:
    return jwt.encode({"sub": name, "name": name.title(), "exp": 4_000_000_000}, SECRET, "HS256")


@pytest.fixture
def chat(app: Sanic[Any, Any]) -> ChatRooms:
    chat = ChatRooms(jwt_secret=SECRET, guests=True, auto_create=False)
    app.blueprint(chat.bp)
    return chat


class Scene:
    """A private room in which somebody keeps talking, and the position that a member has got to."""

    def __init__(self, chat: ChatRooms, connect: Connect, member: Client, ack: Any) -> None:
        self.chat = chat
        self.connect = connect
        self.member = member
        self.since = {"epoch": ack["epoch"], "seq": 0}

    async def talk(self) -> None:
        await self.member.ack("message", room=PRIVATE, payload={"text": WORD})


@pytest.fixture
async def scene(chat: ChatRooms, live: Live, connect: Connect) -> Scene:
    await live()
    await chat.create_room(PRIVATE, visibility="private", title=WORD)
    await chat.add_member(PRIVATE, MEMBER)
    member = await connect(token=token("member"))
    scene = Scene(chat, connect, member, await member.ack("join", room=PRIVATE))
    for _ in range(3):
        await scene.talk()
    return scene


def commands(room: str, since: Any) -> list[dict[str, Any]]:
    """Every command that names a room, as somebody may try it."""
    known = "an-id-of-a-message-in-there"
    return [
        {"type": "join"},
        {"type": "join", "payload": {"since": since}},
        {"type": "join", "payload": {"since": since, "history": 200}},
        {"type": "exit"},
        {"type": "leave"},
        {"type": "message", "payload": {"text": "hello?"}},
        {"type": "message.edit", "payload": {"msgId": known, "body": {"text": "x"}}},
        {"type": "message.delete", "payload": {"msgId": known}},
        {"type": "reaction.add", "payload": {"msgId": known, "emoji": "+1"}},
        {"type": "reaction.remove", "payload": {"msgId": known, "emoji": "+1"}},
        {"type": "typing", "payload": {"active": True}},
        {"type": "read", "payload": {"seq": 1}},
        {"type": "history", "payload": {}},
        {"type": "history", "payload": {"after": 0, "limit": 200}},
        {"type": "history", "payload": {"before": 3}},
        {"type": "search", "payload": {"query": "merger"}},
        {"type": "members", "payload": {}},
        {"type": "presence", "payload": {}},
        {"type": "room.update", "payload": {"title": "mine"}},
        {"type": "room.delete", "payload": {}},
        *(
            {"type": f"member.{verb}", "payload": {"user": "member", "role": "admin"}}
            for verb in MEMBER_VERBS
        ),
    ]


MEMBER_VERBS = ("invite", "kick", "ban", "unban", "mute", "unmute", "role")


async def answers(client: Client, room: str, since: Any) -> list[str]:
    """What each command is answered, without what differs between any two answers."""
    found = []
    for command in commands(room, since):
        frame = await client.request(command["type"], room=room, payload=command.get("payload"))
        assert frame.pop("replyTo")
        assert frame.pop("timestamp")
        found.append(f"{command} -> {frame}".replace(room, "ROOM"))
    return found


async def assert_shut_out(scene: Scene, client: Client) -> None:
    """Nothing but the answers of a room that does not exist, whatever is tried and whatever goes on in there."""
    await client.settle()
    before = len(client.frames)
    assert await answers(client, PRIVATE, scene.since) == await answers(client, NOWHERE, scene.since)
    await scene.talk()
    await scene.member.ack("typing", room=PRIVATE, payload={"active": True})
    listed = [await client.ack("rooms", payload={"mine": mine}) for mine in (False, True)]
    await client.settle()

    assert PRIVATE not in json.dumps(listed)
    since = client.frames[before:]
    assert not [f for f in since if f["type"] not in ("ack", "error", "pong")], since
    told = json.dumps([f for f in client.frames[before:] if f["type"] != "error"])
    assert WORD not in told
    assert PRIVATE not in told


async def test_outsider(scene: Scene) -> None:
    await assert_shut_out(scene, await scene.connect(token=token("eve")))


async def test_outsider_by_the_room_s_own_address(scene: Scene) -> None:
    told = []
    for room in (PRIVATE, NOWHERE):
        query = f"?since={scene.since['epoch']}:0&history=200"
        client = await scene.connect(f"/chat/ws/{room}{query}", token=token("eve"))
        frame = await client.expect("error")
        told.append({key: frame[key] for key in ("type", "replyTo", "payload")})
        await scene.talk()
        await client.settle()
        assert [f["type"] for f in client.frames] == ["welcome", "error", "pong"]
    assert told[0] == told[1]


async def test_guest(scene: Scene) -> None:
    await assert_shut_out(scene, await scene.connect())


async def test_member_who_left(scene: Scene, connect: Connect) -> None:
    clients = await _members(scene, "ada", 2)
    await clients[0].ack("leave", room=PRIVATE)

    removed = await clients[1].expect("room.removed")
    assert removed["payload"]["reason"] == "left"
    for client in clients:
        await client.settle()
        await assert_shut_out(scene, client)


async def test_member_who_was_kicked(scene: Scene) -> None:
    clients = await _members(scene, "ada", 2)

    await scene.chat.kick(PRIVATE, ADA)

    for client in clients:
        assert (await client.expect("room.removed"))["payload"]["reason"] == "kicked"
        await assert_shut_out(scene, client)


async def test_member_whom_the_app_removed(scene: Scene) -> None:
    clients = await _members(scene, "ada", 2)

    await scene.chat.remove_member(PRIVATE, "ada")

    for client in clients:
        await client.expect("room.removed")
        await assert_shut_out(scene, client)


async def test_who_was_removed_is_not_shown_as_present(scene: Scene, chat: ChatRooms) -> None:
    clients = await _members(scene, "ada", 1)
    await chat.remove_member(PRIVATE, "ada")
    await clients[0].expect("room.removed")

    presence = await scene.member.expect("presence")
    while not presence["payload"]["left"]:
        presence = await scene.member.expect("presence")

    assert presence["payload"]["left"] == [{"id": "ada", "name": "Ada"}]
    assert presence["payload"]["online"] == 1


async def _members(scene: Scene, name: str, connections: int) -> list[Client]:
    await scene.chat.add_member(PRIVATE, User(name, name.title()))
    clients = [await scene.connect(token=token(name)) for _ in range(connections)]
    for client in clients:
        ack = await client.ack("join", room=PRIVATE, payload={"since": scene.since})
        assert ack["recovered"]
    return clients


async def test_former_member_with_a_position_recovers_nothing(scene: Scene) -> None:
    [client] = await _members(scene, "ada", 1)
    position = await client.ack("join", room=PRIVATE)
    await scene.chat.remove_member(PRIVATE, "ada")
    await scene.talk()
    again = await scene.connect(token=token("ada"))

    for since in (scene.since, {"epoch": position["epoch"], "seq": position["seq"]}):
        error = await again.error("join", room=PRIVATE, payload={"since": since})
        assert error["code"] == "room_not_found"
    assert WORD not in json.dumps(again.frames)


async def test_direct_room_of_two_others(scene: Scene) -> None:
    ada, bob, eve = [await scene.connect(token=token(name)) for name in ("ada", "bob", "eve")]
    await bob.expect("welcome")
    await eve.expect("welcome")
    sent = await ada.ack("direct", payload={"to": "bob", "body": {"text": WORD}})
    await bob.expect("message")
    room, nowhere = sent["room"], "~direct." + "0" * 40

    assert await answers(eve, room, scene.since) == await answers(eve, nowhere, scene.since)
    await ada.ack("direct", payload={"to": "bob", "body": {"text": WORD}})
    await eve.settle()

    assert WORD not in json.dumps(eve.frames)


async def test_direct_room_of_guests_is_not_another_guest_s(scene: Scene) -> None:
    one, other, third = [await scene.connect() for _ in range(3)]
    ids = [(await c.expect("welcome"))["payload"]["user"]["id"] for c in (one, other, third)]
    sent = await one.ack("direct", payload={"to": ids[1], "body": {"text": WORD}})
    await other.expect("message")

    error = await third.error("join", room=sent["room"], payload={"since": scene.since})

    assert error["code"] == "room_not_found"
    assert len(set(ids)) == 3
    assert WORD not in json.dumps(third.frames)


async def test_reserved_rooms_are_nobody_s(scene: Scene) -> None:
    eve = await scene.connect(token=token("eve"))
    from sanic_chatrooms.models import EVERYONE, user_room

    for room in (EVERYONE, user_room("member"), user_room("eve")):
        nowhere = "~" + "x" * (len(room) - 1)
        assert await answers(eve, room, scene.since) == await answers(eve, nowhere, scene.since)


async def test_another_instance_in_the_same_app(
    chat: ChatRooms, app: Sanic[Any, Any], live: Live, connect: Connect
) -> None:
    other = ChatRooms("support", jwt_secret=SECRET, auto_create=True)
    app.blueprint(other.bp)
    await live()

    await _other_rooms(
        chat, await connect(token=token("ada")), await connect("/support/ws", token=token("ada"))
    )


async def test_another_app_in_the_same_process(chat: ChatRooms, live: Live, connect: Connect) -> None:
    second = new_app("second")
    other = ChatRooms(jwt_secret=SECRET, auto_create=True)
    second.blueprint(other.bp)
    await live()
    server = await live(second)
    try:
        await _other_rooms(
            chat, await connect(token=token("ada")), await connect(token=token("ada"), server=server)
        )
    finally:
        Sanic.unregister_app(second)


async def _other_rooms(chat: ChatRooms, here: Client, there: Client) -> None:
    """The same user, the same room's name, elsewhere: two different rooms."""
    await chat.create_room("lobby")
    position = await here.ack("join", room="lobby")
    await here.ack("message", room="lobby", payload={"text": WORD})
    direct = await here.ack("direct", payload={"to": "bob", "body": {"text": WORD}})

    since = {"epoch": position["epoch"], "seq": 0}
    joined = await there.ack("join", room="lobby", payload={"since": since})
    await here.ack("message", room="lobby", payload={"text": WORD})
    await chat.notify("ada", "notice", {"title": "t", "content": WORD})
    await chat.broadcast("notice", {"title": "t", "content": WORD})
    await here.expect_many("notice", 2)
    error = await there.error("join", room=direct["room"], payload={"since": since})
    mine = await there.ack("rooms", payload={"mine": True})
    await there.settle()

    assert (joined["recovered"], joined["seq"], joined["online"]) == (False, 0, 1)
    assert error["code"] == "room_not_found"
    assert direct["room"] not in json.dumps(mine)
    assert WORD not in json.dumps(there.frames)
    assert not there.unread("notice")
