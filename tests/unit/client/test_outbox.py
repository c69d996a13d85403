"""What the client sends is stored once and in order, whatever happens on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sanic_chatrooms.client import ChatClient, ClientClosed, NoAnswer, OutboxFull
from sanic_chatrooms.client import outbox as outbox_module
from sanic_chatrooms.errors import Conflict, Forbidden, NotAMember, RateLimited, TooLarge
from sanic_chatrooms.support.ids import new_id
from tests.support.fake_chat import FakeChat, connected

WITHIN = 40.0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "AGAIN", 0.0)


def sending(client: ChatClient, *texts: str, room: str = "a") -> list[asyncio.Task[dict[str, Any]]]:
    return [asyncio.ensure_future(client.send(room, text)) for text in texts]


def text(command: dict[str, Any]) -> str:
    said: str = command["payload"]["text"]
    return said


async def test_send_returns_the_ack_and_later_messages_of_the_room_wait_for_it(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        one, two = sending(client, "1", "2")
        (other,) = sending(client, "elsewhere", room="b")
        first, elsewhere = await peer.expect("message"), await peer.expect("message")
        await peer.ack(first, seq=1)
        second = await peer.expect("message")
        await peer.ack(second, seq=2)
        await peer.ack(elsewhere, seq=1)

        assert [(await task)["seq"] for task in (one, two, other)] == [1, 2, 1]
    assert [text(command) for command in (first, elsewhere, second)] == ["1", "elsewhere", "2"]
    assert len({command["msgId"] for command in (first, elsewhere, second)}) == 3


async def test_what_was_cut_off_is_sent_again_under_its_id_before_later_ones(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        one, two = sending(client, "1", "2")
        before = await peer.expect("message")
        peer.ws.transport.abort()
        peer = await chat.peer()
        again = await peer.expect("message")
        await peer.ack(again, seq=1, duplicate=True)
        await peer.ack(await peer.expect("message"), seq=2)

        assert [(await one)["duplicate"], (await two)["seq"]] == [True, 2]
    assert again == before


async def test_messages_to_a_room_that_is_joined_wait_until_it_is_joined_again(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        joining = asyncio.ensure_future(client.join("a"))
        await peer.joins("a", seq=3)
        await joining
        peer.ws.transport.abort()
        peer = await chat.peer()
        (task,) = sending(client, "hi")
        await peer.joins("a", seq=3, recovered=True)
        await peer.ack(await peer.expect("message"), seq=4)

        assert (await task)["seq"] == 4


async def test_our_own_event_is_as_good_as_the_ack(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        joining = asyncio.ensure_future(client.join("a"))
        await peer.joins("a")
        await joining
        (task,) = sending(client, "hi")
        command = await peer.expect("message")
        event = {
            "type": "message", "room": "a", "seq": 1, "msgId": "server-1", "payload": {"text": "hi"},
            "clientMsgId": command["msgId"],
        }  # fmt: skip
        await peer.say({**event, "sender": {"id": "u2", "name": "Eve"}})
        await peer.say({**event, "seq": 2, "sender": {"id": "u1", "name": "Ada"}})

        assert (await task)["msgId"] == "server-1"
        assert (await task)["seq"] == 2


async def test_our_own_event_tells_how_many_react_like_the_ack(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        joining = asyncio.ensure_future(client.join("a"))
        await peer.joins("a")
        await joining
        task = asyncio.ensure_future(client.react("a", "m1", "👍"))
        command = await peer.expect("reaction.add")
        event = {
            "type": "reaction.added", "room": "a", "seq": 1, "msgId": "server-1", "clientMsgId": command["msgId"],
            "sender": {"id": "u1", "name": "Ada"}, "payload": {"msgId": "m1", "seq": 1, "emoji": "👍", "count": 3},
        }  # fmt: skip
        await peer.say(event)

        assert (await task)["count"] == 3


@pytest.mark.parametrize(
    ("code", "more"),
    [("unavailable", {"temporary": True}), ("rate_limited", {"temporary": True, "retryAfter": 0.01})],
)
async def test_what_may_succeed_later_is_repeated_and_later_ones_wait(
    chat: FakeChat, code: str, more: dict[str, Any]
) -> None:
    async with connected(chat) as (client, peer):
        one, two = sending(client, "1", "2")
        first = await peer.expect("message")
        await peer.error(first, code, **more)
        again = await peer.expect("message")
        await peer.ack(again, seq=1)
        await peer.ack(await peer.expect("message"), seq=2)

        assert [(await task)["seq"] for task in (one, two)] == [1, 2]
    assert again == first


async def test_a_command_without_an_answer_is_repeated(chat: FakeChat) -> None:
    async with connected(chat, timeout=0.05) as (client, peer):
        (task,) = sending(client, "1")
        commands = [await peer.expect("message")]  # not answered

        async def answer() -> None:
            while True:
                commands.append(await peer.expect("message"))
                await peer.ack(commands[-1], seq=1)

        answering = asyncio.ensure_future(answer())
        assert (await task)["seq"] == 1
        answering.cancel()
    assert all(command == commands[0] for command in commands)


async def test_another_error_is_raised_and_the_next_one_is_sent(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        one, two = sending(client, "1", "2")
        await peer.error(await peer.expect("message"), "forbidden")
        await peer.ack(await peer.expect("message"), seq=1)

        with pytest.raises(Forbidden):
            await one
        assert (await two)["seq"] == 1


async def test_not_a_member_is_an_error_unless_the_room_is_being_joined_again(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        (task,) = sending(client, "1")
        await peer.error(await peer.expect("message"), "not_a_member")
        with pytest.raises(NotAMember):
            await task

        joining = asyncio.ensure_future(client.join("a"))
        await peer.joins("a")
        await joining
        (task,) = sending(client, "2")
        command = await peer.expect("message")
        reset = {"room": "a", "epoch": "e1", "seq": 0, "reason": "x", "rejoinIn": 0}
        await peer.say({"type": "reset", "payload": reset})
        await peer.error(command, "not_a_member")
        await peer.joins("a")
        await peer.ack(await peer.expect("message"), seq=1)

        assert (await task)["seq"] == 1


async def test_a_message_that_is_given_up_is_not_sent_any_more(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        one, two, three = sending(client, "1", "2", "3")
        first = await peer.expect("message")
        two.cancel()
        await asyncio.sleep(0)
        await peer.ack(first, seq=1)
        second = await peer.expect("message")
        await peer.ack(second, seq=2)

        assert [(await one)["seq"], (await three)["seq"]] == [1, 2]
    assert text(second) == "3"


async def test_one_that_is_given_up_while_it_is_on_its_way_lets_the_next_one_go(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        one, two = sending(client, "1", "2")
        first = await peer.expect("message")
        one.cancel()
        second = await peer.expect("message")
        await peer.ack(first, seq=1)
        await peer.ack(second, seq=2)

        assert (await two)["seq"] == 2


async def test_a_message_with_an_id_of_the_app_is_one_message(chat: FakeChat) -> None:
    msg_id = new_id()
    async with connected(chat) as (client, peer):
        tasks = [asyncio.ensure_future(client.send("a", "hi", msg_id=msg_id)) for _ in range(2)]
        command = await peer.expect("message")
        await peer.ack(command, seq=1)

        assert [(await task)["seq"] for task in tasks] == [1, 1]
    assert command["msgId"] == msg_id


@pytest.mark.parametrize("gone", [0, 1])
async def test_a_caller_who_gives_up_takes_the_message_from_nobody_else(chat: FakeChat, gone: int) -> None:
    msg_id = new_id()
    async with connected(chat) as (client, peer):
        tasks = [asyncio.ensure_future(client.send("a", "hi", msg_id=msg_id)) for _ in range(3)]
        command = await peer.expect("message")
        tasks[gone].cancel()
        await asyncio.wait([tasks.pop(gone)])
        await peer.ack(command, seq=1)

        assert [(await task)["seq"] for task in tasks] == [1, 1]
        assert len(client._engine.outbox) == 0


async def test_a_message_is_given_up_with_the_last_of_its_callers(chat: FakeChat) -> None:
    msg_id = new_id()
    async with connected(chat) as (client, peer):
        tasks = [asyncio.ensure_future(client.send("a", "hi", msg_id=msg_id)) for _ in range(2)]
        await peer.expect("message")
        (later,) = sending(client, "later")
        for task in tasks:
            task.cancel()
        await peer.ack(await peer.expect("message"), seq=1)

        assert (await later)["seq"] == 1
        assert all(task.cancelled() for task in tasks)


async def test_an_error_reaches_all_callers_of_a_message(chat: FakeChat) -> None:
    msg_id = new_id()
    async with connected(chat) as (client, peer):
        tasks = [asyncio.ensure_future(client.send("a", "hi", msg_id=msg_id)) for _ in range(2)]
        await peer.error(await peer.expect("message"), "forbidden")
        for task in tasks:
            with pytest.raises(Forbidden):
                await task


async def test_another_message_under_the_id_of_one_that_waits_is_a_conflict(chat: FakeChat) -> None:
    msg_id = new_id()
    async with connected(chat) as (client, peer):
        task = asyncio.ensure_future(client.send("a", "hi", msg_id=msg_id))
        command = await peer.expect("message")
        for other in (
            client.send("a", "ho", msg_id=msg_id),
            client.send("b", "hi", msg_id=msg_id),
            client.direct("a", "hi", msg_id=msg_id),
        ):
            with pytest.raises(Conflict):
                await other
        await peer.ack(command, seq=1)

        assert (await task)["seq"] == 1


async def test_edits_deletions_reactions_and_direct_messages(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        expected = [
            (client.edit("a", "m1", "new"), "message.edit", {"msgId": "m1", "body": {"text": "new"}}),
            (client.delete("a", "m1", reason="spam"), "message.delete", {"msgId": "m1", "reason": "spam"}),
            (client.react("a", "m1", "👍"), "reaction.add", {"msgId": "m1", "emoji": "👍"}),
            (client.react("a", "m1", "👍", on=False), "reaction.remove", {"msgId": "m1", "emoji": "👍"}),
            (client.direct("u2", {"text": "psst"}), "direct", {"to": "u2", "body": {"text": "psst"}}),
        ]
        for call, type, payload in expected:
            task = asyncio.ensure_future(call)
            command = await peer.expect(type)
            await peer.ack(command, seq=1)
            assert (await task, command["payload"]) == ({"seq": 1}, payload)


async def test_an_edit_is_given_up_after_a_while(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "REPEAT", 0.05)
    async with connected(chat, timeout=0.02) as (client, _):
        with pytest.raises(NoAnswer):
            await client.edit("a", "m1", "new")


async def test_an_edit_that_would_have_to_wait_for_longer_fails_at_once(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        task = asyncio.ensure_future(client.delete("a", "m1"))
        await peer.error(await peer.expect("message.delete"), "rate_limited", retryAfter=60)
        with pytest.raises(RateLimited):
            await task


async def test_1009_fails_the_largest_and_sends_the_others_again(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        (large,) = sending(client, "x" * 5_000)
        (small,) = sending(client, "small", room="b")
        await peer.expect("message")
        await peer.expect("message")
        await peer.close(1009)
        peer = await chat.peer()
        await peer.ack(await peer.expect("message"), seq=1)

        with pytest.raises(TooLarge):
            await large
        assert (await small)["seq"] == 1


async def test_the_outbox_has_a_bound(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "LIMIT", 3)
    msg_id = new_id()
    async with connected(chat) as (client, _):
        waiting = sending(client, "1", "2")
        waiting += [asyncio.ensure_future(client.send("a", "3", msg_id=msg_id)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(OutboxFull):
            await client.send("a", "4")
        await client.close()
        for task in waiting:
            with pytest.raises(ClientClosed):
                await task
        assert len(client._engine.outbox) == 0
