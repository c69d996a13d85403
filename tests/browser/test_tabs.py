"""One person in several tabs of a browser, over reloads, and in browsers that keep nothing or lack something."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import coming_back, composer, enter, entered, go_to, lines, messages, say, write
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.thorough import unless_thorough

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_STORAGE = """
    for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
"""
FULL_STORAGE = """
    Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
"""
OLD_BROWSER = """
    delete Intl.Segmenter;
    delete URL.canParse;
    delete Crypto.prototype.randomUUID;
"""


async def second_tab(page: Page, room: str) -> Page:
    tab = await page.context.new_page()
    await tab.goto(f"/#/{room}")
    await entered(tab)
    await page.bring_to_front()  # a browser draws little of what is behind
    return tab


async def test_messages_read_in_one_tab_are_read_in_the_other_and_after_a_reload(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("news", "quiet")
    one = await new_page()
    await enter(one, "Ada", "news")
    two = await second_tab(one, "news")
    for tab in (one, two):
        await go_to(tab, "quiet")
    await served.say("news", "first", "second")
    for tab in (one, two):
        await expect(tab.locator("[data-room=news]")).to_contain_text("2")

    await go_to(one, "news")
    await expect(lines(one)).to_have_text(["first", "second"])
    await expect(two.locator("[data-room=news]")).not_to_contain_text("2")
    await expect(two).to_have_title("Quiet · Example chat")

    await go_to(two, "general")  # the other tab writes its own marks
    for tab in (one, two):
        await tab.reload()
        await entered(tab)
        await expect(tab.locator("[data-room=news]")).to_be_visible()
        await expect(tab.locator("[data-room=news]")).not_to_contain_text("2")


async def test_signing_out_asks_first_and_signs_out_in_all_tabs(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    one = await new_page()
    await enter(one, "Ada")
    two = await second_tab(one, "general")
    await say(one, "hello")

    await one.get_by_test_id("me-menu").click()
    await one.get_by_test_id("sign-out").click()
    dialog = one.get_by_test_id("sign-out-dialog")
    await expect(dialog).to_contain_text(
        "Once you sign out, you cannot come back as Ada, or change what you wrote."
    )
    await new_page.screenshot(one, "asked")
    await dialog.get_by_test_id("answer-no").click()
    await say(one, "still here")

    await one.get_by_test_id("me-menu").click()
    await one.get_by_test_id("sign-out").click()
    await dialog.get_by_test_id("answer-yes").click()
    await expect(one.get_by_test_id("sign-in")).to_be_visible()
    await expect(two.get_by_test_id("ended")).to_contain_text("You signed out in another tab")
    await expect(composer(two)).to_have_count(0)
    await new_page.screenshot(two, "other-tab")
    await served.alone()


async def test_unsent_messages_are_not_discarded_without_a_question(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await page.add_init_script(NO_STORAGE)  # else it would be there after a reload
    await enter(page, "Ada")
    await say(page, "sent")
    await page.context.set_offline(True)
    await served.cut("Ada")
    await write(page, "kept")
    await expect(messages(page).last).to_have_attribute("data-status", "pending")
    async with page.expect_event("dialog") as asked:
        await page.close(run_before_unload=True)
    dialog = await asked.value
    assert dialog.type == "beforeunload"
    await dialog.dismiss()
    await expect(lines(page)).to_have_text(["sent", "kept"])

    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("sign-out").click()
    question = page.get_by_test_id("sign-out-dialog")
    await expect(question).to_contain_text("1 message is not sent yet, and will be lost.")
    await question.get_by_test_id("answer-no").click()
    await page.context.set_offline(False)
    await expect(messages(page).last).to_have_attribute("data-status", "sent")


LACKS = {"no": NO_STORAGE, "full": FULL_STORAGE, "old": OLD_BROWSER, "both": NO_STORAGE + OLD_BROWSER}


@pytest.mark.parametrize(
    ("lack", "path"),
    unless_thorough(
        [
            ("no", "/"),
            ("full", "/chat/"),
            ("old", "/chat/"),
            ("both", "/"),
        ],  # each lack once, each page twice
        [(lack, path) for lack in LACKS for path in ("/", "/chat/")],
    ),
)
async def test_a_browser_without_storage_or_an_older_one_can_chat(
    served: ServedApp, new_page: Pages, lack: str, path: str
) -> None:
    await served.open("lobby")
    page = await new_page()
    await page.add_init_script(LACKS[lack])
    await enter(page, "Zoë ♥", "lobby", path=path)
    await say(page, "see https://example.org/a_(b). and more")
    await expect(page.get_by_role("link", name="https://example.org/a_(b)")).to_be_visible()
    await go_to(page, "general")
    await go_to(page, "lobby")
    await say(page, "again")

    await page.reload()
    await expect(page.get_by_test_id("name").or_(composer(page))).to_be_visible()
    assert [line for line in new_page.console if line.startswith("error")] == []


async def test_a_clock_that_is_set_back_does_not_hide_a_dead_server(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await page.add_init_script(
        "const real = Date.now; window.setClock = (ms) => { Date.now = () => real() + ms; };"
    )
    await enter(page, "Ada")
    await page.evaluate("window.setClock(-3600 * 1000)")

    await served.stop()

    banner = page.get_by_test_id("banner")
    await expect(banner).to_contain_text("Messages are kept.")
    await new_page.screenshot(page, "banner")
    async with coming_back(page):
        await served.open()
    await say(page, "back, an hour ago")
