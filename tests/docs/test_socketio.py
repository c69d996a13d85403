"""The chat on python-socketio, the one that it becomes, and the one in between: "socketio_before", "socketio_after", "socketio_between"."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from playwright.async_api import async_playwright
from sanic import Sanic
from websockets.asyncio.client import ClientConnection, connect

from tests.browser.conftest import launch
from tests.docs.conftest import Load, Run
from tests.docs.test_examples import post, welcomed
from tests.support.fixtures import Connect, Live
from tests.support.process import free_port, start_command
from tests.support.server import LiveServer

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
WITHIN = 40.0


def token(secret: str, user: str) -> str:
    return jwt.encode({"sub": user, "name": user.title(), "exp": 2**33}, secret, "HS256")


class OldPage:
    """What `socket.io-client` says on the wire, as far as these pages use it (Engine.IO 4, Socket.IO 5)."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.heard: asyncio.Queue[list[Any]] = asyncio.Queue()

    async def enter(self, proof: str) -> str:
        assert str(await self._socket.recv()).startswith("0")  # open
        await self._socket.send(f"40{json.dumps({'token': proof})}")
        answer = str(await self._socket.recv())
        return answer[:2]

    async def read(self) -> None:
        async for packet in self._socket:
            text = str(packet)
            if text == "2":
                await self._socket.send("3")
            elif text.startswith("42"):
                self.heard.put_nowait(json.loads(text[2:]))
            elif text.startswith("43"):
                number, _, data = text[2:].partition("[")
                [answer] = json.loads(f"[{data}")
                self._answers.pop(int(number)).set_result(answer)

    async def ask(self, event: str, data: Any) -> Any:
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(f"42{number}{json.dumps([event, data])}")
        return await asyncio.wait_for(self._answers[number], WITHIN)

    async def emit(self, event: str, data: Any) -> None:
        await self._socket.send(f"42{json.dumps([event, data])}")

    async def hear(self) -> list[Any]:
        return await asyncio.wait_for(self.heard.get(), WITHIN)


@contextlib.asynccontextmanager
async def old_page(server: LiveServer, proof: str) -> AsyncIterator[OldPage]:
    url = f"{server.ws_url}/socket.io/?EIO=4&transport=websocket"
    async with connect(url, proxy=None) as socket:
        page = OldPage(socket)
        assert await page.enter(proof) == "40"
        reading = asyncio.create_task(page.read())
        yield page
    await reading


@pytest.fixture(scope="module")
def before() -> Iterator[LiveServer]:
    """In a process of its own: without a chat, Sanic does not wait for the ends of WebSockets."""
    port = free_port()
    command = [sys.executable, "-m", "sanic", "socketio_before:app", "--port", str(port), "--single-process"]
    server = start_command([*command, "--no-motd"], port, path="/", env={"PYTHONPATH": str(EXAMPLES)})
    app = Sanic("socketio_before")  # what `LiveServer` has, and nobody asks here
    yield LiveServer(app, "127.0.0.1", port)
    Sanic.unregister_app(app)
    server.stop()


async def test_socketio_before(before: LiveServer, load: Load) -> None:
    secret = load("socketio_before").SECRET
    async with old_page(before, token(secret, "ada")) as ada, old_page(before, token(secret, "bob")) as bob:
        assert await ada.ask("join", "general") == {"messages": []}
        assert await ada.ask("join", "secret") == {"error": "there is no such room"}
        assert await bob.ask("join", "general") == {"messages": []}
        assert await ada.hear() == ["joined", {"room": "general", "user": {"id": "bob", "name": "Bob"}}]

        assert await ada.ask("message", {"room": "general", "text": "hi"}) == {"id": 1}
        assert "links" in (await ada.ask("message", {"room": "general", "text": "http://x"}))["error"]

        said = {"id": 1, "room": "general", "text": "hi", "sender": {"id": "ada", "name": "Ada"}}
        assert await bob.hear() == ["message", said]
        assert await ada.hear() == ["message", said]
        await bob.emit("typing", "general")
        assert (await ada.hear())[0] == "typing"
        assert await bob.ask("vote", {"choice": 2}) == {"accepted": 2}
        assert (await post(before, "/users/bob/notice", text="left")).status == 204
        assert await bob.hear() == ["notice", {"title": "Your parcel", "content": "left"}]


