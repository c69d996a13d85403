"""Threads: replies to a message, in a column of their own, and on a phone on the whole screen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from sanic_chatrooms import Context
from sanic_chatrooms.errors import Forbidden
from sanic_chatrooms.hooks.middleware import Handler
from tests.browser.acts import composer, enter, lines, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


def thread(page: Page) -> Locator:
    return page.get_by_test_id("thread")


def field(page: Page) -> Locator:
    return page.get_by_test_id("thread-composer")


def replies(page: Page) -> Locator:
    return page.get_by_test_id("thread-log").get_by_test_id("message-text")


def in_log(page: Page) -> Locator:
    return page.get_by_test_id("log").get_by_test_id("message-text")


async def test_two_people_talk_in_a_thread_beside_the_conversation(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada = await new_page(viewport={"width": 1280, "height": 800})
    bob = await new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await say(ada, "Where do we eat?", "And when?")
    first = messages(bob).first

    await first.hover()
    await first.get_by_role("button", name="Reply in thread").click()
    await expect(field(bob)).to_be_focused()
    await expect(bob.get_by_test_id("people")).to_be_hidden()
    await expect(bob.get_by_test_id("thread-parent")).to_contain_text("Where do we eat?")
    await expect(bob.get_by_test_id("thread-count")).to_have_text("Nobody has replied yet.")
    await field(bob).fill("At the corner")
    await field(bob).press("Enter")
    await expect(replies(bob)).to_have_text(["At the corner"])
    line = ada.get_by_test_id("thread-line")
    await expect(line).to_contain_text("1 reply")
    await expect(ada.get_by_test_id("toast")).to_contain_text("Bob replied in a thread of yours in General")
    await ada.get_by_test_id("toast").hover()  # it would stay
    await expect(ada.get_by_test_id("toast")).to_contain_text("Bob: At the corner")
    await expect(ada.get_by_test_id("bell")).to_have_accessible_name("Notices, 1 unread")
    await expect(ada.get_by_test_id("notice-show")).to_be_visible()
    await expect(in_log(ada)).to_have_text(["Where do we eat?", "And when?"])

    await line.focus()
    await ada.keyboard.press("Enter")
    await expect(replies(ada)).to_have_text(["At the corner"])
    await expect(field(ada)).to_be_focused()
    await expect(ada.get_by_test_id("bell")).to_have_accessible_name("Notices")  # what it told of was seen
    await expect(ada.get_by_test_id("toast")).to_have_count(0)
    await ada.keyboard.type("Good")
    await ada.keyboard.press("Enter")
    await expect(replies(bob)).to_have_text(["At the corner", "Good"])
    await expect(bob.get_by_test_id("thread-announcer")).to_have_text("Ada: Good")
    await expect(bob.get_by_test_id("thread-line")).to_contain_text("2 replies")
    assert await problems(ada) == []
    assert await problems(bob) == []
    await new_page.screenshot(ada, "wide")
    await new_page.screenshot(bob, "dark")

    # What a reply becomes is seen there, too; and what is not sent is kept.
    await field(ada).press("ArrowUp")
    await ada.get_by_test_id("edit-field").fill("Great")
    await ada.keyboard.press("Enter")
    await expect(replies(bob).last).to_have_text("Great (edited)")
    await field(ada).fill("a draft")
    await field(ada).press("Escape")
    await expect(thread(ada)).to_be_hidden()
    await expect(messages(ada).first).to_be_focused()
    await expect(ada.get_by_test_id("people")).to_be_visible()
    await ada.go_back()
    await expect(field(ada)).to_have_value("a draft")
    await ada.get_by_test_id("toggle-people").click()
    await expect(thread(ada)).to_be_hidden()
    await expect(ada.get_by_test_id("people")).to_be_visible()

    last = bob.get_by_test_id("thread-log").get_by_test_id("message").first
    await last.hover()
    await last.get_by_role("button", name="Delete message").click()
    await bob.get_by_test_id("answer-yes").click()
    await expect(ada.get_by_test_id("thread-line")).to_contain_text("1 reply")
    await bob.reload()
    await expect(replies(bob)).to_have_text(["Great (edited)"])
    await expect(in_log(bob)).to_have_text(["Where do we eat?", "And when?"])


async def test_a_reply_that_is_refused_after_its_thread_was_closed_is_told_once(
    served: ServedApp, new_page: Pages
) -> None:
    closed = asyncio.Event()

    @served.chat.middleware("message")
    async def refuse_replies(ctx: Context, call_next: Handler) -> Any:
        if "parent" not in ctx.payload:
            return await call_next(ctx)
        await closed.wait()
        raise Forbidden("no replies today")

    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "Where do we eat?")
    await messages(page).first.hover()
    await page.get_by_test_id("reply").click()
    await field(page).fill("Here")
    await field(page).press("Enter")
    await expect(replies(page)).to_have_text(["Here"])
    await field(page).press("Escape")
    await expect(thread(page)).to_be_hidden()
    closed.set()
    await expect(page.get_by_test_id("toast")).to_contain_text("Your reply in General was not sent")
    await page.get_by_test_id("bell").click()
    await expect(page.get_by_test_id("notice-list").get_by_role("listitem")).to_have_count(1)


async def test_on_a_phone_a_thread_has_the_whole_screen_and_brings_its_older_replies(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    await enter(page, "Ada")
    await say(page, "Where do we eat?")
    (parent,) = (await served.chat.history("general")).messages
    for number in range(1, 121):
        body = {"text": f"idea {number}", "parent": parent["msgId"]}
        await served.chat.publish("general", "message", body)

    await page.get_by_test_id("thread-line").tap()
    await expect(thread(page)).to_be_visible()
    await expect(composer(page)).to_be_hidden()
    await expect(page.get_by_test_id("thread-name")).to_be_focused()
    await expect(replies(page).last).to_have_text("idea 120")
    await expect(replies(page).last).to_be_in_viewport()
    assert await problems(page, touch=True) == []
    await new_page.screenshot(page, "phone")
    await page.wait_for_function(
        """() => {
            const log = document.querySelector("[data-testid=thread-log]");
            log.scrollTo(0, 0);
            return log.querySelector("[data-testid=thread-count]");
        }"""
    )
    await expect(page.get_by_test_id("thread-count")).to_have_text("120 replies")
    await field(page).fill("me too")
    await page.get_by_test_id("thread-send").tap()
    await expect(replies(page).last).to_have_text("me too")
    await expect(replies(page).last).to_be_in_viewport()
    await page.get_by_test_id("thread-back").tap()
    await expect(lines(page).first).to_be_visible()
    await expect(page.get_by_test_id("thread-line")).to_contain_text("121 replies")

    await page.goto("/#/general/thread/no-such-message")
    await expect(page.get_by_test_id("thread-failed")).to_contain_text("This thread cannot be opened")
    await page.get_by_role("button", name="Close the thread").tap()
    await expect(composer(page)).to_be_visible()
