"""The example's files in a real server: who may bring them, who may fetch them, and that nothing in them runs."""

from __future__ import annotations

import asyncio
import hashlib
import json
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from example_app.server import add_headers
from example_app.uploads.files import LARGEST
from example_app.uploads.pages import Uploads, add_uploads
from sanic_chatrooms import ChatRooms, Happening
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.server import LiveServer, Response

PIXEL = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
    b"\0\0\0\nIDATx\x9cc\0\x01\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82"
)


class Visitor:
    """A connection, and the browser around it."""

    def __init__(self, server: LiveServer, client: Client) -> None:
        self.server = server
        self.client = client
        self.cookie = ""

    async def come(self) -> Response:
        known = await self.client.ack("files.pass")
        answer = await self.request("POST", "/files/", Authorization=f"Bearer {known['pass']}")
        self.cookie = SimpleCookie(answer.headers["set-cookie"])["files"].value
        return answer

    async def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        usual = {"Origin": self.server.url, "Cookie": f"files={self.cookie}"}
        return await self.server.request(method, path, {**usual, **headers}, body)

    async def bring(self, content: bytes, name: str = "plan.txt", room: str = "general") -> Any:
        answer = await self.request("POST", f"/files/{room}?name={name}", content)
        assert answer.status == 201, answer.text
        return json.loads(answer.body)

    async def say(self, *attachments: Any, room: str = "general", answer: str = "ack") -> Any:
        payload = {"text": "look", "attachments": list(attachments)}
        ask = self.client.ack if answer == "ack" else self.client.error
        return await ask("message", room=room, payload=payload)


class Site:
    server: LiveServer

    def __init__(self, chat: ChatRooms, uploads: Uploads, connect: Connect) -> None:
        self.chat = chat
        self.uploads = uploads
        self.forgotten = asyncio.Event()
        self._connect = connect

    async def note(self, _: Happening) -> None:
        self.forgotten.set()

    async def visitor(self, *, room: str = "general") -> Visitor:
        client = await self._connect()
        await client.expect("welcome")
        visitor = Visitor(self.server, client)
        await visitor.come()
        if room:
            await client.ack("join", room=room)
        return visitor


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def site(live: Live, connect: Connect, tmp_path: Path, clock: Clock, often: None) -> Site:
    chat = ChatRooms(guests=True)
    live.app.config.REQUEST_MAX_SIZE = 64 * 1024
    live.app.blueprint(chat.bp)
    uploads = Uploads(chat, tmp_path, clock)
    add_uploads(live.app, chat, uploads)
    live.app.register_middleware(add_headers, "response")
    site = Site(chat, uploads, connect)
    chat.on("message.unattached")(site.note)  # after that of the example
    site.server = await live()
    await chat.create_room("general")
    return site


async def test_a_file_is_brought_sent_and_fetched_and_nothing_in_it_runs(site: Site) -> None:
    ada, ben = await site.visitor(), await site.visitor()
    page = b"<script>alert(1)</script>" * 10_000  # more than other routes take
    attachment = await ada.bring(page, "p%C3%A4ge.html")
    await ada.say(attachment)

    shown = (await ben.client.expect("message"))["payload"]["attachments"]
    answer = await ben.request("GET", shown[0]["url"])

    assert shown == [attachment]
    assert attachment["sha256"] == hashlib.sha256(page).hexdigest()
    assert (answer.status, answer.body) == (200, page)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''p%C3%A4ge.html"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_picture_is_shown_in_place_with_its_size(site: Site) -> None:
    ada = await site.visitor()
    attachment = await ada.bring(PIXEL, "x.html")
    answer = await ada.request("GET", attachment["url"])

    assert (attachment["type"], attachment["width"], attachment["height"]) == ("image/png", 1, 1)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline;")
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_only_those_who_may_see_the_room_fetch_its_files(site: Site) -> None:
    ada, ben = await site.visitor(), await site.visitor()
    await ada.client.ack("room.create", room="secret", payload={"visibility": "private"})
    await ada.client.ack("join", room="secret")
    attachment = await ada.bring(b"between us", room="secret")
    await ada.say(attachment, room="secret")

    assert (await ada.request("GET", attachment["url"])).status == 200
    for cookie in ("", "x", "00.00", ben.cookie):
        refused = await ada.request("GET", attachment["url"], Cookie=f"files={cookie}")
        assert refused.status in (401, 404)
        assert b"between us" not in refused.body
    elsewhere = attachment["url"].replace("secret", "general")
    assert (await ben.request("GET", elsewhere)).status == 404
    assert (await ben.request("POST", "/files/secret?name=a", b"a")).status == 403


