"""What a phone has of its own: the way back, a finger that rests, one pane at a time, and little room."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.acts import at_rest, composer, enter, entered, lines, messages, say
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


async def come_by_the_rooms(page: Page) -> None:
    await page.goto("/")
    await page.get_by_test_id("name").fill("Ada")
    await page.keyboard.press("Enter")
    await page.locator("[data-room=general]").tap()
    await entered(page)


async def rest_on(page: Page, target: Locator, until: Locator) -> None:
    """Let a finger rest there until something is shown."""
    box = await target.bounding_box()
    assert box is not None
    touch = await page.context.new_cdp_session(page)
    point = {"x": box["x"] + 10, "y": box["y"] + box["height"] / 2}
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    await expect(until).to_be_visible()
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


async def test_the_way_back_closes_what_is_over_the_page_and_then_leads_up(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(**PHONE)
    await come_by_the_rooms(page)
    log, rooms = page.get_by_test_id("log"), page.get_by_test_id("room-list")
    await say(page, "hello")

    await page.get_by_test_id("room-menu").tap()
    await page.go_back()
    await expect(page.get_by_role("menu")).to_have_count(0)
    await page.get_by_test_id("open-details").tap()
    await page.get_by_test_id("details-close").tap()
    await expect(page.get_by_test_id("details")).to_have_count(0)
    await messages(page).tap()
    await page.get_by_test_id("message-acts").tap()
    await page.get_by_test_id("act-sheet").get_by_test_id("react").tap()  # one follows the other
    await expect(page.get_by_test_id("reaction-picker")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_test_id("reaction-picker")).to_have_count(0)
    await expect(log).to_be_visible()

    await page.get_by_test_id("toggle-people").tap()
    await page.get_by_role("button", name="Back to the conversation").tap()
    await expect(log).to_be_visible()
    await expect(page.get_by_test_id("toggle-people")).to_be_focused()
    await page.get_by_test_id("open-details").tap()
    await page.get_by_test_id("details-close").tap()
    await expect(page.get_by_test_id("details")).to_have_count(0)
    await page.go_back()
    await expect(rooms).to_be_visible()
    await page.locator("[data-room=general]").tap()
    await expect(log).to_be_visible()
    await page.get_by_test_id("back").tap()
    await expect(rooms).to_be_visible()
    await page.go_back()
    await expect(page).to_have_url("about:blank")


async def test_a_finger_that_rests_on_a_reaction_or_a_name_does_not_press_it(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page, bob = await new_page(**PHONE), await new_page()
    await enter(bob, "Bob")
    await say(bob, "Lunch?")
    await messages(bob).hover()
    await bob.get_by_role("button", name="Add a reaction").click()
    await bob.get_by_test_id("reaction-picker").get_by_role("button", name="party").click()
    await enter(page, "Ada")
    names = page.get_by_test_id("reaction-names")

    chip = page.get_by_role("button", name="🎉")
    await rest_on(page, chip, names)
    await expect(names).to_have_text("Bob")
    await expect(chip).to_have_attribute("aria-pressed", "false")
    await lines(page).tap()
    await expect(names).to_have_count(0)
    await chip.tap()
    await expect(chip).to_have_attribute("aria-pressed", "true")

    await rest_on(page, page.get_by_test_id("author"), page.get_by_test_id("act-sheet"))
    await page.go_back()
    await expect(page.locator("dialog")).to_have_count(0)


# How far what has the focus is from the middle of the conversation.
OFF_THE_MIDDLE = """() => {
    const middle = (node) => ((box) => box.top + box.height / 2)(node.getBoundingClientRect());
    return Math.abs(middle(document.activeElement) - middle(document.querySelector("[data-testid=log]")));
}"""


async def test_the_way_back_from_a_message_leads_to_the_end_without_a_keyboard(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", *(f"{number} " + "words " * (number % 7 * 6) for number in range(1, 91)))
    page = await new_page(**PHONE)
    await come_by_the_rooms(page)
    await expect(lines(page).last).to_be_in_viewport()
    for number in (75, 60, 40):  # the two last begin a group of rows
        await page.goto(f"/#/general/at/{number}")
        await expect(page.locator(f"[data-seq='{number}']")).to_be_focused()
        await at_rest(page)
        assert await page.evaluate(OFF_THE_MIDDLE) < 20
        await page.go_back()
        await expect(lines(page).last).to_be_in_viewport()
        await expect(composer(page)).not_to_be_focused()


async def test_the_way_to_the_end_of_one_room_is_not_shown_in_another(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", *(f"{number} " + "words " * 40 for number in range(1, 20)))
    page = await new_page(**PHONE)
    await enter(page, "Ada")
    await expect(lines(page).last).to_be_in_viewport()
    await page.get_by_test_id("log").evaluate("(log) => log.scrollTo(0, 0)")
    await expect(page.get_by_test_id("to-end")).to_be_visible()

    await page.goto("/#/@bob")
    await expect(page.get_by_test_id("empty-room")).to_be_visible()
    await expect(page.get_by_test_id("to-end")).to_be_hidden()


async def test_what_comes_under_the_finger_with_a_room_is_not_marked(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", *(f"line {number}" for number in range(60)))
    page = await new_page(**PHONE)
    await come_by_the_rooms(page)
    await expect(lines(page).last).to_be_in_viewport()

    await page.mouse.move(195, 300)  # a tap leaves the place where it was
    await expect(page.locator(".msg:hover")).to_have_count(1)
    await expect(page.locator(".msg-tools:visible")).to_have_count(0)
    await lines(page).last.tap()
    await expect(page.locator(".msg-tools:visible")).to_have_count(1)


async def test_a_small_head_has_room_for_the_name_and_the_rooms_tell_of_the_connection(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("engineering")
    page = await new_page(**{**PHONE, "viewport": {"width": 320, "height": 640}})
    await enter(page, "Ada", "engineering")
    await expect(page.get_by_test_id("app-pushes")).to_be_hidden()
    await page.get_by_test_id("room-menu").tap()
    await expect(page.get_by_test_id("push-notice")).to_be_visible()
    await page.keyboard.press("Escape")
    name = await page.get_by_test_id("room-name").bounding_box()
    assert name is not None
    assert name["width"] > 80

    await page.get_by_test_id("back").tap()
    await page.context.set_offline(True)
    await expect(page.get_by_test_id("rooms-banner")).to_contain_text("You are offline")
    await page.get_by_test_id("me").tap()  # all of the line opens the menu
    await expect(page.get_by_role("menu", name="You")).to_be_visible()


async def test_a_long_text_leaves_the_button_in_sight_above_a_keyboard(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(**PHONE)
    await enter(page, "Ada")
    for size in ((390, 450), (844, 190)):  # what the keyboard leaves, upright and lying
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        await composer(page).fill("\n".join("one more line" for _ in range(9)))
        await expect(page.get_by_test_id("send")).to_be_in_viewport(ratio=1)


async def test_on_a_phone_lying_down_the_way_back_closes_the_people(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(**{**PHONE, "viewport": {"width": 844, "height": 390}})
    await enter(page, "Ada")
    for _ in range(2):
        await page.get_by_test_id("toggle-people").tap()
        await expect(page.get_by_test_id("people")).to_be_visible()
        await page.go_back()
        await expect(page.get_by_test_id("people")).to_be_hidden()
        await expect(page).to_have_url(re.compile("#/general$"))
