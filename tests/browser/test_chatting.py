"""Signing in and talking to each other."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.acts import enter, lines, say
from tests.browser.conftest import Pages
from tests.browser.host import Host

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_people_chat_and_an_own_message_is_there_at_once(host: Host, new_page: Pages) -> None:
    @host.chat.middleware("message")
    async def hold(ctx, call_next):
        return await call_next(ctx)

    await host.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await say(ada, "Hello Bob")
    await expect(lines(bob)).to_have_text(["Hello Bob"])
