"""A real Chromium, and the example application to point it at.

Starting a browser takes longer than most tests: there is one for all of them, and so one event loop, for which each
module asks: `pytestmark = pytest.mark.asyncio(loop_scope="session")`.
Without a browser these tests are skipped with the reason in pytest's summary; with CI=true they fail.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Playwright, async_playwright, expect
from playwright.async_api import Error as PlaywrightError
from sanic import Sanic

from tests.browser.served import ServedApp
from tests.support.fixtures import Live
from tests.support.process import ServerProcess, free_port, start_command
from tests.support.thorough import THOROUGH

PATIENCE = 40_000  # ms; generous: a busy machine is no defect
expect.set_options(timeout=PATIENCE)
ARTIFACTS = Path(os.environ.get("ARTIFACTS") or Path(__file__).parents[2] / "artifacts")
PICTURES = THOROUGH or "ARTIFACTS" in os.environ
"""Are pictures kept for people to look at? Without a graphics card, those of a whole run take a tenth of its processor time."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# Without windows it takes two thirds of the processor time, and nobody can be asked for notifications or use a clipboard.
SHELLS = ("chromium-headless-shell",)
FAILED = pytest.StashKey[bool]()
APPLICATIONS = (  # macOS has its browsers outside PATH
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ARGUMENTS = (
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers give /dev/shm 64 MB, on which tabs crash
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class Browsers:
    """One browser for all tests, and a whole one for those that are marked `whole_browser`; started for the first who asks."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._started: dict[bool, Browser] = {}

    async def one(self, *, whole: bool) -> Browser:
        if whole not in self._started:
            self._started[whole] = await launch(self._playwright, NAMES if whole else (*SHELLS, *NAMES))
        return self._started[whole]

    async def close(self) -> None:
        for browser in self._started.values():
            await browser.close()


class Pages:
    """`page = await new_page()` opens a page of the example in a context of its own: another person."""

    def __init__(self, browser: Browser, name: str, base_url: Callable[[], str]) -> None:
        self.errors: list[str] = []  # uncaught exceptions; a test that provokes one clears this list
        self.console: list[str] = []  # what pages wrote to their consoles
        self._written = asyncio.Event()
        self._browser = browser
        self._name = name
        self._base_url = base_url
        self._pages: list[Page] = []

    async def __call__(self, *, base_url: str | None = None, **options: Any) -> Page:
        """Open an empty page; `options` go to Playwright's `new_context`: viewport, color_scheme …"""
        context = await self._browser.new_context(base_url=base_url or self._base_url(), **options)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        page.on("pageerror", self._note_error)
        page.on("console", self._note_console)
        self._pages.append(page)
        return page

    async def until_written(self, text: str, times: int = 1) -> None:
        """Wait until the consoles have so many lines with this text: a browser tells of them later than of what it shows."""
        async with asyncio.timeout(30):
            while sum(text in line for line in self.console) < times:
                self._written.clear()
                await self._written.wait()

    async def screenshot(self, page: Page, label: str) -> None:
        """Keep what the page shows now as artifacts/<test>-<label>.png, if pictures are wanted."""
        if PICTURES:
            await self.draw(page, label)

    async def draw(self, page: Page, label: str) -> Path:
        path = ARTIFACTS / f"{self._name}-{label}.png"
        await page.screenshot(path=path)
        return path

    async def close(self, *, failed: bool) -> None:
        """Close all pages; those of a failed test leave a picture of their end."""
        for number, page in enumerate(self._pages, start=1):
            if failed and not page.is_closed():
                await self.draw(page, f"end-{number}")
            await page.context.close()

    def _note_error(self, error: PlaywrightError) -> None:
        self.errors.append(error.stack or error.message)

    def _note_console(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")
        self._written.set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browsers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The example application, one for all tests: each takes rooms and names of its own."""
    server = run_example(tmp_path_factory.mktemp("example") / "chat.sqlite3")
    yield server
    server.stop()


@pytest.fixture
def start_example(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """`server = start_example(port=…, KEY="value")`: one for this test alone, to stop and to start again."""
    servers: list[ServerProcess] = []
    directory = tmp_path / ("long" * 25)  # longer than the path of a socket may be: a file may be anywhere
    directory.mkdir()

    def start(port: int | None = None, **env: str) -> ServerProcess:
        servers.append(run_example(directory / "chat.sqlite3", port, **env))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def run_example(database: Path, port: int | None = None, **env: str) -> ServerProcess:
    port = port or free_port()
    env = {"HOST": "127.0.0.1", "PORT": str(port), "DATABASE": str(database), **env}
    return start_command([sys.executable, "-m", "example_app"], port, env=env)


@pytest_asyncio.fixture(loop_scope="session")
async def live(app: Sanic[Any, Any]) -> AsyncIterator[Live]:
    """As everywhere, in the loop of the browser."""
    live = Live(app)
    yield live
    await live.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def served(app: Sanic[Any, Any], live: Live) -> ServedApp:
    """The page of the example before a chat of this test's own. `await served.open()` serves it."""
    return ServedApp(app, live)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browsers() -> AsyncIterator[Browsers]:
    async with async_playwright() as playwright:
        browsers = Browsers(playwright)
        yield browsers
        await browsers.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(browsers: Browsers, request: pytest.FixtureRequest) -> AsyncIterator[Pages]:
    browser = await browsers.one(whole=request.node.get_closest_marker("whole_browser") is not None)

    def example_url() -> str:
        server: ServedApp | ServerProcess = request.getfixturevalue(
            "served" if "served" in request.fixturenames else "example"  # started for those who ask for it
        )
        return server.url

    pages = Pages(browser, slug(request.node.nodeid), example_url)
    yield pages
    await pages.close(failed=request.node.stash.get(FAILED, False))
    assert not pages.errors, "uncaught exceptions in a page"
    assert not [line for line in pages.console if "Content Security Policy" in line]


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_page: Pages) -> Page:
    """One page of the example, not yet navigated: `await page.goto("/")`."""
    return await new_page()


async def launch(playwright: Playwright, names: Sequence[str] = (*SHELLS, *NAMES)) -> Browser:
    executable = find_browser(playwright, names)
    if executable is None:
        no_browser("no Chromium or Chrome on PATH and none of Playwright's own")
    try:
        return await playwright.chromium.launch(executable_path=executable, args=arguments())
    except PlaywrightError as error:
        no_browser(f"{executable} does not start: {error.message.splitlines()[0]}")


def find_browser(playwright: Playwright, names: Sequence[str]) -> str | None:
    on_path = (shutil.which(name) for name in names)
    places = (*on_path, *APPLICATIONS, playwright.chromium.executable_path)
    return next((place for place in places if place and Path(place).exists()), None)


def arguments() -> list[str]:
    # Chromium refuses to make its sandbox as root, which containers are.
    return [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def no_browser(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs a browser: {reason}", pytrace=False)
    pytest.skip(f"browser tests need a browser: {reason}")


def slug(nodeid: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", nodeid.removeprefix("tests/browser/")).strip("-")
