"""Keeping a room in order: reports, mutes, bans; and what those are told whom it concerns."""

from __future__ import annotations

import re
import time

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.acts import CUTTABLE, composer, cut, enter, lines, messages, say, write
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def moderator_and_user(served: ServedApp, new_page: Pages) -> tuple[Page, Page]:
    """Mod, who moderates General, and Ada; both are there."""
    await served.open()
    mod, ada = await new_page(), await new_page()
    await enter(mod, "Mod")
    await served.chat.add_member("general", served.user("Mod"), "moderator")
    await mod.reload()
    await enter(ada, "Ada")
    await expect(mod.get_by_role("button", name="Moderate Ada")).to_be_visible()
    return mod, ada


async def act(mod: Page, what: str, *, time: str = "", reason: str = "", yes: str) -> None:
    await mod.get_by_role("button", name="Moderate Ada").click()
    await mod.get_by_test_id(what).click()
    dialog = mod.get_by_test_id("act-dialog")
    if time:
        await dialog.get_by_label(time).check()
    await dialog.get_by_test_id("reason").fill(reason)
    await dialog.get_by_role("button", name=yes, exact=True).click()
    await expect(dialog).to_have_count(0)


def shut(page: Page) -> Locator:
    return page.get_by_test_id("shut")


async def test_who_is_muted_reads_why_and_until_when_and_writes_again_when_it_ends(
    served: ServedApp, new_page: Pages
) -> None:
    mod, ada = await moderator_and_user(served, new_page)
    await act(mod, "member.mute", time="1 day", reason="calm down", yes="Mute")

    await expect(shut(ada)).to_contain_text("You are muted until ")
    await expect(shut(ada)).to_contain_text("(reason: calm down). You can read on.")
    await expect(composer(ada)).to_be_hidden()
    await expect(mod.get_by_test_id("system-line").last).to_contain_text("Mod muted Ada until ")
    await ada.reload()
    await expect(shut(ada)).to_contain_text("(reason: calm down)")
    await say(mod, "you hear me")
    await expect(lines(ada)).to_have_text(["you hear me"])

    await mod.get_by_test_id("room-menu").click()
    await mod.get_by_test_id("restrictions").click()
    line = mod.get_by_test_id("restriction")
    await expect(line).to_contain_text("Ada")
    await expect(line).to_contain_text("by Mod: calm down")
    await line.get_by_role("button", name="Unmute Ada").click()
    await expect(mod.get_by_test_id("none")).to_have_text("Nobody is banned or muted here.")
    await expect(mod.get_by_test_id("list-done")).to_be_focused()
    await mod.keyboard.press("Enter")
    await expect(shut(ada)).to_be_hidden()
    await say(ada, "sorry")

    await act(mod, "member.mute", time="1 day", yes="Mute")
    await mod.get_by_role("button", name="Moderate Ada").click()
    card = mod.get_by_role("dialog", name="Ada")
    await expect(card).to_contain_text("Muted until ")
    await expect(card.get_by_test_id("member.mute")).to_have_count(0)
    await card.get_by_test_id("member.unmute").click()
    await expect(shut(ada)).to_be_hidden()
    await expect(mod.get_by_test_id("system-line").last).to_have_text("Mod unmuted Ada")


