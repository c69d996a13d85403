"""The command line before servers that are hostile or broken: it ends, with what is wrong in a line or two, and believes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from sanic_chatrooms.command_line import answers, source
from sanic_chatrooms.command_line.check.entering import introduce
from sanic_chatrooms.command_line.check.visit import Visit
from sanic_chatrooms.command_line.main import main
from sanic_chatrooms.command_line.output import safe
from tests.support.accepting import accept_no_more

Frame = dict[str, Any]
Answer = Callable[[Frame], Any]
"""What a command is answered with: an ack's payload, or a whole text."""

WELCOME: Frame = {"type": "welcome", "payload": {"user": {"id": "u1", "name": "Ada"}}}
HEAD = {"epoch": "e", "seq": 0, "recovered": False, "messages": [], "more": False, "room": "general"}
EVIL = "\x1b]0;mine\x07\x9b31m\u202e\u2028\r\n"
DEEP = 970
"""Levels that can be read, and not written again by code that has called more functions."""


@asynccontextmanager
async def chat(answers: dict[str, Answer], *events: object) -> AsyncIterator[str]:
    """A server's URL. It answers these commands, and sends these events behind the answer to a join."""

    async def talk(ws: ServerConnection) -> None:
        await ws.send(json.dumps(WELCOME))
        async for text in ws:
            frame = json.loads(text)
            known = answers.get(frame["type"])
            answer = {**HEAD, **recovered(frame)} if known is None else known(frame)
            if not isinstance(answer, str):
                answer = json.dumps({"type": "ack", "replyTo": frame.get("msgId"), "payload": answer})
            await ws.send(answer)
            for event in events if frame["type"] == "join" else ():
                await ws.send(event if isinstance(event, str) else json.dumps(event))

    async with serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("chatrooms.v1")]) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/chat/ws"


def recovered(frame: Frame) -> Frame:
    return {"recovered": "since" in frame.get("payload", {})}


Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    async def run(*arguments: str) -> tuple[int, str, str]:
        async with asyncio.timeout(30):
            status = await asyncio.to_thread(main, arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert all(safe(line) == line for line in (*out.split("\n"), *err.split("\n")))
        return status, out, err

    return run


def error(frame: Frame, **payload: Any) -> str:
    return json.dumps({"type": "error", "replyTo": frame["msgId"], "payload": payload})


def message(seq: object, **more: Any) -> Frame:
    return {
        "type": "message",
        "room": "general",
        "seq": seq,
        "timestamp": 1.0,
        "payload": {"text": "hi"},
        **more,
    }


# ---- rooms ----


def line(room: object = "general", **more: Any) -> Frame:
    return {"room": room, "title": "", "visibility": "public", "seq": 1, **more}


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"rooms": 3},
        {"rooms": {"general": {}}},
        {"rooms": [3]},
        {"rooms": [{}]},
        {"rooms": [line(7)]},
        {"rooms": [line()], "cursor": 7},
    ],
)
@pytest.mark.parametrize("command", ["rooms", "export"])
async def test_a_list_of_rooms_that_is_none_is_not_believed(run: Run, page: Any, command: str) -> None:
    async with chat({"rooms": lambda _: page}) as url:
        status, _, err = await run(command, url)

    assert status == 1
    assert "the server's answer to rooms makes no sense" in err


async def test_fields_of_rooms_are_shown_whatever_they_are(run: Run) -> None:
    page = {"rooms": [{"room": f"a{EVIL}"}, line(title=EVIL, visibility=[EVIL], seq={"a": EVIL})]}
    async with chat({"rooms": lambda _: page}) as url:
        status, out, _ = await run("rooms", url)
        json_status, lines, _ = await run("rooms", url, "--json")

    assert (status, len(out.splitlines())) == (0, 3)
    assert (json_status, [json.loads(text) for text in lines.splitlines()]) == (0, page["rooms"])


@pytest.mark.parametrize("cursor", [lambda n: "again", str])
@pytest.mark.parametrize("found", [[], [line()]])
@pytest.mark.parametrize("command", [["rooms"], ["rooms", "--json"], ["export"]])
async def test_a_list_that_never_ends_is_ended(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    found: list[Frame],
    cursor: Callable[[int], str],
) -> None:
    monkeypatch.setattr(answers, "MOST_PAGES", 20)
    pages = itertools.count()
    async with chat({"rooms": lambda _: {"rooms": found, "cursor": cursor(next(pages))}}) as url:
        status, _, err = await run(command[0], url, *command[1:])

    assert status == 1
    assert "list of rooms does not end" in err
    assert next(pages) <= 21


async def test_who_is_told_for_ever_to_come_back_gives_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_PATIENCE", 0.3)
    asked = itertools.count()

    def later(frame: Frame) -> str:
        next(asked)
        return error(frame, code="rate_limited", message=f"not now{EVIL}", retryAfter=0.000001)

    async with chat({"rooms": later}) as url:
        status, _, err = await run("rooms", url)

    assert (status, "not now" in err) == (1, True)
    assert next(asked) < 10


