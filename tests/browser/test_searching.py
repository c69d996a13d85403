"""Searching for messages, and opening what was found."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect
from sanic import Sanic

from tests.browser.acts import composer, enter, entered
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.fixtures import Live

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest_asyncio.fixture(loop_scope="session")
async def served(app: Sanic[Any, Any], live: Live, tmp_path: Path) -> AsyncIterator[ServedApp]:
    """With a store that has an index."""
    yield ServedApp(app, live, store=f"sqlite:///{tmp_path / 'chat.sqlite3'}")


async def test_a_message_is_found_by_its_words_and_opened(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    first = await served.chat.publish("general", "message", {"text": "The café opens at nine"})
    await served.say("general", *(f"line {number}" for number in range(1, 90)))
    await served.say("news", "A cafe, again <b>")
    page = await new_page()
    await enter(page, "Ada")
    await served.chat.add_member("news", served.user("Ada"))
    await page.reload()
    await entered(page)
    field, hits = page.get_by_test_id("search-field"), page.get_by_test_id("search-hit")
    state = page.get_by_test_id("search-state")

    await composer(page).press("Control+/")
    await expect(page.get_by_test_id("help-dialog")).to_contain_text("Search messages")
    await page.keyboard.press("Escape")
    await composer(page).press("Control+Shift+F")
    await expect(field).to_be_focused()
    await expect(state).to_contain_text("Write the words")
    await field.fill("nothing like this")
    await expect(state).to_have_text("No message has all of these words.")
    await field.fill("cafe")
    await expect(hits).to_have_count(1)
    await expect(hits.locator("mark")).to_have_text("café")
    await new_page.screenshot(page, "found")
    assert await problems(page, touch=False) == []
    await page.get_by_test_id("search-everywhere").check()
    await expect(hits).to_have_attribute("data-room", "news")
    await page.get_by_test_id("search-here").check()
    await expect(hits).to_have_attribute("data-room", "general")

    await field.press("ArrowDown")
    await expect(hits).to_be_focused()
    await hits.press("Enter")
    await expect(page.get_by_test_id("search")).to_have_count(0)
    found = page.locator("[data-testid=message][data-seq='1']")
    await expect(found).to_be_in_viewport()
    await expect(found).to_have_class(re.compile("marked"))

    await served.chat.publish("general", "message", {"text": "with tea", "parent": first.msg_id})
    await page.get_by_test_id("open-search").click()
    await field.press("Escape")
    await expect(field).to_have_count(0)
    await page.get_by_test_id("open-search").click()
    await expect(field).to_have_value("cafe")  # so that one can go on where one was
    await field.fill("tea")
    await expect(hits).to_contain_text("with tea")
    await hits.click()
    await expect(page.get_by_test_id("thread")).to_contain_text("with tea")
    await page.keyboard.press("Control+Shift+F")
    await field.fill("line")
    await expect(hits).to_have_count(20)
    await page.get_by_test_id("search-more").click()
    await expect(hits).to_have_count(40)
    await expect(hits.nth(20)).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await page.get_by_test_id("switcher-field").fill("again")
    await page.get_by_test_id("switcher-option").last.click()
    await expect(hits).to_contain_text("A cafe, again <b>")
    await hits.click()
    await expect(page.get_by_test_id("room-name")).to_have_text("News")
    await expect(page.get_by_test_id("log").get_by_test_id("message").last).to_have_class(
        re.compile("marked")
    )


async def test_the_search_says_what_is_wrong(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page(**PHONE, color_scheme="dark")
    await enter(page, "Ada")
    state, field = page.get_by_test_id("search-state"), page.get_by_test_id("search-field")
    await page.get_by_test_id("open-search").tap()
    await field.fill(" ".join("abcdefghijklmnopq"))
    await expect(state).to_have_text("This is too much to search for. Use fewer words.")
    await new_page.screenshot(page, "refused")
    await served.say("general", "A long line " + "and more " * 60 + "of words to find")
    said = await field.evaluate(
        """(field) => {
            field.value = "find";
            field.dispatchEvent(new Event("input"));
            return document.querySelector("[data-testid=search-state]").textContent;
        }"""
    )
    assert said == "Searching…"  # not what was refused before
    await expect(page.locator("mark")).to_be_in_viewport()
    await new_page.screenshot(page, "found")
    assert await problems(page, touch=True) == []
    await page.context.set_offline(True)
    await served.cut("Ada")
    await field.fill("line")
    await expect(state).to_have_text("You are offline. Search again when you are back.")
    await page.context.set_offline(False)
    await page.get_by_test_id("search-again").tap()
    await expect(page.get_by_test_id("search-hit")).to_contain_text("A long line")
