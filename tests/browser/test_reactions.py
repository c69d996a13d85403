"""Reactions to messages: a row of chips, a set to choose from, and the people behind a number."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import enter, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def choose(page: Page, name: str) -> None:
    """From the set, at the first message."""
    await messages(page).first.hover()
    await messages(page).first.get_by_test_id("react").click()
    await page.get_by_test_id("reaction-picker").get_by_role("button", name=name).click()


async def test_two_people_react_by_mouse_and_by_keyboard_and_see_who_it_was(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada, bob = await new_page(viewport={"width": 1280, "height": 800}), await new_page(color_scheme="dark")
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await say(ada, "Lunch?")
    row = messages(ada).first
    chip = row.get_by_role("button", name="👍")

    await choose(bob, "thumbs up")
    await expect(messages(bob).first).to_be_focused()
    await expect(chip).to_have_text("👍1")
    await expect(chip).to_have_attribute("aria-pressed", "false")
    await chip.focus()
    await expect(ada.get_by_test_id("reaction-names")).to_have_text("Bob")
    await ada.keyboard.press("Enter")
    await expect(chip).to_have_text("👍2")
    await expect(chip).to_have_attribute("aria-pressed", "true")
    await expect(chip).to_be_focused()  # it was drawn again
    await expect(ada.get_by_test_id("reaction-names")).to_have_text("You and Bob")
    await new_page.screenshot(ada, "names")

    await ada.keyboard.press("Tab")
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_test_id("emoji-field")).to_be_focused()
    await new_page.screenshot(ada, "picker")
    box = await ada.get_by_test_id("reaction-picker").bounding_box()
    assert box is not None
    assert box["width"] < 300  # beside the message, not across the screen
    assert await problems(ada) == []
    await ada.keyboard.press("ArrowDown")
    await expect(ada.get_by_role("button", name="thumbs up", exact=True)).to_be_focused()
    await ada.keyboard.press("ArrowRight")
    await ada.keyboard.press("ArrowDown")
    await expect(ada.get_by_role("button", name="looking")).to_be_focused()
    await ada.keyboard.press("ArrowLeft")
    await ada.keyboard.press("Enter")
    await expect(messages(bob).first.get_by_test_id("reactions")).to_have_text("👍2🙏1")
    await chip.click()
    await expect(messages(bob).first.get_by_role("button", name="👍")).to_have_text("👍1")
    await bob.reload()
    mine = messages(bob).first.get_by_role("button", name="👍")
    await expect(mine).to_have_attribute("aria-pressed", "true")
    await new_page.screenshot(bob, "dark")
    assert await problems(bob) == []

    await served.chat.mute("general", served.user("Ada"), until=time.time() + 3600)
    await expect(ada.get_by_test_id("shut")).to_be_visible()
    await chip.click()
    await expect(ada.get_by_test_id("toast")).to_contain_text("Your reaction was not added")
    await expect(ada.get_by_test_id("toast")).to_contain_text("You are muted until ")
    await expect(chip).to_have_text("👍1")


async def test_an_emoji_is_found_by_its_name_and_any_other_one_is_typed(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "Lunch?")
    reactions, emoji = page.get_by_test_id("reactions"), page.get_by_test_id("emoji")

    await messages(page).hover()
    await page.get_by_test_id("react").click()
    await expect(page.get_by_test_id("emoji-field")).to_be_focused()
    await page.keyboard.type("PIZ")
    await expect(emoji).to_have_text(["🍕"])
    assert await problems(page) == []
    await page.keyboard.press("Enter")
    await expect(reactions).to_have_text("🍕1")
    await page.get_by_test_id("react-more").click()
    await expect(emoji.first).to_have_text("🍕")  # the last one that was chosen
    await page.get_by_test_id("emoji-field").fill("no such emoji")
    await expect(page.get_by_test_id("emoji-none")).to_contain_text("No emoji found")
    await page.get_by_test_id("emoji-field").fill("🧀")
    await expect(emoji).to_have_text(["🧀"])
    await page.keyboard.press("Enter")
    await expect(reactions).to_have_text("🍕1🧀1")


async def test_on_a_phone_the_chips_and_the_set_have_room_for_fingers(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    await enter(page, "Ada")
    await say(page, "Lunch?")
    row = messages(page).first

    await row.tap()
    await row.get_by_test_id("message-acts").tap()
    await page.get_by_test_id("react").tap()
    await expect(page.get_by_test_id("reaction-picker")).to_be_visible()
    assert await problems(page, touch=True) == []
    await new_page.screenshot(page, "picker")
    await page.get_by_test_id("reaction-picker").get_by_role("button", name="party").tap()
    await expect(row.get_by_test_id("reactions")).to_have_text("🎉1")
    await row.get_by_role("button", name="🎉").tap()
    await expect(row.get_by_test_id("reactions")).to_have_count(0)
    await row.get_by_test_id("message-acts").tap()
    await page.get_by_test_id("react").tap()
    await page.get_by_test_id("reaction-picker").get_by_role("button", name="party").tap()
    await expect(row.get_by_test_id("reactions")).to_have_text("🎉1")
    await row.get_by_test_id("message-acts").tap()
    await page.get_by_test_id("act-sheet").get_by_role("button", name="heart").tap()  # at hand
    await expect(row.get_by_test_id("reactions")).to_have_text("❤️1🎉1")
    await expect(row.locator(".chip.pending")).to_have_count(0)  # its emoji is pale until then
    assert await problems(page, touch=True) == []
    await new_page.screenshot(page, "chips")
