"""The running whole: it starts in order, does its rounds, stops, and can be stopped again."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import ConfigError, MemoryBroker, MemoryPresence, MemoryStore, Unavailable, User
from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.config.load import load
from sanic_chatrooms.declaration import Declaration, RouteDeclaration
from sanic_chatrooms.live.presence import ANYWHERE
from sanic_chatrooms.models import Room, Scope, Sender, direct_room, user_room
from sanic_chatrooms.presence.base import Entry
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.sessions.inbox import Close, Remove, reserved_room
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import Clock, FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.direct import open_direct
from sanic_chatrooms.verbs.rooms import forget_if_unused

ADA = User("u1", "Ada")
SECRET = "s" * 32


def new_chat(backends: Backends | None = None, **settings: object) -> Chat:
    loaded = load("test", {}, {}, {"guests": True, **settings}, debug=False, instances=("test",))
    return Chat(Declaration("test"), loaded, backends=backends)


async def forgotten(chat: Chat) -> None:
    """Until what was released has been looked at."""
    await chat.forgetting.settled()


# ---- start and stop ----


async def test_stopping_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    chat = new_chat()

    await chat.start()
    await chat.stop()
    await chat.stop()

    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("store", "redis://:hunter2@127.0.0.1:1"),
        ("store", "postgresql://u:hunter2@127.0.0.1:1/x"),
        ("broker", "redis://:hunter2@127.0.0.1:1"),
        ("broker", "nats://u:hunter2@127.0.0.1:1"),
        ("presence", "redis://:hunter2@127.0.0.1:1"),
    ],
)
async def test_if_a_server_is_away_at_the_start_the_last_word_says_which_and_where(
    setting: str, url: str
) -> None:
    given: dict[str, Any] = {setting: url}
    chat = new_chat(**given)

    with pytest.raises(Unavailable) as caught:
        await chat.start()
    await chat.stop()

    told = str(caught.value)
    shown = url.replace("u:hunter2", "***").replace(":hunter2", "***")
    start = f"CHATROOMS_TEST_{setting.upper()} = {shown!r} cannot be used: "
    # On a busy machine the answer may come too late.
    assert told.startswith((f"{start}connection refused; ", f"{start}it did not answer in time; "))
    assert "hunter2" not in told


async def test_a_broker_on_the_server_of_the_store_is_named_after_its_setting(tmp_path: Path) -> None:
    chat = new_chat(store=f"sqlite:///{tmp_path}")

    with pytest.raises(
        Unavailable, match=r"CHATROOMS_TEST_STORE = .*unable to open database file; name a file"
    ):
        await chat.start()
    await chat.stop()


async def test_stopping_without_a_start_does_nothing() -> None:
    await new_chat().stop()


async def test_a_start_that_fails_half_way_can_be_cleaned_up() -> None:
    before = asyncio.all_tasks()
    store = FaultyStore(MemoryStore())
    chat = new_chat(Backends(store, MemoryBroker(), MemoryPresence()))
    store.fail_next(verb="heads")

    with pytest.raises(Unavailable):
        await chat.start()
    await chat.stop()

    assert asyncio.all_tasks() == before


async def test_stopping_sends_everybody_away_to_come_back() -> None:
    chat = new_chat()
    await chat.start()
    ada = await chat_client(chat, ADA)

    await chat.stop()

    assert ada.connection.closed == (1012, "server restarts")
    closing = ada.frames[-1]
    assert closing["type"] == "closing"
    assert closing["payload"]["reason"] == "restart"
    assert 0 <= closing["payload"]["reconnectIn"] <= 2


async def test_a_backend_that_cannot_stop_does_not_keep_the_others_running(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stuck(MemoryBroker):
        async def stop(self) -> None:
            raise OSError("stuck")

    stopped = []

    class Store(MemoryStore):
        async def stop(self) -> None:
            stopped.append("store")

    chat = new_chat(Backends(Store(), Stuck(), MemoryPresence()))
    await chat.start()

    await chat.stop()

    assert stopped == ["store"]
    assert "did not stop" in caplog.text


async def test_nodes_of_one_process_have_names_of_their_own() -> None:
    assert new_chat().node != new_chat().node


# ---- routes ----


async def test_a_route_has_what_the_instance_has_unless_it_says_otherwise() -> None:
    async with running_core(guests=True, max_text=100) as chat:
        plain = chat.route(RouteDeclaration("/ws"))
        own = chat.route(
            RouteDeclaration(
                "/desk", auth=JWTAuth(SECRET), settings={"max_text": 10}, read_only=True, confined=True
            )
        )

        assert (plain.settings.max_text, plain.guests, plain.authenticator) == (100, chat.guests, None)
        assert (own.settings.max_text, own.guests) == (10, None)
        assert isinstance(own.authenticator, JWTAuth)
        assert (own.read_only, own.confined) == (True, True)


async def test_settings_that_do_not_go_together_on_a_route_are_refused() -> None:
    async with running_core(guests=True) as chat:
        with pytest.raises(ConfigError, match="max_rooms"):
            chat.route(RouteDeclaration("/desk", settings={"max_rooms": 1}))


async def test_without_guests_a_route_has_none() -> None:
    async with running_core(jwt_secret=SECRET) as chat:
        route = chat.route(RouteDeclaration("/ws"))

        assert route.guests is None
        assert isinstance(route.authenticator, JWTAuth)


@pytest.mark.parametrize(
    "auth",
    ["builtins:object", "sanic_chatrooms.no_such:Thing", "sanic_chatrooms.auth.jwt:Missing", "unheard"],
)
async def test_an_authenticator_that_is_none_is_refused_at_start(auth: str) -> None:
    chat = new_chat(auth=auth)

    with pytest.raises(ConfigError, match="CHATROOMS_AUTH"):
        await chat.start()
    await chat.stop()


async def test_an_authenticator_by_its_name() -> None:
    async with running_core(auth="tests.unit.test_chat:Named") as chat:
        assert type(chat.authenticator).__name__ == "Named"


class Named(JWTAuth):
    def __init__(self) -> None:
        super().__init__(SECRET)


# ---- rooms that nobody needs ----


async def left_room(chat: Chat) -> MemoryClient:
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="fleeting")
    return ada


async def test_a_room_made_by_its_first_join_is_forgotten_when_it_is_left() -> None:
    async with running_core(guests=True) as chat:
        ada = await left_room(chat)
        await ada.ack("exit", room="fleeting")

        await chat.occupancy.refresh()
        await chat.hub.release()
        await forgotten(chat)

        assert await chat.backends.store.room("fleeting") is None


async def test_a_room_whose_last_user_vanished_is_forgotten_after_the_grace() -> None:
    async with running_core(guests=True) as chat:
        clock = Clock()
        chat.occupancy._clock = clock
        (await left_room(chat)).disconnect()
        await chat.occupancy.refresh()
        await chat.hub.release()
        await forgotten(chat)
        assert await chat.backends.store.room("fleeting") is not None

        clock.advance(chat.settings.presence_grace)
        await chat.occupancy.refresh()
        await forgotten(chat)

        assert await chat.backends.store.room("fleeting") is None


async def test_a_room_that_somebody_is_entering_is_not_forgotten() -> None:
    async with running_core(guests=True) as chat:
        ada = await left_room(chat)
        bob = await chat_client(chat, User("u2", "Bob"))
        await ada.ack("exit", room="fleeting")
        await bob.ack("join", room="fleeting")

        await chat.occupancy.refresh()
        await chat.hub.release()
        await forget_if_unused(chat.core, "fleeting")

        assert await chat.backends.store.room("fleeting") is not None


async def test_a_room_in_which_something_was_said_is_kept() -> None:
    async with running_core(guests=True) as chat:
        ada = await left_room(chat)
        await ada.ack("message", room="fleeting", payload={"text": "x"})
        await ada.ack("exit", room="fleeting")

        await chat.occupancy.refresh()
        await chat.hub.release()
        await forgotten(chat)

        assert await chat.backends.store.room("fleeting") is not None


async def test_nothing_is_forgotten_while_nobody_knows_who_is_where() -> None:
    class Away(MemoryPresence):
        async def count(self, rooms: object) -> dict[str, int]:
            raise Unavailable

    async with running_core(guests=True, backends=Backends(MemoryStore(), MemoryBroker(), Away())) as chat:
        ada = await left_room(chat)
        await ada.ack("exit", room="fleeting")

        await chat.occupancy.refresh()
        await chat.hub.release()
        await forgotten(chat)

        assert await chat.backends.store.room("fleeting") is not None


async def test_a_store_that_cannot_forget_now_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    store = FaultyStore(MemoryStore())
    async with running_core(guests=True, backends=Backends(store, MemoryBroker(), MemoryPresence())) as chat:
        ada = await left_room(chat)
        await ada.ack("exit", room="fleeting")
        store.fail_next(verb="delete_room")

        await chat.occupancy.refresh()
        await chat.hub.release()
        await forgotten(chat)

        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_users_own_room_is_forgotten_when_the_user_has_gone_from_all_workers() -> None:
    """Another tab, on another worker, listens in it: it would be closed with 4010 were the room to go."""

    class SharedStore(MemoryStore):
        scope = Scope.MACHINE

    store, bus, board, room = SharedStore(), MemoryBus(), MemoryBoard(), user_room(ADA.id)
    one, other = (Backends(store, MemoryBroker(bus), MemoryPresence(board)) for _ in range(2))
    how: dict[str, Any] = {"guests": True, "presence_grace": 0}
    async with running_core(backends=one, **how) as here, running_core(backends=other, **how) as there:
        tabs = [await chat_client(here, ADA), await chat_client(there, ADA)]

        for chat, tab in zip((here, there), tabs, strict=True):
            assert await store.heads((room,))
            await chat.inbox.send(ADA.id, Remove("nowhere", "left"))
            tab.disconnect()
            await chat.occupancy.refresh()
            await chat.hub.release()
            await forgotten(chat)

        assert not await store.heads((room,))


async def test_the_room_of_a_user_whose_worker_died_is_forgotten_by_another() -> None:
    class SharedStore(MemoryStore):
        scope = Scope.MACHINE

    store, board, clock = SharedStore(), MemoryBoard(), Clock()
    dead = MemoryPresence(board, clock=clock)
    here = MemoryPresence(board, clock=clock)
    async with running_core(guests=True, backends=Backends(store, MemoryBroker(), here)) as chat:
        await dead.start("test", "dead", 60.0)
        await dead.touch([Entry(ANYWHERE, Sender("u9", "Eve"))])
        await store.create_room(reserved_room(user_room("u9")))
        await chat.inbox.send("u9", Remove("nowhere", "left"))
        chat.occupancy._clock = clock

        clock.advance(61.0)
        await chat.occupancy.refresh()
        await forgotten(chat)

        assert await store.room(user_room("u9")) is None


async def test_a_direct_room_in_which_nothing_was_said_is_forgotten_when_both_are_out_of_it() -> None:
    store = FaultyStore(MemoryStore())
    backends = Backends(store, MemoryBroker(), MemoryPresence())
    async with running_core(guests=True, presence_grace=0, backends=backends) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, User("u2", "Bob"))
        room = direct_room("u1", "u2")
        await open_direct(chat.core, ADA, "u2", made=False)
        await bob.expect("room.added")
        await ada.expect("room.added")

        for client in (ada, bob):
            assert await store.room(room) is not None
            client.disconnect()
            await chat.occupancy.settle()
            await chat.hub.release()
            await forgotten(chat)

        assert await store.room(room) is None
        assert (await store.rooms(fact=(members.MEMBER, "u1"))).rooms == []


async def test_a_direct_room_in_which_something_was_said_is_kept() -> None:
    async with running_core(guests=True, presence_grace=0) as chat:
        ada = await chat_client(chat, ADA)
        said = await ada.ack("direct", payload={"to": "u2", "body": {"text": "hi"}})

        ada.disconnect()
        await chat.occupancy.settle()
        await chat.hub.release()
        await forgotten(chat)

        assert await chat.backends.store.room(said["room"]) is not None


class ForgetfulStore(MemoryStore):
    """Another worker, whose last visitor left it in this moment, has just forgotten the room that is made."""

    forgets = True
    deleted: list[str]

    async def create_room(self, room: Room, **options: Any) -> tuple[Room, bool]:
        made = await super().create_room(room, **options)
        if self.forgets and room.id == "fleeting":
            await super().delete_room(room.id)
        return made

    async def delete_room(self, room: str, *, unused: bool = False) -> bool:
        self.deleted = [*getattr(self, "deleted", []), room]
        return await super().delete_room(room, unused=unused)


async def test_a_room_that_is_forgotten_while_it_is_made_is_a_matter_of_a_moment() -> None:
    store = ForgetfulStore()
    async with running_core(guests=True, backends=Backends(store, MemoryBroker(), MemoryPresence())) as chat:
        ada = await chat_client(chat, ADA)

        refused = await ada.error("join", room="fleeting")
        store.forgets = False

        assert (refused["code"], refused["temporary"]) == ("unavailable", True)
        assert (await ada.ack("join", room="fleeting"))["room"] == "fleeting"


async def test_a_room_that_was_not_there_is_not_forgotten_since_somebody_may_just_make_it() -> None:
    store = ForgetfulStore()
    backends = Backends(store, MemoryBroker(), MemoryPresence())
    async with running_core(guests=True, auto_create=False, backends=backends) as chat:
        ada = await chat_client(chat, ADA)
        assert (await ada.error("join", room="fleeting"))["code"] == "room_not_found"

        await chat.hub.release()
        await forgotten(chat)

        assert not hasattr(store, "deleted")


async def test_a_users_own_room_that_another_worker_forgot_is_made_again_and_nobody_is_sent_away() -> None:
    async with running_core(guests=True, broker=MemoryBroker(MemoryBus())) as chat:
        ada = await chat_client(chat, ADA)
        room = user_room(ADA.id)

        await chat.backends.store.delete_room(room)
        await chat.hub.check()
        await asyncio.gather(*chat.sessions._watching)
        await chat.inbox.send(ADA.id, Close(4503, "bye"))

        assert (await ada.closed())[0] == 4503
        assert await chat.backends.store.heads((room,))


async def test_an_order_that_was_missed_meanwhile_sends_the_user_away_to_come_back() -> None:
    store = MemoryStore()
    # None hears the other.
    one, other = (Backends(store, MemoryBroker(MemoryBus()), MemoryPresence()) for _ in range(2))
    how: dict[str, Any] = {"guests": True}
    async with running_core(backends=one, **how) as here, running_core(backends=other, **how) as there:
        ada = await chat_client(here, ADA)

        await store.delete_room(user_room(ADA.id))
        await chat_client(there, ADA)  # makes it again
        await there.inbox.send(ADA.id, Close(4503, "bye"))
        await here.hub.check()

        assert (await ada.closed())[0] == 4010


async def test_a_user_whose_room_is_forgotten_while_they_come_is_let_in() -> None:
    class Forgetting(ForgetfulStore):
        left = 1

        async def create_room(self, room: Room, **options: Any) -> tuple[Room, bool]:
            made = await super().create_room(room, **options)
            if room.id == user_room(ADA.id) and self.left:
                self.left -= 1
                await self.delete_room(room.id)
            return made

    backends = Backends(Forgetting(), MemoryBroker(), MemoryPresence())
    async with running_core(guests=True, backends=backends) as chat:
        ada = await chat_client(chat, ADA)

        assert (await ada.ack("join", room="general"))["room"] == "general"


# ---- whose chat it is ----


def test_only_what_several_apps_may_share_carries_the_name_of_the_app(tmp_path: Path) -> None:
    def spaces(**settings: Any) -> dict[str, str]:
        loaded = load(
            "support", {}, {}, {"namespace": "Shop", **settings}, debug=False, instances=("support",)
        )
        return Backends.of(loaded).spaces(loaded)

    alone, shared = "support", "Shop~support"
    assert spaces() == {"store": alone, "broker": alone, "presence": alone}
    assert spaces(store=f"sqlite:///{tmp_path}/chat.db", broker="nats://localhost", presence="memory:") == {
        "store": alone,
        "broker": shared,
        "presence": alone,
    }
    assert set(spaces(store="redis://localhost").values()) == {shared}
    assert set(spaces(store="postgresql://localhost/shop").values()) == {shared}
    assert set(spaces(store="embedded:", embedded_dir=str(tmp_path)).values()) == {alone}
    assert set(spaces(store="redis://localhost", namespace="none").values()) == {alone}
