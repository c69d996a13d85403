"""A room that a user may not know of answers every command as a room that is not there does, byte for byte."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import Fact, Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.rooms import create
from sanic_chatrooms.verbs.table import Judged, Needs, commands

ADA, EVE = User("u1", "Ada"), User("u2", "Eve")
IN_A_ROOM = sorted(
    type
    for type, row in commands().items()
    if row.room in (Needs.ROOM, Needs.PERHAPS)
    and row.type != "room.create"
    and row.judged not in (Judged.FREE, Judged.SEAT)
    and not row.own
    and type != "search"  # which a store in memory does not have: test_search asks it about hidden rooms
)
PAYLOADS: dict[str, Any] = {
    "user": "u1",
    "role": "member",
    "msgId": "x",
    "body": {"text": "hi"},
    "action": "join",
    "kind": "ban",
    "reason": "x",
    "seq": 1,
    "emoji": "👍",
    "at": 0,
    "text": "hi",
}


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    backends = Backends(FaultyStore(MemoryStore()), MemoryBroker(), MemoryPresence())
    async with running_core(guests=True, auto_create=False, backends=backends) as chat:
        await create(chat.core, None, "secret", visibility="private")
        await create(chat.core, None, "banned", visibility="private")
        await members.put(chat.store, "secret", Member(ADA.id, ADA.name, "owner"))
        await members.put(chat.store, "banned", Member(EVE.id, EVE.name))
        await chat.store.set_fact("banned", Fact("ban", EVE.id, b"{}"))
        yield chat


def fitting(type: str) -> dict[str, Any]:
    fields = msgspec.structs.fields(commands()[type].payload)
    return {field.encode_name: PAYLOADS[field.encode_name] for field in fields if field.required}


async def answer(client: MemoryClient, type: str, room: str, msg_id: str) -> dict[str, Any]:
    frame = dict(await client.request(type, room=room, payload=fitting(type), msg_id=msg_id))
    del frame["timestamp"]
    assert frame.pop("room") == room
    return frame


@pytest.mark.parametrize("type", IN_A_ROOM)
async def test_a_hidden_room_answers_like_none(chat: Chat, type: str) -> None:
    eve = await chat_client(chat, EVE)
    id = "0" * 16

    answers, looks = [], []
    store = chat.backends.store
    assert isinstance(store, FaultyStore)
    for room in ("secret", "nowhere", "banned"):
        store.calls.clear()
        answers.append(await answer(eve, type, room, id))
        looks.append(list(store.calls))

    assert answers[0]["payload"]["code"] == "room_not_found"
    assert answers[0] == answers[1] == answers[2]
    assert looks[0], "it was asked"
    assert looks[0] == looks[1] == looks[2], "nor is it told by how often the store is asked"


def test_every_command_in_a_room_was_tried() -> None:
    assert {"join", "leave", "explain", "member.ban", "room.update", "room.delete", "message.delete"} <= set(
        IN_A_ROOM
    )