async def test_what_a_server_says_is_shown_in_part_if_it_is_long(run: Run) -> None:
    def refused(frame: Frame) -> str:
        return error(frame, code="forbidden", message="no, and " * 100_000)

    async with chat({"rooms": refused}) as url:
        status, _, err = await run("rooms", url)

    assert status == 1
    assert "no, and no, and" in err
    assert len(err) < 5_000


# ---- export ----


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"messages": None, "more": True},
        {"messages": [3], "more": True},
        {"messages": [message("1")], "more": True},
        {"messages": [message(2**60)], "more": True},
        {"messages": [message(True)], "more": False},
    ],
)
async def test_messages_that_are_none_are_not_written(run: Run, page: Any) -> None:
    async with chat({"history": lambda _: page}) as url:
        status, out, err = await run("export", url, "general")

    assert (status, out) == (1, "")
    assert "the server's answer to history makes no sense" in err


@pytest.mark.parametrize("numbers", [[5, 4], [5, 5], [5]])
async def test_messages_whose_numbers_do_not_grow_end_the_export(run: Run, numbers: list[int]) -> None:
    page = {"messages": [message(seq) for seq in numbers], "more": True}
    async with chat({"history": lambda _: page}) as url:
        status, out, err = await run("export", url, "general")

    assert status == 1
    assert len(out.splitlines()) <= 1
    assert "do not grow" in err


# ---- tail ----


@pytest.mark.parametrize(
    "event",
    [
        message(1, sender={}),
        message(1, sender={"name": [EVIL]}),
        message(1, sender=EVIL),
        message(1, timestamp=None),
        message(1, timestamp=EVIL),
        message(1, timestamp=1e300),
        message(1, timestamp=-1e300),
        message(1, timestamp=float("nan")),
        message(1, timestamp=10**400),
        message(1, payload={"text": EVIL}),
        message(1, payload=None),
        message(1, payload=[EVIL]),
        message(1, payload={"text": {EVIL: EVIL}}),
        message(1, type=EVIL),
        message(1, type="x" * 1000, payload={EVIL: EVIL}),
        {"type": "message", "room": "general", "seq": 1},
    ],
    ids=str,
)
async def test_tail_shows_an_event_whatever_is_in_it(run: Run, event: Frame) -> None:
    for how in (
        {"answers": {"join": lambda _: {**HEAD, "seq": 1, "messages": [event]}}, "events": ()},
        {"answers": {}, "events": (event,)},
    ):
        async with chat(how["answers"], *how["events"]) as url:  # type: ignore[arg-type]
            status, out, err = await run("tail", url, "general", "--count", "1")

        assert (status, err) == (0, "")
        assert out.count("\n") >= 1


async def test_tail_passes_over_numbers_that_go_backwards(run: Run) -> None:
    events = [message(1), message(1), message(0), message(-5), message(2)]
    async with chat({}, *events) as url:
        status, out, _ = await run("tail", url, "general", "--json", "--count", "2")

    assert status == 0
    assert [json.loads(text)["seq"] for text in out.splitlines()] == [1, 2]


@pytest.mark.parametrize("levels", range(DEEP, 1000, 9))
async def test_what_is_nested_too_deeply_ends_in_an_error_or_is_shown(run: Run, levels: int) -> None:
    deep = '{"a":' * levels + "1" + "}" * levels
    event = json.dumps(message(1, payload="here")).replace('"here"', deep)
    async with chat({}, event, message(1)) as url:
        status, out, err = await run("tail", url, "general", "--json", "--count", "1")
    joined = json.dumps({**HEAD, "seq": 1, "messages": ["here"]}).replace('"here"', event)

    def join(frame: Frame) -> str:
        return f'{{"type":"ack","replyTo":"{frame["msgId"]}","payload":{joined}}}'

    async with chat({"join": join}) as url:
        ended, shown, said = await run("tail", url, "general", "--count", "1", "--timeout", "0.3")

    assert (status, bool(out)) in ((0, True), (1, False)), err
    assert (ended, bool(shown)) in ((0, True), (1, False)), said


async def test_a_number_that_json_does_not_have_is_not_printed_as_json(run: Run) -> None:
    async with chat({}, message(1, timestamp=float("inf"))) as url:
        status, out, err = await run("tail", url, "general", "--json", "--count", "1")

    assert (status, out) == (1, "")
    assert "no JSON" in err


# ---- publish ----


@pytest.mark.parametrize("ack", [{}, {"seq": EVIL}, {"seq": [1]}, {"msgId": 7}])
async def test_publish_says_what_it_was_answered(run: Run, ack: Frame) -> None:
    async with chat({"message": lambda _: ack}) as url:
        status, _, _ = await run("publish", url, "general", "hi")
        as_json, out, _ = await run("publish", url, "general", "hi", "--json")

    assert (status, as_json, json.loads(out)) == (0, 0, ack)


