"""Tests for `sanic_chatrooms.sessions.registry`: who is connected here, and what happens to all connections of one user."""

from __future__ import annotations

import asyncio

import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config import backends as backends_of_settings
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.declaration import RouteDeclaration
from sanic_chatrooms.errors import Forbidden, RateLimited, RoomNotFound, Unavailable
from sanic_chatrooms.hub.room import LocalRoom, Receiver
from sanic_chatrooms.models import DIRECT, EVERYONE, Envelope, Room, Sender, direct_room, user_room
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.sessions import registry as sessions
from sanic_chatrooms.sessions.inbox import Close, Remove, StandingChanged
from sanic_chatrooms.sessions.registry import TooManyConnections
from sanic_chatrooms.testing import ConnectionClosed, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.testing.faults import FaultyStore
from sanic_chatrooms.verbs.drafts import draft
from sanic_chatrooms.wire.codes import CloseCode
from sanic_chatrooms.wire.encode import live
from tests.support.brokers import holds
from tests.support.wire import SECRET, token

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
NOTICE = live("notice", {"title": "Hi", "content": ""})


@pytest.fixture(params=["alone", "with others"], autouse=True)
def others(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether there may be other workers: then users have inboxes."""
    there: bool = request.param == "with others"
    if there:
        monkeypatch.setattr(backends_of_settings, "MemoryBroker", lambda: MemoryBroker(MemoryBus()))
    return there


def backends(store: MemoryStore | FaultyStore) -> Backends:
    return Backends(store, MemoryBroker(MemoryBus()), MemoryPresence(MemoryBoard()))


async def say_to_all(chat: Chat) -> None:
    chat.hub.deliver(chat.inbox.broadcast(NOTICE))


async def lose(chat: Chat, store: MemoryStore, room: str) -> None:
    """The store forgets the room, as one does that started again with empty hands; and the chat looks."""
    await store.delete_room(room)
    await chat.hub.check()


async def held(chat: Chat, room: str) -> None:
    await holds(lambda: (found := chat.hub.room(room)) is not None and found.up)


async def test_connections_are_found_by_their_user() -> None:
    async with running_core(guests=True) as chat:
        ada, phone, bob = [await chat_client(chat, user) for user in (ADA, ADA, BOB)]

        assert chat.sessions.of("u1") == [ada.session, phone.session]
        assert list(chat.sessions) == [ada.session, phone.session, bob.session]
        phone.disconnect()
        assert chat.sessions.of("u1") == [ada.session]
        assert len(chat.sessions) == 2
        assert chat.sessions.of("nobody") == []


async def test_of_those_who_do_not_say_who_they_are_who_waits_longest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "MAX_UNKNOWN", 2)
    async with running_core(jwt_secret=SECRET) as chat:
        clients = [await chat_client(chat) for _ in range(5)]
        first, second, third, fourth, fifth = clients
        for client in (first, second):
            chat.sessions.unknown(client.session)
        await first.ack("auth", payload={"token": token("ada")})
        for client in (third, fourth):
            chat.sessions.unknown(client.session)
        third.disconnect()
        chat.sessions.unknown(fifth.session)

        closed = [client.connection.closed for client in (first, second, fourth, fifth)]
        assert [how and how[0] for how in closed] == [None, CloseCode.OVERLOADED, None, None]
        assert set(chat.sessions._unknown) == {fourth.session.id, fifth.session.id}


async def test_one_connection_more_than_a_user_may_have_is_refused() -> None:
    async with running_core(guests=True, max_connections_per_user=2) as chat:
        first, _ = await chat_client(chat, ADA), await chat_client(chat, ADA)

        with pytest.raises(TooManyConnections):
            await chat_client(chat, ADA)
        await chat_client(chat, BOB)
        first.disconnect()
        await chat_client(chat, ADA)

        assert len(chat.sessions.of("u1")) == 2


async def test_a_worker_holds_a_users_room_as_long_as_the_user_is_here(others: bool) -> None:
    async with running_core(guests=True) as chat:
        ada, phone = await chat_client(chat, ADA), await chat_client(chat, ADA)
        room = chat.hub.room(user_room("u1"))
        if not others:
            assert (room, await chat.store.room(user_room("u1"))) == (None, None)
            return
        assert room is not None

        ada.disconnect()
        assert not room.unused
        phone.disconnect()
        assert room.unused


async def test_orders_are_for_the_users_own_connections() -> None:
    async with running_core(guests=True) as chat:
        ada, phone, bob = [await chat_client(chat, user) for user in (ADA, ADA, BOB)]
        for client in (ada, phone, bob):
            await client.ack("join", room="general")

        await chat.inbox.send("u1", Remove("general", "kicked", phone.session.id))
        assert (await ada.expect("room.removed"))["payload"] == {"room": "general", "reason": "kicked"}
        await chat.inbox.send("u1", Close(4503, "enough"))

        for client in (ada, phone):
            assert await client.closed() == (4503, "enough")
        await bob.settle()
        assert not bob.unread("room.removed")


async def test_everybody_hears_what_is_said_to_all() -> None:
    async with running_core(guests=True) as chat:
        clients = [await chat_client(chat, ADA), await chat_client(chat, BOB)]

        await say_to_all(chat)

        for client in clients:
            await client.expect("notice")


async def test_lost_orders_close_the_connections_of_that_user_alone() -> None:
    store = MemoryStore()
    async with running_core(guests=True, backends=backends(store)) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
        await chat.inbox.send("u1", Remove("nowhere", "left"))

        await lose(chat, store, user_room("u1"))

        assert (await ada.closed())[0] == CloseCode.POSITION_LOST
        await bob.settle()


async def test_a_users_room_without_orders_is_made_again_unnoticed() -> None:
    store = MemoryStore()
    async with running_core(guests=True, backends=backends(store)) as chat:
        ada = await chat_client(chat, ADA)

        await lose(chat, store, user_room("u1"))
        await held(chat, user_room("u1"))
        await ada.settle()
        await chat.inbox.send("u1", Close(4503, "enough"))

        assert await ada.closed() == (4503, "enough")


async def test_what_is_said_to_all_is_heard_also_after_the_store_forgot_everything() -> None:
    store = MemoryStore()
    async with running_core(guests=True, backends=backends(store)) as chat:
        ada = await chat_client(chat, ADA)

        await lose(chat, store, EVERYONE)
        await held(chat, EVERYONE)
        await say_to_all(chat)

        await ada.expect("notice")


async def test_a_store_that_is_away_is_asked_for_the_room_of_all_until_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "AGAIN", 0.001)
    inner = MemoryStore()
    store = FaultyStore(inner)
    async with running_core(guests=True, backends=backends(store)) as chat:
        ada = await chat_client(chat, ADA)

        store.fail_next(20, verb="create_room")
        await lose(chat, inner, EVERYONE)
        await held(chat, EVERYONE)
        await say_to_all(chat)

        await ada.expect("notice")


async def test_a_chat_stops_while_the_room_of_all_cannot_be_had() -> None:
    inner = MemoryStore()
    store = FaultyStore(inner)
    async with running_core(guests=True, backends=backends(store)) as chat:
        ada = await chat_client(chat, ADA)
        store.fail_next(10_000, verb="create_room")
        await lose(chat, inner, EVERYONE)
        await ada.settle()

    with pytest.raises(ConnectionClosed):
        await ada.expect("notice")


async def test_a_user_who_is_back_at_once_finds_the_room_as_it_is_or_a_new_one() -> None:
    async with running_core(guests=True, presence_grace=0) as chat:
        for _ in range(5):
            ada = await chat_client(chat, ADA)
            await chat.inbox.send("u1", Remove("nowhere", "left"))
            ada.disconnect()
            await chat.occupancy.settle()
            await asyncio.sleep(0)

        assert await chat.hub.release_room(user_room("u1"))


# ---- what others do to a connection ----

RAISED = [
    Forbidden(),
    RoomNotFound(),
    Unavailable(),
    RateLimited(retry_after=5.0),
    KeyError("a defect"),
    asyncio.CancelledError(),
]


class ClosedTo(RoomPolicy):
    """Lets one user join no direct room, by raising this."""

    def __init__(self, user: str, problem: BaseException) -> None:
        self.user, self.problem = user, problem

    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        if user.id == self.user and action == "join" and room is not None and room.visibility == DIRECT:
            raise self.problem
        super().require(user, action, room, standing)


@pytest.mark.parametrize("problem", RAISED, ids=repr)
async def test_whoever_may_not_be_in_the_room_of_an_order_is_not_in_it_and_stays(
    problem: BaseException,
) -> None:
    async with running_core(guests=True) as chat:
        ada = await chat_client(chat, ADA)
        bob = await chat_client(chat, BOB, route=RouteDeclaration("/ws", policy=ClosedTo("u2", problem)))

        said = await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})
        await bob.settle()

        assert await ada.expect("message", room=said["room"])
        assert bob.connection.closed is None
        assert [frame for frame in bob.frames if frame.get("room") == said["room"]] == []
        assert said["room"] not in bob.session.seats
        await bob.ack("join", room="general")


async def test_an_order_that_cannot_be_carried_out_for_one_is_logged_and_closes_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_core(guests=True) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)

        async def enter(receiver: Receiver, id: str) -> LocalRoom:
            raise ValueError("a driver's defect")

        monkeypatch.setattr(chat.hub, "enter", enter)
        await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})
        await bob.settle()

        assert (ada.connection.closed, bob.connection.closed) == (None, None)
        assert "a driver's defect" in caplog.text
        assert bob.session.seats == {}


async def test_a_room_that_changes_while_a_connection_is_put_into_it_is_entered_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody else may end it and make it anew in that moment."""
    async with running_core(guests=True) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
        enter, once = chat.hub.enter, iter([True])

        async def disturbed(receiver: Receiver, id: str) -> LocalRoom:
            if receiver is bob.session and next(once, False):
                raise Unavailable
            return await enter(receiver, id)

        monkeypatch.setattr(chat.hub, "enter", disturbed)
        said = await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})

        await bob.expect("message", room=said["room"])


