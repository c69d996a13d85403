"""Saying who one is: the first command, refreshing, names of guests, and the end of a token."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import jwt
import pytest
from sanic import Sanic

from sanic_chatrooms import Authenticator, ChatRooms, Credentials, Handshake, Unauthenticated, User
from sanic_chatrooms.sessions import registry as sessions
from sanic_chatrooms.web import handshake
from sanic_chatrooms.web.socket import base as socket
from tests.support.client import Client
from tests.support.fixtures import Connect, Live, OpenRaw
from tests.support.wire import SECRET, masked, mount, token, write

App = Sanic[Any, Any]


@pytest.fixture
def chat(app: App) -> ChatRooms:
    """Nobody gets in without a token."""
    return mount(app, guests=False, jwt_secret=SECRET, auto_create=True)


# ---- the first command ----


async def test_without_credentials_nothing_comes_before_auth(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    error = await ada.error("ping")

    assert error["code"] == "unauthenticated"
    assert [frame["type"] for frame in ada.frames] == ["error"]


async def test_auth_is_acknowledged_and_then_welcomed(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    shown = token("u1", name="Ada", scope="a b")

    ack = await ada.ack("auth", payload={"token": shown})
    welcome = await ada.expect("welcome")

    assert [frame["type"] for frame in ada.frames] == ["ack", "welcome"]
    assert ack["user"] == welcome["payload"]["user"] == {"id": "u1", "name": "Ada", "scopes": ["a", "b"]}
    assert ack["heartbeat"] == {"interval": 30, "timeout": 90}
    expires = jwt.decode(shown, options={"verify_signature": False})["exp"]
    assert ack["expiresAt"] == welcome["payload"]["expiresAt"] == pytest.approx(expires)


@pytest.mark.parametrize("type", ["join", "message", "room.create", "dance", "direct", "rooms", "exit"])
async def test_anything_before_auth_is_refused_without_effect(
    chat: ChatRooms, connect: Connect, type: str
) -> None:
    ada = await connect()

    refused = await ada.request(
        type, room="general", payload={"text": "x", "to": "bob", "body": {"text": "x"}}
    )
    await ada.ack("auth", payload={"token": token("ada")})

    assert refused["payload"]["code"] == "unauthenticated"
    assert refused["payload"]["temporary"] is False
    assert (await ada.ack("rooms"))["rooms"] == []
    assert (await ada.ack("rooms", payload={"mine": True}))["rooms"] == []


async def test_invalid_frames_before_auth_tell_nothing_more(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    short = await ada.error("join", room="a b", msg_id="1")
    await ada.send_raw('{"type":"join","msgId":"0123456789abcdef","payload":{"n":1e999}}')

    assert short["code"] == "unauthenticated"
    assert (await ada.reply("0123456789abcdef"))["payload"]["code"] == "unauthenticated"


async def test_bad_frames_before_auth_close_4501(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET, max_bad_frames=2)
    ada = await connect()

    await ada.send_raw("{")
    await ada.send_raw("{")

    assert (await ada.closed())[0] == 4501


async def test_commands_right_behind_auth_are_carried_out(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    auth = f'{{"type":"auth","payload":{{"token":"{token("ada")}"}}}}'.encode()

    write(
        ada, masked(1, auth) + masked(1, b'{"type":"join","room":"general"}') + masked(1, b'{"type":"ping"}')
    )

    await ada.expect("pong")
    assert [f["type"] for f in ada.frames if f["type"] in ("ack", "welcome", "pong")] == [
        "ack",
        "welcome",
        "ack",
        "pong",
    ]


async def test_who_does_not_authenticate_in_time_is_closed_4502(app: App, connect: Connect) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET, auth_timeout=60.0)
    ada, bob = await connect(), await connect()
    await bob.ack("auth", payload={"token": token("bob")})
    heartbeat = chat.running().heartbeat

    heartbeat._clock = lambda: time.monotonic() + 20.0
    heartbeat.sweep()
    await ada.error("ping")  # by default it would be over, and talking does not help
    heartbeat._clock = lambda: time.monotonic() + 61.0
    code, reason = await ada.closed()

    assert (code, bool(reason)) == (4502, True)
    await bob.settle()


async def test_who_never_says_who_they_are_and_answers_no_close_is_cut_off_soon(
    app: App, open_raw: OpenRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "CLOSE_TIMEOUT", 600.0)
    monkeypatch.setattr(socket, "STRANGER_TIMEOUT", 0.1)
    mount(app, guests=False, jwt_secret=SECRET, auth_timeout=0.1)
    silent = await open_raw()

    async with asyncio.timeout(30):
        rest = await silent.reader.read()

    assert (4502).to_bytes(2, "big") in rest


async def test_of_many_who_do_not_say_who_they_are_the_first_goes(
    app: App, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_UNKNOWN", 3)
    mount(app, guests=False, jwt_secret=SECRET)
    bob = await connect(token=token("bob"))

    first, *others = [await connect() for _ in range(4)]

    assert (await first.closed())[0] == 1013
    for number, other in enumerate(others):
        await other.ack("auth", payload={"token": token(f"user-{number}")})
    await bob.settle()


async def test_no_more_arrive_at_a_time_than_an_authenticator_may_keep_waiting(
    app: App, live: Live, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake, "MAX_ARRIVING", 2)
    asked, go_on = asyncio.Semaphore(0), asyncio.Event()

    class Slow(Authenticator):
        async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
            asked.release()
            await go_on.wait()
            return User(str(credentials.token), "Ada")

    mount(app, guests=False, auth=Slow())
    await live()
    early = [asyncio.create_task(connect(token=f"user-{number}")) for number in range(2)]
    for _ in early:
        await asked.acquire()

    refusal = await connect.refused(token="late")
    go_on.set()

    assert (refusal.status, int(refusal.headers["retry-after"]) > 0) == (503, True)
    for client in await asyncio.gather(*early):
        await client.expect("welcome")


@pytest.mark.parametrize("bad", ["nonsense", "", token("ada", secret="x" * 40), "a" * 9000])
async def test_a_bad_token_is_an_error_and_closes_4500(chat: ChatRooms, connect: Connect, bad: str) -> None:
    ada = await connect()

    error = await ada.error("auth", payload={"token": bad})

    assert error["code"] == "unauthenticated"
    code, reason = await ada.closed()
    assert (code, bool(reason)) == (4500, True)


async def test_an_expired_token_is_token_expired_and_closes_4001(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    error = await ada.error("auth", payload={"token": token("ada", expires_in=-60)})

    assert error["code"] == "token_expired"
    assert (await ada.closed())[0] == 4001


async def test_nothing_behind_a_bad_token_is_carried_out(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    auth = b'{"type":"auth","payload":{"token":"nonsense"}}'

    write(ada, masked(1, auth) + masked(1, b'{"type":"ping"}'))

    assert (await ada.closed())[0] == 4500
    assert [frame["type"] for frame in ada.frames] == ["error"]


@pytest.mark.parametrize("payload", [None, {}, {"name": "Ada"}, {"heartbeat": 60}])
async def test_auth_without_a_token_is_refused_and_may_be_tried_again(
    chat: ChatRooms, connect: Connect, payload: Any
) -> None:
    ada = await connect()

    error = await ada.error("auth", payload=payload)

    assert error["code"] == "unauthenticated"
    await ada.ack("auth", payload={"token": token("ada")})


async def test_a_payload_that_does_not_fit_may_be_corrected(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    error = await ada.error("auth", payload={"token": 7})

    assert (error["code"], error["field"]) == ("invalid_field", "token")
    await ada.ack("auth", payload={"token": token("ada")})


async def test_too_many_connections_of_one_user_are_closed_4504(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET, max_connections_per_user=1)
    await (await connect(token=token("ada"))).expect("welcome")
    second = await connect()

    error = await second.error("auth", payload={"token": token("ada")})

    assert error["code"] == "rate_limited"
    assert error["temporary"] is True
    assert error["retryAfter"] > 0
    assert (await second.closed())[0] == 4504


async def test_a_client_that_vanishes_while_it_authenticates_leaves_nothing(
    app: App, connect: Connect
) -> None:
    entered, may_go_on = asyncio.Event(), asyncio.Event()
    chat = mount(app, guests=False, jwt_secret=SECRET)

    @chat.on("connect")
    async def slow(event: Any) -> None:
        if event.user.id == "ada":
            entered.set()
            await may_go_on.wait()

    ada, bob = await connect(), await connect(token=token("bob"))
    await ada.send("auth", payload={"token": token("ada")})
    await entered.wait()
    await ada.abort()
    async with asyncio.timeout(30):
        while len(chat.running().sessions) > 1:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
    may_go_on.set()
    await bob.settle()

    assert [connection.user.id for connection in chat.connections()] == ["bob"]
    assert await chat.online("ada", "bob") == {"bob"}


# ---- once more ----


async def test_the_same_user_may_refresh(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect(token=token("ada", expires_in=100))
    first = (await ada.expect("welcome"))["payload"]["expiresAt"]

    ack = await ada.ack("auth", payload={"token": token("ada", expires_in=500, name="Ada L.")})
    await ada.settle()

    assert ack["expiresAt"] > first + 300
    assert ack["user"]["name"] == "Ada L."
    assert ada.unread("welcome") == []


async def test_a_refresh_keeps_the_rooms(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await connect(token=token("ada")), await connect(token=token("bob"))
    await ada.ack("join", room="general")
    await bob.ack("join", room="general")

    await ada.ack("auth", payload={"token": token("ada", name="Ada L.")})
    await ada.ack("message", room="general", payload={"text": "hi"})

    assert (await bob.expect("message"))["sender"] == {"id": "ada", "name": "Ada L."}
    await ada.expect("message")


async def test_a_token_of_another_user_is_forbidden(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await connect(token=token("ada")), await connect(token=token("bob"))
    await bob.ack("join", room="general")

    error = await ada.error("auth", payload={"token": token("bob")})

    assert error["code"] == "forbidden"
    await ada.ack("join", room="general")
    await ada.ack("message", room="general", payload={"text": "still me"})
    assert (await bob.expect("message"))["sender"]["id"] == "ada"


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ("nonsense", "unauthenticated"),
        (token("ada", expires_in=-60), "token_expired"),
        ("", "unauthenticated"),
    ],
)
async def test_a_refresh_that_fails_is_an_error_only(
    chat: ChatRooms, connect: Connect, shown: str, code: str
) -> None:
    ada = await connect(token=token("ada"))
    await ada.ack("join", room="general")

    error = await ada.error("auth", payload={"token": shown})

    assert error["code"] == code
    await ada.ack("message", room="general", payload={"text": "still here"})
    assert (await ada.expect("message"))["sender"]["id"] == "ada"


async def test_who_entered_by_auth_may_fail_to_refresh_too(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("auth", payload={"token": token("ada")})

    await ada.error("auth", payload={"token": "nonsense"})

    await ada.ack("join", room="general")


async def test_the_user_is_told_how_they_signed_in(app: App, connect: Connect) -> None:
    mount(app, jwt_secret=SECRET)
    shown = jwt.encode({"sub": "u1", "exp": time.time() + 600, "amr": ["pwd", "otp"]}, SECRET, "HS256")

    user = (await (await connect(token=shown)).expect("welcome"))["payload"]["user"]

    assert user == {"id": "u1", "name": "u1", "scopes": [], "amr": ["pwd", "otp"]}


# ---- the end of a token ----


async def test_a_token_that_expires_is_announced_and_then_closes_4001(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await connect()
    shown = token("ada", expires_in=600)
    await ada.ack("auth", payload={"token": shown})
    expires = (await ada.expect("welcome"))["payload"]["expiresAt"]

    pass_time(chat, 560)
    warning = await ada.expect("auth.expiring")
    assert warning["payload"] == {"at": expires}
    await ada.settle()
    pass_time(chat, 601)
    code, reason = await ada.closed()

    assert (code, bool(reason)) == (4001, True)


def pass_time(chat: ChatRooms, seconds: float) -> None:
    """So much later than now the heartbeat looks at everybody's token."""
    heartbeat = chat.running().heartbeat
    heartbeat._wall = lambda: time.time() + seconds
    for session in chat.running().sessions:
        heartbeat.reconsider(session)


