"""What a room is and what people may do in it: details, changes, roles, pins, archiving, deleting, and whom one has blocked."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from playwright.async_api import Locator, Page, expect

from sanic_chatrooms import User
from tests.browser.acts import composer, enter, entered, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def details(page: Page) -> Locator:
    return page.get_by_test_id("details")


async def open_details(page: Page) -> None:
    await expect(page.get_by_test_id("open-details")).to_be_enabled()
    await page.get_by_test_id("open-details").click()
    await expect(page.get_by_test_id("details-facts")).to_be_visible()


async def close_details(page: Page) -> None:
    await page.get_by_test_id("details-close").click()
    await expect(details(page)).to_have_count(0)


async def owner_and_member(served: ServedApp, new_page: Pages, **options: Any) -> tuple[Page, Page]:
    """Ada, who owns the private room Secret, and Bob, a member; both are there. `options`: of Ada's page."""
    await served.open()
    ada, bob = await new_page(**options), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await served.chat.create_room("secret", title="Secret", topic="For us", visibility="private")
    await served.chat.add_member("secret", served.user("Ada"), "owner")
    await served.chat.add_member("secret", served.user("Bob"))
    for page in (ada, bob):
        await page.goto("/#/secret")
        await entered(page)
        await expect(page.get_by_test_id("room-name")).to_have_text("Secret")
    return ada, bob


async def look(pages: Pages, page: Page, state: str, found: list[str], *, touch: bool = False) -> None:
    """Note what is wrong with this state, light and dark."""
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        found += [f"{state}, {scheme}: {one}" for one in await problems(page, touch=touch)]
        await pages.screenshot(page, f"{state}-{scheme}")


async def test_the_details_stay_closed_where_what_was_opened_from_them_closes_on_the_way_back(
    served: ServedApp, new_page: Pages
) -> None:
    ada, _ = await owner_and_member(served, new_page)
    await open_details(ada)
    await ada.get_by_test_id("details-change").click()
    await expect(ada.get_by_role("dialog")).to_have_count(1)
    await expect(details(ada)).to_have_count(0)
    await ada.go_back()
    await expect(ada.get_by_test_id("room-name")).not_to_have_text("Secret")
    await ada.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    await expect(ada.get_by_role("dialog")).to_have_count(0)


