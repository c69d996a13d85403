"""One message: what becomes of it, and how it looks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from sanic_chatrooms import Context, Forbidden, User
from sanic_chatrooms.hooks.middleware import Handler
from tests.browser.acts import composer, enter, lines, messages, say, write
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_refused_message_stays_to_be_edited_or_discarded(served: ServedApp, new_page: Pages) -> None:
    refused = True

    @served.chat.middleware("message")
    async def slowly(ctx: Context, call_next: Handler) -> Any:
        if refused:
            raise Forbidden("not today")
        return await call_next(ctx)

    await served.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")

    await write(ada, "too fast", "much too fast")
    failed = ada.get_by_test_id("failed")
    await expect(failed).to_have_count(2)
    await expect(failed.first).to_contain_text("Not sent: not today")
    await expect(composer(ada)).to_be_focused()
    await new_page.screenshot(ada, "failed")
    await failed.last.get_by_role("button", name="Discard").click()
    await expect(lines(ada)).to_have_text(["too fast"])
    await expect(composer(ada)).to_be_focused()

    refused = False
    await failed.get_by_role("button", name="Edit").click()
    await expect(composer(ada)).to_have_value("too fast")
    await composer(ada).press("Enter")
    await expect(messages(ada)).to_have_attribute("data-status", "sent")
    await expect(failed).to_have_count(0)
    await expect(lines(bob)).to_have_text(["too fast"])
    assert await ada.evaluate("document.activeElement !== document.body")


async def test_a_text_that_is_too_long_cannot_be_sent(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    most = 16_000

    await composer(page).fill("x" * (most - 100))
    await expect(page.get_by_text("100 left")).to_be_visible()
    await composer(page).fill("\N{GRINNING FACE}" * (most + 1))
    await expect(page.get_by_text("1 character too many")).to_be_visible()
    await expect(page.get_by_test_id("send")).to_be_disabled()
    await composer(page).press("Enter")
    await expect(messages(page)).to_have_count(0)
    await composer(page).fill("\N{GRINNING FACE}" * most)
    await composer(page).press("Enter")
    await expect(messages(page)).to_have_attribute("data-status", "sent")


async def test_text_is_text_and_long_words_break(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page(viewport={"width": 390, "height": 844})
    await enter(page, "<b>Ada</b>" + "a" * 50)
    markup = "<img src=x onerror=alert(1)><script>alert(2)</script>"

    await say(page, markup, "w" * 300, "one\n\n  two")
    await write(page, "See https://example.org/a_(b). Not javascript:alert(1), `let x < 1` but")
    await write(page, "```js\nconst long = '" + "y" * 200 + "';\n```")

    await expect(page.locator("[data-status=sent]")).to_have_count(5)
    await expect(lines(page).nth(0)).to_have_text(markup)
    await expect(lines(page).locator("img, script, b")).to_have_count(0)
    await expect(lines(page).nth(2)).to_have_text("one\n\n  two", use_inner_text=True)
    link = lines(page).locator("a")
    await expect(link).to_have_attribute("href", "https://example.org/a_(b)")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(lines(page).nth(3).locator("code")).to_have_text("let x < 1")
    await expect(lines(page).locator("pre code")).to_contain_text("const long")
    assert await is_as_wide_as_the_screen(page)
    await new_page.screenshot(page, "long")


async def test_one_bad_message_never_hides_another(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    sockets: list[WebSocketRoute] = []

    def between(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    await page.route_web_socket("**/ws", between)
    worst = [
        "http://a" + ")" * 15_900,
        "`" * 15_999,
        "e" + "\u0301" * 15_998,
        "```a```" * 2_285,
        "http://a " * 1_777,
    ]
    await served.say("general", "before", *worst)
    for text in ({"toString": 1}, None, 7, ["a"], {"a": {"b": "c"}}):
        await served.chat.publish("general", "message", {"text": text})
    await served.say("general", "between")
    await enter(page, "Ada")
    await expect(lines(page).last).to_have_text("between")
    await page.get_by_test_id("log").evaluate("(log) => log.scrollTo(0, 0)")  # the oldest are drawn then
    await expect(lines(page)).to_have_count(12)
    # What no server of ours sends: a time that is none, and one that makes drawing the row fail.
    for number, odd in enumerate(({"timestamp": 1e300}, {"edited": 1e300}, {}), start=13):
        event = {
            "type": "message",
            "room": "general",
            "seq": number,
            "msgId": f"odd-{number}",
            "timestamp": 1.8e9,
        }
        sockets[-1].send(json.dumps({**event, "payload": {"text": f"odd {number}"}, **odd}))
    await expect(lines(page)).to_have_count(15)

    shown = await lines(page).all_text_contents()
    assert [shown[0], shown[11], *shown[12:]] == ["before", "between", "odd 13", "odd 14", "odd 15"]
    assert shown[6:11] == ['{"toString":1}', "", "7", '["a"]', '{"a":{"b":"c"}}']
    assert shown[1] == worst[0]
    assert await page.get_by_test_id("log").evaluate("(log) => log.querySelectorAll('*').length") < 1_200
    await expect(messages(page).nth(13)).to_contain_text("This cannot be shown as it was meant.")
    await new_page.until_written("error: ")
    await new_page.screenshot(page, "worst")


async def is_as_wide_as_the_screen(page: Page) -> bool:
    return bool(
        await page.evaluate(
            "[document.scrollingElement, document.querySelector('[data-testid=log]')].every((one) => one.scrollWidth <= one.clientWidth)"
        )
    )


async def test_the_actions_of_a_message_are_drawn_when_somebody_comes_to_it_and_stay_while_it_changes(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    told = [await served.chat.publish("general", "message", {"text": text}) for text in ("one", "two")]
    page = await new_page(viewport={"width": 1280, "height": 800})
    await enter(page, "Ada")
    tools = page.locator(".msg-tools")
    await expect(tools).to_have_count(0)

    await messages(page).first.hover()
    await expect(messages(page).first.locator(".msg-tools")).to_be_visible()
    await served.chat.react("general", told[0].msg_id, "👍", sender=User("bot", "Bot"))
    await expect(messages(page).first.get_by_test_id("reactions")).to_be_visible()
    await expect(messages(page).first.locator(".msg-tools")).to_be_visible()
    await expect(tools).to_have_count(1)

    await lines(page).first.click()  # which leaves the focus there
    await expect(messages(page).first).to_be_focused()
    await messages(page).last.hover()
    await expect(messages(page).first.locator(".msg-tools")).to_have_css("opacity", "0")
    await expect(messages(page).last.locator(".msg-tools")).to_have_css("opacity", "1")

    await messages(page).last.focus()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    focused = messages(page).last.get_by_test_id("reply")
    await expect(focused).to_be_focused()
    await served.chat.react("general", told[1].msg_id, "👍", sender=User("bot", "Bot"))
    await expect(messages(page).last.get_by_test_id("reactions")).to_be_visible()
    await expect(focused).to_be_focused()


async def test_the_actions_of_a_message_are_in_sight_and_those_of_one_whose_beginning_is_not(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say(
        "general",
        "\n".join(f"line {number}" for number in range(12)),
        *(f"{number}\n" * 5 + "end" for number in range(40)),
    )
    page = await new_page(viewport={"width": 1280, "height": 800})
    await enter(page, "Ada")
    await expect(messages(page)).to_have_count(41)

    await page.evaluate(
        """() => {
            const log = document.querySelector("[data-testid=log]");
            const row = log.querySelector("[data-testid=message]");
            row.focus({ preventScroll: true });
            log.scrollTop += row.getBoundingClientRect().top - log.getBoundingClientRect().top + 100;
        }"""
    )
    await page.wait_for_function(
        """() => {
            const log = document.querySelector("[data-testid=log]");
            const row = log.querySelector("[data-testid=message]");
            const [frame, box, tools] = [log, row, row.querySelector(".msg-tools")].map((one) => one?.getBoundingClientRect());
            return tools && box.top < frame.top && frame.top <= tools.top && tools.bottom <= box.bottom;
        }"""
    )
    await new_page.screenshot(page, "tools-at-the-edge")

    # Above a row, they are in front of the row before it, which may be in another group.
    hidden = """() => {
        const rows = [...document.querySelectorAll("[data-testid=message]")].slice(1);
        const isBehind = (row) => {
            row.focus({ preventScroll: true });
            row.scrollIntoView({ block: "center" });
            const { top, bottom, left } = row.querySelector(".msg-tools").getBoundingClientRect();
            return [top + 2, bottom - 2].some((y) => !document.elementFromPoint(left + 9, y).closest(".msg-tools"));
        };
        return [document.querySelectorAll(".row-group").length > 2, rows.filter(isBehind).map((row) => row.textContent)];
    }"""
    assert await page.evaluate(hidden) == [True, []]


async def test_the_actions_of_a_message_move_nothing(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "Hello", "a second line")
    before = [await one.bounding_box() for one in await lines(page).all()]

    for row in await messages(page).all():
        await row.hover()
        await expect(row.get_by_test_id("react")).to_be_visible()
        assert [await one.bounding_box() for one in await lines(page).all()] == before
