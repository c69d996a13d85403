"""What is said: bodies, rooms, directs, and the past."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import ChatError, User
from sanic_chatrooms.access.policy import Policy, RoomPolicy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.declaration import Route
from sanic_chatrooms.errors import Forbidden, InvalidField, TooLarge
from sanic_chatrooms.models import DIRECT, Member, Room, direct_room
from sanic_chatrooms.sessions.inbox import Enter, InboxMessage
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.drafts import WRITTEN_ANEW, check_body, command_hash, draft
from sanic_chatrooms.verbs.history import History
from sanic_chatrooms.verbs.rooms import create
from sanic_chatrooms.wire.decode import Command

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_core(guests=True, max_text=20) as chat:
        yield chat


async def joined(chat: Chat, user: User, *rooms: str, **arguments: Any) -> MemoryClient:
    client = await chat_client(chat, user, **arguments)
    for room in rooms:
        await client.ack("join", room=room)
    return client


# ---- bodies ----


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":""}',
        b'{"text":"hi","own":{"a":[1]},"another":null}',
        b'{"text":"hi","parent":"m1","mentions":["u1","u2"]}',
        b'{"text":"hi","parent":null,"mentions":null}',
    ],
)
def test_a_body_has_a_text_and_what_else_the_app_likes(body: bytes) -> None:
    check_body(body, 2)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "text"),
        (b'{"text":null}', "text"),
        (b'{"text":7}', "text"),
        (b'{"text":"hi","parent":7}', "parent"),
        (b'{"text":"hi","mentions":"u1"}', "mentions"),
        (b'{"text":"hi","mentions":["u1",7]}', "mentions[1]"),
        (b"[]", "payload"),
    ],
)
def test_a_body_that_does_not_fit(body: bytes, field: str) -> None:
    with pytest.raises(InvalidField) as error:
        check_body(body, 2)

    assert error.value.fields["field"] == field


def test_texts_are_counted_in_characters() -> None:
    check_body('{"text":"\u00fc\U0001f600"}'.encode(), 2)
    with pytest.raises(TooLarge) as error:
        check_body('{"text":"\u00fc\U0001f600\u00fc"}'.encode(), 2, within="body")

    assert error.value.fields == {"limit": 2, "size": 3}
    assert error.value.message.startswith("body.text")


def test_a_draft_always_has_a_key_and_nobodys_is_its_own_id() -> None:
    item = draft("general", "message", b"{}", None)

    assert item.key == ("", item.msg_id)
    assert draft("general", "message", b"{}", None, key=("u1", ID)).key == ("u1", ID)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"text":"hi"}',
        b'{"text": "hi"}',
        b' {\n"text"\t:"hi" }',
        b'{"text":"\\u0068i"}',
        b'{"text":"no","text":"hi"}',
    ],
)
def test_a_command_is_the_same_whichever_way_its_payload_is_written(payload: bytes) -> None:
    one = Command("message", ID, "general", b'{"text":"hi"}')

    assert command_hash(Command("message", ID, "general", payload)) == command_hash(one)
    assert command_hash(Command("direct", ID, "general", payload)) != command_hash(one)


def test_long_types_that_begin_alike_are_two_commands() -> None:
    one, other = (Command(f"ORDER_CREATED_OR_{end}", ID, "general", b'{"n":1}') for end in ("SOLD", "SENT"))

    assert command_hash(one) != command_hash(other)
    assert command_hash(one) == command_hash(msgspec.structs.replace(one))


def test_a_large_payload_is_compared_as_it_is_written() -> None:
    """How long it takes to decode, only its sender knows: 64 KiB of `1e23` take 60 ms."""
    text = "x" * WRITTEN_ANEW
    one = Command("message", ID, "general", b'{"a":1,"text":"%s"}' % text.encode())
    spaced = Command("message", ID, "general", b'{"a":1, "text":"%s"}' % text.encode())

    assert command_hash(one) == command_hash(msgspec.structs.replace(one))
    assert command_hash(one) != command_hash(spaced)


def test_the_order_of_fields_makes_no_other_command() -> None:
    one, other = (
        Command("message", ID, "general", p) for p in (b'{"text":"a","n":1}', b'{"n":1,"text":"a"}')
    )

    assert command_hash(one) == command_hash(other)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"text":"ho"}',
        b'{"text":"hi "}',
        b'{"text":"hi","n":1}',
        b'{"text":"hi","text2":"hi"}',
        b'{"text":"h\\"i"}',
        b'{"text":""}',
        b"{}",
        b'{"text":"}"}',
        b'{"text":1}',
        b'{"n":"hi"}',
    ],
)
def test_a_command_is_another_with_another_payload(payload: bytes) -> None:
    one = Command("message", ID, "general", b'{"text":"hi"}')

    assert command_hash(Command("message", ID, "general", payload)) != command_hash(one)


# ---- to a room ----


async def test_a_message_is_acknowledged_and_heard(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general")

    said = await ada.ack("message", room="general", payload={"text": "hi", "own": 1}, msg_id=ID)
    heard = await bob.expect("message")

    assert said == {"msgId": heard["msgId"], "seq": 1, "timestamp": heard["timestamp"], "duplicate": False}
    assert heard["payload"] == {"text": "hi", "own": 1}
    assert (heard["sender"], heard["clientMsgId"]) == ({"id": "u1", "name": "Ada"}, ID)


async def test_a_repeated_message_is_the_first_one(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    first = await ada.ack("message", room="general", payload={"text": "hi"}, msg_id=ID)

    phone = await joined(chat, ADA, "general")
    again = await phone.ack("message", room="general", payload={"text": "hi"}, msg_id=ID)
    other = await phone.error("message", room="general", payload={"text": "ho"}, msg_id=ID)

    assert again == {**first, "duplicate": True}
    assert other["code"] == "conflict"
    assert len(phone.unread("message")) == 0


async def test_the_same_msg_id_of_another_user_or_in_another_room_is_another(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA, "a", "b"), await joined(chat, BOB, "a")

    for client, room in ((ada, "a"), (ada, "b"), (bob, "a")):
        assert not (await client.ack("message", room=room, payload={"text": "x"}, msg_id=ID))["duplicate"]


@pytest.mark.parametrize(
    ("room", "payload", "code"),
    [
        (None, {"text": "x"}, "invalid_field"),
        ("elsewhere", {"text": "x"}, "not_a_member"),
        ("general", {}, "invalid_field"),
        ("general", {"text": "x" * 21}, "too_large"),
    ],
)
async def test_messages_that_are_refused(chat: Chat, room: str | None, payload: Any, code: str) -> None:
    ada = await joined(chat, ADA, "general")

    assert (await ada.error("message", room=room, payload=payload))["code"] == code


async def test_a_message_without_msg_id_has_none_in_the_past_either(chat: Chat) -> None:
    """Live and read again, an event is the same."""
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general")
    ada.send_raw('{"type":"message","room":"general","payload":{"text":"hi"}}')

    heard = await bob.expect("message")
    past = (await bob.ack("history", room="general"))["messages"]

    assert past == [heard]
    assert "clientMsgId" not in heard


# ---- policies ----


class Hours(Policy):
    """Refuses messages in each of the ways in which a policy may."""

    def __init__(self, refuse: Callable[[], Awaitable[None] | None]) -> None:
        self._refuse = refuse

    def require(
        self, user: User, action: str, room: Room | None, standing: Standing
    ) -> Awaitable[None] | None:
        return self._refuse() if action == "message" else None


def _at_once() -> None:
    raise Forbidden("quiet hours")


async def _later() -> None:
    raise Forbidden("quiet hours")


def _by_defect() -> None:
    raise KeyError("secret")


@pytest.mark.parametrize("refuse", [_at_once, _later, functools.partial(_later), _by_defect])
async def test_a_policy_that_refuses_is_obeyed(
    chat: Chat, refuse: Callable[[], Awaitable[None] | None]
) -> None:
    ada = await joined(chat, ADA, "general", route=Route("/ws", policy=Hours(refuse)))

    for _ in range(2):
        assert (await ada.error("message", room="general", payload={"text": "x"}))["code"] == "forbidden"
    assert (await ada.ack("history", room="general"))["messages"] == []


async def test_a_policy_that_allows_by_an_awaitable_is_obeyed(chat: Chat) -> None:
    async def allow() -> None: ...

    ada = await joined(chat, ADA, "general", route=Route("/ws", policy=Hours(allow)))
    said = [ada.send("message", room="general", payload={"text": str(n)}) for n in range(3)]

    assert [(await ada.reply(id))["payload"]["seq"] for id in said] == [1, 2, 3]


# ---- to one user ----


async def test_a_direct_enters_all_connections_of_both(chat: Chat) -> None:
    ada, phone, bob = await joined(chat, ADA), await joined(chat, ADA), await joined(chat, BOB)

    said = await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})

    assert said["room"] == direct_room("u1", "u2")
    for client, partner in ((ada, "u2"), (phone, "u2"), (bob, "u1")):
        added = await client.expect("room.added")
        message = await client.expect("message", room=said["room"])
        assert added["payload"]["with"]["id"] == partner
        assert (added["payload"]["seq"], message["seq"]) == (0, 1)
        assert client.frames.index(added) < client.frames.index(message)
    assert phone.session.seats.keys() == bob.session.seats.keys() == {said["room"]}


async def test_a_direct_is_stored_once_however_often_it_is_sent(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA), await joined(chat, BOB)
    payload = {"to": "u2", "body": {"text": "hi"}}

    first = await ada.ack("direct", payload=payload, msg_id=ID)
    again = await ada.ack("direct", payload=payload, msg_id=ID)
    other = await ada.error("direct", payload={"to": "u2", "body": {"text": "ho"}}, msg_id=ID)
    await bob.settle()

    assert again == {**first, "duplicate": True}
    assert other["code"] == "conflict"
    assert (len(bob.unread("room.added")), len(bob.unread("message"))) == (1, 1)


async def test_the_same_msg_id_to_another_user_is_another_direct(chat: Chat) -> None:
    ada = await joined(chat, ADA)

    first = await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}}, msg_id=ID)
    other = await ada.ack("direct", payload={"to": "u3", "body": {"text": "hi"}}, msg_id=ID)

    assert first["room"] != other["room"]
    assert (first["duplicate"], other["duplicate"]) == (False, False)


async def test_both_find_their_conversation_later(chat: Chat) -> None:
    ada = await joined(chat, ADA)
    said = await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})

    bob = await joined(chat, BOB)
    answer = await bob.ack("direct", payload={"to": "u1", "body": {"text": "ho"}})
    (mine,) = (await ada.ack("rooms", payload={"mine": True}))["rooms"]
    (theirs,) = (await bob.ack("rooms", payload={"mine": True}))["rooms"]

    assert answer["room"] == mine["room"] == theirs["room"] == said["room"]
    assert (mine["with"]["id"], theirs["with"]["id"]) == ("u2", "u1")
    assert mine["with"]["name"] == "Bob"
    assert mine["visibility"] == "direct"


async def test_a_conversation_is_hidden_from_everybody_else(chat: Chat) -> None:
    ada, eve = await joined(chat, ADA), await joined(chat, EVE)
    room = (await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}}))["room"]

    for type in ("join", "history", "members", "presence"):
        assert (await eve.error(type, room=room))["code"] == "room_not_found"
    assert (await eve.ack("rooms"))["rooms"] == []


async def test_a_direct_goes_through_while_the_other_user_is_making_the_room(chat: Chat) -> None:
    """Both write first, on different workers; the one who made the room has not come to the other's membership yet."""
    bob = await chat_client(chat, User("u2", "Bob"))
    id = direct_room("u1", "u2")
    made = Room(id, "", 0, visibility=DIRECT)
    await chat.store.create_room(made, facts=(members.member_fact(Member("u1", "Ada", "member", 0.0)),))

    said = await bob.ack("direct", payload={"to": "u1", "body": {"text": "hi"}})

    assert (said["room"], said["seq"]) == (id, 1)


