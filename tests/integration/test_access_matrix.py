"""`explain` says of every action, for everybody in every kind of room, what the command then does: on a connection and in a user's name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import ChatError, ChatRooms, User
from sanic_chatrooms.access.actions import actions
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import DIRECT, PRIVATE, PUBLIC, Fact, Member, Room
from sanic_chatrooms.server_api.base import acting_as
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.table import commands

REFUSALS = {"forbidden", "banned", "muted", "room_not_found"}
ADA = User("u1", "Ada")
GUEST = User("guest-1", "Guest", guest=True)
ROLES = ("owner", "admin", "moderator", "editor", "member", "reader")
WHO = ("creator", *ROLES, "stranger", "guest", "invited", "banned", "muted", "muted moderator", "reads only")
PAYLOADS: dict[str, Any] = {
    "user": "nobody", "role": "member", "msgId": "x", "body": {"text": "hi"}, "action": "join", "kind": "ban",
    "reason": "x", "text": "hi", "id": "0.r", "outcome": "x", "emoji": "👍", "seq": 1, "rooms": [], "query": "hi", "at": 0,
}  # fmt: skip
NOT_COMPARED = {
    "member.role", "member.kick", "member.accept", "member.decline", "report.close", "unread", "search", "message.append",
    "message.close", "message.cancel",
}  # fmt: skip
"""Whether they are allowed depends on more than the room: the target, an invitation, who writes a message. `unread` and `search`
leave out the rooms that one may not see."""


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True, roles={"editor": 30}, rate_limits=False)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


async def someone(chat: Chat, who: str, kind: str, room: str, **properties: Any) -> User:
    """A room of this kind, and somebody who stands so in it."""
    role = {
        "creator": "owner",
        "banned": "member",
        "muted": "member",
        "muted moderator": "moderator",
        "reads only": "owner",
    }
    facts: list[Fact] = []
    user = GUEST if who == "guest" else ADA
    if who in role or who in ROLES:
        member = Member(user.id, user.name, role.get(who, who), creator=who == "creator")
        facts.append(members.member_fact(member))
    restriction = {"invited": "invite", "banned": "ban", "muted": "mute", "muted moderator": "mute"}.get(who)
    if restriction is not None:
        facts.append(Fact(restriction, user.id, b'{"role":"member","by":null,"at":0}'))
    await chat.store.create_room(Room(room, "", 0, visibility=kind, **properties), facts=facts)
    return msgspec.structs.replace(user, scopes=("chat:read",)) if who == "reads only" else user


def payload(type: str) -> dict[str, Any]:
    fields = msgspec.structs.fields(commands()[type].payload)
    return {field.encode_name: PAYLOADS[field.encode_name] for field in fields if field.required}


async def on_a_connection(chat: Chat, user: User, type: str, room: str) -> str:
    client = await chat_client(chat, user)
    reply = await client.request(type, room=room, payload=payload(type))
    client.session.close(1000)
    return str(reply["payload"].get("code", "ack"))


async def in_their_name(chat: Chat, user: User, type: str, room: str) -> str:
    acting = acting_as(chat, user)
    acting.scopes = None
    try:
        await chat.commands.act(acting, acting.command(type, msgspec.json.encode(payload(type)), room=room))
    except ChatError as problem:
        return problem.code
    return "ack"


WAYS: dict[str, Callable[[Chat, User, str, str], Awaitable[str]]] = {
    "connection": on_a_connection,
    "as_user": in_their_name,
}
PROPERTIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "archived": {"archived": True},
    "strict": {
        "permissions": {
            "history": 50,
            "message.edit": 75,
            "room.update": {"users": ["u1"]},
            "pins": {"roles": ["editor"]},
        }
    },
}


@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", PROPERTIES)
@pytest.mark.parametrize("kind", [PUBLIC, PRIVATE, DIRECT])
async def test_a_command_does_what_explain_says(
    rooms: ChatRooms, chat: Chat, kind: str, state: str, way: str
) -> None:
    wrong, cells = [], 0
    for who in WHO:
        for name, its in actions().items():
            row = commands().get(name)
            if (
                row is None
                or not its.in_a_room
                or name in NOT_COMPARED
                or name in ("message", "message.open", "typing")
            ):
                continue
            if way == "as_user" and (not row.as_user or who == "reads only"):
                continue
            cells += 1
            room = f"{'~direct.' if kind == DIRECT else 'r'}{cells}"
            user = await someone(chat, who, kind, room, **PROPERTIES[state])
            verdict = await rooms.explain(user, name, room)
            code = await WAYS[way](chat, user, name, room)
            if verdict.allowed is (code in REFUSALS):
                wrong.append((who, name, verdict, code))
            if verdict.rule == "unknown" and code != "room_not_found":
                wrong.append((who, name, verdict, code))

    assert wrong == []
    assert cells > 100
