"""Editing and deleting over sockets: what everybody sees, who may not, and that nothing of a deleted message is left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, User
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
ID = "0123456789abcdef"
WORD = "the merger is on friday"
BOARD = "board-of-directors"
ADA, BOB = User("ada", "Ada"), User("bob", "Bob")


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app, guests=False, direct="everyone", jwt_secret=SECRET, auto_create=True)


class People:
    """`await people("ada")`: a connection of Ada's that is in the room general."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def __call__(self, name: str, room: str | None = "general") -> Client:
        client = await self._connect(token=token(name, name=name.title()))
        if room is not None:
            await client.ack("join", room=room)
        return client


@pytest.fixture
def people(chat: ChatRooms, connect: Connect) -> People:
    return People(connect)


async def say(client: Client, text: str, room: str = "general") -> str:
    """Say it; -> the server's id of the message."""
    ack = await client.ack("message", room=room, payload={"text": text})
    id: str = ack["msgId"]
    return id


async def edit(client: Client, id: str, text: str, room: str = "general", **more: Any) -> Any:
    payload = {"msgId": id, "body": {"text": text}}
    return await client.request("message.edit", room=room, payload=payload, **more)


async def delete(client: Client, id: str, room: str = "general", **more: Any) -> Any:
    return await client.request("message.delete", room=room, payload={"msgId": id}, **more)


async def views(client: Client, room: str = "general") -> tuple[list[Any], list[Any]]:
    """(log, timeline): the room's whole past, as a member reads it who knew nothing of it."""
    page = await client.ack("history", room=room, payload={"after": 0})
    log = await client.ack("join", room=room, payload={"since": {"epoch": page["epoch"], "seq": 0}})
    assert log["recovered"]
    return log["messages"], page["messages"]


async def test_an_edit_reaches_everybody_and_both_views(people: People) -> None:
    ada, bob = await people("ada"), await people("bob")
    id = await say(ada, "good")
    await say(bob, "indeed")

    reply = await edit(ada, id, "better", msg_id=ID)
    mine, theirs = await ada.expect("message.edited"), await bob.expect("message.edited")

    assert reply["payload"] == {"seq": 3, "duplicate": False}
    assert mine == theirs
    assert theirs["payload"] == {
        "msgId": id,
        "seq": 1,
        "body": {"text": "better"},
        "edited": theirs["timestamp"],
    }
    log, timeline = await views(bob)
    for message in (log[0], timeline[0]):
        assert (message["payload"], message["edited"], message["changed"]) == (
            {"text": "better"},
            theirs["timestamp"],
            3,
        )
    assert [event["seq"] for event in log] == [1, 2, 3]
    assert [event["seq"] for event in timeline] == [1, 2]
    assert log[2] == theirs


async def test_a_body_is_kept_as_it_was_written(people: People) -> None:
    ada = await people("ada")
    id = await say(ada, "good")
    body = {"text": "é 😀", "parent": None, "own": {"x": [1, None, 2.5, 9007199254740991]}}

    await ada.ack("message.edit", room="general", payload={"msgId": id, "body": body})

    log, timeline = await views(ada)
    assert log[0]["payload"] == timeline[0]["payload"] == log[1]["payload"]["body"] == body


async def test_nothing_of_a_deleted_message_is_left_to_anybody(people: People) -> None:
    ada, bob = await people("ada"), await people("bob")
    since = {"epoch": (await bob.ack("history", room="general"))["epoch"], "seq": 0}
    await bob.abort()
    id = await say(ada, WORD)
    for n in range(3):
        await edit(ada, id, f"{WORD}, {n}")

    await delete(ada, id)

    late = await people("bob", None)
    answers = [
        await late.ack("join", room="general", payload={"since": since}),
        await late.ack("join", room="general"),
        await late.ack("history", room="general"),
        await late.ack("history", room="general", payload={"after": 0}),
    ]
    assert WORD not in json.dumps(answers)
    assert [event["seq"] for event in answers[0]["messages"]] == [1, 2, 3, 4, 5]
    assert [event["payload"] for event in answers[0]["messages"][:4]] == [{}] * 4
    assert [event.get("deleted") for event in answers[0]["messages"]] == [True] * 4 + [None]
    (message,) = answers[1]["messages"]
    assert (message["deleted"], message["payload"], message["changed"]) == (True, {}, 5)
    assert "edited" not in message


async def test_who_comes_back_is_told_what_changed_meanwhile(people: People) -> None:
    ada, bob = await people("ada"), await people("bob")
    kept, gone = await say(ada, "good"), await say(ada, WORD)
    page = await bob.ack("history", room="general")
    await bob.abort()
    await edit(ada, kept, "better")
    await edit(ada, gone, f"{WORD}!")
    await delete(ada, gone)

    bob = await people("bob", None)
    back = await bob.ack("join", room="general", payload={"since": {"epoch": page["epoch"], "seq": 2}})

    assert back["recovered"]
    assert [(event["seq"], event["type"]) for event in back["messages"]] == [
        (3, "message.edited"),
        (4, "message.edited"),
        (5, "message.deleted"),
    ]
    assert back["messages"][0]["payload"]["body"] == {"text": "better"}
    assert WORD not in json.dumps(back)
    assert back["messages"][2]["payload"] == {"msgId": gone, "seq": 2, "deleted": True}


async def test_what_is_edited_again_and_again_keeps_its_place(people: People) -> None:
    ada = await people("ada")
    id = await say(ada, "0")
    await say(ada, "next")
    for n in range(1, 21):
        await edit(ada, id, f"{n}")

    log, timeline = await views(ada)

    assert [event["payload"]["text"] for event in timeline] == ["20", "next"]
    assert timeline[0]["changed"] == 22
    assert [event["seq"] for event in log] == list(range(1, 23))


