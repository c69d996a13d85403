"""What the client writes piece by piece arrives whole, whatever happens on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sanic_chatrooms.client import ChatClient, MessageStream
from sanic_chatrooms.client import stream as stream_module
from sanic_chatrooms.errors import ChatError, Conflict, InvalidField, InvalidText, MessageNotFound, TooLarge
from tests.support.fake_chat import FakeChat, Peer, connected

BOB = {"id": "u2", "name": "Bob"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "AGAIN", 0.0)


async def opens(peer: Peer, lease: float = 30.0) -> dict[str, Any]:
    """Answer the next command, which opens a message; -> its payload."""
    command = await peer.expect("message.open")
    await peer.ack(command, msgId="m1", seq=1, timestamp=1.0, duplicate=False, lease=lease)
    payload: dict[str, Any] = command["payload"]
    return payload


async def appends(peer: Peer, at: int | None = None) -> tuple[int, str]:
    """Answer the next command, which appends a piece; -> its place, and the piece."""
    command = await peer.expect("message.append")
    piece = command["payload"]
    assert piece["msgId"] == "m1"
    await peer.ack(command, at=piece["at"] + len(piece["text"]) if at is None else at)
    return piece["at"], piece["text"]


async def closes(peer: Peer) -> dict[str, Any]:
    command = await peer.expect("message.close")
    await peer.ack(command, seq=2, duplicate=False)
    payload: dict[str, Any] = command["payload"]
    return payload


async def written(out: MessageStream, *texts: str) -> None:
    async with out:
        for text in texts:
            out.write(text)


async def test_what_is_written_meanwhile_goes_with_the_next_piece(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        out = client.stream("a", {"parent": "m0"})

        async def write() -> None:
            async with out:
                out.write("ab")
                out.write("c")
                first.set()
                await more.wait()
                out.write("d")
                out.write("\U0001f389")
                await out.flush()
                flushed.set()

        first, more, flushed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        writing = asyncio.ensure_future(write())
        assert await opens(peer) == {"text": "", "parent": "m0"}
        assert await appends(peer) == (0, "abc")
        more.set()
        assert await appends(peer) == (3, "d\U0001f389")
        assert await closes(peer) == {"msgId": "m1", "reason": "complete"}
        await writing
    assert flushed.is_set()
    assert (out.msg_id, out.seq, out.text) == ("m1", 1, "abcd\U0001f389")


async def test_a_long_text_goes_in_pieces(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "PIECE", 4)
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a", "so: "), "abcdefghij"))
        assert await opens(peer) == {"text": "so: "}
        assert [await appends(peer) for _ in range(3)] == [(4, "abcd"), (8, "efgh"), (12, "ij")]
        await closes(peer)
        await writing


async def test_another_worker_says_from_where_to_go_on(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a"), "abcdef"))
        await opens(peer)
        await peer.error(await peer.expect("message.append"), "conflict", at=2)
        assert await appends(peer) == (2, "cdef")
        await closes(peer)
        await writing


async def test_a_close_that_another_worker_refuses_sends_what_that_lacks_and_closes_again(
    chat: FakeChat,
) -> None:
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a"), "abcdef"))
        await opens(peer)
        assert await appends(peer) == (0, "abcdef")
        refused = await peer.expect("message.close")
        await peer.error(refused, "conflict", at=4)
        assert await appends(peer) == (4, "ef")
        closed = await peer.expect("message.close")
        await peer.ack(closed, seq=2, duplicate=False)
        await writing

    assert closed["payload"] == refused["payload"]
    assert closed["msgId"] != refused["msgId"]


async def test_a_close_of_a_message_that_is_closed_is_refused(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a"), "abc"))
        await opens(peer)
        await appends(peer)
        await peer.error(await peer.expect("message.close"), "conflict")
        with pytest.raises(Conflict):
            await writing


@pytest.mark.parametrize("code", ["unavailable", "rate_limited"])
async def test_a_piece_that_may_arrive_later_is_sent_again(chat: FakeChat, code: str) -> None:
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a"), "abc"))
        await opens(peer)
        await peer.error(await peer.expect("message.append"), code, retryAfter=0)
        assert await appends(peer) == (0, "abc")
        await closes(peer)
        await writing


async def test_a_piece_that_was_cut_off_is_sent_again_after_the_reconnect(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a"), "abc"))
        await opens(peer)
        await peer.expect("message.append")
        peer.ws.transport.abort()
        peer = await chat.peer()
        assert await appends(peer) == (0, "abc")
        await closes(peer)
        await writing


async def silent(client: ChatClient, done: asyncio.Event) -> None:
    async with client.stream("a"):
        await done.wait()


async def test_a_silent_writer_shows_that_it_is_there(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(silent(client, done := asyncio.Event()))
        await opens(peer, lease=0.03)
        assert await appends(peer) == (0, "")
        assert await appends(peer) == (0, "")
        done.set()
        while (command := await peer.next())["type"] == "message.append":
            await peer.ack(command, at=0)
        assert command["type"] == "message.close"
        await peer.ack(command, seq=2, duplicate=False)
        await writing


async def test_who_is_cancelled_by_a_reader_is_told_and_goes_on_behind_the_block(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):

        async def write() -> Any:
            async with client.stream("a") as out:
                out.write("abc")
                await asyncio.Event().wait()
            return out.cancelled_by

        writing = asyncio.ensure_future(write())
        await opens(peer)
        await appends(peer)
        await peer.say({"type": "message.cancelled", "room": "a", "payload": {"msgId": "other", "by": BOB}})
        await peer.say({"type": "message.cancelled", "room": "a", "payload": {"msgId": "m1", "by": BOB}})
        assert await closes(peer) == {"msgId": "m1", "reason": "cancelled"}

        assert await writing == BOB
        assert writing.cancelling() == 0


async def test_who_is_cancelled_by_their_own_program_stays_cancelled(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):

        async def write() -> None:
            async with client.stream("a"):
                opened.set()
                await asyncio.Event().wait()

        opened = asyncio.Event()
        writing = asyncio.ensure_future(write())
        await opens(peer)
        await opened.wait()
        writing.cancel()
        assert await closes(peer) == {"msgId": "m1", "reason": "cancelled"}
        with pytest.raises(asyncio.CancelledError):
            await writing


async def test_an_exception_ends_the_message_with_an_error_and_goes_on(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):

        async def write() -> None:
            async with client.stream("a") as out:
                out.write("abc")
                raise LookupError

        writing = asyncio.ensure_future(write())
        await opens(peer)
        await appends(peer)
        assert await closes(peer) == {"msgId": "m1", "reason": "error"}
        with pytest.raises(LookupError):
            await writing


async def test_a_text_that_the_server_does_not_take_is_an_error_of_its_writer(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        out = client.stream("a")
        writing = asyncio.ensure_future(written(out, "abc"))
        await opens(peer)
        await peer.error(await peer.expect("message.append"), "too_large", limit=2)
        assert await closes(peer) == {"msgId": "m1", "reason": "error"}
        with pytest.raises(TooLarge):
            await writing
        with pytest.raises(TooLarge):
            out.write("d")


async def test_a_message_that_is_gone_is_an_error_of_its_writer(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a"), "abc"))
        await opens(peer)
        await peer.error(await peer.expect("message.append"), "message_not_found")
        await peer.error(await peer.expect("message.close"), "message_not_found")
        with pytest.raises(MessageNotFound):
            await writing


@pytest.mark.parametrize("ack", [{}, {"at": "3"}, {"at": 4}, {"at": -1}])
async def test_an_answer_that_makes_no_sense_is_an_error(chat: FakeChat, ack: dict[str, Any]) -> None:
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a"), "abc"))
        await opens(peer)
        await peer.ack(await peer.expect("message.append"), **ack)
        await closes(peer)
        with pytest.raises(ChatError, match="makes no sense"):
            await writing


async def test_a_close_inside_of_the_block_may_have_another_body(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):

        async def write() -> Any:
            async with client.stream("a") as out:
                out.write("abc")
                closed = await out.close(body={"text": "ABC", "model": "x"})
                with pytest.raises(Conflict):
                    out.write("d")
                with pytest.raises(Conflict):
                    await out.close()
            return closed

        writing = asyncio.ensure_future(write())
        await opens(peer)
        while (command := await peer.next())["type"] == "message.append":
            await peer.ack(command, at=3)
        assert command["payload"] == {
            "msgId": "m1",
            "reason": "complete",
            "body": {"text": "ABC", "model": "x"},
        }
        await peer.ack(command, seq=2, duplicate=False)
        assert await writing == {"seq": 2, "duplicate": False}
        assert client._engine.writers == {}


async def test_writing_outside_of_the_block_is_a_mistake(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        out = client.stream("a")
        with pytest.raises(RuntimeError, match="inside of the block"):
            out.write("abc")
        with pytest.raises(InvalidField):
            client.stream("a", {"text": 7})
        writing = asyncio.ensure_future(written(out, 7))  # type: ignore[arg-type]
        await opens(peer)
        await closes(peer)
        with pytest.raises(InvalidField):
            await writing


@pytest.mark.parametrize("text", ["\ud800", "a\0"])
async def test_what_no_server_takes_is_an_error_at_once_and_what_was_written_stays(
    chat: FakeChat, text: str
) -> None:
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a"), "abc", text))
        await opens(peer)
        assert await appends(peer) == (0, "abc")
        assert (await closes(peer))["reason"] == "error"
        with pytest.raises(InvalidText):
            await writing


async def test_what_is_too_large_for_any_server_is_not_kept(
    chat: FakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "LARGEST", 3)
    async with connected(chat) as (client, peer):
        writing = asyncio.ensure_future(written(client.stream("a"), "abcd"))
        await opens(peer)
        await closes(peer)
        with pytest.raises(TooLarge):
            await writing


async def test_a_server_that_is_away_keeps_nobody_who_gives_up(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):

        async def write() -> None:
            async with client.stream("a") as out:
                out.write("abc")
                raise LookupError

        writing = asyncio.ensure_future(write())
        await opens(peer)
        client._engine.timeout = 0.1
        await peer.expect("message.append")  # not answered
        with pytest.raises(LookupError):
            await writing


async def test_typing_is_told_once_in_a_while(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        client.typing("a")  # not in the room
        joining = asyncio.ensure_future(client.join("a"))
        await peer.joins("a")
        await joining
        assert client.is_joined("a")
        client.typing("a", False)  # nothing was told
        for _ in range(3):
            client.typing("a")
        for _ in range(2):
            client.typing("a", False)
        client.typing("a")
        asked = asyncio.ensure_future(client.badge())
        told = [await peer.expect("typing") for _ in range(3)]
        await peer.ack(await peer.expect("badge"), rooms=0)
        await asked
    assert [frame["payload"]["active"] for frame in told] == [True, False, True]
    assert not client.is_joined("a")
