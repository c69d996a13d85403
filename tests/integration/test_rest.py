"""REST in a real server: reads and changes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import FaultyStore
from tests.support.fixtures import Connect, Live
from tests.support.rest import Rest, Visit
from tests.support.server import new_app
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
KEY, OTHER_KEY = "k" * 16, "o" * 16
MESSAGES = "/rooms/general/messages"


BOTH = pytest.mark.parametrize("chat", ["memory:", "sqlite"], indirect=True)
"""In memory and in a database."""


@pytest.fixture
def chat(app: App, request: pytest.FixtureRequest, tmp_path: Any) -> ChatRooms:
    stored = getattr(request, "param", "memory:") == "sqlite"
    store = f"sqlite:///{tmp_path}/chat.db" if stored else "memory:"
    return mount(app, guests=False, jwt_secret=SECRET, auto_create=True, api=True, store=store)


async def test_a_message_is_sent_and_read(visit: Visit) -> None:
    ada = await visit()

    sent = await ada("POST", MESSAGES, {"text": "hi", "mood": [1.50]})

    assert sent.status == 201
    assert sent.headers["location"] == f"/chat/api/rooms/general/messages/{sent.body['msgId']}"
    page = await ada.get(MESSAGES)
    [message] = page["messages"]
    assert message["payload"] == {"text": "hi", "mood": [1.5]}
    assert (await ada("GET", sent.headers["location"], prefix="")).body == message


async def test_a_body_is_stored_byte_for_byte(chat: ChatRooms, visit: Visit) -> None:
    ada = await visit()
    body = b'{"text": "\\u0041",  "n": 1.50}'

    await ada("POST", MESSAGES, body)

    page = await ada.server.request("GET", f"/chat/api{MESSAGES}", ada.headers)
    assert body in page.body


async def test_a_message_joins_a_public_room(chat: ChatRooms, visit: Visit) -> None:
    ada = await visit()

    await ada("POST", MESSAGES, {"text": "hi"})

    assert [line["id"] for line in (await ada.get("/rooms/general/members"))["members"]] == ["ada"]
    assert (await ada.get("/rooms/general"))["role"] == "member"


async def test_reading_joins_no_room_and_makes_none(visit: Visit) -> None:
    ada = await visit()

    missing = await ada("GET", MESSAGES)

    assert (missing.status, missing.code) == (404, "room_not_found")
    assert (await ada("GET", "/rooms")).body == {"rooms": []}


async def test_a_message_of_the_wrong_form_makes_no_room(visit: Visit) -> None:
    ada = await visit()

    refused = await ada("POST", MESSAGES, {"text": 5})

    assert (refused.status, refused.code, refused.body["field"]) == (400, "invalid_field", "text")
    assert (await ada.get("/rooms"))["rooms"] == []


async def test_a_message_that_is_refused_leaves_no_room_behind(visit: Visit) -> None:
    ada = await visit()

    refused = await ada("POST", MESSAGES, {"text": "hi", "parent": "no such message"})

    assert (refused.status, refused.code) == (400, "invalid_field")
    assert (await ada.get("/rooms"))["rooms"] == []


@BOTH
async def test_a_room_is_made_changed_and_deleted(visit: Visit) -> None:
    ada = await visit()

    made = await ada("POST", "/rooms", {"room": "club", "title": "Club", "visibility": "private"})
    changed = await ada("PATCH", "/rooms/club", {"title": "The Club"})

    assert (made.status, made.headers["location"], made.body) == (
        201,
        "/chat/api/rooms/club",
        {"room": "club", "duplicate": False},
    )
    assert changed.body == {"seq": 1, "duplicate": False}
    assert (await ada.get("/rooms/club"))["title"] == "The Club"
    assert [line["room"] for line in (await ada.get("/rooms?mine=true"))["rooms"]] == ["club"]
    assert (await ada("DELETE", "/rooms/club")).body == {"duplicate": False}
    assert (await ada("GET", "/rooms/club")).code == "room_not_found"


async def test_the_server_chooses_the_id_of_a_room(visit: Visit) -> None:
    ada = await visit()

    made = await ada("POST", "/rooms", {"title": "Club"}, Idempotency_Key=KEY)
    again = await ada("POST", "/rooms", {"title": "Club"}, Idempotency_Key=KEY)

    assert made.body["room"].startswith("r-")
    assert again.body == {**made.body, "duplicate": True}


@BOTH
@pytest.mark.parametrize("key", [KEY, f'"{KEY}"'])
async def test_the_same_key_is_the_same_command(visit: Visit, key: str) -> None:
    ada = await visit()
    first = await ada("POST", MESSAGES, {"text": "hi"}, Idempotency_Key=key)

    again = await ada("POST", MESSAGES, {"text": "hi"}, Idempotency_Key=KEY)
    other = await ada("POST", MESSAGES, {"text": "hello"}, Idempotency_Key=KEY)

    assert again.body == {**first.body, "duplicate": True}
    assert (other.status, other.code) == (409, "conflict")
    assert (await ada.get("/rooms/general"))["role"] == "member"


async def test_the_key_is_the_msg_id_of_the_socket(visit: Visit, connect: Connect) -> None:
    ada = await visit()
    sent = await ada("POST", MESSAGES, {"text": "hi"}, Idempotency_Key=KEY)

    socket = await connect(token=token("ada"))
    await socket.ack("join", room="general")
    again = await socket.ack("message", room="general", payload={"text": "hi"}, msg_id=KEY)

    assert again["duplicate"]
    assert again["seq"] == sent.body["seq"]


async def test_a_repetition_is_answered_after_a_ban(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club"})
    sent = await bob("POST", "/rooms/club/messages", {"text": "hi"}, Idempotency_Key=KEY)
    await ada("PUT", "/rooms/club/bans/bob", {"reason": "spam"})

    again = await bob("POST", "/rooms/club/messages", {"text": "hi"}, Idempotency_Key=KEY)
    other = await bob("POST", "/rooms/club/messages", {"text": "hi"}, Idempotency_Key=OTHER_KEY)

    assert (again.status, again.body["seq"], again.body["duplicate"]) == (201, sent.body["seq"], True)
    assert (other.status, other.code) == (403, "banned")


@BOTH
async def test_members_come_and_go(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club", "visibility": "private"})
    await bob("POST", MESSAGES, {"text": "hi"})
    await ada("POST", MESSAGES, {"text": "hi"})

    added = await ada("PUT", "/rooms/club/members/bob")
    promoted = await ada("PUT", "/rooms/club/members/bob", {"role": "moderator"})

    assert (added.status, promoted.status) == (200, 200), (added, promoted)
    assert (await bob.get("/rooms/club"))["role"] == "moderator"
    assert (await bob("DELETE", "/rooms/club/members/bob")).body == {}
    assert (await bob("GET", "/rooms/club")).status == 404
    assert [line["id"] for line in (await ada.get("/rooms/club/members"))["members"]] == ["ada"]


async def test_a_repeated_addition_with_a_role_is_the_same_addition(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club", "visibility": "private"})
    for one in (ada, bob):
        await one("POST", MESSAGES, {"text": "hi"})
    first = await ada("PUT", "/rooms/club/members/bob", {"role": "moderator"}, Idempotency_Key=KEY)

    again = await ada("PUT", "/rooms/club/members/bob", {"role": "moderator"}, Idempotency_Key=KEY)
    role = await ada("PUT", "/rooms/club/members/bob", {"role": "admin"}, Idempotency_Key=OTHER_KEY)
    role_again = await ada("PUT", "/rooms/club/members/bob", {"role": "admin"}, Idempotency_Key=OTHER_KEY)

    assert again.body == {**first.body, "duplicate": True}
    assert role.body["duplicate"] is False
    assert role_again.body == {**role.body, "duplicate": True}


async def test_a_kick_has_a_reason_in_the_body_or_in_the_query(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club"})
    since = await ada.get("/rooms/club/events")
    for reason in ("in the body", "in the query"):
        await bob("POST", "/rooms/club/messages", {"text": "hi"})
        body, query = ({"reason": reason}, "") if "body" in reason else (None, "?reason=in%20the%20query")
        assert (await ada("DELETE", f"/rooms/club/members/bob{query}", body)).status == 200

    events = (await ada.get(f"/rooms/club/events?since={since['epoch']}:{since['seq']}"))["events"]

    kicks = [event["payload"]["reason"] for event in events if event["type"] == "member.kicked"]
    assert kicks == ["in the body", "in the query"]


async def test_an_invited_user_accepts_or_declines(visit: Visit) -> None:
    ada, bob, eve = await visit(), await visit("bob"), await visit("eve")
    await ada("POST", "/rooms", {"room": "club", "visibility": "private"})
    for other in (ada, bob, eve):
        await other("POST", MESSAGES, {"text": "hi"})

    for name in ("bob", "eve"):
        assert (await ada("POST", "/rooms/club/invitations", {"user": name})).status == 200

    assert [line["room"] for line in (await bob.get("/rooms?invited=true"))["rooms"]] == ["club"]
    assert (await bob("POST", "/rooms/club/accept")).body["role"] == "member"
    assert (await eve("POST", "/rooms/club/decline")).body == {}
    assert (await eve("GET", "/rooms/club")).code == "room_not_found"


@BOTH
async def test_messages_have_reactions_pins_replies_and_reports(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club"})
    sent = await bob("POST", "/rooms/club/messages", {"text": "hi"})
    message = f"/rooms/club/messages/{sent.body['msgId']}"

    reacted = await ada("PUT", f"{message}/reactions/%F0%9F%91%8D")
    named = await ada("PUT", f"{message}/reactions/:tada:")
    pinned = await ada("PUT", f"{message}/pin")
    reply = await ada("POST", "/rooms/club/messages", {"text": "yes", "parent": sent.body["msgId"]})
    reported = await ada("POST", f"{message}/report", {"reason": "spam"})

    assert (reacted.body["count"], named.body["count"], pinned.status) == (1, 1, 200)
    assert reported.status == 200
    assert set(reported.body) == {"id", "duplicate"}
    thread = await ada.get(f"{message}/thread")
    assert [one["msgId"] for one in thread["messages"]] == [reply.body["msgId"]]
    shown = await bob.get(message)
    assert set(shown["reactions"]) == {"👍", ":tada:"}
    assert shown["pinned"]["by"]["id"] == "ada"
    assert (await ada("DELETE", f"{message}/reactions/%F0%9F%91%8D")).body["count"] == 0
    assert (await ada("DELETE", f"{message}/pin")).status == 200
    assert "pinned" not in await bob.get(message)


@BOTH
async def test_what_is_unread(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await bob("POST", MESSAGES, {"text": "hello"})
    await ada("POST", MESSAGES, {"text": "hi"})
    last = await bob("POST", MESSAGES, {"text": "@ada", "mentions": ["ada"]})

    assert (await ada.get("/rooms/general/read"))["unread"] == 1
    assert (await ada.get("/unread?rooms=general,nowhere"))["rooms"]["general"]["mentions"] == 1
    assert await ada.get("/badge") == {"rooms": 1, "mentions": 1, "more": False}
    marked = await ada("PUT", "/rooms/general/read", {"seq": last.body["seq"]})
    assert marked.body == {"unread": 0, "more": False, "mentions": 0, "read": last.body["seq"]}
    assert (await ada.get("/rooms/general/read"))["unread"] == 0
    assert (await ada("GET", "/rooms/nowhere/read")).code == "room_not_found"


async def test_a_direct_message(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    for one in (ada, bob):
        await one("POST", MESSAGES, {"text": "hi"})

    sent = await ada("POST", "/direct", {"to": "bob", "body": {"text": "psst"}})

    assert sent.status == 201
    assert (await bob("GET", sent.headers["location"], prefix="")).body["payload"] == {"text": "psst"}
    answer = await bob("POST", f"/rooms/{sent.body['room']}/messages", {"text": "yes?"})
    assert answer.status == 201


@BOTH
async def test_search_finds_where_the_store_does(visit: Visit, chat: ChatRooms) -> None:
    ada = await visit()
    await ada("POST", MESSAGES, {"text": "the harbour at night"})

    found = await ada("GET", "/search?query=harbour&room=general")

    if found.status == 200:
        assert [one["payload"]["text"] for one in found.body["messages"]] == ["the harbour at night"]
    else:
        assert (found.status, found.code) == (404, "unknown_command")


async def test_me(visit: Visit) -> None:
    ada = await visit(scopes=["chat:read"])

    assert (await ada.get("/me"))["user"] == {"id": "ada", "name": "Ada", "scopes": ["chat:read"]}


async def test_a_ticket_opens_a_connection(visit: Visit, connect: Connect) -> None:
    ada = await visit()

    ticket = await ada("POST", "/tickets")

    socket = await connect(f"/chat/ws?ticket={ticket.body['ticket']}")
    assert (await socket.expect("welcome"))["payload"]["user"]["id"] == "ada"


# ---- reads that were read before, changes of what was changed ----


async def test_what_has_not_changed_is_not_sent_again(visit: Visit) -> None:
    ada = await visit()
    await ada("POST", MESSAGES, {"text": "hi"})
    first = await ada("GET", MESSAGES)

    again = await ada("GET", MESSAGES, If_None_Match=f'"other", W/{first.headers["etag"]}')
    await ada("POST", MESSAGES, {"text": "more"})
    changed = await ada("GET", MESSAGES, If_None_Match=first.headers["etag"])

    assert (again.status, again.body, again.headers["etag"]) == (304, None, first.headers["etag"])
    assert changed.status == 200
    assert changed.headers["etag"] != first.headers["etag"]


async def test_an_edit_of_another_version_is_refused(visit: Visit) -> None:
    ada = await visit()
    sent = await ada("POST", MESSAGES, {"text": "hi"})
    message = f"{MESSAGES}/{sent.body['msgId']}"
    tag = (await ada("GET", message)).headers["etag"]

    edited = await ada("PATCH", message, {"text": "hello"}, If_Match=tag)
    late = await ada("PATCH", message, {"text": "good evening"}, If_Match=tag)
    removed = await ada("DELETE", message, If_Match=tag)

    assert edited.status == 200
    assert (late.status, late.code) == (412, "changed")
    assert removed.status == 412
    assert (await ada.get(message))["payload"] == {"text": "hello"}
    assert (await ada("DELETE", message, If_Match="*")).status == 200


@BOTH
async def test_of_many_edits_of_one_version_one_is_stored(visit: Visit) -> None:
    ada = await visit()
    sent = await ada("POST", MESSAGES, {"text": "hi"})
    message = f"{MESSAGES}/{sent.body['msgId']}"
    tag = (await ada("GET", message)).headers["etag"]

    edits = [ada("PATCH", message, {"text": f"version {number}"}, If_Match=tag) for number in range(8)]

    assert sorted([answer.status for answer in await asyncio.gather(*edits)]) == [200, *[412] * 7]


async def test_of_many_changes_of_one_version_of_a_room_one_is_stored(visit: Visit) -> None:
    """Also where clients write the room's name in other ways, as they may with a colon."""
    ada = await visit()
    await ada("POST", "/rooms", {"room": "a:b"})
    tag = (await ada("GET", "/rooms/a:b")).headers["etag"]

    answers = await asyncio.gather(
        *(
            ada("PATCH", path, {"title": f"title {path}"}, If_Match=tag)
            for path in ("/rooms/a:b", "/rooms/a%3Ab", "/rooms/a%3ab", "/rooms/%61:b", "/rooms/a:b/")
        )
    )

    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412]


