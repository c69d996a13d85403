"""How people are called, everywhere and also when they are gone, and what one sees of them while they write."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import composer, enter, lines, messages, say
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def rename(page: Page, name: str) -> None:
    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id("rename").click()
    await page.get_by_test_id("new-name").fill(name)
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("me")).to_contain_text(name)


async def is_called(page: Page, name: str) -> None:
    """By the header, the list, the line at the beginning, the field to write in, and the people beside."""
    await expect(page.get_by_test_id("room-name")).to_have_text(name)
    await expect(page.locator("[data-testid=room][aria-current]")).to_contain_text(name)
    await expect(page.get_by_test_id("log").locator("h3")).to_have_text(name)
    await expect(composer(page)).to_have_attribute("placeholder", f"Message {name}")
    await expect(page.get_by_test_id("person").filter(has_text=name)).to_have_count(1)


async def test_a_user_who_has_left_keeps_their_name_in_a_direct_message(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada, bob = await new_page(), await new_page()
    await ada.clock.install()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await say(bob, "I am off")
    id = served.user("Bob").id
    await expect(ada.get_by_test_id("person")).to_have_count(2)
    await bob.close()
    await expect(ada.get_by_test_id("person")).to_have_count(1)

    await ada.get_by_test_id("author").click()
    await ada.get_by_test_id("write").press("Enter")
    await expect(ada.get_by_test_id("room-name")).to_have_text("Bob")
    await expect(ada.get_by_test_id("person")).to_have_count(0)  # the room is not there yet
    place = await composer(ada).bounding_box()
    await say(ada, "Are you still there?")
    await is_called(ada, "Bob")
    await expect(ada.get_by_test_id("person")).to_have_count(2)
    assert await composer(ada).bounding_box() == place
    await ada.reload()
    await expect(lines(ada)).to_have_text(["Are you still there?"])
    await is_called(ada, "Bob")
    await expect(ada.get_by_test_id("app")).not_to_contain_text(id)
    # That they are gone is known a little later than that they left this room.
    await ada.clock.run_for(11_000)
    await expect(ada.get_by_test_id("person").filter(has_text="Bob")).to_contain_text("offline")


async def test_a_new_name_reaches_headers_and_lists(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await ada.get_by_test_id("person").filter(has_text="Bob").click()
    await say(ada, "Hello Bob")
    await bob.get_by_test_id("room").filter(has_text="Ada").click()
    await expect(lines(bob)).to_have_text(["Hello Bob"])

    await rename(bob, "Robert")
    await is_called(ada, "Robert")
    await say(bob, "I am called Robert now")
    await is_called(ada, "Robert")
    await expect(ada.get_by_test_id("author").last).to_have_text("Robert")
    await ada.reload()
    await expect(lines(ada)).to_have_count(2)
    await is_called(ada, "Robert")

    await rename(ada, "Countess")
    await is_called(bob, "Countess")


async def test_typing_ends_when_a_direct_message_is_sent(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await ada.get_by_test_id("person").filter(has_text="Bob").click()
    await say(ada, "Hello")
    await bob.get_by_test_id("room").filter(has_text="Ada").click()
    typing = ada.get_by_test_id("typing")

    for text in ("one", "two"):
        await composer(bob).press_sequentially(text)
        await expect(typing).to_have_text("Bob is typing…")
        await composer(bob).press("Enter")
        await expect(messages(bob).last).to_have_attribute("data-status", "sent")
        await expect(typing).to_have_text("")


async def test_two_users_with_the_same_name_are_told_apart(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    ada, one, other = await new_page(), await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(one, "Bob")
    await enter(other, "Bob")

    marks = ada.get_by_test_id("people").get_by_test_id("mark")
    await expect(marks).to_have_count(2)
    ids = [info.user.id for info in served.chat.connections() if info.user.name == "Bob"]
    assert sorted(await marks.all_text_contents()) == sorted(id[-6:] for id in ids)
    await say(one, "I am Bob")
    await say(other, "So am I")
    authors = ada.get_by_test_id("author-mark")
    await expect(authors).to_have_count(2)
    assert sorted(await authors.all_text_contents()) == sorted(id[-6:] for id in ids)


async def test_a_name_or_a_face_in_the_conversation_shows_who_it_is_and_what_one_may_do(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await served.chat.add_member("general", served.user("Ada"), "moderator")
    await ada.reload()
    await enter(bob, "Bob")
    await say(bob, "Hello")
    await expect(ada.get_by_role("button", name="Moderate Bob")).to_be_visible()

    await messages(ada).first.locator(".avatar").click()
    card = ada.get_by_role("dialog", name="Bob")
    await expect(card).to_contain_text("here now")
    await expect(card.get_by_test_id("write")).to_be_focused()
    await expect(card.locator(".risky")).to_have_text(["Mute", "Ban from the room", "Block"])
    await card.get_by_test_id("card-close").click()
    await expect(card).to_have_count(0)
    await ada.get_by_test_id("author").press("Enter")
    await card.get_by_test_id("block").click()
    await ada.get_by_test_id("unfold").click()
    await ada.get_by_test_id("author").click()
    await expect(card).to_contain_text("blocked by you")
    await expect(card.get_by_test_id("unblock")).to_be_visible()


async def test_of_two_people_with_one_name_it_is_clear_to_whom_one_writes(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada, *others = [await new_page() for _ in range(3)]
    await enter(ada, "Ada")
    for other in others:
        await enter(other, "Max")
    people = ada.get_by_test_id("person").filter(has_text="Max")
    marks = people.locator(".mark")
    await expect(marks).to_have_count(2)
    first, second = await marks.all_text_contents()

    await people.first.click()
    await expect(ada.get_by_test_id("room-mark")).to_have_text(first)
    await expect(ada.get_by_test_id("room-about")).to_have_text("Here now")  # before the first message, too
    await ada.keyboard.press("Control+k")
    await ada.get_by_test_id("switcher-field").fill("@max")
    options = ada.get_by_test_id("switcher-option").filter(has_text="Max")
    await expect(options.filter(has_text=second)).to_have_count(1)
    await ada.keyboard.press("Escape")
    await say(ada, "Only you")
    await expect(ada.get_by_test_id("room").filter(has_text="Max")).to_contain_text(first)
    await ada.keyboard.press("Control+k")
    await ada.get_by_test_id("switcher-field").fill("@max")
    await expect(options.filter(has_text=first)).to_have_count(1)
    await expect(options.filter(has_text=second)).to_have_count(1)
