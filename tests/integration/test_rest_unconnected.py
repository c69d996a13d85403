"""What the client asks of REST where its sockets fail: to be welcomed, to join, and any command."""

from __future__ import annotations

from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, Forbidden
from tests.support.fixtures import Connect, Live
from tests.support.rest import Rest, Visit
from tests.support.wire import SECRET, mount

App = Sanic[Any, Any]


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app, guests=True, jwt_secret=SECRET, auto_create=True, api=True)


async def command(user: Rest, type: str, room: str | None = None, **payload: Any) -> Any:
    answer = await user("POST", "/commands", {"type": type, "room": room, "payload": payload})
    assert answer.status == 200, answer
    return answer.body


# ---- welcome ----


async def test_a_user_is_welcomed_as_on_a_connection(visit: Visit, connect: Connect) -> None:
    ada = await visit()
    told = await ada("POST", "/welcome")
    client = await connect(token=ada.headers["Authorization"].partition(" ")[2])
    welcome = (await client.expect("welcome"))["payload"]

    assert told.body["user"] == welcome["user"]
    assert told.body["limits"] == welcome["limits"]
    assert set(welcome["features"]) - set(told.body["features"]) == {"presence", "streams", "typing"}
    assert "guestToken" not in told.body


async def test_nobody_becomes_a_guest_who_is_known_by_the_token(visit: Visit) -> None:
    nobody = await visit(None)
    first = (await nobody("POST", "/welcome", {"name": "Bob"})).body
    nobody.headers["Authorization"] = f"Bearer {first['guestToken']}"
    again = (await nobody("POST", "/welcome")).body

    assert first["user"]["name"] == "Bob"
    assert again["user"] == first["user"]
    assert (await nobody.get("/me"))["user"]["id"] == first["user"]["id"]


async def test_a_name_of_a_guest_passes_middleware(app: App, live: Live) -> None:
    chat = mount(app, guests=True, api=True)

    @chat.middleware("speak")
    async def no_bobs(ctx: Any, call_next: Any) -> Any:
        if "Bob" in ctx.payload["text"]:
            raise Forbidden("no Bobs")
        return await call_next(ctx)

    nobody = Rest(await live(app))

    assert (await nobody("POST", "/welcome", {"name": "Bob"})).code == "forbidden"
    assert (await nobody("POST", "/welcome", {"name": "Rob"})).status == 200


async def test_nobody_is_welcomed_where_guests_are_not(app: App, live: Live) -> None:
    mount(app, guests=False, jwt_secret=SECRET, api=True)
    nobody = Rest(await live(app))

    assert (await nobody("POST", "/welcome")).code == "unauthenticated"


async def test_a_page_of_another_server_makes_no_guest(visit: Visit) -> None:
    nobody = await visit(None)

    assert (await nobody("POST", "/welcome", origin="https://evil.example")).code == "forbidden"


# ---- commands ----


async def test_join_makes_a_member_and_tells_the_past(visit: Visit) -> None:
    ada, bob = await visit("ada"), await visit("bob")
    await ada("POST", "/rooms/tea/messages", {"text": "one"})
    joined = await command(bob, "join", "tea")
    await ada("POST", "/rooms/tea/messages", {"text": "two"})
    since = {"epoch": joined["epoch"], "seq": joined["seq"]}
    again = await command(bob, "join", "tea", since=since)

    assert (joined["role"], joined["recovered"], joined["seq"]) == ("member", False, 1)
    assert [message["payload"]["text"] for message in joined["messages"]] == ["one"]
    assert (again["recovered"], again["seq"]) == (True, 2)
    assert [message["payload"]["text"] for message in again["messages"]] == ["two"]
    assert "bob" in [line["id"] for line in (await ada.get("/rooms/tea/members"))["members"]]


async def test_join_makes_the_room_where_a_connection_would(visit: Visit) -> None:
    ada = await visit()

    assert (await command(ada, "join", "brand-new"))["seq"] == 0


async def test_a_private_room_is_joined_by_its_members_only(visit: Visit) -> None:
    ada, bob = await visit("ada"), await visit("bob")
    await ada("POST", "/rooms", {"room": "club", "visibility": "private"})
    refused = await bob("POST", "/commands", {"type": "join", "room": "club"})

    assert refused.code == "room_not_found"
    assert (await command(ada, "join", "club"))["role"] == "owner"


async def test_commands_without_an_address_are_carried_out(visit: Visit) -> None:
    ada = await visit()
    await ada("POST", "/rooms/tea/messages", {"text": "one"})

    assert await command(ada, "prefs", "tea", notify="none") == {"notify": "none", "favourite": False}
    assert await command(ada, "user.blocked") == {"users": []}
    assert (await command(ada, "pins", "tea"))["messages"] == []


async def test_the_same_key_is_the_same_command_by_either_address(visit: Visit) -> None:
    ada, key = await visit(), "a-key-of-this-test"
    frame = {"type": "message", "room": "tea", "payload": {"text": "one"}}
    first = await ada("POST", "/commands", frame, Idempotency_Key=key)
    again = await ada("POST", "/commands", {**frame, "msgId": key})
    other = await ada("POST", "/rooms/tea/messages", {"text": "one"}, Idempotency_Key=key)

    assert (first.body["duplicate"], again.body["duplicate"], other.body["duplicate"]) == (False, True, True)
    assert first.body["msgId"] == again.body["msgId"] == other.body["msgId"]


async def test_commands_of_the_app_are_carried_out(app: App, live: Live) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET, api=True)

    @chat.command("poll.vote")
    async def vote(ctx: Any, payload: dict[str, Any]) -> dict[str, Any]:
        return {"by": ctx.user.id, "for": payload["for"]}

    ada = Rest(await live(app), "ada")

    assert await command(ada, "poll.vote", **{"for": "tea"}) == {"by": "ada", "for": "tea"}


@pytest.mark.parametrize(
    "type", ["auth", "exit", "message.append", "message.open", "ping", "presence", "typing", "nonsense"]
)
async def test_what_is_about_a_connection_is_unknown(visit: Visit, type: str) -> None:
    ada = await visit()
    answer = await ada("POST", "/commands", {"type": type, "room": "tea"})

    assert (answer.status, answer.code) == (404, "unknown_command")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", "bad_frame"),
        (b"{}", "invalid_field"),
        (b'{"type": 1}', "invalid_field"),
        (b'{"type": "room", "room": 1}', "invalid_field"),
        (b'{"type": "room", "room": "a b"}', "invalid_field"),
        (b'{"type": "history", "room": "tea", "payload": []}', "invalid_field"),
        (b'{"type": "history", "room": "tea", "msgId": "short"}', "invalid_field"),
    ],
)
async def test_a_frame_of_the_wrong_form_is_refused(visit: Visit, body: bytes, code: str) -> None:
    ada = await visit()

    assert (await ada("POST", "/commands", body)).code == code