async def on_two_workers(app: App, live: Live, folder: Path) -> list[Rest]:
    """A user at each of two workers, and a room."""

    async def slow() -> None:
        await asyncio.sleep(0.05)  # so that both have read before one of them writes

    bus, users = MemoryBus(), []
    for one in (app, new_app()):
        store = FaultyStore(SQLStore(f"sqlite:///{folder}/chat.db"), latency=slow)
        broker = MemoryBroker(bus)
        mount(one, guests=False, jwt_secret=SECRET, auto_create=True, api=True, store=store, broker=broker)
        users.append(Rest(await live(one), "ada"))
    await users[0]("POST", "/rooms", {"room": "club"})
    return users


async def test_of_two_changes_of_one_version_of_a_room_on_two_workers_one_is_stored(
    app: App, live: Live, tmp_path: Path
) -> None:
    users = await on_two_workers(app, live, tmp_path)
    tag = (await users[1]("GET", "/rooms/club")).headers["etag"]

    answers = await asyncio.gather(
        *(user("PATCH", "/rooms/club", {"title": f"title {n}"}, If_Match=tag) for n, user in enumerate(users))
    )

    assert sorted(answer.status for answer in answers) == [200, 412]
    changed = next(n for n, answer in enumerate(answers) if answer.status == 200)
    assert (await users[0].get("/rooms/club"))["title"] == f"title {changed}"


