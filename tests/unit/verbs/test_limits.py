"""How often a client may do something: what is refused, how, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import User
from sanic_chatrooms.access.limits import limits
from sanic_chatrooms.access.limits.kinds import Kind
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.errors import RateLimited
from sanic_chatrooms.observe.instruments import RATE_REFUSALS
from sanic_chatrooms.server_api.base import acting_as
from sanic_chatrooms.sessions import session
from sanic_chatrooms.sessions.queue import CommandQueue
from sanic_chatrooms.testing import MemoryClient, RecordingMeter, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.membership import add_member
from sanic_chatrooms.verbs.table import commands
from tests.support.joined import joined

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a"
# So slow that no test waits until one more may pass.
SLOW: dict[str, Any] = {"rate_limits": True} | dict.fromkeys(
    ("rate_message", "rate_change", "rate_live", "rate_read", "rate_join"), "3/h"
)


@pytest.fixture
def meter() -> RecordingMeter:
    return RecordingMeter()


@pytest.fixture
async def chat(meter: RecordingMeter) -> AsyncIterator[Chat]:
    async with running_core(guests=True, meter=meter, **SLOW) as chat:
        yield chat


async def say(client: MemoryClient, times: int, start: int = 0) -> list[str]:
    """The answers to so many messages, by type."""
    ids = [f"{ID}{n:02}" for n in range(start, start + times)]
    for id in ids:
        client.send("message", room="general", payload={"text": "hi"}, msg_id=id)
    return [(await client.reply(id))["type"] for id in ids]


async def test_above_the_rate_a_message_is_refused_with_when_to_come_back(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    await say(ada, 3)

    refused = await ada.error("message", room="general", payload={"text": "hi"})

    assert refused["code"] == "rate_limited"
    assert refused["limit"] == "message"
    assert refused["temporary"] is True
    assert 0 < refused["retryAfter"] <= 1200


async def test_what_is_above_its_rate_is_refused_without_a_task_and_counted_once(
    chat: Chat, meter: RecordingMeter
) -> None:
    ada = await joined(chat, ADA, "general")
    for _ in range(3):
        await ada.ack("history", room="general")

    ada.send("history", room="general")

    assert ada.session.queue._task is None
    assert ada.session.limits.refused == 1
    assert meter.value(RATE_REFUSALS, "read", "user") == 1


async def test_all_connections_of_a_user_count_together(chat: Chat) -> None:
    ada, phone, bob = [await joined(chat, user, "general") for user in (ADA, ADA, BOB)]

    said = [*await say(ada, 2), *await say(phone, 2, 2), *await say(bob, 3)]

    assert said == ["ack"] * 3 + ["error"] + ["ack"] * 3


@pytest.mark.parametrize(
    ("type", "payload", "limit"),
    [
        ("typing", {}, "live"),
        ("history", {}, "read"),
        ("join", {}, "join"),
        ("message.edit", {"msgId": "1", "body": {"text": "x"}}, "change"),
        ("message.pin", {"msgId": "1"}, "change"),
    ],
)
async def test_every_command_counts_for_its_rate(
    chat: Chat, type: str, payload: dict[str, object], limit: str
) -> None:
    ada = await joined(chat, ADA, "general")

    answers = [await ada.request(type, room="general", payload=payload) for _ in range(4)]

    codes = [answer["payload"].get("limit") for answer in answers]
    assert codes[-1] == limit
    assert limit not in codes[:2]


async def test_what_no_rate_is_for_is_never_refused(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")

    assert {(await ada.request("ping"))["type"] for _ in range(20)} == {"pong"}


def test_only_these_count_for_no_rate() -> None:
    """Pieces count as bytes; there is one close for each open."""
    free = {row.type for row in commands().values() if row.limited is None}

    assert free == {"ping", "auth", "message.append", "message.close"}


async def test_a_guest_takes_other_names_at_the_rate_of_changes(chat: Chat) -> None:
    guest = await chat_client(chat, User("guest-1", "Guest", guest=True))
    for n in range(3):
        await guest.ack("auth", payload={"name": f"Name {n}"})

    refused = await guest.error("auth", payload={"name": "Name 3"})

    assert (refused["code"], refused["limit"]) == ("rate_limited", "change")
    await guest.ack("auth", payload={"heartbeat": 30})


async def test_a_moderator_is_not_limited_in_their_room(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    await add_member(chat.core, "general", ADA, "moderator")
    await say(ada, 1, 90)  # as a member or not: with this one, the connection has heard of it

    assert await say(ada, 20) == ["ack"] * 20
    other = await joined(chat, ADA, "lounge")
    answers = [await other.request("message", room="lounge", payload={"text": "x"}) for _ in range(4)]
    assert (answers[0]["type"], answers[-1]["type"]) == ("ack", "error")


async def test_after_more_than_a_hundred_refusals_in_a_row_the_connection_is_closed(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    await say(ada, 3)

    for _ in range(100):
        await ada.error("message", room="general", payload={"text": "hi"})
    assert ada.connection.closed is None
    ada.send("message", room="general", payload={"text": "hi"})

    assert (await ada.closed())[0] == 4013


@pytest.fixture
def forgotten_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits until a flood is forgotten, or a rest is over."""
    for name in ("FORGIVEN", "ROW_FORGIVEN", "NEXT"):
        monkeypatch.setattr(limits, name, 3_600.0)
    monkeypatch.setattr(session, "REFUSED_REST", 3_600.0)


