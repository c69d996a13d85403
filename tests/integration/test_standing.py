"""Who somebody is in a room is what they are now, on every worker, also in the middle of a burst."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import (
    ChatRooms,
    Forbidden,
    MemoryBroker,
    MemoryPresence,
    MemoryStore,
    Room,
    RoomPolicy,
    User,
)
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import Fact, Sender
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.stores import members
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.drafts import draft
from sanic_chatrooms.verbs.membership import add_member, remove_member
from sanic_chatrooms.verbs.rooms import create, delete, ensure

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
WITHIN = 40.0
BURST = 20


class ReadersRead(RoomPolicy):
    """Who is below a member says nothing."""

    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        super().require(user, action, room, standing)
        if action in ("message", "typing") and standing.level < 10:
            raise Forbidden("readers read")


class Workers:
    """Two workers, Ada at the first and Bob at the second, both in the private room `team`."""

    def __init__(self, here: Chat, there: Chat) -> None:
        self.here, self.there = here, there
        self.ada: MemoryClient
        self.bob: MemoryClient

    async def begin(self) -> None:
        await create(self.here.core, None, "team", visibility="private")
        for user in (ADA, BOB, EVE):
            await add_member(self.here.core, "team", user)
        self.ada, self.bob = await chat_client(self.here, ADA), await chat_client(self.there, BOB)
        for client in (self.ada, self.bob):
            await client.ack("join", room="team")

    async def state(self, kind: str, type: str, value: dict[str, Any] | None = None) -> int:
        """Store the fact about Bob with its event, as a verb does that takes rights away; -> its number."""
        fact = Fact(kind, BOB.id, msgspec.json.encode(value or {}))
        payload = msgspec.json.encode({"user": Sender(BOB.id, BOB.name)})
        item = draft("team", type, payload, Sender(ADA.id, ADA.name), restricts=True)
        stored = await self.here.journal.append(msgspec.structs.replace(item, facts=(fact,)))
        return stored.seq

    async def log(self) -> list[tuple[str, str | None]]:
        """(type, sender) of everything in the room, by number."""
        page = await self.here.store.history("team", after=0, limit=1_000)
        return [(event.type, event.sender.id if event.sender else None) for event in page.events]


async def cores(stack: AsyncExitStack, url: str | None = None) -> list[Chat]:
    settings: dict[str, Any] = {}
    if url is None:
        store, bus, board = MemoryStore(), MemoryBus(), MemoryBoard()
        backends = [Backends(store, MemoryBroker(bus), MemoryPresence(board)) for _ in range(2)]
    else:
        settings = {"store": url, "namespace": f"standing-{new_id()}"}
        backends = [None, None]  # type: ignore[list-item]
    return [
        await stack.enter_async_context(
            running_core(ChatRooms("test", guests=True, policy=ReadersRead()), backends=its, **settings)
        )
        for its in backends
    ]


@pytest.fixture(params=["memory", "postgres", "valkey"])
def url(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def workers(url: str | None) -> AsyncIterator[Workers]:
    async with AsyncExitStack() as stack:
        found = Workers(*await cores(stack, url))
        await found.begin()
        yield found


async def burst(client: MemoryClient) -> list[str]:
    """Several messages without waiting; -> `ack`, or the code of the refusal, of each."""
    ids = [client.send("message", room="team", payload={"text": str(n)}) for n in range(BURST)]
    answers = [await client.reply(id) for id in ids]
    return [answer["payload"].get("code", "ack") for answer in answers]


async def talk_until_refused(client: MemoryClient) -> list[str]:
    answers: list[str] = []
    async with asyncio.timeout(WITHIN):
        while "ack" in answers[-BURST:] or not answers:
            answers += await burst(client)
    return answers


def turning(answers: list[str]) -> set[str]:
    """What all answers are from the first refusal on."""
    first = next(at for at, answer in enumerate(answers) if answer != "ack")
    return set(answers[first:])


async def test_a_demoted_member_is_judged_by_the_new_role_on_another_worker(workers: Workers) -> None:
    talking = asyncio.ensure_future(talk_until_refused(workers.bob))
    await workers.ada.expect("message")

    await add_member(workers.here.core, "team", BOB, "reader")
    then = (await workers.log())[-1]

    assert then == ("member.role", None)
    assert turning(await talking) == {"forbidden"}
    assert (await workers.log())[-1] == then, "nothing of theirs is stored after it"
    assert (await workers.bob.error("typing", room="team"))["code"] == "forbidden"
    await add_member(workers.here.core, "team", BOB, "member")
    async with asyncio.timeout(WITHIN):
        while "ack" not in await burst(workers.bob):
            pass


async def test_a_worker_that_has_heard_nothing_of_a_demotion_stores_nothing_of_theirs(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.there.hub, "about_rights", lambda envelope: None)
    monkeypatch.setattr(type(workers.bob.session.seats), "changed", lambda self, room: None)

    await add_member(workers.here.core, "team", BOB, "reader")

    assert set(await burst(workers.bob)) == {"forbidden"}


@pytest.mark.parametrize("reason", ["left", "kicked"])
async def test_nothing_of_a_removed_member_is_stored_after_the_removal(workers: Workers, reason: str) -> None:
    talking = asyncio.ensure_future(talk_until_refused(workers.bob))
    await workers.ada.expect("message")

    await remove_member(workers.here.core, "team", BOB, reason=reason)

    assert turning(await talking) == {"not_a_member"}
    assert (await workers.bob.expect("room.removed"))["payload"] == {"room": "team", "reason": reason}


async def test_the_event_of_a_removal_is_the_last_that_the_removed_have_a_part_in(workers: Workers) -> None:
    talking = asyncio.ensure_future(talk_until_refused(workers.bob))
    await workers.ada.expect("message")

    await remove_member(workers.here.core, "team", BOB, reason="kicked")

    assert turning(await talking) == {"not_a_member"}
    assert (await workers.log())[-1] == ("member.kicked", None)


async def test_who_is_muted_says_nothing_from_that_event_on_and_reads(workers: Workers) -> None:
    said = await workers.bob.ack("message", room="team", payload={"text": "first"})
    talking = asyncio.ensure_future(talk_until_refused(workers.bob))
    await workers.ada.expect("message")

    await workers.state("mute", "member.muted", {"until": 9e12, "reason": "spam"})

    assert turning(await talking) == {"muted"}
    assert (await workers.log())[-1] == ("member.muted", ADA.id)
    for type, payload in {
        "message": {"text": "hi"},
        "message.edit": {"msgId": said["msgId"], "body": {"text": "hi"}},
        "typing": {},
    }.items():
        refused = await workers.bob.error(type, room="team", payload=payload)
        assert (refused["code"], refused["until"], refused["reason"]) == ("muted", 9e12, "spam")
    await workers.bob.ack("history", room="team")
    await workers.bob.ack("message.delete", room="team", payload={"msgId": said["msgId"]})


async def test_who_is_muted_does_not_type_either(workers: Workers) -> None:
    await workers.bob.ack("typing", room="team")

    number = await workers.state("mute", "member.muted")
    await workers.bob.expect("member.muted", seq=number)

    assert (await workers.bob.error("typing", room="team"))["code"] == "muted"


async def test_a_mute_that_has_passed_is_none(workers: Workers) -> None:
    await workers.state("mute", "member.muted", {"until": 1.0})

    assert set(await burst(workers.bob)) == {"ack"}


async def test_the_banned_are_told_so_where_the_room_is_no_secret(workers: Workers) -> None:
    await create(workers.here.core, None, "lobby")
    await workers.here.store.set_fact("lobby", Fact("ban", BOB.id, b'{"reason":"spam"}'))
    await workers.state("ban", "member.banned")

    refused = await workers.bob.error("join", room="lobby")
    assert (refused["code"], refused["reason"]) == ("banned", "spam")
    assert (await workers.bob.error("history", room="team"))["code"] == "room_not_found"
    assert set(await burst(workers.bob)) == {"not_a_member"}


async def test_what_is_judged_again_keeps_its_place_in_its_connection(workers: Workers) -> None:
    """Rights change all the time while Bob talks, his own too: every message is stored once, in the order of sending."""
    ids: list[str] = []
    answers: list[dict[str, Any]] = []

    async def others() -> None:
        for _ in range(10):
            await remove_member(workers.here.core, "team", EVE, reason="kicked")
            await workers.state("mute", "member.muted", {"until": 1.0})

    changing = asyncio.ensure_future(others())
    while not changing.done():
        ids += [workers.bob.send("message", room="team", payload={"text": str(n)}) for n in range(7)]
        answers += [await workers.bob.reply(id) for id in ids[len(answers) : -20]]  # the last are under way
        await asyncio.sleep(0)
    answers += [await workers.bob.reply(id) for id in ids[len(answers) :]]

    assert {answer["payload"].get("code", "ack") for answer in answers} == {"ack"}
    page = await workers.here.store.history("team", after=0, limit=10_000)
    said = [event.client_msg_id for event in page.events if event.type == "message"]
    assert said == ids
    assert len(ids) > 20


async def test_nothing_is_said_in_a_room_that_was_made_again(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Bob's worker has not heard of it: he is no member of the new room."""
    monkeypatch.setattr(workers.there.hub.repair, "look", lambda room: None)
    await delete(workers.here.core, "team")
    await create(workers.here.core, None, "team", visibility="private")
    await add_member(workers.here.core, "team", EVE)

    assert set(await burst(workers.bob)) == {"not_a_member"}

    assert await workers.log() == [("member.joined", EVE.id)]


async def test_nothing_of_strangers_is_said_in_a_room_that_has_become_private(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure(workers.here.core, "lobby")
    await workers.bob.ack("join", room="lobby")
    await workers.bob.ack("message", room="lobby", payload={"text": "hi"})
    await members.remove(workers.here.store, "lobby", BOB.id)
    monkeypatch.setattr(workers.there.hub.repair, "look", lambda room: None)

    await ensure(workers.here.core, "lobby", visibility="private")

    refused = await workers.bob.error("message", room="lobby", payload={"text": "hi"})
    assert refused["code"] == "not_a_member"
