"""Files with messages: chosen, dropped and pasted, shown to everybody, refused in words, and gone with their message."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Dialog, FilePayload, Page, Route, expect
from playwright.async_api import Error as PlaywrightError

from example_app.uploads.pages import Uploads, add_uploads
from tests.browser.acts import composer, enter, lines, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
ON_TOP = """(pane, [kind, name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, { type: "text/plain" }));
    const event = kind === "paste" ? new ClipboardEvent(kind, { clipboardData: data, bubbles: true, cancelable: true })
        : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
    pane.dispatchEvent(event);
    return event.defaultPrevented;
}"""
# A few frames later: what is measured in one is scrolled to in the next.
LEFT_BELOW = """async () => {
    for (let frame = 0; frame < 20; frame++) await new Promise(requestAnimationFrame);
    const log = document.querySelector("[data-testid=log]");
    return log.scrollHeight - log.scrollTop - log.clientHeight;
}"""


def picture(width: int, height: int) -> bytes:
    """A PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x34\x51\xb2" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*one) for one in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def a_file(name: str, content: bytes, type: str = "text/plain") -> FilePayload:
    return {"name": name, "mimeType": type, "buffer": content}


@pytest_asyncio.fixture(loop_scope="session")
async def open_site(served: ServedApp, tmp_path: Path, often: None) -> Callable[..., Any]:
    async def open_site() -> ServedApp:
        add_uploads(served.app, served.chat, Uploads(served.chat, tmp_path))
        await served.open()
        return served

    return open_site


async def choose(page: Page, *files: FilePayload) -> None:
    await expect(page.get_by_test_id("attach")).to_be_visible()
    await page.get_by_test_id("chooser").set_input_files(list(files))


