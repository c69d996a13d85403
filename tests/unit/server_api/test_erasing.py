"""`erase_user`: what the others see of it, and what may happen meanwhile. `tests/conformance/test_erase_user.py` looks for what is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatRooms,
    Context,
    Held,
    MemoryBroker,
    MemoryPresence,
    MemoryStore,
    Unavailable,
    User,
)
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.errors import Muted
from sanic_chatrooms.models import Event, Member, Sender, direct_room, user_room
from sanic_chatrooms.sessions.revocations import Revoked
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import FaultyStore
from sanic_chatrooms.testing.connections import ConnectionClosed, running_core
from sanic_chatrooms.verbs.operators import keep
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
CHANGES = ("set_fact", "erase", "renew_epoch", "delete_room", "forget_user")
"""Verbs of a store that change something in the course of `erase_user`."""


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True, tickets=True)


@pytest.fixture(params=["memory:", "sqlite"])
async def chat(rooms: ChatRooms, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Chat]:
    store = request.param if request.param == "memory:" else f"sqlite:///{tmp_path / 'chat.db'}"
    broker = MemoryBroker(MemoryBus())  # so that users have inboxes
    async with running_core(rooms, store=store, broker=broker) as chat:
        yield chat


async def said(chat: Chat, room: str = "general") -> list[Event]:
    return (await chat.store.history(room, after=0, limit=200)).events


def shown(event: Event) -> tuple[str, str | None, Any]:
    return event.type, event.sender.id if event.sender else None, json.loads(bytes(event.payload))


async def test_of_a_user_only_numbers_are_left_and_others_keep_what_they_said(
    chat: Chat, rooms: ChatRooms
) -> None:
    await rooms.create_room("general")
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general")
    first = await bob.ack("message", room="general", payload={"text": "1", "mentions": [ADA.id, EVE.id]})
    await bob.ack("message", room="general", payload={"text": "2", "mentions": [ADA.id], "x": 1.50})
    await ada.ack("message", room="general", payload={"text": "secret", "parent": first["msgId"]})
    await ada.ack("reaction.add", room="general", payload={"msgId": first["msgId"], "emoji": "👍"})
    await bob.ack("reaction.add", room="general", payload={"msgId": first["msgId"], "emoji": "👍"})

    await rooms.erase_user(ADA)

    assert [shown(event) for event in await said(chat)][:3] == [
        ("message", BOB.id, {"text": "1", "mentions": [EVE.id]}),
        ("message", BOB.id, {"text": "2", "x": 1.50}),
        ("message", None, {}),
    ]
    related = await chat.store.related("general", [1], reader=ADA.id)
    assert (related[1].toggles["👍"].count, related[1].collected) == (1, None)
    assert not related[1].toggles["👍"].mine


async def test_a_mention_that_a_client_wrote_with_escapes_goes_too(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general")
    bob = await joined(chat, BOB, "general")
    bob.send_raw('{"type":"message","msgId":"0123456789abcdef","room":"general","payload":{"text":"x","mentions":["\\u00751"]}}')  # fmt: skip
    await bob.reply("0123456789abcdef")

    await rooms.erase_user(ADA)

    assert [shown(event)[2] for event in await said(chat)] == [{"text": "x"}]


async def test_clients_join_the_rooms_anew_and_other_rooms_go_on(chat: Chat, rooms: ChatRooms) -> None:
    for room in ("general", "other"):
        await rooms.create_room(room)
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general", "other")
    await ada.ack("message", room="general", payload={"text": "secret"})
    before = {room: head.epoch for room, head in (await chat.store.heads(["general", "other"])).items()}

    await rooms.erase_user(ADA)

    assert (await bob.expect("reset"))["room"] == "general"
    answer = await bob.ack("join", room="general")
    assert [(event["payload"], event["deleted"], event.get("sender")) for event in answer["messages"]] == [
        ({}, True, None)
    ]
    after = {room: head.epoch for room, head in (await chat.store.heads(["general", "other"])).items()}
    assert (after["general"] == before["general"], after["other"]) == (False, before["other"])
    await bob.ack("message", room="other", payload={"text": "as before"})


async def test_the_user_is_disconnected_and_their_tokens_are_refused(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general")
    ada = await joined(chat, ADA, "general")

    await rooms.erase_user(ADA)

    with pytest.raises(ConnectionClosed) as closed:
        await ada.expect("nothing")
    assert closed.value.code == 4500
    assert rooms.connections(ADA) == []
    with pytest.raises(Revoked):
        await joined(chat, ADA, "general")


async def test_a_message_that_the_user_is_writing_ends_and_leaves_nothing(
    chat: Chat, rooms: ChatRooms
) -> None:
    await rooms.create_room("general")
    ada = await joined(chat, ADA, "general")
    opened = await ada.ack("message.open", room="general", payload={"text": "secret"})
    await ada.ack("message.append", room="general", payload={"msgId": opened["msgId"], "at": 6, "text": " 2"})

    await rooms.erase_user(ADA)

    left = [shown(event)[1:] for event in await said(chat)]
    assert left
    assert left == [(None, {})] * len(left)
    assert (await chat.store.facts("general", "stream")).facts == []
    assert chat.core.streams.own == {}


async def test_in_a_direct_room_what_the_other_one_said_stays(chat: Chat, rooms: ChatRooms) -> None:
    ada, bob = await joined(chat, ADA), await joined(chat, BOB)
    await ada.ack("direct", payload={"to": BOB.id, "body": {"text": "secret"}})
    await bob.ack("direct", payload={"to": ADA.id, "body": {"text": "from Bob"}})
    room = direct_room(ADA.id, BOB.id)

    await rooms.erase_user(ADA)

    assert [shown(event)[1:] for event in await said(chat, room)] == [
        (None, {}),
        (BOB.id, {"text": "from Bob"}),
    ]
    inbox = await chat.store.history(user_room(BOB.id), after=0, limit=200)
    assert inbox.events
    assert not [event for event in inbox.events if b"Ada" in bytes(event.payload)]
    assert [line["room"] for line in (await bob.ack("rooms", payload={"mine": True}))["rooms"]] == [room]
    assert (await bob.ack("join", room=room))["messages"][1]["payload"] == {"text": "from Bob"}


async def test_what_a_moderator_did_holds_but_does_not_tell_who_it_was_or_why(
    chat: Chat, rooms: ChatRooms
) -> None:
    await rooms.create_room("general", as_user=ADA)
    await rooms.mute("general", BOB, as_user=ADA, reason="secret")
    await rooms.ban("general", EVE, as_user=ADA, reason="secret", until=9_999_999_999.5)

    await rooms.erase_user(ADA)

    about = {"ban": EVE.id, "mute": BOB.id}
    kept = [(await chat.store.facts_about("general", key))[kind] for kind, key in about.items()]
    assert [
        (one["user"]["id"], one["by"], one.get("reason"), one.get("until"))
        for one in (json.loads(known.value) for known in kept)
    ] == [
        (EVE.id, None, None, 9_999_999_999.5),
        (BOB.id, None, None, None),
    ]
    with pytest.raises(Muted):
        await rooms.publish("general", "message", {"text": "x"}, as_user=BOB)


async def test_the_audit_tells_the_decisions_of_others_only(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general", as_user=EVE)
    await rooms.add_member("general", ADA, "moderator")
    theirs = [await rooms.publish("general", "message", {"text": "x"}, sender=user) for user in (BOB, ADA)]
    for said, by in ((theirs[0], ADA), (theirs[1], EVE)):
        await rooms.delete("general", said.msg_id, as_user=by)
    await rooms.mute("general", BOB, as_user=EVE)
    assert len((await rooms.audit("general")).lines) >= 3

    await rooms.erase_user(ADA)

    lines = [line for line in (await rooms.audit("general")).lines if line.actor is not None]
    assert [(line.type, line.actor and line.actor.id, line.user) for line in lines] == [
        ("member.muted", EVE.id, BOB.id)
    ]


async def test_what_operators_decided_of_the_user_or_as_the_user_is_forgotten(
    chat: Chat, rooms: ChatRooms
) -> None:
    ada, bob, eve = (Sender(user.id, user.name) for user in (ADA, BOB, EVE))
    for by, of in ((ada, BOB), (bob, ADA), (bob, EVE), (eve, None)):
        user = None if of is None else of.id
        await keep(chat.store, "user.revoked", by, user=user, reason="", details={})

    await rooms.erase_user(ADA)

    told = [
        (line.actor and line.actor.id, line.user) for line in (await rooms.audit()).lines if not line.room
    ]
    assert sorted(told, key=str) == sorted([(BOB.id, EVE.id), (EVE.id, None)], key=str)


async def test_it_goes_on_where_it_was_interrupted(rooms: ChatRooms) -> None:
    for verb in CHANGES:
        for times in range(1, 40):
            store = FaultyStore(MemoryStore())
            backends = Backends(store, MemoryBroker(), MemoryPresence())
            async with running_core(rooms, backends=backends) as chat:
                await _live(chat, rooms)
                epoch = (await chat.store.heads(["general"]))["general"].epoch
                if not await _interrupted(rooms, store, verb, times):
                    break
                store.mend()

                await rooms.erase_user(ADA)

                assert {shown(event)[1] for event in await said(chat)} == {None, BOB.id}, (verb, times)
                assert (await chat.store.heads(["general"]))["general"].epoch != epoch, (verb, times)
                assert await chat.store.facts_about("general", ADA.id) == {}
                assert (await chat.store.facts("general", "erasing")).facts == []
                assert await chat.store.room(user_room(ADA.id)) is None
        assert times > 1, verb


async def _live(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general")
    await members.put(chat.store, "general", Member(ADA.id, ADA.name))
    ada = await joined(chat, ADA, "general")
    await ada.ack("message.open", room="general", payload={"text": "secret"})
    await rooms.publish("general", "message", {"text": "from Ada"}, sender=ADA)
    await rooms.publish("general", "message", {"text": "from Bob", "mentions": [ADA.id]}, sender=BOB)


async def _interrupted(rooms: ChatRooms, store: FaultyStore, verb: str, times: int) -> bool:
    """Let the store fail at the n-th call of this verb. False if there are not so many."""
    asked = 0

    async def count() -> None:
        nonlocal asked
        asked += store.calls[-1] == verb
        if asked == times:
            store.fail_next(100, verb)

    store.latency = count
    try:
        await rooms.erase_user(ADA)
    except Unavailable:
        return True
    finally:
        store.latency = None
    return False


async def test_whoever_writes_meanwhile_leaves_nothing_either(chat: Chat, rooms: ChatRooms) -> None:
    for room in ("general", "other"):
        await rooms.create_room(room)
        for n in range(300):
            await rooms.publish(room, "message", {"text": str(n)}, sender=BOB)
    ada, bob = await joined(chat, ADA, "general", "other"), await joined(chat, BOB, "general")

    async def write() -> None:
        for n in range(10_000):
            for room in ("general", "other"):
                await ada.ack("message", room=room, payload={"text": f"secret {n}"})

    writing = asyncio.create_task(write())
    await ada.ack("message", room="general", payload={"text": "secret"})
    await rooms.erase_user(ADA)

    with pytest.raises(ConnectionClosed):
        await writing
    for room in ("general", "other"):
        after, events = 0, list[Event]()
        while page := (await chat.store.history(room, after=after, limit=200)).events:
            events += page
            after = page[-1].seq or 0
        assert {event.sender and event.sender.id for event in events} == {None, BOB.id}
        assert not [event for event in events if b"secret" in bytes(event.payload)]
    assert (await bob.expect("reset"))["room"] == "general"


async def test_of_somebody_who_was_never_here_nothing_changes(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general")
    await rooms.publish("general", "message", {"text": "from Bob"}, sender=BOB)
    before = await said(chat), await chat.store.heads(["general"])

    await rooms.erase_user("nobody")

    assert (await said(chat), await chat.store.heads(["general"])) == before


async def test_the_deletion_of_a_reply_does_not_tell_who_replied_last(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general")
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general")
    parent = await bob.ack("message", room="general", payload={"text": "1"})
    await ada.ack("message", room="general", payload={"text": "secret", "parent": parent["msgId"]})
    reply = await bob.ack("message", room="general", payload={"text": "2", "parent": parent["msgId"]})
    await bob.ack("message.delete", room="general", payload={"msgId": reply["msgId"]})

    await rooms.erase_user(ADA)

    (deletion,) = [event for event in await said(chat) if event.type == "message.deleted"]
    told = json.loads(bytes(deletion.payload))
    assert (told["msgId"], told["parent"]) == (reply["msgId"], parent["msgId"])
    assert told["thread"]["last"]["sender"] is None


async def test_a_message_that_somebody_else_is_writing_does_not_mention_the_user_when_it_is_closed(
    chat: Chat, rooms: ChatRooms
) -> None:
    await rooms.create_room("general")
    await rooms.add_member("general", ADA)
    bob = await joined(chat, BOB, "general")
    body = {"text": "x", "mentions": [ADA.id, EVE.id], "y": 1.50}
    opened = await bob.ack("message.open", room="general", payload=body)
    await bob.ack("message.append", room="general", payload={"msgId": opened["msgId"], "at": 1, "text": "y"})

    await rooms.erase_user(ADA)
    await bob.ack("join", room="general")
    await bob.ack("message.append", room="general", payload={"msgId": opened["msgId"], "at": 2, "text": "z"})
    await bob.ack("message.close", room="general", payload={"msgId": opened["msgId"]})

    events = await said(chat)
    left = {"text": "xyz", "mentions": [EVE.id], "y": 1.50}
    assert shown(events[0])[2] == left
    assert shown(events[-1])[2]["body"] == left
    assert not [event for event in events if b'"u1"' in bytes(event.payload)]


async def test_an_invitation_by_the_user_makes_a_member_only(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general", visibility="private", as_user=ADA)
    await rooms.invite("general", EVE, "admin", as_user=ADA)
    await rooms.invite("general", BOB, "admin")

    await rooms.erase_user(ADA)
    eve, bob = await joined(chat, EVE), await joined(chat, BOB)

    assert (await eve.ack("member.accept", room="general"))["role"] == "member"
    assert (await bob.ack("member.accept", room="general"))["role"] == "admin"


async def test_no_room_names_the_user_in_its_permissions_and_who_may_read_its_past_stays(
    chat: Chat, rooms: ChatRooms
) -> None:
    needs = {"message": {"level": 50, "users": [BOB.id, ADA.id]}, "room.update": {"users": [ADA.id]}}
    await rooms.create_room("general", as_user=EVE)
    await rooms.publish("general", "message", {"text": "for all"}, sender=BOB)
    await rooms.update_room("general", visibility="private", history_visibility="joined", as_user=EVE)
    await rooms.update_room("general", permissions=needs, as_user=EVE)
    before = await chat.store.room("general")
    assert before is not None

    await rooms.erase_user(ADA)

    after = await chat.store.room("general")
    assert after is not None
    assert after.permissions == {"message": {"level": 50, "users": [BOB.id]}, "room.update": {}}
    assert (after.history, after.visibility) == (before.history, before.visibility)
    assert not [event for event in await said(chat) if b'"u1"' in bytes(event.payload)]
    facts = (await chat.store.all_facts("general", limit=200)).facts
    assert not [known for known in facts if b'"u1"' in known.value]
    last = (await said(chat))[-1]
    assert (last.type, last.sender, shown(last)[2]["permissions"]) == (
        "room.updated",
        None,
        after.permissions,
    )


async def test_what_the_app_held_back_of_others_does_not_mention_the_user(rooms: ChatRooms) -> None:
    @rooms.before_publish(budget=5)
    async def check(_: Context) -> None:
        raise Held("may be fraud")

    async with running_core(rooms) as chat:
        await rooms.create_room("general", as_user=EVE)
        bob = await joined(chat, BOB, "general")
        body = {"text": "x", "mentions": [ADA.id]}
        assert (await bob.error("message", room="general", payload=body))["code"] == "forbidden"

        await rooms.erase_user(ADA)

        [line] = (await rooms.reports("general")).reports
        assert (line.held, line.by and line.by.id, line.reason) == ({"text": "x"}, BOB.id, "may be fraud")
