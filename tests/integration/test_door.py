"""Connections come in by the door, or by Sanic's handshake: both say the same to the same bytes, and whatever must be seen by Sanic goes to Sanic."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import re
import select
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sanic import Request, Sanic, text
from sanic_ext import Extend

from sanic_chatrooms import Authenticator, ChatRooms, Forbidden, HostSession, Unauthenticated, User
from sanic_chatrooms.web import connecting
from sanic_chatrooms.web import mounted as mounting
from sanic_chatrooms.web.mounted import mounted_in
from sanic_chatrooms.web.socket import door
from sanic_chatrooms.web.socket.direct import DirectConnection
from sanic_chatrooms.web.socket.door import Doorway
from sanic_chatrooms.web.socket.turns import Turns
from sanic_chatrooms.web.upgrade import is_gone
from tests.support.fixtures import Connect, Live, OpenRaw
from tests.support.raw import Raw, command, handshake
from tests.support.server import LiveServer, new_app
from tests.support.thorough import THOROUGH
from tests.support.wire import SECRET, masked, mount, token

App = Sanic[Any, Any]
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]

# ---- both ways, and the same bytes ----

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = [
    ("Host", "chat.example"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
]
TOKENS = [
    token("ada", expires_in=86_400),
    token("eve", expires_in=86_400),
    token("old", expires_in=-86_400),
    token("forged", secret="another-secret-of-more-than-32-bytes-for-tests"),
    "x.y.z",
    "",
]
MORE = [
    *(("Authorization", f"Bearer {token}") for token in TOKENS),
    *(("Cookie", f"c={token}; theme=dark") for token in TOKENS),
    *(("Sec-WebSocket-Protocol", f"chatrooms.v1, bearer.{token}") for token in TOKENS),
    ("Sec-WebSocket-Protocol", "chatrooms.v1"),
    ("Sec-WebSocket-Protocol", "soap, wamp"),
    ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
    ("Authorization", "Basic YWRhOmFkYQ=="),
    *(("Origin", origin) for origin in ("http://chat.example", "https://shop.example", "http://evil.example", "null", "://")),
    *(("X-Forwarded-For", address) for address in ("203.0.113.7", "203.0.113.8, 198.51.100.1", "2001:db8::1", "nonsense")),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "shop.example"),
    ("Cookie", 'a="b c"; a=d; =; ;;'),
    ("Accept-Language", "de, en;q=0.5"),
    ("X-Empty", ""),
]  # fmt: skip
ODD = [
    ("Upgrade", "h2c"),
    ("Upgrade", " WebSocket "),
    ("Connection", "keep-alive, Upgrade"),
    ("Connection", "close"),
    ("Sec-WebSocket-Version", "8"),
    ("Sec-WebSocket-Version", " 13 "),
    ("Sec-WebSocket-Key", "short"),
    ("Sec-WebSocket-Key", f" {KEY} "),
    ("Content-Length", "0"),
    ("Content-Length", "3"),
    ("Transfer-Encoding", "chunked"),
    ("Expect", "100-continue"),
    ("Host", "other.example"),
    ("Accept-Language", "\xe9\xff"),
    ("X-Tab", "\ta\tb"),
    ("X-Control", "\x01"),
    ("X Space", "a"),
    ("Sec-WebSocket-Key\x00", "a"),
    ("X-Long", "a" * 9_000),
    ("", "nameless"),
]
TARGETS = [
    *["/chat/ws"] * 6,
    *["/chat/ws/general"] * 3,
    *(f"/chat/ws?token={token}" for token in TOKENS),
    "/chat/ws?ticket=none&a=%ff&a=b",
    "/chat/ws/caf%C3%A9",
    "/chat/ws/%ff",
    "/chat/ws/a%2Fb",
    "/chat/ws/",
    "/chat//ws",
    "/chat/ws#there",
    "/chat/nowhere",
    "http://chat.example/chat/ws",
    "*",
]


def request_of(chance: random.Random) -> bytes:
    """A request as some client might send it: mostly good, sometimes odd, and now and then no HTTP at all."""
    lines = list(GOOD)
    for line in chance.sample(MORE, chance.randrange(4)):
        lines = [known for known in lines if known[0] != line[0] or chance.random() < 0.05] + [line]
    if chance.random() < 0.35:
        odd = chance.choice(ODD)
        lines = [line for line in lines if line[0] != odd[0] or chance.random() < 0.3] + [odd]
    if chance.random() < 0.1:
        lines.remove(chance.choice(lines))
    chance.shuffle(lines)
    method = chance.choice(["GET"] * 20 + ["POST", "HEAD", "get", "OPTIONS"])
    version = chance.choice(["HTTP/1.1"] * 20 + ["HTTP/1.0", "HTTP/2.0", "http/1.1", ""])
    colon = chance.choice([": "] * 20 + [":", " : ", ":  "])
    end = chance.choice(["\r\n"] * 30 + ["\n"])
    head = [f"{method} {chance.choice(TARGETS)} {version}", *(colon.join(line) for line in lines)]
    return ("\r\n".join(head[:-1]) + end + head[-1] + "\r\n\r\n").encode("latin-1")


def parts_of(data: bytes, chance: random.Random) -> list[bytes]:
    """Mostly at once, sometimes in two pieces."""
    at = chance.randrange(1, len(data)) if chance.random() < 0.1 else len(data)
    return [data[:at], data[at:]] if data[at:] else [data]


def load(request: Request) -> User:
    """Who somebody is, as an app may decide it: by all that it can know of a request."""
    if "gone" in request.headers:
        raise LookupError("no such table")
    if request.cookies.get("theme") == "dark":
        raise Unauthenticated("not at night")
    about = (
        request.path, request.query_string, dict(request.args), dict(request.cookies), sorted(request.headers.items()),
        request.host, request.scheme, request.client_ip, request.method, request.version, request.match_info, request.body,
        request.route and request.route.name.split(".", 1)[1], request.head, request.url, request.token, Request.get_current() is request,
    )  # fmt: skip
    return User("ada", repr(about)[:4_000])


KINDS: dict[str, dict[str, Any]] = {
    "tokens": {"guests": False, "jwt_secret": SECRET, "token_cookie": "c", "token_query": "token"},
    "guests": {"jwt_secret": SECRET, "token_cookie": "c", "max_connections_per_ip": 3},
    "the app's own": {"guests": False, "auth": HostSession(load), "allowed_origins": ("*",)},
}


def declare(app: App, kind: str) -> ChatRooms:
    if kind == "guests":
        app.config.PROXIES_COUNT = 1
    origins = ("http://chat.example", "https://shop.example")
    chat = mount(app, **{"allowed_origins": origins, "metrics": True, **KINDS[kind]})

    @chat.on("connect")
    async def refuse(happening: Any) -> None:
        if happening.user.id == "eve":
            raise Forbidden("not you")

    return chat


async def answer_to(server: LiveServer, parts: list[bytes], open: list[Peer]) -> tuple[Any, ...]:
    """What the server says: status, headers and body, and the first frame on a WebSocket."""
    reader, writer = peer = await asyncio.open_connection(server.host, server.port)
    open.append(peer)
    async with asyncio.timeout(30):
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        head = await reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode().lower().split("\r\n")[:-2]
        headers = sorted(line for line in lines if not line.startswith("date:"))
        length = re.search(r"content-length: (\d+)", head.decode().lower())
        body = (
            b""
            if length is None or parts[0].startswith(b"HEAD")
            else await reader.readexactly(int(length[1]))
        )
        if " 101 " not in status:
            return status, headers, body
        raw = Raw(reader, writer)
        await raw.write(command("ping", msgId="the-ping-of-this-peer"))
        said = [json.loads((await raw.frame())[1])]
        while said[-1].get("replyTo") != "the-ping-of-this-peer":
            said.append(json.loads((await raw.frame())[1]))
        return status, headers, [stable(frame) for frame in said]


def stable(frame: dict[str, Any]) -> Any:
    """A frame without what is another for each connection."""
    user = frame.get("payload", {}).get("user", {})
    name = re.sub(r"(?i)guest[- ][\w-]+", "guest", str((user.get("id"), user.get("name"))))
    keys = sorted(frame.get("payload", {}))
    return frame["type"], frame.get("room"), keys, frame["payload"].get("code"), name


@pytest.fixture
async def peers() -> AsyncIterator[list[Peer]]:
    peers: list[Peer] = []
    yield peers
    for _, writer in peers:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize("kind", KINDS)
async def test_both_ways_say_the_same(
    app: App, live: Live, peers: list[Peer], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    other = new_app()
    chats = [declare(app, kind), declare(other, kind)]
    mounted_in(other)["default"].doors = False
    servers = [await live(app), await live(other)]
    came = count_ways(monkeypatch)
    chance = random.Random(kind)
    seen: Counter[str] = Counter()

    for _ in range(3_000 if THOROUGH else 120):
        parts = parts_of(request_of(chance), chance)
        by_door, by_sanic = [await answer_to(server, parts, peers) for server in servers]
        assert by_door == by_sanic, parts
        seen[by_door[0].split(" ")[1]] += 1

    assert len(seen) >= 5, seen
    assert came["door"] >= 25, came
    assert came["sanic"] >= 30, came
    counts = [refused(await server.get("/chat/metrics")) for server in servers]
    assert counts[0] == counts[1] != []
    assert len(chats[0].running().sessions) == len(chats[1].running().sessions) > 0
    Sanic.unregister_app(other)


def refused(page: Any) -> list[str]:
    """What the metrics say of refusals."""
    return [line for line in page.text.split("\n") if "refused" in line and not line.startswith("#")]


def count_ways(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many requests come in by the door, and how many go to Sanic unread."""
    came: Counter[str] = Counter()
    read = Doorway.request_in

    def request_in(self: Doorway, data: bytes, transport: Any) -> Any:
        found = read(self, data, transport)
        came["sanic" if found is None else "door"] += 1
        return found

    monkeypatch.setattr(Doorway, "request_in", request_in)
    return came


