"""What an app pushes: notice, update, redirect."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.browser.acts import composer, enter
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def push(page: Page, label: str) -> None:
    await page.get_by_role("button", name="Try app pushes").click()
    await page.get_by_role("menuitem", name=label).click()


async def test_the_menu_of_the_example_shows_all_three(new_page: Pages) -> None:
    page = await new_page()
    await page.route("https://sanic.dev/", lambda route: route.fulfill(body="elsewhere"))
    await enter(page, "Ada")

    await push(page, "Try a push: a notice")
    await expect(page.get_by_test_id("toast")).to_contain_text("Lunch is here")
    await push(page, "Try a push: another topic above")  # over the notice, which is there still
    await expect(page.get_by_test_id("toast")).to_be_visible()
    await expect(page.get_by_test_id("topic")).to_have_text("Release day: be kind to the tests")

    await push(page, "Try a push: to another site")
    dialog = page.get_by_test_id("redirect-dialog")
    await expect(dialog).to_contain_text("https://sanic.dev/")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await push(page, "Try a push: to another site")
    await dialog.get_by_role("button", name="Go to sanic.dev").click()
    await expect(page).to_have_url("https://sanic.dev/")


async def test_a_notice_stays_until_it_is_read_and_the_list_of_notices_keeps_it(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("random")
    page = await new_page()
    await page.clock.install()
    await enter(page, "Ada")
    toast, bell = page.get_by_test_id("toast"), page.get_by_test_id("bell")

    await served.chat.broadcast("notice", {"title": "Lunch", "content": "<i>Soup</i>"})
    await expect(toast).to_contain_text("<i>Soup</i>")
    await expect(page.get_by_role("status", name="Notices")).to_contain_text("Lunch")
    await toast.hover()
    await page.clock.run_for(20_000)
    await expect(toast).to_be_visible()
    await composer(page).hover()
    await page.clock.run_for(8_000)
    await expect(toast).to_have_count(0)

    await served.chat.notify(served.user("Ada"), "notice", {"title": "Coffee"})
    await expect(bell).to_have_accessible_name("Notices, 2 unread")
    await bell.click()
    await expect(page.get_by_test_id("notice-list").get_by_role("heading")).to_have_text(["Coffee", "Lunch"])
    await expect(bell).to_have_accessible_name("Notices")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("notice-list")).to_have_count(0)
    await expect(bell).to_be_focused()


async def test_a_redirect_within_the_site_is_followed_and_to_a_script_never(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("random")
    page = await new_page()
    sockets: list[WebSocketRoute] = []

    def between(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    await page.route_web_socket("**/ws", between)
    await enter(page, "Ada")

    for url in ("javascript:document.title='owned'", "data:text/html,owned", "", None):
        sockets[-1].send(json.dumps({"type": "redirect", "payload": {"url": url}}))
    sockets[-1].send(json.dumps({"type": "update", "payload": {"field": "topic", "value": "<b>after</b>"}}))
    await expect(page.get_by_test_id("topic")).to_have_text("<b>after</b>")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page).to_have_title("General · Example chat")

    await served.chat.notify(served.user("Ada"), "redirect", {"url": "/#/random"})
    await expect(page.get_by_test_id("room-name")).to_have_text("Random")
