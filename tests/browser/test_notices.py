"""Where notices and questions stand: beside what people read and press, never over it on a small screen."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from sanic_chatrooms import User
from tests.browser.acts import composer, enter, lines, write
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.browser.test_looks import DESKTOP, PHONE

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENLARGED: dict[str, Any] = {"viewport": {"width": 320, "height": 256}}  # 1280 x 1024 at 400 %
SETTLED = """() => document.getAnimations().every(({ playState }) => playState === "finished")"""


async def box(locator: Locator) -> dict[str, float]:
    """Where it is: left, top, right, bottom."""
    found: dict[str, float] = await locator.evaluate("(one) => one.getBoundingClientRect().toJSON()")
    return found


async def name_ada(served: ServedApp) -> None:
    """In a room that is not open; so the page tells of it."""
    ada = served.user("Ada")
    await served.chat.add_member("news", ada)
    await served.chat.publish(
        "news", "message", {"text": "for you", "mentions": [ada.id]}, sender=User("bob", "Bob")
    )


async def mention(served: ServedApp, page: Page) -> None:
    """Name her; then the whole browser also asks whether to notify."""
    await name_ada(served)
    await expect(page.get_by_test_id("question")).to_be_visible()
    await expect(told(page)).to_be_visible()
    await page.wait_for_function(SETTLED)


def told(page: Page) -> Locator:
    """The notice of the mention."""
    return page.get_by_test_id("toast").filter(has_text="Bob mentioned you in News")


async def test_the_bell_has_what_was_for_one_after_a_reload_too(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    page = await new_page()
    await enter(page, "Ada")
    await name_ada(served)
    await expect(told(page)).to_be_visible()
    await composer(page).fill("a draft")
    await page.reload()
    await expect(composer(page)).to_have_value("a draft")  # all that this browser remembers is here

    await page.get_by_test_id("bell").click()
    await expect(page.get_by_test_id("notice-list")).to_contain_text("Bob mentioned you in News")
    await page.get_by_test_id("notice-show").click()
    await expect(lines(page)).to_have_text(["for you"])


async def test_a_list_that_is_open_gets_what_comes_now(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await page.get_by_test_id("bell").click()
    await expect(page.get_by_role("dialog", name="Notices")).to_contain_text("No notices yet")

    await served.chat.broadcast("notice", {"title": "Lunch"})
    await expect(page.get_by_test_id("notice-list")).to_contain_text("Lunch")
    await expect(page.get_by_test_id("bell")).to_have_accessible_name("Notices")  # it is read


@pytest.mark.whole_browser
async def test_on_a_phone_notices_and_questions_cover_no_room(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    page = await new_page(**PHONE)
    await enter(page, "Ada")
    await page.get_by_test_id("back").tap()
    await mention(served, page)
    await told(page).hover()  # it stays while somebody reads it
    await expect(page.get_by_test_id("mention-count")).to_be_visible()

    toast, rooms = await box(told(page)), await box(page.locator(".rooms-pane"))
    assert (await box(page.get_by_test_id("question")))["bottom"] <= toast["top"]
    assert toast["bottom"] <= rooms["top"]
    assert rooms["bottom"] == 844
    await new_page.screenshot(page, "phone")

    await served.chat.broadcast("notice", {"title": "Lunch"})
    await expect(page.get_by_test_id("toast").last).to_contain_text("Lunch")
    await expect(told(page)).to_be_hidden()  # the bell has it


@pytest.mark.whole_browser
async def test_enlarged_one_reads_and_writes_although_there_is_a_question(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("news")
    page = await new_page(**ENLARGED)
    await enter(page, "Ada")
    await mention(served, page)
    await new_page.screenshot(page, "enlarged")

    await write(page, "Still here")
    await expect(lines(page).last).to_be_in_viewport(ratio=1)
    await page.get_by_test_id("send").scroll_into_view_if_needed()
    await expect(composer(page)).to_be_in_viewport(ratio=1)


async def test_a_notice_is_below_the_line_about_the_connection(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page(**DESKTOP)
    await enter(page, "Ada")
    await served.chat.broadcast("notice", {"title": "Lunch"})
    await page.get_by_test_id("toast").hover()  # it stays while somebody reads it
    before = await box(page.get_by_test_id("toasts"))
    await page.context.set_offline(True)
    await expect(page.get_by_test_id("banner")).to_be_visible()

    banner = await box(page.get_by_test_id("banner"))
    await page.wait_for_function(
        "(bottom) => document.querySelector('[data-testid=toasts]').getBoundingClientRect().top >= bottom",
        arg=banner["bottom"],
    )
    assert before["top"] < banner["bottom"]


@pytest.mark.whole_browser
async def test_the_count_of_news_stands_beside_the_arrow_back(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    page = await new_page(**PHONE)
    await enter(page, "Ada")
    await mention(served, page)
    count = page.get_by_test_id("elsewhere")
    await expect(count).to_have_text("@1")
    await expect(count).to_have_class("badge mentions")

    arrow = await box(page.get_by_test_id("back").locator("svg"))
    assert arrow["right"] <= (await box(count))["left"]