# ---- what Sanic has to see ----


def hear(app: App, name: str) -> None:
    async def heard(**_: Any) -> None: ...

    app.signal(name)(heard)


def see(app: App) -> None:
    @app.on_request
    async def note(_: Request) -> None: ...


class OwnRequest(Request):
    __slots__ = ()


SEEN: dict[str, Callable[[App], Any]] = {
    "a signal of requests": lambda app: hear(app, "http.routing.before"),
    "a signal of connections": lambda app: hear(app, "http.lifecycle.begin"),
    "a signal of WebSockets": lambda app: hear(app, "websocket.handler.before"),
    "a middleware": see,
    "the access log": lambda app: setattr(app.config, "ACCESS_LOG", True),
    "a class of its own": lambda app: setattr(app, "request_class", OwnRequest),
}


@pytest.mark.parametrize("name", SEEN)
async def test_what_the_app_has_to_see_is_done_by_sanic(
    app: App, connect: Connect, live: Live, name: str
) -> None:
    chat = mount(app)
    if name == "the access log":  # the server of the tests turns it off
        await live()
    SEEN[name](app)

    ada = await connect()
    await ada.ack("join", room="general")

    assert not by_door(chat)


def by_door(chat: ChatRooms) -> bool:
    (answer,) = {isinstance(session.connection, DirectConnection) for session in chat.running().sessions}
    return answer


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_sanic_ext_shuts_no_door(app: App, connect: Connect) -> None:
    Extend(app)
    chat = mount(app)

    await (await connect()).ack("join", room="general")

    assert by_door(chat)