async def test_a_conversation_is_exited_and_entered_again_by_the_next_direct(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA), await joined(chat, BOB)
    room = (await ada.ack("direct", payload={"to": "u2", "body": {"text": "1"}}))["room"]
    await bob.expect("message")
    await bob.ack("exit", room=room)
    await ada.ack("message", room=room, payload={"text": "unheard"})

    await ada.ack("direct", payload={"to": "u2", "body": {"text": "2"}})

    assert (await bob.expect("message"))["seq"] == 3
    assert [a["payload"]["seq"] for a in bob.frames if a["type"] == "room.added"] == [0, 2]
    assert (await bob.error("leave", room=room))["code"] == "forbidden"


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"body": {"text": "x"}}, "to"),
        ({"to": "u2"}, "body"),
        ({"to": 7, "body": {"text": "x"}}, "to"),
        ({"to": "", "body": {"text": "x"}}, "to"),
        ({"to": "u" * 129, "body": {"text": "x"}}, "to"),
        ({"to": "u1", "body": {"text": "x"}}, "to"),
        ({"to": "u2", "body": {}}, "body.text"),
        ({"to": "u2", "body": "x"}, "body"),
    ],
)
async def test_directs_that_do_not_fit_make_no_room(chat: Chat, payload: Any, field: str) -> None:
    ada = await joined(chat, ADA)

    error = await ada.error("direct", payload=payload)

    assert (error["code"], error["field"]) == ("invalid_field", field)
    assert (await ada.ack("rooms", payload={"mine": True}))["rooms"] == []


