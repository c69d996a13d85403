"""The style sheet page: every component in every state, in both schemes. Its pictures are for people to judge."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect
from sanic.mixins.startup import Mode

from tests.browser.conftest import ARTIFACTS, Pages
from tests.browser.served import ServedApp
from tests.browser.test_looks import DESKTOP, PHONE

pytestmark = pytest.mark.asyncio(loop_scope="session")

# What is not drawn, and what is wider than its place.
FAULTS = """() => [...document.querySelectorAll(".cell")].flatMap((cell) => {
    const where = `${cell.parentElement.ariaLabel}, ${cell.dataset.testid}`;
    const { left, right } = cell.getBoundingClientRect();
    const wide = [...cell.children].filter((one) => one.getBoundingClientRect().right > right + 1 || one.getBoundingClientRect().left < left - 1);
    return [...(cell.innerText.trim() || cell.querySelector("svg") ? [] : [`${where}: empty`]), ...wide.map((one) => `${where}, too wide: ${one.outerHTML.slice(0, 80)}`)];
})"""


@pytest.mark.parametrize("options", [{**DESKTOP, "color_scheme": "light"}, {**PHONE, "color_scheme": "dark"}], ids=["wide", "phone"])
async def test_every_component_is_drawn_in_both_schemes(
    served: ServedApp, new_page: Pages, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    served.app.state.mode = Mode.DEBUG
    await served.open()
    page = await new_page(**options)
    await page.goto("/chat/style")

    await expect(page.get_by_test_id("style")).to_be_visible()
    assert await page.get_by_test_id("component").count() >= 25
    assert await page.get_by_test_id("light").count() == await page.get_by_test_id("dark").count()
    assert await page.evaluate(FAULTS) == []
    await page.screenshot(path=ARTIFACTS / f"style-{request.node.callspec.id}.png", full_page=True)
    assert [line for line in new_page.console if line.startswith("error")] == []


async def test_without_debug_mode_there_is_no_such_page(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()

    for path in ("/chat/style", "/chat/static/style/style.js"):
        answer = await page.request.get(path)
        assert answer.status == 404
