"""A ban, a kick, a removal, or a change of the room that keeps a user out is the last event of the room that the user gets, on
every worker, in whatever order events come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import (
    ChatError,
    ChatRooms,
    Forbidden,
    MemoryBroker,
    MemoryPresence,
    MemoryStore,
    Room,
    RoomPolicy,
    Standing,
    User,
)
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import Envelope, Fact, Sender
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import FaultyBroker, FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.drafts import draft
from tests.support.brokers import holds

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
ROOM = "team"
ENDS = {"member.banned": "banned", "member.kicked": "kicked", "member.left": "left"}


class Workers:
    """Bob at the second worker twice, Ada at both, all in one private room. `broker` and `store` are the second one's."""

    def __init__(self) -> None:
        store, bus, board = MemoryStore(), MemoryBus(), MemoryBoard()
        self.broker, self.store = FaultyBroker(MemoryBroker(bus)), FaultyStore(store)
        self._backends = [
            Backends(store, MemoryBroker(bus), MemoryPresence(board)),
            Backends(self.store, self.broker, MemoryPresence(board)),
        ]
        self.api = ChatRooms("test", guests=True)
        self.chats: list[Chat] = []
        self.bobs: list[MemoryClient] = []
        self.ada: MemoryClient

    async def start(self, stack: AsyncExitStack) -> None:
        for instance, backends in zip(
            (self.api, ChatRooms("test", guests=True)), self._backends, strict=True
        ):
            self.chats.append(await stack.enter_async_context(running_core(instance, backends=backends)))
        await self.api.create_room(ROOM, visibility="private")
        for user in (ADA, BOB):
            await self.api.add_member(ROOM, user)
        self.ada = await self.come(ADA)
        self.bobs = [await self.come(BOB) for _ in "12"]

    async def come(self, user: User) -> MemoryClient:
        client = await chat_client(self.chats[1], user)
        await client.ack("join", room=ROOM)
        return client

    async def end(self, type: str) -> int:
        """Bob is banned, kicked or removed at the first worker; -> the number of the event."""
        facts = [members.left(BOB.id)]
        if type == "member.banned":
            facts.append(Fact("ban", BOB.id, b"{}"))
        payload = msgspec.json.encode({"user": Sender(BOB.id, BOB.name)})
        item = draft(ROOM, type, payload, Sender(ADA.id, ADA.name), facts=tuple(facts), restricts=True)
        return (await self.chats[0].journal.append(item)).seq

    async def say(self, count: int = 5) -> int:
        """At the first worker; -> the number of the last."""
        said = [await self.api.publish(ROOM, "message", {"text": str(n)}) for n in range(count)]
        return said[-1].seq


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers()
    async with AsyncExitStack() as stack:
        await workers.start(stack)
        yield workers


def newest(client: MemoryClient) -> int:
    return max(
        (frame["seq"] for frame in client.frames if frame.get("room") == ROOM and "seq" in frame), default=0
    )


async def reached(client: MemoryClient, seq: int) -> None:
    await holds(lambda: newest(client) >= seq)


@pytest.mark.parametrize("type", ENDS)
@pytest.mark.parametrize("order", [list, lambda envelopes: envelopes[::-1], lambda envelopes: envelopes[-1:]])
async def test_nothing_with_a_higher_number_reaches_them(
    workers: Workers, type: str, order: Callable[[list[Envelope]], list[Envelope]]
) -> None:
    await workers.say()
    workers.broker.hold()

    last = await workers.end(type)
    head = await workers.say()
    workers.broker.release(order)
    await reached(workers.ada, head)

    for bob in workers.bobs:
        assert (await bob.expect("room.removed"))["payload"] == {"room": ROOM, "reason": ENDS[type]}
        await bob.settle()
        assert newest(bob) == last
    assert not workers.ada.unread("room.removed")


@pytest.mark.parametrize("type", ENDS)
async def test_who_comes_in_meanwhile_gets_nothing_of_it(workers: Workers, type: str) -> None:
    await workers.say()
    coming = await chat_client(workers.chats[1], BOB)
    reading = asyncio.Event()
    real = workers.store.inner.history

    async def slow(*args: Any, **kwargs: Any) -> Any:
        workers.store.inner.history = real  # type: ignore[method-assign]
        page = await real(*args, **kwargs)
        reading.set()
        await holds(lambda: newest(workers.ada) >= head)  # which is said while this waits
        return page

    head = 1_000_000
    workers.store.inner.history = slow  # type: ignore[method-assign]
    join = coming.send("join", room=ROOM)
    await reading.wait()
    await workers.end(type)
    head = await workers.say()

    assert (await coming.reply(join))["payload"]["code"] in ("unavailable", "room_not_found")
    assert newest(coming) == 0
    assert (await coming.error("join", room=ROOM))["code"] == "room_not_found"


