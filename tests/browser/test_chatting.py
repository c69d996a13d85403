"""Coming in and talking to each other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect
from sanic import HTTPResponse, Request, Sanic, text

from sanic_chatrooms import Context
from sanic_chatrooms.hooks.middleware import Handler
from tests.browser.acts import composer, enter, entered, lines, messages, say, write
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.fixtures import Live

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_people_chat_and_see_each_other_type(served: ServedApp, new_page: Pages) -> None:
    stored = asyncio.Event()

    @served.chat.middleware("message")
    async def slow(ctx: Context, call_next: Handler) -> Any:
        await stored.wait()
        return await call_next(ctx)

    await served.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await expect(ada.get_by_test_id("empty-room")).to_contain_text("Write the first message")

    await write(ada, "Hello Bob")
    await expect(composer(ada)).to_have_value("")
    await expect(messages(ada)).to_have_attribute("data-status", "pending")
    await expect(lines(ada)).to_have_text(["Hello Bob"])
    await expect(messages(bob)).to_have_count(0)

    stored.set()
    await expect(messages(ada)).to_have_attribute("data-status", "sent")
    await expect(lines(bob)).to_have_text(["Hello Bob"])
    await composer(bob).press_sequentially("Hi")
    await expect(ada.get_by_test_id("typing")).to_have_text("Bob is typing…")
    await composer(bob).press("Enter")
    await expect(ada.get_by_test_id("typing")).to_have_text("")
    await say(ada, "How are you?", "Any news?")

    for page in (ada, bob):
        await expect(lines(page)).to_have_text(["Hello Bob", "Hi", "How are you?", "Any news?"])
        # Name and time stand once over what somebody says within five minutes.
        await expect(page.get_by_test_id("author")).to_have_text(["Ada", "Bob", "Ada"])
        await expect(page.get_by_test_id("day")).to_have_text(["Today"])


async def test_a_name_is_enough_to_chat_and_a_reload_keeps_it(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await page.goto("/")
    field, problem = page.get_by_test_id("name"), page.get_by_test_id("form-problem")

    await expect(field).to_be_focused()
    await field.press("Enter")
    await expect(page.get_by_test_id("app")).to_have_count(0)
    await field.fill("\u200b\u200b")
    await field.press("Enter")
    await expect(problem).to_have_text("Your name is empty: give at least one visible character.")
    await expect(field).to_be_focused()
    await field.fill("  Ada   Lovelace ")
    await page.get_by_test_id("enter").click()

    await expect(page.get_by_test_id("me")).to_contain_text("Ada Lovelace")
    await expect(page).to_have_title("General · Example chat")
    await say(page, "It is me")
    user = served.user("Ada Lovelace")
    await page.reload()
    await expect(page.get_by_test_id("me")).to_contain_text("Ada Lovelace")
    await expect(lines(page)).to_have_text(["It is me"])
    assert served.user("Ada Lovelace").id == user.id

    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("rename").click()
    await page.get_by_test_id("new-name").fill("Countess")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("me")).to_contain_text("Countess")
    await expect(page.get_by_test_id("me-menu")).to_be_focused()
    await page.reload()
    await expect(page.get_by_test_id("me")).to_contain_text("Countess")

    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("sign-out").click()
    await page.get_by_test_id("answer-yes").click()
    await expect(page.get_by_test_id("sign-in")).to_be_visible()


async def test_a_user_sees_who_is_here_and_writes_a_direct_message(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("random")
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada", "random")
    people = ada.get_by_test_id("person")
    await expect(people).to_have_count(1)
    await expect(people).to_contain_text("you")

    await enter(bob, "Bob")
    await expect(people).to_have_count(1)
    await bob.goto("/#/random")
    await expect(people).to_have_count(2)
    await expect(ada.get_by_test_id("toggle-people")).to_have_accessible_name("People: 2 here")

    await people.filter(has_text="Bob").click()
    await expect(ada.get_by_test_id("room-name")).to_have_text("Bob")
    await expect(ada.get_by_test_id("empty-room")).to_contain_text("between you and Bob")
    await say(ada, "A word in your ear")

    direct = bob.get_by_test_id("room").filter(has_text="Ada")
    await expect(direct.get_by_test_id("unread")).to_have_text("1 unread")
    await expect(bob).to_have_title("(1) Random · Example chat")
    await direct.click()
    await expect(lines(bob)).to_have_text(["A word in your ear"])
    await expect(bob.get_by_test_id("unread")).to_have_count(0)
    await say(bob, "I hear you")
    await expect(lines(ada)).to_have_text(["A word in your ear", "I hear you"])

    await ada.goto("/#/random")
    await expect(lines(ada)).to_have_count(0)
    await bob.close()
    await expect(people).to_have_count(1)


async def test_the_keyboard_is_enough(served: ServedApp, new_page: Pages) -> None:
    await served.open("random")
    page = await new_page()
    keys = page.keyboard
    await page.goto("/")
    await expect(page.get_by_test_id("name")).to_be_focused()
    await keys.type("Ada")
    await keys.press("Enter")

    await expect(composer(page)).to_be_focused()
    await keys.type("One")
    await keys.press("Shift+Enter")
    await keys.type("Two")
    await keys.press("Enter")
    await expect(lines(page)).to_have_text(["One\nTwo"], use_inner_text=True)
    await expect(composer(page)).to_be_focused()

    await keys.press("Shift+Tab")
    await expect(page.get_by_test_id("log")).to_be_focused()
    await keys.press("ArrowUp")
    await expect(messages(page)).to_be_focused()
    await keys.press("Escape")
    await expect(composer(page)).to_be_focused()

    await keys.press("Control+k")
    await keys.type("rand")
    await keys.press("Enter")
    await expect(page.get_by_test_id("room-name")).to_have_text("Random")
    await expect(composer(page)).to_be_focused()

    # Round the page once: every stop shows that it is one.
    stops: list[str] = []
    while "composer" not in stops:
        await keys.press("Tab")
        assert len(stops) < 30, stops
        stops.append(
            await page.evaluate(
                """() => {
                    const here = document.activeElement;
                    if (here === document.body) return "browser";
                    const seen = getComputedStyle(here).outlineStyle !== "none" ||
                        getComputedStyle(here.parentElement).boxShadow !== "none";
                    return seen ? here.dataset.testid ?? here.className : `unseen ${here.outerHTML}`;
                }"""
            )
        )
    assert not [stop for stop in stops if stop.startswith("unseen")]
    assert {"open-switcher", "bell", "room", "create-room", "me-menu", "toggle-people", "log"} <= set(stops)


async def test_a_disconnected_user_reads_the_reason(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")

    await served.chat.disconnect(served.user("Ada"))
    await expect(page.get_by_test_id("ended")).to_contain_text("You were disconnected from this chat.")
    await page.get_by_role("button", name="Connect again").click()
    await entered(page)
    await served.chat.disconnect(served.user("Ada"), reason="the shop closes now")
    await expect(page.get_by_test_id("ended")).to_contain_text("The shop closes now")


async def test_without_guests_the_ready_page_leads_to_the_apps_own_login(
    app: Sanic[Any, Any], live: Live, new_page: Pages
) -> None:
    served = ServedApp(
        app, live, guests=False, page=True, jwt_secret="k" * 32, sign_in_url="/login?next=/chat/"
    )

    @app.get("/login")
    async def sign_in(request: Request) -> HTTPResponse:
        return text(f"Then on to {request.args.get('next')}")

    await served.open()
    page = await new_page(base_url=served.url)
    await page.goto("/chat/")
    await expect(page.get_by_test_id("ended")).to_contain_text("You are not signed in. Sign in first.")
    await expect(page.get_by_test_id("name")).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page.locator("body")).to_have_text("Then on to /chat/")
