"""Messages that write themselves: what is seen and heard of them, how one is stopped, and where whoever reads stays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from sanic_chatrooms import Context, Forbidden, User
from sanic_chatrooms.hooks.middleware import Handler
from tests.browser.acts import CUTTABLE, at_rest, composer, enter, entered, lines, messages, say, write
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOT = User("bot", "Assistant")
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# Before another frame; returns what is to be drawn in it, and what is seen before.
HEAR = """(events) => {
    window.held = [];
    window.requestAnimationFrame = (draw) => held.push(draw);
    for (const data of events) sockets.at(-1).dispatchEvent(new MessageEvent("message", { data }));
    return [held.length, document.querySelector("[data-testid=message-text]").textContent];
}"""


class Broken(Exception):
    pass


class Writer:
    """Writes a message in a task of its own, as a model does."""

    tasks: ClassVar[set[asyncio.Task[None]]] = set()

    def __init__(self, served: ServedApp, parent: str | None = None) -> None:
        self._pieces: asyncio.Queue[str | None | Exception] = asyncio.Queue()
        self.out = served.chat.stream("general", sender=BOT, parent=parent)
        self.task = asyncio.create_task(self._write())
        self.tasks.add(self.task)

    async def _write(self) -> None:
        with suppress(Broken):
            async with self.out:
                while (piece := await self._pieces.get()) is not None:
                    if isinstance(piece, Exception):
                        raise piece
                    self.out.write(piece)

    def write(self, *pieces: str | None | Exception) -> None:
        """Add pieces; None ends it well, an exception does not."""
        for piece in pieces:
            self._pieces.put_nowait(piece)

    async def ended(self) -> None:
        done, _ = await asyncio.wait([self.task], timeout=40)
        assert done, "it was not stopped"


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def no_writers_left() -> AsyncIterator[None]:
    """Not even after a test that fails."""
    yield
    for task in Writer.tasks:
        task.cancel()
    await asyncio.gather(*Writer.tasks, return_exceptions=True)
    Writer.tasks.clear()


async def promote(served: ServedApp, page: Page) -> None:
    """Make Ada a moderator; a page learns it when it comes in."""
    await served.chat.add_member("general", served.user("Ada"), "moderator")
    await page.reload()
    await entered(page)


async def scrolled_to(page: Page, what: Locator) -> None:
    """Scroll up as somebody who reads, so that this is in the middle."""
    await what.evaluate("(one) => one.scrollIntoView({ block: 'center' })")
    await expect(page.get_by_test_id("to-end")).to_be_visible()
    await at_rest(page)


async def top_of(what: Locator) -> float:
    box = await what.bounding_box()
    assert box is not None
    return box["y"]


async def test_an_answer_grows_for_everybody_and_a_moderator_stops_it(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await served.say("general", *(f"line {number}" for number in range(40)))
    await promote(served, ada)
    await say(ada, "Tell me everything")
    writer = Writer(served)
    answer = messages(ada).last
    await expect(answer.get_by_test_id("streaming")).to_be_in_viewport()
    await expect(ada.get_by_test_id("announcer")).to_contain_text("Assistant is writing…")
    heard = await ada.get_by_test_id("announcer").inner_text()

    writer.write("First ", "of all,\n")
    await expect(lines(ada).last).to_have_text("First of all,\n", use_inner_text=True)
    await enter(bob, "Bob")
    await expect(lines(bob).last).to_contain_text("First of all,")
    await expect(messages(bob).last.get_by_test_id("stop")).to_be_hidden()
    writer.write(*(f"`part {number}`\n" for number in range(60)))
    for page in (ada, bob):
        await expect(lines(page).last.locator("code")).to_have_count(60)
        await expect(messages(page).last.get_by_test_id("streaming")).to_be_in_viewport()
    assert await ada.get_by_test_id("announcer").inner_text() == heard
    await expect(composer(ada)).to_be_focused()

    read = lines(ada).last.locator("code").nth(20)
    await scrolled_to(ada, read)
    there = await top_of(read)
    writer.write(*(f"`part {number}`\n" for number in range(60, 90)))
    await expect(lines(ada).last.locator("code")).to_have_count(90)
    await at_rest(ada)
    assert await top_of(read) == pytest.approx(there, abs=1)

    await expect(answer.get_by_test_id("stop")).to_be_visible()
    # Focus must not scroll, so that the end of the row is what may move the text.
    await answer.get_by_test_id("stop").evaluate("(stop) => stop.focus({ preventScroll: true })")
    await ada.keyboard.press("Enter")
    await writer.ended()
    for page in (ada, bob):
        await expect(messages(page).last.get_by_test_id("stream-end")).to_have_text("Stopped before the end.")
        await expect(page.get_by_test_id("streaming")).to_have_count(0)
    assert writer.out.cancelled_by is not None
    assert writer.out.cancelled_by.name == "Ada"
    await at_rest(ada)
    assert await top_of(read) == pytest.approx(there, abs=1)
    assert await ada.evaluate("document.activeElement !== document.body")
    await expect(ada.get_by_test_id("announcer")).to_contain_text("Stopped before the end.")
    await bob.reload()
    await expect(messages(bob).last.get_by_test_id("stream-end")).to_be_visible()
    await expect(lines(bob).last.locator("code")).to_have_count(90)


async def test_however_many_pieces_come_they_are_drawn_once_a_frame(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await page.add_init_script(CUTTABLE)
    await enter(page, "Ada")
    writer = Writer(served)
    await expect(page.get_by_test_id("streaming")).to_be_visible()
    pieces = ({"msgId": writer.out.msg_id, "at": at, "text": "x"} for at in range(200))
    event = {"type": "message.delta", "room": "general", "timestamp": 1.8e9}

    assert await page.evaluate(HEAR, [json.dumps({**event, "payload": piece}) for piece in pieces]) == [1, ""]

    await page.evaluate("held[0]()")
    await expect(lines(page)).to_have_text("x" * 200)
    writer.write(None)
    await writer.ended()


@pytest.mark.parametrize(
    "options",
    [{**PHONE, "color_scheme": "dark"}, {"color_scheme": "light"}],
    ids=["phone", "desktop"],
)
async def test_what_writes_itself_is_readable_in_every_state(
    served: ServedApp, new_page: Pages, options: dict[str, Any]
) -> None:
    refused = True

    @served.chat.middleware("message.cancel")
    async def stubborn(ctx: Context, call_next: Handler) -> Any:
        if refused:
            raise Forbidden("not now")
        return await call_next(ctx)

    await served.open()
    page = await new_page(**options)
    await enter(page, "Ada")
    await promote(served, page)
    await say(page, "What is that?")
    done, failing, lost, writer = (Writer(served) for _ in range(4))
    for one in (done, failing, lost, writer):
        one.write("It is short:\n```python\na = 1\nb = 2")
    done.write("\n```\nThat is all.", None)
    failing.write(Broken())
    await expect(lines(page).locator("pre")).to_have_count(4)
    lost.task.cancel()
    for one in (done, failing, lost):
        await one.ended()
    await expect(page.get_by_test_id("streaming")).to_have_count(1)
    await expect(page.get_by_test_id("stream-end")).to_have_count(2)

    stop = page.get_by_test_id("stop")
    await (stop.tap() if "has_touch" in options else stop.click())
    sign = page.get_by_test_id("streaming")
    await expect(sign.get_by_role("status")).to_have_text("Not stopped: not now")
    found = await problems(page, touch="has_touch" in options)
    await new_page.screenshot(page, "states")
    refused = False
    await (stop.tap() if "has_touch" in options else stop.click())
    await writer.ended()

    await expect(page.get_by_test_id("stream-end")).to_have_count(3)
    await new_page.screenshot(page, "ended")
    assert found == []


async def test_an_answer_in_a_thread_grows_there_and_whoever_asked_stops_it(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "Why?")
    asked = await messages(page).last.get_attribute("data-msg-id")
    writer = Writer(served, asked)
    writer.write("Because ")
    await page.get_by_test_id("thread-line").click()
    answer = page.get_by_test_id("thread-log").get_by_test_id("message")
    await expect(answer).to_contain_text("Because")
    writer.write("of that")
    await expect(answer).to_contain_text("Because of that")

    await answer.get_by_test_id("stop").click()

    await expect(answer.get_by_test_id("stream-end")).to_have_text("Stopped before the end.")
    await writer.ended()


async def test_the_example_has_an_assistant(new_page: Pages) -> None:
    page = await new_page()
    await enter(page, "Ada", "assistant")
    await expect(lines(page).first).to_contain_text("I am the assistant of this example.")
    await expect(page.get_by_test_id("person").filter(has_text="Assistant")).to_be_visible()
    await write(page, "6 * 7")
    await expect(lines(page).last).to_have_text("6 * 7 = 42")
