"""The examples run in a real Sanic and do what their pages claim."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from playwright.async_api import Browser, Page, async_playwright
from sanic import Sanic

import sanic_chatrooms
from sanic_chatrooms import ChatRooms, MemoryStore, User
from sanic_chatrooms.testing import running_chat
from tests.browser.conftest import launch
from tests.docs.conftest import Load, Run
from tests.docs.test_snippets import blocks_of
from tests.support.client import Client
from tests.support.embedded import embedded_directory
from tests.support.fixtures import Connect, Live
from tests.support.nats import running as running_nats
from tests.support.process import free_port, start_command
from tests.support.provider import IdentityProvider
from tests.support.server import LiveServer, Response, new_app, serve
from tests.support.valkey import running
from tests.support.wire import SECRET, mount, token

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


async def welcomed(connect: Connect, path: str = "/chat/ws", *rooms: str, **options: Any) -> Client:
    client = await connect(path, **options)
    client.user = (await client.expect("welcome"))["payload"]["user"]  # type: ignore[attr-defined]
    for room in rooms:
        await client.ack("join", room=room)
    return client


def user_of(client: Client) -> dict[str, Any]:
    user: dict[str, Any] = client.frames[0]["payload"]["user"]
    return user


async def post(server: LiveServer, path: str, **body: Any) -> Response:
    return await server.request("POST", path, {"Content-Type": "application/json"}, json.dumps(body).encode())


# ---- README and tutorial ----


async def test_five_lines(run: Run, connect: Connect) -> None:
    _, server = await run("five_lines")
    ada, bob = await welcomed(connect, "/chat/ws", "general"), await welcomed(connect, "/chat/ws", "general")

    await ada.ack("message", room="general", payload={"text": "hi"})

    assert (await bob.expect("message"))["payload"] == {"text": "hi"}
    assert (await server.get("/chat/")).status == 200
    assert (await server.get("/chat/client.js")).status == 200


async def test_an_app_factory_that_is_called_twice_hooks_each_app_once(
    load: Load, live: Live, connect: Connect
) -> None:
    factory = load("app_factory")
    apps = [factory.create_app(name) for name in ("Shop_1", "Shop_2")]
    for app in apps:
        app.config.update(MOTD=False, AUTO_EXTEND=False, TOUCHUP=False, GRACEFUL_SHUTDOWN_TIMEOUT=1.0)
    try:
        server = await live(apps[1])
        ada = await welcomed(connect, "/chat/ws", "general", server=server)
        await ada.ack("message", room="general", payload={"text": "hi"})
        await ada.settle()

        assert apps[1].ctx.last_room == "general"
        assert not hasattr(apps[0].ctx, "last_room")
    finally:
        for app in apps:
            Sanic.unregister_app(app)


def test_five_lines_start_by_sanics_command() -> None:
    port = free_port()
    command = [sys.executable, "-m", "sanic", "five_lines:app", "--port", str(port), "--no-motd"]
    server = start_command(command, port, path="/chat/", env={"PYTHONPATH": str(EXAMPLES)})
    try:
        assert "Traceback" not in server.output
    finally:
        server.stop()


async def test_on_redis(run: Run, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as valkey:
        monkeypatch.setenv("REDIS_URL", valkey.url)
        _, server = await run("on_redis")
        ada, bob = [await welcomed(connect, "/chat/ws", "general", server=server) for _ in range(2)]

        await ada.ack("message", room="general", payload={"text": "hi"})

        assert (await bob.expect("message"))["payload"] == {"text": "hi"}
        assert valkey.ask("HLEN", "chatrooms:Shop~default:{general}:m") == "1"
        await server.stop()


async def test_four_workers(run: Run, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as valkey:
        monkeypatch.setenv("REDIS_URL", valkey.url)
        _, server = await run("four_workers")
        ada, bob = [await welcomed(connect, "/chat/ws", "general", server=server) for _ in range(2)]

        await ada.ack("message", room="general", payload={"text": "hi"})

        assert (await bob.expect("message"))["payload"] == {"text": "hi"}
        assert json.loads((await server.get("/worker")).body) == {"process": os.getpid(), "connections": 2}
        await server.stop()


async def test_many_machines(run: Run, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("GUESTS", "METRICS"):
        monkeypatch.setenv(f"SANIC_CHATROOMS_{key}", "true")
    _, server = await run("many_machines")
    await welcomed(connect)

    metrics = await server.get("/chat/metrics")

    assert "\nchatrooms_connections 1.0\n" in metrics.text
    assert (await server.get("/chat/ready")).status == 200


async def test_private_room(
    run: Run, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SANIC_CHATROOMS_JWT_SECRET", SECRET)
    monkeypatch.setenv("SANIC_CHATROOMS_METRICS_TOKEN", "m" * 32)
    _, server = await run("private_room")
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    async def sign_in(body: bytes) -> Response:
        return await server.request("POST", "/login", form, body)

    ada, eve = [
        await welcomed(
            connect, headers={"Cookie": (await sign_in(body)).headers["set-cookie"].partition(";")[0]}
        )
        for body in (b"name=ada&password=one", b"name=eve&password=three")
    ]

    assert (await ada.ack("join", room="staff"))["role"] == "moderator"
    assert (await eve.error("join", room="staff"))["code"] == "room_not_found"
    assert [
        (await sign_in(body)).status
        for body in (b"", b"name=ada", b"name=ada&password=two", b"name=nobody&password=None")
    ] == [401] * 4
    assert (await server.get("/chat/metrics")).status == 401
    await server.stop()


async def test_operated(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    module, server = await run("operated")
    desk = {"Authorization": f"Bearer {module.operator_token('u1', 'Ada', may_act=True)}"}

    page = await server.request("GET", "/chat/admin/", desk)
    done = await server.request("POST", "/chat/admin/api/ban-user", desk, b'{"user": "eve"}')

    assert page.status == 200
    assert json.loads(done.body) == {"changed": True}


async def test_redis_beside_sql(
    run: Run, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running() as valkey:
        monkeypatch.setenv("REDIS_URL", valkey.url)
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/chat.db")
        _, server = await run("redis_beside_sql")
        ada = await welcomed(connect, "/support/ws", "general", server=server)

        await ada.ack("message", room="general", payload={"text": "hi"})

        assert valkey.ask("EXISTS", "shop:Shop~support:{general}:m") == "0"
        assert valkey.ask("EXISTS", "shop:Shop~support:here:{general}:n") == "1"
        await server.stop()


async def test_kept_in_sqlite(
    run: Run, load: Load, live: Live, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await run("kept_in_sqlite")
    ada = await welcomed(connect, "/chat/ws", "general")
    said = await ada.ack("message", room="general", payload={"text": "hi"})
    await live.stop()
    monkeypatch.setattr(sanic_chatrooms, "bp", (again := ChatRooms()).bp)
    monkeypatch.setattr(sanic_chatrooms, "default", again)
    Sanic.unregister_app(Sanic.get_app("Shop"))

    server = await live(load("kept_in_sqlite").app)
    bob = await connect(server=server)
    joined = await bob.ack("join", room="general")

    assert [message["msgId"] for message in joined["messages"]] == [said["msgId"]]
    assert (tmp_path / "chat.db").exists()


async def test_kept_in_postgres(
    run: Run, connect: Connect, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", postgres_url)
    await run("kept_in_postgres")
    ada = await welcomed(connect, "/chat/ws", "general")

    said = await ada.ack("message", room="general", payload={"text": "hi"})

    bob = await connect()
    joined = await bob.ack("join", room="general")
    assert [message["msgId"] for message in joined["messages"]] == [said["msgId"]]


async def test_on_nats(
    run: Run, connect: Connect, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    with running_nats() as nats:
        monkeypatch.setenv("SHOP_DATABASE", postgres_url)
        monkeypatch.setenv("NATS_URL", nats.url)
        module, server = await run("on_nats")
        ada, bob = [await welcomed(connect, "/chat/ws", "general", server=server) for _ in range(2)]

        await ada.ack("message", room="general", payload={"text": "hi"})

        assert (await bob.expect("message"))["payload"] == {"text": "hi"}
        backends = module.chatrooms.default.running().backends
        assert [type(one).__name__ for one in (backends.broker, backends.presence)] == [
            "NATSBroker",
            "SQLPresence",
        ]
        await server.stop()


async def test_own_rooms(run: Run, connect: Connect) -> None:
    await run("own_rooms")
    ada = await welcomed(connect)

    rooms = (await ada.ack("rooms"))["rooms"]

    assert [(room["room"], room["title"]) for room in rooms] == [
        ("general", "General"),
        ("support", "Questions and answers"),
    ]
    assert (await ada.error("join", room="elsewhere"))["code"] == "room_not_found"


async def test_a_hook(run: Run, connect: Connect) -> None:
    await run("a_hook")

    ada = await welcomed(connect, "/chat/ws", "general")

    assert user_of(ada)["name"] in (await ada.expect("notice"))["payload"]["content"]


async def test_jwt_user(run: Run, connect: Connect) -> None:
    _, server = await run("jwt_user")
    token = json.loads((await post(server, "/login", name="Ada")).body)["token"]

    ada = await welcomed(connect, token=token)

    assert user_of(ada) == {"id": "user-ada", "name": "Ada", "scopes": []}
    assert "expiresAt" in ada.frames[0]["payload"]
    assert (await connect.refused(token=token + "x")).status == 401
    nobody = await connect()
    assert (await nobody.error("join", room="general"))["code"] == "unauthenticated"
    assert (await nobody.ack("auth", payload={"token": token}))["user"]["id"] == "user-ada"
    assert (await server.get("/chat/")).status == 404


# ---- how-to ----


async def test_jwt_cookie(run: Run, connect: Connect) -> None:
    module, server = await run("jwt_cookie")
    cookie = (await post(server, "/login", name="Ada")).headers["set-cookie"]

    ada = await welcomed(connect, headers={"Cookie": cookie.partition(";")[0]})

    assert user_of(ada) == {"id": "user-ada", "name": "Ada", "scopes": ["editor"]}
    assert "HttpOnly" in cookie
    elsewhere = jwt.encode({"sub": "u1", "aud": "other", "exp": int(time.time()) + 9}, module.SECRET, "HS256")
    assert (await connect.refused(token=elsewhere)).status == 401


async def test_own_accounts(run: Run, connect: Connect) -> None:
    module, server = await run("own_accounts")
    wrong, unknown = [
        await post(server, "/session/begin", name=name, password="guess") for name in ("Ada", "Bob")
    ]
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body) == (401, wrong.body)
    begun = await post(server, "/session/begin", name="Ada", password="correct horse battery")
    ada = await welcomed(connect, token=json.loads(begun.body)["token"])
    assert user_of(ada)["id"] == "user-1"

    def cookie(answer: Response) -> dict[str, str]:
        return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}

    first = await server.request("POST", "/session/refresh", cookie(begun))
    await ada.ack("auth", payload={"token": json.loads(first.body)["token"]})
    other = await post(server, "/session/begin", name="Ada", password="correct horse battery")
    elsewhere = await welcomed(connect, token=json.loads(other.body)["token"])

    assert (await server.request("POST", "/session/refresh", cookie(begun))).status == 401  # a copy
    assert (await ada.closed())[0] == 4500
    assert (await server.request("POST", "/session/refresh", cookie(first))).status == 401
    assert elsewhere.is_open
    assert (await post(server, "/session/begin", name="Ada")).status == 400
    assert (await server.request("POST", "/session/end", cookie(other))).status == 204
    assert (await elsewhere.closed())[0] == 4500
    assert module.logins == {}


async def test_identity_provider(run: Run, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    login = new_app("provider")
    provider = IdentityProvider(login)
    async with serve(login) as provider.at:
        monkeypatch.setenv("OIDC_ISSUER", "https://login.example")
        monkeypatch.setenv("OIDC_KEYS", provider.url)
        _, server = await run("identity_provider")
        shown = provider.token("u1", aud=["chat", "account"], preferred_username="ada", sid="s1")

        ada = await welcomed(connect, token=shown)
        provider.kids = ["k2"]
        bob = await welcomed(connect, token=provider.token("u2", aud="chat"))
        logout = f"logout_token={provider.logout('u1', aud='chat', sid='s1')}".encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await server.request("POST", "/chat/oidc/logout", form, logout)

        assert user_of(ada)["name"] == "ada"
        assert answer.status == 200
        assert (await ada.closed())[0] == 4500
        assert (await connect.refused(token=shown)).status == 401
        assert bob.is_open
    Sanic.unregister_app(login)


async def test_host_session(run: Run, connect: Connect) -> None:
    await run("host_session")

    ada = await welcomed(connect, headers={"Cookie": "session=3f1c9a"})

    assert user_of(ada)["id"] == "u1"
    assert (await connect.refused()).status == 401


async def test_tickets(run: Run, connect: Connect) -> None:
    module, server = await run("tickets")
    right, wrong = ({"Authorization": f"Bearer {one}"} for one in (module.KIOSKS["lobby"], "guess"))
    ticket = json.loads((await server.request("POST", "/kiosk/lobby", right)).body)["ticket"]

    lobby = await welcomed(connect, f"/chat/ws?ticket={ticket}")

    assert user_of(lobby)["id"] == "kiosk-lobby"
    assert (await connect.refused(f"/chat/ws?ticket={ticket}")).status == 401
    assert (await server.request("POST", "/kiosk/lobby", wrong)).status == 401


async def test_own_authenticator(run: Run, connect: Connect) -> None:
    await run("own_authenticator")

    ada = await welcomed(connect, headers={"Cookie": "session=3f1c9a"})

    assert user_of(ada) == {"id": "u1", "name": "Ada", "scopes": ["staff"]}
    assert (await connect.refused(headers={"Cookie": "session=guess"})).status == 401


async def test_own_policy(run: Run, connect: Connect) -> None:
    module, _ = await run("own_policy")
    ada = await welcomed(connect, "/chat/ws", "news", "general")

    refused = await ada.error("message", room="news", payload={"text": "x"})

    assert (refused["code"], refused["message"]) == ("forbidden", "only editors write news")
    assert (await ada.ack("message", room="general", payload={"text": "x"}))["seq"] == 1
    assert (await ada.error("room.create", room="mine"))["code"] == "forbidden"
    await module.chat.create_room("secret", visibility="private")
    assert (await ada.error("join", room="secret"))["code"] == "room_not_found"


async def test_roles(run: Run, connect: Connect) -> None:
    module, server = await run("roles")
    for user, role in (("u1", "editor"), ("u2", "trainee"), ("u3", "member"), ("screen", "reader")):
        body = json.dumps({"name": user, "role": role}).encode()
        assert (await server.request("PUT", f"/handbook/{user}", body=body)).status == 204

    async def come(user: str) -> Client:
        return await welcomed(connect, "/chat/ws", "handbook", token=token(user, secret=module.SECRET))

    editor, trainee, member = [await come(user) for user in ("u1", "u2", "u3")]
    screen = await welcomed(connect, "/chat/ws", "handbook", token=module.screen_token())
    said = await editor.ack("message", room="handbook", payload={"text": "be kind"})
    await editor.ack("message.pin", room="handbook", payload={"msgId": said["msgId"]})

    assert (await screen.expect("message"))["payload"] == {"text": "be kind"}
    refused = await trainee.error("message", room="handbook", payload={"text": "x"})
    assert refused["needs"] == 30
    assert (await member.error("message", room="handbook", payload={"text": "x"}))["needs"] == 30
    refused = await member.error("message.pin", room="handbook", payload={"msgId": said["msgId"]})
    assert refused["needs"] == {"level": 50, "roles": ["editor"]}
    staff = await welcomed(connect, token=token("u9", secret=module.SECRET, scope="staff"))
    await staff.ack("room.create", payload={"title": "Kitchen"})
    assert (await editor.error("room.create"))["message"] == "only staff opens rooms"
    await module.chat.add_member("handbook", User("u9", "Zoe"))
    await staff.ack("message.delete", room="handbook", payload={"msgId": said["msgId"]})
    assert (await screen.error("message", room="handbook", payload={"text": "x"}))["needs"] == "chat:write"
    assert (await screen.error("room.create"))["code"] == "forbidden"
    assert (await server.request("DELETE", "/handbook/u1")).status == 204
    assert (await editor.expect("room.removed"))["room"] == "handbook"
    assert (await editor.error("join", room="handbook"))["code"] == "room_not_found"


async def test_why_refused(run: Run, connect: Connect) -> None:
    _, server = await run("why_refused")

    async def why(user: str, action: str) -> Any:
        return json.loads((await server.get(f"/support/why?room=team&user={user}&action={action}")).body)

    assert (await why("u1", "message"))["allowed"] is True
    assert await why("u1", "message.pin") == {
        "allowed": False,
        "rule": "need",
        "because": "message.pin needs level 50 here, and you are editor (30)",
    }
    assert (await why("u2", "message"))["rule"] == "unknown"
    assert (await server.get("/support/why?room=none&user=u1&action=join")).status == 404
    assert (await server.get("/support/why?room=team&user=u1&action=dance")).status == 400


async def test_attachments(run: Run, connect: Connect, tmp_path: Path) -> None:
    module, server = await run("attachments")
    module.app.config.FILES = str(tmp_path / "files")
    kept = json.loads((await server.request("PUT", "/files", body=b"<script>")).body)
    given = await server.request("GET", kept["url"])
    assert (given.body, given.headers["content-disposition"]) == (b"<script>", "attachment")
    ada = await welcomed(connect, "/chat/ws", "general")
    attachment = {**kept, "name": "a.html", "type": "text/html"}
    said = {"text": "look", "attachments": [attachment]}
    sent = await ada.ack("message", room="general", payload=said)
    assert (await ada.expect("message"))["payload"] == said
    wrong = {"text": "x", "attachments": [{**attachment, "url": "http://files.example/a"}]}
    refused = await ada.error("message", room="general", payload=wrong)
    assert (refused["code"], refused["field"]) == ("invalid_field", "attachments[0].url")

    await ada.ack("message.delete", room="general", payload={"msgId": sent["msgId"]})

    async with asyncio.timeout(30):
        while (await server.request("GET", kept["url"])).status != 404:
            pass  # the request waits


async def test_moderation(run: Run, connect: Connect) -> None:
    _, server = await run("moderation")
    ada, eve = [await welcomed(connect, "/chat/ws", "general") for _ in range(2)]
    ids = {name: user_of(client)["id"] for name, client in (("ada", ada), ("eve", eve))}
    body = json.dumps({"name": "Ada"}).encode()
    assert (await server.request("PUT", f"/moderators/{ids['ada']}", body=body)).status == 204

    for text in ("oh HECK", "\uff48eck"):
        refused = await eve.error("message", room="general", payload={"text": text})
        assert refused["message"] == "please say it in other words"
    titled = await eve.error("room.create", payload={"title": "Heck!"})
    assert titled["message"] == "please say it in other words"
    named = await eve.error("auth", payload={"name": "Darn"})
    assert named["message"] == "please say it in other words"
    said = [await eve.ack("message", room="general", payload={"text": text}) for text in ("spam", "spam!")]
    bob = await welcomed(connect, "/chat/ws", "general")
    await bob.ack("report", room="general", payload={"msgId": said[1]["msgId"], "reason": "spam"})
    report = (await ada.expect("report"))["payload"]
    assert report["msgId"] == said[1]["msgId"]
    [listed] = (await ada.ack("reports", room="general"))["reports"]
    shown = json.loads((await server.request("GET", "/moderation/reports")).body)["reports"]
    assert [line["id"] for line in shown] == [listed["id"]]
    assert (await post(server, f"/moderation/reports/{listed['id']}", outcome="removed")).status == 204
    assert (await ada.ack("reports", room="general"))["reports"] == []
    edit = {"msgId": said[0]["msgId"], "body": {"text": "darn"}}
    assert (await eve.error("message.edit", room="general", payload=edit))["code"] == "forbidden"
    await ada.ack("message.delete", room="general", payload={"msgId": said[0]["msgId"]})
    assert (await post(server, f"/moderation/{ids['eve']}/mute", reason="calm down")).status == 204
    muted = await eve.error("message", room="general", payload={"text": "but"})
    assert (muted["code"], muted["reason"]) == ("muted", "calm down")
    done = await post(server, f"/moderation/{ids['eve']}/remove", msgId=said[1]["msgId"])
    assert done.status == 204
    assert (await eve.expect("room.removed"))["payload"]["reason"] == "kicked"
    history = (await ada.ack("history", room="general"))["messages"]
    assert [message.get("deleted") for message in history] == [True, True]
    assert (await post(server, f"/moderation/{ids['eve']}/keep-out", reason="spam")).status == 204
    assert (await eve.error("join", room="general"))["code"] == "banned"
    assert (await post(server, "/moderation/calm")).status == 204
    carl = await welcomed(connect, "/chat/ws", "general")
    await carl.ack("message", room="general", payload={"text": "one"})
    slow = await carl.error("message", room="general", payload={"text": "two"})
    assert (slow["code"], slow["retryAfter"] > 5) == ("rate_limited", True)
    assert (await post(server, f"/moderation/{ids['eve']}/ban", reason="spam")).status == 204
    assert (await eve.closed())[0] == 4507
    assert (await post(server, f"/moderation/{ids['eve']}/unban")).status == 204
    assert ada.is_open


async def test_limits(run: Run, connect: Connect) -> None:
    module, live = await run("limits")
    ada = await welcomed(connect, "/chat/ws", "general")

    calm = await live.request("POST", "/calm")
    assert json.loads(calm.body) == {"rate_message": "1/s burst 3", "max_text": 500}
    assert (await ada.error("message", room="general", payload={"text": "x" * 501}))["code"] == "too_large"
    assert (await live.request("POST", "/normal")).status == 200

    assert str(module.chat.running().settings.rate_message) == "5/s burst 20"


async def test_hooks(run: Run, connect: Connect) -> None:
    module, _ = await run("hooks")
    ada = await welcomed(connect, "/chat/ws", "general")

    assert (await ada.error("message", room="general", payload={"text": "http://x"}))["code"] == "forbidden"
    await ada.ack("message", room="general", payload={"text": "teh end"})
    assert (await ada.expect("message"))["payload"]["text"] == "the end"
    await ada.ack("message", room="general", payload={"text": "/time"})
    assert (await ada.expect("notice"))["payload"]["title"] == "Time"
    assert await ada.ack("poll.vote", payload={"choice": 2}) == {"accepted": 2, "by": user_of(ada)["id"]}
    assert (await ada.error("poll.vote", payload={"choice": 9}))["code"] == "poll_closed"
    assert (await ada.error("poll.vote", payload={"choice": "x"}))["field"] == "choice"
    await module.chat.create_room("team", visibility="private")
    await module.chat.add_member("team", User("u1", "Ada"))
    async with asyncio.timeout(30):
        while not hasattr(module.app.ctx, "last_member"):
            await ada.settle()
    assert module.app.ctx.last_member.id == "u1"


async def test_push_from_http(run: Run, connect: Connect) -> None:
    _, server = await run("push_from_http")
    ada, bob = await welcomed(connect, "/chat/ws", "orders"), await welcomed(connect)

    first = json.loads((await post(server, "/orders/7")).body)
    again = json.loads((await post(server, "/orders/7")).body)

    assert first == again == {"seq": 1}
    assert (await ada.expect("ORDER_CREATED"))["payload"] == {"orderId": 7}
    user = user_of(ada)["id"]
    assert (await post(server, f"/users/{user}/notice", text="is here")).status == 204
    assert (await ada.expect("notice"))["payload"] == {"title": "Your parcel", "content": "is here"}
    assert (await post(server, "/users/nobody/notice", text="is here")).status == 404
    assert (await post(server, f"/users/{user}/to-checkout")).status == 204
    assert (await ada.expect("redirect"))["payload"]["url"].startswith("https://")
    assert (await post(server, "/rooms/orders/topic", topic="Sale")).status == 204
    assert (await ada.expect("update"))["payload"] == {"field": "topic", "value": "Sale"}
    assert (await post(server, "/maintenance")).status == 204
    assert (await bob.expect("notice"))["payload"]["title"] == "Maintenance"
    await bob.settle()
    assert bob.unread("update") == []


@pytest.mark.parametrize("database", ["sqlite+aiosqlite", "postgresql+asyncpg"])
async def test_own_transaction(
    run: Run,
    connect: Connect,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    postgres_url: str,
) -> None:
    if database.startswith("sqlite"):
        monkeypatch.setenv("SHOP_DATABASE", f"{database}:///{tmp_path}/shop.db")
    else:
        monkeypatch.setenv("SHOP_DATABASE", postgres_url.replace("postgresql", database))
    _, server = await run("own_transaction")
    ada = await welcomed(connect, "/chat/ws", "orders")

    first = await post(server, "/orders", article="kettle")
    failed = await post(server, "/orders", article="unicorn")
    second = await post(server, "/orders", article="teapot")

    assert (first.status, failed.status, second.status) == (201, 500, 201)
    for seq, answer in enumerate((first, second), 1):
        event = await ada.expect("ORDER_CREATED")
        assert (event["payload"], event["seq"]) == (json.loads(answer.body), seq)


async def test_own_routes(run: Run, connect: Connect) -> None:
    await run("own_routes")
    desk = await connect("/support/desk/general", token="the word of the day")
    await desk.expect("ack", replyTo="join")
    screen = await connect("/support/screen/general")
    await screen.expect("ack", replyTo="join")
    lobby = await connect("/support/lobby")

    await desk.ack("message", payload={"text": "hi"})

    assert desk.frames[0]["payload"]["limits"]["maxText"] == 64_000
    assert (await screen.expect("message"))["payload"] == {"text": "hi"}
    assert (await screen.error("message", payload={"text": "x"}))["code"] == "forbidden"
    assert (await lobby.expect("ack", replyTo="join"))["payload"]["room"] == "lobby"
    assert (await lobby.error("join", room="general"))["code"] == "forbidden"
    assert (await connect.refused("/support/desk/general", token="guess")).status == 401


async def test_several_instances(run: Run, connect: Connect) -> None:
    _, server = await run("several_instances")
    secret = "an example: write here what `openssl rand -base64 48` prints"
    token = jwt.encode({"sub": "u1", "exp": int(time.time()) + 60}, secret, "HS256")

    guest = await welcomed(connect, "/support/ws", "general")
    ada = await welcomed(connect, "/internal/chat/ws", token=token)

    assert guest.frames[0]["payload"]["limits"]["maxText"] == 4_000
    assert ada.frames[0]["payload"]["limits"]["maxText"] == 20_000
    assert (await ada.error("join", room="general"))["code"] == "room_not_found"
    assert json.loads((await server.get("/waiting")).body) == {"connections": 1}


async def test_several_workers(
    run: Run, connect: Connect, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    with embedded_directory() as directory:
        monkeypatch.setenv("SANIC_CHATROOMS_EMBEDDED_DIR", str(directory))
        _, server = await run("several_workers")
        ada = await welcomed(connect, "/chat/ws", "general")

        user = user_of(ada)["id"]
        assert (await post(server, f"/users/{user}/notice", text="is here")).status == 204

        assert (await ada.expect("notice"))["payload"] == {"title": "Your parcel", "content": "is here"}
        await server.stop()


async def test_prove_it_finds_nothing(load: Load, live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    mount(live.app, guests=False, jwt_secret=SECRET, auto_create=True)
    server = await live()

    async with asyncio.timeout(30):
        flaws = await load("prove_it").prove(
            server.host, server.port, [token("u1"), token("u2"), token("u3")]
        )

    assert flaws == []
    assert "60 messages acked" in capsys.readouterr().out


async def test_without_sockets(load: Load) -> None:
    assert await load("without_sockets").main() == 1


async def test_erase_a_user(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = load("erase_a_user")
    monkeypatch.setattr(example, "STORE", f"sqlite:///{tmp_path}/chat.db")
    settings = {"store": example.STORE, "namespace": "Shop", "guests": True}
    async with sanic_chatrooms.connect("default", **settings) as chat:
        await chat.create_room("orders")
        await chat.publish("orders", "message", {"text": "Rumpelstilzchen"}, sender=User("u1", "Ada"))

    await example.erase("u1")

    async with sanic_chatrooms.connect("default", **settings) as chat:
        (event,) = (await chat.history("orders")).messages
        assert (event["deleted"], event.get("sender"), event["payload"]) == (True, None, {})
        assert b"Rumpelstilzchen" not in (tmp_path / "chat.db").read_bytes()


async def test_follow_orders(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = load("follow_orders")
    monkeypatch.setattr(example, "SAVED", tmp_path / "position.txt")
    async with running_chat(guests=True) as chat:
        for room in ("orders", "support", "sales"):
            await chat.ensure_room(room)
        orders = await chat.room("orders")
        assert orders is not None
        example.SAVED.write_text(f"another:{orders.seq}")
        example.declare(chat)
        tasks = [asyncio.ensure_future(task) for task in (example.ship_for_ever(chat), example.answer(chat))]
        hub = chat.running().hub
        await until(
            lambda: all((held := hub.room(room)) and list(held.sessions()) for room in ("sales", "orders"))
        )
        await until(lambda: (held := hub.room("support")) is not None and len(list(held.sessions())) == 2)

        await chat.publish("orders", "ORDER_CREATED", {"orderId": 7})
        await chat.publish("support", "message", {"text": "/orders"}, sender=User("u1", "Ada"))
        await until(lambda: example.SAVED.read_text() == f"{orders.epoch}:1")
        async with asyncio.timeout(40):
            while len(said := (await chat.history("support")).messages) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

        assert said[-1]["payload"] == {"text": "Three today."}
        assert said[-1]["sender"] == {"id": "order-bot", "name": "Order bot"}
    async with asyncio.timeout(40):
        await asyncio.gather(*tasks)
    told = capsys.readouterr().out
    assert "ask the shop's own database" in told
    assert "order 7 is number 1 of the room" in told
    assert "support /orders" in told


async def test_python_client(run: Run, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    _, server = await run("five_lines")
    example = load("python_client")
    example.URL = f"{server.ws_url}/chat/ws"

    await example.talk()

    async with example.ChatClient(example.URL, name="Bob") as client:
        await client.join("general")
        await client.send("general", "goodbye")
        room = await client.history("general")
        since = await example.forward_for_ever(client, f"{room['epoch']}:0")
        assert "3 goodbye" in capsys.readouterr().out
        again = asyncio.ensure_future(example.forward_for_ever(client, "another:7"))
        await until(lambda: "not there any more" in capsys.readouterr().err)
        await client.send("general", "goodbye")
        assert await again == f"{room['epoch']}:4"

        await example.recite(client, ["good", "night"])
        assert (await client.history("general"))["messages"][-1]["payload"]["text"] == "goodnight"

    assert since == f"{room['epoch']}:3"


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(40):
        while not what():  # noqa: ASYNC110 - nobody tells a test
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "names",
    [
        [
            "test_orders.py"
        ],  # its app has the name of that of test_shop.py, which one process cannot have twice
        [
            "test_recovery.py",
            "test_shop.py",
            "test_tiny_broker.py",
            "test_counted_store.py",
            "test_answers.py",
        ],
    ],
    ids=["orders", "others"],
)
def test_the_tests_that_pages_show(names: list[str], tmp_path: Path) -> None:
    settings = tmp_path / "pytest.ini"  # an app's own, not this repository's
    settings.write_text(f"[pytest]\nasyncio_mode = auto\ncache_dir = {tmp_path}\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        str(settings),
        "--rootdir",
        str(tmp_path),
        *(str(EXAMPLES / name) for name in names),
    ]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_broker_that_a_page_shows_is_accepted_as_a_setting(load: Load) -> None:
    tiny = load("tiny_broker")

    ChatRooms(guests=True, broker=tiny.TinyBroker(tiny.Wire()))


async def test_the_store_that_a_page_shows_counts_what_a_chat_asks(load: Load) -> None:
    store = load("counted_store").CountedStore(MemoryStore())
    rooms = ChatRooms(guests=True, store=store)

    async with running_chat(rooms) as chat:
        await chat.create_room("general")
        await chat.publish("general", "poll.vote", {"yes": True})
        shown = (await chat.history("general")).messages

    assert [event["type"] for event in shown] == ["poll.vote"]
    assert {"start", "stop"}.isdisjoint(store.calls)
    assert {"create_room", "append", "history"} <= set(store.calls)


async def test_deployed(run: Run, connect: Connect) -> None:
    module, _ = await run("deployed")
    origin = "https://shop.example"
    through = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}

    await welcomed(connect, origin=origin, headers=through)

    assert [c.remote_ip for c in module.chatrooms.default.connections()] == ["203.0.113.9"]
    assert (await connect.refused(origin="https://evil.example", headers=through)).status == 403


# ---- the browser ----


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()


async def opened(browser: Browser, server: LiveServer) -> Page:
    context = await browser.new_context(base_url=server.url)
    context.set_default_timeout(60_000)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_text("online", exact=True).wait_for()
    return page


@pytest.mark.browser
async def test_chat_page(run: Run, browser: Browser) -> None:
    """chat_page.py serves "chat_page.html" and "chat_page.js"."""
    _, server = await run("chat_page")
    ada, bob = await opened(browser, server), await opened(browser, server)

    await ada.get_by_label("Message").fill("hi")
    await ada.get_by_role("button").click()
    await bob.get_by_text("Ada: hi").wait_for()
    await ada.locator("li.sent").wait_for()

    assert await ada.locator("li").count() == 1
    ada.on("dialog", lambda dialog: dialog.accept("hello"))
    await ada.locator("li").dblclick()
    await bob.get_by_text("Ada: hello").wait_for()
    # What the app says has no sender, and not everything in the timeline is a message.
    await sanic_chatrooms.default.publish("general", "ORDER_CREATED", {"orderId": 7})
    await sanic_chatrooms.default.publish("general", "message", {"text": "closed at six"})
    await bob.get_by_text("Shop: closed at six").wait_for()
    late = await opened(browser, server)
    await late.get_by_text("Ada: hello").wait_for()
    await late.get_by_text("Shop: closed at six").wait_for()
    assert await late.locator("li").count() == 2
    for page in (ada, bob, late):
        await page.context.close()


@pytest.mark.browser
async def test_room_in_a_page(run: Run, connect: Connect, browser: Browser) -> None:
    """room_in_a_page.py serves "room_in_a_page.html" and "room_in_a_page.js"."""
    _, server = await run("room_in_a_page")
    bob = await welcomed(connect, "/chat/ws", "support")
    page = await (await browser.new_context(base_url=server.url)).new_page()
    page.set_default_timeout(60_000)
    await page.goto("/")
    await page.get_by_text("We are here.").wait_for()
    await page.get_by_text("Nobody has written here yet").wait_for()

    await bob.ack("message", room="support", payload={"text": "How can I help?"})
    await bob.expect("message")
    await page.get_by_text("How can I help?").first.wait_for()
    await page.wait_for_function(f"() => document.title === '{user_of(bob)['name']}: How can I help?'")
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_role("button", name="Join in").click()
    await page.get_by_label("Message #support").fill("Is it open?")
    await page.get_by_role("button", name="Send message").click()

    assert (await bob.expect("message"))["payload"] == {"text": "Is it open?"}
    assert await page.get_by_test_id("room-name").is_hidden()  # its part is not shown
    await page.context.close()


@pytest.mark.browser
async def test_sign_in(run: Run, browser: Browser) -> None:
    """The page "sign_in.html" and the script "sign_in.js" of "jwt_user"."""
    _, server = await run("jwt_user")
    await sanic_chatrooms.default.publish("general", "message", {"text": "closed at six"})
    page = await (await browser.new_context(base_url=server.url)).new_page()
    page.set_default_timeout(60_000)
    await page.goto("/")

    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_role("button", name="Sign in").click()

    await page.get_by_text("Ada is in general").wait_for()
    await page.get_by_label("Message").fill("hi")
    await page.get_by_role("button", name="Send").click()
    await page.get_by_text("Ada: hi").wait_for()
    assert await page.locator("li").all_inner_texts() == ["Shop: closed at six", "Ada: hi"]
    await page.context.close()


async def test_answers_to_questions_write_themselves(run: Run, connect: Connect) -> None:
    await run("answers")
    ada = await welcomed(connect, "/chat/ws", "support")
    await ada.ack("message", room="support", payload={"text": "/ask Why?"})

    first, closed = await ada.expect("message.delta"), await ada.expect("message.edited")

    assert first["payload"]["at"] == 0
    assert closed["payload"]["body"]["text"] == "You asked: Why? Let me think about it. "


def test_the_adaptors_of_models_are_two_functions(load: Load) -> None:
    """`test_answers.py` runs them."""
    assert callable(load("adaptors").write_completion)


# ---- REST ----


async def in_shell(script: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode()


async def test_curl_sends_edits_and_hears(run: Run) -> None:
    page = EXAMPLES.parent / "howto" / "rest.md"
    *plain, stream = sorted(
        (block.text for block in blocks_of(page) if block.language == "sh"),
        key=lambda text: "-sN" in text,
    )
    lines = "\n".join(plain).splitlines()
    answered = [f"{line}; echo" if line.startswith("curl") else line for line in lines]
    _, server = await run("rest_api")

    # When its time is over, curl ends with 28.
    script = "\n".join([*answered, f"{stream} || true"]).replace("http://127.0.0.1:8000", server.url)
    answers, _, events = (await in_shell(script)).partition("retry:")

    me, sent, again, history, edited, late, welcome, joined, pins = (
        json.loads(line) for line in answers.splitlines() if line
    )
    assert me["user"]["name"] == "Ada"
    assert again == {**sent, "duplicate": True}
    assert [one["payload"]["text"] for one in history["messages"]] == ["4711 has left"]
    assert edited["seq"] > sent["seq"]
    assert (late["status"], late["code"]) == (412, "changed")
    assert (welcome["user"], joined["seq"], pins["total"]) == (me["user"], edited["seq"], 0)
    heard = [line.removeprefix("event: ") for line in events.splitlines() if line.startswith("event:")]
    assert heard == ["message", "message", "message.edited"]
