"""How an app mounts chat rooms: prefixes, groups, versions, several instances and apps, routes of its own, settings."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import jwt
import pytest
from sanic import Blueprint, Sanic
from sanic.application.constants import Mode

import sanic_chatrooms
from sanic_chatrooms import (
    Authenticator,
    ChatRooms,
    ConfigError,
    Context,
    Credentials,
    Forbidden,
    Handshake,
    Happening,
    Policy,
    Room,
    RoomPolicy,
    Unauthenticated,
    User,
)
from sanic_chatrooms import (
    connect as connect_alone,
)
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.hooks.middleware import Handler
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.server import new_app

App = Sanic[Any, Any]
SECRET = "a secret of more than thirty-two bytes for tests"


class StaffAuth(Authenticator):
    """Lets in whoever knows the word."""

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        if credentials.token != "staff":
            raise Unauthenticated
        return User("staff-1", "Staff")


class Silent(Policy):
    """Nobody may speak."""

    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        RoomPolicy().require(user, action, room, standing)
        if action == "message":
            raise Forbidden("this desk only listens")


@pytest.fixture
def other() -> Iterator[App]:
    app = new_app("other")
    yield app
    Sanic.unregister_app(app)


async def joined(connect: Connect, path: str = "/chat/ws", room: str = "general", **options: Any) -> Client:
    client = await connect(path, **options)
    await client.expect("welcome")
    await client.ack("join", room=room)
    return client


# ---- the five lines ----


async def test_the_default_blueprint_needs_one_setting(app: App, connect: Connect) -> None:
    app.config.CHATROOMS_GUESTS = True
    app.blueprint(sanic_chatrooms.bp)

    ada = await joined(connect)

    assert (await ada.ack("message", room="general", payload={"text": "hi"}))["seq"] == 1


async def test_the_ready_page_and_the_client_are_served(app: App, live: Live) -> None:
    app.config.CHATROOMS_GUESTS = True
    app.blueprint(sanic_chatrooms.bp)
    server = await live()

    page = await server.get("/chat/")
    client = await server.get("/chat/client.js")
    again = await server.get("/chat/client.js", if_none_match=client.headers["etag"])

    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert client.headers["content-type"].startswith("text/javascript")
    assert b"class ChatRooms" in client.body
    assert again.status == 304


async def test_the_page_without_its_last_slash_leads_to_it(app: App, live: Live) -> None:
    app.config.CHATROOMS_GUESTS = True
    app.blueprint(sanic_chatrooms.bp)
    server = await live()

    answer = await server.get("/chat")

    assert answer.status == 302
    assert answer.headers["location"].endswith("/chat/")


@pytest.mark.parametrize(
    ("seen", "leads_to"),
    [
        ("http://a.example/chat", "http://a.example/chat/"),
        ("http://a.example/apps/shop/chat", "http://a.example/apps/shop/chat/"),
        ("http://a.example/chat?room=a%20b&x=%2F#y", "http://a.example/chat/?room=a%20b&x=%2F"),
        ("http://a.example/apps/chat?next=//evil.example", "http://a.example/apps/chat/?next=//evil.example"),
    ],
)
async def test_behind_a_proxy_that_cuts_the_path_the_page_is_found_with_its_query(
    app: App, live: Live, seen: str, leads_to: str
) -> None:
    app.config.CHATROOMS_GUESTS = True
    app.blueprint(sanic_chatrooms.bp)
    server = await live()
    query = urlsplit(seen).query

    answer = await server.get("/chat" + (f"?{query}" if query else ""))

    assert urljoin(seen, answer.headers["location"]) == leads_to


async def test_without_guests_there_is_no_page(app: App, live: Live) -> None:
    app.config.CHATROOMS_JWT_SECRET = SECRET
    app.blueprint(sanic_chatrooms.bp)
    server = await live()

    assert (await server.get("/chat/")).status == 404


@pytest.mark.parametrize(
    ("config", "said"), [({}, 1), ({"CHATROOMS_GUESTS": True}, 0), ({"CHATROOMS_JWT_SECRET": SECRET}, 0)]
)
async def test_that_debug_alone_lets_guests_in_is_said_once_where_only_warnings_are_shown(
    app: App, live: Live, caplog: pytest.LogCaptureFixture, config: dict[str, Any], said: int
) -> None:
    app.config.update(config)
    app.state.mode = Mode.DEBUG
    app.blueprint(sanic_chatrooms.bp)
    await live()

    warnings = [
        r.getMessage()
        for r in caplog.records
        if r.name.startswith("sanic_chatrooms") and r.levelname == "WARNING"
    ]
    assert [text.partition(",")[0] for text in warnings] == [
        'chat rooms "default": anyone can get in as a guest'
    ] * said


@pytest.mark.parametrize(
    "name", ["..%2fassets.py", "%2e%2e%2fassets.py", "..%5cassets.py", "nothing.js", "client.js%00"]
)
async def test_only_the_listed_files_exist(app: App, live: Live, name: str) -> None:
    app.config.CHATROOMS_GUESTS = True
    app.blueprint(sanic_chatrooms.bp)
    server = await live()

    assert (await server.get(f"/chat/static/{name}")).status in (400, 404)


# ---- where ----


async def test_an_app_chooses_the_prefix(app: App, connect: Connect) -> None:
    app.config.CHATROOMS_GUESTS = True
    app.blueprint(ChatRooms().bp, url_prefix="/talk")

    await joined(connect, "/talk/ws")
    assert (await connect.refused("/chat/ws")).status == 404


async def test_a_group_with_version_and_prefix_holds_it(app: App, connect: Connect) -> None:
    chat = ChatRooms("support", guests=True)
    chat.add_route("/screen/<room>")
    app.blueprint(Blueprint.group(chat.bp, url_prefix="/outer", version=2))

    await joined(connect, "/v2/outer/support/ws")
    screen = await connect("/v2/outer/support/screen/general")
    assert (await screen.expect("ack", replyTo="join"))["payload"]["room"] == "general"
    assert app.url_for("chatrooms_support.ws") == "/v2/outer/support/ws"


async def test_a_route_declared_after_mounting_keeps_the_prefix(app: App, connect: Connect) -> None:
    chat = ChatRooms("support", guests=True)
    app.blueprint(chat.bp, url_prefix="/help")
    chat.add_route("/desk/<room>")

    desk = await connect("/help/desk/general")

    assert (await desk.expect("ack", replyTo="join"))["payload"]["room"] == "general"
    assert (await connect.refused("/support/ws")).status == 404
    assert (await connect.refused("/support/desk/general")).status == 404


async def test_a_route_declared_after_start_is_an_error(app: App, live: Live) -> None:
    chat = ChatRooms(guests=True)
    app.blueprint(chat.bp)
    await live()

    with pytest.raises(ConfigError, match="too late"):
        chat.add_route("/desk/<room>")


# ---- several ----


async def test_two_instances_in_one_app_share_no_room(app: App, connect: Connect) -> None:
    one, two = ChatRooms("one", guests=True), ChatRooms("two", guests=True)
    app.blueprint(one.bp)
    app.blueprint(two.bp)
    ada, bob = await joined(connect, "/one/ws"), await joined(connect, "/two/ws")

    await ada.ack("message", room="general", payload={"text": "for one"})
    await bob.settle()

    assert bob.unread("message") == []
    assert (await bob.ack("history", room="general"))["messages"] == []


async def test_one_instance_in_two_apps_of_one_process(
    app: App, other: App, live: Live, connect: Connect
) -> None:
    chat = ChatRooms(guests=True)
    app.blueprint(chat.bp)
    other.blueprint(chat.bp, url_prefix="/elsewhere")
    here, there = await live(), await live(other)
    ada = await joined(connect, server=here)
    bob = await joined(connect, "/elsewhere/ws", server=there)

    await ada.ack("message", room="general", payload={"text": "here only"})
    await bob.settle()

    assert bob.unread("message") == []
    with pytest.raises(ConfigError, match=r'app.ctx.chatrooms\["default"\]'):
        await chat.history("general")
    assert len((await app.ctx.chatrooms["default"].history("general")).messages) == 1
    assert (await other.ctx.chatrooms["default"].history("general")).messages == []


def test_one_name_twice_in_one_app_is_an_error(app: App) -> None:
    app.blueprint(ChatRooms("support", guests=True).bp)

    with pytest.raises((ConfigError, AssertionError), match="support"):  # Sanic may say it first
        app.blueprint(ChatRooms("support", guests=True).bp, url_prefix="/again")


def test_one_instance_twice_in_one_app_is_an_error(app: App) -> None:
    chat = ChatRooms("support", guests=True)
    app.blueprint(chat.bp)

    with pytest.raises(ConfigError, match="support"):
        app.blueprint(chat.bp, url_prefix="/again")


async def test_an_app_can_be_served_twice_one_after_the_other(app: App, live: Live, connect: Connect) -> None:
    app.blueprint(ChatRooms(guests=True).bp)
    first = await live()
    await (await joined(connect, server=first)).ack("message", room="general", payload={"text": "hi"})
    await first.stop()

    second = await live()
    ada = await connect(server=second)
    await ada.expect("welcome")

    assert (await ada.ack("join", room="general"))["seq"] == 0  # memory: a new past, not the old one


# ---- routes of the app's ----


async def test_a_route_has_its_own_way_to_sign_in(app: App, connect: Connect) -> None:
    chat = ChatRooms(guests=True)
    chat.add_route("/desk", auth=StaffAuth())
    app.blueprint(chat.bp)

    staff = await connect("/chat/desk", token="staff")
    assert (await staff.expect("welcome"))["payload"]["user"]["id"] == "staff-1"
    assert (await connect.refused("/chat/desk", token="guess")).status == 401
    nobody = await connect("/chat/desk")
    assert (await nobody.error("join", room="general"))["code"] == "unauthenticated"


async def test_a_route_has_its_own_policy(app: App, connect: Connect) -> None:
    chat = ChatRooms(guests=True)
    chat.add_route("/desk", policy=Silent())
    app.blueprint(chat.bp)

    quiet, loud = await joined(connect, "/chat/desk"), await joined(connect)

    assert (await quiet.error("message", room="general", payload={"text": "x"}))[
        "message"
    ] == "this desk only listens"
    await loud.ack("message", room="general", payload={"text": "x"})
    await quiet.expect("message")


async def test_a_route_has_its_own_limits(app: App, connect: Connect) -> None:
    chat = ChatRooms(guests=True)
    chat.add_route("/desk", max_text=10, history_page=2)
    app.blueprint(chat.bp)

    desk = await connect("/chat/desk")
    limits = (await desk.expect("welcome"))["payload"]["limits"]
    await desk.ack("join", room="general")

    assert limits["maxText"] == 10
    assert limits["historyPage"] == 2
    assert (await desk.error("message", room="general", payload={"text": "x" * 11}))["code"] == "too_large"


async def test_a_read_only_route_hears_and_does_not_speak(app: App, connect: Connect) -> None:
    chat = ChatRooms(guests=True)
    chat.add_route("/screen/<room>", read_only=True)
    app.blueprint(chat.bp)
    ada = await joined(connect)
    screen = await connect("/chat/screen/general")
    await screen.expect("ack", replyTo="join")

    await ada.ack("message", room="general", payload={"text": "hi"})

    assert (await screen.expect("message"))["payload"]["text"] == "hi"
    for type, payload in [
        ("message", {"text": "x"}),
        ("typing", {"active": True}),
        ("direct", {"to": "u", "body": {}}),
    ]:
        assert (await screen.error(type, payload=payload))["code"] == "forbidden"
    assert (await screen.error("join", room="other"))["code"] == "forbidden"


async def test_a_route_with_a_fixed_room_joins_no_other(app: App, connect: Connect) -> None:
    chat = ChatRooms(guests=True)
    chat.add_route("/lobby", room="lobby")
    app.blueprint(chat.bp)

    lobby = await connect("/chat/lobby")
    await lobby.expect("ack", replyTo="join")

    assert (await lobby.error("join", room="general"))["code"] == "forbidden"
    assert (await lobby.ack("message", payload={"text": "hi"}))["seq"] == 1


def test_a_route_with_a_room_in_two_places_is_an_error() -> None:
    with pytest.raises(ConfigError, match="in the path already"):
        ChatRooms("support").add_route("/desk/<room>", room="lobby")


def test_a_route_twice_is_an_error() -> None:
    chat = ChatRooms("support")
    chat.add_route("/desk")

    with pytest.raises(ConfigError, match="there already"):
        chat.add_route("/desk")


# ---- settings ----


async def test_settings_come_from_code_config_and_environment(
    app: App, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANIC_CHATROOMS_MAX_TEXT", "300")
    monkeypatch.setenv("SANIC_CHATROOMS_HISTORY_PAGE", "30")
    app.config.CHATROOMS_HISTORY_PAGE = 20
    app.blueprint(ChatRooms(guests=True, max_frame=2048).bp)

    ada = await connect()
    limits = (await ada.expect("welcome"))["payload"]["limits"]

    assert (limits["maxText"], limits["historyPage"], limits["maxFrame"]) == (300, 20, 2048)


async def test_nobody_could_get_in_is_said_at_start(app: App, live: Live) -> None:
    app.blueprint(ChatRooms("support").bp)

    with pytest.raises(ConfigError, match=r"CHATROOMS_SUPPORT_(GUESTS|JWT_SECRET)"):
        await live()


async def test_a_wrong_setting_is_said_at_start(app: App, live: Live) -> None:
    app.config.CHATROOMS_GUESTS = True
    app.config.CHATROOMS_MAX_FRAME = 3
    app.config.CHATROOMS_HISTORY_PAG = 3
    app.blueprint(ChatRooms().bp)

    with pytest.raises(ConfigError) as refused:
        await live()

    assert "CHATROOMS_MAX_FRAME" in str(refused.value)
    assert "CHATROOMS_HISTORY_PAG" in str(refused.value)


async def test_a_token_of_the_secret_in_the_config_signs_in(app: App, connect: Connect) -> None:
    app.config.CHATROOMS_JWT_SECRET = SECRET
    app.blueprint(ChatRooms().bp)
    token = jwt.encode({"sub": "u1", "name": "Ada", "exp": 4_000_000_000}, SECRET, "HS256")

    ada = await connect(token=token)

    assert (await ada.expect("welcome"))["payload"]["user"] == {"id": "u1", "name": "Ada", "scopes": []}


# ---- processes ----


def run(tmp_path: Path, source: str, *command: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "shop.py").write_text(textwrap.dedent(source))
    root = Path(sanic_chatrooms.__file__).parent.parent
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(root)))}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


SHOP = """
    from sanic import Sanic
    import sanic_chatrooms as chatrooms

    app = Sanic("Shop")
    app.config.CHATROOMS_GUESTS = True
    app.blueprint(chatrooms.bp)
