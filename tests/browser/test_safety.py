"""Nothing that people write becomes code, and nothing comes from elsewhere. And the page that five lines give."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from sanic_chatrooms.web.assets import CLIENT_HTTP, CLIENTS, COMPACT, COMPONENT, FOLDER
from sanic_chatrooms.web.bundle import bundle
from sanic_chatrooms.web.compact import compact_style
from sanic_chatrooms.web.joined import joined_modules
from tests.browser.acts import enter, entered, lines, say
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.process import ROOT, free_port, start_command

EXAMPLE = ROOT / "example_app" / "static"
KB = 1024
# By which a text could become markup or code.
MAKERS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|document\.write|DOMParser|\beval\b|new Function|srcdoc"
)
INLINE = re.compile(r"<style|style=|\son\w+=|<script>|javascript:|https?://(?!www\.w3\.org/)")

# What loads what. The client is counted apart.
CLIENT = "client.js"
LINKED = re.compile(r'<(?:link rel="stylesheet" href|script(?: type="module")? src)="static/([\w.-]+)"')
IMPORTED = re.compile(r'^import .* from "\.{1,2}/([\w-]+\.js)";', re.MULTILINE)
LATER = re.compile(r'\bimport\("\./([\w-]+\.js)"\)|"([\w-]+\.css)"')
EXPORTED = re.compile(r"^export (?:async )?(?:class|function\*?|const) (\w+)", re.MULTILINE)
JOINED = joined_modules(FOLDER, (*CLIENTS, COMPONENT))


def text_of(name: str) -> str:
    """What a browser gets, with comments and spaces."""
    return JOINED.get(name) or (FOLDER / name).read_text()


def reached(*patterns: re.Pattern[str]) -> set[str]:
    """The scripts and style sheets that the page needs, by these patterns."""
    found, left = {"page.html", CLIENT}, LINKED.findall((FOLDER / "page.html").read_text())
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            text = text_of(name)
            left += ["".join(groups) for pattern in patterns for groups in pattern.findall(text)]
    return found - {"page.html", CLIENT}


def delivered(name: str) -> int:
    """The bytes that a browser gets: without comments and needless spaces, before compression."""
    return len(COMPACT[Path(name).suffix](SOURCES[name]).encode())


WORDS = {"words/en.js"}  # of the one language that a browser loads
FIRST = reached(IMPORTED) | WORDS
WHOLE = reached(IMPORTED, LATER) | WORDS
SOURCES = {name: text_of(name) for name in WHOLE}

on_one_loop = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    "path", sorted([*FOLDER.rglob("*.js"), *EXAMPLE.glob("*.js")]), ids=lambda path: path.name
)
def test_no_text_becomes_markup(path: Path) -> None:
    assert MAKERS.findall(path.read_text()) == []


@pytest.mark.parametrize("path", [FOLDER / "page.html", EXAMPLE / "index.html"], ids=lambda path: path.name)
def test_pages_have_nothing_inline_and_nothing_from_elsewhere(path: Path) -> None:
    assert INLINE.findall(path.read_text()) == []


def test_what_a_browser_gets_of_the_interface_is_small() -> None:
    assert {"app.js", "moderating.js", "details.js", "emoji-picker.js", "messages.css"} < WHOLE
    assert sum(map(delivered, WHOLE)) <= 283 * KB
    assert len(bundle(FOLDER / CLIENT).encode()) <= 56 * KB
    assert len(bundle(FOLDER / CLIENT_HTTP).encode()) <= 14 * KB  # where no socket gets through


def test_what_the_first_view_needs_is_smaller() -> None:
    assert {"page.js", "chat-app.js", "controls.css"} < FIRST
    assert "app.js" not in FIRST
    assert sum(map(delivered, FIRST)) <= 60 * KB


def test_most_modules_come_in_two_files() -> None:
    assert {name for name in FIRST if name.endswith(".js")} == {"look.js", "page.js", "chat-app.js", *WORDS}
    assert len(WHOLE) < 40 < len(list(FOLDER.glob("*.js")))


@on_one_loop
async def test_every_module_of_the_page_can_be_loaded_alone(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await page.goto("/chat/")
    exported = {
        path.name: sorted(EXPORTED.findall(path.read_text()))
        for path in FOLDER.glob("*.js")
        if path.name not in {*CLIENTS, COMPONENT, "page.js", "look.js"}
    }

    loaded = await page.evaluate(
        """async (names) => {
            const load = async (name) => [name, Object.keys(await import(`/chat/static/${name}`)).sort()];
            return Object.fromEntries(await Promise.all(names.map(load)));
        }""",
        list(exported),
    )
    # Two of them export also what other modules export from there.
    assert {name: [one for one in its if one in exported[name]] for name, its in loaded.items()} == exported
    assert [name for name, its in loaded.items() if its != exported[name]] == ["app.js", "chat-app.js"]


@on_one_loop
async def test_no_module_exports_what_browsers_have_by_that_name(new_page: Pages) -> None:
    """In the joined files, others would get it in place of what they mean."""
    page = await new_page(base_url="about:blank")
    passed_on = re.findall(r"^export \{ (.+) \} from", "\n".join(JOINED.values()), re.MULTILINE)
    names = ", ".join(passed_on).split(", ")
    for path in (*(FOLDER / "admin").glob("*.js"), *(FOLDER / "chat-room").glob("*.js")):
        names += EXPORTED.findall(path.read_text())
    assert len(names) > 200

    assert await page.evaluate("(names) => names.filter((name) => name in window)", names) == []


@on_one_loop
@pytest.mark.parametrize("name", sorted(name for name in WHOLE if name.endswith(".css")))
async def test_a_style_sheet_says_the_same_without_comments_and_spaces(new_page: Pages, name: str) -> None:
    text = SOURCES[name]
    page = await new_page(base_url="about:blank")
    rules = """(text) => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(text);
        return [...sheet.cssRules].map((rule) => rule.cssText.replace(/([,:]) /g, "$1"));
    }"""

    said = await page.evaluate(rules, text)
    assert said
    assert await page.evaluate(rules, compact_style(text)) == said


class Rest:
    """What the first view does not need: held until it is released, or lost."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.lost = False

    async def follow(self, page: Page) -> None:
        await page.route(re.compile(r"/static/[\w-]+\.(js|css)$"), self._let)

    async def _let(self, route: Route) -> None:
        if route.request.url.rpartition("/")[2] not in FIRST:
            await self.released.wait()
            if self.lost:
                await route.abort()
                return
        await route.continue_()


