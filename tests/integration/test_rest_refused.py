"""What REST refuses, with which status and code."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, Forbidden
from sanic_chatrooms.access.limits.limits import USER
from tests.support.fixtures import Connect, Live
from tests.support.rest import Rest, Visit
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
MESSAGES = "/rooms/general/messages"


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app, guests=False, jwt_secret=SECRET, auto_create=True, api=True)


async def test_nobody_is_asked_to_sign_in(visit: Visit) -> None:
    nobody = await visit(None)

    answer = await nobody("GET", "/rooms")

    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_an_old_token_is_expired(visit: Visit) -> None:
    ada = await visit(exp=1_000_000_000)

    answer = await ada("GET", "/rooms")

    assert (answer.status, answer.code) == (401, "token_expired")
    assert "token_expired" in answer.headers["www-authenticate"]


async def test_a_token_for_reading_does_not_write(visit: Visit) -> None:
    ada, reader = await visit(), await visit("bob", scopes=["chat:read"])
    await ada("POST", MESSAGES, {"text": "hi"})

    refused = await reader("POST", MESSAGES, {"text": "hi"})

    assert (refused.status, refused.code, refused.body["needs"]) == (403, "forbidden", "chat:write")
    assert (await reader("GET", MESSAGES)).status == 200


async def test_a_private_room_is_like_none(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club", "visibility": "private"})

    for method, path, body in (
        ("GET", "", None), ("GET", "/messages", None), ("PATCH", "", {"title": "x"}),
        ("DELETE", "", None), ("GET", "/members", None), ("PUT", "/members/eve", None), ("PUT", "/members/ada", {"role": "member"}),
        ("DELETE", "/members/ada", None), ("DELETE", "/members/bob", None), ("GET", "/events", None), ("GET", "/read", None),
        ("PUT", "/bans/ada", None), ("POST", "/accept", None), ("POST", "/invitations", {"user": "eve"}),
        ("POST", "/messages", {"text": "hi"}),
    ):  # fmt: skip
        hidden = await bob(method, f"/rooms/club{path}", body)
        missing = await bob(method, f"/rooms/clubs{path}", body)
        if (method, path) != ("POST", "/messages"):  # AUTO_CREATE makes the other one
            assert (hidden.status, hidden.body) == (missing.status, missing.body), (method, path)
        assert hidden.status == 404, (method, path)


async def test_a_muted_user_may_not_speak(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club"})
    await bob("POST", "/rooms/club/messages", {"text": "hi"})
    await ada("PUT", "/rooms/club/mutes/bob")

    muted = await bob("POST", "/rooms/club/messages", {"text": "hi"})
    await ada("DELETE", "/rooms/club/mutes/bob")

    assert (muted.status, muted.code) == (403, "muted")
    assert (await bob("POST", "/rooms/club/messages", {"text": "hi"})).status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"{", b"\xff", b'"text"', b"null", b'{"text":"hi"}}', b'{"text":"\xff"}',
        b'{"text":"hi"},"type":"room.delete","payload":{}', b"[" * 5000,
    ],
)  # fmt: skip
async def test_a_body_that_is_no_object_is_refused(visit: Visit, body: bytes) -> None:
    ada = await visit()

    answer = await ada("POST", MESSAGES, body)

    assert (answer.status, answer.code) == (400, "bad_frame")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/rooms?limit=many", 400, "invalid_field"),
        ("/rooms?limit=0", 400, "invalid_field"),
        (f"/rooms/general/messages?before={10**30}", 400, "invalid_field"),
        ("/rooms/general/messages?before=-1", 400, "invalid_cursor"),
        ("/rooms?cursor=mine", 400, "invalid_cursor"),
        ("/rooms/a%00b", 400, "invalid_text"),
        ("/rooms/a%20b", 400, "invalid_field"),
        ("/rooms/general/messages/nothing", 404, "message_not_found"),
        ("/rooms//messages", 404, "unknown_command"),
        ("/nowhere", 404, "unknown_command"),
        ("/unread", 400, "invalid_field"),
        ("/rooms/general/events?since=now", 400, "invalid_field"),
        ("/rooms/general/events?since=another:1", 410, "position_lost"),
        ("/rooms/~user.bob/messages", 404, "room_not_found"),
    ],
)
async def test_what_is_wrong_has_its_status(visit: Visit, path: str, status: int, code: str) -> None:
    ada = await visit()
    await ada("POST", MESSAGES, {"text": "hi"})

    answer = await ada("GET", path)

    assert (answer.status, answer.code) == (status, code), answer


async def test_too_large_a_body_is_not_read(visit: Visit) -> None:
    ada = await visit()

    answer = await ada("POST", MESSAGES, {"text": "x" * 100_000})

    assert (answer.status, answer.code) == (413, "too_large")


async def test_a_key_that_is_too_short_is_refused(visit: Visit) -> None:
    ada = await visit()

    answer = await ada("POST", MESSAGES, {"text": "hi"}, Idempotency_Key="1")

    assert (answer.status, answer.body["field"]) == (400, "Idempotency-Key")


async def test_another_method_is_told_which_there_are(visit: Visit) -> None:
    ada = await visit()

    answer = await ada("PUT", "/rooms")

    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


async def test_a_problem_is_a_document(visit: Visit) -> None:
    ada = await visit()

    answer = await ada("GET", "/rooms/nowhere")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["type"] == "about:blank"
    assert answer.body["title"] == "Not Found"
    assert answer.body["status"] == 404
    assert answer.body["code"] == "room_not_found"
    assert answer.body["detail"]


async def test_a_policy_and_middleware_are_asked(app: App, live: Live) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET, auto_create=True, api=True)
    asked: list[str] = []

    @chat.middleware("join", "message", "history")
    async def note(ctx: Any, call_next: Any) -> Any:
        asked.append(f"{ctx.command.type} by {ctx.user.id}")
        if ctx.command.type == "message" and "http" in ctx.payload["text"]:
            raise Forbidden("no links here")
        return await call_next(ctx)

    ada = Rest(await live(), "ada")
    await ada("POST", MESSAGES, {"text": "hi"})
    link = await ada("POST", MESSAGES, {"text": "http://x"})
    await ada.get(MESSAGES)

    assert asked == ["message by ada", "join by ada", "message by ada", "history by ada"]
    assert (link.status, link.body["detail"]) == (403, "no links here")


async def test_a_middleware_that_fails_is_an_internal_error(app: App, live: Live) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET, auto_create=True, api=True)

    @chat.middleware("rooms")
    async def fail(ctx: Any, call_next: Any) -> Any:
        raise ValueError("a defect")

    answer = await Rest(await live(), "ada")("GET", "/rooms")

    assert (answer.status, answer.code) == (500, "internal")
    assert "defect" not in json.dumps(answer.body)


async def test_limits_hold(app: App, live: Live) -> None:
    mount(
        app, guests=False, jwt_secret=SECRET, auto_create=True, api=True, rate_limits=True,
        rate_message="1/s burst 2",
    )  # fmt: skip
    ada = Rest(await live(), "ada")

    answers = [await ada("POST", MESSAGES, {"text": "hi"}, Idempotency_Key=f"{n:016}") for n in range(12)]
    refused = [n for n, answer in enumerate(answers) if answer.status == 429]

    assert refused
    assert answers[refused[0]].code == "rate_limited"
    assert int(answers[refused[0]].headers["retry-after"]) >= 1
    again = await ada("POST", MESSAGES, {"text": "hi"}, Idempotency_Key=f"{0:016}")
    assert again.body == {**answers[0].body, "duplicate": True}


async def test_limits_hold_for_bodies_that_come_late(app: App, live: Live) -> None:
    """Limits that nobody uses are forgotten once a second. Those of a request whose body is awaited are used."""
    chat = mount(
        app, guests=False, jwt_secret=SECRET, auto_create=True, api=True, rate_limits=True,
        rate_message="2/min burst 2",
    )  # fmt: skip
    server, body = await live(), b'{"text": "hi"}'
    limits = chat.running().limits
    head = (
        f"POST /chat/api{MESSAGES} HTTP/1.1\r\nHost: {server.host}\r\nAuthorization: Bearer {token('ada')}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )

    asked = []
    for _ in range(9):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(head.encode())
        async with asyncio.timeout(40):
            while limits.accounts.known(f"{USER}ada") is None:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
        limits.sweep()
        asked.append((reader, writer))
    answers = []
    for reader, writer in asked:
        writer.write(body)
        async with asyncio.timeout(40):
            answers.append(int((await reader.read()).split()[1]))
        writer.close()

    assert answers == [201, 201, *[429] * 7]
    assert not limits.accounts._held


# ---- cookies ----


@pytest.fixture
def by_cookie(app: App) -> ChatRooms:
    return mount(
        app, guests=False, jwt_secret=SECRET, auto_create=True, api=True, token_cookie="session", tickets=True
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 201),
        ({"Origin": "SERVER"}, 201),
        ({"Authorization": "Basic eDp5"}, 403),
        ({"Authorization": "Basic eDp5", "Origin": "http://evil.example"}, 403),
        ({"Authorization": "negotiate YII", "Sec_Fetch_Site": "cross-site"}, 403),
        ({"Authorization": "Basic eDp5", "Origin": "SERVER"}, 201),
        ({"Authorization": ""}, 403),
    ],
)
async def test_a_cookie_needs_a_page_of_this_server(
    by_cookie: ChatRooms, live: Live, headers: dict[str, str], status: int
) -> None:
    server = await live()
    cookie = f"session={token('ada')}"
    told = {name: server.url if value == "SERVER" else value for name, value in headers.items()}

    answer = await Rest(server)("POST", MESSAGES, {"text": "hi"}, Cookie=cookie, **told)

    assert answer.status == status
    assert (await Rest(server)("POST", "/tickets", Cookie=cookie, **told)).status == (
        status if status == 403 else 200
    )
    assert (await Rest(server)("GET", "/rooms", Cookie=cookie)).status == 200


# ---- off ----


async def test_there_is_no_rest_unless_asked_for(app: App, live: Live) -> None:
    mount(app, guests=False, jwt_secret=SECRET, auto_create=True)

    answer = await (await live()).get("/chat/api/rooms", Authorization=f"Bearer {token('ada')}")

    assert answer.status == 404


async def test_a_guest_asks_with_a_guest_token(app: App, live: Live, connect: Connect) -> None:
    mount(app, guests=True, api=True)
    server = await live()
    welcome = (await (await connect()).expect("welcome"))["payload"]
    guest = Rest(server)
    guest.headers = {"Authorization": f"Bearer {welcome['guestToken']}"}

    sent = await guest("POST", MESSAGES, {"text": "hi"})

    assert sent.status == 201
    assert (await guest.get(MESSAGES))["messages"][0]["sender"]["id"] == welcome["user"]["id"]
    assert (await guest.get("/rooms/general/members"))["members"] == []
    assert (await Rest(server)("GET", "/rooms")).status == 401


async def test_a_worker_with_too_much_to_do_takes_messages_and_answers_no_questions(
    chat: ChatRooms, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await visit()
    await ada("GET", "/rooms")
    monkeypatch.setattr(chat.running(), "overload", SimpleNamespace(shedding=True))

    question, message = await ada("GET", "/rooms"), await ada("POST", MESSAGES, {"text": "hi"})

    assert (question.status, question.code, message.status) == (503, "unavailable", 201)
    assert int(question.headers["retry-after"]) >= 1
