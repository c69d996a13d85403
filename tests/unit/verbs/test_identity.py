"""Who a connection is: by its handshake, by `auth`, as a guest, and as somebody else after all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from sanic_chatrooms import (
    Authenticator,
    ChatRooms,
    Credentials,
    Happening,
    JWTAuth,
    MemoryBroker,
    MemoryPresence,
    MemoryStore,
)
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.declaration import RouteDeclaration
from sanic_chatrooms.errors import Forbidden, RateLimited, TokenExpired, Unauthenticated
from sanic_chatrooms.models import Handshake, User, user_room
from sanic_chatrooms.testing import FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.identity import BAD_PROOFS, MAX_BAD_PROOFS, PROOF_EVERY
from tests.unit.auth.test_jwt import KEY
from tests.unit.auth.test_jwt import token as jwt_token


class Names(Authenticator):
    """Takes any token for its owner's id; some words are special."""

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        token = credentials.token
        if token is None:
            if (
                "sid" in handshake.query
            ):  # stands for a session of the app's, which is none of our credentials
                return User(handshake.query["sid"], "By session")
            raise Unauthenticated
        if token == "bad":
            raise Unauthenticated("no such user")
        if token == "old":
            raise TokenExpired
        if token == "broken":
            raise KeyError("secret")
        if token == "none":
            return None  # type: ignore[return-value]
        name, _, seconds = token.partition("+")
        return User(name, name.title(), expires_at=time.time() + float(seconds) if seconds else None)


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", auth=Names())


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms, auto_create=True) as chat:
        yield chat


@pytest.fixture
async def open_chat() -> AsyncIterator[Chat]:
    async with running_core(auth=Names(), guests=True) as chat:
        yield chat


async def welcome(client: MemoryClient) -> Any:
    return (await client.expect("welcome"))["payload"]


# ---- by the handshake ----


async def test_a_token_in_the_handshake_is_welcomed_at_once(chat: Chat) -> None:
    ada = await chat_client(chat, token="ada+600")

    greeting = await welcome(ada)

    assert greeting["user"] == {"id": "ada", "name": "Ada", "scopes": []}
    assert greeting["sessionId"] == ada.session.id
    assert greeting["protocol"] == 1
    assert greeting["heartbeat"] == {"interval": 30.0, "timeout": 90.0}
    assert greeting["limits"] == {
        "maxFrame": 65536,
        "maxText": 16000,
        "maxRooms": 128,
        "historyPage": 50,
        "streams": {"room": 16, "user": 4},
    }
    assert abs(greeting["expiresAt"] - time.time() - 600) < 5
    assert "guestToken" not in greeting


@pytest.mark.parametrize(
    ("token", "error"),
    [("bad", Unauthenticated), ("old", TokenExpired), ("broken", Unauthenticated), ("none", Unauthenticated)],
)
async def test_a_token_that_proves_nothing_is_refused(chat: Chat, token: str, error: type[Exception]) -> None:
    with pytest.raises(error) as refusal:
        await chat_client(chat, token=token)

    assert "secret" not in str(refusal.value)


async def test_a_session_of_the_apps_own_is_enough(chat: Chat, open_chat: Chat) -> None:
    for each in (chat, open_chat):
        client = await chat_client(each, query={"sid": "u7"})

        assert (await welcome(client))["user"]["id"] == "u7"


async def test_who_shows_nothing_has_to_say_it(chat: Chat) -> None:
    nobody = await chat_client(chat)

    assert (await nobody.error("join", room="general"))["code"] == "unauthenticated"
    assert (await nobody.error("ping"))["code"] == "unauthenticated"
    assert await chat.backends.store.room("general") is None
    assert nobody.unread("welcome") == []


class ByCookie(Authenticator):
    """Knows people by their request alone."""

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        if "sid" not in handshake.query:
            raise Unauthenticated("sign in first")
        return User(handshake.query["sid"], "By session")


async def test_who_shows_nothing_where_no_token_could_follow_is_told_at_once() -> None:
    async with running_core(auth=ByCookie()) as chat:
        with pytest.raises(Unauthenticated, match="sign in first"):
            await chat_client(chat)
        assert (await welcome(await chat_client(chat, query={"sid": "u7"})))["user"]["id"] == "u7"
        with pytest.raises(Unauthenticated):
            await chat_client(chat, route=RouteDeclaration("/desk", auth=ByCookie()))


