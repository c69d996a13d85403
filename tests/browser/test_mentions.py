"""Mentions: completed while they are typed, marked where they are read, and told with a way to them."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.acts import composer, enter, go_to, lines, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


def options(page: Page) -> Locator:
    return page.get_by_test_id("mention-option")


async def test_a_name_is_completed_by_keyboard_and_the_mentioned_are_told_and_led_there(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("random")
    ada = await new_page(viewport={"width": 1280, "height": 800})
    bob = await new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    await enter(bob, "Bob Byron")
    await enter(ada, "Ada")
    await say(bob, "Hello")
    await go_to(bob, "random")

    await composer(ada).press_sequentially("Look, @")
    await expect(options(ada)).to_have_text(["BBBob Byron"])
    await composer(ada).press_sequentially("by")
    await expect(options(ada)).to_have_attribute("aria-selected", "true")
    assert await problems(ada) == []
    await new_page.screenshot(ada, "list")
    await ada.keyboard.press("Escape")
    await expect(options(ada)).to_have_count(0)
    await expect(composer(ada)).to_be_focused()
    await composer(ada).fill("")
    await composer(ada).press_sequentially("Look, @bo")
    await ada.keyboard.press("Enter")
    await expect(composer(ada)).to_have_value("Look, @Bob Byron ")
    await ada.keyboard.type("here")
    await ada.keyboard.press("Enter")
    await expect(lines(ada).last.locator(".mention")).to_have_text("@Bob Byron")
    await expect(messages(ada).last).to_have_attribute("data-status", "sent")
    (_, said) = (await served.chat.history("general")).messages
    assert said["payload"]["mentions"] == [served.user("Bob Byron").id]

    toast = bob.get_by_test_id("toast")
    await expect(toast).to_contain_text("Ada mentioned you in General")
    await toast.hover()  # it stays while somebody reads it
    await expect(toast).to_contain_text("Look, @Bob Byron here")
    await toast.get_by_role("link", name="Show").click()
    await expect(bob.get_by_test_id("room-name")).to_have_text("General")
    row = messages(bob).last
    await expect(row).to_be_focused()
    await expect(row.locator("mark")).to_have_text("@Bob Byron")
    assert await problems(bob) == []
    await new_page.screenshot(bob, "marked")

    await composer(ada).press("ArrowUp")
    await ada.get_by_test_id("edit-field").fill("")
    await ada.get_by_test_id("edit-field").press_sequentially("Or @by")
    await expect(options(ada)).to_have_count(1)
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_test_id("edit-field")).to_have_value("Or @Bob Byron ")
    await ada.get_by_test_id("edit-field").fill("Look here")
    await ada.keyboard.press("Enter")
    await expect(lines(bob).last).to_have_text("Look here (edited)")
    (_, said) = (await served.chat.history("general")).messages
    assert said["payload"]["mentions"] == []
