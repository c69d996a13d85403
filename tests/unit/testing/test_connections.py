"""The chat without sockets that apps get for their tests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sanic_chatrooms import (
    Authenticator,
    ChatRooms,
    Context,
    Credentials,
    Handshake,
    Happening,
    Unauthenticated,
    User,
)
from sanic_chatrooms.testing import ConnectionClosed, MemoryConnection, chat_client, running_chat
from sanic_chatrooms.testing.frames import decode_frames
from sanic_chatrooms.websocket.frames import frame

ADA = User("u1", "Ada")


@pytest.mark.parametrize("size", [0, 110, 111, 112, 65_520, 65_521, 65_522, 70_000])
def test_frames_of_every_length_are_taken_apart(size: int) -> None:
    text = b'{"type":"%s"}' % (b"x" * size)

    assert decode_frames(frame(text) + frame(b'{"type":"y"}')) == [{"type": "x" * size}, {"type": "y"}]


@pytest.mark.parametrize("data", [b"\x82\x02{}", b"\x81\x82abcd{}", b"\x81\x05{}", b"\x01\x02{}"])
def test_what_a_server_may_not_write_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_frames(data)


def test_nothing_is_written_after_the_close_and_the_first_code_counts() -> None:
    connection = MemoryConnection()
    connection.reply(frame(b'{"type":"a"}') + frame(b'{"type":"b"}'))

    connection.close(4503, "enough")
    connection.close(1000, "goodbye")
    connection.push(frame(b'{"type":"c"}'))

    assert [f["type"] for f in connection.frames] == ["a", "b"]
    assert connection.writes == [2]
    assert connection.closed == (4503, "enough")


async def test_clients_talk_and_take_each_frame_once() -> None:
    async with running_chat(guests=True) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat)
        for client in (ada, bob):
            await client.ack("join", room="general")

        await ada.ack("message", room="general", payload={"text": "hi"})
        await bob.settle()

        assert (await bob.expect("message", room="general"))["sender"] == {"id": "u1", "name": "Ada"}
        assert bob.unread("message") == []
        assert bob.session.user.guest


async def test_an_app_tests_its_own_instance() -> None:
    support = ChatRooms("support")

    @support.command("ECHO")
    async def echo(ctx: Context, payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    async with running_chat(support, auto_create=True) as chat:
        ada = await chat_client(chat, ADA, room="desk")
        await ada.expect("ack", replyTo="join")
        assert chat is support
        await chat.publish("desk", "TICKET", {"id": 7})

        assert await ada.ack("ECHO", payload={"n": 1}) == {"n": 1}
        assert (await ada.expect("TICKET"))["payload"] == {"id": 7}


async def test_a_closed_connection_ends_the_waiting() -> None:
    support = ChatRooms("support", guests=True)
    async with running_chat(support) as chat:
        ada = await chat_client(chat, ADA)
        waiting = asyncio.ensure_future(ada.expect("never"))

        await support.disconnect("u1", code=4503, reason="enough")

        with pytest.raises(ConnectionClosed, match="enough"):
            await waiting
        assert await ada.closed() == (4503, "enough")


async def test_an_error_where_an_ack_was_expected_is_a_failure() -> None:
    async with running_chat() as chat:
        ada = await chat_client(chat, ADA)

        with pytest.raises(AssertionError, match="room_not_found"):
            await ada.ack("join", room="nowhere")


class ByRequest(Authenticator):
    """Knows Ada by a cookie, a header or a token."""

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        shown = (handshake.cookies.get("session"), handshake.headers.get("x-user"), credentials.token)
        if "ada" not in shown:
            raise Unauthenticated
        return ADA


@pytest.mark.parametrize(
    "shown",
    [
        {"cookies": {"session": "ada"}},
        {"headers": {"X-User": "ada"}},
        {"headers": {"Authorization": "Bearer ada"}},
        {"cookies": {"token": "ada"}},
        {"query": {"key": "ada"}},
        {"token": "ada"},
    ],
)
async def test_a_client_shows_what_a_browser_would(shown: dict[str, Any]) -> None:
    async with running_chat(auth=ByRequest(), token_cookie="token", token_query="key") as chat:
        client = await chat_client(chat, **shown)

        assert (await client.expect("welcome"))["payload"]["user"]["id"] == "u1"
        assert "key" not in client.session.handshake.query


async def test_a_client_comes_by_a_route_of_the_apps() -> None:
    support = ChatRooms("support", auth=ByRequest())
    support.add_route("/screen", room="lobby", read_only=True)
    async with running_chat(support) as chat:
        await chat.ensure_room("lobby")
        screen = await chat_client(chat, ADA, route="/screen")

        assert (await screen.expect("ack", replyTo="join"))["payload"]["room"] == "lobby"
        with pytest.raises(ValueError, match="no route"):
            await chat_client(chat, ADA, route="/nowhere")


async def test_settling_waits_for_the_apps_listeners_and_for_what_they_say() -> None:
    support = ChatRooms("support", guests=True)
    free = asyncio.Event()

    @support.on("message")
    async def answer(event: Happening) -> None:
        await free.wait()
        await support.publish("desk", "ANSWER", {})

    async with running_chat(support) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="desk")
        await ada.ack("message", room="desk", payload={"text": "hi"})
        settling = asyncio.ensure_future(ada.settle())
        await ada.request("ping")
        assert not settling.done()
        free.set()
        await settling

        assert len(ada.unread("ANSWER")) == 1