async def test_beside_the_door_sanic_serves_as_ever(app: App, live: Live) -> None:
    mount(app)

    @app.get("/hello")
    async def hello(_: Request) -> Any:
        return text("hello")

    async def echo(_: Request, ws: Any) -> None:
        await ws.send(await ws.recv())

    app.add_websocket_route(echo, "/echo")
    server = await live()
    reader, writer = await asyncio.open_connection(server.host, server.port)
    ask = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
    writer.write(ask + ask)
    upgrade = handshake("a", path="/echo")
    async with asyncio.timeout(30):
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\nhello")
        writer.write(upgrade)  # the door sees the first request of a connection alone
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()

    raw = Raw(*await asyncio.open_connection(server.host, server.port))
    await raw.write(upgrade)
    assert b" 101 " in await raw.reader.readuntil(b"\r\n\r\n")
    await raw.write(masked(1, b"hi"))
    assert await raw.frame() == (1, b"hi")
    await raw.close()


async def test_who_says_nothing_is_sanics_after_a_while(
    app: App, live: Live, peers: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Sanic's limits for those who say nothing."""
    monkeypatch.setattr(door, "SILENCE", 0.02)
    app.config.KEEP_ALIVE_TIMEOUT = 0.05
    mount(app)
    server = await live()
    peers.append(await asyncio.open_connection(server.host, server.port))

    async with asyncio.timeout(30):
        assert await peers[0][0].read() == b""


async def test_who_says_nothing_at_first_gets_in_all_the_same(
    app: App, live: Live, peers: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "SILENCE", 0.02)
    handed_over = asyncio.Event()
    known = door.Door.hand_over

    def hand_over(self: door.Door, verdict: object) -> None:
        known(self, verdict)
        handed_over.set()

    monkeypatch.setattr(door.Door, "hand_over", hand_over)
    mount(app)
    server = await live()
    reader, writer = peer = await asyncio.open_connection(server.host, server.port)
    peers.append(peer)
    await handed_over.wait()

    writer.write(handshake("a"))

    async with asyncio.timeout(30):
        await reader.readuntil(b"welcome")


# ---- who comes in ----


class Asked(Authenticator):
    """Waits until it may answer, and counts."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.times = 0
        self.cancelled = False
        self.raises: Exception | None = None

    async def authenticate(self, credentials: Any, handshake: Any) -> User:
        self.times += 1
        self.asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.raises is not None:
            raise self.raises
        return User("ada", "Ada")


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def chat(app: App, asked: Asked) -> ChatRooms:
    return mount(app, guests=False, auth=asked)


@pytest.mark.parametrize(
    ("raised", "status"),
    [(Unauthenticated("no"), 401), (Forbidden("no"), 403), (LookupError("a defect"), 401)],
)
async def test_who_is_refused_was_asked_once(
    app: App, chat: ChatRooms, connect: Connect, asked: Asked, raised: Exception, status: int
) -> None:  # fmt: skip
    asked.raises = raised
    asked.may_answer.set()

    answer = await connect.refused(token="any")

    assert answer.status == status
    assert asked.times == 1
    assert not mounted_in(app)["default"].arriving


async def test_what_the_app_does_with_errors_is_done_behind_the_door_too(
    app: App, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise LookupError("a defect")

    monkeypatch.setattr(connecting, "admit", fail)
    mount(app)
    app.error_handler.add(LookupError, lambda _, problem: text(str(problem), status=418))

    async def sign(_: Request, response: Any) -> None:
        response.headers["X-Signed"] = "yes"

    app.register_middleware(sign, "response")
    answer = await connect.refused(token="any")

    assert (answer.status, answer.text, answer.headers["x-signed"]) == (418, "a defect", "yes")


async def test_who_leaves_before_the_answer_is_awaited_no_more(
    app: App, chat: ChatRooms, live: Live, asked: Asked
) -> None:
    server = await live()
    _, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(handshake("a", token="any"))
    await asked.asked.wait()
    mounted = mounted_in(app)["default"]
    assert len(mounted.arriving) == 1
    # Nobody reads now, so an end is not seen, but a reset is: as behind Sanic.
    writer.transport.abort()
    asked.may_answer.set()

    async with asyncio.timeout(30):
        while mounted.arriving or len(chat.running().sessions):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
    assert not mounted.by_ip


async def test_a_server_that_ends_awaits_who_is_coming_in(
    app: App, chat: ChatRooms, live: Live, connect: Connect, asked: Asked
) -> None:
    server = await live()
    coming = asyncio.ensure_future(connect(token="any"))
    await asked.asked.wait()

    ending = asyncio.ensure_future(server.stop())
    async with asyncio.timeout(30):
        while not chat.running().draining:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
    asked.may_answer.set()

    ada = await coming
    assert (await ada.closed())[0] == 1012
    await ending


class Held(Turns):
    """It is nobody's turn until the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.someone = asyncio.Event()

    def _next(self) -> None:
        self.someone.set()

    def go_on(self) -> None:
        while self.waiting:
            self.waiting.popleft()()


@pytest.fixture
async def server(chat: ChatRooms, live: Live) -> LiveServer:
    return await live()


@pytest.fixture
def held(app: App, server: LiveServer) -> Held:
    held = mounted_in(app)["default"].turns = Held()
    return held


async def test_who_finds_too_many_waiting_gets_503(
    app: App, server: LiveServer, connect: Connect, asked: Asked
) -> None:
    mounted_in(app)["default"].turns = Turns(most=0)

    answer = await connect.refused(token="any")

    assert answer.status == 503
    assert asked.times == 0


async def test_a_server_that_ends_answers_who_waits_at_the_door(
    chat: ChatRooms, server: LiveServer, held: Held, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounting, "LINGER", 0.0)
    still_waits = asyncio.Event()
    monkeypatch.setattr(chat.running(), "send_away", still_waits.set)
    coming = asyncio.ensure_future(connect.refused(token="any"))
    await held.someone.wait()

    ending = asyncio.ensure_future(server.stop())
    async with asyncio.timeout(30):
        await still_waits.wait()
    held.go_on()

    assert (await coming).status == 503
    await ending


@pytest.mark.skipif(not hasattr(select, "POLLRDHUP"), reason="only Linux tells")
async def test_who_gives_up_while_waiting_is_not_admitted(
    server: LiveServer, held: Held, asked: Asked
) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(handshake("a", token="any"))
    await held.someone.wait()
    waiting: Any = held.waiting[0].__self__  # type: ignore[attr-defined]

    writer.write_eof()
    async with asyncio.timeout(30):
        while not is_gone(waiting._transport):  # noqa: ASYNC110 - uvloop does it at the end of a turn
            await asyncio.sleep(0)
        held.go_on()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    assert asked.times == 0


async def test_a_connection_that_is_lost_at_its_start_is_forgotten(
    app: App, live: Live, open_raw: OpenRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its user is introduced, which may take a while with a presence on another machine."""
    chat = mount(app)
    await live()
    commands = chat.running().commands
    introduce, lost = commands.introduce, asyncio.Event()

    async def slowly(session: Any, *arguments: Any, **others: Any) -> None:
        await lost.wait()
        await introduce(session, *arguments, **others)

    monkeypatch.setattr(commands, "introduce", slowly)
    raw = await open_raw()
    (session,) = chat.running().sessions
    connection: Any = session.connection
    await raw.close()
    async with asyncio.timeout(30):
        connection._transport.resume_reading()  # so that the loss is seen
        while connection in connection._connections:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
        lost.set()
        while len(chat.running().sessions):  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    assert not mounted_in(app)["default"].by_ip


async def test_a_defect_at_the_start_ends_the_connection_and_stands_in_the_log(
    app: App, live: Live, open_raw: OpenRaw, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    chat = mount(app)
    await live()

    async def fail(*_: Any, **__: Any) -> None:
        raise LookupError("a defect")

    monkeypatch.setattr(chat.running().commands, "introduce", fail)
    raw = await open_raw()

    assert await raw.ended() == b""
    assert "LookupError: a defect" in caplog.text
    assert not mounted_in(app)["default"].by_ip
    assert not list(chat.running().sessions)
    assert [r.levelno for r in caplog.records if r.name.startswith("sanic_chatrooms")] == [logging.ERROR]
