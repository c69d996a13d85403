"""Private rooms: inviting people, accepting and declining, adding, removing, leaving."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from sanic_chatrooms import User
from tests.browser.acts import composer, enter, lines, say
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


async def create_private(page: Page, title: str = "Secret") -> None:
    await page.get_by_test_id("create-room").click()
    await page.get_by_test_id("room-title").fill(title)
    await page.get_by_label("Only members").check()
    await page.get_by_role("button", name="Create", exact=True).click()
    await expect(page.get_by_test_id("room-name")).to_have_text(title)


async def invite(page: Page, name: str, *, add: bool = False) -> None:
    await page.get_by_test_id("invite").click()
    dialog = page.get_by_test_id("invite-dialog")
    if add:
        await dialog.get_by_label("Add: they are members at once").check()
    await dialog.get_by_test_id("invite-field").fill(name)
    await dialog.get_by_test_id("candidate").filter(has_text=name).get_by_role("button").click()
    await expect(dialog.get_by_test_id("done")).to_have_text("Added" if add else "Invited")
    await dialog.get_by_test_id("invite-done").click()


def person(page: Page, name: str) -> Locator:
    return page.get_by_test_id("person").filter(has_text=name)


async def ada_and_bob(served: ServedApp, new_page: Pages, **options: Any) -> tuple[Page, Page]:
    """Both in General, so that they have seen each other. `options`: of Bob's page."""
    await served.open()
    ada, bob = await new_page(), await new_page(**options)
    await enter(ada, "Ada")
    await enter(bob, "Bob")
    await expect(person(ada, "Bob")).to_be_visible()
    return ada, bob


async def test_somebody_is_invited_to_a_private_room_and_accepts(served: ServedApp, new_page: Pages) -> None:
    ada, bob = await ada_and_bob(served, new_page)
    await create_private(ada)
    await expect(ada.get_by_test_id("invite-first")).to_be_visible()
    await invite(ada, "Bob")

    invitation = bob.get_by_test_id("invitation")
    await expect(invitation).to_contain_text("Secret")
    await expect(invitation).to_contain_text("Ada invited you")
    await expect(bob.get_by_test_id("toast")).to_contain_text("Ada invites you to Secret")
    bell = bob.get_by_test_id("bell")
    await expect(bell).to_have_accessible_name("Notices, 1 unread")
    await bell.click()
    await expect(bob.get_by_test_id("notice-list")).to_contain_text("Accept or decline it")
    await invitation.get_by_test_id("accept").dispatch_event("click")  # the list stays open
    await expect(invitation).to_have_count(0)
    await expect(bob.get_by_role("dialog", name="Notices")).to_have_text("No notices yet.")
    await bob.keyboard.press("Escape")

    await expect(bob.get_by_test_id("room-name")).to_have_text("Secret")
    await expect(bob.get_by_test_id("system-line")).to_have_text(["Ada invited Bob", "Bob joined"])
    await say(bob, "Here I am")
    await expect(lines(ada)).to_have_text(["Here I am"])
    await expect(person(ada, "Bob")).to_contain_text("online")
    # A member invites too, and cannot add.
    await bob.get_by_test_id("invite").click()
    await expect(bob.get_by_test_id("invite-dialog").get_by_role("radio")).to_have_count(0)


async def test_an_invitation_is_there_after_a_reload_and_may_be_declined(
    served: ServedApp, new_page: Pages
) -> None:
    ada, bob = await ada_and_bob(served, new_page)
    await create_private(ada)
    await invite(ada, "Bob")
    await expect(bob.get_by_test_id("invitation")).to_be_visible()
    await bob.reload()

    await expect(bob.get_by_test_id("invitation")).to_contain_text("Ada invited you")
    await bob.get_by_test_id("invitation").get_by_test_id("decline").click()
    await expect(bob.get_by_test_id("decline-dialog")).to_contain_text("Decline the invitation to Secret?")
    await bob.get_by_test_id("answer-yes").click()

    await expect(bob.get_by_test_id("invitation")).to_have_count(0)
    await expect(ada.get_by_test_id("system-line").last).to_have_text("Bob declined the invitation")
    await expect(bob.locator("[data-room]")).to_have_count(1)


