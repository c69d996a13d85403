"""Making rooms, finding them, and being sent out of them."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.acts import composer, enter, go_to, lines, say
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

# As when another tab is in front.
HIDE = """() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
SHOW = """() => {
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_rooms_are_created_public_or_private_and_no_name_twice(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("room-10", "room-9")
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    create, title = ada.get_by_test_id("create-room"), ada.get_by_test_id("room-title")

    await create.click()
    await expect(title).to_be_focused()
    await title.fill("Release day")
    await title.press("Enter")
    await expect(ada.get_by_test_id("room-name")).to_have_text("Release day")
    await expect(ada).to_have_url(re.compile("#/release-day$"))
    await expect(composer(ada)).to_be_focused()

    await create.click()
    await title.fill("Release Day!")
    await title.press("Enter")
    await expect(ada.get_by_test_id("form-problem")).to_contain_text("There is a room of this name already")
    await expect(title).to_be_focused()
    await ada.keyboard.press("Escape")
    await expect(create).to_be_focused()

    await create.click()
    await title.fill("Surprise party")
    await ada.get_by_label("Only members").check()
    await ada.get_by_role("button", name="Create", exact=True).click()
    await expect(ada.get_by_test_id("room-name")).to_have_text("Surprise party")
    await expect(ada.get_by_role("link", name="Surprise party (private)")).to_be_visible()
    private = ada.url.partition("#")[2]

    await enter(bob, "Bob")
    await expect(bob.get_by_test_id("room")).to_have_text(["#General", "#Release day", "#Room-9", "#Room-10"])
    await bob.goto(f"/#{private}")
    await expect(bob.get_by_test_id("unknown-room")).to_contain_text("it is private and you are not a member")
    await expect(composer(bob)).to_be_hidden()
    await bob.get_by_role("button", name="Choose another room").click()
    await expect(bob.get_by_test_id("room-name")).to_have_text("General")


async def test_a_room_that_is_not_there_is_made_only_by_who_wants_it(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await page.goto("/#/Genral:1/at/5")
    await page.get_by_test_id("name").fill("Ada")
    await page.keyboard.press("Enter")
    panel = page.get_by_test_id("unknown-room")
    await expect(panel).to_contain_text("There is no room “Genral:1”")
    await panel.get_by_role("button", name="Choose another room").click()
    await expect(page.get_by_test_id("room")).to_have_text(["#General"])
    assert await served.chat.room("Genral:1") is None
    await page.get_by_test_id("new-message").click()
    await expect(page.get_by_role("dialog", name="New message")).to_be_visible()
    await expect(page.get_by_test_id("switcher-nothing")).to_have_text("Nobody else has been here yet.")
    await page.keyboard.press("Escape")

    await page.goto("/#/~direct.6814c5eb166d8be3fe7d58b2027c7c625b374077")  # of others
    others = page.get_by_test_id("failed-room")
    await expect(others.get_by_role("heading")).to_have_text("This conversation cannot be opened")
    await expect(others).to_contain_text("Perhaps you are somebody else now")
    await expect(page.get_by_test_id("room-name")).to_have_text("This conversation")

    await page.goto("/#/Genral:1")
    await panel.get_by_role("button", name="Create this room").click()
    await expect(page.get_by_test_id("room-title")).to_have_value("Genral:1")
    await page.keyboard.press("Enter")
    await say(page, "Hello")
    await expect(page).to_have_url(re.compile("#/Genral:1$"))
    bob = await new_page()
    await enter(bob, "Bob", "Genral:1")
    await expect(lines(bob)).to_have_text(["Hello"])


async def test_two_rooms_with_the_same_name_are_told_apart(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    await served.chat.create_room("tea", title="会議")
    page = await new_page()
    await enter(page, "Ada")
    create, title = page.get_by_test_id("create-room"), page.get_by_test_id("room-title")
    rows = page.get_by_test_id("room").filter(has_text="会議")
    await expect(rows.get_by_test_id("mark")).to_have_count(0)

    await create.click()
    await title.fill("会議")
    await title.press("Enter")
    await expect(page.get_by_test_id("room-name")).to_have_text("会議")
    await expect(rows).to_have_count(2)
    mark = rows.filter(has_text="tea").get_by_test_id("mark")
    await expect(mark).to_have_text("tea")
    id = page.url.partition("#/")[2]
    await expect(page.get_by_test_id("room-mark")).to_have_text(id)
    await page.keyboard.press("Control+k")
    await page.get_by_test_id("switcher-field").fill("会")
    await expect(
        page.get_by_test_id("switcher-option").filter(has_text="# 会議").filter(has_text=id)
    ).to_have_count(1)
    await new_page.screenshot(page, "same-name")
    await page.keyboard.press("Escape")

    for name, words in (
        ("会議 ", "There is a room of this name already"),
        ("\u200b", "Enter a name"),
    ):
        await create.click()
        await title.fill(name)
        await title.press("Enter")
        await expect(page.get_by_test_id("form-problem")).to_contain_text(words)
        await page.keyboard.press("Escape")
    await expect(rows).to_have_count(2)


async def test_new_messages_are_counted_and_reached_by_keys(served: ServedApp, new_page: Pages) -> None:
    await served.open("random", "support")
    page = await new_page()
    await enter(page, "Ada")
    for room in ("random", "support", "general"):
        await go_to(page, room)
        await expect(page.get_by_test_id("toggle-people")).to_be_visible()
    unread = page.get_by_test_id("unread")

    await served.say("random", "one", "two")
    await served.say("support", "three")
    await expect(unread).to_have_text(["2 unread", "1 unread"])
    await expect(page).to_have_title("(3) General · Example chat")
    await expect(page.get_by_test_id("announcer")).to_be_empty()

    await composer(page).press("Alt+ArrowDown")
    await expect(page.get_by_test_id("room-name")).to_have_text("Random")
    await expect(lines(page)).to_have_text(["one", "two"])
    await expect(unread).to_have_text(["1 unread"])
    await composer(page).press("Alt+ArrowUp")
    await expect(page.get_by_test_id("room-name")).to_have_text("Support")
    await expect(unread).to_have_count(0)
    await expect(page).to_have_title("Support · Example chat")

    await page.locator("[data-room=general]").focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("[data-room=random]")).to_be_focused()
    await page.keyboard.press("End")
    await expect(page.get_by_test_id("new-message")).to_be_focused()
    await page.keyboard.press("Home")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("room-name")).to_have_text("General")


async def test_a_public_room_leaves_the_list_until_somebody_is_mentioned_there(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("random")
    page = await new_page()
    await enter(page, "Ada", "random")
    await page.get_by_test_id("room-menu").click()
    await page.get_by_test_id("hide-room").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("Random is hidden")
    await go_to(page, "general")
    rooms = page.get_by_test_id("room")
    await expect(rooms).to_have_text(["#General"])
    await page.reload()
    await expect(rooms).to_have_text(["#General"])

    await page.get_by_test_id("open-switcher").click()
    await page.get_by_test_id("switcher-field").fill("rand")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("room-name")).to_have_text("Random")
    await expect(rooms).to_have_count(2)
    await go_to(page, "general")
    await served.say("random", "for nobody")
    await expect(rooms).to_have_count(1)
    await expect(page).to_have_title("General · Example chat")
    await served.chat.publish("random", "message", {"text": "for you", "mentions": [served.user("Ada").id]})
    await expect(page.get_by_test_id("mention-count")).to_be_visible()

    await go_to(page, "random")
    await page.get_by_test_id("room-menu").click()
    await page.get_by_role("menuitem", name="Keep in the list").click()
    await go_to(page, "general")
    await expect(rooms).to_have_count(2)


async def test_messages_that_arrive_while_the_page_is_hidden_are_counted(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await served.say("general", "seen")
    await expect(lines(page)).to_have_count(1)
    await page.evaluate(HIDE)

    await served.say("general", "one", "two")
    await expect(page).to_have_title("(2) General · Example chat")
    await page.evaluate(SHOW)
    await expect(page).to_have_title("General · Example chat")
    line = page.get_by_test_id("new-line")
    assert await line.evaluate("(line) => line.nextElementSibling.dataset.seq") == "2"


async def test_the_switcher_finds_rooms_by_letters(served: ServedApp, new_page: Pages) -> None:
    await served.open("random", "support", "random-thoughts")
    page = await new_page()
    await enter(page, "Ada")
    await composer(page).fill("a draft")
    field, options = page.get_by_test_id("switcher-field"), page.get_by_test_id("switcher-option")

    await page.keyboard.press("Control+k")
    await expect(field).to_be_focused()
    await field.fill("RAND")
    await expect(options).to_have_text(["# Random", "# Random-thoughts", "Go to #RAND"])
    await field.press("ArrowDown")
    await expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    await field.press("ArrowUp")
    await field.press("Enter")
    await expect(page.get_by_test_id("room-name")).to_have_text("Random")
    await expect(composer(page)).to_have_value("")

    await page.keyboard.press("Control+k")
    await expect(options).to_have_text(["# General", "# Random", "# Random-thoughts", "# Support"])
    await field.press("Escape")
    await expect(page.get_by_test_id("switcher")).to_have_count(0)
    await expect(composer(page)).to_be_focused()
    await page.go_back()
    await expect(page.get_by_test_id("room-name")).to_have_text("General")
    await expect(composer(page)).to_have_value("a draft")


async def test_a_removed_user_is_told_and_leaves_the_room_by_keyboard(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await served.chat.create_room("secret", title="Secret", visibility="private")
    await served.chat.add_member("secret", served.user("Ada"))
    await page.goto("/#/secret")
    await expect(page.get_by_test_id("room-name")).to_have_text("Secret")
    await expect(composer(page)).to_have_attribute("placeholder", "Message Secret")
    await say(page, "Still here")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("option", name="private: Secret")).to_have_count(1)
    await page.keyboard.press("Escape")

    await served.chat.kick("secret", served.user("Ada"))
    panel = page.get_by_test_id("removed")
    await expect(panel).to_contain_text("You are no longer in Secret")
    await expect(panel).to_contain_text("You were removed from this room.")
    await expect(page.get_by_test_id("message")).to_be_hidden()
    await expect(page.get_by_test_id("person")).to_have_count(0)
    await expect(panel.get_by_role("button", name="Choose another room")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("room-name")).to_have_text("General")
    await expect(page.locator("[data-room=secret]")).to_have_count(0)
