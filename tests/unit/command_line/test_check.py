"""`check` before deployments that are broken, each in one way: it names what is wrong, and what to do."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from sanic import Request, Sanic
from sanic.response import HTTPResponse, text
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from sanic_chatrooms import ChatRooms, MemoryBroker, MemoryStore
from sanic_chatrooms.auth import claims
from sanic_chatrooms.command_line.check.run import Report, Step, examine
from sanic_chatrooms.command_line.check.upgrade import upgrade
from sanic_chatrooms.command_line.check.visit import Visit, Wrong
from sanic_chatrooms.command_line.main import main
from sanic_chatrooms.testing import FaultyBroker, FaultyStore
from sanic_chatrooms.wire import encode
from tests.support.accepting import accept_no_more
from tests.support.fixtures import Live
from tests.support.process import free_port
from tests.support.relay import Relay, relay, without_upgrade
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
HOUR = 3600.0


async def look(url: str, **how: Any) -> Report:
    """A check that watches no quiet connection, unless `how` says so."""
    async with asyncio.timeout(50):
        return await examine(Visit(**{"url": url, "tries": 2, "watch": 0.0, "timeout": 20.0, **how}))


async def wrong(url: str, **how: Any) -> Step:
    """The first step that finds something wrong."""
    report = await look(url, **how)
    assert not report.ok
    return next(step for step in report.steps if not step.ok)


def steps(report: Report) -> list[str]:
    return [step.step for step in report.steps]


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app)


# ---- nothing is wrong ----


async def test_where_nothing_is_wrong_every_step_says_so_and_nothing_stays_behind(
    app: App, chat: ChatRooms, live: Live
) -> None:
    server = await live()

    report = await look(f"{server.url}/chat", watch=0.2)

    assert report.ok, report
    assert steps(report) == ["name", "tcp", "upgrade", "auth", "join", "echo", "heartbeat", "clock"]
    assert all(step.ms >= 0 and step.advice is None for step in report.steps)
    assert (await app.ctx.chatrooms["default"].all_rooms()).rooms == []


@pytest.mark.parametrize("path", ["", "/", "/chat/", "/chat/ws", "/chat/ws/general"])
async def test_the_address_may_be_the_prefix_or_the_socket(chat: ChatRooms, live: Live, path: str) -> None:
    server = await live()

    assert (await look(server.ws_url + path)).ok


async def test_in_a_room_that_is_named_a_message_is_sent_and_deleted_and_the_membership_ends(
    app: App, live: Live
) -> None:
    mount(app, guests=False, jwt_secret=SECRET)
    server = await live()
    chat = app.ctx.chatrooms["default"]
    await chat.create_room("probe")

    report = await look(f"{server.url}/chat", room="probe", token=token("u1", name="Ada"))

    assert report.ok, report
    details = {step.step: step.detail for step in report.steps}
    assert "as Ada (u1)" in details["auth"]
    assert "came back" in details["echo"]
    async with asyncio.timeout(40):
        while (await chat.members("probe")).total:  # the last commands of the visit  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    [message] = (await chat.history("probe")).messages
    assert message["deleted"]


async def test_who_may_create_no_room_sends_a_ping_in_the_place_of_a_message(app: App, live: Live) -> None:
    mount(app, guests_create_rooms=False)
    server = await live()

    report = await look(f"{server.url}/chat")

    assert report.ok, report
    details = {step.step: step.detail for step in report.steps}
    assert "--room" in details["join"]
    assert "a ping came back" in details["echo"]


# ---- the twelve ----


async def test_a_wrong_name() -> None:
    found = await wrong("https://nowhere.invalid/chat")

    assert found.step == "name"
    assert "nowhere.invalid" in found.detail
    assert found.advice


async def test_a_port_that_is_closed() -> None:
    port = free_port()

    found = await wrong(f"http://127.0.0.1:{port}/chat")

    assert found.step == "tcp"
    assert f"nothing listens on port {port}" in found.detail
    assert "--host 0.0.0.0" in str(found.advice)


@asynccontextmanager
async def behind_tls(
    port: int, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "localhost", **certificate: Any
) -> AsyncIterator[tuple[str, Relay]]:
    """A proxy with TLS, whose authority this process trusts, and the chat's address there."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **certificate).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    async with relay(port, tls=context) as proxy:
        yield f"https://localhost:{proxy.port}/chat", proxy


