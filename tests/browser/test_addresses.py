"""Ids of all kinds in the address: what is written goes to whom the header shows, and to nobody else."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect
from sanic import Request, html, raw
from sanic.response import HTTPResponse

from example_app.server import STATIC
from sanic_chatrooms import Authenticator, Credentials, Handshake, User
from sanic_chatrooms.models import Sender, direct_room
from sanic_chatrooms.support.user_ids import is_text
from sanic_chatrooms.wire.names import ROOM_ID
from tests.browser.acts import composer, enter, lines, say, write
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.fixtures import Live

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAUGHTY: list[str] = json.loads((Path(__file__).parent / "naughty.json").read_text())
ROOMS = [id for id in NAUGHTY if ROOM_ID.fullmatch(id) and not id.startswith("~") and id not in (".", "..")]
WORST = [
    "https://id.example/users/7",
    "50%41",
    "100%",
    "%",
    "a/people",
    "..",
    "@",
    "\u202eabc",
    "__proto__",
    "<b>",
    "x" * 127 + "/",
]
NOWHERE = ["#/100%", "#/@50%4", "#/@https://id.example/users/7", "#/general/other", "#/@"]

SIGNED_IN = """
import { startChat } from "/chat/static/chat-app.js";
import { addressOf } from "/chat/static/address.js";
const token = new URLSearchParams(location.search).get("as");
window.addressOf = addressOf;
window.chat = await startChat(document.getElementById("chat"), { title: "Chat", firstRoom: "general", client: { token } });
"""

SHOWN = """() => [...document.querySelectorAll("[data-testid=message]")].map((row) =>
    ["author", "message-text"].map((id) => row.querySelector(`[data-testid=${id}]`).textContent))"""
TOWER = re.compile("([\u0300-\u036f]{30})[\u0300-\u036f]+")
DRAWN = re.compile("`|^> ")

# Goes to each of these by the address, and where there is a text says it there; returns what was odd.
SAY_EVERYWHERE = """async (all) => {
    const odd = [], find = (id) => document.querySelector(`[data-testid=${id}]`);
    const until = async (test, what) => {
        for (let n = 0; n < 10000; n++) {
            if (test()) return;
            await new Promise((resolve) => setTimeout(resolve, 2));
        }
        odd.push(what);
    };
    const shown = (text) => [...document.querySelectorAll("[data-testid=message-text]")].some((one) => one.textContent === text);
    for (const [id, name, text] of all) {
        location.hash = addressOf(id);
        await until(() => find("room-name").textContent === name && !find("composer").closest("[hidden]"), `not opened: ${id}`);
        if (!text) continue;
        find("composer").value = text;
        find("composer").dispatchEvent(new Event("input"));
        find("composer").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
        await until(() => shown(text), `not shown: ${id}`);
    }
    await until(() => !chat.outbox.length, "not sent: some");
    return odd;
}"""


class ByToken(Authenticator):
    """Whoever the token names: here anybody may be anybody."""

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        name = base64.urlsafe_b64decode(credentials.token or "").decode()
        return User(name, name)


@pytest.fixture
def anybody(app: Any, live: Live) -> ServedApp:
    """An app whose users have ids of all kinds: `/signed-in?as=<id in base 64>`."""
    served = ServedApp(app, live, auth=ByToken(), max_rooms_per_connection=2000)
    markup = (STATIC / "index.html").read_text().replace("/static/app.js", "/signed-in.js")

    async def page(_: Request) -> HTTPResponse:
        return html(markup)

    async def script(_: Request) -> HTTPResponse:
        return raw(SIGNED_IN.encode(), content_type="text/javascript")

    app.add_route(page, "/signed-in")
    app.add_route(script, "/signed-in.js")
    return served


async def come(page: Page, id: str) -> None:
    token = base64.urlsafe_b64encode(id.encode()).decode()
    await page.goto(f"/signed-in?{urlencode({'as': token})}#/general")
    await expect(page.get_by_test_id("toggle-people")).to_be_visible()


async def said(served: ServedApp, room: str) -> list[str]:
    return [event["payload"]["text"] for event in (await served.chat.history(room)).messages]


async def test_a_direct_message_reaches_exactly_its_receiver_whatever_their_id(
    anybody: ServedApp, new_page: Pages
) -> None:
    await anybody.open()
    page = await new_page(base_url=anybody.url)
    await come(page, "ada")

    # All are opened; to so many one writes, which takes the server its time.
    some = [id for id in dict.fromkeys([*NAUGHTY[::5], *WORST]) if is_text(id)]
    written = {id: f"text {number}" for number, id in enumerate(some)}
    odd = await page.evaluate(SAY_EVERYWHERE, [[f"@{id}", id, written.get(id, "")] for id in NAUGHTY])

    assert odd == []
    assert await said(anybody, "general") == []
    for id, text in written.items():
        room = direct_room("ada", id)
        assert await said(anybody, room) == [text]
        assert {line.user for line in (await anybody.chat.members(room)).members} == {"ada", id}


async def test_rooms_of_every_id_keep_their_messages_and_read_marks(
    anybody: ServedApp, new_page: Pages
) -> None:
    assert {"__proto__", "constructor", "...", "a:b"} <= set(ROOMS)
    await anybody.open()
    for id in ROOMS:
        await anybody.chat.create_room(id)
    page = await new_page(base_url=anybody.url)
    await come(page, "ada")

    assert await page.evaluate(SAY_EVERYWHERE, [[id, id, f"in {id}"] for id in ROOMS]) == []
    for id in ROOMS:
        assert await said(anybody, id) == [f"in {id}"]
    line = page.locator("[data-room='__proto__']")
    await line.click()
    await expect(lines(page)).to_have_text(["in __proto__"])
    await page.goto("about:blank")
    await anybody.say("__proto__", "news")
    await come(page, "ada")
    await expect(line.get_by_test_id("unread")).to_have_text("1 unread")
    await line.click()
    await expect(lines(page)).to_have_text(["in __proto__", "news"])


async def test_names_and_texts_of_all_kinds_are_shown_as_they_are(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")

    for start in range(0, len(NAUGHTY), 100):
        batch = [(f"{number}", text) for number, text in enumerate(NAUGHTY[start : start + 100], start)]
        for id, text in batch:
            await served.chat.publish("general", "message", {"text": text}, sender=Sender(id, text))
        await expect(page.locator(f"[data-seq='{start + len(batch)}']")).to_be_visible()
        shown = (await page.evaluate(SHOWN))[-len(batch) :]
        stored = (await served.chat.history("general", limit=len(batch))).messages
        assert [name for name, _ in shown] == [event["sender"]["name"] for event in stored]
        # Code and quotes are drawn, and towers of marks end.
        assert [
            text for (_, text), (_, said) in zip(shown, batch, strict=True) if not DRAWN.search(said)
        ] == [TOWER.sub(r"\1", said) for _, said in batch if not DRAWN.search(said)]


@pytest.mark.parametrize("id", ["https://id.example/users/7", "50%41"])
async def test_a_click_on_a_name_and_the_way_back_keep_the_id(
    anybody: ServedApp, new_page: Pages, id: str
) -> None:
    await anybody.open()
    await anybody.chat.publish("general", "message", {"text": "hello"}, as_user=User(id, id))
    ada, other = await new_page(base_url=anybody.url), await new_page(base_url=anybody.url)
    await come(ada, "ada")
    await come(other, id)

    await ada.get_by_test_id("author").click()
    await ada.get_by_test_id("write").click()
    await expect(ada.get_by_test_id("room-name")).to_have_text(id)
    await say(ada, "for you")
    await other.get_by_test_id("room").filter(has_text="ada").click()
    await expect(lines(other)).to_have_text(["for you"])
    await say(other, "and for you")
    await expect(lines(ada)).to_have_text(["for you", "and for you"])

    await ada.go_back()
    await expect(ada.get_by_test_id("room-name")).to_have_text("General")
    await ada.go_forward()
    await expect(ada.get_by_test_id("room-name")).to_have_text(id)
    await ada.reload()
    await expect(lines(ada)).to_have_text(["for you", "and for you"])
    assert await said(anybody, "general") == ["hello"]


async def test_an_address_that_cannot_be_parsed_opens_nothing(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    panel = page.get_by_test_id("nowhere")

    for hash in NOWHERE:
        await page.goto("/#/general")
        await composer(page).fill("not for all")
        await page.goto(f"/{hash}")
        await expect(panel).to_contain_text("This address leads nowhere")
        await expect(composer(page)).to_be_hidden()
        await expect(page.get_by_test_id("message")).to_have_count(0)
        await expect(page).to_have_title("Example chat")
        await expect(page.get_by_test_id("person")).to_have_count(0)
    await new_page.screenshot(page, "nowhere")
    # A person and a room that is already there are open at once, without a state in between.
    for hash in ("#/@ada", "#/general"):
        await page.goto(f"/{hash}")
        await expect(composer(page)).to_be_visible()
        await expect(panel).to_have_count(0)
        await page.goto("/#/100%")
        await expect(panel).to_be_visible()
    await page.reload()
    await expect(panel).to_be_visible()
    await panel.get_by_role("button", name="Choose a room").click()
    await expect(page.get_by_test_id("room-name")).to_have_text("General")
    await write(page, "for all")
    await expect(lines(page)).to_have_text(["for all"])


async def test_an_invalid_room_id_opens_no_room(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")

    await page.goto("/#/a%2Fb%20c")
    await expect(page.get_by_test_id("unknown-room")).to_contain_text("There is no room “a/b c”")
    await expect(composer(page)).to_be_hidden()
    await served.chat.broadcast("update", {"field": "topic", "value": "Soup"})
    for own in ("topic", "app-pushes"):  # what the app has in the head of a room
        await expect(page.get_by_test_id(own)).to_be_hidden()
    await page.goto("/#/general")
    for own in ("topic", "app-pushes"):
        await expect(page.get_by_test_id(own)).to_be_visible()
