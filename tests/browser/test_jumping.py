"""Jumping to one message: by its link, from the end and from elsewhere, and back to the newest."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.acts import composer, enter, lines, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


def row(page: Page, seq: int) -> Locator:
    return page.get_by_test_id("log").locator(f"[data-seq='{seq}']")


async def test_a_link_leads_to_a_message_far_up_and_a_button_back_to_the_newest(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", *(f"line {number}" for number in range(1, 401)))
    page = await new_page(permissions=["clipboard-read", "clipboard-write"])
    await enter(page, "Ada")
    await expect(lines(page).last).to_have_text("line 400")
    await messages(page).last.hover()
    await messages(page).last.get_by_role("button", name="Copy link").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("Link copied")
    await expect(page.get_by_test_id("bell")).to_have_accessible_name("Notices")  # that is no news
    link: str = await page.evaluate("navigator.clipboard.readText()")
    assert link.endswith("#/general/at/400")

    await page.goto(link.replace("400", "80"))
    await expect(row(page, 80)).to_be_focused()
    await expect(row(page, 80)).to_be_in_viewport()
    await expect(row(page, 80)).to_have_class(re.compile(r"\bmarked\b"))
    await expect(row(page, 400)).to_have_count(0)
    assert await problems(page) == []
    await new_page.screenshot(page, "far-up")
    await served.say("general", "news")
    newest = page.get_by_test_id("to-end")
    await expect(newest).to_have_text("1 new message")
    await expect(row(page, 80)).to_be_in_viewport()
    await newest.click()
    await expect(lines(page).last).to_have_text("news")
    await expect(lines(page).last).to_be_in_viewport()
    await expect(row(page, 80)).to_have_count(0)

    # By the same link in a page that comes for it, and down again by scrolling alone.
    other = await new_page(color_scheme="dark", viewport={"width": 390, "height": 844})
    await enter(other, "Bob")
    await other.goto("about:blank")
    await other.goto("/#/general/at/310")
    await expect(row(other, 310)).to_be_in_viewport()
    await new_page.screenshot(other, "phone")
    for last in (401,):
        await other.wait_for_function(
            """(last) => {
                const log = document.querySelector("[data-testid=log]");
                log.scrollTo(0, log.scrollHeight);
                return log.querySelector(`[data-seq='${last}']`);
            }""",
            arg=last,
        )
    await expect(other.get_by_test_id("to-end")).to_be_hidden()
    await say(other, "I read all of it")

    await page.goto("/#/general/at/9999")
    await expect(page.get_by_test_id("toast").last).to_contain_text("This message is not there any more")


async def test_the_browser_leads_back_from_a_message_to_where_one_was(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", *(f"line {number}" for number in range(1, 401)))
    page = await new_page()
    await enter(page, "Ada")
    await expect(lines(page).last).to_be_in_viewport()
    await row(page, 356).evaluate("(row) => row.scrollIntoView({ block: 'center' })")
    await expect(page.get_by_test_id("to-end")).to_be_visible()

    await page.goto("/#/general/at/80")
    await expect(row(page, 80)).to_be_in_viewport()
    await page.evaluate("history.back()")
    await expect(row(page, 356)).to_be_in_viewport()
    await expect(row(page, 80)).to_have_count(0)

    await page.goto("/")  # an address that names no room shows the first one
    await expect(row(page, 400)).to_be_in_viewport()
    await page.evaluate("location.hash = '#/general/at/80'")
    await expect(row(page, 80)).to_be_in_viewport()
    await page.evaluate("history.back()")
    await expect(row(page, 400)).to_be_in_viewport()


async def test_a_link_to_a_reply_opens_its_thread(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    await served.say("general", "Where do we eat?", *(f"line {number}" for number in range(2, 101)))
    parent = (await served.chat.history("general", limit=100)).messages[0]
    for number in range(101, 181):
        body = {"text": f"idea {number}", "parent": parent["msgId"]}
        await served.chat.publish("general", "message", body)
    page = await new_page(viewport={"width": 1280, "height": 800})
    await enter(page, "Ada")

    await page.goto("/#/general/at/110")
    reply = page.get_by_test_id("thread-log").locator("[data-seq='110']")
    await expect(reply).to_be_in_viewport()
    await expect(reply).to_be_focused()
    await new_page.screenshot(page, "reply")
    await page.get_by_test_id("thread-place").click()
    await expect(row(page, 1)).to_be_focused()
    await expect(page.get_by_test_id("thread")).to_be_hidden()
    await expect(composer(page)).to_be_visible()
