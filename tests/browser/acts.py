"""What people do at the screen, and where to look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Locator, Page, expect

__all__ = [
    "CUTTABLE",
    "REST",
    "at_rest",
    "banner_leaves",
    "coming_back",
    "composer",
    "cut",
    "enter",
    "entered",
    "go_to",
    "lines",
    "messages",
    "say",
    "write",
]

# For `add_init_script`, so that `cut` finds the sockets.
CUTTABLE = """
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
        constructor(...how) { super(...how); sockets.push(this); }
    };
"""

# "You are back." stays until the test has seen it, which may be slow: what ends it (GOODBYE in banner.js) is kept.
KEEP_GOODBYES = """() => {
    const later = window.setTimeout;
    window.goodbyes = [];
    window.setTimeout = (act, wait, ...more) => (wait === 2500 ? goodbyes.push(act) && 0 : later(act, wait, ...more));
}"""
# Without the patience of whoever waits for the next attempt; while one is under way, pressing does nothing.
TRY_NOW = """() => {
    document.querySelectorAll("[data-testid=try-now]").forEach((one) => one.click());
    return goodbyes.length > 0;
}"""
REST = """async () => {
    const log = document.querySelector("[data-testid=log]");
    for (let before = "", frames = 0; frames < 4; ) {
        const now = `${log.scrollTop} ${log.scrollHeight}`;
        frames = now === before ? frames + 1 : 0;
        before = now;
        await new Promise(requestAnimationFrame);
    }
}"""


async def cut(page: Page) -> None:
    """End the connections of the page at once, as a network does."""
    await page.evaluate("sockets.forEach((socket) => socket.close(4000))")


async def enter(page: Page, name: str, room: str = "general", *, path: str = "/") -> None:
    """Come for the first time, by the address of a room, and make the room if it is not there."""
    await page.goto(f"{path}#/{room}")
    await page.get_by_test_id("name").fill(name)
    await page.keyboard.press("Enter")
    create = page.get_by_role("button", name="Create this room")
    await expect(page.get_by_test_id("toggle-people").filter(visible=True).or_(create)).to_be_visible()
    if await create.is_visible():
        await create.click()
        await page.get_by_test_id("room-title").press("Enter")
    await entered(page)


async def entered(page: Page) -> None:
    """Wait until the server has let the page into the room. The field to write in is there before."""
    await expect(page.get_by_test_id("toggle-people")).to_be_visible()
    await expect(composer(page)).to_be_visible()


@asynccontextmanager
async def coming_back(page: Page) -> AsyncIterator[None]:
    """Do in it what lets the page connect again. Then the banner says so, until `banner_leaves`."""
    await page.evaluate(KEEP_GOODBYES)
    yield
    await page.wait_for_function(TRY_NOW)
    await expect(page.get_by_test_id("banner")).to_have_text("You are back.")


async def banner_leaves(page: Page) -> None:
    """By itself, once the time is over."""
    await page.evaluate("goodbyes.forEach((act) => act())")
    await expect(page.get_by_test_id("banner")).to_be_hidden()


async def at_rest(page: Page) -> None:
    """Wait until the conversation neither scrolls nor changes its height, as it does while more of it is painted."""
    await page.evaluate(REST)


async def write(page: Page, *texts: str) -> None:
    """Type and send, whatever becomes of it."""
    await expect(composer(page)).to_be_visible()  # before, another page may be about to come
    by_finger = await page.evaluate("matchMedia('(pointer: coarse)').matches")
    for text in texts:
        await composer(page).fill(text)
        await (page.get_by_test_id("send").tap() if by_finger else composer(page).press("Enter"))


async def say(page: Page, *texts: str) -> None:
    """Type, send, and see that the server has it."""
    for text in texts:
        await write(page, text)
        await expect(messages(page).last).to_contain_text(text)
        await expect(messages(page).last).to_have_attribute("data-status", "sent")


async def go_to(page: Page, room: str) -> None:
    """Click a room of the list."""
    await page.locator(f"[data-room='{room}']").click()
    await expect(page.locator(f"[data-room='{room}']")).to_have_attribute("aria-current", "page")


def composer(page: Page) -> Locator:
    return page.get_by_test_id("composer")


def messages(page: Page) -> Locator:
    return page.get_by_test_id("message")


def lines(page: Page) -> Locator:
    """What was said, without names and times."""
    return page.get_by_test_id("message-text")