async def test_who_is_not_known_by_the_request_is_a_guest_where_there_are_guests() -> None:
    async with running_core(auth=ByCookie(), guests=True) as chat:
        assert (await chat_client(chat)).session.user.guest


# ---- by auth ----


async def test_auth_is_acknowledged_and_then_welcomed(chat: Chat) -> None:
    ada = await chat_client(chat)

    answer = await ada.ack("auth", payload={"token": "ada"})

    assert answer == {
        "user": {"id": "ada", "name": "Ada", "scopes": []},
        "heartbeat": {"interval": 30.0, "timeout": 90.0},
    }
    assert (await welcome(ada))["user"] == answer["user"]
    assert [frame["type"] for frame in ada.frames] == ["ack", "welcome"]


@pytest.mark.parametrize(
    ("token", "code", "closed"),
    [
        ("bad", "unauthenticated", 4500),
        ("none", "unauthenticated", 4500),
        ("old", "token_expired", 4001),
    ],
)
async def test_a_bad_token_in_auth_closes(chat: Chat, token: str, code: str, closed: int) -> None:
    nobody = await chat_client(chat)

    assert (await nobody.error("auth", payload={"token": token}))["code"] == code
    assert (await nobody.closed())[0] == closed


async def test_auth_without_a_token_is_an_error_only(chat: Chat) -> None:
    nobody = await chat_client(chat)

    assert (await nobody.error("auth"))["code"] == "unauthenticated"
    assert (await nobody.error("auth", payload={"token": 7}))["code"] == "invalid_field"
    assert await nobody.ack("auth", payload={"token": "ada"})


async def test_auth_joins_the_room_of_the_path(chat: Chat) -> None:
    ada = await chat_client(chat, room="lobby")
    await ada.ack("auth", payload={"token": "ada"})

    assert (await ada.expect("ack", replyTo="join"))["payload"]["room"] == "lobby"


async def test_a_backend_that_is_away_lets_one_try_again() -> None:
    store = FaultyStore(MemoryStore())
    backends = Backends(store, MemoryBroker(MemoryBus()), MemoryPresence())
    async with running_core(auth=Names(), backends=backends) as chat:
        ada = await chat_client(chat)
        store.fail_next(verb="heads")

        assert (await ada.error("auth", payload={"token": "ada"}))["code"] == "unavailable"
        assert not ada.session.authenticated
        assert await ada.ack("auth", payload={"token": "ada"})
        assert len(chat.sessions.of("ada")) == 1


# ---- again ----


async def test_a_refresh_takes_the_new_end(chat: Chat) -> None:
    ada = await chat_client(chat, token="ada+60")

    answer = await ada.ack("auth", payload={"token": "ada+600"})

    assert abs(answer["expiresAt"] - time.time() - 600) < 5
    assert len([frame for frame in ada.frames if frame["type"] == "welcome"]) == 1
    assert ada.session.liveness.lifetime > 590


@pytest.mark.parametrize(
    ("token", "code"), [("bad", "unauthenticated"), ("old", "token_expired"), ("bob", "forbidden")]
)
async def test_a_refresh_that_fails_changes_nothing(chat: Chat, token: str, code: str) -> None:
    ada = await chat_client(chat, token="ada+60")
    end = ada.session.user.expires_at

    assert (await ada.error("auth", payload={"token": token}))["code"] == code

    assert (ada.session.user.id, ada.session.user.expires_at) == ("ada", end)
    assert ada.connection.closed is None


@pytest.mark.parametrize("token", ["bad", "old", "bob", "broken", "none", "x" * 9000])
async def test_a_refresh_that_fails_again_and_again_is_looked_at_no_more_and_then_closes(
    chat: Chat, token: str
) -> None:
    ada = await chat_client(chat, token="ada+60")

    codes = [(await ada.error("auth", payload={"token": token}))["code"] for _ in range(BAD_PROOFS + 2)]
    while ada.connection.closed is None:
        ada.send("auth", payload={"token": "ada+600"})
        await asyncio.sleep(0)

    assert codes[-2:] == ["rate_limited", "rate_limited"]
    assert "rate_limited" not in codes[:-2]
    assert ada.connection.closed[0] == 4013
    assert len([frame for frame in ada.frames if frame["type"] == "error"]) == MAX_BAD_PROOFS


