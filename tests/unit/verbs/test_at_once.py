"""The same command on two workers at once: one event, and the other is a `duplicate`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sanic_chatrooms import User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Known, Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.support.locks import Locks
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.rooms import create
from tests.support.joined import joined

ADA, BOB, EVE, MAX = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve"), User("u4", "Max")
UNTIL = 4_102_444_800.0


class NoLocks(Locks):
    """Each caller has a lock of their own, like callers on several workers."""

    def of(self, name: str) -> asyncio.Lock:
        return asyncio.Lock()


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_core(guests=True) as chat:
        await create(chat.core, None, "team", visibility="private")
        for user, role in ((ADA, "owner"), (BOB, "owner"), (EVE, "member")):
            await members.put(chat.store, "team", Member(user.id, user.name, role))
        chat.core.settling = NoLocks()
        yield chat


def read_together(chat: Chat, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The first two reads about this key both end before either caller goes on."""
    both, left = asyncio.Barrier(2), [2]

    def together(read: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def wait(room: str, *about: str) -> Any:
            found = await read(room, *about)
            if left[0] and key in about[-1]:
                left[0] -= 1
                await both.wait()
            return found

        return wait

    for name in ("fact", "facts_about"):
        monkeypatch.setattr(chat.store, name, together(getattr(chat.store, name)))


@pytest.mark.parametrize(
    ("type", "payload", "before"),
    [
        ("member.ban", {"user": EVE.id, "until": UNTIL}, None),
        ("member.mute", {"user": EVE.id, "reason": "spam"}, None),
        ("member.role", {"user": EVE.id, "role": "moderator"}, None),
        ("member.unban", {"user": EVE.id}, "member.ban"),
        ("member.unmute", {"user": EVE.id}, "member.mute"),
        ("member.invite", {"user": MAX.id}, None),
        ("member.add", {"user": MAX.id}, None),
    ],
)
async def test_one_of_two_that_do_the_same_stores_an_event(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, type: str, payload: dict[str, Any], before: str | None
) -> None:
    ada, bob = await joined(chat, ADA, "team"), await joined(chat, BOB, "team")
    if before is not None:
        await ada.ack(before, room="team", payload={"user": payload["user"]})
    head = (await chat.store.heads(["team"]))["team"].seq
    read_together(chat, monkeypatch, payload["user"])

    acks = await asyncio.gather(*(client.ack(type, room="team", payload=payload) for client in (ada, bob)))

    assert sorted(ack["duplicate"] for ack in acks) == [False, True]
    assert (await chat.store.heads(["team"]))["team"].seq == head + 1
    assert {ack.get("seq", head + 1) for ack in acks} == {head + 1}


async def test_a_role_is_given_although_the_membership_changes_twice_meanwhile(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, names, fact = await joined(chat, ADA, "team"), iter(("Eva", "Eve B.")), chat.store.fact

    async def changed_after(room: str, kind: str, key: str) -> Known | None:
        found = await fact(room, kind, key)
        if key == EVE.id and (name := next(names, None)) is not None:
            await members.put(chat.store, "team", Member(EVE.id, name, "member"))
        return found

    monkeypatch.setattr(chat.store, "fact", changed_after)
    given = await ada.ack("member.role", room="team", payload={"user": EVE.id, "role": "moderator"})

    assert next(names, None) is None
    member = await members.find(chat.store, "team", EVE.id)
    assert (given["duplicate"], member and (member.name, member.role)) == (False, ("Eve B.", "moderator"))


async def test_an_invitation_that_is_accepted_twice_at_once_is_one_event(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await joined(chat, ADA, "team")
    await ada.ack("member.invite", room="team", payload={"user": MAX.id})
    clients = await joined(chat, MAX), await joined(chat, MAX)
    read_together(chat, monkeypatch, MAX.id)

    acks = await asyncio.gather(*(client.ack("member.accept", room="team") for client in clients))

    assert [ack["seq"] for ack in acks] == [2, 2]
    assert sorted(ack["duplicate"] for ack in acks) == [False, True]
    assert (await chat.store.heads(["team"]))["team"].seq == 2


async def test_of_two_identical_reports_at_once_one_is_kept_and_told(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = await joined(chat, ADA, "team"), await joined(chat, BOB, "team")
    eves = await joined(chat, EVE, "team"), await joined(chat, EVE, "team")
    said = await bob.ack("message", room="team", payload={"text": "bad"})
    read_together(chat, monkeypatch, ".team")

    ask = {"msgId": said["msgId"], "reason": "rude"}
    acks = await asyncio.gather(*(eve.ack("report", room="team", payload=ask) for eve in eves))

    assert acks[0]["id"] == acks[1]["id"]
    assert sorted(ack["duplicate"] for ack in acks) == [False, True]
    await ada.settle()
    assert len(ada.unread("report")) == 1
    assert len((await ada.ack("reports", room="team"))["reports"]) == 1
