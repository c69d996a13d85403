"""The servers and clients of `tests/support` do what the other tests rely on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import uvloop
from sanic import Request, Sanic, Websocket, response

from tests.support.client import Client, Closed
from tests.support.fixtures import Connect, Live, SubprocessServer
from tests.support.process import free_port, start_command
from tests.support.server import http_request, new_app

ECHO = textwrap.dedent(
    """
    import os
    from sanic import Sanic, response
    from sanic_chatrooms.web.workers.ending import end_between_questions

    app = Sanic("Echo")

    @app.main_process_ready
    async def may_be_told_at_any_moment(app):  # Sanic alone fails in some of them
        end_between_questions(app.manager)

    @app.get("/")
    async def pid(request):
        return response.text(str(os.getpid()))
    """
)


async def chat(request: Request, ws: Websocket) -> None:
    """Answers in the manner of the protocol, as far as the client is concerned."""
    while True:
        text = await ws.recv()
        assert isinstance(text, str)
        frame = json.loads(text)
        if frame["type"] == "bye":
            await ws.close(4503, "as you wish")
            return
        if frame["type"] == "say":
            await ws.send(
                json.dumps({"type": "said", "room": frame.get("room"), "payload": frame["payload"]})
            )
        kind = {"ping": "pong", "wrong": "error"}.get(frame["type"], "ack")
        await ws.send(json.dumps({"type": kind, "replyTo": frame["msgId"], "payload": {"code": "wrong"}}))


async def close_by_code(ws: Client, code: int) -> None:
    assert await ws.closed() == (code, "as you wish")
    assert not ws.is_open
    assert ws.close_code == code


@pytest.fixture(autouse=True)
def _routes(app: Sanic[Any, Any]) -> None:
    app.add_websocket_route(chat, "/chat/ws")

    @app.get("/hello")
    async def hello(request: Request) -> response.HTTPResponse:
        return response.text(request.headers.get("x-name", "nobody"), headers={"X-Seen": "yes"})

    @app.on_request
    async def keep_out(request: Request) -> response.HTTPResponse | None:
        if request.token == "stranger":
            return response.text("not you", status=403)
        return None


async def test_runs_on_both_loops(request: pytest.FixtureRequest) -> None:
    wanted = uvloop.Loop if "uvloop" in request.node.name else asyncio.SelectorEventLoop

    assert type(asyncio.get_running_loop()) in {wanted, asyncio.SelectorEventLoop, uvloop.Loop}
    assert isinstance(asyncio.get_running_loop(), wanted)


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_marker_chooses_the_loop() -> None:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)


async def test_http(live: Live) -> None:
    server = await live()

    answer = await server.get("/hello", x_name="Ada")
    missing = await server.get("/nothing")

    assert (answer.status, answer.text, answer.headers["x-seen"]) == (200, "Ada", "yes")
    assert missing.status == 404


async def test_replies_find_their_commands(connect: Connect) -> None:
    client = await connect()

    first, second = await client.send("join"), await client.send("ping")

    assert (await client.reply(second))["type"] == "pong"
    assert (await client.reply(first))["type"] == "ack"
    assert (await client.error("wrong"))["code"] == "wrong"


async def test_events_are_taken_once_and_in_order(connect: Connect) -> None:
    client = await connect()
    for n in (1, 2, 3):
        await client.ack("say", room="a" if n < 3 else "b", payload={"n": n})

    third = await client.expect("said", room="b")
    rest = await client.expect_many("said", 2)

    assert [frame["payload"]["n"] for frame in (*rest, third)] == [1, 2, 3]
    assert client.unread() == []
    assert [frame["type"] for frame in client.frames] == ["said", "ack"] * 3


async def test_waiting_in_vain_says_what_came(connect: Connect) -> None:
    client = await connect()
    await client.ack("say", payload={})

    with pytest.raises(TimeoutError, match=r"'type': 'other'.*unread.*said"):
        await client.expect("other", within=0.05)


async def test_settle_brings_what_was_sent_before(connect: Connect) -> None:
    client = await connect()
    await client.send("say", payload={})

    await client.settle()

    assert len(client.unread("said")) == 1
    assert client.unread("pong") == []


async def test_close_code_reaches_the_test(connect: Connect) -> None:
    client = await connect()

    await client.send("bye")

    await close_by_code(client, 4503)
    with pytest.raises(Closed, match="4503"):
        await client.expect("anything")


async def test_refused_handshake(connect: Connect) -> None:
    refusal = await connect.refused(token="stranger")

    assert (refusal.status, refusal.text) == (403, "not you")


async def test_client_may_vanish(connect: Connect) -> None:
    client = await connect()

    await client.abort()

    assert client.close_code == 1006


async def test_two_servers_in_one_loop(live: Live, connect: Connect) -> None:
    other = new_app()
    other.add_websocket_route(chat, "/chat/ws")

    one, two = await live(), await live(other)
    clients = [await connect(server=one), await connect(server=two)]

    assert one.port != two.port
    for client in clients:
        await client.ack("join")
    Sanic.unregister_app(other)


async def test_server_starts_again_on_its_port(live: Live, connect: Connect) -> None:
    server = await live()
    client = await connect()

    await server.stop()
    await client.closed()
    again = await live(port=server.port)

    assert again.port == server.port
    await (await connect(server=again)).ack("join")


async def test_subprocess_with_two_workers(subprocess_server: SubprocessServer, tmp_path: Path) -> None:
    app_file = tmp_path / "echo_app.py"
    app_file.write_text(ECHO)

    server = await subprocess_server(app_file, workers=2)

    assert len(set(server.workers)) == 2
    assert await asyncio.to_thread(server.stop) == 0, server.output


async def test_killing_a_subprocess_takes_its_workers(
    subprocess_server: SubprocessServer, tmp_path: Path
) -> None:
    app_file = tmp_path / "echo_app.py"
    app_file.write_text(ECHO)
    server = await subprocess_server(app_file, workers=2)

    code = await asyncio.to_thread(server.kill)

    assert code == -9
    with pytest.raises(ConnectionRefusedError):
        await ask_until_refused(server.port)


async def ask_until_refused(port: int) -> None:
    """A connection that waited for the last worker when that ended is reset. No request may be answered."""
    while True:
        with contextlib.suppress(ConnectionResetError):
            await http_request("127.0.0.1", port, "GET", "/")
            pytest.fail("a worker has answered")


def test_server_that_cannot_start_shows_its_output() -> None:
    with pytest.raises(RuntimeError, match="so long"):
        start_command([sys.executable, "-c", "print('so long')"], free_port())
