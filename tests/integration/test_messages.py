"""What is said in a room: its ack, its event, its number, and that a repetition is none."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, User
from tests.support.client import Client, Frame
from tests.support.fixtures import Connect
from tests.support.wire import SECRET, masked, mount, token, write

App = Sanic[Any, Any]
ID = "0123456789abcdef"
TEXT = {"text": "hi"}


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


def numbers(frames: list[Frame]) -> list[int]:
    return [frame["seq"] for frame in frames]


# ---- the ack and the event ----


async def test_a_message_is_acknowledged_with_what_the_store_gave_it(people: People) -> None:
    ada = await people("ada")

    reply = await ada.request("message", room="general", payload=TEXT, msg_id=ID)

    assert reply.keys() == {"type", "timestamp", "payload", "replyTo"}
    assert reply["payload"].keys() == {"msgId", "seq", "timestamp", "duplicate"}
    assert reply["payload"]["seq"] == 1
    assert reply["payload"]["duplicate"] is False
    assert reply["payload"]["msgId"] != ID


async def test_everybody_in_the_room_gets_the_event_the_sender_too(people: People) -> None:
    ada, bob = await people("ada"), await people("bob")

    ack = await ada.ack(
        "message", room="general", payload={"text": "hi", "mood": {"x": [1, None, 2.5]}}, msg_id=ID
    )
    mine, theirs = await ada.expect("message"), await bob.expect("message")

    assert mine == theirs
    assert mine == {
        "type": "message",
        "msgId": ack["msgId"],
        "timestamp": ack["timestamp"],
        "room": "general",
        "seq": 1,
        "sender": {"id": "ada", "name": "Ada"},
        "clientMsgId": ID,
        "payload": {"text": "hi", "mood": {"x": [1, None, 2.5]}},
    }
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", mine["msgId"])
    assert mine["timestamp"] == round(mine["timestamp"], 3)


async def test_nobody_outside_the_room_gets_it(people: People) -> None:
    ada, bob, eve = await people("ada"), await people("bob", "other"), await people("eve", None)

    await ada.ack("message", room="general", payload=TEXT)
    await bob.settle()
    await eve.settle()

    assert bob.unread("message") == eve.unread("message") == []


async def test_a_message_without_a_msg_id_is_stored_each_time(people: People) -> None:
    ada = await people("ada")
    frame = json.dumps({"type": "message", "room": "general", "payload": TEXT})

    await ada.send_raw(frame)
    await ada.send_raw(frame)

    events = await ada.expect_many("message", 2)
    await ada.settle()
    assert numbers(events) == [1, 2]
    assert all("clientMsgId" not in event for event in events)
    acks = [frame for frame in ada.unread("ack") if "seq" in frame["payload"]]
    assert [ack["payload"]["seq"] for ack in acks] == [1, 2]
    assert all("replyTo" not in ack for ack in acks)


async def test_history_has_events_exactly_as_they_were_sent(people: People) -> None:
    ada = await people("ada")
    await ada.ack("message", room="general", payload={"text": "é😀", "b": 1, "a": [0.1, 1e300]}, msg_id=ID)
    await ada.send_raw('{"type":"message","room":"general","payload":{"text":"no id"}}')
    events = await ada.expect_many("message", 2)

    history = await ada.ack("history", room="general")
    log = await ada.ack("join", room="general", payload={"since": {"epoch": history["epoch"], "seq": 0}})

    assert history["messages"] == log["messages"] == events


async def test_the_text_may_be_empty_and_as_long_as_the_limit(people: People) -> None:
    ada = await people("ada")

    await ada.ack("message", room="general", payload={"text": ""})
    await ada.ack("message", room="general", payload={"text": "x" * 16_000})

    assert (await ada.error("message", room="general", payload={"text": "x" * 16_001}))["code"] == "too_large"


# ---- order ----


async def test_every_receiver_sees_one_order_without_holes(people: People) -> None:
    clients = [await people(f"user{n}") for n in range(5)]

    async def talk(client: Client) -> None:
        ids = [await client.send("message", room="general", payload={"text": str(n)}) for n in range(40)]
        seqs = [(await client.reply(id))["payload"]["seq"] for id in ids]
        assert seqs == sorted(seqs)

    await asyncio.gather(*map(talk, clients))
    heard = [await client.expect_many("message", 200) for client in clients]

    assert numbers(heard[0]) == list(range(1, 201))
    assert all(one == heard[0] for one in heard)
    for sender in range(5):
        mine = [e["payload"]["text"] for e in heard[0] if e["sender"]["id"] == f"user{sender}"]
        assert mine == [str(n) for n in range(40)]


async def test_rooms_are_numbered_each_by_itself(people: People) -> None:
    ada = await people("ada")
    await ada.ack("join", room="other")

    seqs = [
        (await ada.ack("message", room=room, payload=TEXT))["seq"] for room in ("general", "other", "general")
    ]

    assert seqs == [1, 1, 2]


async def test_commands_take_effect_in_the_order_they_were_sent(people: People) -> None:
    ada = await people("ada", None)
    commands: list[dict[str, Any]] = [
        {"type": "join", "room": "general"},
        {"type": "message", "room": "general", "payload": {"text": "1"}},
        {"type": "message", "room": "general", "payload": {"text": "2"}},
        {"type": "history", "room": "general"},
        {"type": "exit", "room": "general"},
        {"type": "message", "room": "general", "payload": {"text": "3"}},
        {"type": "join", "room": "general"},
    ]

    write(
        ada,
        b"".join(masked(1, json.dumps(c | {"msgId": ID + str(n)}).encode()) for n, c in enumerate(commands)),
    )
    replies = [await ada.reply(ID + str(n)) for n in range(len(commands))]

    assert [reply["type"] for reply in replies] == ["ack"] * 5 + ["error", "ack"]
    assert [m["payload"]["text"] for m in replies[3]["payload"]["messages"]] == ["1", "2"]
    assert replies[5]["payload"]["code"] == "not_a_member"
    assert [m["payload"]["text"] for m in replies[6]["payload"]["messages"]] == ["1", "2"]


async def test_a_thousand_messages_in_one_breath_are_all_answered_in_order(people: People) -> None:
    ada, bob = await people("ada"), await people("bob")
    say = json.dumps({"type": "message", "room": "general", "payload": TEXT})

    write(ada, masked(1, say.encode()) * 1000)

    assert numbers(await bob.expect_many("message", 1000)) == list(range(1, 1001))
    await ada.settle()
    acks = [frame["payload"]["seq"] for frame in ada.unread("ack")]
    assert acks == list(range(1, 1001))


async def test_a_guest_and_a_burst_behind_a_join_wait_their_turn(people: People) -> None:
    ada = await people("ada", None)
    join = json.dumps({"type": "join", "room": "general"}).encode()
    say = json.dumps({"type": "message", "room": "general", "payload": TEXT}).encode()

    write(ada, masked(1, join) + masked(1, say) * 300)

    assert numbers(await ada.expect_many("message", 300)) == list(range(1, 301))


# ---- once is once ----


async def test_repeating_a_message_stores_it_once_and_gives_the_first_ack(people: People) -> None:
    ada, bob = await people("ada"), await people("bob")

    first = await ada.ack("message", room="general", payload=TEXT, msg_id=ID)
    again = await ada.ack("message", room="general", payload=TEXT, msg_id=ID)
    await bob.settle()

    assert again == {**first, "duplicate": True}
    assert len(bob.unread("message")) == 1
    assert (await ada.ack("history", room="general"))["seq"] == 1


async def test_repeating_it_at_the_same_time_stores_it_once(people: People) -> None:
    ada = await people("ada")
    say = json.dumps({"type": "message", "room": "general", "payload": TEXT, "msgId": ID}).encode()

    write(ada, masked(1, say) * 5)
    replies = [await ada.reply(ID) for _ in range(5)]

    assert [reply["payload"]["duplicate"] for reply in replies] == [False, True, True, True, True]
    assert {reply["payload"]["seq"] for reply in replies} == {1}
    assert len(ada.unread("message")) == 1


async def test_repeating_it_on_another_connection_of_the_user_stores_it_once(people: People) -> None:
    one, two = await people("ada"), await people("ada")

    first = await one.ack("message", room="general", payload=TEXT, msg_id=ID)
    await one.abort()
    again = await two.ack("message", room="general", payload=TEXT, msg_id=ID)

    assert again == {**first, "duplicate": True}


async def test_another_user_or_room_may_use_the_same_msg_id(people: People) -> None:
    ada, bob = await people("ada"), await people("bob")
    await ada.ack("join", room="other")

    acks = [
        await ada.ack("message", room="general", payload=TEXT, msg_id=ID),
        await bob.ack("message", room="general", payload=TEXT, msg_id=ID),
        await ada.ack("message", room="other", payload=TEXT, msg_id=ID),
    ]

    assert [ack["duplicate"] for ack in acks] == [False, False, False]


async def test_the_same_msg_id_with_another_payload_is_a_conflict(people: People) -> None:
    ada = await people("ada")
    first = await ada.ack("message", room="general", payload=TEXT, msg_id=ID)

    error = await ada.error("message", room="general", payload={"text": "ho"}, msg_id=ID)
    again = await ada.ack("message", room="general", payload=TEXT, msg_id=ID)

    assert (error["code"], error["temporary"]) == ("conflict", False)
    assert again == {**first, "duplicate": True}
    assert (await ada.ack("history", room="general"))["seq"] == 1


async def test_payloads_are_compared_by_what_they_say(people: People) -> None:
    ada = await people("ada")
    await ada.send_raw(f'{{"type":"message","room":"general","msgId":"{ID}","payload":{{"text":"hi"}}}}')
    await ada.reply(ID)

    await ada.send_raw(
        f'{{"type":"message","room":"general","msgId":"{ID}","payload":{{"text": "hi","x":1}}}}'
    )
    other = await ada.reply(ID)
    await ada.send_raw(
        f'{{ "msgId":"{ID}", "payload":{{"text": "hi"}}, "room":"general", "type":"message", "x":1}}'
    )
    same = await ada.reply(ID)

    assert other["payload"]["code"] == "conflict"
    assert same["payload"]["duplicate"] is True


async def test_a_user_repeats_by_the_app_what_they_said_by_a_connection(
    chat: ChatRooms, people: People
) -> None:
    ada = await people("ada")
    said = await ada.ack("message", room="general", payload={"text": "hi", "n": [1, "ü"]}, msg_id=ID)
    by_app = await chat.publish(
        "general", "message", {"text": "hi", "n": [1, "ü"]}, key=ID, as_user=User("ada", "Ada")
    )
    other = "another-0123456789"
    first = await chat.publish("general", "message", {"text": "ho"}, key=other, as_user=User("ada", "Ada"))
    again = await ada.ack("message", room="general", payload={"text": "ho"}, msg_id=other)

    assert (by_app.seq, by_app.msg_id, by_app.duplicate) == (said["seq"], said["msgId"], True)
    assert (again["seq"], again["duplicate"]) == (first.seq, True)


async def test_the_same_msg_id_with_another_type_is_a_conflict(people: People) -> None:
    ada = await people("ada")
    direct = await ada.ack("direct", payload={"to": "bob", "body": TEXT}, msg_id=ID)
    await ada.ack("join", room=direct["room"])

    error = await ada.error(
        "message", room=direct["room"], payload={"to": "bob", "body": TEXT, "text": "x"}, msg_id=ID
    )

    assert error["code"] == "conflict"


async def test_a_message_that_was_trimmed_meanwhile_is_still_a_duplicate(app: App, connect: Connect) -> None:
    mount(app, history_max=2)
    ada = await connect()
    await ada.ack("join", room="general")
    first = await ada.ack("message", room="general", payload=TEXT, msg_id=ID)
    for _ in range(30):
        await ada.ack("message", room="general", payload=TEXT)

    again = await ada.ack("message", room="general", payload=TEXT, msg_id=ID)

    assert again == {**first, "duplicate": True}


async def test_a_refused_message_may_be_sent_again_under_its_msg_id(people: People) -> None:
    ada = await people("ada", None)

    refused = await ada.error("message", room="general", payload=TEXT, msg_id=ID)
    await ada.ack("join", room="general")
    ack = await ada.ack("message", room="general", payload=TEXT, msg_id=ID)

    assert refused["code"] == "not_a_member"
    assert ack["duplicate"] is False


# ---- history ----


@pytest.fixture
async def told(people: People) -> Client:
    """Ada in a room with messages 1 to 250."""
    ada = await people("ada")
    say = [
        json.dumps({"type": "message", "room": "general", "payload": {"text": str(n)}}) for n in range(1, 251)
    ]
    write(ada, b"".join(masked(1, one.encode()) for one in say))
    await ada.expect("message", seq=250)
    return ada


async def test_history_pages_are_exclusive_ascending_and_say_more(told: Client) -> None:
    async def ask(**payload: int) -> tuple[int, int, int, bool]:
        page = await told.ack("history", room="general", payload=payload)
        seqs = numbers(page["messages"])
        assert page.keys() == {"messages", "more", "epoch", "seq"}
        assert page["seq"] == 250
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True
        return (seqs[0] if seqs else 0, seqs[-1] if seqs else 0, len(seqs), page["more"])

    assert await ask() == (201, 250, 50, True)
    assert await ask(limit=3) == (248, 250, 3, True)
    assert await ask(before=201) == (151, 200, 50, True)
    assert await ask(before=4) == (1, 3, 3, False)
    assert await ask(before=4, limit=2) == (2, 3, 2, True)
    assert await ask(before=1) == (0, 0, 0, False)
    assert await ask(before=0) == (0, 0, 0, False)
    assert await ask(before=251, limit=1) == (250, 250, 1, True)
    assert await ask(before=2**53 - 1, limit=1) == (250, 250, 1, True)
    assert await ask(after=0) == (1, 50, 50, True)
    assert await ask(after=0, limit=200) == (1, 200, 200, True)
    assert await ask(after=200) == (201, 250, 50, False)
    assert await ask(after=199) == (200, 249, 50, True)
    assert await ask(after=250) == (0, 0, 0, False)
    assert await ask(after=9999) == (0, 0, 0, False)
    assert await ask(limit=1000) == (51, 250, 200, True)
    assert await ask(after=0, limit=2**53 - 1) == (1, 200, 200, True)


async def test_reading_backwards_and_forwards_finds_each_message_once(told: Client) -> None:
    back: list[int] = []
    page: dict[str, Any] = {"more": True}
    while page["more"]:
        page = await told.ack(
            "history", room="general", payload={"before": back[0], "limit": 70} if back else {"limit": 70}
        )
        back = numbers(page["messages"]) + back
    forth: list[int] = []
    page = {"more": True}
    while page["more"]:
        page = await told.ack(
            "history", room="general", payload={"after": forth[-1] if forth else 0, "limit": 70}
        )
        forth += numbers(page["messages"])

    assert back == forth == list(range(1, 251))


async def test_history_needs_no_join(people: People, told: Client) -> None:
    eve = await people("eve", None)

    assert len((await eve.ack("history", room="general"))["messages"]) == 50


async def test_the_size_of_a_page_is_a_setting(app: App, connect: Connect) -> None:
    mount(app, history_page=2)
    ada = await connect()
    assert (await ada.expect("welcome"))["payload"]["limits"]["historyPage"] == 2
    await ada.ack("join", room="general")
    for _ in range(3):
        await ada.ack("message", room="general", payload=TEXT)

    page = await ada.ack("history", room="general")
    joined = await ada.ack("join", room="general")

    assert numbers(page["messages"]) == numbers(joined["messages"]) == [2, 3]


async def test_a_page_ends_at_256_kib(people: People) -> None:
    ada = await people("ada")
    for _ in range(10):
        await ada.ack("message", room="general", payload={"text": "x", "blob": "y" * 60_000})

    newest = await ada.ack("history", room="general")
    oldest = await ada.ack("history", room="general", payload={"after": 0})
    joined = await ada.ack("join", room="general")

    assert numbers(newest["messages"]) == numbers(joined["messages"]) == [7, 8, 9, 10]
    assert numbers(oldest["messages"]) == [1, 2, 3, 4]
    assert newest["more"] is oldest["more"] is joined["more"] is True


async def test_a_page_holds_at_least_one_message(app: App, connect: Connect) -> None:
    mount(app, max_frame=400_000, outbox_limit=4_000_000)
    ada = await connect()
    await ada.ack("join", room="general")
    for _ in range(2):
        await ada.ack("message", room="general", payload={"text": "x", "blob": "y" * 300_000})

    page = await ada.ack("history", room="general")

    assert numbers(page["messages"]) == [2]
    assert page["more"] is True


async def test_trimmed_messages_are_not_in_history_and_more_does_not_promise_them(
    app: App, connect: Connect
) -> None:
    mount(app, history_max=5)
    ada = await connect()
    await ada.ack("join", room="general")
    for _ in range(40):
        await ada.ack("message", room="general", payload=TEXT)

    page = await ada.ack("history", room="general")
    start = await ada.ack("history", room="general", payload={"after": 0})

    assert numbers(page["messages"]) == numbers(start["messages"]) == [36, 37, 38, 39, 40]
    assert page["more"] is start["more"] is False


# ---- typing ----


async def test_typing_tells_the_room_who_types_now(people: People) -> None:
    ada, bob = await people("ada"), await people("bob")

    assert await ada.ack("typing", room="general", payload={"active": True}) == {}
    event = await bob.expect("typing")
    await bob.ack("typing", room="general", payload={"active": True})
    both = await ada.expect(
        "typing", payload={"users": [{"id": "ada", "name": "Ada"}, {"id": "bob", "name": "Bob"}]}
    )

    assert event["payload"] == {"users": [{"id": "ada", "name": "Ada"}]}
    assert event["room"] == both["room"] == "general"
    assert "seq" not in event


async def test_typing_ends_when_they_say_so(people: People) -> None:
    ada, bob = await people("ada"), await people("bob")
    await ada.ack("typing", room="general", payload={"active": True})
    await bob.expect("typing")

    await ada.ack("typing", room="general", payload={"active": False})

    assert (await bob.expect("typing"))["payload"] == {"users": []}


@pytest.mark.parametrize("how", ["message", "exit", "leave", "close"])
async def test_typing_ends_when_they_send_or_go(people: People, how: str) -> None:
    ada, bob = await people("ada"), await people("bob")
    await ada.ack("typing", room="general", payload={"active": True})
    await bob.expect("typing")

    if how == "close":
        await ada.abort()
    else:
        await ada.ack(how, room="general", payload=TEXT)

    assert (await bob.expect("typing"))["payload"] == {"users": []}


async def test_typing_is_no_part_of_history(people: People) -> None:
    ada = await people("ada")

    await ada.ack("typing", room="general", payload={"active": True})
    await ada.expect("typing")

    assert (await ada.ack("history", room="general"))["messages"] == []
    assert (await ada.ack("message", room="general", payload=TEXT))["seq"] == 1


async def test_typing_ends_by_itself(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.live.typing.LINGER", 0.1)
    ada, bob = await people("ada"), await people("bob")

    await ada.ack("typing", room="general", payload={"active": True})
    await bob.expect("typing", payload={"users": [{"id": "ada", "name": "Ada"}]})

    await bob.expect("typing", payload={"users": []})


# ---- what the app says ----


async def test_what_the_app_publishes_is_durable_and_numbered(chat: ChatRooms, people: People) -> None:
    ada = await people("ada")
    await ada.ack("message", room="general", payload=TEXT)

    appended = await chat.publish("general", "ORDER_CREATED", {"orderId": 7})
    event = await ada.expect("ORDER_CREATED")

    assert event["seq"] == appended.seq == 2
    assert event["payload"] == {"orderId": 7}
    assert "sender" not in event
    assert "clientMsgId" not in event
    assert (await ada.ack("history", room="general"))["messages"][-1] == event


@pytest.mark.parametrize(
    ("type", "payload"),
    [
        ("notice", {"title": "Hi", "content": "there"}),
        ("update", {"field": "price", "value": 7}),
        ("redirect", {"url": "https://shop.example/thanks"}),
        ("cursor.moved", {"x": 1}),
    ],
)
async def test_pushes_reach_a_room_a_user_a_session_and_everybody(
    chat: ChatRooms, people: People, type: str, payload: dict[str, Any]
) -> None:
    ada, again, bob = await people("ada"), await people("ada", None), await people("bob", None)
    session = (await again.expect("welcome"))["payload"]["sessionId"]

    await chat.push("general", type, payload)
    event = await ada.expect(type)
    assert event["room"] == "general"
    assert event["payload"] == payload
    assert "seq" not in event
    assert event["msgId"]

    await chat.notify("ada", type, payload)
    for client in (ada, again):
        got = await client.expect(type)
        assert got["payload"] == payload
        assert "room" not in got

    await chat.notify("ada", type, payload, session=session)
    await again.expect(type)
    await chat.broadcast(type, payload)
    for client in (ada, again, bob):
        await client.expect(type)
        await client.settle()
        assert client.unread(type) == []
    assert (await ada.ack("history", room="general"))["seq"] == 0


async def test_pushes_do_not_reach_who_has_not_authenticated(chat: ChatRooms, connect: Connect) -> None:
    nobody = await connect()

    await chat.broadcast("notice", {"title": "t", "content": "c"})
    await nobody.error("ping")

    assert nobody.unread("notice") == []


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        " javascript:x",
        "JaVaScRiPt:x",
        "ftp://x",
    ],
)
async def test_a_redirect_leads_to_http_only(chat: ChatRooms, people: People, url: str) -> None:
    from sanic_chatrooms.errors import InvalidField

    await people("ada")

    with pytest.raises(InvalidField):
        await chat.notify("ada", "redirect", {"url": url})