async def test_a_repetition_on_another_worker_in_the_same_moment_has_the_first_answer(
    app: App, live: Live, tmp_path: Path
) -> None:
    users = await on_two_workers(app, live, tmp_path)
    tag = (await users[1]("GET", "/rooms/club")).headers["etag"]

    answers = await asyncio.gather(
        *(
            user("PATCH", "/rooms/club", {"title": "Club"}, If_Match=tag, Idempotency_Key=KEY)
            for user in users
        )
    )

    assert [answer.status for answer in answers] == [200, 200]
    assert sorted(answer.body["duplicate"] for answer in answers) == [False, True]
    assert len({answer.body["seq"] for answer in answers}) == 1


async def test_a_reaction_does_not_stop_an_edit(visit: Visit) -> None:
    ada = await visit()
    sent = await ada("POST", MESSAGES, {"text": "hi"})
    message = f"{MESSAGES}/{sent.body['msgId']}"
    tag = (await ada("GET", message)).headers["etag"]
    await ada("PUT", f"{message}/reactions/:tada:")

    assert (await ada("GET", message, If_None_Match=tag)).status == 200
    assert (await ada("PATCH", message, {"text": "hello"}, If_Match=tag)).status == 200


async def test_a_repeated_edit_has_its_first_answer(visit: Visit) -> None:
    ada = await visit()
    sent = await ada("POST", MESSAGES, {"text": "hi"})
    message = f"{MESSAGES}/{sent.body['msgId']}"
    tag = (await ada("GET", message)).headers["etag"]
    first = await ada("PATCH", message, {"text": "hello"}, If_Match=tag, Idempotency_Key=KEY)

    again = await ada("PATCH", message, {"text": "hello"}, If_Match=tag, Idempotency_Key=KEY)

    assert again.body == {**first.body, "duplicate": True}


