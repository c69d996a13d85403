"""What Enter does: with an input method, on a touch screen, and with nothing to be seen."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import composer, enter, go_to, lines, messages, say
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


async def choose_word(page: Page, key: str = "Enter") -> None:
    """The key by which an input method ends a word, as Safari tells of it: after the composition, with the code 229."""
    cdp = await page.context.new_cdp_session(page)
    # With the text of the key, by which a browser sends a form; not where it would write a new line.
    in_form = await page.evaluate("document.activeElement.form !== null")
    text = "\r" if key == "Enter" and in_form else ""
    press = {"key": key, "windowsVirtualKeyCode": 229, "text": text}
    await cdp.send("Input.dispatchKeyEvent", {"type": "keyDown", **press})
    await cdp.send("Input.dispatchKeyEvent", {"type": "keyUp", **press})
    await cdp.detach()


async def test_the_enter_of_an_input_method_ends_a_word_and_sends_nothing(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("random")
    page = await new_page()
    await page.goto("/#/general")
    await page.get_by_test_id("name").fill("か")
    await choose_word(page)
    await expect(page.get_by_test_id("name")).to_have_value("か")
    await expect(page.get_by_test_id("enter")).to_be_enabled()
    await enter(page, "かな")

    await composer(page).fill("にほん")
    await choose_word(page)
    await expect(composer(page)).to_have_value("にほん")
    await composer(page).press("Enter")
    await expect(lines(page)).to_have_text(["にほん"])
    await expect(messages(page)).to_have_attribute("data-status", "sent")

    await composer(page).press("ArrowUp")
    field = page.get_by_test_id("edit-field")
    await field.fill("日本")
    await choose_word(page)
    await choose_word(page, "Escape")
    await expect(field).to_be_focused()
    await field.press("Escape")

    await composer(page).press("Control+k")
    option = page.get_by_test_id("switcher-option")
    await page.get_by_test_id("switcher-field").fill("r")
    await choose_word(page, "ArrowDown")
    await choose_word(page)
    await expect(option.first).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Escape")

    await page.get_by_test_id("create-room").click()
    await page.get_by_test_id("room-title").fill("へや")
    await choose_word(page)
    await expect(page.get_by_test_id("create-dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("room-name")).to_have_text("General")
    await expect(page.get_by_test_id("room")).to_have_count(2)


async def test_enter_begins_a_line_on_a_touch_screen_and_the_button_sends(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(**PHONE)
    await enter(page, "Ada")

    await expect(composer(page)).to_have_attribute("enterkeyhint", "enter")
    await composer(page).press_sequentially("one")
    await composer(page).press("Enter")
    await composer(page).press_sequentially("two")
    await expect(messages(page)).to_have_count(0)
    await page.get_by_test_id("send").tap()
    await expect(lines(page)).to_have_text(["one\ntwo"], use_inner_text=True)

    await expect(messages(page)).to_have_attribute("data-status", "sent")
    await messages(page).tap()
    await page.get_by_test_id("message-acts").tap()
    await page.get_by_role("button", name="Edit message").tap()
    field = page.get_by_test_id("edit-field")
    await field.press("Enter")
    await field.press_sequentially("three")
    await page.get_by_test_id("edit-save").tap()
    await expect(lines(page)).to_have_text(["one\ntwo\nthree (edited)"], use_inner_text=True)
    await composer(page).fill("by the keys of a keyboard")
    await composer(page).press("Control+Enter")
    await expect(lines(page)).to_have_count(2)


# Blanks, joiners, overrides, fillers, the empty pattern of Braille, selectors, control characters, tags.
INVISIBLE = [
    " \n\t ",
    "\u00a0\u3000",
    "\u200b\u200d\ufeff",
    "\u202e\u2066",
    "\u00ad\u034f",
    "\u3164\u115f",
    "\u2800",
    "\ufe0f",
    "\x01\x7f",
    "\U000e0061",
]


async def test_a_message_without_visible_characters_cannot_be_sent(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")

    for nothing in INVISIBLE:
        await composer(page).fill(nothing)
        await expect(page.get_by_test_id("send")).to_be_disabled()
        await composer(page).press("Enter")
    await expect(messages(page)).to_have_count(0)
    for something in ("\N{WARNING SIGN}\ufe0f", "\u200b.", "\u0e49"):
        await say(page, something)


async def test_focus_returns_to_the_field_after_everything_that_opens_and_closes(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("random")
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "one")
    await composer(page).focus()

    await page.keyboard.press("Control+k")
    await expect(page.get_by_test_id("switcher-field")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("switcher")).to_have_count(0)
    await expect(composer(page)).to_be_focused()
    await page.keyboard.type("a")
    await expect(composer(page)).to_have_value("a")
    await composer(page).fill("")

    await page.keyboard.press("Control+k")
    await page.keyboard.type("random")
    await page.keyboard.press("Enter")
    await expect(composer(page)).to_have_attribute("placeholder", "Message #Random")
    await expect(composer(page)).to_be_focused()
    await page.keyboard.type("b")
    await expect(composer(page)).to_have_value("b")

    await go_to(page, "general")
    await expect(composer(page)).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_test_id("edit-field")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("edit-field")).to_have_count(0)
    await expect(composer(page)).to_be_focused()
    await page.keyboard.type("c")
    await expect(composer(page)).to_have_value("c")

    await page.get_by_test_id("create-room").click()
    await expect(page.get_by_test_id("room-title")).to_be_focused()
    await page.keyboard.type("New room")
    await page.keyboard.press("Enter")
    await expect(composer(page)).to_have_attribute("placeholder", "Message #New room")
    await expect(composer(page)).to_be_focused()
    await page.keyboard.type("d")
    await expect(composer(page)).to_have_value("d")


async def test_a_new_name_replaces_the_old_one(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("rename").click()
    await expect(page.get_by_test_id("new-name")).to_be_focused()
    await page.keyboard.type("Countess")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("me")).to_contain_text("Countess")
    await expect(page.get_by_test_id("me")).not_to_contain_text("Ada")


async def test_a_click_on_the_open_room_leads_to_its_field(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await page.get_by_test_id("me-menu").focus()
    await page.locator("[data-room=general]").click()
    await expect(composer(page)).to_be_focused()
    await page.keyboard.type("here")
    await expect(composer(page)).to_have_value("here")


async def test_a_menu_stays_open_when_a_room_opens_by_itself(served: ServedApp, new_page: Pages) -> None:
    """As the first room does once the list of rooms is there."""
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await page.get_by_test_id("me-menu").click()
    await expect(page.get_by_test_id("rename")).to_be_visible()
    await page.evaluate("location.hash = '#/other'")
    await expect(composer(page)).to_have_attribute("placeholder", "Message #other")
    await page.get_by_test_id("rename").click()
    await expect(page.get_by_test_id("new-name")).to_be_focused()