async def test_pictures_and_files_are_sent_shown_and_gone_with_their_message(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    site = await open_site()
    ada, ben = await new_page(), await new_page(**PHONE, color_scheme="dark")
    await enter(ada, "Ada")
    await enter(ben, "Ben")

    await choose(
        ada, a_file("plan.png", picture(800, 400), "image/png"), a_file("notes.txt", b"hello " * 500)
    )
    tray = ada.get_by_test_id("tray-file")
    await expect(tray.and_(ada.locator("[data-state=done]"))).to_have_count(2)
    await new_page.screenshot(ada, "tray")
    await composer(ada).press("Enter")  # without a word

    await expect(messages(ada)).to_have_attribute("data-status", "sent")
    await expect(tray).to_have_count(0)
    for page in (ada, ben):
        shown = page.get_by_test_id("picture").locator("img")
        await expect(shown).to_have_js_property("complete", True)
        assert await shown.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 800
        box = await shown.bounding_box()
        assert box is not None
        assert box["width"] / box["height"] == pytest.approx(2, abs=0.05)
        link = page.get_by_test_id("file")
        await expect(link).to_contain_text("notes.txt")
        await expect(link).to_contain_text("3 kB")
        await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = await problems(page, touch=page is ben)
        await new_page.screenshot(page, "dark" if page is ben else "light")
        assert found == []
    await expect(ben.get_by_test_id("announcer")).to_contain_text("Ada: Files: plan.png, notes.txt")
    async with ada.expect_download() as download:
        await ada.get_by_test_id("file").click()
    assert (await download.value).suggested_filename == "notes.txt"

    await messages(ada).hover()
    await ada.get_by_test_id("delete").click()
    await ada.get_by_test_id("answer-yes").click()
    for page in (ada, ben):
        await expect(page.get_by_test_id("deleted")).to_be_visible()
        await expect(page.get_by_test_id("attachments")).to_have_count(0)

    await ben.goto(f"/#/@{site.user('Ada').id}")  # a room that does not exist yet
    await expect(ben.get_by_role("button", name="Files can be sent after the first")).to_be_disabled()


async def test_what_one_sends_with_files_is_seen_whole(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    site = await open_site()
    await site.say("general", *(f"line {number}" for number in range(30)))
    page = await new_page(viewport={"width": 1280, "height": 800})
    await enter(page, "Ada")
    await page.mouse.move(600, 300)  # over the messages, as usual

    await choose(
        page, a_file("ladder.png", picture(10, 900), "image/png"), a_file("seeds.txt", b"beans " * 99)
    )
    await expect(page.locator("[data-testid=tray-file][data-state=done]")).to_have_count(2)
    await composer(page).fill("The plan")
    await composer(page).press("Enter")

    # Where the row was drawn anew within one frame, the end was below what is seen.
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    image = page.get_by_test_id("picture").locator("img")
    await expect(image).to_have_js_property("complete", True)
    assert await page.evaluate(LEFT_BELOW) < 2
    box = await image.bounding_box()
    assert box is not None
    assert box["width"] >= 24  # it can be pressed
    assert box["height"] <= 300


async def test_files_are_dropped_and_pasted_refused_in_words_and_taken_back(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    await open_site()
    page = await new_page()
    let_go = asyncio.Event()
    await enter(page, "Ada")
    await expect(page.get_by_test_id("attach")).to_be_visible()
    pane, field = page.locator(".talk-pane"), composer(page)
    tray = page.get_by_test_id("tray-file")

    async def hold(route: Route) -> None:
        await let_go.wait()
        with suppress(PlaywrightError):  # the page has given it up
            await route.abort()

    await page.route("**/files/general?name=slow*", hold)
    assert await pane.evaluate(ON_TOP, ["dragover", "slow.txt", "slow"])
    await expect(page.get_by_text("Drop files here to attach them")).to_be_visible()
    assert await pane.evaluate(ON_TOP, ["drop", "slow.txt", "slow"])
    await expect(page.get_by_text("Drop files here to attach them")).to_be_hidden()
    await field.fill("With a file")
    await expect(page.get_by_test_id("send")).to_be_disabled()
    await field.press("Enter")
    await expect(page.get_by_text("Files are still on their way")).to_be_visible()
    await expect(tray.get_by_role("progressbar")).to_be_visible()
    await page.get_by_role("button", name="Remove slow.txt").click()
    let_go.set()
    await expect(tray).to_have_count(0)
    await expect(page.get_by_test_id("attach")).to_be_focused()
    await expect(page.get_by_test_id("send")).to_be_enabled()

    assert await field.evaluate(ON_TOP, ["paste", "pasted.txt", "pasted"])
    await choose(
        page,
        a_file("setup.exe", b"MZ\x90\0\0"),
        a_file("film.txt", b"x" * 10_000_001),
        a_file("nothing.txt", b""),
        a_file("up.txt", b"x"),
    )
    await expect(tray.filter(has_text="setup.exe")).to_contain_text("Files of this kind cannot be sent here")
    await expect(tray.filter(has_text="film.txt")).to_contain_text(
        "It is too large: a file can have 10 MB at most."
    )
    await expect(tray.filter(has_text="nothing.txt")).to_contain_text("This file is empty.")
    await expect(tray.and_(page.locator("[data-state=done]"))).to_have_count(2)
    await new_page.screenshot(page, "refused")
    assert await problems(page, touch=False) == []
    await field.press("Enter")
    await expect(lines(page)).to_have_text("With a file")
    await expect(page.get_by_test_id("file")).to_have_count(2)
    await expect(tray).to_have_count(3)
    for name in ("setup.exe", "film.txt", "nothing.txt"):
        await page.get_by_role("button", name=f"Remove {name}").click()

    await page.route("**/files/general?name=lost*", lambda route: route.abort())
    await choose(page, a_file("lost.txt", b"x"))
    await expect(tray).to_contain_text("The server cannot be reached.")
    await page.unroute("**/files/general?name=lost*")
    await tray.get_by_role("button", name="Try again").click()
    await expect(tray.and_(page.locator("[data-state=done]"))).to_have_count(1)
    asked: list[str] = []

    async def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    page.once("dialog", leave)
    await page.reload()
    assert asked == ["beforeunload"]  # the file is not sent, and only this page has it
    await expect(page.get_by_test_id("file")).to_have_count(2)

    await field.fill("long " * 4000)
    await page.get_by_test_id("as-file").click()
    await expect(field).to_have_value("")
    await expect(page.get_by_test_id("as-file")).to_be_hidden()
    await expect(tray.and_(page.locator("[data-state=done]"))).to_contain_text("message.txt20 kB")
    await field.press("Enter")
    await expect(page.get_by_test_id("file").last).to_contain_text("message.txt")
    await messages(page).last.hover()
    await messages(page).last.get_by_test_id("reply").click()
    beside = page.get_by_test_id("thread")
    await beside.get_by_test_id("chooser").set_input_files(a_file("answer.txt", b"yes"))
    await expect(beside.locator("[data-state=done]")).to_have_count(1)
    await page.get_by_test_id("thread-composer").press("Enter")
    await expect(beside.get_by_test_id("thread-log").get_by_test_id("file")).to_contain_text("answer.txt")


async def test_what_apps_and_others_attach_is_shown_safely(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    one = {"type": "image/png", "size": 7, "sha256": "0" * 64}
    elsewhere = {**one, "url": "https://example.org/x.png", "name": "elsewhere"}
    markup = {**one, "url": "https://example.org/y", "name": "<img src=x onerror=alert(1)>", "type": "a/b"}
    await served.chat.publish("general", "message", {"text": "", "attachments": [elsewhere, markup]})
    await enter(page, "Ada")
    await expect(page.get_by_test_id("file")).to_have_count(2)

    # Nothing of another server is loaded before somebody asks for it.
    await expect(page.get_by_test_id("picture")).to_have_count(0)
    await expect(page.get_by_test_id("file").first).to_contain_text("elsewhere")
    await expect(page.get_by_test_id("file").first).to_contain_text("example.org")
    await expect(page.get_by_test_id("file").last).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(page.get_by_test_id("attach")).to_have_count(0)
    await say(page, "Here nothing can be attached")