async def test_an_owner_reads_what_the_room_is_changes_it_archives_it_and_deletes_it(
    served: ServedApp, new_page: Pages
) -> None:
    ada, bob = await owner_and_member(served, new_page, **PHONE)
    await say(bob, "Hello")
    found: list[str] = []
    await expect(ada.get_by_role("img", name="Private room")).to_be_visible()
    await expect(ada.get_by_test_id("room-about")).to_have_text("For us")
    await open_details(ada)
    facts = ada.get_by_test_id("details-facts")
    await expect(facts).to_contain_text("Only members. Nobody else can see that there is such a room.")
    await expect(facts).to_contain_text("CreatedToday")
    await expect(facts).to_contain_text("Your role: owner.")
    await expect(facts.get_by_text("and delete the room.")).to_be_hidden()
    await facts.get_by_text("What may I do?").tap()
    await expect(facts.get_by_text("and delete the room.")).to_be_visible()
    await expect(facts).to_contain_text("2 members, 2 here now")
    await expect(ada.get_by_test_id("pins-none")).to_be_visible()
    await expect(ada.get_by_test_id("member")).to_have_count(2)
    await look(new_page, ada, "details", found, touch=True)
    await ada.set_viewport_size({"width": 320, "height": 568})
    await look(new_page, ada, "details-narrow", found, touch=True)
    await ada.set_viewport_size(PHONE["viewport"])

    await ada.get_by_test_id("details-change").click()
    await expect(ada.get_by_test_id("settings-title")).to_be_focused()
    await look(new_page, ada, "settings", found, touch=True)
    await ada.get_by_test_id("settings-title").fill(" ")
    await ada.get_by_role("button", name="Save").click()
    await expect(ada.get_by_test_id("form-problem")).to_have_text("Enter a name.")
    await ada.get_by_test_id("settings-title").fill("Garden")
    await ada.get_by_test_id("settings-topic").fill("What grows: https://plants.example/")
    await ada.get_by_test_id("settings-public").check()
    await ada.get_by_role("button", name="Save").click()
    await expect(details(ada)).to_contain_text("Everybody can find it")
    await expect(bob.get_by_test_id("room-name")).to_have_text("Garden")
    await expect(bob.get_by_test_id("room-about")).to_have_text("What grows: https://plants.example/")
    await expect(bob.get_by_test_id("room-about").get_by_role("link")).to_have_attribute("target", "_blank")
    await expect(bob.get_by_test_id("system-line").last).to_have_text(
        "Ada renamed the room to Garden. The topic is now: What grows: https://plants.example/. Everybody can enter now"
    )
    drawn = await bob.get_by_test_id("system-line").all_text_contents()
    await bob.reload()
    await expect(bob.get_by_test_id("system-line")).to_have_text(drawn)
    await expect(bob.get_by_test_id("room-lock")).to_be_hidden()

    await ada.get_by_test_id("details-archive").click()
    await expect(ada.get_by_test_id("archive-dialog")).to_contain_text("Nobody can write")
    await look(new_page, ada, "archive", found, touch=True)
    await ada.evaluate(
        "Math.random = () => 1000"
    )  # others may wait so many times two seconds, and this page may not
    await ada.get_by_test_id("answer-yes").click()
    await expect(ada.get_by_test_id("details-archived")).to_be_visible()
    await look(new_page, ada, "archived-details", found, touch=True)
    await close_details(ada)
    await expect(composer(ada)).to_be_hidden()
    await expect(bob.get_by_test_id("shut")).to_contain_text("This room is archived")
    await expect(bob.get_by_test_id("room-about")).to_have_text(
        "Archived · What grows: https://plants.example/"
    )
    await messages(bob).last.hover()
    await expect(messages(bob).last.get_by_test_id("link")).to_be_visible()
    for act in ("react", "reply", "edit"):
        await expect(bob.get_by_test_id(act)).to_have_count(0)
    await expect(bob.locator("[data-room=secret]").get_by_test_id("archived")).to_be_attached()
    await expect(ada.get_by_test_id("shut")).to_contain_text("This room is archived")
    await look(new_page, ada, "archived", found, touch=True)
    await open_details(ada)
    await ada.get_by_test_id("details-reopen").click()
    await expect(ada.get_by_test_id("details-archive")).to_be_visible()
    await expect(composer(bob)).to_be_visible()

    await ada.get_by_test_id("details-delete").click()
    await look(new_page, ada, "delete", found, touch=True)
    await ada.get_by_test_id("delete-name").fill("Secret")
    await ada.get_by_role("button", name="Delete for good").click()
    await expect(ada.get_by_test_id("form-problem")).to_have_text("This is not the name of the room.")
    await expect(ada.get_by_test_id("delete-name")).to_have_attribute("aria-invalid", "true")
    await ada.get_by_test_id("delete-name").fill("Garden")
    await ada.get_by_role("button", name="Delete for good").click()
    for page in (ada, bob):
        await expect(page.get_by_test_id("removed")).to_contain_text("This room was deleted.")
    await expect(details(ada)).to_have_count(0)
    assert found == []


async def test_who_may_not_change_a_room_reads_so_and_is_offered_nothing(
    served: ServedApp, new_page: Pages
) -> None:
    _, bob = await owner_and_member(served, new_page)
    await open_details(bob)

    await expect(bob.get_by_test_id("details-facts")).to_contain_text(
        "You may read, write, react, and invite people."
    )
    await expect(bob.get_by_test_id("member")).to_have_count(2)
    await expect(bob.get_by_test_id("pins-none")).to_have_text("Nothing is pinned.")
    for act in ("details-change", "details-archive", "details-delete"):
        await expect(bob.get_by_test_id(act)).to_have_count(0)
    await expect(bob.get_by_role("button", name="Change role of Ada")).to_have_count(0)


async def test_who_has_lost_a_right_meanwhile_reads_that_and_loses_no_words(
    served: ServedApp, new_page: Pages
) -> None:
    ada, _ = await owner_and_member(served, new_page)
    found: list[str] = []
    await open_details(ada)
    await ada.get_by_test_id("details-change").click()
    await ada.get_by_test_id("settings-title").fill("Garden")
    await served.chat.add_member("secret", served.user("Ada"), "member")
    await ada.get_by_role("button", name="Save").click()
    await expect(ada.get_by_test_id("form-problem")).to_have_text("You may not do this here.")
    await expect(ada.get_by_test_id("settings-title")).to_have_value("Garden")
    await look(new_page, ada, "refused", found)
    await ada.get_by_role("button", name="Cancel").click()

    await expect(ada.get_by_test_id("details-facts")).to_contain_text("Your role: member.")
    await expect(ada.get_by_test_id("details-change")).to_have_count(0)
    assert found == []