@pytest.mark.parametrize("type", ENDS)
@pytest.mark.parametrize("command", ["history", "pins", "join", "recovery"])
async def test_what_is_read_after_it_is_not_sent_to_them(workers: Workers, command: str, type: str) -> None:
    """Their worker has judged the command and has not heard of the end."""
    said = await workers.api.publish(ROOM, "message", {"text": "before"})
    position = await workers.chats[0].store.heads((ROOM,))
    for n in range(2):
        await workers.api.publish(ROOM, "message", {"text": str(n)})
    coming = await chat_client(workers.chats[1], BOB) if command in ("join", "recovery") else workers.bobs[0]
    store = workers.store.inner
    verb = "toggles" if command == "pins" else "history"
    real = getattr(store, verb)

    async def late(*args: Any, **kwargs: Any) -> Any:
        setattr(store, verb, real)
        await workers.end(type)
        await workers.api.edit(ROOM, said.msg_id, {"text": "secret"})
        return await real(*args, **kwargs)

    workers.broker.hold()
    setattr(store, verb, late)
    since = {"since": {"epoch": position[ROOM].epoch, "seq": position[ROOM].seq - 1}}
    payload = since if command == "recovery" else {}
    refused = await coming.error("join" if payload else command, room=ROOM, payload=payload)

    assert refused["code"] == "room_not_found"
    workers.broker.release()


async def test_who_leaves_hears_of_it_by_the_answer_and_their_other_connections_by_the_event(
    workers: Workers,
) -> None:
    bob, phone = workers.bobs

    await bob.ack("leave", room=ROOM)
    head = await workers.say()
    await reached(workers.ada, head)

    assert (await phone.expect("room.removed"))["payload"]["reason"] == "left"
    for client in (bob, phone):
        await client.settle()
        assert newest(client) == head - 5
    assert not bob.unread("room.removed")
    assert not workers.chats[1].evictions.leaving


async def test_a_kick_from_a_public_room_does_not_take_out_who_is_back(workers: Workers) -> None:
    await workers.api.create_room("hall")
    (bob, *_) = workers.bobs
    await bob.ack("join", room="hall")

    assert await workers.api.kick("hall", BOB)
    await bob.expect("room.removed")
    await bob.ack("join", room="hall")
    await workers.api.publish("hall", "message", {"text": "welcome back"})

    assert (await bob.expect("message"))["room"] == "hall"
    await bob.settle()
    assert not bob.unread("room.removed")


# ---- a room that changes ----


async def change(workers: Workers, room: str, **properties: Any) -> int:
    """At the first worker; -> the number of the event."""
    await workers.api.update_room(room, **properties)
    return (await workers.chats[0].store.heads((room,)))[room].seq


async def hall(workers: Workers, *users: User) -> list[MemoryClient]:
    """A public room, with these users at the second worker; Ada comes last, as a member like all but guests."""
    await workers.api.create_room("hall")
    clients = [await chat_client(workers.chats[1], user) for user in (*users, ADA)]
    for client in clients:
        await client.ack("join", room="hall")
    return clients


def in_hall(client: MemoryClient) -> list[int]:
    return [frame["seq"] for frame in client.frames if frame.get("room") == "hall" and "seq" in frame]


async def say_in_hall(workers: Workers, ada: MemoryClient) -> None:
    stored = await workers.api.publish("hall", "message", {"text": "after"})
    await holds(lambda: stored.seq in in_hall(ada))


async def test_who_may_not_see_a_room_that_becomes_private_is_out_at_that_event(workers: Workers) -> None:
    guest, ada = await hall(workers, User("guest-1", "Guest", guest=True))

    last = await change(workers, "hall", visibility="private")
    await say_in_hall(workers, ada)

    assert (await guest.expect("room.removed"))["payload"] == {"room": "hall", "reason": "forbidden"}
    await guest.settle()
    assert in_hall(guest)[-1] == last
    assert (await guest.error("join", room="hall"))["code"] == "room_not_found"


