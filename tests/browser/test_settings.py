"""What people choose for their device, the keys, and the page as an app on the home screen."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.acts import composer, enter, entered, lines, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.browser.test_looks import DESKTOP, PHONE
from tests.browser.test_tabs import NO_STORAGE

pytestmark = pytest.mark.asyncio(loop_scope="session")

DARK, LIGHT = "rgb(22, 24, 29)", "rgb(255, 255, 255)"
SILENT = """
    window.tones = 0;  // and at the root, where a test can wait for it
    const tone = () => document.documentElement.setAttribute("data-tones", ++tones);
    window.AudioContext = class {
        currentTime = 0;
        resume() {}
        #node() {
            const param = { setValueAtTime() {}, exponentialRampToValueAtTime() {} };
            return { frequency: {}, gain: param, connect: (to) => to, start: tone, stop() {} };
        }
        createOscillator() { return this.#node(); }
        createGain() { return this.#node(); }
    };
"""


async def open_entry(page: Page, entry: str) -> Locator:
    """Choose from the menu "You"; -> the dialog."""
    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id(entry).click()
    dialog = page.get_by_test_id(f"{entry}-dialog")
    await expect(dialog).to_be_visible()
    return dialog


async def test_colours_are_chosen_by_keyboard_for_all_tabs_and_painted_first(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(color_scheme="light")
    await enter(page, "Ada")
    tab = await page.context.new_page()
    await tab.goto("/chat/#/general")
    await entered(tab)
    await page.bring_to_front()
    body = page.locator("body")
    await expect(body).to_have_css("background-color", LIGHT)

    await open_entry(page, "settings")
    await page.get_by_test_id("theme-system").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_test_id("theme-dark")).to_be_checked()
    await expect(body).to_have_css("background-color", DARK)
    await page.get_by_test_id("density-compact").check()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("settings-dialog")).to_have_count(0)
    await expect(page.get_by_test_id("me-menu")).to_be_focused()
    await expect(tab.locator("body")).to_have_css("background-color", DARK)

    async def refuse(route: Route) -> None:
        """No module comes: what is dark now was dark from the first paint."""
        await route.abort()

    for other, module in ((page, "**/static/app.js"), (tab, "**/static/page.js")):
        await other.route(module, refuse)
        await other.reload(wait_until="commit")
        await expect(other.locator("body")).to_have_css("background-color", DARK)
        await expect(other.locator("html")).to_have_attribute("data-chat-density", "compact")
        await expect(other.locator("meta[name=theme-color][media=all]")).to_have_attribute(
            "content", "#16181d"
        )
        await other.unroute(module)
    await page.reload()
    await entered(page)
    await open_entry(page, "settings")
    await expect(page.get_by_test_id("theme-dark")).to_be_checked()
    await page.get_by_test_id("theme-system").check()
    await expect(body).to_have_css("background-color", LIGHT)


async def test_choices_last_without_storage_as_long_as_the_page(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page(color_scheme="light")
    await page.add_init_script(NO_STORAGE)
    await enter(page, "Ada")

    await open_entry(page, "settings")
    await page.get_by_test_id("theme-dark").check()

    await expect(page.locator("body")).to_have_css("background-color", DARK)
    await expect(page.get_by_test_id("settings-note")).to_contain_text("until you leave the page")


async def test_enter_does_what_the_user_chose(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await open_entry(page, "settings")
    await page.get_by_test_id("enter-line").check()
    await page.get_by_test_id("settings-done").click()

    await composer(page).focus()
    await expect(page.locator("#composer-help")).to_contain_text("Control and Enter sends")
    await page.keyboard.type("one")
    await page.keyboard.press("Enter")
    await page.keyboard.type("two")
    await expect(composer(page)).to_have_value("one\ntwo")
    await page.keyboard.press("Control+Enter")
    await expect(lines(page)).to_have_text(["one\ntwo"])


async def test_the_keys_are_shown_unless_one_writes_or_has_turned_them_off(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await composer(page).press("?")
    await expect(composer(page)).to_have_value("?")
    help = page.get_by_test_id("help-dialog")
    await composer(page).press("Control+/")
    await expect(help).to_contain_text("Go to a room")
    await expect(help).not_to_contain_text("Search messages")  # this server has no search
    await page.keyboard.press("Escape")
    await expect(help).to_have_count(0)
    await expect(composer(page)).to_be_focused()
    await page.keyboard.press("Control+Shift+F")
    await expect(page.get_by_test_id("search-state")).to_have_text(
        "Messages cannot be searched on this server."
    )
    await page.keyboard.press("Escape")

    await page.get_by_test_id("log").focus()
    await page.keyboard.press("?")
    await expect(help).to_be_visible()
    await page.keyboard.press("?")  # not twice
    await page.get_by_test_id("help-done").press("Enter")
    await expect(help).to_have_count(0)

    await open_entry(page, "settings")
    await page.get_by_test_id("keys").uncheck()
    await page.get_by_test_id("settings-done").click()
    await page.get_by_test_id("log").focus()
    await page.keyboard.press("?")
    await expect(help).to_have_count(0)
    await open_entry(page, "help")
    await expect(help).to_contain_text("Ctrl /")
    await expect(help).not_to_contain_text("?")


async def test_a_sound_is_made_once_for_what_is_for_a_user_who_looks_elsewhere(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await page.add_init_script(SILENT)
    await enter(page, "Ada")
    ada = served.user("Ada").id
    mention: dict[str, Any] = {"text": "for you", "mentions": [ada]}

    await served.chat.publish("general", "message", mention)
    await expect(lines(page)).to_have_count(1)
    assert await page.evaluate("tones") == 0  # nobody has asked for it
    await open_entry(page, "settings")
    await page.get_by_test_id("sound").check()
    await expect(page.locator("html")).to_have_attribute("data-tones", "2")  # how it sounds
    await page.get_by_test_id("settings-done").click()
    await page.evaluate("localStorage.removeItem('chatrooms rang')")  # as if time had passed
    await served.chat.publish("general", "message", mention)
    await expect(lines(page)).to_have_count(2)
    assert await page.evaluate("tones") == 2  # they see it

    await page.evaluate("document.hasFocus = () => false")
    await served.say("general", "for everybody")
    await served.chat.publish("general", "message", mention)
    await expect(page.locator("html")).to_have_attribute("data-tones", "4")


async def test_a_room_is_muted_in_two_presses(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    page = await new_page()
    await enter(page, "Ada")
    await served.chat.add_member("news", served.user("Ada"))
    await page.goto("/#/news")
    await page.reload()
    await entered(page)
    news = page.locator("[data-room=news]")
    menu = page.get_by_test_id("room-menu")

    await menu.click()
    await page.get_by_role("menuitem", name="Mute this room", exact=True).press("Enter")
    await expect(news).to_contain_text("muted")
    await expect(menu).to_be_focused()
    await menu.press("Enter")
    await page.get_by_role("menuitem", name="Unmute this room").press("Enter")
    await expect(news).not_to_contain_text("muted")


@pytest.mark.parametrize("path", ["/", "/chat/"])
async def test_the_page_can_be_installed(served: ServedApp, new_page: Pages, path: str) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada", path=path)
    devtools = await page.context.new_cdp_session(page)

    manifest = await devtools.send("Page.getAppManifest")

    assert manifest["errors"] == []
    assert manifest["url"].endswith("/static/app.webmanifest")
    assert manifest["parsed"]["scope"] == served.url.rstrip("/") + path
    found = await page.evaluate(
        """async (url) => {
            const { icons, start_url } = await (await fetch(url)).json();
            const icon = document.querySelector("link[rel=apple-touch-icon]").href;
            const urls = [icon, ...icons.map(({ src }) => new URL(src, url).href), new URL(start_url, url).href];
            const answers = await Promise.all(urls.map((one) => fetch(one)));
            return answers.map((one) => `${one.status} ${one.headers.get("content-type").split(";")[0]}`);
        }""",
        manifest["url"],
    )
    assert found == ["200 image/png"] * 3 + ["200 text/html"]
    await say(page, "as an app")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["wide", "phone"])
async def test_the_dialogs_are_readable_everywhere(
    served: ServedApp, new_page: Pages, size: dict[str, Any], scheme: Literal["light", "dark"]
) -> None:
    await served.open()
    other: Literal["light", "dark"] = "light" if scheme == "dark" else "dark"
    page = await new_page(**size, color_scheme=other, reduced_motion="reduce")
    touch = size is PHONE
    await enter(page, "Ada")
    await say(page, "Hello", "Nothing new")
    if touch:
        await page.goto("/#/")
    found: list[str] = []

    await open_entry(page, "settings")
    await page.get_by_test_id(f"theme-{scheme}").check()
    await page.get_by_test_id("density-compact").check()
    found += await problems(page, touch=touch)
    await new_page.screenshot(page, "settings")
    await expect(page.get_by_test_id("enter-line")).to_have_count(0 if touch else 1)
    await page.emulate_media(forced_colors="active")
    await new_page.screenshot(page, "settings-forced")
    await page.emulate_media(forced_colors="none")
    await page.get_by_test_id("settings-done").click()
    await page.get_by_test_id("me-menu").click()
    await expect(page.get_by_test_id("help")).to_have_count(0 if touch else 1)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+/")
    await expect(page.get_by_test_id("help-dialog")).to_be_visible()
    found += await problems(page, touch=touch)
    await new_page.screenshot(page, "help")
    await page.get_by_test_id("help-done").click()
    await page.goto("/#/general")
    await expect(lines(page)).to_have_count(2)
    found += await problems(page, touch=touch)
    await new_page.screenshot(page, "compact")
    assert found == []