@pytest.mark.usefixtures("forgotten_late")
async def test_who_goes_on_after_many_refusals_is_not_read_for_a_while() -> None:
    async with running_core(guests=True, rate_limits=True, rate_read="1/h") as chat:
        ada = await joined(chat, ADA, "general")
        reading = []
        for _ in range(limits.ROWS_OFTEN + 2):
            for _ in range(limits.ROW + 1):
                await ada.request("history", room="general")
            reading.append(ada.connection.reading)
            ada.session.limits.refused = 0  # something passed

        assert reading[: limits.ROWS_OFTEN] == [True] * limits.ROWS_OFTEN
        assert not reading[-1]
        assert not ada.session.closed


@pytest.mark.usefixtures("forgotten_late")
async def test_who_goes_on_rests_no_shorter_where_one_more_may_soon_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(CommandQueue, "rest", lambda _, seconds: rests.append(seconds))
    async with running_core(guests=True, rate_limits=True, rate_read="6/min burst 1") as chat:
        ada = await joined(chat, ADA, "general")
        for _ in range(limits.ROWS_OFTEN + 2):
            ada.session.limits.refused = 0  # something passed
            for _ in range(limits.ROW + 1):
                await ada.request("history", room="general")

    assert rests
    assert all(session.REFUSED_REST / 2 <= seconds <= session.REFUSED_REST for seconds in rests)


@pytest.mark.usefixtures("forgotten_late")
async def test_a_guest_who_is_known_does_not_wait_for_others_of_the_address(chat: Chat) -> None:
    first = await chat_client(chat)
    known = (await first.expect("welcome"))["payload"]["guestToken"]
    for number in range(limits.OFTEN + 1):
        await flood(chat, User(f"guest-{number}", "Guest", guest=True))

    for _ in range(3):
        await (await chat_client(chat, token=known)).expect("welcome")


async def flood(chat: Chat, user: User) -> None:
    """Until the connection is closed."""
    client = await chat_client(chat, user)
    while not client.session.closed:
        client.send("history", room="general")
        await asyncio.sleep(0)


@pytest.mark.usefixtures("forgotten_late")
async def test_guests_come_back_one_after_the_other_after_floods_from_their_address(chat: Chat) -> None:
    for number in range(limits.OFTEN + 1):
        await flood(chat, User(f"guest-{number}", "Guest", guest=True))

    await chat_client(chat)
    with pytest.raises(RateLimited) as refused:
        await chat_client(chat)

    assert 3_000 < refused.value.fields["retryAfter"] <= 3_600


