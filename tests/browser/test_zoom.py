"""Enlarged to 200 % and to 400 %, with forced colours, with reduced motion and without storage: everything is there, in reach and seen to have the focus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect
from sanic import Sanic

from tests.browser.acts import CUTTABLE, composer, enter, go_to, lines, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.browser.test_tabs import NO_STORAGE
from tests.browser.walks import BOB, TABLE, WALKS, Walk, a_site
from tests.support.fixtures import Live
from tests.support.thorough import unless_thorough

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = ["accounts", "guests", "talk", "rooms"]
SIZES = {"200 %": {"width": 640, "height": 512}, "400 %": {"width": 320, "height": 256}}  # of 1280 x 1024

# What is cut off, and what cannot be pressed where it is because something else is in front of it.
REACH = """() => {
    const found = [];
    const say = (what, node) => found.push(`${what}: ${node.outerHTML.slice(0, 140)}`);
    const root = document.querySelector("[role=menu], .menu[role=dialog]") ?? [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
    const all = [...root.querySelectorAll("*")].filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !one.closest(".sr-only, [inert]"));
    const scrolled = [...document.querySelectorAll("*")].filter(({ scrollHeight, clientHeight }) => scrollHeight > clientHeight).map((one) => [one, one.scrollTop]);

    const box = (one) => one.getBoundingClientRect();
    const clips = (one) => [...parents(one)].filter((each) => /hidden|clip/.test(getComputedStyle(each).overflowX) && getComputedStyle(each).textOverflow !== "ellipsis");
    function* parents(one) { for (let node = one; node; node = node.parentElement) yield node; }
    for (const one of all) {
        const says = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!says || one.closest("pre, option, textarea, .cut, .mark")) continue;
        const edges = clips(one).map(box);
        const rects = [...one.childNodes].filter(({ nodeType }) => nodeType === 3).flatMap((text) => {
            const range = document.createRange();
            range.selectNodeContents(text);
            return [...range.getClientRects()];
        });
        for (const { left, right, width } of rects)
            if (width && (left < -1 || right > innerWidth + 1 || edges.some((edge) => left < edge.left - 1 || right > edge.right + 1))) say(`cut off ${left} to ${right}`, one);
    }

    for (const one of all.filter((each) => each.matches(".state > :first-child")))
        if (box(one).top < box(one.parentElement.parentElement).top - 1) say("above its place, where nobody can scroll to", one);

    const over = ".toast, .to-end, .msg-tools, .tip, .menu";  // for the moment
    for (const one of all.filter((each) => each.matches("button:enabled, a[href], input:enabled, select, textarea, h1, h2, h3, .state p"))) {
        one.scrollIntoView({ block: "center", inline: "nearest" });
        const { left, top, width, height } = one.getClientRects()[0] ?? {};
        const hit = document.elementFromPoint(left + width / 2, top + height / 2);
        if (!hit || !(one.contains(hit) || hit.contains(one) || hit.closest(over) || hit.closest("label")?.contains(one))) say(`out of reach, behind ${hit?.outerHTML.slice(0, 60)}`, one);
    }
    for (const [one, top] of scrolled) one.scrollTop = top;
    const log = document.querySelector("[data-testid=log]");
    if (root === document.body && log?.checkVisibility() && log.clientHeight < 40) found.push(`${log.clientHeight} px for messages`);
    for (const one of document.getAnimations()) if (one.effect.getComputedTiming().duration > 0) found.push(`it moves: ${one.animationName ?? one.transitionProperty}`);
    return found;
}"""
# What has the focus and does not look so.
FOCUS = """() => {
    const root = document.querySelector("[role=menu], .menu[role=dialog]") ?? [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
    const before = document.activeElement;
    const dull = [];
    for (const one of root.querySelectorAll("button:enabled, a[href], input:enabled, select, textarea, [tabindex='0']")) {
        if (!one.checkVisibility({ visibilityProperty: true })) continue;
        one.focus({ preventScroll: true });
        if (document.activeElement !== one) continue; // it went with the focus of another
        const outlined = [one, one.closest(".composer-box, label")].some((each) => each && getComputedStyle(each).outlineStyle !== "none" && parseFloat(getComputedStyle(each).outlineWidth) >= 1);
        if (!outlined) dull.push(`no focus to be seen: ${one.outerHTML.slice(0, 140)}`);
    }
    before?.focus({ preventScroll: true });
    return dull;
}"""


class Enlarged(Walk):
    async def judge(self) -> list[str]:
        return [*await self.page.evaluate(REACH), *await problems(self.page)]


class Forced(Walk):
    async def judge(self) -> list[str]:
        await self.page.keyboard.press("Shift")  # whoever uses keys sees where the focus is
        found: list[str] = await self.page.evaluate(FOCUS)
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def served(app: Sanic[Any, Any], live: Live, tmp_path: Path, often: None) -> ServedApp:
    return a_site(app, live, tmp_path)


async def walked(walk: Walk, name: str) -> None:
    await walk.page.add_init_script(CUTTABLE)
    await WALKS[name](walk)
    assert not walk.found, "\n".join(walk.found)
    assert sorted(walk.seen) == sorted(TABLE[name])


@pytest.mark.parametrize(
    ("name", "size"),
    unless_thorough([("guests", "400 %")], [(name, size) for name in PAGES for size in SIZES]),
)
async def test_enlarged_nothing_is_cut_off_and_everything_is_in_reach_and_nothing_moves(
    served: ServedApp, new_page: Pages, name: str, size: str
) -> None:
    await served.open("news", "quiet")
    page = await new_page(viewport=SIZES[size], reduced_motion="reduce")
    await walked(Enlarged(served, new_page, page, size.replace(" %", ""), "light"), name)


async def test_enlarged_the_list_of_rooms_scrolls_and_the_page_does_not(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open(*(f"room-{number}" for number in range(9)))
    page = await new_page(viewport=SIZES["400 %"])
    await enter(page, "Ada", path="/chat/")
    await served.chat.create_room("zz", title="Zz", visibility="private")
    await served.chat.add_member("zz", served.user("Ada"))
    await page.goto("#/")

    await expect(page.locator("[data-room=zz]")).to_be_attached()
    assert await page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")


@pytest.mark.parametrize("name", unless_thorough(["accounts"], PAGES))
async def test_with_forced_colours_one_sees_where_the_focus_is(
    served: ServedApp, new_page: Pages, name: str
) -> None:
    await served.open("news", "quiet")
    page = await new_page(
        viewport={"width": 1280, "height": 800}, forced_colors="active", reduced_motion="reduce"
    )
    await walked(Forced(served, new_page, page, "wide", "light"), name)


NO_STORE = (
    NO_STORAGE
    + """
    for (const name of ["indexedDB", "caches"])
        Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
"""
)


@pytest.mark.whole_browser
@pytest.mark.parametrize("path", unless_thorough(["/chat/"], ["/", "/chat/"]))
async def test_without_storage_all_parts_of_the_page_work(
    served: ServedApp, new_page: Pages, path: str
) -> None:
    """Both pages have these parts, and test_tabs.py has the example's page without storage in each run."""
    await served.open("news")
    page = await new_page(viewport={"width": 1280, "height": 800})
    await page.add_init_script(NO_STORE)
    await enter(page, "Ada", path=path)
    await served.chat.add_member("general", served.user("Ada"), "owner")
    await say(page, "Where do we eat?")

    await messages(page).first.hover()
    await messages(page).first.get_by_test_id("reply").click()
    await page.get_by_test_id("thread-composer").fill("Here")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("thread-log").get_by_test_id("message-text")).to_have_text(["Here"])
    await page.keyboard.press("Escape")
    await composer(page).fill("a draft")
    await page.keyboard.press("Control+k")
    await page.get_by_test_id("switcher-field").fill("news")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("room-name")).to_have_text("News")
    await expect(composer(page)).to_have_value("")
    await go_to(page, "general")
    await expect(composer(page)).to_have_value("a draft")
    await page.get_by_test_id("open-search").click()
    await page.get_by_test_id("search-field").fill("eat")
    await page.get_by_test_id("search-hit").click()
    await expect(lines(page).first).to_be_in_viewport()
    await page.get_by_test_id("open-details").click()
    await page.get_by_test_id("details-change").click()
    await page.get_by_test_id("settings-topic").fill("Food")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_test_id("details-topic")).to_have_text("Food")
    await page.get_by_test_id("details-close").click()
    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("settings").click()
    await page.get_by_test_id("theme-dark").check()
    await expect(page.get_by_test_id("settings-note")).to_contain_text("until you leave the page")
    await page.get_by_test_id("settings-done").click()
    await served.chat.publish(
        "news", "message", {"text": "for you", "mentions": [served.user("Ada").id]}, sender=BOB
    )
    await page.get_by_test_id("offer-on").click()
    assert [line for line in new_page.console if line.startswith("error")] == []