async def test_somebody_who_does_not_read_is_put_into_a_room_once_however_often_others_write() -> None:
    async with running_core(guests=True) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
        bob.connection.congest()

        for n in range(20):
            await ada.ack("direct", payload={"to": "u2", "body": {"text": str(n)}})
        waiting = len(bob.session.queue._waiting)
        bob.connection.decongest()

        assert waiting == 1
        assert [(await bob.expect("message"))["seq"] for _ in range(20)] == list(range(1, 21))
        assert chat.sessions._entering == {}


async def test_somebody_who_goes_while_they_are_to_be_put_into_a_room_leaves_nothing() -> None:
    async with running_core(guests=True) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
        bob.connection.congest()
        await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})

        bob.disconnect()

        assert chat.sessions._entering == {}


# ---- a connection that is for one room, or for reading ----

CONFINED = [
    RouteDeclaration("/screen/<room>", confined=True),
    RouteDeclaration("/screen/<room>", confined=True, read_only=True),
]


@pytest.mark.parametrize("route", [*CONFINED, RouteDeclaration("/watch", read_only=True)], ids=repr)
async def test_nobody_puts_a_confined_or_read_only_connection_into_another_room(
    route: RouteDeclaration,
) -> None:
    async with running_core(guests=True) as chat:
        screen = await chat_client(chat, BOB, route=route, room="lobby" if route.confined else None)
        bob, ada = await chat_client(chat, BOB), await chat_client(chat, ADA)

        said = await ada.ack("direct", payload={"to": "u2", "body": {"text": "for you alone"}})
        await bob.expect("message", room=said["room"])
        await bob.ack("direct", payload={"to": "u1", "body": {"text": "and for you"}})
        await screen.settle()

        assert [frame for frame in screen.frames if frame.get("room") == said["room"]] == []
        assert said["room"] not in screen.session.seats


