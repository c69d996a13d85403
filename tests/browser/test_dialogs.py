"""Dialogs: where they say what is wrong, and that one sees how to end them."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.acts import enter, go_to
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.browser.test_looks import PHONE

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOW = {"width": 1280, "height": 500}


async def test_what_is_wrong_with_a_field_stands_below_it(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await page.get_by_test_id("create-room").click()
    field, problem = page.get_by_test_id("room-title"), page.get_by_test_id("form-problem")
    await field.fill("General")
    await page.keyboard.press("Enter")
    await expect(problem).to_contain_text("There is a room of this name already")

    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_accessible_description(
        "There is a room of this name already. Choose another one."
    )
    above, said = await field.bounding_box(), await problem.bounding_box()
    below = await page.get_by_label("Everybody").bounding_box()
    assert above
    assert said
    assert below
    assert above["y"] + above["height"] <= said["y"] < said["y"] + said["height"] <= below["y"]

    await page.context.set_offline(True)  # no mistake of the field's
    await served.cut("Ada")
    await field.fill("Garden")
    await page.keyboard.press("Enter")
    await expect(field).not_to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_accessible_description("")


async def test_the_end_of_a_long_dialog_is_always_in_sight(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page(viewport=LOW)
    await enter(page, "Ada")
    await served.chat.add_member("general", served.user("Ada"), "owner")
    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("settings").click()
    close = page.get_by_test_id("settings-done")
    await page.get_by_role("heading", name="Notifications in this browser").scroll_into_view_if_needed()
    await expect(close).to_be_in_viewport(ratio=1)
    await new_page.screenshot(page, "settings")
    await close.click()

    await page.get_by_test_id("open-details").click()
    await page.get_by_test_id("details-change").click()
    await expect(page.get_by_role("button", name="Save")).to_be_in_viewport(ratio=1)
    await expect(page.get_by_role("heading", name="Change General")).to_be_in_viewport(ratio=1)
    await page.get_by_test_id("settings-private").scroll_into_view_if_needed()
    await new_page.screenshot(page, "form")
    await expect(page.get_by_role("heading", name="Change General")).to_be_in_viewport(ratio=1)
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("settings-dialog")).to_have_count(0)


async def test_a_finger_closes_the_switcher(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    page = await new_page(**PHONE)
    await enter(page, "Ada")
    await page.get_by_test_id("back").tap()
    await page.get_by_test_id("open-switcher").tap()
    await expect(page.get_by_test_id("switcher-option").first).to_be_visible()
    await page.get_by_test_id("switcher-close").tap()
    await expect(page.get_by_test_id("switcher")).to_have_count(0)


async def test_no_dialog_of_another_room_stays_on_the_way_back(served: ServedApp, new_page: Pages) -> None:
    """A phone closes the dialog and stays in the room: test_phone."""
    await served.open("news")
    page = await new_page()
    await enter(page, "Ada")
    await go_to(page, "news")
    await page.get_by_test_id("open-details").click()
    await expect(page.get_by_test_id("details-facts")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_test_id("room-name")).to_have_text("General")
    await expect(page.get_by_test_id("details")).to_have_count(0)
