"""The operators' page in a browser: what it shows of all workers, what it does, and how it looks."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from tests.browser.audit import problems
from tests.browser.axe import violations
from tests.browser.conftest import PATIENCE, Pages
from tests.browser.test_looks import DESKTOP, PHONE
from tests.support.client import Client, open_client
from tests.support.fixtures import Live
from tests.support.server import LiveServer
from tests.support.thorough import unless_thorough
from tests.support.wire import SECRET, mount, token

pytestmark = pytest.mark.asyncio(loop_scope="session")


ONCE = [
    "wide-overview",
    "wide-workers",
    "wide-rooms",
    "wide-reports",
    "wide-settings",
    "phone-overview",
    "phone-room",
    "phone-person",
]
TWICE = [
    f"{size}-{part}"
    for size in ("wide", "phone")
    for part in ("overview", "workers", "rooms", "room", "person", "reports", "settings")
]
LOOKS = unless_thorough(ONCE, TWICE)


class Office:
    """A chat with people in it, and its operators' page."""

    def __init__(self, chat: ChatRooms, server: LiveServer) -> None:
        self.chat, self.server = chat, server
        self.clients: list[Client] = []

    async def come(self, name: str, *rooms: str) -> Client:
        client = await open_client(
            f"{self.server.ws_url}/chat/ws",
            token=token(name.lower(), name=name),
            headers={"User-Agent": f"{name}'s phone"},
        )
        self.clients.append(client)
        for room in rooms:
            await client.ack("join", room=room)
        return client

    async def say(self, client: Client, room: str, *texts: str) -> None:
        for text in texts:
            await client.ack("message", room=room, payload={"text": text})

    async def open(self, page: Page, part: str = "", scope: str = "chat:admin chat:moderate") -> None:
        """Sign in, at this part of the page."""
        await page.clock.install()
        await page.goto(f"{self.server.url}/chat/admin/{part}")
        await page.get_by_test_id("token").fill(token("op", name="Olga", scope=scope))
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("age")).to_have_text("Live")


@pytest_asyncio.fixture(loop_scope="session")
async def office(app: Sanic[Any, Any], live: Live) -> Any:
    chat = mount(app, guests=False, jwt_secret=SECRET, auto_create=True, admin="write", drain_seconds=0)
    office = Office(chat, await live())
    await chat.create_room("general", title="General")
    yield office
    await asyncio.gather(*(client.close() for client in office.clients))


async def next_round(page: Page) -> None:
    """The page asks every two seconds: now."""
    await page.clock.run_for(2_000)


async def look(pages: Pages, page: Page, name: str, *, touch: bool) -> list[str]:
    """What is wrong with what is on show; and a picture of it. What the other look has shown too is passed by."""
    if name not in LOOKS:
        return []
    found = await problems(page, touch=touch) + await violations(page)
    await pages.screenshot(page, name)
    return [f"{name}: {one}" for one in found]


async def go(page: Page, part: str) -> None:
    await page.get_by_test_id(f"tab-{part}").click()
    await expect(page.get_by_test_id(f"tab-{part}")).to_have_attribute("aria-current", "page")


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("phone", "dark")])
async def test_every_part_shows_what_is_so_and_nothing_is_wrong_with_it(
    office: Office, new_page: Pages, size: str, scheme: Literal["light", "dark"]
) -> None:
    options = {"wide": DESKTOP, "phone": PHONE}[size]
    page = await new_page(base_url=office.server.url, **options, color_scheme=scheme, reduced_motion="reduce")
    ada, bob = await office.come("Ada", "general"), await office.come("Bob", "general")
    await office.say(ada, "general", *(f"no. {number}" for number in range(5)))
    said = await bob.ack("message", room="general", payload={"text": "rude"})
    await ada.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "That is rude"})
    await office.open(page)
    touch, found = size == "phone", list[str]()

    await expect(page.get_by_test_id("chart-connections-now")).to_have_text("2")
    await expect(page.get_by_test_id("health-store")).to_contain_text("MemoryStore answers in")
    await expect(page.get_by_test_id("health-workers")).to_contain_text("1 worker, all heard")
    await office.say(ada, "general", *(f"again {number}" for number in range(20)))
    await next_round(page)
    await expect(page.get_by_test_id("chart-messages-now")).not_to_have_text("–")  # noqa: RUF001 - a dash stands for no number
    found += await look(new_page, page, f"{size}-overview", touch=touch)

    await go(page, "workers")
    await expect(page.get_by_test_id("worker")).to_contain_text("serving")
    await expect(page.get_by_test_id("worker")).to_contain_text("single process")
    found += await look(new_page, page, f"{size}-workers", touch=touch)

    await go(page, "rooms")
    await expect(page.get_by_test_id("room")).to_contain_text("General")
    await expect(page.get_by_test_id("busy-room")).to_contain_text("general2")
    found += await look(new_page, page, f"{size}-rooms", touch=touch)
    await page.get_by_test_id("room").get_by_role("link", name="General").click()
    await expect(page.get_by_test_id("event")).to_have_count(26)
    await office.say(ada, "general", "<b>live</b>")
    await next_round(page)
    await expect(page.get_by_test_id("event").last).to_contain_text("<b>live</b>")
    await expect(page.get_by_test_id("room-facts")).to_contain_text("27")
    await expect(page.get_by_test_id("room-person")).to_have_count(2)
    found += await look(new_page, page, f"{size}-room", touch=touch)

    await go(page, "people")
    await expect(page.get_by_test_id("people-total")).to_have_text("2 people are connected")
    await page.get_by_role("link", name="Bob").click()
    await expect(page.get_by_test_id("device")).to_contain_text("Bob's phone")
    found += await look(new_page, page, f"{size}-person", touch=touch)

    await go(page, "reports")
    await expect(page.get_by_test_id("report")).to_contain_text("That is rude")
    found += await look(new_page, page, f"{size}-reports", touch=touch)
    await go(page, "settings")
    await expect(page.get_by_test_id("setting-max_text")).to_contain_text("16000")
    found += await look(new_page, page, f"{size}-settings", touch=touch)
    assert not found, "\n".join(found)


