"""The documentation as a site: it builds without a broken link, and it needs no net."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Pages
from tests.support.process import ROOT

pytestmark = pytest.mark.timeout(180)  # the build takes 3 seconds, and up to a minute on a busy machine
LOADED = re.compile(
    r'<(?:script|img|iframe)[^>]* src="(https?:[^"]+)|<link[^>]* rel="(?:stylesheet|preconnect)[^>]*(https?:[^"]+)'
)
SEARCH = "[data-md-component=search-query]"
STATE = ".md-search-result__meta"
RESULTS = ".md-search-result__link"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as by `make docs`, where a broken link or an unknown name is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_it_has_all_pages_and_no_broken_link(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}

    assert {page for page in pages if not (site / page).exists()} == set()


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    found = {path.name: LOADED.findall(path.read_text()) for path in site.rglob("*.html")}

    assert len(found) > 30
    assert {name: urls for name, urls in found.items() if urls} == {}


@pytest.mark.asyncio(loop_scope="session")
async def test_its_search_works_from_the_disk_without_a_net(site: Path, new_page: Pages) -> None:
    page = await new_page(offline=True)
    await page.goto((site / "howto" / "own-routes.html").as_uri())
    await page.locator(SEARCH).click()
    await expect(page.locator(STATE)).to_have_text("Type to start searching")
    await page.locator(SEARCH).press_sequentially("transaction")
    await page.locator(RESULTS).first.click()

    await expect(page).to_have_url(re.compile(r"^file:(?!.*own-routes\.html)"))
    await expect(page.locator("article")).to_contain_text("transaction")
