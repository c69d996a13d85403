"""Without a network, and with a server that goes away: nothing is lost, nothing is doubled, and it is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.browser.acts import (
    banner_leaves,
    coming_back,
    composer,
    enter,
    entered,
    lines,
    messages,
    say,
    write,
)
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.process import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


HERE = "(seen) => getComputedStyle(document.querySelector('.dot.here'), '::after').visibility === seen"


async def test_without_a_network_messages_are_kept_and_missed_ones_arrive_later(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await say(ada, "before")
    banner = ada.get_by_test_id("banner")
    await expect(banner).to_be_hidden()
    await ada.wait_for_function(HERE, arg="visible")

    await ada.context.set_offline(True)
    await expect(banner).to_contain_text("You are offline. Messages are kept and sent when you are back.")
    await served.cut("Ada")
    await expect(bob.get_by_test_id("person")).to_have_count(1)
    await write(ada, "kept one", "kept two")
    await expect(composer(ada)).to_be_focused()
    await expect(messages(ada).last).to_have_attribute("data-status", "pending")
    await say(bob, "missed by Ada")
    await new_page.screenshot(ada, "offline")
    await ada.wait_for_function(HERE, arg="hidden")
    await expect(lines(ada)).to_have_text(["before", "kept one", "kept two"])
    # A form would wait, and do when it has been closed what nobody wants any more.
    await ada.get_by_test_id("create-room").click()
    await ada.get_by_test_id("room-title").fill("Kitchen")
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_test_id("form-problem")).to_have_text(
        "You are offline. Try again when you are back."
    )
    await expect(ada.get_by_test_id("answer-yes")).to_be_enabled()
    await ada.get_by_test_id("answer-no").click()

    async with coming_back(ada):
        await ada.context.set_offline(False)
    await banner_leaves(ada)
    for page in (ada, bob):
        await expect(lines(page)).to_have_text(["before", "missed by Ada", "kept one", "kept two"])
    await expect(ada.locator("[data-status=pending]")).to_have_count(0)
    await expect(ada.get_by_test_id("gap")).to_have_count(0)


async def test_a_server_that_is_reached_without_a_network_is_used_as_ever(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    # As on a machine without a network, for a server on it.
    await page.add_init_script("Object.defineProperty(navigator, 'onLine', { value: false })")
    await enter(page, "Ada")
    await say(page, "hello")
    async with coming_back(page):
        await served.cut("Ada")
    await banner_leaves(page)
    await say(page, "and again")

    await page.get_by_test_id("create-room").click()
    await page.get_by_test_id("room-title").fill("Kitchen")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("room-name")).to_have_text("Kitchen")
    await expect(page.get_by_test_id("banner")).to_be_hidden()


async def test_a_stopped_server_is_named_though_the_first_attempt_fails_at_once(
    served: ServedApp, new_page: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.sessions.drain.COME_BACK_WITHIN", 0.0)
    await served.open()
    page = await new_page()
    await enter(page, "Ada")

    await served.stop()

    await expect(page.get_by_test_id("banner")).to_contain_text(
        "The server is restarting. Messages are kept."
    )


async def test_a_stopped_server_is_named_and_its_lost_memory_too(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await served.say("general", *(f"old {number}" for number in range(60)))
    await expect(lines(page).last).to_have_text("old 59")
    banner = page.get_by_test_id("banner")

    await served.stop()
    await expect(banner).to_contain_text("The server is restarting. Messages are kept.")
    await expect(banner).to_contain_text("Trying again in")
    await write(page, "kept over the restart")
    async with coming_back(page):
        await served.open()
        await served.say("general", *(f"new {number}" for number in range(60)))

    await banner_leaves(page)
    gap = page.get_by_test_id("gap")
    await expect(gap).to_contain_text("Some messages could not be recovered.")
    await expect(lines(page).last).to_have_text("kept over the restart")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    await expect(lines(page).filter(has_text="kept over the restart")).to_have_count(1)
    await expect(lines(page).filter(has_text="old")).to_have_count(0)
    again = gap.get_by_role("button", name="Reload history")
    await again.focus()
    await served.say("general", "one more")
    await expect(lines(page).last).to_have_text("one more")
    await expect(again).to_be_focused()
    await again.press("Enter")
    await expect(gap).to_have_count(0)
    await expect(composer(page)).to_be_focused()
    await expect(lines(page).last).to_have_text("one more")


async def test_a_killed_server_comes_back_and_the_message_is_there_once(
    start_example: Callable[..., ServerProcess], new_page: Pages
) -> None:
    server = start_example()
    page = await new_page(base_url=server.url)
    await enter(page, "Ada")
    await say(page, "before")

    server.kill()
    banner = page.get_by_test_id("banner")
    await expect(banner).to_contain_text("The connection was lost. Messages are kept.")
    await write(page, "while it is dead")
    await expect(messages(page).last).to_have_attribute("data-status", "pending")
    async with coming_back(page):
        start_example(server.port)

    await banner_leaves(page)
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    await expect(lines(page)).to_have_text(["before", "while it is dead"])
    await expect(page.get_by_test_id("me")).to_contain_text("Ada")
    await page.reload()
    await expect(lines(page)).to_have_text(["before", "while it is dead"])


async def test_a_user_who_is_disconnected_for_good_is_told_why(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")

    await served.chat.disconnect(served.user("Ada"), reason="See you tomorrow")
    ended = page.get_by_test_id("ended")
    await expect(ended).to_contain_text("See you tomorrow")
    await expect(ended.get_by_role("button", name="Connect again")).to_be_focused()
    await page.keyboard.press("Enter")
    await entered(page)


async def test_an_edit_goes_back_to_its_author_where_the_message_was_deleted_meanwhile(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "frst")
    said = await messages(page).first.get_attribute("data-msg-id")
    await page.context.set_offline(True)
    await served.cut("Ada")
    await composer(page).press("ArrowUp")
    await page.get_by_test_id("edit-field").fill("first, and more")
    await page.keyboard.press("Enter")
    await expect(messages(page).first).to_have_attribute("data-status", "pending")

    assert said
    await served.chat.delete("general", said)
    await page.context.set_offline(False)

    await expect(page.get_by_test_id("deleted")).to_be_visible()
    await expect(composer(page)).to_have_value("first, and more")