async def test_a_mute_that_ends_by_itself_opens_the_field_again(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await served.chat.mute("general", served.user("Ada"), until=time.time() + 3600)
    await expect(shut(page)).to_contain_text("You are muted until ")
    await served.chat.mute("general", served.user("Ada"), until=time.time() + 1.5)

    await expect(shut(page)).to_be_hidden()
    await say(page, "again")


async def test_who_is_banned_reads_by_whom_and_why_and_comes_back_when_the_ban_has_ended(
    served: ServedApp, new_page: Pages
) -> None:
    mod, ada = await moderator_and_user(served, new_page)
    await ada.get_by_test_id("open-details").click()
    await expect(ada.get_by_test_id("details")).to_contain_text("here now")
    await act(mod, "member.ban", time="No end date", reason="spam", yes="Ban")

    panel = ada.get_by_test_id("removed")
    await expect(panel).to_contain_text("Mod banned you from this room until further notice (reason: spam).")
    await expect(ada.get_by_test_id("details")).to_have_count(0)
    for nothing in ("open-search", "room-menu", "people"):
        await expect(ada.get_by_test_id(nothing)).to_be_hidden()
    await ada.add_init_script(CUTTABLE)
    await ada.reload()
    await expect(ada.get_by_test_id("failed-room")).to_contain_text(
        "You are banned until further notice (reason: spam)."
    )
    await expect(ada.get_by_test_id("failed-room").get_by_role("button")).to_have_text(
        ["Choose another room"]
    )

    await mod.get_by_test_id("room-menu").click()
    await mod.get_by_test_id("restrictions").click()
    await expect(mod.get_by_test_id("restriction")).to_contain_text(
        "Banned until further notice by Mod: spam"
    )
    await mod.get_by_role("button", name="Unban Ada").click()
    await expect(mod.get_by_test_id("restriction")).to_have_count(0)
    await cut(ada)  # the page asks for the rooms as soon as it is back, and every 20 seconds
    await say(ada, "thank you")


# For `add_init_script`: `refused` is called where the server says that one is banned.
TURNED_AWAY = """
    window.sockets = [];
    window.refused = () => {};
    window.WebSocket = class extends WebSocket {
        constructor(...how) {
            super(...how);
            sockets.push(this);
            this.addEventListener("message", ({ data }) => data.includes('"banned"') && refused());
        }
    };
"""


async def test_who_was_banned_while_away_reads_why_and_that_stays_when_the_page_looks_whether_it_has_ended(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    ada = await new_page()
    await ada.add_init_script(TURNED_AWAY)
    await enter(ada, "Ada")
    user = served.user("Ada")
    await ada.context.set_offline(True)
    await served.cut("Ada")
    await served.chat.ban("general", user, reason="spam")
    await ada.context.set_offline(False)

    panel = ada.get_by_test_id("removed")
    await expect(panel).to_contain_text("You were banned from this room until further notice (reason: spam).")
    await panel.get_by_role("button").focus()
    # It asks for the rooms as soon as it is back, and this one is listed.
    await ada.evaluate(
        """() => new Promise((done) => {
            window.refused = () => requestAnimationFrame(() => requestAnimationFrame(done));
            sockets.forEach((socket) => socket.close(4000));
        })"""
    )
    await expect(panel.get_by_role("button")).to_be_focused()


async def test_whom_the_server_does_not_know_is_named_where_bans_are_listed(
    served: ServedApp, new_page: Pages
) -> None:
    mod, ada = await moderator_and_user(served, new_page)
    user = served.user("Ada")
    await ada.close()
    await expect(mod.get_by_role("button", name="Moderate Ada")).to_have_count(0)
    await served.chat.ban("general", user.id)

    await mod.get_by_test_id("room-menu").click()
    await mod.get_by_test_id("restrictions").click()
    await expect(mod.get_by_test_id("restriction").locator("bdi")).to_have_text("Ada")
    await expect(mod.get_by_role("button", name="Unban Ada")).to_be_visible()


async def test_a_message_is_reported_and_a_moderator_deletes_it(served: ServedApp, new_page: Pages) -> None:
    mod, ada = await moderator_and_user(served, new_page)
    eve = await new_page()
    await enter(eve, "Eve")
    await write(eve, "buy **my** pills")
    await expect(lines(ada)).to_have_text("buy my pills")

    await messages(ada).first.hover()
    await messages(ada).first.get_by_role("button", name="Report message").click()
    dialog = ada.get_by_test_id("report-dialog")
    await expect(dialog).to_contain_text("buy my pills")
    await dialog.get_by_test_id("reason").fill("an advertisement")
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_test_id("toast")).to_contain_text("The moderators of this room will look at it.")

    await expect(mod.get_by_test_id("toast")).to_contain_text("an advertisement")
    await mod.get_by_test_id("toast").hover()  # it stays while somebody reads it
    await mod.get_by_test_id("toast").get_by_role("link", name="Show").click()
    await expect(mod.get_by_test_id("room-name")).to_have_text("General")
    await mod.get_by_test_id("room-menu").click()
    await mod.get_by_test_id("reports").click()
    line = mod.get_by_test_id("report-line")
    await expect(line).to_contain_text("an advertisement")
    await expect(line).to_contain_text("buy my pills")
    await expect(line).to_contain_text("Reported by Ada")
    await line.get_by_role("button", name="Go to message").click()
    await expect(mod.get_by_test_id("reports-dialog")).to_have_count(0)
    await expect(messages(mod).first).to_be_focused()
    await mod.get_by_test_id("room-menu").click()
    await mod.get_by_test_id("reports").click()
    await line.get_by_role("button", name="Delete message").click()
    await mod.get_by_test_id("answer-no").click()
    await expect(line.get_by_role("button", name="Delete message")).to_be_focused()
    await mod.keyboard.press("Enter")
    await mod.get_by_test_id("reason").fill("an advertisement")
    await mod.get_by_test_id("answer-yes").click()
    await expect(mod.get_by_test_id("none")).to_have_text("There are no open reports.")
    why = "This message was deleted: an advertisement"
    await expect(messages(eve).first.get_by_test_id("deleted")).to_have_text(why)
    await expect(eve.get_by_test_id("toast")).to_have_count(0)

    await mod.keyboard.press("Escape")
    await say(eve, "buy my pills again")
    await messages(mod).last.hover()
    await messages(mod).last.get_by_role("button", name="Delete message").click()
    await expect(mod.get_by_test_id("delete-dialog")).to_contain_text("buy my pills again")
    await mod.get_by_test_id("reason").fill("an advertisement")
    await mod.keyboard.press("Enter")
    for page in (mod, eve):
        await expect(messages(page).last.get_by_test_id("deleted")).to_have_text(why)


async def test_the_reason_of_a_deletion_is_shown(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "buy my pills")
    (message,) = (await served.chat.history("general")).messages

    await served.chat.delete("general", message["msgId"], reason="an <b>advertisement</b>")

    deleted = messages(page).first.get_by_test_id("deleted")
    await expect(deleted).to_have_text("This message was deleted: an <b>advertisement</b>")
    await page.reload()
    await expect(deleted).to_have_text("This message was deleted: an <b>advertisement</b>")


async def test_in_an_archived_room_and_for_readers_there_is_no_field_and_a_reason(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open("news")
    page = await new_page()
    await enter(page, "Ada")
    await served.chat.update_room("general", archived=True)
    await expect(shut(page)).to_have_text("This room is archived. You can read it, and not write.")
    await served.chat.update_room("general", archived=False)
    await expect(shut(page)).to_be_hidden()

    await served.chat.update_room("news", permissions={"message": 50, "typing": 50})
    await page.locator("[data-room=news]").click()
    await expect(shut(page)).to_have_text("Only some people can write in this room.")
    await expect(page.get_by_test_id("empty-room").locator("p")).to_have_text("Nobody has written here yet.")


async def test_a_message_above_the_limit_says_so_and_goes_later_by_itself(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.chat.update_room("general", slow_mode=30)
    page = await new_page()
    await page.clock.install()
    await enter(page, "Ada")
    await say(page, "one")
    await write(page, "two")

    row = messages(page).last
    await expect(row).to_contain_text(
        re.compile(r"Slow mode is on in this room\. It will be sent in ([1-9]|[12]\d|30) s\.")
    )
    await page.clock.run_for(10_000)
    await expect(row).to_contain_text(re.compile(r"It will be sent in ([1-9]|1\d|20) s\."))
    await served.chat.add_member("general", served.user("Ada"), "moderator")  # whom slow mode spares
    await page.clock.run_for(21_000)
    await expect(row).to_have_attribute("data-status", "sent")


async def test_what_slow_mode_holds_back_can_be_taken_back_and_goes_at_once_when_it_ends(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.chat.update_room("general", slow_mode=3600)
    page = await new_page()
    await enter(page, "Ada")
    await say(page, "one")
    await write(page, "two")
    held = page.get_by_test_id("held")

    await held.get_by_role("button", name="Edit").click()
    await expect(messages(page)).to_have_count(1)
    await expect(composer(page)).to_have_value("two")
    await expect(composer(page)).to_be_focused()
    await write(page, "three")
    await expect(held).to_be_visible()
    await served.chat.update_room("general", slow_mode=0)
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    await expect(held).to_have_count(0)
