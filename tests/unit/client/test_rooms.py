"""Rooms of the client: joins, rejoins, holes, and loops over events. The server says what a test makes it say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from sanic_chatrooms.client import ChatClient, ClientClosed, Event, NoAnswer
from sanic_chatrooms.client import events as queues
from sanic_chatrooms.errors import InvalidField, NotAMember, PositionLost, RoomNotFound
from tests.support.fake_chat import FakeChat, Peer, connected

WITHIN = 40.0


def message(seq: int, room: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "msgId": f"id-{room}-{seq}",
        "timestamp": 1.0,
        "room": room,
        "seq": seq,
        "payload": {"text": str(seq)},
        **more,
    }


async def joined(client: ChatClient, peer: Peer, room: str = "a", **ack: Any) -> None:
    joining = asyncio.ensure_future(client.join(room))
    await peer.joins(room, **ack)
    await joining


async def take(events: AsyncIterator[Event], count: int, type: str | None = None) -> list[Event]:
    taken = list[Event]()
    async with asyncio.timeout(WITHIN):
        while len(taken) < count:
            event = await anext(events)
            if type is None or event["type"] == type:
                taken.append(event)
    return taken


def seqs(events: list[Event]) -> list[int]:
    return [event["seq"] for event in events]


def first(events: AsyncIterator[Event]) -> asyncio.Task[Event]:
    return asyncio.ensure_future(anext(events))


async def begun(client: ChatClient, events: AsyncIterator[Event]) -> asyncio.Task[Event]:
    """A loop over everything whose first step waits."""
    step, before = first(events), len(client._engine.streams)
    async with asyncio.timeout(WITHIN):
        while len(client._engine.streams) == before:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return step


async def test_join_returns_the_ack(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        joining = asyncio.ensure_future(client.join("a", history=7))
        asked = await peer.joins("a", seq=3, messages=[message(3)])
        ack = await joining

    assert asked == {"history": 7}
    assert (ack["epoch"], ack["seq"], ack["messages"][0]["seq"]) == ("e1", 3, 3)


async def test_follow_joins_from_now_on_and_leaves_the_room_with_the_loop(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        async with aclosing(client.follow("a")) as events:
            step = first(events)
            assert await peer.joins("a", seq=5) == {"history": 0}
            await peer.say(message(6), message(7))
            assert [(await step)["seq"], *seqs(await take(events, 1))] == [6, 7]
            assert client.joined_rooms == ["a"]

        assert (await peer.expect("exit"))["room"] == "a"
        assert client.joined_rooms == []


async def test_a_room_that_the_app_joined_stays_after_the_loop(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        await joined(client, peer, seq=1)
        async with aclosing(client.follow("a")) as events:
            step = first(events)
            await asyncio.sleep(0)
            await peer.say(message(2))
            await step

        assert client.joined_rooms == ["a"]


async def test_follow_since_asks_for_what_follows(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        async with aclosing(client.follow("a", since=("e1", 3))) as events:
            step = first(events)
            asked = await peer.joins("a", seq=5, recovered=True, messages=[message(4), message(5)])
            await peer.say(message(6))
            got = [await step, *await take(events, 2)]

        assert asked == {"since": {"epoch": "e1", "seq": 3}, "history": 0}
        assert seqs(got) == [4, 5, 6]
        assert client.position(got[-1]) == "e1:6"


async def test_what_the_server_cannot_tell_is_a_lost_position(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        step = first(client.follow("a", since="e0:3"))
        await peer.joins("a", epoch="e1", seq=5, messages=[message(5)])

        with pytest.raises(PositionLost) as lost:
            await step

    assert (lost.value.fields["epoch"], lost.value.fields["seq"]) == ("e1", 5)


async def test_after_a_cut_each_event_comes_once_and_in_order(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer), aclosing(client.follow("a")) as events:
        step = first(events)
        await peer.joins("a", seq=0)
        await peer.say(message(1), message(2))
        got = [await step, *await take(events, 1)]
        peer.ws.transport.abort()
        peer = await chat.peer()
        asked = await peer.joins("a", seq=4, recovered=True, messages=[message(3), message(4)])
        await peer.say(message(4), message(5), message(5))
        got += await take(events, 3)

    assert asked["since"] == {"epoch": "e1", "seq": 2}
    assert seqs(got) == [1, 2, 3, 4, 5]


async def test_a_hole_is_filled_by_joining_again(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer), aclosing(client.follow("a")) as events:
        step = first(events)
        await peer.joins("a", seq=0)
        await peer.say(message(1), message(3))
        asked = await peer.joins("a", seq=3, recovered=True, messages=[message(2), message(3)])
        got = [await step, *await take(events, 2)]

    assert asked["since"] == {"epoch": "e1", "seq": 1}
    assert seqs(got) == [1, 2, 3]


async def test_a_server_that_always_leaves_a_hole_is_asked_with_pauses(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer), aclosing(client.follow("a")) as events:
        step = first(events)
        await peer.joins("a", seq=0)
        began = asyncio.get_running_loop().time()
        for _ in range(3):
            await peer.say(message(5))
            await peer.joins("a", seq=5, recovered=True)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step

    assert asyncio.get_running_loop().time() - began >= 0.5


async def test_after_a_reset_it_joins_again_when_it_may(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer), aclosing(client.follow("a")) as events:
        step = first(events)
        await peer.joins("a", seq=2)
        reset = {"room": "a", "epoch": "e1", "seq": 4, "reason": "x", "rejoinIn": 0.01}
        await peer.say({"type": "reset", "room": "a", "payload": reset})
        asked = await peer.joins("a", seq=3, recovered=True, messages=[message(3)])
        got = await step

    assert asked["since"] == {"epoch": "e1", "seq": 2}
    assert got["seq"] == 3


async def test_loops_at_different_places_of_one_room_each_get_theirs(chat: FakeChat) -> None:
    async with (
        connected(chat) as (client, peer),
        aclosing(client.follow("a")) as live,
        aclosing(client.follow("a", since=("e1", 1))) as late,
        aclosing(client.follow("a", since=("e1", 0))) as lost,
    ):
        step = first(live)
        await peer.joins("a", seq=3)
        late_step = first(late)
        await peer.joins("a", seq=3, recovered=True, messages=[message(2), message(3)])
        assert [(await late_step)["seq"], *seqs(await take(late, 1))] == [2, 3]
        lost_step = first(lost)
        assert (await peer.joins("a", seq=3))["since"]["seq"] == 0
        with pytest.raises(PositionLost):
            await lost_step
        await peer.say(message(4))

        assert (await step)["seq"] == 4
        assert seqs(await take(late, 1)) == [4]


async def test_slow_code_gets_everything_from_the_server_again(
    chat: FakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "EVENTS", 3)
    async with connected(chat) as (client, peer), aclosing(client.follow("a")) as events:
        step = first(events)
        await peer.joins("a", seq=0)
        await peer.say(message(1))
        got = [await step]
        await peer.say(*(message(seq) for seq in range(2, 10)))
        await client_heard(client, "a", 9)
        taking = asyncio.ensure_future(take(events, 8))
        asked = await peer.joins("a", seq=9, recovered=True, messages=[message(seq) for seq in range(5, 10)])
        asked_again = await peer.joins(
            "a", seq=9, recovered=True, messages=[message(seq) for seq in range(8, 10)]
        )
        got += await taking

    assert asked["since"] == {"epoch": "e1", "seq": 4}
    assert asked_again["since"] == {"epoch": "e1", "seq": 7}
    assert seqs(got) == list(range(1, 10))


async def client_heard(client: ChatClient, room: str, seq: int) -> None:
    async with asyncio.timeout(WITHIN):
        while (known := client._engine.rooms.get(room)) is None or (known.position or ("", 0))[1] < seq:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_types_leaves_out_the_others(chat: FakeChat) -> None:
    async with (
        connected(chat) as (client, peer),
        aclosing(client.follow("a", types=("ORDER",))) as events,
    ):
        step = first(events)
        await peer.joins("a", seq=0)
        await peer.say(message(1), message(2, type="ORDER"))

        assert (await step)["seq"] == 2


async def test_a_loop_ends_with_the_reason_when_the_server_takes_us_out(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        step = first(client.follow("a"))
        await peer.joins("a", seq=0)
        await peer.say({"type": "room.removed", "payload": {"room": "a", "reason": "kicked"}})

        with pytest.raises(NotAMember, match="kicked"):
            await step


async def test_a_refused_join_ends_the_loop_and_a_temporary_one_is_repeated(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        step = first(client.follow("a"))
        await peer.error(await peer.expect("join"), "rate_limited", temporary=True, retryAfter=0.01)
        await peer.error(await peer.expect("join"), "room_not_found")

        with pytest.raises(RoomNotFound):
            await step
        assert client.joined_rooms == []


async def test_a_join_without_an_answer_times_out_and_goes_on(chat: FakeChat) -> None:
    async with connected(chat, timeout=0.05) as (client, peer):
        with pytest.raises(NoAnswer):
            await client.join("a")
        client._engine.timeout = WITHIN  # before it asks again
        await peer.expect("join")
        await peer.joins("a")
        await client_heard(client, "a", 0)

        assert client.joined_rooms == ["a"]


async def test_events_has_what_the_server_says_and_what_the_client_adds(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer), aclosing(client.events()) as events:
        step = await begun(client, events)
        await joined(client, peer, seq=1)
        await peer.say(message(2), {"type": "typing", "room": "a", "payload": {"users": []}})
        got = [await step, *await take(events, 2)]
        peer.ws.transport.abort()
        peer = await chat.peer()
        await peer.joins("a", epoch="e2", seq=9, messages=[message(9)])
        (gap,) = await take(events, 1, "gap")

    assert [event["type"] for event in got] == ["joined", "message", "typing"]
    assert (got[0]["room"], got[0]["payload"]["rejoin"]) == ("a", False)
    assert (gap["room"], gap["payload"]["epoch"], gap["payload"]["messages"]) == ("a", "e2", [message(9)])


async def test_a_loop_over_everything_that_is_too_slow_is_told(
    chat: FakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "EVENTS", 3)
    async with connected(chat) as (client, peer), aclosing(client.events()) as events:
        step = await begun(client, events)
        await joined(client, peer, seq=0)
        await step
        await peer.say(*(message(seq) for seq in range(1, 10)))
        await client_heard(client, "a", 9)
        got = await take(events, 4)
        await peer.say(message(10))
        got += await take(events, 1)

    assert [event.get("seq") for event in got] == [1, 2, 3, None, 10]
    assert got[3] == {"type": "gap", "payload": {"dropped": 6}}


async def test_loops_end_cleanly_when_the_client_is_closed(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer):
        step, other = first(client.follow("a")), await begun(client, client.events())
        await peer.joins("a")
        assert (await other)["type"] == "joined"
        everything = first(client.events())
        await asyncio.sleep(0)
        await client.close()

        with pytest.raises(StopAsyncIteration):
            await step
        assert (await everything)["type"] == "state"
        with pytest.raises(ClientClosed):
            await anext(client.follow("a"))


async def test_room_added_adds_a_room(chat: FakeChat) -> None:
    async with connected(chat) as (client, peer), aclosing(client.events()) as events:
        step = await begun(client, events)
        await peer.say({"type": "room.added", "payload": {"room": "a", "epoch": "e1", "seq": 4}}, message(5))
        got = [await step, *await take(events, 1)]
        peer.ws.transport.abort()
        peer = await chat.peer()

        assert (await peer.joins("a", seq=5, recovered=True))["since"] == {"epoch": "e1", "seq": 5}
    assert [event["type"] for event in got] == ["room.added", "message"]


async def test_a_live_event_has_no_position(chat: FakeChat) -> None:
    client = ChatClient(chat.url)

    with pytest.raises(InvalidField):
        client.position(Event({"type": "typing"}))