@on_one_loop
async def test_the_first_view_is_painted_before_the_rest_of_the_page_is_there(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page, rest = await new_page(), Rest()
    await rest.follow(page)
    await page.goto("/chat/#/general", wait_until="commit")
    await expect(page.get_by_test_id("name")).to_be_focused()
    await page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
    await page.get_by_test_id("name").fill("Ada")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("enter")).to_be_disabled()
    await new_page.screenshot(page, "first-view")

    rest.released.set()
    await entered(page)
    await say(page, "Hello")


@on_one_loop
async def test_who_returns_sees_that_the_page_loads(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page, rest = await new_page(), Rest()
    await enter(page, "Ada", path="/chat/")
    await rest.follow(page)
    await page.reload(wait_until="commit")
    await expect(page.get_by_test_id("skeleton")).to_be_visible()
    await expect(page.get_by_test_id("app")).to_have_count(0)
    title = await page.get_by_role("heading", name="Chat").bounding_box()
    assert title is not None
    assert title["width"] > 100  # something can be read before the rest is there

    rest.released.set()
    await entered(page)
    await expect(page.get_by_test_id("me")).to_have_text("AAda")


@on_one_loop
async def test_the_rest_runs_when_the_first_view_is_painted_and_also_where_nothing_is(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await page.add_init_script(
        """{
            const later = window.setTimeout;
            window.requestAnimationFrame = (act) => (window.paint = act, 1);
            window.setTimeout = (act, wait, ...more) => (wait === 500 ? ((window.late = act), 1) : later(act, wait, ...more));
        }"""
    )
    asked = asyncio.Event()
    page.on("console", lambda message: asked.set() if message.text == "the rest" else None)

    async def told(route: Route) -> None:
        response = await route.fetch()
        await route.fulfill(response=response, body=f'{await response.text()}\nconsole.log("the rest");')

    await page.route("**/static/app.js", told)
    for begin in ("paint", "late"):
        asked.clear()
        await page.goto("/chat/")
        await expect(page.get_by_test_id("sign-in")).to_be_visible()
        await page.wait_for_function("() => window.paint && window.late")
        assert not asked.is_set()
        await page.evaluate(f"window.{begin}()")
        await asked.wait()


@on_one_loop
async def test_a_page_that_is_not_complete_says_so(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    newcomer, returning, rest = await new_page(), await new_page(), Rest()
    await enter(returning, "Bob", path="/chat/")
    rest.lost = True
    rest.released.set()
    for page in (newcomer, returning):
        await rest.follow(page)
    await newcomer.goto("/chat/#/general")
    await newcomer.get_by_test_id("name").fill("Ada")
    await newcomer.keyboard.press("Enter")
    await expect(newcomer.get_by_test_id("form-problem")).to_contain_text("Check your connection")
    await returning.reload()
    await expect(returning.get_by_test_id("ended")).to_contain_text("The page could not be loaded completely")
    await new_page.screenshot(returning, "not-complete")

    rest.lost = False
    await returning.get_by_role("button", name="Load again").click()
    await entered(returning)
    assert all("Check your connection" in error for error in new_page.errors)
    new_page.errors.clear()


@on_one_loop
@pytest.mark.parametrize("path", ["/", "/chat/"])
async def test_an_injected_script_does_not_run(served: ServedApp, new_page: Pages, path: str) -> None:
    await served.open("lobby")
    page = await new_page()
    await enter(page, "Ada", "lobby", path=path)
    await say(page, "Hello")
    assert [line for line in new_page.console if line.startswith("error")] == []

    await page.evaluate(
        """() => {
            document.body.append(Object.assign(document.createElement("script"), { textContent: "window.owned = 1" }));
            document.body.insertAdjacentHTML("beforeend", "<img src='data:,' onerror='window.owned = 2'>");
            document.body.append(Object.assign(document.createElement("script"), { src: "https://example.org/owned.js" }));
        }"""
    )
    await page.wait_for_function("() => document.querySelector('img[onerror]').complete")
    await new_page.until_written("Content Security Policy", 3)
    assert await page.evaluate("window.owned") is None
    new_page.console.clear()


@on_one_loop
async def test_the_five_lines_of_the_readme_are_a_chat(new_page: Pages, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    [code] = re.findall(r"five_lines\.py -->\n```python\n(.*?)```", readme, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 5
    (tmp_path / "shop.py").write_text(code)
    port = free_port()
    command = [str(Path(sys.executable).with_name("sanic")), "shop:app", "--port", str(port)]
    server = start_command(command, port, path="/chat/", env={"PYTHONPATH": str(tmp_path)})

    try:
        ada, bob = await new_page(base_url=server.url), await new_page(base_url=server.url)
        await enter(ada, "Ada", "lobby", path="/chat/")
        await enter(bob, "Bob", "lobby", path="/chat/")
        await say(ada, "It works")
        await expect(lines(bob)).to_have_text(["It works"])
    finally:
        server.stop()
