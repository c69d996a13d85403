"""Nothing that people write becomes code, and nothing comes from elsewhere. And the page that five lines give."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from playwright.async_api import expect

from sanic_chatrooms.web.assets import FOLDER
from sanic_chatrooms.web.bundle import bundle
from tests.browser.acts import enter, lines, say
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

on_one_loop = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    "path", sorted([*FOLDER.rglob("*.js"), *EXAMPLE.glob("*.js")]), ids=lambda path: path.name
)
def test_no_text_becomes_markup(path: Path) -> None:
    assert MAKERS.findall(path.read_text()) == []


@pytest.mark.parametrize("path", [FOLDER / "page.html", EXAMPLE / "index.html"], ids=lambda path: path.name)
def test_pages_have_nothing_inline_and_nothing_from_elsewhere(path: Path) -> None:
    assert INLINE.findall(path.read_text()) == []


def test_the_interface_is_small() -> None:
    client = len(bundle(FOLDER / "client.js").encode())
    files = [path for kind in ("*.js", "*.css") for path in FOLDER.glob(kind) if path.name != "client.js"]
    interface = sum(path.stat().st_size for path in files)

    assert interface <= 272 * KB
    assert client <= 56 * KB


def test_what_the_first_view_needs_is_smaller() -> None:
    needed, found = set[Path](), [FOLDER / "page.js"]
    while found:
        module = found.pop()
        if module not in needed and module.name != "client.js":
            needed.add(module)
            # `import(…)` loads later.
            found += [
                FOLDER / name
                for name in re.findall(r'^import .* from "\./(.+)";', module.read_text(), re.MULTILINE)
            ]

    assert len(needed) > 20
    assert not {FOLDER / "moderating.js", FOLDER / "inviting.js"} & needed
    assert sum(path.stat().st_size for path in [*needed, *FOLDER.glob("*.css")]) <= 232 * KB


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
