"""The connection of the client: refusals, close codes, tokens, heartbeat, and servers that are slow or mean harm."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import pytest

from sanic_chatrooms.client import ChatClient, ClientClosed, ConnectionLost, Event, NoAnswer, OutboxFull
from sanic_chatrooms.client import calls as calls_module
from sanic_chatrooms.client import dial as dial_module
from sanic_chatrooms.client import link as link_module
from sanic_chatrooms.client.link import reconnects
from sanic_chatrooms.errors import Banned, ChatError, RoomNotFound, TokenExpired, TooLarge, Unauthenticated
from sanic_chatrooms.support.ids import new_id
from tests.support.fake_chat import FakeChat, connected, fake_chat, new_client

WITHIN = 40.0


async def refused(client: ChatClient) -> ChatError:
    with pytest.raises(ChatError) as problem:
        async with asyncio.timeout(WITHIN):
            await client.connect()
    assert client.state == "closed"
    return problem.value


def test_importing_the_client_imports_no_sanic() -> None:
    program = (
        "import sys, sanic_chatrooms.client as c; c.ChatClient('ws://host/chat/ws');"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'sanic', 'msgspec', 'jwt', 'sqlalchemy', 'redis'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("url", ["", "/chat/ws", "ftp://host/ws", "ws://", "chat.example/ws"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address of a socket"):
        ChatClient(url)


async def test_connect_returns_the_welcome_and_close_says_goodbye(chat: FakeChat) -> None:
    client = new_client(chat, token="t1")
    assert client.state == "closed"
    opening = asyncio.ensure_future(client.connect())
    peer = await chat.peer()

    assert (await opening)["sessionId"] == "s1"
    assert (client.state, client.user) == ("online", {"id": "u1", "name": "Ada", "scopes": []})
    assert peer.token == "Bearer t1"
    await client.close()
    await client.close()
    assert client.state == "closed"
    async with asyncio.timeout(WITHIN):
        await peer.ws.wait_closed()
    assert peer.ws.close_code == 1000


async def test_a_caller_of_connect_who_gives_up_takes_the_connection_from_nobody_else(chat: FakeChat) -> None:
    client = new_client(chat)
    gone, kept = (asyncio.ensure_future(client.connect()) for _ in range(2))
    peer = await chat.silent_peer()
    gone.cancel()
    await asyncio.wait([gone])
    await peer.welcome()
    assert (await kept)["sessionId"] == "s1"
    assert client.state == "online"
    await client.close()


async def test_a_connection_is_given_up_with_the_last_caller_of_connect(chat: FakeChat) -> None:
    client = new_client(chat)
    calls = [asyncio.ensure_future(client.connect()) for _ in range(2)]
    await chat.silent_peer()
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    assert client.state == "closed"


async def test_a_closed_client_can_be_opened_again(chat: FakeChat) -> None:
    async with connected(chat) as (client, _):
        await client.close()
        with pytest.raises(ClientClosed):
            await client.send("a", "hi")
        opening = asyncio.ensure_future(client.connect())
        await chat.peer()
        await opening


@pytest.mark.parametrize(
    ("code", "yes"),
    [(1000, False), (1001, True), (1002, False), (1003, False), (1006, True), (1007, False), (1008, False),
     (1009, True), (1011, True), (1012, True), (1013, True), (4001, True), (4499, True), (4500, False), (4999, False)],
)  # fmt: skip
def test_close_codes_that_allow_a_reconnect(code: int, yes: bool) -> None:
    assert reconnects(code) is yes


@pytest.mark.parametrize(
    ("code", "kind"), [(4503, ClientClosed), (4507, Banned), (4500, Unauthenticated), (4502, Unauthenticated)]
)
async def test_a_final_close_ends_everything_with_its_reason(
    chat: FakeChat, code: int, kind: type[ChatError]
) -> None:
    async with connected(chat, token="t") as (client, peer):
        sending = asyncio.ensure_future(client.send("a", "hi"))
        following = asyncio.ensure_future(anext(client.follow("a")))
        await peer.next()
        await peer.close(code, "because")

        for task in (sending, following):
            with pytest.raises(kind, match="because") as ended:
                await task
            assert (
                ended.value.fields["close_code" if "close_code" in ended.value.fields else "closeCode"]
                == code
            )
        assert client.state == "closed"


async def ended_by(chat: FakeChat, *errors: dict[str, Any]) -> ChatError:
    """What a loop over events ends with if the server says these errors and closes with 4507."""
    client = new_client(chat)

    async def listen() -> None:
        async for _ in client.events():
            pass

    opening = asyncio.ensure_future(client.connect())
    peer = await chat.peer()
    await opening
    listening = asyncio.ensure_future(listen())
    await asyncio.sleep(0)
    await peer.say(*({"type": "error", "payload": payload} for payload in errors))
    await peer.close(4507, "you are banned")
    with pytest.raises(Banned) as problem:
        async with asyncio.timeout(WITHIN):
            await listening
    return problem.value


async def test_who_is_banned_learns_until_when_and_why(chat: FakeChat) -> None:
    banned = {"code": "banned", "message": "you are banned", "until": 1.8e9, "reason": "spam"}
    problem = await ended_by(chat, {"code": "bad_frame", "message": "earlier"}, banned)
    assert problem.fields == {"until": 1.8e9, "reason": "spam", "closeCode": 4507}


async def test_an_earlier_error_is_no_reason_for_a_close(chat: FakeChat) -> None:
    problem = await ended_by(chat, {"code": "bad_frame", "message": "no", "reason": "spam"})
    assert problem.fields == {"closeCode": 4507}


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 4008, 4010, 4012, 4013])
async def test_other_closes_lead_to_another_connection(chat: FakeChat, code: int) -> None:
    async with connected(chat) as (client, peer):
        await peer.close(code)
        await chat.peer()
        await until(lambda: client.state == "online")


async def test_a_server_that_is_not_there_yet_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async with fake_chat() as gone:
        url = gone.url
    client = ChatClient(url, backoff=(0.01, 0.02))
    with caplog.at_level(logging.WARNING):
        opening = asyncio.ensure_future(client.connect())
        await until(lambda: caplog.text.count("no connection to ws://") >= 3)
    opening.cancel()
    with suppress(asyncio.CancelledError):
        await opening

    assert client.state == "closed"


# ---- refusals ----


@pytest.mark.parametrize(
    ("status", "problem", "kind"),
    [
        (401, {"code": "unauthenticated", "detail": "bad token"}, Unauthenticated),
        (401, None, Unauthenticated),
        (401, {"code": "token_expired", "detail": "too late"}, TokenExpired),
        (403, {"code": "banned", "detail": "go away", "until": 7}, Banned),
        (403, None, ClientClosed),
        (404, None, ClientClosed),
        (400, {"code": 7}, ClientClosed),
        (426, {"detail": [[]]}, ClientClosed),
    ],
)
async def test_a_refusal_that_will_not_change_is_raised(
    chat: FakeChat, status: int, problem: Any, kind: type[ChatError]
) -> None:
    chat.refuse(status, problem)

    assert type(await refused(new_client(chat, token="t"))) is kind


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_refusal_that_may_change_is_waited_out(chat: FakeChat, status: int) -> None:
    chat.refuse(status, {"code": "unavailable"}, Retry_After="0")
    async with connected(chat):
        assert len(chat.tokens) == 2


async def test_an_address_that_is_gone_for_a_while_is_tried_again_once_it_worked(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        chat.refuse(404)
        await peer.close(1012)
        await chat.peer()
        await until(lambda: client.state == "online")


async def test_a_redirect_is_not_followed_because_the_token_is_for_this_address(chat: FakeChat) -> None:
    async with fake_chat() as other:
        chat.refuse(302, Location=other.url)

        assert "HTTP 302" in str(await refused(new_client(chat, token="secret")))
        assert other.tokens == []


# ---- tokens ----


async def test_an_expired_token_is_fetched_again(chat: FakeChat) -> None:
    fetched: list[str] = []

    async def token() -> str:
        fetched.append(f"t{len(fetched)}")
        return fetched[-1]

    chat.refuse(401, {"code": "token_expired"})
    async with connected(chat, token=token) as (_, peer):
        await peer.close(4001)
        await chat.peer()

    assert chat.tokens == ["Bearer t0", "Bearer t1", "Bearer t2"]


async def test_a_token_that_is_text_is_final_when_it_expires(chat: FakeChat) -> None:
    async with connected(chat, token="t") as (client, peer):
        sending = asyncio.ensure_future(client.send("a", "hi"))
        await peer.next()
        await peer.close(4001, "token expired")

        with pytest.raises(TokenExpired):
            await sending


async def test_before_it_expires_the_token_is_refreshed(chat: FakeChat) -> None:
    tokens = iter(("t0", "t1"))
    async with connected(chat, token=lambda: next(tokens)) as (client, peer):
        await peer.say({"type": "auth.expiring", "payload": {"at": 9}})
        command = await peer.expect("auth")
        await peer.ack(command, user={"id": "u1", "name": "Ada Lovelace"})
        await until(lambda: client.user == {"id": "u1", "name": "Ada Lovelace"})

    assert command["payload"] == {"token": "t1"}


async def test_a_refresh_that_fails_is_logged_and_the_connection_stays(
    chat: FakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = iter(("t0", "t1"))
    async with connected(chat, token=lambda: next(tokens)) as (client, peer):
        await peer.say({"type": "auth.expiring", "payload": {}})
        await peer.error(await peer.expect("auth"), "forbidden")
        await until(lambda: "could not be refreshed" in caplog.text)
        await peer.say({"type": "auth.expiring", "payload": {}})
        await until(lambda: "the function for the token failed" in caplog.text)

        assert client.state == "online"


async def test_set_token_shows_it_at_once(chat: FakeChat) -> None:
    async with connected(chat, token="t0") as (client, peer):
        setting = asyncio.ensure_future(client.set_token("t1"))
        command = await peer.expect("auth")
        await peer.ack(command)
        await setting
        await peer.close(1012)
        await chat.peer()

    assert chat.tokens == ["Bearer t0", "Bearer t1"]


async def test_a_guest_stays_the_same_guest_as_long_as_the_server_agrees(chat: FakeChat) -> None:
    client = new_client(chat, name="Ada")
    opening = asyncio.ensure_future(client.connect())
    peer = await chat.peer(guestToken="g1", user={"id": "guest-1", "name": "Guest 1"})
    await peer.ack(
        command := await peer.expect("auth"), user={"id": "guest-1", "name": "Ada"}, guestToken="g2"
    )
    await opening
    await until(lambda: client.user == {"id": "guest-1", "name": "Ada"})
    await peer.close(1012)
    peer = await chat.peer(guestToken="g2", user={"id": "guest-1", "name": "Ada"})
    chat.refuse(401, {"code": "unauthenticated"})
    await peer.close(1012)
    await chat.peer(guestToken="g3")
    await client.close()

    assert command["payload"] == {"name": "Ada"}
    assert chat.tokens == [None, "Bearer g2", "Bearer g2", None]


async def test_a_function_for_the_token_that_fails_is_called_again(
    chat: FakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter((ValueError("no"), 7, "t"))

    def token() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with connected(chat, token=token):
        pass
    assert chat.tokens == ["Bearer t"]
    assert "the token must be text" in caplog.text


# ---- answers ----


async def test_a_request_gets_its_answer_or_the_servers_error(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        one = asyncio.ensure_future(client.request("poll.vote", room="a", payload={"choice": 2}))
        two = asyncio.ensure_future(client.history("b", before=7, limit=3))
        three = asyncio.ensure_future(client.request("shop.buy"))
        vote, history, buy = [await peer.next() for _ in range(3)]
        await peer.error(buy, "out_of_stock", item=7, temporary=True)
        await peer.error(history, "room_not_found")
        await peer.ack(vote, ok=True)

        assert await one == {"ok": True}
        with pytest.raises(RoomNotFound):
            await two
        with pytest.raises(ChatError) as own:
            await three
    assert (own.value.code, own.value.temporary, own.value.fields) == ("out_of_stock", True, {"item": 7})
    assert (history["payload"], history["room"]) == ({"before": 7, "limit": 3}, "b")


async def test_requests_under_one_id_get_an_answer_each(chat: FakeChat) -> None:
    msg_id = new_id()
    async with connected(chat) as (client, peer):
        tasks = [asyncio.ensure_future(client.request("poll.vote", msg_id=msg_id)) for _ in range(3)]
        commands = [await peer.expect("poll.vote") for _ in tasks]
        tasks[1].cancel()
        await asyncio.wait([tasks[1]])
        for n, command in enumerate(commands):
            await peer.ack(command, n=n)

        assert [await tasks[0], await tasks[2]] == [{"n": 0}, {"n": 1}]


async def test_a_request_without_an_answer_times_out_and_a_cut_one_is_lost(chat: FakeChat) -> None:
    async with connected(chat, timeout=0.05) as (client, peer):
        with pytest.raises(NoAnswer):
            await client.rooms(mine=True)
        client._engine.timeout = WITHIN
        asking = asyncio.ensure_future(client.members("a"))
        await peer.expect("rooms")
        await peer.expect("members")
        peer.ws.transport.abort()
        with pytest.raises(ConnectionLost):
            await asking


async def test_a_request_that_is_made_offline_waits_for_the_connection(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        await peer.close(1012)
        await until(lambda: client.state != "online")
        asking = asyncio.ensure_future(client.read("a", 7))
        peer = await chat.peer()
        await peer.ack(await peer.expect("read"), unread=0)

        assert await asking == {"unread": 0}


async def test_frames_above_the_servers_limit_are_not_sent(chat: FakeChat) -> None:
    client = new_client(chat)
    opening = asyncio.ensure_future(client.connect())
    await chat.peer(limits={"maxFrame": 200})
    await opening
    with pytest.raises(TooLarge):
        await client.request("x.y", payload={"text": "ä" * 100})
    await client.close()


async def test_commands_that_wait_have_a_bound(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "LIMIT", 3)
    async with connected(chat) as (client, _):
        waiting = [asyncio.ensure_future(client.request("x.y")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(OutboxFull):
            await client.request("x.y")
        await client.close()
        for task in waiting:
            with pytest.raises(ClientClosed):
                await task


@pytest.mark.parametrize("payload", [{"x": float("nan")}, {"x": object()}, {"x": b""}, {"text": "\ud800"}])
async def test_what_is_no_json_is_an_error_of_the_caller(chat: FakeChat, payload: Any) -> None:
    async with connected(chat) as (client, peer):
        with pytest.raises((TypeError, ValueError)):
            await client.request("x.y", payload=payload)
        with pytest.raises((TypeError, ValueError)):
            await client.send("a", payload)
        asking = asyncio.ensure_future(client.request("x.y"))
        await peer.ack(await peer.expect("x.y"))
        await asking


# ---- slow and hostile servers ----


async def test_a_silent_server_is_pinged_and_given_up(
    chat: FakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "SHORTEST_BEAT", 0.02)
    monkeypatch.setattr(link_module, "PONG", 0.02)
    client = new_client(chat)
    opening = asyncio.ensure_future(client.connect())
    peer = await chat.peer(heartbeat={"interval": 0.02})
    await opening
    assert (await peer.next()) == {"type": "ping"}
    again = await chat.silent_peer()
    await client.close()

    assert again is not peer


async def test_a_server_that_does_not_welcome_us_is_given_up(
    chat: FakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "WELCOME", 0.2)
    client = new_client(chat)
    opening = asyncio.ensure_future(client.connect())
    await chat.silent_peer()
    await chat.silent_peer()
    opening.cancel()
    with suppress(asyncio.CancelledError):
        await opening


async def test_a_server_that_does_not_read_is_given_up(
    chat: FakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "UNSENT", 100_000)
    async with connected(chat) as (client, peer):
        peer.ws.transport.pause_reading()
        lost = 0
        asking: asyncio.Future[Any] = asyncio.ensure_future(asyncio.sleep(0))
        for _ in range(400):  # until the buffers of the system are full, and ours
            asking = asyncio.ensure_future(client.request("x.y", payload={"text": "x" * 60_000}))
            await asyncio.sleep(0)
            if client.state != "online":
                break
            asking.cancel()
            lost += 1
        await chat.peer()
        asking.cancel()
        peer.ws.transport.resume_reading()

    assert lost < 400


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[]", "7", "null", '"x"', "{", '{"type":7}', '{"type":null,"payload":{}}', "[" * 100_000,
        '{"type":"message"}', '{"type":"message","room":"a","seq":"7"}', '{"type":"message","room":7,"seq":7}',
        '{"type":"message","room":"a","seq":true}', '{"type":"message","room":"a","seq":-1}',
        '{"type":"message","room":"nowhere","seq":1,"payload":{}}', '{"type":"ack"}', '{"type":"ack","replyTo":7}',
        '{"type":"ack","replyTo":"join","payload":{"room":7}}', '{"type":"ack","replyTo":"unknown","payload":[]}',
        '{"type":"error","replyTo":"unknown","payload":{"code":7}}', '{"type":"reset","payload":{"room":[]}}',
        '{"type":"reset","payload":{"room":"a","rejoinIn":"soon"}}', '{"type":"room.added","payload":{"room":"b"}}',
        '{"type":"room.added","payload":{"room":"b","epoch":7,"seq":{}}}', '{"type":"room.removed","payload":{}}',
        '{"type":"closing","payload":{"reconnectIn":"never"}}', '{"type":"closing","payload":{"reconnectIn":-1e999}}',
        '{"type":"welcome","payload":{}}', '{"type":"auth.expiring"}', '{"type":"x","payload":' + "9" * 5_000 + "}",
        '{"type":"closing","payload":{"reconnectIn":' + "9" * 400 + "}}",
        '{"type":"reset","payload":{"room":"a","rejoinIn":' + "9" * 400 + "}}",
        '{"type":"error","payload":{"code":"rate_limited","retryAfter":' + "9" * 400 + "}}",
        '{"type":"message","room":"\\ud800","seq":1,"payload":{"text":"\\ud800"}}',
        '{"type":"room.added","payload":{"room":"\\ud800","epoch":"\\ud800","seq":1}}',
    ],
)  # fmt: skip
async def test_frames_that_make_no_sense_are_passed_over(
    chat: FakeChat, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(chat) as (client, peer):
        await peer.raw(text)
        await peer.raw(text.encode())  # binary, too
        asking = asyncio.ensure_future(client.request("x.y"))
        await peer.ack(await peer.expect("x.y"), ok=True)

        assert await asking == {"ok": True}
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "welcome",
    [
        {"limits": 7, "heartbeat": [], "user": None, "expiresAt": "soon", "guestToken": 7},
        {"limits": {"maxFrame": -1}, "heartbeat": {"interval": float("inf")}, "expiresAt": -1e300},
        {"limits": {"maxFrame": "x"}, "heartbeat": {"interval": -5}, "user": "Ada", "expiresAt": True},
        {"limits": {"maxFrame": 10**400}, "heartbeat": {"interval": 10**400}, "expiresAt": 10**400},
        {"user": {"name": "\ud800"}, "guestToken": "\ud800", "expiresAt": float("nan")},
    ],
)
async def test_a_welcome_that_makes_no_sense_is_a_welcome(chat: FakeChat, welcome: dict[str, Any]) -> None:
    client = new_client(chat, name="Ada")
    opening = asyncio.ensure_future(client.connect())
    peer = await chat.silent_peer()
    timestamp = 10**400 if "limits" in welcome else "now"
    await peer.raw(json.dumps({"type": "welcome", "timestamp": timestamp, "payload": welcome}))
    await opening
    asking = asyncio.ensure_future(client.request("x.y"))
    command = await peer.next()
    while command["type"] != "x.y":  # the name of a guest
        command = await peer.next()
    await peer.ack(command)
    await asking
    await client.close()


@pytest.mark.parametrize(
    "ack", [{}, {"epoch": 7}, {"epoch": "e", "seq": 1}, {"epoch": "e", "seq": 1, "messages": [7]}]
)
async def test_an_answer_to_join_that_makes_no_sense_is_an_error(chat: FakeChat, ack: dict[str, Any]) -> None:
    async with connected(chat) as (client, peer):
        joining = asyncio.ensure_future(client.join("a"))
        await peer.ack(await peer.expect("join"), **ack)

        with pytest.raises(ChatError, match="makes no sense"):
            await joining


async def test_a_frame_that_is_too_large_costs_the_connection_only(
    chat: FakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial_module, "LARGEST", 10_000)
    async with connected(chat) as (client, peer):
        with suppress(Exception):
            await peer.raw("x" * 20_000)
        await chat.peer()
        await until(lambda: client.state == "online")


async def test_closing_sets_the_time_of_the_next_attempt(chat: FakeChat) -> None:
    async with connected(chat, backoff=(600.0, 600.0)) as (client, peer):
        await peer.say({"type": "closing", "payload": {"reconnectIn": 0.01}})
        await peer.close(1012)
        await chat.peer()
        await until(lambda: client.state == "online")


async def test_an_overloaded_server_gets_more_time(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def at_once(seconds: float, low: float, high: float) -> float:
        waits.append(seconds)
        return 0.0

    monkeypatch.setattr("sanic_chatrooms.support.backoff.jittered", at_once)
    async with connected(chat, backoff=(1.0, 30.0)) as (client, peer):
        for _ in range(3):
            await peer.close(1013)
            peer = await chat.peer()
        await until(lambda: client.state == "online")

    assert waits == [4.0, 8.0, 16.0]


async def test_keywords_are_those_of_websockets(chat: FakeChat) -> None:
    with pytest.raises(ClientClosed, match="has failed"):
        await ChatClient(chat.url, ssl=ssl.create_default_context()).connect()


async def until(what: Any) -> None:
    end = time.monotonic() + WITHIN
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.002)


def test_an_event_is_a_dict() -> None:
    event = Event({"type": "x"})

    assert event == {"type": "x"}
    assert json.dumps(event) == '{"type": "x"}'
