"""What is there again after a reload, or when the page was closed: drafts, and messages that were not sent."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import composer, enter, entered, go_to, lines, messages, say, write
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEPT = """(what) => Object.entries(localStorage).filter(([key]) => key.startsWith(`chatrooms ${what} `)).map(([, value]) => value)"""
PENDING = "[data-status=pending]"


async def until_kept(page: Page, what: str, text: str) -> None:
    """Wait until the device has it."""
    await page.wait_for_function(
        f"([what, text]) => ({KEPT})(what).some((one) => one.includes(text))", arg=[what, text]
    )


async def go_offline(served: ServedApp, page: Page, name: str) -> None:
    await page.context.set_offline(True)
    await served.cut(name)
    await served.alone()


async def test_what_was_written_offline_is_sent_once_after_a_reload(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("news")
    page = await new_page()
    await enter(page, "Ada", "news")
    await say(page, "before")
    ada = served.user("Ada")
    await go_offline(served, page, "Ada")
    await write(page, "kept one", "kept two")
    await expect(page.locator(PENDING)).to_have_count(2)
    await until_kept(page, "unsent", "kept two")

    await page.goto("about:blank")  # without a question
    await page.context.set_offline(False)
    await page.goto("/#/general")
    await entered(page)
    await go_to(page, "news")

    await expect(lines(page)).to_have_text(["before", "kept one", "kept two"])
    await expect(page.locator(PENDING)).to_have_count(0)
    assert served.user("Ada") == ada
    await page.wait_for_function(f"() => !({KEPT})('unsent').length")
    await page.reload()
    await expect(lines(page)).to_have_text(["before", "kept one", "kept two"])


async def test_another_tab_sends_what_a_closed_one_has_left(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    page = await new_page()
    await enter(page, "Ada", "news")
    tab = await page.context.new_page()
    await tab.goto("/#/general")
    await entered(tab)
    await page.context.set_offline(True)
    await served.cut("Ada")
    await served.alone()
    await write(page, "left behind")
    await until_kept(page, "unsent", "left behind")
    await tab.bring_to_front()
    await expect(tab.locator("[data-room=news]")).to_be_visible()

    await page.close()
    other = await page.context.new_page()
    await page.context.set_offline(False)
    await other.goto("/#/news")

    await expect(lines(other)).to_have_text(["left behind"])
    await expect(other.locator(PENDING)).to_have_count(0)
    await say(other, "next")
    await expect(lines(other)).to_have_text(["left behind", "next"])


async def test_drafts_are_there_in_each_room_and_thread(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "a question")
    await messages(page).first.hover()
    await page.get_by_role("button", name="Reply in thread").click()
    reply = page.get_by_test_id("thread-composer")
    await reply.fill("half of an answer")
    await until_kept(page, "drafts", "half of an answer")
    await page.get_by_role("button", name="Close the thread").click()
    await composer(page).fill("half of a sentence")
    await go_to(page, "news")
    await expect(composer(page)).to_have_value("")
    await composer(page).fill("some news")

    await page.reload()  # at once: nothing waits for a pause
    await expect(composer(page)).to_have_value("some news")
    await composer(page).press("Enter")
    await expect(lines(page)).to_have_text(["some news"])
    await go_to(page, "general")
    await expect(composer(page)).to_have_value("half of a sentence")
    await messages(page).first.hover()
    await page.get_by_role("button", name="Reply in thread").click()
    await expect(reply).to_have_value("half of an answer")

    await page.reload()
    await go_to(page, "news")
    await expect(composer(page)).to_be_focused()
    await expect(composer(page)).to_have_value("")


async def test_what_is_taken_away_or_sent_does_not_come_back(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "a question")
    await composer(page).fill("a sentence")
    await messages(page).first.hover()
    await page.get_by_role("button", name="Reply in thread").click()
    reply = page.get_by_test_id("thread-composer")
    await reply.fill("an answer")
    await until_kept(page, "drafts", "an answer")

    await reply.press("Enter")
    await page.get_by_role("button", name="Close the thread").click()  # at once: nothing waits for a pause
    await page.get_by_test_id("thread-line").click()
    await expect(page.get_by_test_id("thread").get_by_test_id("message-text").last).to_have_text("an answer")
    await expect(reply).to_have_value("")

    await composer(page).fill("")
    await page.evaluate("location.hash = '#/news'")
    await expect(composer(page)).to_have_attribute("placeholder", "Message #News")
    await page.evaluate("location.hash = '#/general'")
    await expect(composer(page)).to_have_attribute("placeholder", "Message #General")
    await expect(composer(page)).to_have_value("")


async def test_signing_out_takes_all_of_it_away(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "sent")
    await composer(page).fill("a draft")
    await until_kept(page, "drafts", "a draft")
    await page.context.set_offline(True)
    await served.cut("Ada")
    await write(page, "never sent")
    await composer(page).fill("another draft")
    await until_kept(page, "unsent", "never sent")
    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("sign-out").click()

    async with page.expect_event("requestfailed", lambda request: request.is_navigation_request()):
        await page.get_by_test_id("answer-yes").click()  # it leads to the page, which cannot be loaded now
    await page.context.set_offline(False)
    await page.goto("/")
    await expect(page.get_by_test_id("name")).to_be_visible()
    for what in ("unsent", "drafts"):
        assert await page.evaluate(KEPT, what) == []
    await enter(page, "Eve")
    await expect(lines(page)).to_have_text(["sent"])
    await expect(composer(page)).to_have_value("")


async def test_nothing_is_sent_in_the_name_of_somebody_else(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "sent")
    await go_offline(served, page, "Ada")
    await write(page, "by Ada")
    await composer(page).fill("a draft of Ada's")
    await until_kept(page, "unsent", "by Ada")

    await page.goto("about:blank")
    await page.context.set_offline(False)
    await page.goto("/static/app.webmanifest")  # another document of the same origin
    await page.evaluate(
        "Object.keys(localStorage).filter((key) => key.endsWith('guestToken')).forEach((key) => localStorage.removeItem(key))"
    )
    await page.goto("/#/general")
    await entered(page)

    await expect(page.get_by_test_id("me")).to_contain_text("Ada")  # the name, but not the user
    await say(page, "by another Ada")
    await expect(lines(page)).to_have_text(["sent", "by another Ada"])
    await expect(composer(page)).to_have_value("")
    assert len(await page.evaluate(KEPT, "unsent")) == 1
