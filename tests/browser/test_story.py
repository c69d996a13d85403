"""Two people and the assistant through a whole story, in the example as it is served: Ada at a desk, Bob with a phone in the dark.

With pictures, each step is photographed on both screens: artifacts/story/NN-what-happens-{desk,phone}.png.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.acts import CUTTABLE, banner_leaves, coming_back, composer, cut, entered, write
from tests.browser.conftest import ARTIFACTS, PICTURES, Pages
from tests.browser.test_accounts import PASSWORD, sign_up
from tests.browser.test_attachments import a_file, picture
from tests.support.process import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "has_touch": True,
    "is_mobile": True,
}
LONG = "\n".join(f"thing {number} that we need in the garden" for number in range(1, 40))
# What the browser would show on the desktop stands at the root of the page instead.
TOLD = """
    window.Notification = class {
        static permission = "default";
        static async requestPermission() { return (this.permission = "granted"); }
        constructor(title, { body }) { document.documentElement.dataset.told = `${title}: ${body}`; }
        close() {}
    };
"""


@dataclass
class Story:
    """Who is there. `bobs_desk` is Bob's second device."""

    pages: Pages
    ada: Page
    bob: Page
    bobs_desk: Page
    folder: Path

    async def photograph(self, name: str) -> None:
        for page, screen in ((self.ada, "desk"), (self.bob, "phone")) if PICTURES else ():
            await page.screenshot(path=self.folder / f"{name}-{screen}.png", animations="disabled")


async def both_sign_up(story: Story) -> None:
    for page, name in ((story.ada, "Ada"), (story.bob, "Bob")):
        await sign_up(page, name)
    await expect(person(story.ada, "Bob")).to_be_visible()
    await expect(story.bob.get_by_test_id("toggle-people")).to_contain_text("2")


async def ada_makes_a_private_room(story: Story) -> None:
    ada = story.ada
    await ada.get_by_test_id("create-room").click()
    await ada.get_by_test_id("room-title").fill("Garden")
    await ada.get_by_label("Only members").check()
    await ada.get_by_role("button", name="Create", exact=True).click()
    await expect(ada.get_by_test_id("room-name")).to_have_text("Garden")
    await expect(ada.get_by_test_id("room-lock")).to_be_visible()
    await say(ada, "Only we two shall see this: the key is under the third pot.")


