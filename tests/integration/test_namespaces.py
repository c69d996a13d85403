"""Apps that share a server and nothing else: the app's name is part of every key, table and channel there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, ConfigError
from sanic_chatrooms import connect as connect_alone
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.server import LiveServer, new_app

App = Sanic[Any, Any]


@pytest.fixture(params=["redis", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """The server that both apps share."""
    name = {"redis": "valkey_url", "postgres": "postgres_url"}[request.param]
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture
def apps(url: str) -> Iterator[Callable[..., App]]:
    """`app = apps("Shop")`: an app of its own, with the settings that are there by default."""
    made: list[App] = []

    def make(name: str, **config: Any) -> App:
        app = new_app(name)
        del app.config["CHATROOMS_NAMESPACE"]
        app.config.update(config)
        app.blueprint(ChatRooms(guests=True, store=url).bp)
        made.append(app)
        return app

    yield make
    for app in made:
        Sanic.unregister_app(app)


async def guest(connect: Connect, server: LiveServer) -> tuple[Client, str]:
    client = await connect(server=server)
    token: str = (await client.expect("welcome"))["payload"]["guestToken"]
    return client, token


async def test_two_apps_with_default_settings_share_nothing(
    apps: Callable[..., App], live: Live, connect: Connect
) -> None:
    shop, forum = await live(apps("Shop")), await live(apps("Forum"))
    ada, token = await guest(connect, shop)
    await ada.ack("join", room="general")
    await ada.ack("message", room="general", payload={"text": "for the shop"})

    eve, _ = await guest(connect, forum)
    joined = await eve.ack("join", room="general")
    await forum.app.ctx.chatrooms["default"].broadcast("notice", {"title": "forum", "content": ""})
    await eve.expect("notice")
    await ada.settle()

    assert (joined["seq"], joined["messages"], joined["online"]) == (0, [], 1)
    assert ada.unread("notice") == []
    refused = await connect.refused(server=forum, token=token)
    assert refused.status == 401


async def test_a_process_without_sockets_names_the_app_whose_chat_it_means(
    apps: Callable[..., App], live: Live, connect: Connect, url: str
) -> None:
    app = apps("Shop")
    ada, _ = await guest(connect, await live(app))
    await ada.ack("join", room="general")

    async with connect_alone(guests=True, store=url, namespace=app.name) as chat:
        await chat.publish("general", "ORDER_CREATED", {"orderId": 7})
    await ada.expect("ORDER_CREATED")
    async with connect_alone(guests=True, store=url, namespace="Forum") as other:
        assert await other.room("general") is None
    with pytest.raises(ConfigError, match=r'namespace="Shop"'):
        async with connect_alone(guests=True, store=url):
            pass


async def test_two_apps_of_one_namespace_are_one_chat(
    apps: Callable[..., App], live: Live, connect: Connect
) -> None:
    servers = [await live(apps(name, CHATROOMS_NAMESPACE="Both")) for name in ("Front", "Desk")]
    ada, bob = [(await guest(connect, server))[0] for server in servers]
    for client in (ada, bob):
        await client.ack("join", room="general")

    await ada.ack("message", room="general", payload={"text": "hi"})

    assert (await bob.expect("message"))["payload"] == {"text": "hi"}


async def test_what_was_kept_without_a_namespace_is_found_without_one(
    apps: Callable[..., App], live: Live, connect: Connect, url: str
) -> None:
    async with connect_alone(guests=True, store=url, namespace="") as chat:
        await chat.ensure_room("old")
        await chat.publish("old", "message", {"text": "of an earlier version"})

    ada, _ = await guest(connect, await live(apps("Shop", CHATROOMS_NAMESPACE="none")))

    joined = await ada.ack("join", room="old")
    assert joined["messages"][-1]["payload"] == {"text": "of an earlier version"}
