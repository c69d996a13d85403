"""Entering, recovering, leaving, making and listing rooms."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, upkeep
from sanic_chatrooms.models import User
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing.faults import FaultyStore
from tests.support.client import Client, Frame
from tests.support.fixtures import Connect
from tests.support.wire import SECRET, masked, mount, token, write

App = Sanic[Any, Any]
ID = "0123456789abcdef"
TEXT = {"text": "hi"}


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app, guests=False, jwt_secret=SECRET, auto_create=True, presence_grace=0)


def numbers(frames: list[Frame]) -> list[int]:
    return [frame["seq"] for frame in frames]


async def say(client: Client, count: int, room: str = "general", **more: Any) -> None:
    """Say so much in a room, and wait until it is stored."""
    frame = json.dumps({"type": "message", "room": room, "payload": {**TEXT, **more}}).encode()
    write(client, masked(1, frame) * count)
    await client.settle()


async def enter(connect: Connect, name: str, room: str | None = "general") -> Client:
    client = await connect(token=token(name, name=name.title()))
    if room is not None:
        await client.ack("join", room=room)
    return client


# ---- join ----


async def test_join_answers_with_where_the_room_stands(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)

    joined = await ada.ack("join", room="general")

    assert joined.keys() == {
        "room", "epoch", "seq", "recovered", "messages", "more", "role", "title", "online",
    }  # fmt: skip
    assert joined["epoch"]
    assert joined == {
        "room": "general",
        "epoch": joined["epoch"],
        "seq": 0,
        "recovered": False,
        "messages": [],
        "more": False,
        "role": "member",
        "title": "",
        "online": 1,
    }


async def test_what_follows_a_join_begins_right_behind_it(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob", None)
    await say(ada, 3)

    joined = await bob.ack("join", room="general")
    await say(ada, 2)

    assert (joined["seq"], numbers(joined["messages"])) == (3, [1, 2, 3])
    assert numbers(await bob.expect_many("message", 2)) == [4, 5]


async def test_joins_in_the_middle_of_a_stream_miss_and_repeat_nothing(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await enter(connect, "ada")
    others = [await enter(connect, f"user{n}", None) for n in range(5)]

    async def follow(client: Client, delay: int) -> list[int]:
        for _ in range(delay):
            await client.settle()
        joined = await client.ack("join", room="general", payload={"history": 200})
        if joined["seq"] < 150:  # on a busy machine, all may have been said before
            await client.expect("message", seq=150)
        live = [f["seq"] for f in client.frames if f["type"] == "message"]
        return [*numbers(joined["messages"]), *live]

    async def talk() -> None:
        for _ in range(150):
            await ada.ack("message", room="general", payload=TEXT)

    *heard, _ = await asyncio.gather(*(follow(client, 3 * n) for n, client in enumerate(others)), talk())

    assert all(one == list(range(1, 151)) for one in heard)


async def test_a_history_of_any_size_may_be_asked_for(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada")
    await say(ada, 210)

    async def ask(history: int | None) -> tuple[list[int], bool]:
        joined = await ada.ack(
            "join", room="general", payload={} if history is None else {"history": history}
        )
        assert joined["recovered"] is False
        assert joined["seq"] == 210
        return numbers(joined["messages"]), joined["more"]

    assert await ask(None) == (list(range(161, 211)), True)
    assert await ask(0) == ([], True)
    assert await ask(1) == ([210], True)
    assert await ask(200) == (list(range(11, 211)), True)
    assert await ask(9999) == (list(range(11, 211)), True)


async def test_a_second_join_starts_the_room_afresh(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")
    await say(bob, 2)

    joined = await ada.ack("join", room="general")
    await say(bob, 1)
    await ada.expect_many("message", 3)
    await ada.settle()

    assert numbers(joined["messages"]) == [1, 2]
    assert joined["online"] == 2
    assert ada.unread("message") == []


async def test_a_second_join_that_is_refused_changes_nothing(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")

    await ada.error("join", room="general", payload={"history": -1})
    await ada.error("join", room="general", payload={"since": 7})
    await say(bob, 1)

    await ada.expect("message")
    await ada.ack("message", room="general", payload=TEXT)


async def test_exit_ends_what_comes_for_this_connection_only(chat: ChatRooms, connect: Connect) -> None:
    one, two, bob = [await enter(connect, name) for name in ("ada", "ada", "bob")]

    assert await one.ack("exit", room="general") == {}
    await say(bob, 1)
    await one.settle()

    assert one.unread("message") == one.unread("room.removed") == []
    await two.expect("message")
    assert (await one.error("message", room="general", payload=TEXT))["code"] == "not_a_member"
    assert [room["room"] for room in (await one.ack("rooms", payload={"mine": True}))["rooms"]] == ["general"]


async def test_exit_from_where_one_is_not_is_fine(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)

    assert await ada.ack("exit", room="nowhere") == {}


async def test_leave_ends_the_membership_on_all_connections(chat: ChatRooms, connect: Connect) -> None:
    one, two, bob = [await enter(connect, name) for name in ("ada", "ada", "bob")]

    assert await one.ack("leave", room="general") == {}
    removed = await two.expect("room.removed")
    await say(bob, 1)
    await one.settle()
    await two.settle()

    assert removed["payload"] == {"room": "general", "reason": "left"}
    assert one.unread("room.removed") == []
    assert one.unread("message") == two.unread("message") == []
    assert (await two.error("message", room="general", payload=TEXT))["code"] == "not_a_member"
    assert (await one.ack("rooms", payload={"mine": True}))["rooms"] == []
    assert [m["id"] for m in (await bob.ack("members", room="general"))["members"]] == ["bob"]


async def test_who_left_counts_as_present_no_more(chat: ChatRooms, connect: Connect) -> None:
    one, two, bob = [await enter(connect, name) for name in ("ada", "ada", "bob")]
    await bob.expect("presence")

    await one.ack("leave", room="general")
    await two.expect("room.removed")
    left = await bob.expect(
        "presence", payload={"joined": [], "left": [{"id": "ada", "name": "Ada"}], "online": 1}
    )
    again = await two.ack("join", room="general")

    assert left["room"] == "general"
    assert again["online"] == 2


async def test_who_left_may_come_back(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")
    await ada.ack("leave", room="general")

    await ada.ack("join", room="general")
    await say(bob, 1)

    await ada.expect("message")


async def test_joining_and_leaving_a_public_room_are_no_events(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")

    await bob.ack("leave", room="general")

    assert (await ada.ack("history", room="general"))["seq"] == 0


async def test_leave_while_another_connection_joins_never_leaves_it_in_between(
    chat: ChatRooms, connect: Connect
) -> None:
    one, two = await enter(connect, "ada"), await enter(connect, "ada", None)
    bob = await enter(connect, "bob")

    for _ in range(20):
        joining, leaving = await asyncio.gather(
            two.request("join", room="general"), one.request("leave", room="general")
        )
        assert leaving["type"] == "ack"
        assert joining["type"] == "ack" or joining["payload"]["code"] == "unavailable"
        await two.settle()
        await say(bob, 1)
        await bob.expect("message")
        await two.settle()
        is_in = joining["type"] == "ack" and not two.unread("room.removed")
        assert len(two.unread("message")) == is_in
        for frame in (*two.unread("message"), *two.unread("room.removed")):
            await two.expect(frame["type"])
        await one.ack("join", room="general")
        await two.ack("exit", room="general")
        for _ in one.unread("message"):
            await one.expect("message")


# ---- recovery ----


async def test_recovery_brings_exactly_what_was_missed(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob", None)
    joined = await bob.ack("join", room="general")
    await say(ada, 5)
    missed = [await bob.expect("message") for _ in range(5)]

    async def since(seq: int, **more: Any) -> Any:
        return await bob.ack(
            "join", room="general", payload={"since": {"epoch": joined["epoch"], "seq": seq}, **more}
        )

    for seq in range(6):
        back = await since(seq)
        assert (back["recovered"], back["messages"], back["more"], back["seq"]) == (
            True,
            missed[seq:],
            False,
            5,
        )
    assert (await since(2, history=1))["messages"] == missed[2:]
    await say(ada, 1)
    assert (await bob.expect("message"))["seq"] == 6


async def test_recovery_of_an_empty_room(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)
    joined = await ada.ack("join", room="general")

    back = await ada.ack("join", room="general", payload={"since": {"epoch": joined["epoch"], "seq": 0}})

    assert (back["recovered"], back["messages"], back["seq"]) == (True, [], 0)


async def test_what_cannot_be_recovered_is_the_newest_page_instead(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)
    epoch = (await ada.ack("join", room="general"))["epoch"]
    await say(ada, 60)

    for since in (
        {"epoch": epoch, "seq": 61},
        {"epoch": epoch, "seq": 2**53 - 1},
        {"epoch": "another", "seq": 60},
        {"epoch": "another", "seq": 0},
        {"epoch": "", "seq": 60},
        {"epoch": "not an epoch at all!", "seq": 1},
        {"epoch": epoch.swapcase(), "seq": 60},
    ):
        back = await ada.ack("join", room="general", payload={"since": since})
        assert (back["recovered"], back["seq"], back["epoch"], back["more"]) == (False, 60, epoch, True), (
            since
        )
        assert numbers(back["messages"]) == list(range(11, 61))
    few = await ada.ack("join", room="general", payload={"since": {"epoch": "x", "seq": 0}, "history": 2})
    assert numbers(few["messages"]) == [59, 60]


async def test_up_to_500_events_are_recovered_and_not_one_more(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)
    epoch = (await ada.ack("join", room="general"))["epoch"]
    await say(ada, 501)

    all_of_them = await ada.ack("join", room="general", payload={"since": {"epoch": epoch, "seq": 1}})
    too_many = await ada.ack("join", room="general", payload={"since": {"epoch": epoch, "seq": 0}})

    assert all_of_them["recovered"] is True
    assert numbers(all_of_them["messages"]) == list(range(2, 502))
    assert too_many["recovered"] is False
    assert numbers(too_many["messages"]) == list(range(452, 502))


async def test_up_to_512_kib_are_recovered(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)
    epoch = (await ada.ack("join", room="general"))["epoch"]
    await say(ada, 10, blob="x" * 60_000)

    some = await ada.ack("join", room="general", payload={"since": {"epoch": epoch, "seq": 2}})
    too_much = await ada.ack("join", room="general", payload={"since": {"epoch": epoch, "seq": 0}})

    assert (some["recovered"], numbers(some["messages"])) == (True, list(range(3, 11)))
    assert (too_much["recovered"], numbers(too_much["messages"])) == (False, [7, 8, 9, 10])


async def test_what_was_trimmed_cannot_be_recovered(app: App, connect: Connect) -> None:
    mount(app, history_max=5)
    ada = await connect()
    epoch = (await ada.ack("join", room="general"))["epoch"]
    await say(ada, 40)

    kept = await ada.ack("join", room="general", payload={"since": {"epoch": epoch, "seq": 35}})
    trimmed = await ada.ack("join", room="general", payload={"since": {"epoch": epoch, "seq": 34}})

    assert (kept["recovered"], numbers(kept["messages"])) == (True, [36, 37, 38, 39, 40])
    assert (trimmed["recovered"], numbers(trimmed["messages"])) == (False, [36, 37, 38, 39, 40])


async def test_recovery_in_the_middle_of_a_stream_is_contiguous(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada")

    async def talk() -> None:
        for _ in range(200):
            await ada.ack("message", room="general", payload=TEXT)

    async def flicker() -> list[int]:
        epoch, heard = "", [0]
        while heard[-1] < 200:
            bob = await enter(connect, "bob", None)
            since = {"since": {"epoch": epoch, "seq": heard[-1]}} if epoch else {"history": 200}
            joined = await bob.ack("join", room="general", payload=since)
            assert joined["recovered"] is bool(epoch)
            epoch = joined["epoch"]
            heard += numbers(joined["messages"])
            for _ in range(3):
                if heard[-1] < 200:
                    heard.append((await bob.expect("message"))["seq"])
            await bob.abort()
        return heard[1:]

    _, heard = await asyncio.gather(talk(), flicker())

    assert heard == list(range(1, 201))


async def test_a_room_deleted_and_made_again_has_another_epoch(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)
    epoch = (await ada.ack("join", room="general"))["epoch"]
    await say(ada, 1)

    await chat.delete_room("general")
    removed = await ada.expect("room.removed")
    back = await ada.ack("join", room="general", payload={"since": {"epoch": epoch, "seq": 0}})

    assert removed["payload"] == {"room": "general", "reason": "deleted"}
    assert (back["recovered"], back["seq"]) == (False, 0)
    assert back["epoch"] != epoch


# ---- rooms that are not there ----


async def test_the_first_join_makes_a_room_where_that_is_on(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada")

    [room] = (await ada.ack("rooms"))["rooms"]

    assert room == {
        "room": "general",
        "title": "",
        "visibility": "public",
        "seq": 0,
        "unread": 0,
        "more": False,
        "mentions": 0,
        "notify": "all",
        "online": 1,
    }


async def test_elsewhere_a_room_that_is_not_there_is_not_found(app: App, connect: Connect) -> None:
    mount(app, auto_create=False, client_room_ids=True, guests_create_rooms=True)
    ada = await connect()

    assert (await ada.error("join", room="general"))["code"] == "room_not_found"
    await ada.ack("room.create", room="general")
    await ada.ack("join", room="general")


async def test_ids_of_the_servers_own_are_made_by_nobody_else(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)

    for room in ("~x", "~all", "~direct.0000", "~user.0000", "~"):
        assert (await ada.error("join", room=room))["code"] == "room_not_found", room
        assert (await ada.error("history", room=room))["code"] == "room_not_found", room
        assert (await ada.error("room.create", room=room))["code"] == "invalid_field", room


async def test_a_room_that_is_empty_and_in_which_nothing_was_stored_is_forgotten(
    chat: ChatRooms, connect: Connect
) -> None:
    ada, bob = await enter(connect, "ada", "left"), await enter(connect, "bob", "vanished")
    await ada.ack("join", room="told")
    await say(ada, 1, "told")
    await ada.ack("room.create", room="made")
    await ada.ack("exit", room="left")
    await ada.ack("exit", room="told")
    await bob.abort()

    names = {"left"}
    while names & {"left", "vanished"}:
        names = {room["room"] for room in (await ada.ack("rooms"))["rooms"]}

    assert names == {"made", "told"}


# ---- private rooms ----


async def test_a_private_room_answers_exactly_like_one_that_is_not_there(app: App, connect: Connect) -> None:
    chat = mount(
        app, guests=False, direct="everyone", jwt_secret=SECRET, auto_create=False, client_room_ids=True
    )
    owner = await enter(connect, "owner", None)
    await owner.ack("room.create", room="secret", payload={"visibility": "private"})
    await owner.ack("join", room="secret")
    await say(owner, 1, "secret")
    direct = await owner.ack("direct", payload={"to": "bob", "body": TEXT})
    eve = await enter(connect, "eve", None)

    def bare(frame: Frame) -> Frame:
        return {key: value for key, value in frame.items() if key not in ("timestamp", "replyTo", "room")}

    for hidden in ("secret", direct["room"]):
        for type in ("join", "history", "members", "presence", "leave", "message", "typing", "exit"):
            for payload in ({}, {"text": "x"}, {"since": {"epoch": "x", "seq": 0}}):
                here = await eve.request(type, room=hidden, payload=payload)
                nowhere = await eve.request(type, room=hidden.replace("e", "3"), payload=payload)
                assert bare(here) == bare(nowhere), (type, payload)
    assert (await eve.ack("rooms"))["rooms"] == []
    assert (await chat.history("secret")).seq == 1


async def test_a_private_room_is_for_its_members(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada", None), await enter(connect, "bob", None)
    await ada.ack("room.create", room="secret", payload={"visibility": "private", "title": "Ours"})
    joined = await ada.ack("join", room="secret")
    await bob.error("join", room="secret")

    await chat.add_member("secret", User("bob", "Bob"))
    came = await ada.expect("member.joined")
    entered = await bob.ack("join", room="secret")

    assert (joined["role"], joined["title"]) == ("owner", "Ours")
    assert entered["role"] == "member"
    assert came["seq"] == 1
    assert came["payload"]["user"] == {"id": "bob", "name": "Bob"}
    assert [room["room"] for room in (await bob.ack("rooms", payload={"mine": True}))["rooms"]] == ["secret"]
    assert "secret" not in [room["room"] for room in (await bob.ack("rooms"))["rooms"]]

    await bob.ack("leave", room="secret")
    assert (await ada.expect("member.left"))["payload"]["user"] == {"id": "bob", "name": "Bob"}
    assert (await bob.error("join", room="secret"))["code"] == "room_not_found"


async def test_a_kick_is_an_event_and_the_last_the_kicked_hears_of_the_room(
    chat: ChatRooms, connect: Connect
) -> None:
    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")

    await chat.kick("general", "bob")
    await say(ada, 1)
    removed = await bob.expect("room.removed")
    await bob.settle()

    assert removed["payload"] == {"room": "general", "reason": "kicked"}
    assert (await ada.expect("member.kicked"))["seq"] == 1
    assert (await bob.expect("member.kicked"))["seq"] == 1
    assert bob.unread("message") == []
    assert bob.is_open


# ---- making rooms ----


async def test_a_room_is_made_once(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada", None), await enter(connect, "bob", None)
    wanted = {"title": "Süß & salzig", "attributes": {"colour": "red"}}

    first = await ada.ack("room.create", room="food", payload=wanted, msg_id=ID)
    again = await ada.ack("room.create", room="food", payload=wanted, msg_id=ID)
    other = await ada.error("room.create", room="food", payload={"title": "x"}, msg_id=ID)
    new_id = await ada.error("room.create", room="food", payload=wanted)
    theirs = await bob.error("room.create", room="food", payload=wanted, msg_id=ID)
    await bob.send_raw('{"type":"room.create","room":"food"}')

    assert first == {"room": "food", "duplicate": False}
    assert again == {"room": "food", "duplicate": True}
    assert [error["code"] for error in (other, new_id, theirs)] == ["conflict"] * 3
    assert (await bob.expect("error"))["payload"]["code"] == "conflict"
    joined = await bob.ack("join", room="food")
    assert (joined["title"], joined["role"]) == ("Süß & salzig", "member")
    assert (await ada.ack("join", room="food"))["role"] == "owner"


async def test_the_server_picks_an_id_from_user_and_msg_id(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada", None), await enter(connect, "bob", None)

    first = await ada.ack("room.create", payload={"title": "A"}, msg_id=ID)
    again = await ada.ack("room.create", payload={"title": "A"}, msg_id=ID)
    conflict = await ada.error("room.create", payload={"title": "B"}, msg_id=ID)
    next_one = await ada.ack("room.create", payload={"title": "A"})
    theirs = await bob.ack("room.create", payload={"title": "A"}, msg_id=ID)
    await ada.send_raw('{"type":"room.create"}')
    unnamed = (await ada.expect("ack"))["payload"]

    assert again == {"room": first["room"], "duplicate": True}
    assert conflict["code"] == "conflict"
    assert len({first["room"], next_one["room"], theirs["room"], unnamed["room"]}) == 4
    assert (await ada.ack("join", room=first["room"]))["title"] == "A"


async def test_a_guest_who_makes_a_room_owns_it(app: App, connect: Connect) -> None:
    mount(app)
    ada, bob = await connect(), await connect()
    guest_token = (await ada.expect("welcome"))["payload"]["guestToken"]

    await ada.ack("room.create", room="den", payload={"visibility": "private"})
    again = await connect(token=guest_token)

    assert (await again.ack("join", room="den"))["role"] == "owner"
    assert (await bob.error("join", room="den"))["code"] == "room_not_found"
    assert (await bob.ack("join", room="general"))["role"] == "guest"
    assert (await bob.ack("members", room="general"))["members"] == []


# ---- lists ----


async def test_rooms_are_listed_page_by_page(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)
    names = sorted(f"room{n}" for n in range(7))
    for name in names:
        await ada.ack("room.create", room=name)

    seen: list[str] = []
    pages, cursor = 0, None
    while pages == 0 or cursor is not None:
        page = await ada.ack("rooms", payload={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        seen += [room["room"] for room in page["rooms"]]
        cursor, pages = page.get("cursor"), pages + 1

    assert (seen, pages) == (names, 3)
    assert "cursor" not in await ada.ack("rooms", payload={"limit": 7})


async def test_a_cursor_outlives_the_room_it_stands_at(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)
    for name in "abcd":
        await ada.ack("room.create", room=name)
    page = await ada.ack("rooms", payload={"limit": 2})

    await chat.delete_room("b")
    rest = await ada.ack("rooms", payload={"cursor": page["cursor"]})

    assert [room["room"] for room in rest["rooms"]] == ["c", "d"]


async def test_cursors_of_one_list_are_none_of_another(chat: ChatRooms, connect: Connect) -> None:
    ada = await enter(connect, "ada", None)
    for name in "abc":
        await ada.ack("room.create", room=name)
    cursor = (await ada.ack("rooms", payload={"limit": 1}))["cursor"]

    error = await ada.error("rooms", payload={"cursor": cursor, "mine": True})

    assert error["code"] == "invalid_cursor"


async def test_my_rooms_are_those_i_am_a_member_of(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada", "both"), await enter(connect, "bob", "both")
    await ada.ack("room.create", room="adas", payload={"visibility": "private"})
    await bob.ack("room.create", room="bobs")
    await say(ada, 2, "both")

    mine = (await ada.ack("rooms", payload={"mine": True}))["rooms"]

    assert [(r["room"], r["visibility"], r["seq"], r["online"]) for r in mine] == [
        ("adas", "private", 0, 0),
        ("both", "public", 2, 2),
    ]


async def test_members_are_listed_with_role_and_presence(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await enter(connect, "ada", None), await enter(connect, "bob", None)
    await ada.ack("room.create", room="general")
    for client in (ada, bob):
        await client.ack("join", room="general")
    await chat.add_member("general", User("cid", "Cid"), "moderator")

    page = await bob.ack("members", room="general", payload={"limit": 2})
    rest = await bob.ack("members", room="general", payload={"cursor": page["cursor"]})

    members = page["members"] + rest["members"]
    assert [m.keys() for m in members] == [{"id", "name", "role", "online", "lastSeen"}] * 3
    assert [(m["id"], m["name"], m["role"], m["online"]) for m in members] == [
        ("ada", "Ada", "owner", True),
        ("bob", "Bob", "member", True),
        ("cid", "Cid", "moderator", False),
    ]
    assert page["total"] == rest["total"] == 3
    assert "cursor" not in rest


# ---- the worst moment ----


@pytest.fixture
def store(app: App) -> FaultyStore:
    return FaultyStore(MemoryStore())


async def test_a_client_that_vanishes_while_it_joins_leaves_nothing(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await enter(connect, "ada")

    for _ in range(10):
        eve = await enter(connect, "eve", None)
        for _ in range(5):
            await eve.send("join", room="general")
            await eve.send("message", room="general", payload=TEXT)
        await eve.abort()
    while len(chat.connections()) > 1:
        await ada.settle()
    await say(ada, 1)

    users: list[Any] = [0, 0]
    while len(users) > 1:
        users = (await ada.ack("presence", room="general"))["users"]
    assert [user["id"] for user in users] == ["ada"]


async def test_a_store_that_is_away_is_unavailable_and_closes_nothing(
    app: App, store: FaultyStore, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "SWEEP", 600.0)  # or what the chat itself asks the store may fail instead
    mount(app, store=store, store_timeout=0.2)
    ada = await connect()
    await ada.ack("join", room="general")

    store.hang()
    error = await ada.error("message", room="general", payload=TEXT, msg_id=ID)
    store.resume()
    store.fail_next()
    joining = await ada.error("join", room="other")
    ack = await ada.ack("message", room="general", payload=TEXT, msg_id=ID)

    assert (error["code"], error["temporary"]) == ("unavailable", True)
    assert (joining["code"], joining["temporary"]) == ("unavailable", True)
    assert ack["seq"] == 1
    assert (await ada.expect("message"))["seq"] == 1
    await ada.ack("join", room="other")