async def test_who_waits_is_looked_at_again(chat: Chat) -> None:
    ada = await chat_client(chat, token="ada+60")
    for _ in range(BAD_PROOFS):
        await ada.error("auth", payload={"token": "bad"})
    error = await ada.error("auth", payload={"token": "ada+600"})
    assert (error["code"], 0 < error["retryAfter"] <= PROOF_EVERY) == ("rate_limited", True)

    ada.session.who.proof_at = 0.0  # so many seconds later

    assert (await ada.error("auth", payload={"token": "bad"}))["code"] == "unauthenticated"
    assert (await ada.error("auth", payload={"token": "bad"}))["code"] == "rate_limited"
    ada.session.who.proof_at = 0.0
    await ada.ack("auth", payload={"token": "ada+600"})
    for _ in range(BAD_PROOFS):
        assert (await ada.error("auth", payload={"token": "bad"}))["code"] == "unauthenticated"


async def test_wrong_tokens_of_neighbours_keep_nobody_from_refreshing(rooms: ChatRooms) -> None:
    async with running_core(rooms, rate_limits=True) as chat:
        ada = await chat_client(chat, token="ada+60")
        for _ in range(10):
            chat.limits.proof_failed(ada.session.handshake.remote_ip)

        await ada.ack("auth", payload={"token": "ada+600"})
        nobody = await chat_client(chat)
        refused = await nobody.error("auth", payload={"token": "ada+700"})
        await nobody.ack("auth", payload={"token": "ada+600"})  # this one was accepted before

    assert (refused["code"], refused["limit"]) == ("rate_limited", "auth")


async def test_wrong_tokens_of_neighbours_keep_out_none_that_is_judged_at_once() -> None:
    rooms = ChatRooms("test", guests=True, auth=JWTAuth(KEY))
    async with running_core(rooms, rate_limits=True) as chat:
        for _ in range(10):
            chat.limits.proof_failed("127.0.0.1")

        ada = await chat_client(chat, token=jwt_token(sub="ada"))
        assert ada.session.user.id == "ada"
        guest = await chat_client(chat)
        shown = (await guest.expect("welcome"))["payload"]["guestToken"]
        assert (await chat_client(chat, token=shown)).session.user.id == guest.session.user.id
        with pytest.raises(RateLimited):
            await chat_client(chat, token=jwt_token(key="y" * 40))


async def test_refreshing_has_a_rate(rooms: ChatRooms) -> None:
    async with running_core(rooms, rate_limits=True, rate_read="1/h burst 2") as chat:
        ada = await chat_client(chat, token="ada+60")
        for _ in range(2):
            await ada.ack("auth", payload={"token": "ada+60"})

        refused = await ada.error("auth", payload={"token": "ada+60"})

    assert (refused["code"], refused["limit"], refused["retryAfter"] > 0) == ("rate_limited", "read", True)


async def test_who_signs_in_first_has_no_rate() -> None:
    rooms = ChatRooms("test", guests=True, auth=JWTAuth(KEY))
    async with running_core(rooms, rate_limits=True, rate_read="1/h") as chat:
        for _ in range(3):
            guest = await chat_client(chat)
            await guest.ack("auth", payload={"token": jwt_token(sub="ada")})


async def test_refreshing_with_another_name_is_a_change_too(rooms: ChatRooms) -> None:
    async with running_core(rooms, rate_limits=True, rate_change="1/h") as chat:
        ada = await chat_client(chat, token="ada+60")
        names = []
        for name in ("Bea", "Cleo"):
            ada.session.user = replace(ada.session.user, name=name)  # so her token says something else
            names.append((await ada.request("auth", payload={"token": "ada+60"}))["type"])

    assert names == ["ack", "error"]


async def test_auth_without_a_token_is_not_tried_for_ever(chat: Chat) -> None:
    nobody = await chat_client(chat)

    for _ in range(MAX_BAD_PROOFS):
        nobody.send("auth")

    assert (await nobody.closed())[0] == 4013