async def test_a_certificate_that_has_expired(
    chat: ChatRooms, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await live()
    ended = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
    async with behind_tls(server.port, tmp_path, monkeypatch, not_after=ended) as (url, _):
        found = await wrong(url)

    assert (found.step, found.detail) == ("tls", "the certificate has expired")
    assert "Renew it" in str(found.advice)


async def test_a_proxy_without_upgrade(chat: ChatRooms, live: Live) -> None:
    server = await live()
    async with relay(server.port) as proxy:
        proxy.change = without_upgrade
        found = await wrong(f"http://127.0.0.1:{proxy.port}/chat")

    assert found.step == "upgrade"
    assert "without its upgrade: a proxy drops it" in found.detail
    assert "proxy_set_header Upgrade $http_upgrade" in str(found.advice)


async def test_a_proxy_that_cuts_quiet_connections(chat: ChatRooms, live: Live) -> None:
    server = await live()
    async with relay(server.port) as proxy:
        # From the last connection on, which is the one that is watched.
        found = await wrong(
            f"http://127.0.0.1:{proxy.port}/chat",
            watch=60.0,
            waiting=lambda what: setattr(proxy, "silent", 0.3),
        )

    assert found.step == "heartbeat"
    assert "a quiet connection is cut after" in found.detail
    assert "proxy_read_timeout" in str(found.advice)
    assert "CHATROOMS_HEARTBEAT_INTERVAL" in str(found.advice)


async def test_an_origin_that_is_refused(app: App, live: Live) -> None:
    mount(app, allowed_origins=["https://elsewhere.example"])
    server = await live()

    found = await wrong(f"{server.url}/chat")

    assert (found.step, found.detail) == ("upgrade", f"pages of {server.url} may not connect")
    assert f'"{server.url}" to CHATROOMS_ALLOWED_ORIGINS' in str(found.advice)


async def test_a_token_that_has_expired(app: App, live: Live) -> None:
    mount(app, guests=False, jwt_secret=SECRET)
    server = await live()

    found = await wrong(f"{server.url}/chat", token=token("u1", expires_in=-2 * HOUR))

    assert (found.step, found.detail) == ("auth", "the token expired 2 h ago")
    assert "sanic_chatrooms token" in str(found.advice)


@pytest.fixture
def clock_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's clock is two hours ahead: what it stamps, and what it holds tokens against."""
    monkeypatch.setattr(encode, "now", lambda: time.time() + 2 * HOUR)
    monkeypatch.setattr(claims, "time", SimpleNamespace(time=lambda: time.time() + 2 * HOUR))


async def test_a_clock_that_is_off(chat: ChatRooms, live: Live, clock_ahead: None) -> None:
    server = await live()

    found = await wrong(f"{server.url}/chat")

    assert (found.step, found.detail) == ("clock", "the server's clock is 2 h ahead of this machine's")
    assert "NTP" in str(found.advice)


async def test_a_clock_that_is_off_where_tokens_are_refused_for_it(
    app: App, live: Live, clock_ahead: None
) -> None:
    mount(app, guests=False, jwt_secret=SECRET)
    server = await live()

    report = await look(f"{server.url}/chat", token=token("u1", expires_in=HOUR))

    found = {step.step: step for step in report.steps if not step.ok}
    assert found.keys() == {"auth", "clock"}
    assert "by the clock of this machine" in found["auth"].detail
    assert "NTP" in str(found["auth"].advice)
    assert "2 h ahead" in found["clock"].detail


@pytest.mark.parametrize("path", ["/talk", "/talk/ws"])
async def test_a_path_that_is_wrong(chat: ChatRooms, live: Live, path: str) -> None:
    server = await live()

    found = await wrong(server.url + path)

    assert found.step == "upgrade"
    assert "there is nothing at /talk/ws (HTTP 404)" in found.detail
    assert f"A chat answers at {server.url}/chat" in str(found.advice)


async def test_a_network_that_lets_only_server_sent_events_pass(app: App, live: Live) -> None:
    mount(app, guests=False, jwt_secret=SECRET, api=True)
    server = await live()
    await app.ctx.chatrooms["default"].create_room("general")
    async with relay(server.port) as proxy:
        proxy.change = lambda head: None if b"websocket" in head.lower() else head
        found = await wrong(f"http://127.0.0.1:{proxy.port}/chat", token=token("u1"))

    assert found.step == "upgrade"
    assert found.detail.startswith("WebSockets do not pass, and server-sent events do")
    assert "/chat/api" in str(found.advice)


@pytest.mark.parametrize(("guest", "step"), [(True, "upgrade"), (False, "auth")])
async def test_a_store_that_is_down(app: App, live: Live, guest: bool, step: str) -> None:
    store = FaultyStore(MemoryStore())
    mount(app, store=store, guests=guest, jwt_secret=SECRET)
    server = await live()
    store.fail_next(10_000)

    found = await wrong(f"{server.url}/chat", token=None if guest else token("u1"))

    assert (found.step, found.detail) == (step, "the store does not answer")
    assert "CHATROOMS_STORE" in str(found.advice)


async def test_a_store_that_goes_down_meanwhile(app: App, live: Live) -> None:
    store = FaultyStore(MemoryStore())
    mount(app, store=store, store_timeout=0.5)
    server = await live()
    await app.ctx.chatrooms["default"].create_room("general")
    store.fail_next(10_000, "append")

    found = await wrong(f"{server.url}/chat", room="general")

    assert found.step == "echo"
    assert "no message can be stored" in found.detail


async def test_half_of_the_workers_dead(chat: ChatRooms, live: Live) -> None:
    server = await live()
    async with relay(server.port, free_port()) as proxy:
        found = await wrong(f"http://127.0.0.1:{proxy.port}/chat", tries=4)

    assert found.step == "upgrade"
    assert "2 of 4 connections failed: HTTP 502" in found.detail
    assert "/ready" in str(found.advice)


# ---- more of what goes wrong ----


async def test_a_certificate_for_another_name(
    chat: ChatRooms, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await live()
    async with behind_tls(server.port, tmp_path, monkeypatch, name="other.example") as (url, _):
        found = await wrong(url)

    assert found.step == "tls"
    assert "is not for localhost" in found.detail


async def test_a_certificate_of_nobody_known(
    chat: ChatRooms, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await live()
    async with behind_tls(server.port, tmp_path, monkeypatch) as (url, _):
        monkeypatch.delenv("SSL_CERT_FILE")
        found = await wrong(url)

    assert found.step == "tls"
    assert "SSL_CERT_FILE" in str(found.advice)


async def test_a_certificate_that_ends_soon_is_mentioned(
    app: App, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=5, minutes=-1)
    async with behind_tls(0, tmp_path, monkeypatch, not_after=ends) as (url, proxy):
        mount(app, allowed_origins=[url.removesuffix("/chat")])
        server = await live()
        proxy.targets = (server.port,)
        report = await look(url)

    assert report.ok, report
    assert "only 4 d 23 h left" in report.steps[2].detail


async def test_a_port_without_tls() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        found = await wrong(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/chat")
        await accept_no_more(server.sockets)

    assert found.step == "tls"
    assert "does not speak TLS" in found.detail


async def test_no_token_where_there_are_no_guests(app: App, live: Live) -> None:
    mount(app, guests=False, jwt_secret=SECRET)
    server = await live()

    found = await wrong(f"{server.url}/chat")

    assert (found.step, found.detail) == ("auth", "the chat lets nobody in without a token")
    assert "CHATROOMS_TOKEN" in str(found.advice)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("no-token", "it is no JSON Web Token"),
        (token("u1", secret="x" * 40, aud="shop"), "the token is not accepted"),
        (token("u1", iat=time.time() + HOUR), "the clocks differ"),
    ],
)
async def test_a_token_that_is_not_accepted(app: App, live: Live, shown: str, said: str) -> None:
    mount(app, guests=False, jwt_secret=SECRET)
    server = await live()

    found = await wrong(f"{server.url}/chat", token=shown)

    assert found.step == "auth"
    assert said in found.detail
    assert found.advice


async def test_a_room_that_is_not_there_is_not_made(app: App, chat: ChatRooms, live: Live) -> None:
    server = await live()

    found = await wrong(f"{server.url}/chat", room="nowhere")

    assert found.step == "join"
    assert "there is no room nowhere" in found.detail
    assert await app.ctx.chatrooms["default"].room("nowhere") is None


async def test_a_broker_that_is_down(app: App, live: Live) -> None:
    broker = FaultyBroker(MemoryBroker())
    mount(app, broker=broker)
    server = await live()
    broker.down()

    found = await wrong(f"{server.url}/chat")

    assert "the broker does not answer" in found.detail
    assert "CHATROOMS_BROKER" in str(found.advice)


async def test_a_proxy_that_keeps_frames_back(chat: ChatRooms, live: Live) -> None:
    server = await live()
    async with relay(server.port) as proxy:
        proxy.mute = True
        with pytest.raises(Wrong, match="nothing comes through within 2 s"):
            await upgrade(Visit(url=f"http://127.0.0.1:{proxy.port}/chat", timeout=2.0, tries=1))


async def test_a_proxy_that_cuts_websockets_and_nothing_else(chat: ChatRooms, live: Live) -> None:
    server = await live()
    async with relay(server.port) as proxy:
        proxy.change = lambda head: None if b"websocket" in head.lower() else head
        found = await wrong(f"http://127.0.0.1:{proxy.port}/chat")

    assert found.step == "upgrade"
    assert "though plain requests are" in found.detail


async def test_a_server_that_is_no_chat(app: App, live: Live) -> None:
    async def shop(request: Request) -> HTTPResponse:
        return text("a shop")

    app.add_route(shop, "/")
    server = await live()

    found = await wrong(f"{server.url}/chat")

    assert found.step == "upgrade"
    assert "there is nothing at /chat/ws" in found.detail
    assert "the prefix of the blueprint" in str(found.advice)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("[" * 100_000, "it is no chat"),
        ('{"type": "pong", "timestamp": 1' + "0" * 400 + "}", "an answer that no chat gives"),
    ],
)
async def test_a_server_that_answers_what_no_chat_does(answer: str, said: str) -> None:
    async def talk(ws: ServerConnection) -> None:
        async for _ in ws:
            await ws.send(answer)

    async with serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("chatrooms.v1")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        found = await wrong(f"http://127.0.0.1:{port}/chat")

    assert found.step == "upgrade"
    assert said in found.detail