async def test_who_does_not_meet_a_raised_need_is_out_at_that_event(workers: Workers) -> None:
    bob, ada = await hall(workers, BOB)
    await workers.api.add_member("hall", ADA, "moderator")
    await ada.ack("message", room="hall", payload={"text": "my standing is known"})

    last = await change(workers, "hall", permissions={"join": 50})
    await say_in_hall(workers, ada)

    assert (await bob.expect("room.removed"))["payload"]["reason"] == "forbidden"
    await bob.settle()
    assert in_hall(bob)[-1] == last
    assert not ada.unread("room.removed")


async def test_who_gets_a_role_that_may_not_join_is_out_at_that_event(workers: Workers) -> None:
    bob, ada = await hall(workers, BOB)
    await workers.api.add_member("hall", BOB, "moderator")
    await workers.api.add_member("hall", ADA, "moderator")
    await ada.ack("message", room="hall", payload={"text": "my standing is known"})
    await change(workers, "hall", permissions={"join": 50})

    await workers.api.set_role("hall", BOB, "member")
    last = (await workers.chats[0].store.heads(("hall",)))["hall"].seq
    await say_in_hall(workers, ada)

    assert (await bob.expect("room.removed"))["payload"] == {"room": "hall", "reason": "forbidden"}
    await bob.settle()
    assert in_hall(bob)[-1] == last
    assert not ada.unread("room.removed")


async def test_a_need_is_met_by_the_role_that_somebody_has_just_got(workers: Workers) -> None:
    bob, ada = await hall(workers, BOB)
    await workers.api.add_member("hall", ADA, "moderator")
    await workers.api.add_member("hall", BOB, "moderator")
    await workers.api.set_role("hall", BOB, "member")

    last = await change(workers, "hall", permissions={"join": 50})
    await say_in_hall(workers, ada)

    await bob.settle()
    assert in_hall(bob)[-1] == last
    assert not ada.unread("room.removed") + ada.unread("reset")


async def test_who_may_stay_is_judged_by_what_the_room_is_now(workers: Workers) -> None:
    bob, ada = await hall(workers, BOB)

    await change(workers, "hall", permissions={"message": 50})
    await say_in_hall(workers, ada)

    assert (await bob.error("message", room="hall", payload={"text": "hi"}))["code"] == "forbidden"
    assert not bob.unread("room.removed")


async def test_whose_standing_has_just_changed_joins_again(workers: Workers) -> None:
    bob, ada = await hall(workers, BOB)
    bob.session.seats["hall"].fresh = False

    await change(workers, "hall", permissions={"join": 50})

    assert (await bob.expect("reset"))["payload"]["room"] == "hall"
    assert (await ada.expect("room.removed"))["payload"]["reason"] == "forbidden"


async def test_who_is_let_in_by_the_policy_joins_again(workers: Workers) -> None:
    bob, _ = await hall(workers, BOB)
    bob.session.policy = Generous()

    await change(workers, "hall", permissions={"join": 50})

    assert (await bob.expect("reset"))["payload"]["room"] == "hall"


async def test_whom_the_policy_keeps_out_by_what_the_room_is_now_is_out(workers: Workers) -> None:
    bob, ada = await hall(workers, BOB)
    bob.session.policy = Closing()

    await change(workers, "hall", attributes={"closed": True})
    await say_in_hall(workers, ada)

    assert (await bob.expect("room.removed"))["payload"]["reason"] == "forbidden"


async def test_a_narrower_token_takes_the_connection_out_of_what_it_may_no_longer_join(
    workers: Workers,
) -> None:
    bob, _ = await hall(workers, BOB)
    await bob.ack("join", room=ROOM)
    session = bob.session

    session.become(User(BOB.id, BOB.name, scopes=(f"room:{ROOM}:read",)))
    workers.chats[1].evictions.narrowed(session)

    assert (await bob.expect("room.removed"))["payload"] == {"room": "hall", "reason": "forbidden"}
    assert list(session.seats) == [ROOM]


class Generous(RoomPolicy):
    """Lets everybody do what their level does not."""

    def widen(self, user: User, action: str, room: Room, standing: Standing, refused: ChatError) -> bool:
        return True


class Closing(RoomPolicy):
    """Knows closed rooms."""

    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        if room is not None and room.attributes.get("closed"):
            raise Forbidden
