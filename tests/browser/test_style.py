"""The style sheet page: every component in every state, in both schemes. Its pictures are for people to judge."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import expect
from sanic.application.constants import Mode

from tests.browser.conftest import ARTIFACTS, PICTURES, Pages
from tests.browser.served import ServedApp
from tests.browser.test_states import SIZES
from tests.support.thorough import unless_thorough

pytestmark = pytest.mark.asyncio(loop_scope="session")

# What is not drawn, and what is wider than its place.
FAULTS = """() => [...document.querySelectorAll(".cell")].flatMap((cell) => {
    const where = `${cell.parentElement.ariaLabel}, ${cell.dataset.testid}`;
    const { left, right } = cell.getBoundingClientRect();
    const wide = [...cell.children].filter((one) => one.checkVisibility()).filter((one) => one.getBoundingClientRect().right > right + 1 || one.getBoundingClientRect().left < left - 1);
    return [...(cell.innerText.trim() || cell.querySelector("svg") ? [] : [`${where}: empty`]), ...wide.map((one) => `${where}, too wide: ${one.outerHTML.slice(0, 80)}`)];
})"""


@pytest.mark.parametrize(
    ("size", "scheme"), unless_thorough([("wide", "light")], [("wide", "light"), ("phone", "dark")])
)
async def test_every_component_is_drawn_in_both_schemes(
    served: ServedApp, new_page: Pages, size: str, scheme: Literal["light", "dark"]
) -> None:
    served.app.state.mode = Mode.DEBUG
    await served.open()
    page = await new_page(**SIZES[size], color_scheme=scheme)
    await page.goto("/chat/style")

    await expect(page.get_by_test_id("style")).to_be_visible(timeout=60_000)  # drawn once all of it is there
    if PICTURES:
        await page.screenshot(path=ARTIFACTS / f"style-{size}.png", full_page=True)
    assert await page.get_by_test_id("component").count() >= 25
    assert await page.get_by_test_id("light").count() == await page.get_by_test_id("dark").count()
    assert await page.evaluate(FAULTS) == []
    await expect(page.get_by_label("Menus").get_by_role("menu")).to_have_count(4)
    quiet = page.get_by_label("Switcher").get_by_test_id("switcher-option").filter(has_text="Quiet")
    await expect(quiet.first.locator(".count")).to_have_text("5 unread")  # no badge, as in the list
    esc = await page.locator("kbd", has_text="Esc").first.bounding_box()
    assert esc is not None
    assert esc["height"] < 30  # one line
    assert [line for line in new_page.console if line.startswith("error")] == []


async def test_without_debug_mode_there_is_no_such_page(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()

    for path in ("/chat/style", "/chat/static/style/style.js"):
        answer = await page.request.get(path)
        assert answer.status == 404
