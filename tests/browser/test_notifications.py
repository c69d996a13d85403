"""Notifications of the example at the screen: turned on by a press, shown by the worker while no page is open, and off with the sign-out."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from playwright.async_api import Page, expect
from sanic import Sanic

from example_app.accounts.accounts import Accounts
from example_app.accounts.passwords import Passwords
from example_app.notifications.notifications import Notifications, add_notifications
from example_app.server import add_accounts
from sanic_chatrooms import User
from tests.browser.acts import entered
from tests.browser.audit import problems
from tests.browser.conftest import PATIENCE, Pages
from tests.browser.served import ServedApp
from tests.browser.test_accounts import sign_up
from tests.support.fixtures import Live
from tests.support.push import Browser, PushService, for_server
from tests.support.tls import CERTIFICATE

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The push services of browsers are not to be had here, so this stands for the browser's half of a subscription.
SUBSCRIBED = """(subscription) => {
    let held = null;
    const of = { toJSON: () => subscription, endpoint: subscription.endpoint, unsubscribe: async () => { held = null; return true; } };
    PushManager.prototype.subscribe = async ({ applicationServerKey }) => { held = of; globalThis.usedKey = applicationServerKey; return of; };
    PushManager.prototype.getSubscription = async () => held;
}"""


COUNT = "async () => (await (await navigator.serviceWorker.ready).getNotifications()).length"


class Push:
    def __init__(self, service: PushService, notifications: Notifications) -> None:
        self.service = service
        self.notifications = notifications

    def of(self, user: str) -> list[str]:
        return [one.endpoint for one in self.notifications.subscriptions.of(user)]


@pytest_asyncio.fixture(loop_scope="session")
async def push(served: ServedApp, live: Live, tmp_path: Path) -> AsyncIterator[Push]:
    service = PushService()
    service.server = await live(service.app, tls=for_server())
    http = httpx.AsyncClient(verify=ssl.create_default_context(cafile=CERTIFICATE))
    hosts = [f"localhost:{service.server.port}"]
    notifications = Notifications(served.chat, tmp_path, hosts=hosts, http=http)
    accounts = Accounts(tmp_path / "accounts.sqlite3")
    accounts.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    add_accounts(served.app, served.chat, accounts, notifications.forget)
    add_notifications(served.app, served.chat, notifications)
    await served.open()
    yield Push(service, notifications)
    Sanic.unregister_app(service.app)


async def come(page: Page, subscription: dict[str, Any]) -> None:
    """Sign up as Ada, in a browser that may show notifications."""
    await page.context.grant_permissions(["notifications"])
    await page.add_init_script(f"({SUBSCRIBED})({json.dumps(subscription)})")
    await sign_up(page)


def as_json(browser: Browser) -> dict[str, Any]:
    """As `PushSubscription.toJSON()` has it."""
    endpoint, keys = browser.endpoint, {**browser.subscription}
    del keys["endpoint"]
    return {"endpoint": endpoint, "expirationTime": None, "keys": keys}


@pytest.mark.whole_browser
async def test_who_turns_them_on_is_told_while_no_page_is_open_and_not_after_the_sign_out(
    push: Push, served: ServedApp, new_page: Pages
) -> None:
    browser = Browser(push.service.endpoint("ada"))
    page = await new_page()
    await come(page, as_json(browser))
    ada = served.user("Ada").id

    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("notifications").click()
    turn = page.get_by_test_id("notifications-turn")
    await expect(turn).to_have_text("Turn on")
    assert await problems(page) == []
    await new_page.screenshot(page, "off")
    await turn.click()
    await expect(turn).to_have_text("Turn off")
    assert push.of(ada) == [browser.endpoint]

    await page.goto("/static/app.webmanifest")  # it closes the chat's page, and stays at this server
    await served.alone()
    said = {"text": "Is anybody there?", "mentions": [ada]}
    await served.chat.publish("general", "message", said, sender=User("ben", "Ben"))
    await push.service.until(1)
    await deliver(page, served.url, push.service.told(browser)[0])
    await page.wait_for_function(COUNT)
    shown = "async () => { const [it] = await (await navigator.serviceWorker.ready).getNotifications(); return [it.title, it.body, it.data.room]; }"
    assert await page.evaluate(shown) == ["Ben · General", "Is anybody there?", "general"]

    await page.goto("/#/general")
    await entered(page)
    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("sign-out").click()
    await expect(page.get_by_test_id("open-sign-in")).to_be_visible()
    assert push.of(ada) == []


async def deliver(page: Page, origin: str, content: dict[str, str]) -> None:
    """Give it to the worker, as the browser does with what its push service brings."""
    session = await page.context.new_cdp_session(page)
    known = asyncio.get_running_loop().create_future()

    def note(told: dict[str, Any]) -> None:
        for one in told["registrations"]:
            if one["scopeURL"] == f"{origin}/" and not known.done():
                known.set_result(one["registrationId"])

    session.on("ServiceWorker.workerRegistrationUpdated", note)
    await session.send("ServiceWorker.enable")
    async with asyncio.timeout(PATIENCE / 1000):
        where = {"origin": origin, "registrationId": await known}
    await session.send("ServiceWorker.deliverPushMessage", {**where, "data": json.dumps(content)})
    await session.detach()
