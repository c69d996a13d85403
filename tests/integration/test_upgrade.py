"""The upgrade itself: no way to a socket passes the door by, and whatever is asked of it is answered without a traceback."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import Sanic
from sanic_ext import Extend

from tests.support.fixtures import Connect, Live
from tests.support.server import LiveServer
from tests.support.wire import SECRET, mount

App = Sanic[Any, Any]
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
]
PING = b"\x89\x00"
EVIL = ("Origin", "http://evil.example")


@pytest.fixture(autouse=True)
def errors() -> Iterator[list[str]]:
    """What Sanic, websockets and we had to complain of; nothing, in every test here."""
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(logging.Formatter().format(record))  # type: ignore[method-assign]
    loggers = [
        logging.getLogger(name)
        for name in ("sanic.error", "sanic.root", "sanic.websockets", "sanic_chatrooms", "asyncio")
    ]
    for logger in loggers:
        logger.addHandler(handler)
    yield heard
    for logger in loggers:
        logger.removeHandler(handler)
    assert heard == []


def request(
    server: LiveServer,
    headers: list[tuple[str, str]],
    method: str = "GET",
    path: str = "/chat/ws",
    version: str = "1.1",
) -> bytes:
    """A request, byte for byte."""
    lines = [("Host", f"{server.host}:{server.port}"), *headers]
    head = f"{method} {path} HTTP/{version}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines) + "\r\n"
    return head.encode("latin-1")


async def ask(
    server: LiveServer,
    headers: list[tuple[str, str]],
    *,
    method: str = "GET",
    path: str = "/chat/ws",
    version: str = "1.1",
) -> tuple[int, str]:
    """Send a request; -> the status and the head of what the server says to it."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        async with asyncio.timeout(30):
            writer.write(request(server, headers, method, path, version))
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            return int(answer.split(" ")[1]), answer.lower()
    finally:
        writer.close()


# ---- no way past the door ----


@pytest.fixture
def extended(app: App) -> App:
    """With sanic-ext, which adds a HEAD and an OPTIONS to every route."""
    Extend(app)
    return app


METHODS = ["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"]


@pytest.mark.parametrize("method", METHODS)
async def test_no_other_method_leads_to_a_socket(extended: App, live: Live, method: str) -> None:
    chat = mount(extended, guests=False, jwt_secret=SECRET)
    server = await live()

    answers = {
        (await ask(server, headers, method=method, path=path))[0]
        for path in ("/chat/ws", "/chat/ws/general")
        for headers in ([], UPGRADE, [*UPGRADE, EVIL])
    }

    assert answers <= ({204} if method == "OPTIONS" else {405, 426})
    assert len(chat.running().sessions) == 0


async def test_a_route_that_somebody_puts_beside_ours_asks_at_the_door_too(app: App, live: Live) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET)
    ours = next(route for route in app.router.routes if route.path == "chat/ws")
    app.add_route(ours.handler, "/side", name="side")
    server = await live()

    plain, _ = await ask(server, [], path="/side")
    foreign, _ = await ask(server, [*UPGRADE, EVIL], path="/side")
    bad, _ = await ask(server, [*UPGRADE, ("Authorization", "Bearer nonsense")], path="/side")

    assert (plain, foreign, bad) == (426, 403, 401)
    assert len(chat.running().sessions) == 0


async def test_a_route_that_comes_late_moves_no_door(app: App, live: Live) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET)
    chat.add_route("/desk")
    server = await live()

    for path in ("/chat/ws", "/chat/ws/general", "/chat/desk"):
        assert (await ask(server, [], path=path))[0] == 426
        assert (await ask(server, [*UPGRADE, EVIL], path=path))[0] == 403


async def test_what_the_app_answers_before_us_is_the_answer(app: App, live: Live) -> None:
    from sanic import text

    mount(app)

    @app.on_request
    async def closed(_: Any) -> Any:
        return text("closed on Sundays", status=503)

    server = await live()

    assert (await ask(server, UPGRADE))[0] == 503


# ---- lists (RFC 9110 §5.3, §7.6.1, §7.8) ----


def but(name: str, *values: str) -> list[tuple[str, str]]:
    """The headers of an upgrade with these values for one of them, a line each."""
    return [line for line in UPGRADE if line[0].lower() != name.lower()] + [(name, value) for value in values]