async def test_a_connection_that_is_for_a_direct_room_is_put_into_that() -> None:
    async with running_core(guests=True) as chat:
        room = direct_room("u1", "u2")
        ada = await chat_client(chat, ADA)
        desk = await chat_client(chat, BOB, route=CONFINED[0], room=room)
        assert (await desk.expect("error", replyTo="join"))["payload"]["code"] == "room_not_found"

        await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})

        await desk.expect("message", room=room)


@pytest.mark.parametrize("route", CONFINED, ids=repr)
async def test_a_confined_connection_hears_what_is_for_all_or_for_itself_and_not_what_is_for_its_user(
    route: RouteDeclaration,
) -> None:
    async with running_core(guests=True) as chat:
        screen = await chat_client(chat, BOB, route=route, room="lobby")
        bob = await chat_client(chat, BOB)

        chat.hub.deliver(chat.inbox.notify("u2", NOTICE, None))
        await bob.expect("notice")
        await screen.settle()
        assert screen.unread("notice") == []

        chat.hub.deliver(chat.inbox.notify("u2", NOTICE, screen.session.id))
        await screen.expect("notice")
        await say_to_all(chat)
        await screen.expect("notice")


async def test_a_confined_connection_is_taken_out_of_its_room_and_closed_like_any_other() -> None:
    async with running_core(guests=True) as chat:
        screen = await chat_client(chat, BOB, route=CONFINED[0], room="lobby")
        await screen.expect("ack", replyTo="join")

        await chat.inbox.send("u2", Remove("lobby", "kicked"))
        await screen.expect("room.removed")
        await chat.inbox.send("u2", Close(4503, "enough"))

        assert await screen.closed() == (4503, "enough")