# ---- below the commands ----

HTTP = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def http(*answer: bytes, times: int = 1, pause: float = 0.0) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers each request so, the last part as often, and what it was asked."""
    asked: list[bytes] = []
    ends: list[asyncio.StreamWriter] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            for part in (*answer[:-1], *[answer[-1]] * times):
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort() if times > 1 else writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/chat", asked
        await accept_no_more(server.sockets)
    for writer in ends:  # the loop ends next, and who came last may not have got round to it
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


OK = b"HTTP/1.1 200 OK\r\n"
BOMB = b"\x1f\x8b\x08" + b"\x00" * 65_000
MANY = 3_000
"""Pieces of 64 KiB: more than a hundred times of what may be read."""


@pytest.mark.parametrize(
    ("answer", "times"),
    [
        ((OK + b"X: ", b"x" * 65_536), MANY),
        ((OK, b"X: y\r\n" * 10_000), MANY),
        ((OK + b"\r\n", b"x" * 65_536), MANY),
        ((OK + b"Content-Length: 99999999999\r\n\r\n", b"x" * 65_536), MANY),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65_536 + b"\r\n"), MANY),
        ((OK + b"Content-Encoding: gzip\r\n\r\n", BOMB), MANY),
        ((b"HTTP/1.1 503 \x1b[31m\r\nContent-Type: \xff\xfe\r\n\r\n{",), 1),
        ((b"HTTP/1.1\r\n\r\n",), 1),
        ((b"HTTP/1.1 " + b"9" * 5_000 + b" OK\r\n\r\n",), 1),
        ((b"\x1b[2J\x00\xff" * 100 + b"\r\n\r\n",), 1),
        ((b"HTTP/1.1 403 No\r\nServer: \x1b[31m\x9b\r\n\r\n",), 1),
        (
            (
                b"HTTP/1.1 403 No\r\nContent-Type: application/problem+json\r\n\r\n"
                + json.dumps({"code": "forbidden", "detail": EVIL * 10_000}).encode(),
            ),
            1,
        ),
    ],
)
async def test_a_server_that_speaks_http_and_lies(run: Run, answer: tuple[bytes, ...], times: int) -> None:
    async with http(*answer, times=times) as (url, _):
        status, out, _ = await run("check", url, "--tries", "1", "--watch", "0", "--timeout", "10")
        failed, _, err = await run("rooms", url, "--timeout", "0.2")

    assert (status, failed) == (1, 1)
    assert "WRONG upgrade" in out
    assert len(out) < 8_000
    assert 0 < len(err) < 8_000


async def test_an_answer_that_drips_is_not_waited_for(run: Run) -> None:
    async with http(OK + b"X: ", b"x", times=MANY, pause=0.01) as (url, _):
        status, out, _ = await run("check", url, "--tries", "1", "--watch", "0", "--timeout", "2")
        failed, _, err = await run("rooms", url, "--timeout", "0.2")

    assert (status, failed) == (1, 1)
    assert "WRONG upgrade" in out
    assert "within 0.2 s" in err


async def test_a_flood_instead_of_an_answer_is_not_waited_for(run: Run) -> None:
    flood = json.dumps({"type": "typing", "payload": {"x": "x" * 10_000}})

    async def talk(ws: ServerConnection) -> None:
        await ws.send(json.dumps(WELCOME))
        for _ in range(100_000):
            await ws.send(flood)

    async with serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("chatrooms.v1")]) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/chat/ws"
        status, out, err = await run("rooms", url, "--timeout", "0.3")

    assert (status, out) == (1, "")
    assert "no answer" in err


async def test_a_redirect_gets_no_token(run: Run) -> None:
    async with http(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (other, asked):
        leads_on = f"HTTP/1.1 307 Go\r\nLocation: {other}\r\nContent-Length: 0\r\n\r\n".encode()
        async with http(leads_on) as (url, _):
            for command in (
                ["rooms"],
                ["tail", "general"],
                ["publish", "general", "hi"],
                ["export"],
                ["check"],
            ):
                status, out, err = await run(
                    command[0], url, *command[1:], "--token", "my-token", "--timeout", "2"
                )
                assert status == 1
                assert "307" in out + err

    assert asked == []


@pytest.mark.parametrize("interval", ["NaN", "1e999", "-1", "true", "1" + "0" * 400])
async def test_a_heartbeat_that_is_none_is_not_waited_for(interval: str) -> None:
    welcome = json.dumps({**WELCOME, "payload": {**WELCOME["payload"], "heartbeat": {"interval": "here"}}})

    async def talk(ws: ServerConnection) -> None:
        await ws.send(welcome.replace('"here"', interval))
        await ws.wait_closed()

    async with serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("chatrooms.v1")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        visit = Visit(url=f"ws://127.0.0.1:{port}/chat/ws", guests=True)
        async with visit.ending:
            await introduce(visit)

    assert visit.interval == 30.0