async def test_a_role_is_given_in_the_details_and_on_the_card_and_given_back(
    served: ServedApp, new_page: Pages
) -> None:
    ada, bob = await owner_and_member(served, new_page)
    found: list[str] = []
    await say(ada, "Hello")
    await messages(bob).last.hover()
    await expect(messages(bob).last.get_by_test_id("reply")).to_be_visible()
    await expect(bob.get_by_test_id("pin")).to_have_count(0)
    await open_details(ada)
    await ada.get_by_role("button", name="Change role of Bob").click()
    await expect(ada.get_by_test_id("role-member")).to_be_checked()
    await expect(ada.get_by_test_id("role-owner")).to_have_count(0)
    await look(new_page, ada, "role", found)
    await ada.get_by_test_id("role-moderator").check()
    await ada.get_by_role("button", name="Give this role").click()
    await expect(details(ada).get_by_role("heading", name="moderator (1)")).to_be_visible()
    await expect(ada.get_by_role("button", name="Change role of Bob")).to_be_focused()
    await close_details(ada)
    await expect(bob.get_by_test_id("system-line").last).to_have_text(
        "Ada changed the role of Bob to moderator"
    )
    await messages(bob).last.hover()
    await expect(bob.get_by_test_id("pin")).to_be_visible()

    await ada.get_by_role("button", name="Moderate Bob").click()
    await ada.get_by_test_id("member.role").click()
    await ada.get_by_test_id("role-reader").check()
    await ada.get_by_role("button", name="Give this role").click()
    await expect(bob.get_by_test_id("shut")).to_have_text("Only some people can write in this room.")

    await open_details(ada)
    await ada.get_by_role("button", name="Step down").click()
    await expect(ada.get_by_test_id("role-admin")).to_be_checked()
    await expect(ada.get_by_test_id("role-dialog")).to_contain_text("Nobody else owns this room")
    await ada.get_by_role("button", name="Step down").click()
    await expect(ada.get_by_test_id("details-facts")).to_contain_text("Your role: admin.")
    assert found == []