async def test_a_repeated_deletion_has_its_first_answer_although_the_room_is_gone(visit: Visit) -> None:
    ada = await visit()
    await ada("POST", "/rooms", {"room": "club"})
    tag = (await ada("GET", "/rooms/club")).headers["etag"]
    first = await ada("DELETE", "/rooms/club", If_Match=tag, Idempotency_Key=KEY)

    again = await ada("DELETE", "/rooms/club", If_Match=tag, Idempotency_Key=KEY)
    other = await ada("DELETE", "/rooms/club", If_Match=tag, Idempotency_Key=OTHER_KEY)

    assert (first.body, again.body) == ({"duplicate": False}, {"duplicate": True})
    assert other.code == "room_not_found"


async def test_a_change_of_a_room_names_its_version(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club"})
    tag = (await ada("GET", "/rooms/club")).headers["etag"]
    await bob("POST", "/rooms/club/messages", {"text": "one more member"})

    changed = await ada("PATCH", "/rooms/club", {"title": "Club"}, If_Match=tag)
    late = await ada("PATCH", "/rooms/club", {"title": "The Club"}, If_Match=tag)

    assert (changed.status, late.status, late.code) == (200, 412, "changed")


async def test_the_app_says_the_same(chat: ChatRooms, visit: Visit) -> None:
    ada = await visit()
    sent = await ada("POST", MESSAGES, {"text": "hi"})

    again = await chat.publish("general", "message", {"text": "hi"}, as_user=User("ada", "Ada"))

    page = await ada.get(MESSAGES)
    first, second = page["messages"]
    assert (first["msgId"], second["seq"]) == (sent.body["msgId"], again.seq)
    assert set(first) == set(second)


async def test_sanic_ext_shows_nothing_of_it_where_it_is_off(live: Live) -> None:
    app = new_app("extended", AUTO_EXTEND=True)
    app.extend()
    app.blueprint(ChatRooms(guests=True).bp, url_prefix="/quiet")
    server = await live(app)
    try:
        described = json.loads((await server.get("/docs/openapi.json")).body)
    finally:
        Sanic.unregister_app(app)

    assert "/quiet/api/{path}" not in described["paths"]


async def test_sanic_ext_shows_it_in_openapi(live: Live) -> None:
    app = new_app("extended", AUTO_EXTEND=True)
    app.extend()
    mount(app, guests=False, jwt_secret=SECRET, api=True)
    server = await live(app)
    try:
        described = json.loads((await server.get("/docs/openapi.json")).body)
        head = await Rest(server, "ada")("HEAD", "/me")
    finally:
        Sanic.unregister_app(app)

    assert "/chat/api/rooms/{room}/messages" in described["paths"]
    assert not [path for path in described["paths"] if "<path" in path or path.endswith("{path}")]
    assert (head.status, head.body) == (200, None)