"""


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_several_workers_on_memory_are_refused_at_start(tmp_path: Path) -> None:
    done = run(tmp_path, SHOP, "sanic", "shop:app", "--workers", "2", "--port", "0", "--no-motd")

    assert done.returncode != 0
    assert "CHATROOMS_STORE" in done.stdout + done.stderr
    assert "2 workers" in done.stdout + done.stderr


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_wrong_setting_is_refused_in_the_main_process_too(tmp_path: Path) -> None:
    source = SHOP + "    app.config.CHATROOMS_MAX_FRAME = 3\n"
    done = run(tmp_path, source, "sanic", "shop:app", "--port", "0", "--no-motd")

    assert done.returncode != 0
    assert "CHATROOMS_MAX_FRAME" in done.stdout + done.stderr


async def test_an_asgi_server_is_refused_with_a_reason(app: App) -> None:
    app.blueprint(ChatRooms(guests=True).bp)
    sent: list[dict[str, Any]] = []
    received = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]

    async def receive() -> dict[str, Any]:
        return received.pop()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "Sanic's own server" in sent[0]["message"]


async def test_a_process_without_sockets_has_the_verbs() -> None:
    async with connect_alone("support", guests=True) as chat:
        await chat.create_room("orders", title="Orders")
        published = await chat.publish("orders", "ORDER_CREATED", {"orderId": 7})
        page = await chat.history("orders")

    assert published is not None
    assert published.seq == 1
    assert page.messages[0]["payload"] == {"orderId": 7}
    with pytest.raises(ConfigError, match="does not run"):
        await chat.history("orders")


# ---- hooks in an app factory ----


def make_app(default: ChatRooms, said: list[str], *, bound: bool) -> App:
    """What an app factory does with the one instance of a module, each time it is called."""
    app = new_app("factory")
    app.blueprint(default.bp)
    chat: ChatRooms = app.ctx.chatrooms["default"] if bound else default

    @chat.on("message")
    def hear(event: Happening) -> None:
        said.append(f"{app.name} heard")

    @chat.middleware("message")
    async def around(ctx: Context, call_next: Handler) -> Any:
        said.append(f"{app.name} let pass")
        return await call_next(ctx)

    default.add_route("/desk", auth=StaffAuth(), max_text=10)

    @chat.command("POLL")
    async def poll(ctx: Context, payload: Any) -> dict[str, str]:
        return {"by": app.name}

    return app


@pytest.mark.parametrize("bound", [True, False])
async def test_hooks_of_an_app_factory_do_not_pile_up(live: Live, connect: Connect, bound: bool) -> None:
    said: list[str] = []
    default = ChatRooms(guests=True)
    apps = [make_app(default, said, bound=bound) for _ in range(3)]
    try:
        server = await live(apps[-1])
        ada = await connect(server=server)
        await ada.ack("join", room="general")
        await ada.ack("message", room="general", payload={"text": "hi"})
        await ada.settle()

        staff = await connect("/chat/desk", server=server, token="staff")
        await staff.ack("join", room="general")
        assert (await staff.error("message", room="general", payload={"text": "x" * 11}))[
            "code"
        ] == "too_large"
        assert await ada.ack("POLL") == {"by": apps[-1].name}
        assert said == [f"{apps[-1].name} let pass", f"{apps[-1].name} heard", f"{apps[-1].name} let pass"]
    finally:
        for app in apps:
            Sanic.unregister_app(app)
