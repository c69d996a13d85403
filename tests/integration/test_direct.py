"""One user to another: the room that belongs to the two, and how every connection of both gets into it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from tests.support.client import Client, Frame
from tests.support.fixtures import Connect
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
ID = "0123456789abcdef"


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app, guests=False, direct="everyone", jwt_secret=SECRET, max_rooms_per_connection=1)


async def enter(connect: Connect, name: str) -> Client:
    client = await connect(token=token(name, name=name.title()))
    await client.expect("welcome")
    return client


def to(user: str, text: str = "hi") -> dict[str, Any]:
    return {"to": user, "body": {"text": text}}


def of_room(client: Client, room: str) -> list[Frame]:
    """What came of the room, without the news of who is there."""
    return [f for f in client.frames if f.get("room") == room and f["type"] not in ("presence", "error")]


async def test_direct_is_acknowledged_with_the_room_of_the_two(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada")

    ack = await ada.ack("direct", payload=to("bob"), msg_id=ID)

    assert ack.keys() == {"room", "msgId", "seq", "timestamp", "duplicate"}
    assert ack["room"].startswith("~")
    assert (ack["seq"], ack["duplicate"]) == (1, False)


async def test_both_are_put_into_the_room_and_then_get_its_events(chat: ChatRooms, connect: Connect) -> None:
    ada, bob, eve = [await enter(connect, name) for name in ("ada", "bob", "eve")]

    ack = await ada.ack("direct", payload=to("bob", "one"), msg_id=ID)
    await ada.expect("message")
    await bob.expect("message")
    await eve.settle()

    for client, partner in ((ada, {"id": "bob"}), (bob, {"id": "ada", "name": "Ada"})):
        added, message = of_room(client, ack["room"])
        assert added["type"] == "room.added"
        assert added["payload"].keys() == {"room", "epoch", "seq", "with"}
        assert added["payload"]["room"] == ack["room"]
        assert added["payload"]["seq"] == 0
        assert added["payload"]["with"].items() >= partner.items()
        assert message["type"] == "message"
        assert message["seq"] == 1
        assert message["payload"] == {"text": "one"}
        assert message["sender"] == {"id": "ada", "name": "Ada"}
        assert message["clientMsgId"] == ID
    assert eve.frames == [f for f in eve.frames if f["type"] in ("welcome", "pong")]


async def test_every_connection_of_both_is_in_it(chat: ChatRooms, connect: Connect) -> None:
    clients = [await enter(connect, name) for name in ("ada", "ada", "bob", "bob")]

    await clients[0].ack("direct", payload=to("bob", "one"))
    await clients[3].ack("direct", payload=to("ada", "two"))

    for client in clients:
        await client.expect("room.added")
        events = await client.expect_many("message", 2)
        assert [(event["seq"], event["payload"]["text"]) for event in events] == [(1, "one"), (2, "two")]
        await client.settle()
        assert client.unread("room.added") == client.unread("message") == []


async def test_the_room_is_the_same_whoever_begins(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")

    one = await ada.ack("direct", payload=to("bob"))
    two = await bob.ack("direct", payload=to("ada"))
    other = await ada.ack("direct", payload=to("eve"))

    assert one["room"] == two["room"] != other["room"]
    assert (one["seq"], two["seq"], other["seq"]) == (1, 2, 1)


async def test_two_who_begin_at_the_same_time_meet_in_one_room(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")

    acks = await asyncio.gather(
        *(ada.ack("direct", payload=to("bob")) for _ in range(10)),
        *(bob.ack("direct", payload=to("ada")) for _ in range(10)),
    )

    assert len({ack["room"] for ack in acks}) == 1
    assert sorted(ack["seq"] for ack in acks) == list(range(1, 21))
    for client in (ada, bob):
        assert [e["seq"] for e in await client.expect_many("message", 20)] == list(range(1, 21))
        assert len(client.unread("room.added")) == 1


async def test_a_connection_that_opens_later_is_put_in_with_the_next_message(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await enter(connect, "ada")
    first = await ada.ack("direct", payload=to("bob", "one"))
    bob = await enter(connect, "bob")
    await bob.settle()
    assert bob.unread("room.added") == []

    await ada.ack("direct", payload=to("bob", "two"))

    added = await bob.expect("room.added")
    assert (added["payload"]["room"], added["payload"]["seq"]) == (first["room"], 1)
    assert (await bob.expect("message"))["seq"] == 2
    past = await bob.ack("history", room=first["room"])
    assert [m["payload"]["text"] for m in past["messages"]] == ["one", "two"]


async def test_my_rooms_find_it_later(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada")
    ack = await ada.ack("direct", payload=to("bob"))
    await ada.expect("message")
    bob = await enter(connect, "bob")

    [mine] = (await ada.ack("rooms", payload={"mine": True}))["rooms"]
    [theirs] = (await bob.ack("rooms", payload={"mine": True}))["rooms"]

    assert mine.keys() >= {"room", "title", "visibility", "seq", "unread", "online"}
    assert (mine["room"], mine["visibility"], mine["seq"], mine["with"]["id"]) == (
        ack["room"],
        "direct",
        1,
        "bob",
    )
    assert theirs["with"] == {"id": "ada", "name": "Ada"}
    assert (await bob.ack("rooms"))["rooms"] == []


async def test_somebody_who_was_written_to_is_known_by_their_name_from_when_they_come(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await enter(connect, "ada")
    await ada.ack("direct", payload=to("bob"), msg_id=ID)
    assert (await ada.ack("rooms", payload={"mine": True}))["rooms"][0]["with"] == {
        "id": "bob",
        "name": "bob",
    }

    bob = await enter(connect, "bob")
    [line] = (await bob.ack("rooms", payload={"mine": True}))["rooms"]
    await bob.ack("join", room=line["room"])

    assert (await ada.ack("rooms", payload={"mine": True}))["rooms"][0]["with"] == {
        "id": "bob",
        "name": "Bob",
    }
    assert [one["name"] for one in (await ada.ack("members", room=line["room"]))["members"]] == ["Ada", "Bob"]


async def test_who_has_written_directly_types_no_more(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = [await enter(connect, name) for name in ("ada", "bob")]
    room = (await ada.ack("direct", payload=to("bob"), msg_id=ID))["room"]
    await ada.expect("room.added")
    await bob.expect("message")

    await ada.send("typing", room=room, payload={"active": True})
    assert [one["id"] for one in (await bob.expect("typing"))["payload"]["users"]] == ["ada"]
    await ada.ack("direct", payload=to("bob"))

    assert (await bob.expect("typing"))["payload"]["users"] == []


async def test_it_can_be_joined_like_any_room(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada")
    ack = await ada.ack("direct", payload=to("bob", "one"))
    bob = await enter(connect, "bob")

    joined = await bob.ack("join", room=ack["room"])
    await ada.ack("message", room=ack["room"], payload={"text": "two"})
    recovered = await bob.ack(
        "join", room=ack["room"], payload={"since": {"epoch": joined["epoch"], "seq": 1}}
    )

    assert [m["payload"]["text"] for m in joined["messages"]] == ["one"]
    assert recovered["recovered"] is True
    assert [m["payload"]["text"] for m in recovered["messages"]] == ["two"]
    await bob.settle()
    assert bob.unread("room.added") == []


async def test_direct_rooms_do_not_count_towards_the_limit_of_rooms(app: App, connect: Connect) -> None:
    mount(
        app, guests=False, direct="everyone", jwt_secret=SECRET, auto_create=True, max_rooms_per_connection=1
    )
    ada = await enter(connect, "ada")

    rooms = [(await ada.ack("direct", payload=to(f"user{n}")))["room"] for n in range(3)]
    await ada.ack("join", room="general")
    await ada.ack("direct", payload=to("user9"))

    for room in rooms:
        await ada.ack("join", room=room)
    assert (await ada.error("join", room="other"))["code"] == "room_limit"


async def test_repeating_a_direct_stores_it_once(chat: ChatRooms, connect: Connect) -> None:
    ada, again, bob = await enter(connect, "ada"), await enter(connect, "ada"), await enter(connect, "bob")

    first = await ada.ack("direct", payload=to("bob"), msg_id=ID)
    same = await ada.ack("direct", payload=to("bob"), msg_id=ID)
    elsewhere = await again.ack("direct", payload=to("bob"), msg_id=ID)
    conflict = await ada.error("direct", payload=to("bob", "other"), msg_id=ID)
    await bob.expect("message")
    await bob.settle()

    assert same == elsewhere == {**first, "duplicate": True}
    assert conflict["code"] == "conflict"
    assert bob.unread("message") == []


async def test_directs_are_stored_in_the_order_they_were_sent(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")

    ids = [await ada.send("direct", payload=to("bob", str(n))) for n in range(30)]
    seqs = [(await ada.reply(id))["payload"]["seq"] for id in ids]

    assert seqs == list(range(1, 31))
    assert [e["payload"]["text"] for e in await bob.expect_many("message", 30)] == [str(n) for n in range(30)]


async def test_nobody_writes_to_themselves(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada")

    error = await ada.error("direct", payload=to("ada"))

    assert (error["code"], error["field"]) == ("invalid_field", "to")


async def test_a_body_that_is_too_long_makes_no_room(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada")

    assert (await ada.error("direct", payload=to("bob", "x" * 16_001)))["code"] == "too_large"

    assert (await ada.ack("rooms", payload={"mine": True}))["rooms"] == []


async def test_who_exits_is_put_back_with_the_next_message(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")
    room = (await ada.ack("direct", payload=to("bob")))["room"]
    await bob.expect("message")

    await bob.ack("exit", room=room)
    await ada.ack("direct", payload=to("bob"))

    await bob.expect("room.added")
    await bob.expect("room.added")
    assert (await bob.expect("message"))["seq"] == 2


async def test_a_direct_room_is_not_left_for_good(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada")
    room = (await ada.ack("direct", payload=to("bob")))["room"]

    assert (await ada.error("leave", room=room))["code"] == "forbidden"


async def test_guests_write_to_each_other_and_are_members_there(app: App, connect: Connect) -> None:
    mount(app)
    ada, bob = await connect(), await connect()
    welcome = (await ada.expect("welcome"))["payload"]
    partner = (await bob.expect("welcome"))["payload"]["user"]["id"]

    room = (await ada.ack("direct", payload=to(partner)))["room"]
    await bob.expect("message")
    again = await connect(token=welcome["guestToken"])

    assert [r["room"] for r in (await again.ack("rooms", payload={"mine": True}))["rooms"]] == [room]
    assert len((await again.ack("join", room=room))["messages"]) == 1
    assert (await bob.ack("members", room=room))["total"] == 2


async def test_a_connection_that_closes_while_it_is_put_in_stops_nothing(
    chat: ChatRooms, connect: Connect
) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")

    for n in range(10):
        gone = await enter(connect, "bob")
        sending = asyncio.ensure_future(ada.ack("direct", payload=to("bob", str(n))))
        await gone.abort()
        await sending

    assert [e["seq"] for e in await bob.expect_many("message", 10)] == list(range(1, 11))


async def test_messages_to_several_users_at_once_are_not_mixed_up(chat: ChatRooms, connect: Connect) -> None:
    ada, bob, eve = [await enter(connect, name) for name in ("ada", "bob", "eve")]

    await asyncio.gather(
        *(ada.ack("direct", payload=to("bob", f"b{n}")) for n in range(10)),
        *(ada.ack("direct", payload=to("eve", f"e{n}")) for n in range(10)),
    )

    assert [e["payload"]["text"] for e in await bob.expect_many("message", 10)] == [
        f"b{n}" for n in range(10)
    ]
    assert [e["payload"]["text"] for e in await eve.expect_many("message", 10)] == [
        f"e{n}" for n in range(10)
    ]