async def test_in_a_public_room_the_owner_gives_a_role_to_somebody_who_is_no_member(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await served.chat.add_member("general", served.user("Ada"), "owner")
    await ada.reload()
    await expect(ada.get_by_test_id("person").get_by_test_id("role")).to_have_text("Owner")
    await enter(bob, "Bob")

    await ada.get_by_role("button", name="Moderate Bob").click()
    await ada.get_by_test_id("member.role").click()
    await expect(ada.get_by_test_id("role-member")).to_be_checked()
    await ada.get_by_test_id("role-moderator").check()
    await ada.get_by_role("button", name="Give this role").click()
    await expect(bob.get_by_test_id("person").get_by_test_id("role")).to_have_text("Moderator")


async def test_a_message_is_pinned_found_again_by_its_pin_and_unpinned(
    served: ServedApp, new_page: Pages
) -> None:
    ada, bob = await owner_and_member(served, new_page)
    found: list[str] = []
    await say(bob, "Keep this")
    await say(bob, *(f"line {number}" for number in range(3)))
    message = messages(ada).filter(has_text="Keep this")
    await message.hover()
    await message.get_by_role("button", name="Pin message").click()
    for page in (ada, bob):
        sign = messages(page).filter(has_text="Keep this").get_by_test_id("pinned")
        await expect(sign).to_have_text("Pinned by Ada")
    await look(new_page, ada, "pinned", found)
    await bob.reload()
    await expect(bob.get_by_test_id("pinned")).to_have_count(1)

    await open_details(ada)
    await expect(ada.get_by_test_id("pin-line")).to_contain_text("Keep this")
    await look(new_page, ada, "pins", found)
    await ada.get_by_test_id("pin-jump").click()
    await expect(details(ada)).to_have_count(0)
    await expect(message).to_be_focused()

    await open_details(bob)
    await expect(bob.get_by_test_id("pin-line")).to_have_count(1)
    await expect(bob.get_by_test_id("unpin")).to_have_count(0)
    await ada.get_by_test_id("room-menu").click()
    await ada.get_by_test_id("room-pins").click()
    await expect(details(ada).get_by_role("heading")).to_have_text(["Pinned messages"])
    await ada.get_by_role("button", name="Unpin the message of Bob").click()
    await expect(ada.get_by_test_id("pins-none")).to_be_visible()
    await expect(ada.get_by_test_id("details-close")).to_be_focused()
    await expect(bob.get_by_test_id("pinned")).to_have_count(0)
    assert found == []


async def test_details_that_cannot_be_loaded_say_why_and_are_there_after_another_try(
    served: ServedApp, new_page: Pages
) -> None:
    ada, _ = await owner_and_member(served, new_page)
    found: list[str] = []
    await ada.evaluate("import('/chat/static/details.js')")
    await ada.context.set_offline(True)
    await served.cut("Ada")
    await expect(ada.get_by_test_id("banner")).to_be_visible()
    await ada.get_by_test_id("open-details").focus()
    await ada.keyboard.press("Enter")
    await expect(details(ada)).to_contain_text("You are offline. Try again when you are back.")
    await look(new_page, ada, "offline", found)
    await ada.context.set_offline(False)
    await expect(ada.get_by_test_id("banner")).to_be_hidden()

    await ada.get_by_test_id("details-again").click()
    await expect(ada.get_by_test_id("details-facts")).to_be_visible()
    await ada.keyboard.press("Escape")
    await expect(ada.get_by_test_id("open-details")).to_be_focused()
    assert found == []


async def test_people_who_are_blocked_are_listed_and_unblocked(served: ServedApp, new_page: Pages) -> None:
    ada, _ = await owner_and_member(served, new_page, **PHONE)
    found: list[str] = []
    await ada.goto("/#/secret/people")
    await ada.get_by_role("button", name="Moderate Bob").tap()
    await ada.get_by_test_id("block").tap()
    await expect(ada.get_by_test_id("blocked")).to_be_visible()
    await ada.goto("/#/")
    await ada.get_by_test_id("me-menu").tap()
    await ada.get_by_test_id("blocked-people").tap()
    await expect(ada.get_by_test_id("blocked-person")).to_contain_text("Bob")
    await look(new_page, ada, "blocked", found, touch=True)
    await ada.get_by_role("button", name="Unblock Bob").tap()
    await expect(ada.get_by_test_id("none")).to_have_text("You have blocked nobody.")
    await ada.keyboard.press("Escape")
    await ada.goto("/#/secret/people")
    await expect(ada.get_by_test_id("person").filter(has_text="Bob")).to_be_visible()
    await expect(ada.get_by_test_id("blocked")).to_have_count(0)
    assert found == []


async def test_of_many_members_more_are_loaded_when_asked_for(served: ServedApp, new_page: Pages) -> None:
    await served.open("crowd")
    for number in range(105):
        await served.chat.add_member("crowd", User(f"u{number}", f"Person {number}"))
    page = await new_page()
    await enter(page, "Ada", "crowd")
    await open_details(page)
    await expect(page.get_by_test_id("details-facts")).to_contain_text("105 members, 1 here now")
    await expect(page.get_by_test_id("member")).to_have_count(100)
    await page.get_by_test_id("details-more").click()
    await expect(page.get_by_test_id("member")).to_have_count(105)
    await expect(page.get_by_test_id("details-more")).to_have_count(0)
    await expect(page.get_by_test_id("details-close")).to_be_focused()


async def test_somebody_is_found_by_name_and_the_list_shows_whether_they_are_here(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada, bob = await new_page(), await new_page()
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await expect(ada.get_by_test_id("person")).to_have_count(2)
    await ada.keyboard.press("Control+k")
    await ada.get_by_test_id("switcher-field").fill("@bo")
    await expect(ada.get_by_role("option", name="@ Bob")).to_be_visible()
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_test_id("room-name")).to_have_text("Bob")
    await say(ada, "Hello")
    line, about = ada.get_by_test_id("room").filter(has_text="Bob"), ada.get_by_test_id("room-about")
    await expect(line.get_by_test_id("near")).to_have_text(", online")
    await expect(about).to_have_text("Here now")
    found: list[str] = []
    await look(new_page, ada, "direct", found)
    await open_details(ada)
    await expect(ada.get_by_test_id("details-facts").locator("dt")).to_have_text(["Created"])
    await look(new_page, ada, "direct-details", found)
    await close_details(ada)

    await bob.goto("about:blank")
    await expect(line.get_by_test_id("near")).to_have_text(", offline")
    await expect(about).to_have_text("Not here now")
    assert found == []
