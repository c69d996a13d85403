"""What `check` makes of answers and failures that the servers of `test_check.py` do not give."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from sanic_chatrooms.client.dial import Refused
from sanic_chatrooms.command_line.check import entering, network, watching
from sanic_chatrooms.command_line.check.refused import explain, said
from sanic_chatrooms.command_line.check.upgrade import upgrade
from sanic_chatrooms.command_line.check.visit import Visit, Wrong
from sanic_chatrooms.errors import Banned, ChatError, Forbidden, TokenExpired, Unavailable
from tests.support.process import free_port


@pytest.fixture
def visit() -> Visit:
    """Of a server that answers no plain request either."""
    return Visit(url=f"http://127.0.0.1:{free_port()}/chat")


def stranger(status: int, **headers: str) -> Refused:
    return Refused(status, headers, b"<html>")


def of_a_chat(status: int, code: str, detail: str) -> Refused:
    body = json.dumps({"code": code, "detail": detail}).encode()
    return Refused(status, {"Content-Type": "application/problem+json"}, body)


@pytest.mark.parametrize(
    ("problem", "detail", "advice"),
    [
        (stranger(301, Location="https://b.example/"), "leads on to https://b.example/ (HTTP 301)", "Use that address"),
        (stranger(502, Server="nginx"), "finds no server behind it (HTTP 502 of nginx)", "Start the app"),
        (stranger(200), "drops the upgrade, or this is no chat (HTTP 200)", "proxy_http_version 1.1"),
        (stranger(403), "something before the chat refuses us", "firewall"),
        (stranger(404), "there is nothing at /chat/ws", "the prefix of the blueprint"),
        (stranger(500), "answers with HTTP 500", "log"),
        (of_a_chat(401, "unauthenticated", "authenticate first"), "lets nobody in without a token", "CHATROOMS_TOKEN"),
        (of_a_chat(401, "unauthenticated", "authenticate first"), "lets nobody in without a token", "Chain(JWTAuth("),
        (of_a_chat(403, "forbidden", "not you"), "the chat refuses us: not you", "log"),
        (of_a_chat(403, "banned", "you are banned"), "the chat refuses us: you are banned", "log"),
        (of_a_chat(429, "rate_limited", "too fast"), "too fast", "--tries 1"),
        (of_a_chat(503, "unavailable", "this server is full"), "this server is full", "Try again"),
        (of_a_chat(400, "bad_request", "no"), "without its upgrade", "Upgrade $http_upgrade"),
        (Unavailable("come back"), "come back", "Try again"),
        (TimeoutError(), "the handshake is not answered: no answer in time", "The worker hangs"),
        (OSError("a\x1b[2Jb"), "the handshake is not answered: a␛[2Jb", "The worker hangs"),
    ],
)  # fmt: skip
async def test_every_answer_to_a_handshake_means_something(
    visit: Visit, problem: Exception, detail: str, advice: str
) -> None:
    found = await explain(visit, problem)

    assert detail in found.detail
    assert advice in found.advice


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (stranger(502), "HTTP 502"),
        (of_a_chat(503, "unavailable", "full"), "HTTP 503 full"),
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_a_failure_in_a_few_words(problem: Exception, words: str) -> None:
    assert said(problem) == words


@pytest.mark.parametrize(
    ("problem", "detail"),
    [
        (ConnectionRefusedError(111, "no"), "nothing listens"),
        (TimeoutError(), "does not answer within 10 s"),
        (OSError(113, "no route"), "cannot be reached: no route to host"),
    ],
)
def test_every_way_in_which_a_port_is_closed(visit: Visit, problem: OSError, detail: str) -> None:
    assert detail in network._closed(visit, problem).detail


@pytest.mark.parametrize(
    ("problem", "detail"),
    [
        (TimeoutError(), "no name server says"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "no name server says"),
        (socket.gaierror(socket.EAI_NONAME, "none"), "there is no machine called"),
    ],
)
def test_every_way_in_which_a_name_is_not_known(visit: Visit, problem: OSError, detail: str) -> None:
    assert detail in network._no_name(visit, problem).detail


@pytest.mark.parametrize(
    ("code", "detail"), [(9, "not valid yet"), (23, "is not accepted: it was revoked"), (18, "nobody whom")]
)
def test_every_way_in_which_a_certificate_is_not_trusted(visit: Visit, code: int, detail: str) -> None:
    problem: Any = ssl.SSLCertVerificationError()
    problem.verify_code, problem.verify_message = code, "it was revoked"

    assert detail in network._not_trusted(visit, problem).detail


async def test_an_address_that_is_closed_is_mentioned_if_another_one_is_open(visit: Visit) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        visit.found = [("127.0.0.1", port), ("127.0.0.1", free_port())]

        assert "is open, but not at 127.0.0.1" in await network.open_port(visit)


async def test_a_port_that_says_nothing_to_a_tls_handshake_is_named() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]

        with pytest.raises(Wrong, match="does not speak TLS: no answer in time"):
            await network.shake_hands(Visit(url=f"https://127.0.0.1:{port}", timeout=0.1))


# ---- who is let in ----


@pytest.mark.parametrize(
    ("problem", "detail"),
    [
        (Banned("you are banned"), "the user of this token is banned: you are banned"),
        (Forbidden("not today"), "we are not let in: not today"),
        (Unavailable("too much to do"), "too much to do"),
        (TokenExpired(), "the token expired"),
    ],
)
async def test_every_reason_not_to_let_a_token_in(visit: Visit, problem: ChatError, detail: str) -> None:
    found = await entering._not_let_in(visit, problem)

    assert detail in found.detail
    assert found.advice


# ---- how a quiet connection ends ----


def test_a_quiet_connection_that_the_server_closes_is_not_the_fault_of_a_proxy(visit: Visit) -> None:
    found = watching._ended(ConnectionClosedError(Close(1012, "restart"), None), 12.0, visit)

    assert found.detail == "a quiet connection is closed after 12 s: 1012 restart"
    assert "proxy" not in found.advice


# ---- WebSockets that are no chats ----


@asynccontextmanager
async def socket_that(answers: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[Visit]:
    async with serve(answers, "127.0.0.1", 0) as server:
        yield Visit(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/chat", tries=1)


async def test_a_websocket_that_is_no_chat() -> None:
    async def echo(ws: ServerConnection) -> None:
        await ws.send("welcome to the shop")
        await ws.recv()
        await ws.wait_closed()

    async with socket_that(echo) as visit:
        with pytest.raises(Wrong, match="it is no chat"):
            await upgrade(visit)


@pytest.mark.parametrize(
    ("code", "detail"),
    [(4000, "the server closes it at once: 4000 no"), (1013, "no"), (None, "is cut at once")],
)
async def test_a_connection_that_is_closed_at_once(code: int | None, detail: str) -> None:
    async def close(ws: ServerConnection) -> None:
        if code is None:
            ws.transport.abort()
        else:
            await ws.close(code, "no")

    async with socket_that(close) as visit:
        with pytest.raises(Wrong) as found:
            await upgrade(visit)

    assert found.value.detail.endswith(detail)
