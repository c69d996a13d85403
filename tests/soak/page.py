"""The page in Chromium, against a real server: scrolling, opening, the first paint, and keys while messages come.

2,000 messages scroll at 60 frames a second. A room of 200 of the longest messages opens in 200 ms. The page is painted
within a second on a processor four times as slow. A key is painted in 50 ms while 500 messages a minute come.

Each round is another visitor, with nothing in the browser's cache. The clock is judged: run it on a machine that does
nothing else. Between the rounds, as many plain lines are scrolled: what comes late there is the machine's. `drawing` opens rooms of many more kinds of texts, without a server.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from playwright.async_api import Browser, BrowserContext, CDPSession, Page, StorageState, async_playwright

from tests.browser.acts import enter, entered
from tests.browser.conftest import NAMES, launch
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ServerProcess, start_app

SHORT = 0.02
ROUNDS = 5
MANY, LONGEST = 2_000, 200
"""Messages in the two rooms."""
SPEED, STRETCH = 12_000, 6_000
"""How fast somebody scrolls by the wheel, in pixels a second, and how far at once. That is 200 pixels a frame."""
PER_MINUTE, KEYS, PAUSE = 500, 60, 0.06
"""Messages that come; keys in each round, and seconds between them."""
SLOW = 4
"""As many times slower the processor is for the first paint."""
FRAME = 17.0
FEW = 20
"""Of fewer values the median is judged, of others the 95th percentile."""
MISSED, PAINT, OPEN, KEY = 5.0, 1000.0, 200.0, 50.0
"""Percent of the frames that may come late; the rest in milliseconds."""
HERE = Path(__file__).parent
PLAIN = """<!doctype html>
<style>
  body { margin: 0; font: 15px sans-serif; }
  main { height: 660px; overflow: hidden auto; background: #fff; }
  p { max-width: 800px; margin: 0 auto; padding: 10px 16px; }
</style>
<main data-testid="log"><div data-testid="beginning"></div>%s</main>
"""
"""The frame of a conversation, with lines that take a browser nothing."""


async def soak(scale: float, progress: Progress, only: Sequence[str] = ()) -> Verdict:
    """`only`: names of measurements; none: all."""
    verdict, found = Verdict(), Found()
    measures = [measure for measure in MEASURES if not only or measure.__name__ in only]
    rounds = max(1, round(ROUNDS * scale))
    server = await asyncio.to_thread(start_app, HERE / "_page_app.py")
    try:
        many, longest = max(50, round(MANY * scale)), max(20, round(LONGEST * scale))
        await _ask(server, f"/fill?many={many}&longest={longest}")
        async with async_playwright() as playwright:
            browser = await launch(playwright, NAMES)
            pressed = max(5, round(KEYS * min(1.0, scale * ROUNDS)))
            visit = Visit(server, browser, await _guest(server, browser), many, pressed, verdict)
            for number in range(rounds):
                for at, measure in enumerate(measures):
                    done = (number + at / len(measures)) / rounds
                    progress(done, f"round {number + 1} of {rounds}: {measure.__name__}")
                    await measure(visit, found)
            await browser.close()
    finally:
        await asyncio.to_thread(server.stop)
    found.judge(verdict)
    progress(1.0, "done")
    return verdict


class Found:
    """What was measured, by its name; a bar of None is not judged."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}
        self._bars: dict[str, tuple[float | None, str]] = {}

    def add(self, name: str, values: Sequence[float], bar: float | None = None, unit: str = "ms") -> None:
        self._times.setdefault(name, []).extend(values)
        self._bars[name] = (bar, unit)

    def judge(self, verdict: Verdict) -> None:
        for name, values in self._times.items():
            bar, unit = self._bars[name]
            middle, high = median(values), quantiles([*values, *values], n=20)[-1]
            told = f"median {middle:.1f} {unit}, p95 {high:.1f}, worst {max(values):.1f}, of {len(values)}"
            # Of a few rounds the 95th percentile is the worst, which is the machine's.
            judged = high if len(values) >= FEW else middle
            holds = bar is None or judged <= bar
            verdict.figures[name.ljust(52)] = (
                f"{told}{'' if bar is None else f'; bar {bar:g}: ' + ('holds' if holds else 'MISSED')}"
            )
            if not holds:
                verdict.slow.append(f"{name}: {judged:.1f} {unit} are more than {bar:g}")


class Visit:
    """Opens pages of one guest, each in a browser that has never been there but knows the guest's name."""

    def __init__(
        self,
        server: ServerProcess,
        browser: Browser,
        state: StorageState,
        many: int,
        keys: int,
        verdict: Verdict,
    ) -> None:
        self.server = server
        self.many = many
        self.keys = keys
        self._browser = browser
        self._state = state
        self._verdict = verdict

    async def page(self, *, known: bool = True, slow: int = 1) -> tuple[BrowserContext, Page, CDPSession]:
        context = await self._browser.new_context(
            base_url=self.server.url,
            viewport={"width": 1280, "height": 800},
            storage_state=self._state if known else None,
        )
        context.set_default_timeout(60_000)
        await context.add_init_script(path=HERE / "_page.js")
        page = await context.new_page()
        page.on("pageerror", lambda error: self._verdict.wrong.append(f"an exception in the page: {error}"))
        browser = await context.new_cdp_session(page)
        await browser.send("Emulation.setCPUThrottlingRate", {"rate": slow})
        return context, page, browser

    def wrong(self, what: str) -> None:
        self._verdict.wrong.append(what)


async def first_paint(visit: Visit, found: Found) -> None:
    for known, who in ((False, "a new visitor"), (True, "a known one")):
        context, page, _ = await visit.page(known=known, slow=SLOW)
        await page.goto("/chat/#/busy")
        if known:
            found.add(f"usable, processor {SLOW}x slower", [await page.evaluate("gauge.usable()")])
        painted = await page.evaluate("gauge.firstPaint()")
        found.add(f"first paint for {who}, processor {SLOW}x slower", [painted], PAINT)
        await context.close()


async def opening(visit: Visit, found: Found) -> None:
    """By a click in the list: first with what the server sends, then with all messages here, at the end and far up."""
    context, page, _ = await visit.page()
    await page.goto("/chat/#/lobby")
    await entered(page)
    found.add("open 200 of the longest, first time", [await _click(page, "longest")], OPEN)
    while not await page.evaluate("gauge.isAtTop()"):
        await page.evaluate("document.querySelector('[data-testid=log]').scrollTop = 0")
        await page.evaluate("new Promise(requestAnimationFrame)")
    await page.get_by_test_id("to-end").click()
    for place in ("at the end", "far up"):
        await _click(page, "lobby")
        found.add(f"open 200 of the longest, again, {place}", [await _click(page, "longest")], OPEN)
        await page.evaluate("document.querySelector('[data-testid=log]').scrollTop -= 2000")
        await page.evaluate("new Promise(requestAnimationFrame)")
    await context.close()


async def _click(page: Page, room: str) -> float:
    await page.locator(f"[data-room='{room}']").click()
    return float(await page.evaluate("gauge.opened()"))


async def scrolling(visit: Visit, found: Found) -> None:
    """Up through all of them as they are loaded, down, and up again."""
    context, page, browser = await visit.page()
    await page.goto("/chat/#/many")
    await entered(page)
    for way, direction, until in (
        ("up, loading", 1, "gauge.isAtTop()"),
        ("down", -1, "gauge.isAtEnd()"),
        ("up again", 1, "gauge.isAtTop()"),
    ):
        frames = await _scroll(page, browser, direction, until)
        found.add(f"scroll {way}: late frames", [_late(frames)], MISSED, "%")
        found.add(f"scroll {way}: worst frame", [max(frames["intervals"])])
        found.add(f"scroll {way}: frames over 50 ms", [len(frames["blocked"])], None, "of them")
        # Where the frames come in time, the wheel moves what is read by SPEED / 60; what moves it further is a jump.
        found.add(f"scroll {way}: furthest in a frame", [max(frames["moved"])], None, "px")
    await context.close()


async def plain(visit: Visit, found: Found) -> None:
    """As many lines as there are messages, up: how many frames are late where the page has nothing to do."""
    context, page, browser = await visit.page()
    lines = "".join(f"<p data-testid=message>line {number}</p>" for number in range(visit.many))
    await page.set_content(PLAIN % lines)
    await page.get_by_test_id("log").evaluate("(log) => (log.scrollTop = log.scrollHeight)")
    frames = await _scroll(page, browser, 1, "gauge.isAtTop()")
    found.add("scroll plain lines: late frames", [_late(frames)], None, "%")
    await context.close()


async def _scroll(page: Page, browser: CDPSession, direction: int, until: str) -> dict[str, list[float]]:
    await page.evaluate("gauge.beginFrames()")
    while not await page.evaluate(until):
        await browser.send("Input.synthesizeScrollGesture", _wheel(direction))
    frames: dict[str, list[float]] = await page.evaluate("gauge.endFrames()")
    return frames


def _late(frames: dict[str, list[float]]) -> float:
    """Percent of the frames."""
    return 100 * sum(each > FRAME for each in frames["intervals"]) / len(frames["intervals"])


def _wheel(direction: int) -> dict[str, Any]:
    return {
        "x": 600,
        "y": 300,
        "yDistance": direction * STRETCH,
        "speed": SPEED,
        "gestureSourceType": "mouse",
        "preventFling": True,
    }


async def keys(visit: Visit, found: Found) -> None:
    await _ask(visit.server, f"/talk?per_minute={PER_MINUTE}")
    for slow, bar in ((1, KEY), (SLOW, None)):
        context, page, _ = await visit.page(slow=slow)
        await page.goto("/chat/#/busy")
        await entered(page)
        await page.get_by_test_id("composer").focus()
        for number in range(visit.keys):
            await page.keyboard.press("Shift+Enter" if number % 20 == 19 else "a" if number % 6 else "Space")
            await asyncio.sleep(PAUSE)
        times = await page.evaluate("gauge.takeKeys()")
        if len(times) != visit.keys:
            visit.wrong(f"{len(times)} of {visit.keys} keys have changed the text")
        name = f"key to pixel, {PER_MINUTE} messages/minute"
        found.add(name if slow == 1 else f"{name}, {slow}x slower", times, bar)
        await context.close()
    await _ask(visit.server, "/talk?per_minute=0")


MEASURES = (first_paint, opening, scrolling, plain, keys)


async def _guest(server: ServerProcess, browser: Browser) -> StorageState:
    context = await browser.new_context(base_url=server.url)
    page = await context.new_page()
    await enter(page, "Mo", "lobby", path="/chat/")
    state = await context.storage_state()
    await context.close()
    return state


async def _ask(server: ServerProcess, path: str) -> None:
    await asyncio.to_thread(_open, server.url + path)


def _open(url: str) -> None:
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=120).close()


if __name__ == "__main__":
    main(soak, [measure.__name__ for measure in MEASURES])
