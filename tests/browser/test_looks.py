"""How it looks: wide and on a phone, light and dark, enlarged; with screenshots for people to judge."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from playwright.async_api import Page, expect

from sanic_chatrooms import Context, Forbidden
from sanic_chatrooms.hooks.middleware import Handler
from tests.browser.acts import coming_back, composer, enter, entered, lines, messages, say, write
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.thorough import unless_thorough

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}


class Viewer:
    """Somebody who looks closely at every state."""

    def __init__(self, pages: Pages, page: Page, label: str, *, touch: bool) -> None:
        self.pages, self.page, self.label, self.touch = pages, page, label, touch
        self.found: list[str] = []

    async def look(self, state: str) -> None:
        self.found += [f"{state}: {one}" for one in await problems(self.page, touch=self.touch)]
        await self.pages.screenshot(self.page, f"{self.label}-{state}")


async def lively(served: ServedApp) -> None:
    """A room in which something was said, and an app that refuses what shouts."""

    @served.chat.middleware("message")
    async def calm(ctx: Context, call_next: Handler) -> Any:
        if ctx.payload.get("text") == "SHOUT":
            raise Forbidden("no shouting")
        return await call_next(ctx)

    await served.open("random")
    await served.say("general", "See https://example.org for `code`", "```\na block\n```")
    await served.chat.create_room("secret", title="Secret", visibility="private")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_desktop_is_readable_in_every_state(
    served: ServedApp, new_page: Pages, scheme: Literal["light", "dark"]
) -> None:
    await lively(served)
    page = await new_page(**DESKTOP, color_scheme=scheme)
    viewer = Viewer(new_page, page, scheme, touch=False)
    await page.goto("/")
    await expect(page.get_by_test_id("name")).to_be_focused()
    await viewer.look("sign-in")

    await enter(page, "Ada")
    await served.chat.add_member("secret", served.user("Ada"))
    await say(page, "Hello")
    await write(page, "SHOUT")
    await expect(page.get_by_test_id("failed")).to_be_visible()
    await messages(page).nth(2).hover()
    await viewer.look("conversation")

    await page.get_by_test_id("create-room").click()
    await viewer.look("create")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await viewer.look("switcher")
    await page.keyboard.press("Escape")
    await served.chat.broadcast(
        "notice", {"title": "Lunch", "content": "A line that is long enough to be broken"}
    )
    await expect(page.get_by_test_id("toast")).to_be_visible()
    await page.get_by_test_id("bell").click()
    await viewer.look("notices")
    await page.keyboard.press("Escape")
    await served.chat.broadcast("redirect", {"url": "https://example.org/"})
    await expect(page.get_by_test_id("redirect-dialog")).to_be_visible()
    await viewer.look("redirect")
    await page.keyboard.press("Escape")
    await page.context.set_offline(True)
    await expect(page.get_by_test_id("banner")).to_be_visible()
    await viewer.look("offline")
    async with coming_back(page):
        await page.context.set_offline(False)
    await viewer.look("back")
    await page.goto("/#/secret")
    await expect(page.get_by_test_id("empty-room")).to_be_visible()
    await served.chat.kick("secret", served.user("Ada"))
    await expect(page.get_by_test_id("removed")).to_be_visible()
    await viewer.look("removed")
    assert viewer.found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_shows_one_pane_and_the_way_back(
    served: ServedApp, new_page: Pages, scheme: Literal["light", "dark"]
) -> None:
    await lively(served)
    page, bob = await new_page(**PHONE, color_scheme=scheme), await new_page()
    viewer = Viewer(new_page, page, scheme, touch=True)
    await enter(page, "Ada")
    await enter(bob, "Bob")
    rooms, talk = page.get_by_test_id("room-list"), page.get_by_test_id("log")
    people = page.get_by_test_id("people")
    await expect(talk).to_be_visible()
    await expect(rooms).to_be_hidden()
    await expect(page.get_by_test_id("person")).to_have_count(2)
    await say(page, "From my phone")
    await write(page, "SHOUT")
    await expect(page.get_by_test_id("failed")).to_be_visible()
    await viewer.look("conversation")

    await page.get_by_test_id("toggle-people").tap()
    await expect(people).to_be_visible()
    await expect(talk).to_be_hidden()
    await viewer.look("people")
    await page.get_by_role("button", name="Back to the conversation").tap()
    await expect(talk).to_be_visible()
    await page.get_by_test_id("back").tap()
    await expect(rooms).to_be_visible()
    await expect(talk).to_be_hidden()
    await expect(page.locator("[data-room=general]")).to_be_focused()
    await say(bob, "While Ada looks elsewhere")
    await expect(page.get_by_test_id("unread")).to_have_text("1 unread")
    await viewer.look("rooms")

    await served.chat.broadcast(
        "notice", {"title": "Lunch", "content": "A line that is long enough to be broken"}
    )
    await page.get_by_test_id("toast").get_by_role("button").tap()
    await page.get_by_test_id("bell").tap()
    await viewer.look("notices")
    await page.get_by_test_id("bell").tap()
    await page.get_by_test_id("create-room").tap()
    await viewer.look("create")
    await page.keyboard.press("Escape")
    await page.locator("[data-room=general]").tap()
    await expect(lines(page).filter(has_text="While Ada looks elsewhere")).to_be_in_viewport()
    await page.go_back()
    await expect(rooms).to_be_visible()
    assert viewer.found == []


@pytest.mark.parametrize(("width", "height"), [(640, 400), (320, 568)])
async def test_at_double_zoom_everything_is_still_in_reach(
    served: ServedApp, new_page: Pages, width: int, height: int
) -> None:
    await lively(served)
    page = await new_page(viewport={"width": width, "height": height}, device_scale_factor=2)
    viewer = Viewer(new_page, page, f"zoom-{width}", touch=False)
    await enter(page, "Ada")
    await say(page, "Hello " + "o" * 200)
    await composer(page).fill("\n" * 10)

    await expect(lines(page).last).to_be_in_viewport()
    # Not the field itself: where a text is tall, no half line of it is painted.
    await expect(page.locator(".composer-box:has([data-testid=composer])")).to_be_in_viewport(ratio=1)
    await expect(page.get_by_test_id("send")).to_be_in_viewport(ratio=1)
    await viewer.look("conversation")
    await page.get_by_test_id("back").click()
    await page.get_by_test_id("create-room").click()
    await viewer.look("create")
    assert viewer.found == []


async def test_the_list_of_people_closes_when_the_window_becomes_narrow(
    served: ServedApp, new_page: Pages
) -> None:
    await lively(served)
    page = await new_page(**DESKTOP)
    await enter(page, "Ada")
    people, toggle = page.get_by_test_id("people"), page.get_by_test_id("toggle-people")
    await expect(people).to_be_visible()
    await expect(toggle).to_have_attribute("aria-expanded", "true")

    await page.set_viewport_size({"width": 800, "height": 700})
    await expect(people).to_be_hidden()
    await expect(toggle).to_have_attribute("aria-expanded", "false")
    await toggle.click()
    await expect(people).to_be_visible()
    await expect(page.get_by_role("button", name="Back to the conversation")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(people).to_be_hidden()
    await expect(toggle).to_be_focused()
    await page.set_viewport_size({"width": 1280, "height": 800})
    await expect(people).to_be_visible()

    # A thread that was opened while there was no room for them gives their place back.
    await page.set_viewport_size({"width": 800, "height": 700})
    await expect(people).to_be_hidden()
    await messages(page).last.hover()
    await messages(page).last.get_by_test_id("reply").click()
    await expect(page.get_by_test_id("thread").get_by_role("textbox")).to_be_focused()
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.keyboard.press("Escape")
    await expect(people).to_be_visible()

    # Whoever hides them where there is room does not want them on the next day either.
    await toggle.click()
    await page.reload()
    await entered(page)
    await expect(people).to_be_hidden()
    await toggle.click()
    await expect(people).to_be_visible()


async def test_screen_readers_hear_messages_of_others_and_not_ones_own(
    served: ServedApp, new_page: Pages
) -> None:
    await lively(served)
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    announcer = ada.get_by_test_id("announcer")

    await say(ada, "Mine")
    await say(bob, "Hello Ada")
    await expect(ada.get_by_role("log", name="Messages in General")).to_contain_text("Hello Ada")
    await expect(announcer).to_have_text("Bob: Hello Ada")
    await expect(announcer).to_have_attribute("aria-live", "polite")
    await expect(ada.get_by_role("log")).to_have_attribute("aria-live", "off")
    for landmark, name in (("navigation", "Rooms"), ("complementary", "People in this room")):
        await expect(ada.get_by_role(landmark, name=name)).to_be_visible()  # type: ignore[arg-type]
    await expect(ada.get_by_role("button", name="Bob , online")).to_be_visible()


async def test_related_elements_are_together_and_nothing_is_covered(
    served: ServedApp, new_page: Pages
) -> None:
    await lively(served)
    ada, other = await new_page(**DESKTOP), await new_page()
    await enter(ada, "Ada")
    await enter(other, "\N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET}\N{HEBREW LETTER GIMEL}")
    await say(other, "\N{HEBREW LETTER SHIN}\N{HEBREW LETTER LAMED}")
    person = ada.get_by_test_id("person").last
    await expect(ada.get_by_test_id("person")).to_have_count(2)

    for name in (person.locator("bdi"), ada.get_by_test_id("author").last.locator("bdi")):
        row = name.locator("xpath=ancestor::*[contains(@class, 'line') or contains(@class, 'msg ')][1]")
        avatar, written = await row.locator(".avatar").bounding_box(), await name.bounding_box()
        assert avatar is not None
        assert written is not None
        assert 0 <= written["x"] - (avatar["x"] + avatar["width"]) < 20

    await served.chat.broadcast("notice", {"title": "Lunch", "content": "Soup"})
    toast = await ada.get_by_test_id("toast").bounding_box()
    people = await ada.get_by_test_id("people").bounding_box()
    assert toast is not None
    assert people is not None
    assert toast["x"] + toast["width"] <= people["x"]
    await new_page.screenshot(ada, "together")


async def test_the_switcher_marks_the_choice_and_says_when_nothing_is_found(
    served: ServedApp, new_page: Pages
) -> None:
    await lively(served)
    page = await new_page(**DESKTOP)
    await enter(page, "Ada")
    await page.keyboard.press("Control+k")
    options = page.get_by_test_id("switcher-option")

    await options.nth(1).hover()
    await expect(options).to_have_count(2)
    await page.wait_for_function(
        """() => {
            const rows = [...document.querySelectorAll("[data-testid=switcher-option]")];
            return new Set(rows.map((row) => getComputedStyle(row).backgroundColor)).size === rows.length;
        }"""
    )
    await page.get_by_test_id("switcher-field").fill("no such room")
    await expect(options).to_have_count(0)
    await expect(page.get_by_test_id("switcher-nothing")).to_have_text(
        "No room and no person here is called that."
    )
    await expect(page.get_by_role("listbox")).to_be_hidden()
    await new_page.screenshot(page, "nothing-found")


@pytest.mark.whole_browser
@pytest.mark.parametrize("size", unless_thorough(["desktop"], ["phone", "desktop"]))
async def test_what_is_about_members_and_moderation_is_readable(
    served: ServedApp, new_page: Pages, size: str
) -> None:
    """On a phone, test_states.py looks at the same states in each run: those of "rooms"."""
    options = {**PHONE, "color_scheme": "dark"} if size == "phone" else {**DESKTOP, "color_scheme": "light"}
    await served.open()
    page, bob = await new_page(**options), await new_page()
    viewer = Viewer(new_page, page, options["color_scheme"], touch="has_touch" in options)
    await enter(bob, "Bob")
    await enter(page, "Ada")
    ada, guest = served.user("Ada"), served.user("Bob")
    await served.chat.create_room("secret", title="Secret", visibility="private")
    await served.chat.add_member("secret", ada, "moderator")
    await served.chat.add_member("secret", guest)
    await served.chat.create_room(
        "other", title="A room with a title that is longer than its place", visibility="private"
    )
    await served.chat.invite("other", ada)
    await page.goto("/#/")
    await expect(page.get_by_test_id("invitation")).to_be_visible()
    await viewer.look("invitation")

    await page.goto("/#/secret/people" if viewer.touch else "/#/secret")
    await page.get_by_role("button", name="Moderate Bob").click()
    await viewer.look("moderate")
    await page.get_by_test_id("member.ban").click()
    await expect(page.get_by_test_id("act-dialog")).to_be_visible()
    await viewer.look("ban")
    await page.keyboard.press("Escape")
    await page.get_by_test_id("invite").click()
    await expect(page.get_by_test_id("invite-dialog")).to_be_visible()
    await viewer.look("invite")
    await page.keyboard.press("Escape")
    await page.goto("/#/secret")
    await page.get_by_test_id("room-menu").click()
    await page.get_by_test_id("room-notifications").click()
    await expect(page.get_by_test_id("prefs-dialog")).to_be_visible()
    await viewer.look("notifications")
    await page.keyboard.press("Escape")
    await page.goto("/#/" if viewer.touch else "/#/general")
    await served.chat.publish("secret", "message", {"text": "for you", "mentions": [ada.id]}, sender=guest)
    await expect(page.get_by_test_id("mention-count")).to_be_visible()
    await expect(page.get_by_test_id("question")).to_be_visible()
    await viewer.look("mentioned")
    await page.get_by_test_id("offer-off").click()
    await page.mouse.move(0, 0)  # a notice under the pointer would stay, over what is pressed next
    await page.goto("/#/secret/people" if viewer.touch else "/#/secret")
    await page.get_by_role("button", name="Moderate Bob").click()
    await page.get_by_test_id("block").click()
    await page.goto("/#/secret")
    await expect(page.get_by_test_id("folded")).to_be_visible()
    await viewer.look("folded")
    await served.chat.mute("secret", ada, reason="A reason that is long enough to be broken into lines")
    await expect(page.get_by_test_id("shut")).to_be_visible()
    await viewer.look("muted")
    assert viewer.found == []