async def test_socketio_before_lets_nobody_in_without_a_token(before: LiveServer) -> None:
    async with connect(f"{before.ws_url}/socket.io/?EIO=4&transport=websocket", proxy=None) as socket:
        assert await OldPage(socket).enter("nonsense") == "44"


async def test_socketio_after(run: Run, connect: Connect) -> None:
    module, server = await run("socketio_after")
    ada, bob = [
        await welcomed(connect, "/chat/ws", "general", token=token(module.SECRET, user))
        for user in ("ada", "bob")
    ]

    await ada.ack("message", room="general", payload={"text": "hi"})
    refused = await ada.error("message", room="general", payload={"text": "http://x"})
    nowhere = await ada.error("join", room="secret")

    assert "links" in refused["message"]
    assert nowhere["code"] == "room_not_found"
    heard = await bob.expect("message")
    assert (heard["seq"], heard["payload"], heard["sender"]["name"]) == (1, {"text": "hi"}, "Ada")
    await bob.ack("typing", room="general")
    assert (await ada.expect("typing"))["payload"]["users"] == [{"id": "bob", "name": "Bob"}]
    assert await bob.ack("poll.vote", payload={"choice": 2}) == {"accepted": 2}
    assert (await bob.error("poll.vote", payload={"choice": "two"}))["code"] == "invalid_field"
    assert (await post(server, "/users/bob/notice", text="left")).status == 204
    assert (await bob.expect("notice"))["payload"] == {"title": "Your parcel", "content": "left"}
    assert (await connect.refused(token="nonsense")).status == 401


async def test_socketio_between(run: Run, connect: Connect) -> None:
    module, server = await run("socketio_between")
    bob = await welcomed(connect, "/chat/ws", "general", token=token(module.SECRET, "bob"))
    async with old_page(server, token(module.SECRET, "ada")) as ada:
        assert await ada.ask("join", "general") == {"messages": []}
        assert "error" in await ada.ask("join", "secret")

        assert await ada.ask("message", {"room": "general", "text": "from an old page"}) == {"id": 1}
        await bob.ack("message", room="general", payload={"text": "from a new page"})

        first, second = [await bob.expect("message") for _ in range(2)]
        assert (first["payload"]["text"], first["sender"]["name"]) == ("from an old page", "Ada")
        assert second["payload"]["text"] == "from a new page"
        both = [await ada.hear() for _ in range(2)]
        assert [(event, said["id"], said["text"], said["sender"]["name"]) for event, said in both] == [
            ("message", 1, "from an old page", "Ada"),
            ("message", 2, "from a new page", "Bob"),
        ]
        again = await ada.ask("join", "general")
        assert [said["text"] for said in again["messages"]] == ["from an old page", "from a new page"]
    await server.stop()


PAGE = """<!doctype html><title>page</title><ol></ol><p></p><script type="module">
import { open } from "/socketio_after.js";
const line = ([seq, name, text]) => `<li>${seq} ${name}: ${text}</li>`;
const list = document.querySelector("ol");
window.chat = await open(undefined, TOKEN, {
  all: (lines) => { list.innerHTML = lines.map(line).join(""); },
  one: (...parts) => { list.innerHTML += line(parts); },
  typing: (names) => { document.querySelector("p").textContent = names.join(); },
});
document.title = "ready";
</script>"""


@pytest.mark.browser
async def test_the_page_after(load: Load, live: Live, tmp_path: Path) -> None:
    """The script "socketio_after.js"; of "socketio_before.js" only the syntax is checked, since it needs a bundler."""
    module = load("socketio_after")
    (tmp_path / "page.html").write_text(PAGE.replace("TOKEN", json.dumps(token(module.SECRET, "ada"))))
    module.app.static("/page", tmp_path / "page.html", name="page")
    module.app.static("/socketio_after.js", EXAMPLES / "socketio_after.js", name="script")
    server = await live(module.app)
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        page = await browser.new_page()
        await page.goto(f"{server.url}/page")
        await page.wait_for_function("() => document.title === 'ready'")
        await page.evaluate("() => chat.say('hi')")
        vote = await page.evaluate("() => chat.vote(2)")
        await page.get_by_text("1 Ada: hi").wait_for()
        await browser.close()

    assert vote == {"accepted": 2}