async def test_a_refresh_in_time_keeps_the_connection(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect(token=token("ada", expires_in=600))
    bob = await connect(token=token("bob", expires_in=600))
    for client in (ada, bob):
        await client.expect("welcome")

    pass_time(chat, 590)
    await ada.expect("auth.expiring")
    await bob.expect("auth.expiring")
    await ada.ack("auth", payload={"token": token("ada", expires_in=6000)})
    pass_time(chat, 601)

    assert (await bob.closed())[0] == 4001
    await ada.settle()
    assert len([frame for frame in ada.frames if frame["type"] == "auth.expiring"]) == 1


async def test_a_failed_refresh_does_not_delay_the_end(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect(token=token("ada", expires_in=600))

    await ada.error("auth", payload={"token": token("bob", expires_in=6000)})
    pass_time(chat, 601)

    assert (await ada.closed())[0] == 4001


async def test_of_two_thousand_bad_tokens_five_are_looked_at(app: App, connect: Connect) -> None:
    asked = []

    class Counting(Authenticator):
        async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
            asked.append(credentials.token)
            if credentials.token != "ada":
                raise Unauthenticated("no such token")
            return User("ada", "Ada")

    mount(app, guests=False, auth=Counting())
    ada = await connect(token="ada")
    await ada.expect("welcome")

    write(ada, masked(1, b'{"type":"auth","payload":{"token":"nonsense"}}') * 2000)

    assert (await ada.closed())[0] == 4013
    assert asked == ["ada", *["nonsense"] * 5]
    errors = [frame["payload"]["code"] for frame in ada.frames if frame["type"] == "error"]
    assert errors == ["unauthenticated"] * 5 + ["rate_limited"] * 195


class ByCookie(Authenticator):
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        if handshake.cookies.get("sid") != "ada":
            raise Unauthenticated("sign in first")
        return User("ada", "Ada")


async def test_who_is_signed_out_of_a_chat_by_cookie_is_401_at_once(
    app: App, live: Live, connect: Connect
) -> None:
    mount(app, guests=False, auth=ByCookie())
    server = await live()

    refusal = await connect.refused()

    # A page is told nothing of that, but may ask.
    assert (await server.get("/chat/ws")).status == 401
    assert (await server.get("/chat/ws", cookie="sid=ada")).status == 426

    assert refusal.status == 401
    told = json.loads(refusal.body)
    assert (told["code"], told["message"]) == ("unauthenticated", "sign in first")
    await (await connect(headers={"Cookie": "sid=ada"})).expect("welcome")


async def test_who_is_banned_from_a_chat_by_cookie_may_ask_why(app: App, live: Live) -> None:
    chat = mount(app, guests=False, auth=ByCookie())
    server = await live()
    await chat.ban_user("ada", until=4e9, reason="spam")

    answer = await server.get("/chat/ws", cookie="sid=ada")

    told = json.loads(answer.body)
    assert (answer.status, told["code"], told["until"], told["reason"]) == (403, "banned", 4e9, "spam")


CARELESS: dict[str | None, Any] = {
    "7": User(7, "x"),  # type: ignore[arg-type]
    "name": User("u", 7),  # type: ignore[arg-type]
    "scopes": User("u", "x", scopes=("\ud800",)),
}


class Careless(Authenticator):
    """Of an app's author who has read nothing."""

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        return CARELESS[credentials.token]  # type: ignore[no-any-return]


@pytest.mark.parametrize("shown", ["7", "name", "scopes", "no such key"])
async def test_what_an_authenticator_must_not_return_is_a_refusal(
    app: App, connect: Connect, shown: str
) -> None:
    mount(app, guests=False, auth=Careless())
    late = await connect()

    assert (await connect.refused(token=shown)).status == 401
    assert (await late.error("auth", payload={"token": shown}))["code"] == "unauthenticated"
    assert (await late.closed())[0] == 4500


@pytest.mark.parametrize(
    "claims",
    [{"scopes": ["\ud800"]}, {"scopes": [7]}, {"scope": "a\0"}, {"sub": "guest-9fjV"}, {"sub": 7}],
    ids=repr,
)
async def test_malformed_claims_are_401(app: App, connect: Connect, claims: dict[str, Any]) -> None:
    mount(app, jwt_secret=SECRET)
    shown = jwt.encode({"sub": "u1", "exp": time.time() + 600, **claims}, SECRET, "HS256")
    late = await connect()

    assert (await connect.refused(token=shown)).status == 401
    assert (await late.error("auth", payload={"token": shown}))["code"] == "unauthenticated"


# ---- guests ----


async def test_a_guest_may_take_a_name(app: App, connect: Connect) -> None:
    mount(app)
    ada, bob = await connect(), await connect()
    me = (await ada.expect("welcome"))["payload"]["user"]
    for client in (ada, bob):
        await client.ack("join", room="general")

    ack = await ada.ack("auth", payload={"name": "  Ada \u200b Lovelace "})
    await ada.ack("message", room="general", payload={"text": "hi"})

    assert ack["user"] == {"id": me["id"], "name": "Ada Lovelace", "scopes": []}
    assert (await bob.expect("message"))["sender"] == {"id": me["id"], "name": "Ada Lovelace"}


async def test_the_new_name_of_a_guest_is_shown_to_who_asks(app: App, connect: Connect) -> None:
    mount(app)
    ada = await connect()
    await ada.ack("join", room="general")

    await ada.ack("auth", payload={"name": "Ada"})

    assert [user["name"] for user in (await ada.ack("presence", room="general"))["users"]] == ["Ada"]


async def test_a_name_nobody_could_read_is_refused(app: App, connect: Connect) -> None:
    mount(app)
    ada = await connect()
    before = (await ada.expect("welcome"))["payload"]["user"]

    for name in ("", " ", "\u200b", "x" * 65, "\u202e\u202d"):
        error = await ada.error("auth", payload={"name": name})
        assert (error["code"], error["field"]) == ("invalid_field", "name")

    assert (await ada.ack("auth", payload={}))["user"] == before


@pytest.mark.parametrize("reserved", [None, ["Kassel"]], ids=["by default", "by the app"])
async def test_a_guest_takes_no_name_that_is_reserved(app: App, connect: Connect, reserved: Any) -> None:
    mount(app, reserved_names=reserved)
    ada = await connect()
    before = (await ada.expect("welcome"))["payload"]["user"]

    for name in (
        ("Kassel", "K4SSEL", "\u039aassel") if reserved else ("Server", "5erver", "\u0405erver", "ADM\u0406N")
    ):
        error = await ada.error("auth", payload={"name": name})
        assert (error["code"], error["field"]) == ("invalid_field", "name")

    assert (await ada.ack("auth", payload={}))["user"] == before


async def test_a_sub_that_is_shown_as_a_name_is_cleaned_as_a_name(chat: ChatRooms, connect: Connect) -> None:
    eve = await connect(token=token("\u202eada\u200b"))

    user = (await eve.expect("welcome"))["payload"]["user"]

    assert (user["id"], user["name"]) == ("\u202eada\u200b", "ada")


async def test_the_name_of_a_signed_in_user_is_the_tokens(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect(token=token("ada", name="Ada"))

    ack = await ada.ack("auth", payload={"name": "Root"})

    assert ack["user"]["name"] == "Ada"


async def test_a_guest_with_the_guest_token_is_the_same_guest_again(app: App, connect: Connect) -> None:
    mount(app)
    first = (await (await connect()).expect("welcome"))["payload"]

    by_header = (await (await connect(token=first["guestToken"])).expect("welcome"))["payload"]
    by_subprotocol = await connect(subprotocols=["chatrooms.v1", f"bearer.{first['guestToken']}"])
    stranger = (await (await connect()).expect("welcome"))["payload"]

    assert by_header["user"] == first["user"]
    assert by_header["sessionId"] != first["sessionId"]
    assert (await by_subprotocol.expect("welcome"))["payload"]["user"] == first["user"]
    assert stranger["user"]["id"] != first["user"]["id"]


async def test_a_named_guest_comes_back_under_that_name(app: App, connect: Connect) -> None:
    mount(app)
    ada = await connect()
    await ada.expect("welcome")

    ack = await ada.ack("auth", payload={"name": "Ada"})
    again = await connect(token=ack["guestToken"])

    assert (await again.expect("welcome"))["payload"]["user"] == ack["user"]


async def test_a_fresh_guest_may_say_by_auth_that_they_are_an_old_one(app: App, connect: Connect) -> None:
    chat = mount(app)
    first = (await (await connect()).expect("welcome"))["payload"]
    again = await connect()
    new = (await again.expect("welcome"))["payload"]["user"]["id"]

    ack = await again.ack("auth", payload={"token": first["guestToken"]})
    welcome = await again.expect("welcome")

    assert ack["user"] == welcome["payload"]["user"] == first["user"]
    assert {connection.user.id for connection in chat.connections()} == {first["user"]["id"]}
    assert chat.connections(new) == []


async def test_a_fresh_guest_may_sign_in(app: App, connect: Connect) -> None:
    chat = mount(app, jwt_secret=SECRET)
    ada = await connect()
    guest = (await ada.expect("welcome"))["payload"]["user"]["id"]

    ack = await ada.ack("auth", payload={"token": token("ada")})
    await ada.expect("welcome")
    joined = await ada.ack("join", room="general")

    assert ack["user"]["id"] == "ada"
    assert ack["expiresAt"]
    assert joined["role"] == "member"
    assert await chat.online("ada") == {"ada"}
    assert chat.connections(guest) == []


async def test_a_guest_who_has_done_something_stays_that_guest(app: App, connect: Connect) -> None:
    mount(app, jwt_secret=SECRET)
    ada = await connect()
    await ada.ack("join", room="general")

    assert (await ada.error("auth", payload={"token": token("ada")}))["code"] == "forbidden"


async def test_a_guest_who_may_not_become_somebody_stays_who_they_were(app: App, connect: Connect) -> None:
    chat = mount(app, jwt_secret=SECRET, max_connections_per_user=1)
    await (await connect(token=token("ada"))).expect("welcome")
    second = await connect()
    guest = (await second.expect("welcome"))["payload"]["user"]

    error = await second.error("auth", payload={"token": token("ada")})

    assert error["code"] == "rate_limited"
    assert (await second.ack("auth", payload={}))["user"] == guest
    assert len(chat.connections("ada")) == 1
    await chat.notify(guest["id"], "notice", {"title": "t", "content": "c"})
    await second.expect("notice")


async def test_a_guest_whose_sign_in_fails_stays_a_guest(app: App, connect: Connect) -> None:
    mount(app, jwt_secret=SECRET)
    ada = await connect()
    guest = (await ada.expect("welcome"))["payload"]["user"]

    assert (await ada.error("auth", payload={"token": "nonsense"}))["code"] == "unauthenticated"

    assert (await ada.ack("auth", payload={}))["user"] == guest


# ---- a longer heartbeat ----


async def test_a_slow_link_may_ask_for_a_longer_heartbeat_within_bounds(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await connect(token=token("ada"))

    async def ask(seconds: float) -> Any:
        return (await ada.ack("auth", payload={"heartbeat": seconds}))["heartbeat"]

    assert await ask(60) == {"interval": 60, "timeout": 180}
    assert await ask(5) == {"interval": 30, "timeout": 90}
    assert await ask(-1) == {"interval": 30, "timeout": 90}
    assert await ask(1e300) == {"interval": 120, "timeout": 360}


async def test_the_heartbeat_asked_for_with_the_token_is_in_the_welcome(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await connect()

    await ada.ack("auth", payload={"token": token("ada"), "heartbeat": 45})

    assert (await ada.expect("welcome"))["payload"]["heartbeat"] == {"interval": 45, "timeout": 135}


async def _all(clients: list[Client]) -> None:
    await asyncio.gather(*(client.settle() for client in clients))


async def test_auth_many_times_at_once_is_answered_in_order(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect(token=token("ada"))
    ids = [await ada.send("auth", payload={"token": token("ada", name=f"Ada {n}")}) for n in range(20)]

    names = [(await ada.reply(id))["payload"]["user"]["name"] for id in ids]

    assert names == [f"Ada {n}" for n in range(20)]
    await _all([ada])