async def test_a_policy_is_asked_for_directs(chat: Chat) -> None:
    class Alone(RoomPolicy):
        def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
            if action == "direct":
                raise Forbidden

    ada = await joined(chat, ADA, route=Route("/ws", policy=Alone()))

    assert (await ada.error("direct", payload={"to": "u2", "body": {"text": "x"}}))["code"] == "forbidden"
    assert await chat.backends.store.room(direct_room("u1", "u2")) is None


async def test_a_new_name_is_the_members_from_the_next_direct_on_and_nothing_else_changes(chat: Chat) -> None:
    ada = await joined(chat, ADA)
    room = (await ada.ack("direct", payload={"to": "u2", "body": {"text": "x"}}))["room"]
    await members.put(chat.backends.store, room, Member("u1", "Ada", "moderator", 5.0))

    renamed = await joined(chat, User("u1", "Ada L."))
    await renamed.ack("direct", payload={"to": "u2", "body": {"text": "x"}})

    assert await members.find(chat.backends.store, room, "u1") == Member("u1", "Ada L.", "moderator", 5.0)


# ---- the past ----


async def test_pages_of_the_past(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    for number in range(1, 6):
        await ada.ack("message", room="general", payload={"text": str(number)})

    async def seqs(**payload: Any) -> tuple[list[int], bool]:
        answer = await ada.ack("history", room="general", payload=payload)
        return [message["seq"] for message in answer["messages"]], answer["more"]

    assert await seqs() == ([1, 2, 3, 4, 5], False)
    assert await seqs(limit=2) == ([4, 5], True)
    assert await seqs(before=4, limit=2) == ([2, 3], True)
    assert await seqs(before=2) == ([1], False)
    assert await seqs(before=1) == ([], False)
    assert await seqs(before=0) == ([], False)
    assert await seqs(after=0, limit=2) == ([1, 2], True)
    assert await seqs(after=5) == ([], False)
    assert await seqs(after=2**53 - 1) == ([], False)
    assert await seqs(limit=10_000) == ([1, 2, 3, 4, 5], False)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"before": 1, "after": 1}, "invalid_field"),
        ({"limit": 0}, "invalid_field"),
        ({"limit": -1}, "invalid_field"),
        ({"before": -1}, "invalid_cursor"),
        ({"after": -1}, "invalid_cursor"),
        ({"after": "1"}, "invalid_field"),
    ],
)
async def test_positions_that_there_are_not(chat: Chat, payload: Any, code: str) -> None:
    ada = await joined(chat, ADA, "general")

    assert (await ada.error("history", room="general", payload=payload))["code"] == code