# ---- the command ----


async def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = await asyncio.to_thread(main, ["check", *arguments, "--watch", "0", "--tries", "2"])
    out, err = capsys.readouterr()
    return status, out, err


async def test_the_command_prints_a_line_for_each_step(
    chat: ChatRooms, live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    server = await live()

    status, out, err = await run(capsys, f"{server.url}/chat")

    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["ok", step] for step in ("name", "tcp", "upgrade", "auth", "join", "echo", "heartbeat", "clock")
    ]
    assert lines[-1] == "Everything works."
    assert "\x1b" not in out


async def test_the_command_prints_what_to_do_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = await run(capsys, f"http://127.0.0.1:{free_port()}/chat")

    assert status == 1
    assert out.splitlines()[1].startswith("WRONG tcp")
    assert out.splitlines()[2].strip().startswith("-> Start the server")


async def test_on_a_terminal_there_are_colours_and_advice_is_wrapped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)

    status, out, _ = await run(capsys, f"http://127.0.0.1:{free_port()}/chat")

    assert status == 1
    assert "\x1b[1;31mWRONG" in out
    advice = out[out.index("Start the server") :].splitlines()
    assert len(advice) > 2
    assert all(line.startswith(" " * 30) and len(line) <= 80 for line in advice[1:])


async def test_with_json_the_report_is_one_object(
    chat: ChatRooms, live: Live, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await live()
    monkeypatch.setenv("CHATROOMS_URL", f"{server.url}/chat")

    fine = await run(capsys, "--json")
    broken = await run(capsys, f"http://127.0.0.1:{free_port()}/chat", "--json")

    assert (fine[0], broken[0]) == (0, 1)
    report = json.loads(fine[1])
    assert report["ok"] is True
    assert all(step.keys() == {"step", "ok", "ms", "detail"} for step in report["steps"])
    report = json.loads(broken[1])
    assert report["ok"] is False
    assert report["steps"][-1].keys() == {"step", "ok", "ms", "detail", "advice"}
