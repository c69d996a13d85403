"""What is unread: counted by the server, the same on all devices; what one wants to hear of, and from whom not."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import enter, entered, go_to, lines, messages, say
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def member(served: ServedApp, page: Page, name: str, *rooms: str) -> None:
    """Come in, and become a member of these rooms."""
    await enter(page, name)
    for room in rooms:
        await served.chat.add_member(room, served.user(name))
    await page.reload()
    await entered(page)


async def second_device(page: Page, pages: Pages, room: str) -> Page:
    """Another browser of the same user."""
    device = await pages(storage_state=await page.context.storage_state())
    await device.goto(f"/#/{room}")
    await entered(device)
    return device


async def test_what_is_unread_is_counted_by_the_server_and_read_on_all_devices(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("news", "quiet")
    ada = await new_page()
    await member(served, ada, "Ada", "general", "news", "quiet")
    news = ada.locator("[data-room=news]")
    # Nobody has opened the room here: the page learns of it from the server.
    await served.say("news", "one")
    await served.chat.publish("news", "message", {"text": "for you", "mentions": [served.user("Ada").id]})
    await expect(news.get_by_test_id("mention-count")).to_have_text("@1 mention")
    await ada.reload()
    await entered(ada)
    await expect(news.get_by_test_id("unread")).to_have_text("2 unread")
    await expect(ada).to_have_title("(2, @1) General · Example chat")

    await expect(news.locator(".badge")).to_have_text(["@1 mention"])  # one sign for both

    other = await second_device(ada, new_page, "general")
    await served.chat.publish("news", "message", {"text": "and this", "mentions": [served.user("Ada").id]})
    toast = other.get_by_test_id("toast")
    await expect(toast).to_be_visible()
    await expect(other.get_by_test_id("bell")).to_have_accessible_name("Notices")  # the room has the count
    await toast.hover()  # it would stay
    await expect(other.locator("[data-room=news]").get_by_test_id("unread")).to_have_text("3 unread")
    await go_to(ada, "news")
    await expect(lines(ada)).to_have_text(["one", "for you", "and this"])
    await expect(toast).to_have_count(0)
    for page in (ada, other):
        await expect(page.locator("[data-room=news]").get_by_test_id("unread")).to_have_count(0)
    await expect(other).to_have_title("General · Example chat")

    await messages(ada).last.hover()
    await messages(ada).last.get_by_test_id("mark-unread").click()
    await expect(ada.get_by_test_id("new-line")).to_be_visible()
    for page in (ada, other):
        await expect(page.locator("[data-room=news]").get_by_test_id("unread")).to_have_text("1 unread")
        await expect(page.locator("[data-room=news]").get_by_test_id("mention-count")).to_have_text(
            "@1 mention"
        )
    await new_page.screenshot(ada, "marked")
    await other.get_by_test_id("me-menu").click()
    await other.get_by_test_id("read-all").click()
    for page in (ada, other):
        await expect(page.get_by_test_id("unread")).to_have_count(0)


async def test_the_first_unread_message_is_reached_however_far_up_it_is(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("news")
    page = await new_page()
    await member(served, page, "Ada", "general", "news")
    await served.say("news", *(f"line {number}" for number in range(1, 131)))
    await go_to(page, "news")
    await expect(lines(page).last).to_have_text("line 130")
    await new_page.screenshot(page, "offered")
    await page.get_by_test_id("to-first").click()
    await expect(lines(page).filter(has_text=re.compile("^line 1$"))).to_be_in_viewport()
    await expect(page.get_by_test_id("to-first")).to_be_hidden()


@pytest.mark.whole_browser
async def test_what_one_wants_to_hear_of_is_chosen_for_each_room(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    ada = await new_page()
    await member(served, ada, "Ada", "general", "news")
    await go_to(ada, "news")
    await ada.get_by_test_id("room-menu").click()
    await ada.get_by_test_id("room-notifications").click()
    await expect(ada.get_by_test_id("notify-all")).to_be_checked()
    await new_page.screenshot(ada, "choices")
    await ada.get_by_test_id("notify-mentions").check()
    await ada.get_by_test_id("prefs-done").click()
    await go_to(ada, "general")

    await served.say("news", "one")
    unread = ada.locator("[data-room=news]").get_by_test_id("unread")
    await expect(unread).to_have_text("1 unread")
    await expect(unread).not_to_have_class("badge")
    await expect(ada).to_have_title("General · Example chat")
    await served.chat.publish("news", "message", {"text": "two", "mentions": [served.user("Ada").id]})
    await expect(ada).to_have_title("(1, @1) General · Example chat")
    # The first mention is the moment to ask.
    await expect(ada.get_by_test_id("question")).to_contain_text("Get notified?")
    await new_page.screenshot(ada, "question")
    await ada.get_by_test_id("offer-off").click()
    await expect(ada.get_by_test_id("question")).to_have_count(0)


async def test_messages_of_people_who_are_blocked_are_folded_away(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    ada, eve = await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(eve, "Eve")
    await say(eve, "buy my pills", "and my watches")
    await expect(lines(ada)).to_have_count(2)

    await ada.get_by_role("button", name="About Eve").click()
    await new_page.screenshot(ada, "card")
    await ada.get_by_test_id("block").click()
    folded = ada.get_by_test_id("folded")
    await expect(folded).to_contain_text("2 messages from people you blocked.")
    await expect(lines(ada)).to_have_count(0)
    await say(eve, "still here")
    await expect(folded).to_contain_text("3 messages")
    await ada.reload()
    await expect(folded).to_contain_text("3 messages")
    await new_page.screenshot(ada, "folded")
    await folded.get_by_test_id("unfold").click()
    await expect(lines(ada)).to_have_text(["buy my pills", "and my watches", "still here"])

    await ada.get_by_role("button", name="About Eve").click()
    await ada.get_by_test_id("unblock").click()
    await expect(ada.get_by_test_id("blocked")).to_have_count(0)
    await say(eve, "sorry")
    await expect(lines(ada).last).to_have_text("sorry")