# ---- who may not ----


async def test_others_change_nothing(people: People) -> None:
    ada, eve = await people("ada"), await people("eve")
    id = await say(ada, "good")

    for reply in (await edit(eve, id, "bad"), await delete(eve, id)):
        assert reply["payload"]["code"] == "forbidden"
    assert (await views(ada))[0][0]["payload"] == {"text": "good"}


async def test_the_owner_of_a_room_deletes_but_does_not_edit(people: People) -> None:
    ada, bob = await people("ada", None), await people("bob", None)
    await ada.ack("room.create", room="ada-s")
    for client in (ada, bob):
        await client.ack("join", room="ada-s")
    id = await say(bob, "spam", "ada-s")

    assert (await edit(ada, id, "ham", "ada-s"))["payload"]["code"] == "forbidden"
    assert (await delete(ada, id, "ada-s"))["type"] == "ack"
    assert (await bob.expect("message.deleted"))["sender"] == {"id": "ada", "name": "Ada"}


@pytest.fixture
async def board(chat: ChatRooms, live: Live, people: People) -> tuple[Client, str]:
    """(Ada in the room of the board, the id of what she said there)."""
    await live()
    await chat.create_room(BOARD, visibility="private")
    for user in (ADA, BOB):
        await chat.add_member(BOARD, user)
    ada = await people("ada", BOARD)
    return ada, await say(ada, WORD, BOARD)


async def test_outsiders_cannot_tell_a_message_of_a_private_room_from_nothing(
    people: People, board: tuple[Client, str]
) -> None:
    _, id = board
    eve = await people("eve", None)

    replies = []
    for room, target in ((BOARD, id), (BOARD, "nothing-of-this-id"), ("nothing-at-all-her", id)):
        replies += [await edit(eve, target, "x", room), await delete(eve, target, room)]

    errors = [reply["payload"] for reply in replies]
    assert errors == [errors[0]] * 6
    assert errors[0]["code"] == "room_not_found"


async def test_former_members_change_and_hear_nothing_any_more(
    chat: ChatRooms, people: People, board: tuple[Client, str]
) -> None:
    ada, id = board
    bob = await people("bob", BOARD)
    own = await say(bob, "mine", BOARD)
    await chat.kick(BOARD, BOB)
    await bob.expect("room.removed")

    for reply in (await edit(bob, own, "x", BOARD), await delete(bob, own, BOARD)):
        assert reply["payload"]["code"] == "room_not_found"
    await edit(ada, id, f"{WORD}, really", BOARD)
    await delete(ada, id, BOARD)
    await bob.settle()

    assert bob.unread("message.edited") == bob.unread("message.deleted") == []
    assert (await ada.ack("history", room=BOARD))["messages"][1]["payload"] == {"text": "mine"}


async def test_both_change_what_they_wrote_to_each_other(people: People) -> None:
    ada, bob = await people("ada", None), await people("bob", None)
    said = await ada.ack("direct", payload={"to": "bob", "body": {"text": "psst"}})
    room, id = said["room"], said["msgId"]
    await bob.expect("message")

    assert (await delete(bob, id, room))["payload"]["code"] == "forbidden"
    assert (await edit(ada, id, "hello", room))["type"] == "ack"
    assert (await bob.expect("message.edited", room=room))["payload"]["body"] == {"text": "hello"}
    assert (await delete(ada, id, room))["type"] == "ack"
    assert (await bob.expect("message.deleted", room=room))["payload"]["msgId"] == id


async def test_a_read_only_connection_changes_nothing(app: App, connect: Connect) -> None:
    chat = mount(app)
    chat.add_route("/screen/<room>", read_only=True)
    screen = await connect("/chat/screen/general")

    for reply in (await edit(screen, ID, "x"), await delete(screen, ID)):
        assert reply["payload"]["code"] == "forbidden"


# ---- once is once ----


async def test_a_repetition_on_another_connection_is_answered_alike(people: People) -> None:
    one, two = await people("ada"), await people("ada")
    id = await say(one, "good")
    first = await edit(one, id, "better", msg_id=ID)
    await delete(one, id, msg_id=f"{ID}-delete")

    again = await edit(two, id, "better", msg_id=ID)
    deleted = await delete(two, id, msg_id=f"{ID}-delete")

    assert again["payload"] == {**first["payload"], "duplicate": True}
    assert deleted["payload"] == {"seq": 3, "duplicate": True}
    assert len((await views(one))[0]) == 3


async def test_a_repetition_is_answered_though_everything_was_trimmed(app: App, connect: Connect) -> None:
    mount(app, history_max=2)
    ada = await connect()
    await ada.ack("join", room="general")
    id = await say(ada, "good")
    first = await edit(ada, id, "better", msg_id=ID)
    for n in range(30):
        await say(ada, f"{n}")

    again = await edit(ada, id, "better", msg_id=ID)
    fresh = await edit(ada, id, "best")

    assert again["payload"] == {**first["payload"], "duplicate": True}
    assert fresh["payload"]["code"] == "message_not_found"


async def test_changes_and_messages_take_effect_in_the_order_they_were_sent(people: People) -> None:
    ada = await people("ada")
    id = await say(ada, "0")
    sent = []
    for n in range(1, 21):
        sent.append(await ada.send("message", room="general", payload={"text": f"{n}"}))
        payload = {"msgId": id, "body": {"text": f"{n}"}}
        sent.append(await ada.send("message.edit", room="general", payload=payload))

    seqs = [(await ada.reply(msg_id))["payload"]["seq"] for msg_id in sent]

    assert seqs == list(range(2, 42))