async def test_the_events_of_a_busy_room_are_the_newest(office: Office, new_page: Pages) -> None:
    page = await new_page(base_url=office.server.url, **DESKTOP)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/tail" in request.url else None)
    await office.chat.publish("general", "message", {"text": "first"})
    await office.open(page, "#/rooms/%")  # nobody calls a room so
    await expect(page.get_by_test_id("room-title")).to_have_text("%")
    await page.evaluate("() => { location.hash = '#/rooms/general'; }")
    await expect(page.get_by_test_id("event")).to_contain_text(["first"])

    for number in range(600):
        await office.chat.publish("general", "message", {"text": f"no. {number}"})
    asked.clear()
    async with asyncio.timeout(30):
        while "no. 599" not in await page.get_by_test_id("event").last.inner_text():
            await next_round(page)
            await asyncio.sleep(0.05)

    assert len(asked) < 8, (
        "it asks for the newest, and not for all that it has missed, of which an answer has 50"
    )
    numbers = await page.get_by_test_id("event").locator(".seq").all_inner_texts()
    assert numbers == sorted(set(numbers), key=int)


async def test_an_operator_mutes_bans_and_looks_up_who_did_it(office: Office, new_page: Pages) -> None:
    page = await new_page(base_url=office.server.url, **DESKTOP)
    ada = await office.come("Ada", "general")
    bob = await office.come("Bob", "general")
    await office.open(page, "#/rooms/general")

    await page.get_by_role("button", name="Mute Bob in general?").click()
    await page.get_by_test_id("time").select_option("1 hour")
    await page.get_by_test_id("reason").fill("calm down")
    await page.get_by_test_id("yes").click()
    muted = await ada.expect("member.muted")
    assert muted["payload"]["by"]["name"] == "Olga"
    assert muted["payload"]["reason"] == "calm down"
    assert 3_500 < muted["payload"]["until"] - muted["timestamp"] <= 3_600
    await expect(page.get_by_test_id("said")).to_have_text("Mute: Bob")
    await expect(page.get_by_role("button", name="Unmute Bob in general?").first).to_be_visible()

    await page.get_by_role("link", name="Bob").first.click()
    await page.get_by_test_id("ban-user").click()
    await page.get_by_test_id("cancel").click()
    await expect(page.get_by_test_id("ban-user")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.get_by_test_id("yes").click()
    assert (await bob.closed())[0] == 4507
    await expect(page.get_by_test_id("banned")).to_contain_text("Banned from the server for good")

    await go(page, "audit")
    await expect(page.get_by_test_id("decision")).to_contain_text(["user.banned", "member.muted"])
    await expect(page.get_by_test_id("decision").first).to_contain_text("the whole server")
    await expect(page.get_by_test_id("decision")).to_contain_text(["Olga"])
    await go(page, "explain")
    await page.get_by_test_id("explain-user").fill("bob")
    await page.get_by_test_id("explain-room").fill("general")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("verdict")).to_contain_text("Not allowed")
    await go(page, "settings")
    line = page.get_by_test_id("setting-max_text")
    await line.get_by_test_id("value").fill("12")
    await page.keyboard.press("Enter")
    await expect(line).to_contain_text("changed while it runs")
    assert office.chat.running().settings.max_text == 12


async def test_who_may_only_look_has_no_buttons_and_a_wrong_token_is_asked_for_again(
    office: Office, new_page: Pages
) -> None:
    page = await new_page(base_url=office.server.url, **DESKTOP)
    await office.come("Ada", "general")
    await page.goto("/chat/admin/")
    await page.get_by_test_id("token").fill(token("ada", scope="chat:write"))
    await page.get_by_test_id("sign-in").click()
    await expect(page.get_by_test_id("sign-in-problem")).to_contain_text("chat:admin")

    await page.get_by_test_id("token").fill(token("viewer", name="Vera", scope="chat:admin"))
    await page.get_by_test_id("sign-in").click()
    await expect(page.get_by_test_id("may")).to_have_text("Vera: Read-only")
    for part in ("workers", "rooms/general", "people/ada", "settings"):
        await page.goto(f"/chat/admin/#/{part}")
        await expect(
            page.locator("main").get_by_role("link").or_(page.locator("main strong")).first
        ).to_be_visible()
        await expect(page.locator("main").get_by_role("button")).to_have_count(0)


async def test_it_says_when_nobody_answers_and_goes_on_when_somebody_does(
    office: Office, new_page: Pages
) -> None:
    page = await new_page(base_url=office.server.url, **DESKTOP)
    await office.open(page)
    await page.context.set_offline(True)

    await page.clock.run_for(8_000)
    await expect(page.get_by_test_id("age")).to_have_text("No answer for 5 s: what you see is old")

    await page.context.set_offline(False)
    await page.clock.run_for(2_000)
    await expect(page.get_by_test_id("age")).to_have_text("Live")

    frozen = asyncio.Event()
    await page.route("**/overview*", lambda _: frozen.set())  # and no answer
    await page.clock.run_for(2_000)
    await asyncio.wait_for(frozen.wait(), PATIENCE / 1000)
    await page.clock.run_for(6_000)
    await expect(page.get_by_test_id("age")).to_have_text("No answer for 5 s: what you see is old")
    await page.unroute_all()
    await page.clock.run_for(5_000)
    await expect(page.get_by_test_id("age")).to_have_text("Live")