# ---- standings that change ----


def fresh(client: MemoryClient) -> list[str]:
    """The rooms in which nothing has changed by which the client is judged."""
    return [room for room, seat in client.session.seats.items() if seat.fresh]


@pytest.mark.parametrize("type", ["member.joined", "member.kicked", "member.muted"])
async def test_an_event_about_a_member_changes_the_members_seats_in_that_room(type: str) -> None:
    async with running_core(guests=True) as chat:
        ada, phone, bob = [await chat_client(chat, User(id, id)) for id in ("u1", "u1", "u2")]
        for client in (ada, phone, bob):
            for room in ("general", "other"):
                await client.ack("join", room=room)

        payload = b'{"user":{"id":"u1","name":"Ada"}}'
        await chat.journal.append(draft("general", type, payload, Sender("u2", "Bob")))

        assert [fresh(client) for client in (ada, phone, bob)] == [
            ["other"],
            ["other"],
            ["general", "other"],
        ]


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"payload":{}}', b'{"payload":{"user":"u1"}}', b'{"payload":7}']
)
async def test_an_event_that_names_no_user_changes_nothing(data: bytes) -> None:
    async with running_core(guests=True) as chat:
        ada = await chat_client(chat, User("u1", "Ada"))
        await ada.ack("join", room="general")

        chat.evictions.before(Envelope("general", "e", 1, "member.joined", data))

        assert fresh(ada) == ["general"]


async def test_the_inbox_tells_of_a_change_without_an_event() -> None:
    async with running_core(guests=True) as chat:
        ada = await chat_client(chat, User("u1", "Ada"))
        for room in ("general", "other"):
            await ada.ack("join", room=room)

        await chat.inbox.send("u1", StandingChanged("general"))

        assert fresh(ada) == ["other"]
