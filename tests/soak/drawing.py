"""Opening a room of 200 messages of the worst texts: how long until it is painted, and what twice the text costs."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Route, async_playwright

from sanic_chatrooms.web.assets import FOLDER
from tests.browser.conftest import NAMES, launch
from tests.soak.runs import Progress, Verdict, main

SHORT = 0.05

MESSAGES = 200
LENGTHS = (8_000, 15_999)
ROUNDS = 5
BUDGET_MS = 200.0
TWICE = 3.0
"""What twice the text may cost; a machine at other work is not exact."""
UNNOTICED_MS = 60.0
"""Two frames and what a busy machine adds to them: ratios of less are noise."""
HERE = Path(__file__).parent
LATER = ("chat.css", "messages.css", "beside.css")
"""The style sheets that the page's script adds."""
MARKUP = (
    (FOLDER / "page.html")
    .read_text()
    .replace(
        '<script type="module" src="static/page.js"></script>',
        "\n".join(f'<link rel="stylesheet" href="static/{name}">' for name in LATER),
    )
)
OPEN = "async ([kinds, count, length]) => (await import('/drawing.mjs')).open(kinds, count, length)"


async def soak(scale: float, progress: Progress) -> Verdict:
    """Each kind of text alone, in full and in half length; then all kinds together, each time in a new page."""
    verdict = Verdict()
    count, rounds = max(40, round(MESSAGES * scale)), max(1, round(ROUNDS * scale))
    async with async_playwright() as playwright:
        browser = await launch(playwright, NAMES)
        kinds: list[str] = await _kinds(browser)
        # Where the clock is not judged, all of them at once show as well that none hides another.
        for number, kind in enumerate(kinds if scale >= 0.1 else ()):
            progress(number / len(kinds), kind)
            # In turn: both hear the same noise of the machine.
            pairs = [
                [await _open(browser, [kind], count, each, verdict) for each in LENGTHS]
                for _ in range(rounds)
            ]
            bare = median([await _bare(browser, kind) for _ in range(rounds)])
            half, whole = (median(times) for times in zip(*pairs, strict=True))
            _judge(verdict, kind, half, whole, bare)
        mixed = median([await _open(browser, kinds, count, LENGTHS[1], verdict) for _ in range(rounds)])
        _judge(verdict, "all of them in turn", mixed, mixed)
        await browser.close()
    return verdict


def _judge(verdict: Verdict, kind: str, half: float, whole: float, bare: float = 0.0) -> None:
    verdict.figures[kind] = (
        f"{whole:.0f} ms; half the text {half:.0f} ms; one of them as bare text {bare:.0f} ms"
    )
    # Two are on the screen: what the browser takes for their letters is not ours.
    if whole > (most := BUDGET_MS + 2 * bare):
        verdict.slow.append(f"{kind}: {whole:.0f} ms are more than {most:.0f}")
    if whole > UNNOTICED_MS + 2 * bare and whole > TWICE * half:
        verdict.slow.append(f"{kind}: twice the text takes {whole / half:.1f} times as long")


async def _kinds(browser: Browser) -> list[str]:
    page = await _page(browser)
    kinds: list[str] = await page.evaluate("async () => Object.keys((await import('/drawing.mjs')).KINDS)")
    await page.context.close()
    return kinds


async def _bare(browser: Browser, kind: str) -> float:
    page = await _page(browser)
    await page.evaluate("import('/drawing.mjs')")
    ms = await page.evaluate("async (kind) => (await import('/drawing.mjs')).bare(kind)", kind)
    await page.context.close()
    return float(ms)


async def _open(browser: Browser, kinds: list[str], count: int, length: int, verdict: Verdict) -> float:
    page = await _page(browser)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    # The modules are loaded before: what they cost is not the room's.
    await page.evaluate("import('/drawing.mjs')")
    found: dict[str, Any] = await page.evaluate(OPEN, [kinds, count, length])
    await page.context.close()
    if found["rows"] != count or found["failed"] or errors:
        verdict.wrong.append(
            f"{kinds}: {found['rows']} of {count} messages are there, {found['failed']} in plain, {errors}"
        )
    return float(found["ms"])


async def _page(browser: Browser) -> Page:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    await page.route("**/*", _answer)
    await page.goto("http://page.test/chat/")
    return page


async def _answer(route: Route) -> None:
    path = urlsplit(route.request.url).path
    if path == "/chat/":
        await route.fulfill(body=MARKUP, content_type="text/html; charset=utf-8")
        return
    file = HERE / "_drawing.mjs" if path == "/drawing.mjs" else FOLDER / path.removeprefix("/chat/static/")
    kind = "text/javascript" if file.suffix in (".js", ".mjs") else mimetypes.guess_type(file.name)[0]
    await route.fulfill(path=file, content_type=kind)


if __name__ == "__main__":
    main(soak)