async def test_the_app_reads_what_it_likes(chat: Chat) -> None:
    await create(chat.core, None, "secret", visibility="private")

    assert (await chat.commands.give("history", History(), room="secret")).messages == []
    with pytest.raises(ChatError):
        await chat.commands.give("history", History(), room="nowhere")


async def test_a_direct_into_a_room_that_is_forgotten_in_that_moment_is_a_matter_of_a_moment(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was empty. The client repeats, and the room is made anew."""
    ada = await chat_client(chat, ADA)
    store, send, once = chat.backends.store, chat.inbox.send, iter([True])

    async def send_and_forget(user_id: str, message: InboxMessage) -> None:
        await send(user_id, message)
        if isinstance(message, Enter) and user_id == "u1" and next(once, False):
            await store.delete_room(message.room, unused=True)

    monkeypatch.setattr(chat.inbox, "send", send_and_forget)
    command: dict[str, Any] = {"payload": {"to": "u2", "body": {"text": "hi"}}, "msg_id": "0123456789abcdef"}

    refused = await ada.error("direct", **command)
    said = await ada.ack("direct", **command)

    assert (refused["code"], refused["temporary"]) == ("unavailable", True)
    assert (said["seq"], said["duplicate"]) == (1, False)


async def test_direct_rooms_are_bounded_by_themselves() -> None:
    async with running_core(guests=True, max_rooms=1, max_direct_rooms=2) as chat:
        ada = await chat_client(chat, ADA)
        for user in ("u2", "u3"):
            await ada.ack("direct", payload={"to": user, "body": {"text": "hi"}})

        refused = await ada.error("direct", payload={"to": "u4", "body": {"text": "hi"}})

        assert (refused["code"], refused["limit"]) == ("room_limit", 2)
        await ada.ack("direct", payload={"to": "u2", "body": {"text": "again"}})
        await ada.ack("join", room="general")