async def ada_invites_bob(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await ada.get_by_test_id("invite").click()
    dialog = ada.get_by_test_id("invite-dialog")
    await dialog.get_by_test_id("invite-field").fill("Bob")
    await dialog.get_by_test_id("candidate").filter(has_text="Bob").get_by_role("button").click()
    await expect(dialog.get_by_test_id("done")).to_have_text("Invited")
    await dialog.get_by_test_id("invite-done").click()
    await expect(bob.get_by_test_id("toast")).to_contain_text("Ada invites you to Garden")
    await expect(bob.get_by_test_id("elsewhere")).to_have_text("1")
    await bob.get_by_test_id("back").tap()
    await expect(bob.get_by_test_id("invitation")).to_contain_text("Ada invited you")


async def bob_accepts(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await bob.get_by_test_id("accept").tap()
    await expect(bob.get_by_test_id("room-name")).to_have_text("Garden")
    await say(bob, "I found it.")
    await expect(lines(ada).last).to_have_text("I found it.")
    await expect(ada.get_by_test_id("system-line").last).to_contain_text("Bob")
    await expect(person(ada, "Bob")).to_contain_text("online")


async def bob_mentions_ada_who_looks_elsewhere(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await ada.locator("[data-room=general]").click()
    await entered(ada)
    await composer(bob).press_sequentially("Come and look, @ad")
    await bob.get_by_test_id("mention-option").tap()
    await expect(composer(bob)).to_have_value("Come and look, @Ada ")
    await bob.get_by_test_id("send").tap()
    await expect(messages(bob).last.locator(".mention")).to_have_text("@Ada")
    toast = ada.get_by_test_id("toast")
    await expect(toast).to_contain_text("Bob mentioned you in Garden")
    await expect(ada.locator("[data-testid=room]", has_text="Garden")).to_contain_text("@1")


async def ada_wants_notifications_and_gets_one(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await ada.get_by_test_id("offer-on").click()
    await ada.evaluate("document.hasFocus = () => false")
    await composer(bob).press_sequentially("And soon, @ad")
    await bob.get_by_test_id("mention-option").tap()
    await bob.get_by_test_id("send").tap()
    await expect(ada.locator("html")).to_have_attribute("data-told", "Bob in Garden: And soon, @Ada")
    await ada.evaluate("delete document.hasFocus")
    await expect(ada.get_by_test_id("toast").filter(has_text="And soon, @Ada")).to_be_visible()
    await ada.get_by_test_id("bell").click()
    await expect(ada.get_by_test_id("notice-list").get_by_role("listitem")).to_have_count(2)
    await expect(ada.get_by_test_id("toast")).to_have_count(0)  # the list has them
    await ada.get_by_test_id("notice-list").get_by_role("link").first.click()
    await expect(ada.get_by_test_id("room-name")).to_have_text("Garden")
    await expect(messages(ada).last).to_be_focused()
    await expect(lines(ada).last.locator("mark")).to_have_text("@Ada")


async def they_talk_in_a_thread(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await ada.goto(re.sub(r"/at/.*", "", ada.url))
    await say(ada, "What shall we plant?")
    await messages(bob).last.tap()
    await messages(bob).last.get_by_test_id("message-acts").tap()
    await bob.get_by_test_id("reply").tap()
    await bob.get_by_test_id("thread-composer").fill("Beans")
    await bob.get_by_test_id("thread-send").tap()
    await expect(messages(ada).last.get_by_test_id("thread-line")).to_contain_text("1 reply")
    await messages(ada).last.get_by_test_id("thread-line").click()
    replies = ada.get_by_test_id("thread-log").get_by_test_id("message-text")
    await expect(replies).to_have_text(["Beans"])
    await ada.get_by_test_id("thread-composer").fill("And peas")
    await ada.keyboard.press("Enter")
    await expect(bob.get_by_test_id("thread-log").get_by_test_id("message-text")).to_have_text(
        ["Beans", "And peas"]
    )


async def they_react(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await ada.keyboard.press("Escape")
    await bob.get_by_test_id("thread-back").tap()
    asked = messages(bob).filter(has_text="What shall we plant?")
    await asked.get_by_test_id("message-text").tap()
    await asked.get_by_test_id("message-acts").tap()
    await bob.get_by_test_id("react").tap()
    await bob.get_by_test_id("reaction-picker").get_by_role("button", name="party").tap()
    chip = messages(ada).filter(has_text="What shall we plant?").get_by_role("button", name="🎉")
    await expect(chip).to_have_text("🎉1")
    await chip.click()
    for page in (ada, bob):
        await expect(page.get_by_test_id("reactions")).to_contain_text("🎉2")
    await expect(ada.get_by_test_id("reaction-names")).to_have_text("You and Bob")


async def ada_sends_a_picture_and_a_file(story: Story) -> None:
    ada, bob = story.ada, story.bob
    chooser = ada.locator(".talk-pane").get_by_test_id("chooser")
    await chooser.set_input_files(
        [a_file("plan.png", picture(640, 320), "image/png"), a_file("seeds.txt", b"beans, peas\n" * 99)]
    )
    await expect(ada.locator("[data-testid=tray-file][data-state=done]")).to_have_count(2)
    await composer(ada).fill("The plan")
    await composer(ada).press("Enter")
    await expect(messages(ada).last).to_have_attribute("data-status", "sent")
    for page in (ada, bob):
        image = page.get_by_test_id("picture").locator("img")
        await expect(image).to_have_js_property("complete", True)
        assert await image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 640
        await expect(page.get_by_test_id("file")).to_contain_text("seeds.txt")


async def bob_searches_and_jumps_to_what_he_found(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await write(ada, LONG, LONG)
    await expect(messages(bob).filter(has_text="thing 1 that")).to_have_count(2)
    await expect(messages(bob).first).not_to_be_in_viewport()
    await bob.get_by_test_id("open-search").tap()
    await bob.get_by_test_id("search-field").fill("third pot")
    hit = bob.get_by_test_id("search-hit")
    await expect(hit.locator("mark").first).to_be_visible()
    await story.photograph("10b-what-bob-found")
    await hit.tap()
    found = messages(bob).filter(has_text="third pot")
    await expect(found).to_be_in_viewport()
    await expect(found).to_have_class(re.compile("marked"))


async def ada_edits(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await say(ada, "We meet at nine")
    await composer(ada).press("ArrowUp")
    await ada.get_by_test_id("edit-field").fill("We meet at ten")
    await ada.keyboard.press("Enter")
    await bob.get_by_test_id("to-end").tap()
    for page in (ada, bob):
        await expect(lines(page).last).to_have_text("We meet at ten (edited)")


async def ada_deletes(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await say(ada, "Not for you")
    await expect(lines(bob).last).to_have_text("Not for you")
    await messages(ada).last.hover()
    await messages(ada).last.get_by_test_id("delete").click()
    await expect(ada.get_by_test_id("delete-dialog")).to_contain_text("Not for you")
    await ada.get_by_test_id("answer-yes").click()
    for page in (ada, bob):
        await expect(messages(page).last.get_by_test_id("deleted")).to_be_visible()
        await expect(page.get_by_text("Not for you")).to_have_count(0)


async def ada_mutes_bob(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await act(ada, "member.mute", "Mute", time="1 hour", reason="not at night")
    await expect(bob.get_by_test_id("shut")).to_contain_text("You are muted until ")
    await expect(bob.get_by_test_id("shut")).to_contain_text("(reason: not at night)")
    await expect(composer(bob)).to_be_hidden()


async def ada_unmutes_bob(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await ada.get_by_test_id("room-menu").click()
    await ada.get_by_test_id("restrictions").click()
    await ada.get_by_role("button", name="Unmute Bob").click()
    await ada.get_by_test_id("list-done").click()
    await say(bob, "Good morning")
    await expect(lines(ada).last).to_have_text("Good morning")


async def ada_bans_bob(story: Story) -> None:
    ada, bob = story.ada, story.bob
    await act(ada, "member.ban", "Ban", time="No end date", reason="too many beans")
    await expect(bob.get_by_test_id("removed")).to_contain_text(
        "Ada banned you from this room until further notice (reason: too many beans)."
    )
    await expect(composer(bob)).to_be_hidden()
    await expect(person(ada, "Bob")).to_have_count(0)


async def the_assistant_answers_and_is_stopped(story: Story) -> None:
    for page in (story.ada, story.bob):
        await page.goto("/#/assistant")
        await expect(lines(page).first).to_contain_text("I am the assistant of this example.")
    ada, bob = story.ada, story.bob
    await write(bob, "count to 200")
    for page in (ada, bob):
        await expect(messages(page).last.get_by_test_id("streaming")).to_be_visible()
        await expect(lines(page).last).to_contain_text("7")
    await story.photograph("16a-the-assistant-is-writing")
    await ada.get_by_test_id("stop").click()
    for page in (ada, bob):
        await expect(messages(page).last.get_by_test_id("stream-end")).to_have_text("Stopped before the end.")
        await expect(page.get_by_test_id("streaming")).to_have_count(0)


async def bob_is_offline_for_a_minute_and_back(story: Story) -> None:
    ada, bob = story.ada, story.bob
    for page in (ada, bob):
        await page.goto("/#/general")
        await entered(page)
    await say(ada, "Before the tunnel")
    await expect(lines(bob)).to_have_text(["Before the tunnel"])
    await bob.context.set_offline(True)
    await cut(bob)
    await expect(bob.get_by_test_id("banner")).to_contain_text("You are offline.")
    await say(ada, "While you are away", "And once more")
    await write(bob, "From the tunnel")
    await bob.clock.fast_forward(60_000)
    await expect(bob.get_by_test_id("banner")).to_contain_text("You are offline.")
    await expect(messages(bob).last).to_have_attribute("data-status", "pending")
    await expect(messages(bob).last).not_to_contain_text("Try again")  # it is sent by itself
    await expect(lines(bob)).to_have_text(["Before the tunnel", "From the tunnel"])
    await story.photograph("17a-bob-is-offline")
    async with coming_back(bob):
        await bob.context.set_offline(False)
    await banner_leaves(bob)
    for page in (ada, bob):
        await expect(lines(page)).to_have_text(
            ["Before the tunnel", "While you are away", "And once more", "From the tunnel"]
        )
    await expect(messages(bob).last).to_have_attribute("data-status", "sent")
    await expect(bob.get_by_test_id("gap")).to_have_count(0)


async def bob_comes_with_a_second_device(story: Story) -> None:
    ada, bob, desk = story.ada, story.bob, story.bobs_desk
    await desk.goto("/#/general")
    await desk.get_by_test_id("open-sign-in").click()
    await desk.get_by_test_id("account-name").fill("Bob")
    await desk.get_by_test_id("account-password").fill(PASSWORD)
    await desk.keyboard.press("Enter")
    await expect(lines(desk).last).to_have_text("From the tunnel")
    await say(desk, "Now at my desk")
    for page in (ada, bob):
        await expect(lines(page).last).to_have_text("Now at my desk")
        await expect(page.get_by_test_id("toggle-people")).to_contain_text("2")  # he is one person
    await messages(bob).last.tap()
    await messages(bob).last.get_by_test_id("message-acts").tap()
    await expect(
        bob.get_by_test_id("act-sheet").get_by_test_id("edit")
    ).to_be_visible()  # his own, wherever he wrote it
    await bob.keyboard.press("Escape")
    if PICTURES:
        await desk.screenshot(path=story.folder / "18-bob-comes-with-a-second-device-second.png")


async def bob_signs_out_everywhere_and_ada_here(story: Story) -> None:
    ada, bob, desk = story.ada, story.bob, story.bobs_desk
    await desk.get_by_test_id("me-menu").click()
    await desk.get_by_test_id("sign-out-everywhere").click()
    await desk.get_by_test_id("answer-yes").click()
    await expect(desk.get_by_test_id("sign-in")).to_be_visible()
    await expect(bob.get_by_test_id("ended").get_by_role("button", name="Sign in")).to_be_visible()
    await expect(person(ada, "Bob")).to_have_count(0)
    await ada.get_by_test_id("me-menu").click()
    await ada.get_by_test_id("sign-out").click()
    await expect(ada.get_by_test_id("sign-in")).to_be_visible()


STEPS: tuple[Callable[[Story], Awaitable[None]], ...] = (
    both_sign_up,
    ada_makes_a_private_room,
    ada_invites_bob,
    bob_accepts,
    bob_mentions_ada_who_looks_elsewhere,
    ada_wants_notifications_and_gets_one,
    they_talk_in_a_thread,
    they_react,
    ada_sends_a_picture_and_a_file,
    bob_searches_and_jumps_to_what_he_found,
    ada_edits,
    ada_deletes,
    ada_mutes_bob,
    ada_unmutes_bob,
    ada_bans_bob,
    the_assistant_answers_and_is_stopped,
    bob_is_offline_for_a_minute_and_back,
    bob_comes_with_a_second_device,
    bob_signs_out_everywhere_and_ada_here,
)


def person(page: Page, name: str) -> Locator:
    return page.get_by_test_id("person").filter(has_text=name)


def messages(page: Page) -> Locator:
    """Of the conversation, not of a thread beside it."""
    return page.get_by_test_id("log").get_by_test_id("message")


def lines(page: Page) -> Locator:
    return messages(page).get_by_test_id("message-text")


async def say(page: Page, *texts: str) -> None:
    for text in texts:
        await write(page, text)
        await expect(lines(page).last).to_have_text(text)
        await expect(messages(page).last).to_have_attribute("data-status", "sent")


async def act(page: Page, what: str, yes: str, *, time: str, reason: str) -> None:
    """What a moderator does about Bob."""
    await page.get_by_role("button", name="Moderate Bob").click()
    await page.get_by_test_id(what).click()
    dialog = page.get_by_test_id("act-dialog")
    await dialog.get_by_label(time).check()
    await dialog.get_by_test_id("reason").fill(reason)
    await dialog.get_by_role("button", name=yes, exact=True).click()
    await expect(dialog).to_have_count(0)


async def test_two_people_and_the_assistant_live_through_a_whole_story(
    start_example: Callable[..., ServerProcess], new_page: Pages
) -> None:
    url = start_example().url
    ada, bob, desk = [await new_page(base_url=url, **options) for options in (DESK, PHONE, DESK)]
    for page in (ada, bob):
        await page.add_init_script(TOLD + CUTTABLE)
    await bob.clock.install()
    story = Story(new_page, ada, bob, desk, ARTIFACTS / "story")

    for number, step in enumerate(STEPS, start=1):
        sentence = step.__name__.replace("_", " ")
        try:
            await step(story)
        except BaseException as failure:
            failure.add_note(f"This was step {number} of {len(STEPS)}: {sentence}.")
            raise
        finally:
            await story.photograph(f"{number:02}-{sentence.replace(' ', '-')}")