async def test_an_invitation_that_comes_while_the_rooms_are_asked_for_stays(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await page.goto("/")

    invitations = await page.evaluate(
        """async () => {
            const { RoomBook } = await import("/chat/static/room-book.js");
            const hear = {};
            const user = { id: "u1", name: "Ada" };
            const none = { rooms: [] };
            const rooms = ({ invited }) => invited ? Promise.resolve(none) : new Promise((answer) => setTimeout(() => {
                hear["room.invited"]({ payload: { room: "secret", title: "Secret" } });
                answer(none);
            }));
            const book = new RoomBook({ on: (type, act) => (hear[type] = act), user, state: "online", rooms }, () => {});
            book.known = true;
            await book.refresh();
            return [...book.invitations.keys()];
        }"""
    )

    assert invitations == ["secret"]


async def test_a_moderator_adds_somebody_at_once_and_removes_them_with_a_reason(
    served: ServedApp, new_page: Pages
) -> None:
    ada, bob = await ada_and_bob(served, new_page)
    await create_private(ada)
    await invite(ada, "Bob", add=True)
    await expect(bob.get_by_test_id("toast")).to_contain_text("Ada added you to Secret")
    await bob.get_by_test_id("room").filter(has_text="Secret").click()
    await expect(composer(bob)).to_have_attribute("placeholder", "Message Secret")
    await bob.get_by_test_id("create-room").click()  # a form that is about something else
    await bob.get_by_test_id("room-title").fill("Plans")

    await ada.get_by_role("button", name="Moderate Bob").click()
    await ada.get_by_test_id("member.kick").click()
    await ada.get_by_test_id("reason").fill("wrong room")
    await ada.get_by_role("button", name="Remove", exact=True).click()

    await expect(bob.get_by_test_id("removed")).to_contain_text(
        "Ada removed you from this room (reason: wrong room)."
    )
    await expect(bob.get_by_test_id("room-title")).to_have_value("Plans")
    await expect(person(ada, "Bob")).to_have_count(0)


@pytest.mark.whole_browser
async def test_people_are_found_on_the_server_and_a_link_to_the_room_is_copied(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(permissions=["clipboard-read", "clipboard-write"])
    await enter(page, "Ada")
    await served.chat.create_room("team", visibility="private")
    await served.chat.add_member("team", served.user("Ada"))
    await served.chat.add_member("team", User("u7", "Zoë"))
    await page.reload()
    await expect(page.get_by_test_id("room").filter(has_text="team")).to_be_visible()
    await create_private(page)
    await page.get_by_test_id("invite-first").click()
    dialog = page.get_by_test_id("invite-dialog")
    nothing = dialog.get_by_test_id("invite-nothing")
    field = dialog.get_by_label("Name of the person")
    await expect(dialog.get_by_test_id("candidate")).to_have_count(1)
    before = await field.bounding_box()
    await field.fill("nobody at all")
    await expect(nothing).to_have_text("Nobody of this name was found.")
    await expect(dialog.get_by_test_id("candidate")).to_have_count(0)
    assert await field.bounding_box() == before  # it stays under the fingers
    await field.fill("zo")
    await dialog.get_by_role("button", name="Invite Zoë").click()

    await expect(dialog.get_by_test_id("done")).to_have_text("Invited")
    await expect(dialog.get_by_test_id("invite-field")).to_be_focused()
    await dialog.get_by_test_id("copy-room-link").click()
    await expect(nothing).to_contain_text("Link copied")
    await dialog.get_by_role("radio").last.check()  # what is drawn again keeps it
    await expect(nothing).to_contain_text("Link copied")
    assert await page.evaluate("navigator.clipboard.readText()") == page.url
    await dialog.get_by_test_id("invite-done").click()
    await expect(page.get_by_test_id("system-line").last).to_contain_text("Zoë")
    await expect(page.get_by_test_id("role")).to_have_text("Owner")
    await page.get_by_test_id("room").filter(has_text="team").click()
    await expect(page.get_by_test_id("away")).to_have_text("Away: 1")


async def test_of_many_invitations_two_are_shown_until_one_asks_for_the_others(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page, *others = [await new_page() for _ in range(3)]
    await enter(page, "Ada")
    for number, other in enumerate(others):  # two people of one name
        await enter(other, "Max")
        await create_private(other, f"Max {number}")
        await invite(other, "Ada")
    notes = page.get_by_test_id("invitation").locator(".note")
    await expect(notes).to_have_text([re.compile(r"^Max \S{6} invited you$")] * 2)
    assert len(set(await notes.all_text_contents())) == 2
    for number in range(2):
        await served.chat.create_room(f"r{number}", visibility="private")
        await served.chat.invite(f"r{number}", served.user("Ada"))

    more, cards = page.get_by_test_id("more-invitations"), page.get_by_test_id("invitation")
    await expect(more).to_have_text("2 more invitations")
    await expect(cards).to_have_count(2)
    await more.press("Enter")
    await expect(cards).to_have_count(4)
    await expect(cards.nth(2).get_by_test_id("accept")).to_be_focused()
    await expect(more).to_be_hidden()


async def test_who_leaves_a_room_has_it_in_the_list_no_more(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await create_private(page)

    await page.get_by_test_id("room-menu").click()
    await page.get_by_test_id("leave").click()
    await expect(page.get_by_test_id("leave-dialog")).to_contain_text("only if somebody invites you")
    await expect(page.get_by_test_id("leave-dialog")).to_contain_text("Nobody else owns this room")
    await expect(page.get_by_test_id("answer-no")).to_have_css("outline-style", "solid")  # what Enter does
    await page.get_by_test_id("answer-yes").click()

    await expect(page.get_by_test_id("room-name")).to_have_text("General")
    await expect(page.get_by_test_id("room").filter(has_text="Secret")).to_have_count(0)


async def test_on_a_phone_the_way_back_says_that_there_is_news(served: ServedApp, new_page: Pages) -> None:
    ada, bob = await ada_and_bob(served, new_page, **PHONE)
    badge, back = bob.get_by_test_id("elsewhere"), bob.get_by_test_id("back")
    await expect(badge).to_be_hidden()

    await person(ada, "Bob").click()
    await say(ada, "psst")
    await expect(badge).to_have_text("1")
    await expect(back).to_have_accessible_name("Back to the rooms, 1 new")
    await create_private(ada)
    await invite(ada, "Bob")
    await expect(badge).to_have_text("2")
    await new_page.screenshot(bob, "badge")

    await back.tap()
    await bob.get_by_test_id("invitation").get_by_test_id("accept").tap()
    await expect(bob.get_by_test_id("room-name")).to_have_text("Secret")
    await expect(badge).to_have_text("1")