async def test_a_repetition_of_a_stored_message_is_answered_although_the_limit_is_reached(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    first = await ada.ack("message", room="general", payload={"text": "hi"}, msg_id=f"{ID}00")
    assert await say(ada, 2, 1) == ["ack", "ack"]

    again = await ada.ack("message", room="general", payload={"text": "hi"}, msg_id=f"{ID}00")
    new = await ada.error("message", room="general", payload={"text": "hi"}, msg_id=f"{ID}09")

    assert again == {**first, "duplicate": True}
    assert new["code"] == "rate_limited"


async def test_looking_for_repetitions_counts_as_reading(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    await say(ada, 3)
    for n in range(3):
        await ada.error("message", room="general", payload={"text": "hi"}, msg_id=f"{ID}1{n}")

    assert await say(ada, 1) == ["error"]  # stored, but nobody asked the store


async def test_who_acts_without_a_connection_is_limited_alike(chat: Chat) -> None:
    await joined(chat, ADA, "general")
    acting = acting_as(chat, ADA)
    for _ in range(3):
        await chat.commands.act(acting, acting.command("message", b'{"text":"hi"}', room="general"))

    with pytest.raises(RateLimited) as refused:
        await chat.commands.act(acting, acting.command("message", b'{"text":"hi"}', room="general"))

    assert refused.value.fields["limit"] == "message"


async def test_above_the_rate_of_bytes_a_frame_is_not_carried_out() -> None:
    async with running_core(guests=True, rate_limits=True, rate_bytes="1 KiB/h burst 40 KiB") as chat:
        ada = await joined(chat, ADA, "general")
        answers = [
            await ada.request("message", room="general", payload={"text": "x" * 15_000}) for _ in range(6)
        ]

    assert [answer["type"] for answer in answers[:3]] == ["ack"] * 3
    assert answers[-1]["payload"]["code"] == "rate_limited"
    assert answers[-1]["payload"]["limit"] == "bytes"


async def test_of_a_frame_above_the_rate_of_bytes_nothing_is_checked() -> None:
    async with running_core(guests=True, rate_limits=True, rate_bytes="1 KiB/h burst 1 KiB") as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("auth")
        bad = f'"room":"general","payload":{{"n":1e999,"x":"{"x" * 20_000}"}}}}'
        for head in (f'{{"type":"history","msgId":"{ID}00",', f'{{"type":"history","msgId":"{ID}01",', "{"):
            ada.session.receive((head + bad).encode())
        await ada.settle()
        first, *others = [frame for frame in ada.frames if frame["type"] == "error"]

    assert first["payload"]["code"] == "invalid_field"
    assert [error["payload"]["code"] for error in others] == ["rate_limited"] * 2
    assert [error.get("replyTo") for error in (first, *others)] == [f"{ID}00", f"{ID}01", None]


async def test_a_large_frame_leaves_the_others_time_before_the_next(chat: Chat) -> None:
    async with running_core(guests=True, rate_limits=True, rate_bytes="1 KiB/h burst 1 MiB") as chat:
        ada, bob = [await joined(chat, user, "general") for user in (ADA, BOB)]

        await ada.ack("typing", room="general", payload={"more": "x" * 20_000})
        for _ in range(40):
            await bob.ack("typing", room="general", payload={"more": "x" * 1_000})

    assert not ada.connection.reading
    assert bob.connection.reading


async def test_limits_can_be_off() -> None:
    async with running_core(guests=True, **{**SLOW, "rate_limits": False}) as chat:
        assert await say(await joined(chat, ADA, "general"), 50) == ["ack"] * 50


async def test_refusals_are_counted(chat: Chat, meter: RecordingMeter) -> None:
    await say(await joined(chat, ADA, "general"), 5)

    assert meter.value(RATE_REFUSALS, Kind.MESSAGE.label, "user") == 2


async def test_nothing_is_remembered_of_who_did_little_and_left(chat: Chat) -> None:
    before = len(chat.limits.accounts)
    clients = [await chat_client(chat, User(f"u{n}", "U")) for n in range(20)]
    for client in clients:
        client.disconnect()

    assert len(chat.limits.accounts) == before


async def test_first_messages_to_users_have_a_rate_of_their_own() -> None:
    async with running_core(
        rate_limits=True, rate_new_people="2/h", direct="everyone", jwt_secret="s" * 32
    ) as chat:
        ada = await chat_client(chat, ADA)
        for to in ("a", "b", "a"):
            await ada.ack("direct", payload={"to": to, "body": {"text": "hi"}})

        refused = await ada.error("direct", payload={"to": "c", "body": {"text": "hi"}})
        await ada.ack("direct", payload={"to": "b", "body": {"text": "hi"}})

    assert (refused["code"], refused["limit"]) == ("rate_limited", "new_people")


async def test_slow_rates_are_shared_by_processes_through_the_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    async with running_core(rate_limits=True, rate_change="2/h", guests=True, store=url) as chat:
        ada = await joined(chat, ADA, "general")
        assert not await chat.store.take("rate.change:user:u1", 2 / 3600, 2)  # another worker let one pass

        answers = [
            await ada.request("message.pin", room="general", payload={"msgId": "none"}) for _ in range(3)
        ]

    codes = [answer["payload"]["code"] for answer in answers]
    assert codes[1:] == ["rate_limited"] * 2
    assert codes[0] != "rate_limited"


async def test_who_sent_too_many_bytes_is_not_read_for_a_while(idle_time: None) -> None:
    async with running_core(guests=True, rate_limits=True, rate_bytes="40 KiB/s burst 40 KiB") as chat:
        ada = await joined(chat, ADA, "general")
        while (await ada.request("typing", room="general", payload={"more": "x" * 15_000}))["type"] == "ack":
            pass
        rests = not ada.connection.reading
        async with asyncio.timeout(40):
            while not ada.connection.reading:  # noqa: ASYNC110 - nobody tells a test
                await asyncio.sleep(0.01)

    assert rests


@pytest.mark.parametrize(
    ("type", "payload"),
    [
        ("direct", {"to": "u2", "body": {"text": "x"}}),
        ("rooms", {}),
        ("report.close", {"id": "x", "outcome": ""}),
    ],
)
async def test_a_moderator_is_limited_in_what_is_not_about_their_room(
    chat: Chat, type: str, payload: dict[str, Any]
) -> None:
    ada = await joined(chat, ADA, "general")
    await add_member(chat.core, "general", ADA, "moderator")
    await say(ada, 1, 90)

    answers = [await ada.request(type, room="general", payload=payload) for _ in range(4)]

    assert answers[-1]["payload"].get("code") == "rate_limited"