AN_UPGRADE = [
    but("Connection", "keep-alive", "Upgrade"),
    but("Connection", "Upgrade", "keep-alive"),
    but("Connection", "keep-alive, Upgrade"),
    but("Connection", "keep-alive , upgrade,"),
    but("Connection", ",,UPGRADE,,"),
    but("Connection", "Upgrade", "Upgrade"),
    but("Connection", "x-one", "x-two, x-three", "upgrade"),
    but("Upgrade", "websocket, foo"),
    but("Upgrade", "foo, websocket"),
    but("Upgrade", "h2c", "websocket"),
    but("Upgrade", "WebSocket"),
    but("Upgrade", "HTTP/2.0, IRC/6.9, RTA/x11, websocket"),
    but("Upgrade", "websocket", "websocket"),
    but("Sec-WebSocket-Version", " 13 "),
    [*UPGRADE, ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")],
    [*UPGRADE, ("Sec-WebSocket-Extensions", "a"), ("Sec-WebSocket-Extensions", 'b; c="d"')],
    [*UPGRADE, ("Sec-WebSocket-Extensions", ';;=="')],
    [*UPGRADE, ("Sec-WebSocket-Protocol", "chatrooms.v1, chatrooms.v1")],
    [*UPGRADE, ("Sec-WebSocket-Protocol", '"\xff", {}')],
    [*UPGRADE, ("Sec-WebSocket-Accept", "x"), ("Cookie", "=;;\xff"), ("Accept-Language", "\xe9")],
]


async def test_an_upgrade_among_other_things_is_one(app: App, live: Live) -> None:
    mount(app)
    server = await live()

    for headers in AN_UPGRADE:
        status, head = await ask(server, headers)

        assert status == 101, headers
        assert "\r\nupgrade: websocket\r\n" in head
        assert "sec-websocket-extensions" not in head


async def test_a_connection_that_was_asked_for_in_a_list_outlives_the_time_limits_of_http(
    app: App, live: Live
) -> None:
    """Sanic reads but the first name, and would take this for a request that is never answered."""
    app.config.RESPONSE_TIMEOUT = app.config.REQUEST_TIMEOUT = app.config.KEEP_ALIVE_TIMEOUT = 0.2
    mount(app, heartbeat_interval=0.5, heartbeat_timeout=20)
    server = await live()

    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(request(server, but("Upgrade", "foo, websocket")))
        async with asyncio.timeout(30):
            await reader.readuntil(b"welcome")
            await reader.readuntil(PING)
    finally:
        writer.close()


# ---- what is none ----


NO_UPGRADE = [
    ([], 426),
    (but("Upgrade"), 426),
    (but("Upgrade", ""), 426),
    (but("Upgrade", "h2c"), 426),
    (but("Upgrade", "websocketx"), 426),
    (but("Upgrade", "websocket/13"), 426),
    (but("Upgrade", "web socket"), 426),
    (but("Upgrade", "\xff"), 426),
    (but("Connection"), 426),
    (but("Connection", "keep-alive"), 426),
    (but("Connection", "Upgraded"), 426),
    (but("Connection", '"Upgrade"'), 426),
    (but("Sec-WebSocket-Version"), 426),
    (but("Sec-WebSocket-Version", "13", "13"), 426),
    (but("Sec-WebSocket-Version", "13, 13"), 426),
    (but("Sec-WebSocket-Version", "013"), 426),
    (but("Sec-WebSocket-Version", "-1"), 426),
    (but("Sec-WebSocket-Version", "\xb9\xb3"), 426),
    (but("Sec-WebSocket-Version", "1" * 5000), 426),
    (but("Sec-WebSocket-Key"), 400),
    (but("Sec-WebSocket-Key", KEY, KEY), 400),
    (but("Sec-WebSocket-Key", f"{KEY}, {KEY}"), 400),
    (but("Sec-WebSocket-Key", KEY[:-1]), 400),
    (but("Sec-WebSocket-Key", "=" * 24), 400),
    (but("Sec-WebSocket-Key", "A" * 4000), 400),
    (but("Sec-WebSocket-Key", "\xe9" * 24), 400),
    (but("Sec-WebSocket-Key", "AAAAAAAA AAAAAAAAAAAAA=="), 400),
    ([*UPGRADE, ("Content-Length", "5")], 400),
    ([*UPGRADE, ("Content-Length", "1000000")], 400),
    ([*UPGRADE, ("Transfer-Encoding", "chunked")], 400),
]


async def test_what_is_no_upgrade_is_told_so(app: App, live: Live) -> None:
    chat = mount(app)
    server = await live()

    for headers, expected in NO_UPGRADE:
        status, _ = await ask(server, headers)

        assert status == expected, headers
        assert len(chat.running().sessions) == 0


async def test_http_1_0_cannot_be_upgraded(app: App, live: Live) -> None:
    mount(app)
    server = await live()

    assert (await ask(server, UPGRADE, version="1.0"))[0] == 426


async def test_an_upgrade_with_a_length_of_nothing_is_one(app: App, live: Live) -> None:
    mount(app)
    server = await live()

    assert (await ask(server, [*UPGRADE, ("Content-Length", "0")]))[0] == 101


GARBAGE = [
    "",
    " ",
    ",",
    "\xff\xfe",
    "\x01",
    "\t",
    "a" * 3000,
    '"',
    "=;=",
    "13",
    "websocket",
    "Upgrade",
    KEY,
    "%00",
    "{}",
    "bearer.",
    "\x7f",
]
NAMES = ["Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key", "Sec-WebSocket-Extensions",
         "Sec-WebSocket-Protocol", "Origin", "Cookie", "Authorization", "Content-Length", "Transfer-Encoding", "Expect",
         "Forwarded", "X-Forwarded-For", "Host", "Content-Type"]  # fmt: skip
QUERIES = [
    "",
    "?",
    "?token=%ff",
    "?history=%00&since=:",
    "?a=1&a=2&=&&",
    "?since=%ud800",
    "?history=" + "9" * 400,
    "?%",
]


@pytest.mark.parametrize("seed", range(4))
async def test_a_handshake_of_garbage_is_answered(app: App, live: Live, connect: Connect, seed: int) -> None:
    mount(app, jwt_secret=SECRET, token_cookie="c", token_query="token")
    server = await live()
    chance = random.Random(seed)

    for _ in range(100):
        headers = [line for line in UPGRADE if chance.random() < 0.9]
        headers += [(chance.choice(NAMES), chance.choice(GARBAGE)) for _ in range(chance.randrange(4))]
        path = chance.choice(["/chat/ws", "/chat/ws/%ff", "/chat/ws/%00", "/chat/ws/a%2fb"]) + chance.choice(
            QUERIES
        )
        status, _ = await ask(server, headers, path=path)
        assert status in (101, 400, 401, 403, 404, 413, 417, 426), (status, path, headers)

    await (await connect()).settle()
