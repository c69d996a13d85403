"""Editing and deleting in the browser, by mouse, by keyboard and by touch."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import enter, go_to, lines, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_last_message_is_edited_by_keyboard_alone(new_page: Pages) -> None:
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada", "edits-by-key")
    await enter(bob, "Bob", "edits-by-key")
    await say(ada, "first", "secnd")
    composer, field = ada.get_by_test_id("composer"), ada.get_by_test_id("edit-field")

    await composer.press("ArrowUp")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("secnd")
    await field.press("Escape")
    await expect(composer).to_be_focused()
    await expect(field).to_have_count(0)

    await composer.press("ArrowUp")
    hint = ada.locator(".rewriting-actions .note")
    await field.fill(" ")
    await expect(hint).to_have_text("Empty. To take a message away, delete it")
    await field.fill("secon")
    await expect(hint).to_have_text("Enter saves, Esc cancels")
    await field.press("ArrowLeft")  # inside of a text the arrows move the cursor, not the focus
    await field.fill("second")
    await field.press("Enter")

    await expect(composer).to_be_focused()
    for page in (ada, bob):
        await expect(messages(page).nth(1).get_by_test_id("message-text")).to_have_text("second (edited)")
        await expect(messages(page).nth(1).locator("time.edited")).to_have_attribute(
            "title", re.compile("^Edited ")
        )
    await messages(bob).nth(1).hover()
    await expect(messages(bob).nth(1).get_by_test_id("reply")).to_be_visible()
    await expect(bob.get_by_test_id("edit")).to_have_count(0)
    await expect(messages(ada).nth(1)).to_have_attribute("data-status", "sent")


async def test_what_is_being_edited_is_kept_while_one_is_elsewhere_and_where_the_message_is_deleted(
    new_page: Pages,
) -> None:
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada", "edits-kept")
    await enter(bob, "Bob", "edits-kept")
    await say(bob, "frst", "scnd")
    field, composer = bob.get_by_test_id("edit-field"), bob.get_by_test_id("composer")
    await composer.press("ArrowUp")
    await field.fill("second, and more")

    await go_to(bob, "general")
    await go_to(bob, "edits-kept")
    await expect(field).to_have_value("second, and more")
    async with bob.expect_event("dialog") as asked:
        await bob.evaluate("void setTimeout(() => location.reload())")
    assert (await asked.value).type == "beforeunload"  # only this page has it
    await (await asked.value).dismiss()

    await field.focus()
    await delete(ada, 1)
    await expect(bob.get_by_test_id("deleted")).to_be_visible()
    await expect(composer).to_have_value("second, and more")
    await expect(composer).to_be_focused()
    await composer.fill("")

    await composer.press("ArrowUp")
    await field.fill("first, and more")
    await go_to(bob, "general")
    await composer.fill("for all")
    await delete(ada, 0)
    await say(ada, "sorry")
    await expect(bob.locator("[data-room='edits-kept']").get_by_test_id("unread")).to_be_visible()
    await go_to(bob, "edits-kept")
    await expect(bob.get_by_test_id("deleted")).to_have_count(2)
    await expect(composer).to_have_value("first, and more")
    await go_to(bob, "general")
    await expect(composer).to_have_value("for all")


async def delete(page: Page, number: int) -> None:
    await messages(page).nth(number).hover()
    await messages(page).nth(number).get_by_test_id("delete").click()
    await page.get_by_test_id("answer-yes").click()
    await expect(messages(page).nth(number).get_by_test_id("deleted")).to_be_visible()


async def test_two_edits_that_were_begun_are_kept_also_in_a_thread_that_is_closed(new_page: Pages) -> None:
    page = await new_page()
    await enter(page, "Ada", "edits-two")
    await say(page, "one", "two")
    field = page.get_by_test_id("edit-field")
    await page.get_by_test_id("composer").press("ArrowUp")
    await field.fill("two, begun")
    await messages(page).first.hover()
    await messages(page).first.get_by_test_id("edit").click()
    await expect(field).to_have_value("one")
    await field.fill("one!")
    await field.press("Enter")
    await expect(lines(page).first).to_have_text("one! (edited)")
    await expect(field).to_have_value("two, begun")  # it was not left
    await field.press("Escape")
    await expect(lines(page)).to_have_text(["one! (edited)", "two"])

    await messages(page).first.hover()
    await messages(page).first.get_by_test_id("reply").click()
    reply = page.get_by_test_id("thread-composer")
    await reply.fill("a reply")
    await reply.press("Enter")
    await expect(page.get_by_test_id("thread-log").get_by_test_id("message")).to_have_attribute(
        "data-status", "sent"
    )
    await reply.press("ArrowUp")
    await field.fill("a reply, begun")
    await page.get_by_role("button", name="Close the thread").click()
    await messages(page).first.get_by_test_id("thread-line").click()
    await expect(field).to_have_value("a reply, begun")


async def test_a_message_is_deleted_after_a_question(new_page: Pages) -> None:
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada", "deletes")
    await enter(bob, "Bob", "deletes")
    await say(ada, "keep this", "not this")
    row = messages(ada).nth(1)

    await row.hover()
    await row.get_by_role("button", name="Delete message").click()
    await expect(ada.get_by_test_id("answer-no")).to_be_focused()
    await ada.keyboard.press("Enter")
    await expect(row).to_be_focused()
    delete = row.get_by_role("button", name="Delete message")
    for _ in range(9):  # past what else can be done, by who made the room
        if not await delete.evaluate("(button) => button === document.activeElement"):
            await ada.keyboard.press("Tab")
    await expect(delete).to_be_focused()
    await ada.keyboard.press("Enter")
    yes = ada.get_by_test_id("answer-yes")
    danger = await yes.evaluate(
        "(yes) => getComputedStyle(Object.assign(yes.parentElement.appendChild(document.createElement('i')), { className: 'problem' })).color"
    )
    await expect(yes).to_have_css("background-color", danger)
    await yes.click()

    for page in (ada, bob):
        await expect(messages(page).nth(1).get_by_test_id("deleted")).to_be_visible()
        await expect(page.get_by_text("not this")).to_have_count(0)
    await expect(row).to_be_focused()
    await expect(row.get_by_role("button")).to_have_count(0)
    await bob.reload()
    await expect(messages(bob).nth(1).get_by_test_id("deleted")).to_be_visible()


async def test_on_a_touch_screen_the_actions_of_a_message_are_found(new_page: Pages) -> None:
    page = await new_page(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    await enter(page, "Ada", "edits-by-touch")
    await say(page, "helo")
    row = messages(page).first

    await row.tap()
    await row.get_by_test_id("message-acts").tap()
    button = page.get_by_test_id("act-sheet").get_by_role("button", name="Edit message")
    box = await button.bounding_box()
    await button.tap()
    await expect(page.get_by_test_id("act-sheet")).to_have_count(0)
    await page.get_by_test_id("edit-field").fill("hello")
    await page.get_by_test_id("edit-save").tap()

    await expect(row.get_by_test_id("message-text")).to_have_text("hello (edited)")
    assert box is not None
    assert min(box["width"], box["height"]) >= 40


async def test_a_long_press_shows_what_can_be_done_with_a_message_in_words(new_page: Pages) -> None:
    page = await new_page(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    await enter(page, "Ada", "edits-by-long-press")
    await say(page, "hello")
    before = await messages(page).bounding_box()
    box = await lines(page).bounding_box()
    assert box is not None
    sheet = page.get_by_test_id("act-sheet")
    touch = await page.context.new_cdp_session(page)

    await touch.send(
        "Input.dispatchTouchEvent",
        {"type": "touchStart", "touchPoints": [{"x": box["x"] + 5, "y": box["y"] + 5}]},
    )
    await expect(sheet).to_be_visible()
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    await expect(sheet.get_by_test_id("react")).to_have_text("Add a reaction")
    await expect(sheet.get_by_role("button").last).to_have_text("Delete message")
    assert await problems(page, touch=True) == []
    await new_page.screenshot(page, "sheet")
    await page.touchscreen.tap(195, 100)  # beside it
    await expect(sheet).to_have_count(0)
    assert await messages(page).bounding_box() == before
    await page.get_by_test_id("message-acts").tap()
    await sheet.get_by_test_id("delete").tap()
    await page.get_by_test_id("answer-yes").tap()
    await expect(page.get_by_test_id("deleted")).to_be_visible()
