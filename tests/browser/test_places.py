"""Where somebody reads stays when they look into another room; and a message that nobody goes on writing says so."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import at_rest, enter, entered, go_to, lines, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.browser.test_growing import Writer
from tests.browser.test_looks import PHONE

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The first message that can be seen, and how far its end is below the top of the conversation.
# What is left out of the layout has rows at guessed places.
READ = """() => {
    const log = document.querySelector("[data-testid=log]");
    const edge = log.getBoundingClientRect().top;
    const row = [...log.querySelectorAll("[data-seq]")].find((one) => one.checkVisibility({ contentVisibilityAuto: true }) && one.getBoundingClientRect().bottom > edge);
    return { seq: Number(row.dataset.seq), below: row.getBoundingClientRect().bottom - edge };
}"""
SCROLL_UP = """() => {
    const log = document.querySelector("[data-testid=log]");
    log.scrollTop = log.scrollHeight / 2;
}"""


async def scroll_up(page: Page) -> None:
    await page.evaluate(SCROLL_UP)
    await at_rest(page)  # in the first frame, the browser finds out how high that is which it had left out


async def there_and_back(page: Page, *, touch: bool) -> None:
    if touch:
        await page.get_by_test_id("back").tap()
        await expect(page.get_by_test_id("room-list")).to_be_visible()
        await page.locator("[data-room=general]").tap()
    else:
        await go_to(page, "news")
        await expect(lines(page)).to_have_text(["some news"])
        await go_to(page, "general")
    await entered(page)


@pytest.mark.parametrize("touch", [False, True], ids=["wide", "phone"])
async def test_where_one_reads_stays_in_each_room(served: ServedApp, new_page: Pages, touch: bool) -> None:
    await served.open("news")
    await served.say("news", "some news")
    texts = (f"{number} " + "words " * (number % 7 * 20) for number in range(1, 81))
    await served.say("general", *texts)
    page = await new_page(**(PHONE if touch else {}))
    await enter(page, "Ada")
    await expect(lines(page).last).to_contain_text("80 ")
    await expect(page.locator("[data-seq='50']")).to_have_count(
        1
    )  # first there are a screen or two, and soon more
    await scroll_up(page)
    before: dict[str, Any] = await page.evaluate(READ)
    assert before["seq"] < 80

    for _ in range(2):
        await there_and_back(page, touch=touch)
        await at_rest(page)
        after = await page.evaluate(READ)
        assert (after["seq"], abs(after["below"] - before["below"]) < 3) == (before["seq"], True)
    await page.get_by_test_id("to-end").click()
    await there_and_back(page, touch=touch)
    await expect(lines(page).last).to_be_in_viewport()


async def test_what_is_new_goes_before_the_place_where_one_was(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    await served.say("news", "some news")
    await served.say("general", *(f"old {number}" for number in range(60)))
    page = await new_page()
    await enter(page, "Ada")
    await expect(lines(page).last).to_have_text("old 59")
    await expect(page.locator("[data-seq='20']")).to_have_count(1)
    await scroll_up(page)
    await go_to(page, "news")
    await served.say("general", "new one")
    await expect(page.locator("[data-room=general]").get_by_test_id("unread")).to_contain_text("1")

    await go_to(page, "general")

    await expect(page.get_by_text("New since you were here")).to_be_in_viewport()
    await expect(lines(page).last).to_have_text("new one")


async def test_a_message_that_nobody_goes_on_writing_says_that_it_may_be_interrupted(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await page.clock.install()
    await enter(page, "Ada")
    await say(page, "a question")
    writer = Writer(served)
    writer.write("It ")
    sign = page.get_by_test_id("streaming")
    await expect(sign).to_contain_text("Writing…")

    await page.clock.fast_forward(13_000)
    await expect(sign).to_contain_text("Nothing new for a while. It may be interrupted.")
    await new_page.screenshot(page, "quiet")
    assert await problems(page) == []

    writer.write("goes on.")
    await expect(lines(page).last).to_have_text("It goes on.")
    await expect(sign).to_contain_text("Writing…")
    writer.write(None)
    await writer.ended()
    await expect(sign).to_have_count(0)