@pytest.mark.parametrize(
    ("wanted", "interval"), [(60, 60.0), (1, 30.0), (-5, 30.0), (0, 30.0), (10_000, 120.0), (120, 120.0)]
)
async def test_a_longer_heartbeat_is_granted_within_bounds(
    chat: Chat, wanted: float, interval: float
) -> None:
    ada = await chat_client(chat, token="ada")

    answer = await ada.ack("auth", payload={"heartbeat": wanted})

    assert answer["heartbeat"] == {"interval": interval, "timeout": 3 * interval}
    assert (ada.session.liveness.interval, ada.session.liveness.timeout) == (interval, 3 * interval)


# ---- guests ----


async def test_a_guest_comes_back_as_who_they_were(open_chat: Chat) -> None:
    guest = await chat_client(open_chat)
    greeting = await welcome(guest)

    again = await chat_client(open_chat, token=greeting["guestToken"])

    assert again.session.user.id == guest.session.user.id
    assert again.session.user.guest


async def test_a_guest_may_take_a_name(open_chat: Chat) -> None:
    guest = await chat_client(open_chat)

    answer = await guest.ack("auth", payload={"name": " Zo\u00eb "})
    await guest.ack("join", room="general")

    assert answer["user"]["name"] == "Zo\u00eb"
    assert (await guest.ack("presence", room="general"))["users"][0]["name"] == "Zo\u00eb"
    assert (await guest.error("auth", payload={"name": "\u200b"}))["code"] == "invalid_field"


async def test_a_name_does_not_change_a_signed_in_user(open_chat: Chat) -> None:
    ada = await chat_client(open_chat, token="ada")

    assert (await ada.ack("auth", payload={"name": "Eve"}))["user"]["name"] == "Ada"


async def test_a_guest_who_did_nothing_yet_may_turn_out_to_be_somebody(open_chat: Chat) -> None:
    client = await chat_client(open_chat)
    guest = client.session.user.id

    await client.ack("auth", payload={"token": "ada"})
    await client.settle()

    assert [w["payload"]["user"]["id"] for w in client.unread("welcome")] == [guest, "ada"]
    assert (open_chat.sessions.of(guest), len(open_chat.sessions.of("ada"))) == ([], 1)
    await open_chat.occupancy.refresh()
    assert await open_chat.backends.presence.online([guest, "ada"]) == {"ada"}


async def test_a_guest_who_did_something_stays_one(open_chat: Chat) -> None:
    client = await chat_client(open_chat)
    await client.ack("rooms")

    assert (await client.error("auth", payload={"token": "ada"}))["code"] == "forbidden"


async def test_a_route_with_its_own_authenticator_has_no_guests(open_chat: Chat) -> None:
    nobody = await chat_client(open_chat, route=RouteDeclaration("/desk", auth=Names()))

    assert not nobody.session.authenticated


async def test_tokens_where_only_guests_are_let_in() -> None:
    async with running_core(guests=True) as chat:
        with pytest.raises(Unauthenticated, match="not accepted"):
            await chat_client(chat, token="ada")


# ---- the app has a say ----


async def test_an_app_may_refuse_who_connects(rooms: ChatRooms) -> None:
    asked = []

    @rooms.on("connect")
    def refuse(happening: Happening) -> None:
        assert happening.user is not None
        asked.append(happening.user.id)
        if happening.user.id == "eve":
            raise Forbidden("not you")

    async with running_core(rooms) as chat:
        await chat_client(chat, token="ada")
        with pytest.raises(Forbidden):
            await chat_client(chat, token="eve")
        later = await chat_client(chat)
        assert (await later.error("auth", payload={"token": "eve"}))["code"] == "forbidden"
        assert (await later.closed())[0] == 4503

    assert asked == ["ada", "eve", "eve"]


async def test_a_user_has_so_many_connections_at_most(rooms: ChatRooms) -> None:
    async with running_core(rooms, max_connections_per_user=1) as chat:
        first = await chat_client(chat, token="ada")
        second = await chat_client(chat)

        assert (await second.error("auth", payload={"token": "ada"}))["code"] == "rate_limited"
        assert (await second.closed())[0] == 4504
        first.disconnect()
        third = await chat_client(chat)
        assert await third.ack("auth", payload={"token": "ada"})


async def test_who_is_gone_is_not_held(chat: Chat) -> None:
    ada = await chat_client(chat, token="ada")
    ada.disconnect()

    await chat.hub.release()

    assert chat.hub.room(user_room("ada")) is None
    assert len(chat.sessions) == 0
