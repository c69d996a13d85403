"""The browser fixtures do what the other tests in this folder rely on."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from sanic import Request, response

from tests.browser.conftest import Pages
from tests.support.fixtures import Live

pytestmark = pytest.mark.asyncio(loop_scope="session")
PAGE = """<!doctype html><title>Hello</title><h1>Hello</h1>
<script>document.querySelector("h1").textContent = "Hello, " + navigator.language;</script>"""


@pytest_asyncio.fixture(loop_scope="session")
async def pages(live: Live, new_page: Pages) -> tuple[Page, Page]:
    @live.app.get("/")
    async def hello(request: Request) -> response.HTTPResponse:
        return response.html(PAGE)

    url = (await live()).url
    return (
        await new_page(base_url=url, locale="en-GB"),
        await new_page(base_url=url, locale="de-DE"),
    )


async def test_two_pages_use_a_server_in_this_loop(pages: tuple[Page, Page]) -> None:
    for page, language in zip(pages, ("en-GB", "de-DE"), strict=True):
        await page.goto("/")
        await expect(page.locator("h1")).to_have_text(f"Hello, {language}")


async def test_uncaught_exceptions_are_noted(pages: tuple[Page, Page], new_page: Pages) -> None:
    page, _ = pages
    await page.goto("/")

    async with page.expect_event("pageerror"):
        await page.evaluate("setTimeout(() => { throw new Error('oh dear'); })")

    assert "oh dear" in new_page.errors[0]
    new_page.errors.clear()


async def test_pictures_of_the_end_are_kept(pages: tuple[Page, Page], new_page: Pages) -> None:
    page, _ = pages
    await page.goto("/")

    path = await new_page.draw(page, "hello")

    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.parent.name == "artifacts"