async def test_who_is_banned_neither_brings_nor_fetches(site: Site) -> None:
    ada = await site.visitor()
    attachment = await ada.bring(b"hello")
    [connection] = site.chat.connections()
    await site.chat.ban("general", connection.user)

    assert (await ada.request("GET", attachment["url"])).status == 404
    assert (await ada.request("POST", "/files/general?name=a", b"a")).status == 403


async def test_a_cookie_ends_and_a_pass_is_no_cookie(site: Site, clock: Clock) -> None:
    ada = await site.visitor()
    known = await ada.client.ack("files.pass")
    attachment = await ada.bring(b"hello")
    fresh = ada.cookie
    ada.cookie = known["pass"]
    assert (await ada.request("GET", attachment["url"])).status == 401
    ada.cookie = fresh
    cookie_as_pass = await ada.request("POST", "/files/", Authorization=f"Bearer {fresh}")
    assert cookie_as_pass.status == 401

    clock.now += 61
    late = await ada.request("POST", "/files/", Authorization=f"Bearer {known['pass']}")
    assert late.status == 401
    clock.now += 3600
    assert (await ada.request("GET", attachment["url"])).status == 401


async def test_other_sites_bring_nothing(site: Site) -> None:
    ada = await site.visitor()
    for path in ("/files/general?name=a", "/files/"):
        assert (await ada.request("POST", path, b"a", Origin="https://evil.example")).status == 403
    answer = await ada.come()
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=Strict" in answer.headers["set-cookie"]
    assert "Path=/files" in answer.headers["set-cookie"]


async def test_what_is_too_large_or_of_another_kind_is_refused(site: Site) -> None:
    ada = await site.visitor()
    program = await ada.request("POST", "/files/general?name=a.png", b"MZ\x90\0\0")
    empty = await ada.request("POST", "/files/general?name=a.txt")
    large = await ada.request(
        "POST", "/files/general?name=a.txt", b"", **{"Content-Length": str(LARGEST + 1)}
    )

    assert (program.status, json.loads(program.body)["code"]) == (415, "wrong_file")
    assert empty.status == 415
    assert large.status == 413


async def test_a_message_has_only_files_that_its_sender_brought(site: Site) -> None:
    ada, ben = await site.visitor(), await site.visitor()
    mine = await ada.bring(b"mine")
    invented = {**mine, "url": f"/files/general/{'0' * 32}"}
    elsewhere = {**mine, "url": "https://example.org/x"}
    for odd in (invented, elsewhere, {**mine, "name": "other.png"}, {**mine, "type": "image/png"}):
        assert (await ada.say(odd, answer="error"))["code"] == "forbidden"
    assert (await ben.say(mine, answer="error"))["code"] == "forbidden"
    await ada.say(mine)


async def test_a_file_goes_with_its_message(site: Site) -> None:
    ada = await site.visitor()
    attachment = await ada.bring(b"mine")
    said = await ada.say(attachment)
    assert (await ada.request("GET", attachment["url"])).status == 200

    await ada.client.ack("message.delete", room="general", payload={"msgId": said["msgId"]})
    async with asyncio.timeout(40):
        await site.forgotten.wait()

    assert (await ada.request("GET", attachment["url"])).status == 404
