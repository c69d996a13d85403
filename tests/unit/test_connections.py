"""The chat without sockets that hosts get for their tests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, Context, User
from sanic_chatrooms.protocol import frame
from sanic_chatrooms.testing import ConnectionClosed, MemoryConnection, chat_client, running_chat
from sanic_chatrooms.testing.connections import decode_frames

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


async def test_a_host_tests_its_own_instance() -> None:
    support = ChatRooms("support")

    @support.command("ECHO")
    async def echo(ctx: Context, payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    async with running_chat(support, auto_create=True) as chat:
        ada = await chat_client(chat, ADA, room="desk")
        await ada.expect("ack", replyTo="join")
        await support.publish("desk", "TICKET", {"id": 7})

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
