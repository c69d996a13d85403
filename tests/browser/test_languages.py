"""The page in other languages than English: in German, and in one that is written from right to left."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from sanic_chatrooms.web.assets import FOLDER
from tests.browser.acts import composer, enter, entered, lines, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.browser.test_chat_room import Shop, shop, until_heard
from tests.browser.test_looks import PHONE
from tests.browser.test_settings import open_entry

pytestmark = pytest.mark.asyncio(loop_scope="session")

__all__ = ["shop"]

ARABIC = "مرحبا بالعالم"


def asked_for(page: Page) -> list[str]:
    """Which words the page asks for from now on."""
    asked: list[str] = []
    page.on(
        "request",
        lambda request: asked.extend(re.findall(r"/((?:chat/)?(?:static/)?words/.+)", request.url)),
    )
    return asked


async def test_the_first_view_is_german_for_a_german_browser_and_loads_no_other_words(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(locale="de-AT")
    asked = asked_for(page)
    await page.goto("/#/general")

    await expect(page.get_by_test_id("sign-in")).to_contain_text("Wähle einen Namen.")
    await expect(page.get_by_role("heading")).to_have_text("Beispiel-Chat")
    await expect(page.get_by_label("Dein Name")).to_be_focused()
    await expect(page.get_by_role("button", name="Konto anlegen")).to_be_visible()
    assert await page.locator("html").get_attribute("lang") == "de"
    assert sorted(asked) == ["chat/static/words/de.js", "static/words/de.js"]
    assert await problems(page, touch=False) == []


@pytest.mark.parametrize(("path", "files"), [("/chat/", 1), ("/", 2)])
async def test_words_are_asked_for_beside_the_modules_that_need_them(
    served: ServedApp, new_page: Pages, path: str, files: int
) -> None:
    await served.open()
    page = await new_page(locale="de-DE")
    asked, all_asked = asked_for(page), asyncio.Event()

    async def held(route: Route) -> None:
        await all_asked.wait()
        await route.continue_()

    page.on("request", lambda _: all_asked.set() if len(asked) == files else None)
    await page.route(re.compile(r"/(chat-)?app\.js$"), held)
    await page.goto(path)
    await expect(page.get_by_test_id("sign-in")).to_be_visible()

    assert len(asked) == len(set(asked)) == files


async def test_what_is_written_refused_dated_and_counted_is_german(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada, bob = await new_page(locale="de-DE"), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await expect(composer(ada)).to_have_attribute("placeholder", "Nachricht an #General")
    await say(ada, "Wo essen wir?")
    await expect(ada.get_by_role("separator")).to_have_text("Heute")

    await messages(bob).first.hover()
    await bob.get_by_role("button", name="Reply in thread").click()
    for text, said in (("Hier", "1 Antwort"), ("Nein, dort", "2 Antworten")):
        await bob.get_by_test_id("thread-composer").fill(text)
        await bob.keyboard.press("Enter")
        await expect(ada.get_by_test_id("thread-line").locator(".replies")).to_have_text(said)
    await expect(ada.get_by_test_id("toast").first).to_contain_text(
        "Bob hat in General in einem deiner Threads geantwortet"
    )
    await composer(bob).press_sequentially("Ich")
    await expect(ada.get_by_test_id("typing")).to_have_text("Bob schreibt …")

    await ada.get_by_test_id("create-room").click()
    await ada.get_by_test_id("room-title").fill("General")
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_test_id("form-problem")).to_have_text(
        "Einen Raum mit diesem Namen gibt es schon. Wähle einen anderen."
    )
    await new_page.screenshot(ada, "refused")
    await ada.keyboard.press("Escape")
    await served.chat.mute("general", served.user("Ada").id, reason="Pause")
    await expect(ada.get_by_test_id("shut")).to_have_text(
        "Du bist stummgeschaltet bis auf Weiteres (Grund: Pause). Du kannst weiter mitlesen."
    )
    await expect(ada.get_by_test_id("system-line").last).to_contain_text("Ada wurde stummgeschaltet")


async def test_longer_words_have_room_on_a_phone(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page, bob = await new_page(locale="de-DE", **PHONE), await new_page()
    await enter(page, "Ada")
    await enter(bob, "Bob")
    await served.chat.add_member("general", served.user("Ada"), role="owner")
    await page.reload()
    await entered(page)

    await page.get_by_test_id("open-details").tap()
    await expect(page.get_by_test_id("details-facts")).to_contain_text("und den Raum löschen.")
    await fits(page)
    await page.get_by_test_id("details-change").tap()
    await expect(page.get_by_test_id("settings-title")).to_be_visible()
    await fits(page)
    await page.get_by_role("button", name="Abbrechen").tap()
    await page.get_by_test_id("details-close").tap()
    await page.get_by_test_id("toggle-people").tap()
    await page.get_by_test_id("card").tap()
    await expect(page.get_by_test_id("member.ban")).to_have_text("Für den Raum sperren")
    await fits(page)
    await page.get_by_test_id("member.ban").tap()
    await expect(page.get_by_label("1 Woche")).to_be_visible()
    await new_page.screenshot(page, "ban")
    await fits(page)


async def fits(page: Page) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await problems(page, touch=True) == []


async def test_who_wants_another_language_than_the_browser_chooses_it(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    dialog = await open_entry(page, "settings")
    await dialog.get_by_label("Deutsch").check()
    await expect(page.get_by_test_id("settings-note")).to_contain_text("loaded again")
    await dialog.get_by_role("button", name="Close").click()
    await expect(composer(page)).to_have_attribute("placeholder", "Nachricht an #General")
    await entered(page)

    dialog = await open_entry(page, "settings")
    await expect(dialog).to_contain_text("Einstellungen")
    await new_page.screenshot(page, "settings")
    await dialog.get_by_label("Wie der Browser").check()
    await dialog.get_by_role("button", name="Schließen").click()
    await expect(composer(page)).to_have_attribute("placeholder", "Message #General")


async def test_the_app_may_choose_the_language(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()

    async def german(route: Route) -> None:
        answer = await route.fetch()
        text = (await answer.text()).replace('<html lang="en">', '<html lang="en" data-language="de">')
        await route.fulfill(response=answer, body=text)

    await page.route(re.compile(r"/chat/$"), german)
    await page.goto("/chat/")
    await expect(page.get_by_label("Dein Name")).to_be_visible()


async def test_the_element_speaks_the_language_of_the_page_around_it(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop('<section lang="de-CH"><chat-room room="general"></chat-room></section>')
    await served.open()
    page = await new_page()
    asked = asked_for(page)
    await page.goto("/shop")

    await expect(page.get_by_label("Dein Name")).to_be_visible()
    await expect(page.locator("chat-room .frame")).to_have_attribute("lang", "de")
    assert asked == ["chat/words/de.js"]


async def test_without_words_the_element_says_so_to_the_page_and_tries_again(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop()
    await served.open()
    page = await new_page()
    words = re.compile(r"/words/en\.js$")
    await page.route(words, lambda route: route.abort())
    await page.goto("/shop")
    await until_heard(page, "error", "start")
    await page.unroute(words)
    await page.get_by_role("button", name="↻").click()

    await expect(page.get_by_test_id("composer")).to_have_attribute("placeholder", "Message #General")


async def test_without_words_the_page_offers_to_load_again(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    words = re.compile(r"/words/en\.js$")
    await page.route(words, lambda route: route.abort())
    await page.goto("/chat/")
    again = page.get_by_role("button", name="↻")
    await expect(again).to_be_visible()
    assert [error for error in new_page.errors if "words/en.js" not in error] == []
    new_page.errors.clear()

    await page.unroute(words)
    await again.click()
    await expect(page.get_by_test_id("name")).to_be_visible()


async def serve_hebrew(page: Page) -> None:
    """As who adds a language does: a file of words, and its tag in two places. The words are those of English."""

    async def answer(route: Route) -> None:
        name = route.request.url.rpartition("/static/")[2]
        if name == "words/he.js":
            text = (FOLDER / "words" / "en.js").read_text()
        else:
            text = (FOLDER / name).read_text().replace('["en", "de"]', '["en", "he"]')
            text = text.replace('de: () => import("./words/de.js")', 'he: () => import("./words/he.js")')
        await route.fulfill(body=text, content_type="text/javascript; charset=utf-8")

    await page.route(re.compile(r"/chat/static/(look\.js|words\.js|words/he\.js)$"), answer)


async def box(page: Page, name: str) -> Any:
    found = await page.get_by_test_id(name).first.bounding_box()
    assert found is not None
    return found


@pytest.mark.parametrize(
    "options", [{"viewport": {"width": 1280, "height": 800}}, PHONE], ids=["wide", "phone"]
)
async def test_in_a_language_from_right_to_left_everything_stands_on_the_other_side(
    served: ServedApp, new_page: Pages, options: dict[str, Any]
) -> None:
    await served.open()
    page = await new_page(locale="he-IL", **options)
    await serve_hebrew(page)
    await enter(page, "Ada", path="/chat/")
    await say(page, "From the left", ARABIC)
    assert await page.locator("html").get_attribute("dir") == "rtl"

    latin, arabic = [await ink(page, at) for at in (0, 1)]
    assert latin["left"] - latin["from"] < 4  # by their own direction
    assert arabic["to"] - arabic["right"] < 4
    send, field = await box(page, "send"), await box(page, "composer")
    assert send["x"] < field["x"]
    if options is not PHONE:
        await page.get_by_test_id("toggle-people").click()
        await expect(page.get_by_test_id("person")).to_be_visible()
        rooms, talk, people = [await box(page, name) for name in ("room-list", "log", "people")]
        assert rooms["x"] > talk["x"] > people["x"]
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await new_page.screenshot(page, "conversation")
    assert await problems(page, touch=options is PHONE) == []


async def test_menus_pickers_and_threads_open_beside_their_buttons_from_right_to_left(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(locale="he-IL", viewport={"width": 1280, "height": 800})
    await serve_hebrew(page)
    await enter(page, "Ada", path="/chat/")
    await say(page, "From the left")
    width = await page.evaluate("innerWidth")

    await page.get_by_test_id("me-menu").click()
    await expect(page.get_by_test_id("settings")).to_be_focused()
    menu = await page.get_by_role("menu").bounding_box()
    rooms = await box(page, "room-list")
    assert menu is not None
    assert rooms["x"] - 100 < menu["x"] < menu["x"] + menu["width"] <= width
    await new_page.screenshot(page, "menu")
    await page.keyboard.press("Escape")

    await messages(page).first.hover()
    await page.get_by_test_id("react").click()
    await expect(page.get_by_test_id("emoji-field")).to_be_focused()
    picker, message = await box(page, "reaction-picker"), await box(page, "message")
    assert picker["x"] < message["x"] + 200
    await new_page.screenshot(page, "picker")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_test_id("emoji").nth(1)).to_be_focused()
    await page.get_by_test_id("emoji").first.click()
    await expect(page.get_by_test_id("reactions")).to_be_visible()

    await messages(page).first.hover()
    await page.get_by_test_id("reply").click()
    await expect(page.get_by_test_id("thread-composer")).to_be_focused()
    await page.get_by_test_id("thread-composer").fill(ARABIC)
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("thread-line")).to_be_visible()
    thread, log = await box(page, "thread"), await box(page, "log")
    assert thread["x"] + thread["width"] <= log["x"] + 1
    await new_page.screenshot(page, "thread")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def ink(page: Page, at: int) -> dict[str, float]:
    """Where the letters of a message stand, and where its place begins and ends."""
    found: dict[str, float] = (
        await lines(page)
        .nth(at)
        .evaluate(
            """(node) => {
            const range = document.createRange();
            range.selectNodeContents(node.firstChild);
            const { left, right } = range.getBoundingClientRect();
            const place = node.getBoundingClientRect();
            return { left, right, from: place.left, to: place.right };
        }"""
        )
    )
    return found
