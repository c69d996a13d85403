"""Walks through every state of the pages, which STATES names. What is looked at in each state is for the tests to say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyotp
from argon2 import PasswordHasher
from playwright.async_api import Locator, Page, expect
from sanic import Sanic

from example_app.accounts.accounts import Accounts, Lifetimes
from example_app.accounts.passwords import Passwords
from example_app.server import add_accounts
from example_app.uploads.pages import Uploads, add_uploads
from sanic_chatrooms import Context, Forbidden, User
from sanic_chatrooms.hooks.middleware import Handler
from tests.browser.acts import coming_back, composer, cut, enter, entered, lines, messages, say, write
from tests.browser.audit import problems
from tests.browser.axe import violations
from tests.browser.conftest import PATIENCE, Pages
from tests.browser.served import ServedApp
from tests.browser.test_accounts import PASSWORD
from tests.browser.test_attachments import a_file, picture
from tests.browser.test_chat_room import put_shop
from tests.browser.test_growing import Broken, Writer
from tests.browser.test_marks import EVERYTHING, LONG
from tests.browser.test_safety import Rest
from tests.support.fixtures import Live
from tests.support.thorough import THOROUGH

STATES = {
    "accounts": """entry; entry refused; sign in; sign in refused; sign up; sign up refused; empty room with files; menu of the app;
        menu You; password; password refused; second factor; secret; recovery codes; files chosen; files sent; banned from the
        server""",
    "guests": """entry; loading; page not complete; empty room; name; new room; new room refused; settings; shortcuts; nobody blocked;
        switcher; switcher without rooms; notices, none; notice; notices; redirect; unknown room; address that leads nowhere""",
    "talk": """conversation; offer of notifications; tools of a message; long message unfolded; emoji; who reacted; editing; deleting; mentioning; formatting;
        refused message; limited message; typing; writing itself; interrupted; thread without replies; thread; thread that cannot be
        opened; unread and mentioned; jumped to; search; search without results; search refused; found; offline; search offline;
        details offline; back; server restarting""",
    "rooms": """invitation; declining; private room; inviting; nobody to invite; card of somebody; muting; removing; banning; role; nobody
        restricted; restricted; reporting; no reports; reports; menu of a room; notifications; details; pins; changing a room; change
        refused; archiving; archived; details of an archived room; deleting a room; name does not fit; folded; blocked people; muted;
        read only; leaving; removed; banned; cannot be opened; deleted room""",
    "element": """name; empty; talk; tools; deleting; muted; removed; unknown room; no room; offline; disconnected""",
}
TABLE = {walk: [" ".join(one.split()) for one in names.split(";")] for walk, names in STATES.items()}
BOB, EVE = User("bob", "Bob"), User("eve", "Eve Ω")


@dataclass
class Walk:
    """Goes through states of one page, and notes what is wrong with them."""

    site: ServedApp
    pages: Pages
    page: Page
    size: str
    scheme: Literal["light", "dark"]
    host: str | None = None
    seen: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    @property
    def touch(self) -> bool:
        return self.size == "phone"

    @property
    def narrow(self) -> bool:
        """It shows one pane at a time."""
        return self.size != "wide"

    async def look(self, state: str, what: str | Locator | None = None) -> None:
        """In both colours. `what`: a test id or an element that has to be visible first."""
        if what is not None:
            await expect(self.page.get_by_test_id(what) if isinstance(what, str) else what).to_be_visible()
        self.seen.append(state)
        self.found += [f"{state}, {one}" for one in await self.judge()]
        await self.pages.screenshot(self.page, f"{self.size}-{state.replace(' ', '-').replace(',', '')}")

    async def judge(self) -> list[str]:
        """What is wrong with what the page shows now. In the other scheme our own audit is enough, since only colours differ, whose
        contrasts it measures, too; with THOROUGH=1 axe measures them again."""
        other: Literal["light", "dark"] = "dark" if self.scheme == "light" else "light"
        all_found: list[str] = []
        for scheme in (self.scheme, other):
            await self.page.emulate_media(color_scheme=scheme)
            found = await problems(self.page, touch=self.touch, host=self.host)
            if scheme == self.scheme or THOROUGH:
                rules = ("color-contrast",) if scheme == other else ()
                found += await violations(self.page, host=self.host, rules=rules)
            all_found += [f"{scheme}: {one}" for one in found]
        return all_found

    async def press(self, test_id: str) -> None:
        await self.page.get_by_test_id(test_id).click()

    async def escape(self) -> None:
        await self.page.keyboard.press("Escape")
        await expect(self.page.locator("dialog[open], .menu:is([role=menu], [role=dialog])")).to_have_count(0)

    async def choose(self, entry: str) -> None:
        """From the menu "You", which a phone has beside the rooms."""
        if self.narrow:
            await self.page.goto("#/")
        await self.press("me-menu")
        await self.press(entry)

    async def go(self, room: str) -> None:
        await self.page.goto(f"#/{room}")
        await entered(self.page)

    async def go_shut(self, room: str) -> None:
        """To a room in which nobody can write."""
        await self.page.goto(f"#/{room}")
        await expect(self.page.get_by_test_id("shut")).to_be_visible()

    async def of_room(self, room: str, entry: str) -> None:
        """From the menu of the room."""
        if self.narrow:
            await self.page.goto(f"#/{room}")
        await self.press("room-menu")
        await self.press(entry)

    async def of_bob(self, room: str, act: str) -> None:
        if self.narrow:
            await self.page.goto(f"#/{room}/people")
        await self.page.get_by_role("button", name="Moderate Bob").click()
        await self.press(act)

    async def tools(self, message: Locator) -> None:
        """Show them: beside the message, or in a sheet where there are only fingers. Notices, which cover them on a small screen, are dismissed before."""
        await self.page.evaluate(
            "document.querySelectorAll('[data-testid=toast] button').forEach((one) => one.click())"
        )
        await message.focus()
        await expect(message.locator(".msg-tools")).to_be_visible()
        if self.touch:
            await message.get_by_test_id("message-acts").click()
            await expect(self.page.get_by_test_id("act-sheet")).to_be_visible()

    async def act(self, message: Locator, name: str) -> None:
        """Do something with a message."""
        await self.tools(message)
        await (self.page.get_by_test_id("act-sheet") if self.touch else message).get_by_test_id(name).click()


async def accounts(walk: Walk) -> None:
    page, look, press = walk.page, walk.look, walk.press
    name, password = page.get_by_test_id("account-name"), page.get_by_test_id("account-password")
    problem = page.get_by_test_id("form-problem")
    await walk.site.app.ctx.accounts.sign_up("Carl", PASSWORD, "")
    await page.goto("/#/general")
    await look("entry", "name")
    await page.get_by_test_id("name").fill("Carl")
    await page.keyboard.press("Enter")
    await expect(problem.first).not_to_be_empty()
    await look("entry refused")
    await press("open-sign-in")
    await look("sign in", name)
    await name.fill("Carl")
    await password.fill("wrong")
    await page.keyboard.press("Enter")
    await expect(problem.last).not_to_be_empty()
    await look("sign in refused")
    await page.keyboard.press("Escape")
    await press("open-sign-up")
    await look("sign up", name)
    await name.fill("A da")
    await password.fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(problem.last).not_to_be_empty()
    await look("sign up refused")
    await name.fill("Ada")
    await page.keyboard.press("Enter")
    await entered(page)
    await look("empty room with files", "attach")
    await press("room-menu" if walk.narrow else "app-pushes")
    await look("menu of the app", page.get_by_role("menu"))
    await walk.escape()
    if walk.narrow:
        await page.goto("#/")
    await press("me-menu")
    await look("menu You", page.get_by_role("menu"))
    await press("change-password")
    await look("password", password)
    await password.fill("wrong")
    await page.get_by_test_id("new-password").fill("battery staple")
    await page.keyboard.press("Enter")
    await expect(problem.last).not_to_be_empty()
    await look("password refused")
    await walk.escape()
    await walk.choose("second-factor")
    await look("second factor", password)
    await password.fill(PASSWORD)
    await page.keyboard.press("Enter")
    secret = (await page.get_by_test_id("secret").inner_text()).replace(" ", "")
    await look("secret", "secret")
    await page.get_by_test_id("account-code").fill(pyotp.TOTP(secret).now())
    await page.keyboard.press("Enter")
    await look("recovery codes", "recovery")
    await press("kept-codes")
    await walk.go("general")
    await page.get_by_test_id("chooser").set_input_files(
        [
            a_file("plan.png", picture(300, 200), "image/png"),
            a_file("notes.txt", b"beans"),
            a_file("a.exe", b"MZ\x90\0"),
        ]
    )
    await expect(page.locator("[data-testid=tray-file][data-state=done]")).to_have_count(2)
    await expect(page.get_by_test_id("tray-file").filter(has_text="a.exe")).to_contain_text("cannot be sent")
    await look("files chosen")
    await page.get_by_role("button", name="Remove a.exe").click()
    await press("send")
    await expect(page.get_by_test_id("picture").locator("img")).to_have_js_property("complete", True)
    await look("files sent", "file")
    await walk.site.chat.ban_user(walk.site.user("Ada"), until=time.time() + 86400, reason="spam")
    await look("banned from the server", "ended")


async def guests(walk: Walk) -> None:
    page, look, press, rest = walk.page, walk.look, walk.press, Rest()
    problem = page.get_by_test_id("form-problem")
    await page.goto("/chat/#/general")
    await look("entry", "name")
    await enter(page, "Ada", path="/chat/")
    await rest.follow(page)
    await page.reload(wait_until="commit")
    await look("loading", "skeleton")
    rest.lost = True
    rest.released.set()
    await look("page not complete", "ended")
    walk.pages.errors.clear()  # the page told its console what did not come
    rest.lost = False
    await page.get_by_role("button", name="Load again").click()
    await entered(page)
    await look("empty room", "empty-room")
    await walk.choose("rename")
    await look("name", "new-name")
    await walk.escape()
    await press("create-room")
    await look("new room", "room-title")
    await page.get_by_test_id("room-title").fill("General")
    await page.keyboard.press("Enter")
    await expect(problem).not_to_be_empty()
    await look("new room refused")
    await walk.escape()
    await walk.choose("settings")
    await look("settings", "settings-dialog")
    await walk.escape()
    await page.keyboard.press("Control+/")
    await look("shortcuts", "help-dialog")
    await walk.escape()
    await walk.choose("blocked-people")
    await look("nobody blocked", "none")
    await walk.escape()
    await press("open-switcher")
    await look("switcher", page.get_by_test_id("switcher-option").first)
    await page.get_by_test_id("switcher-field").fill("no such room")
    await look("switcher without rooms", page.get_by_text("Search messages for"))
    await walk.escape()
    await press("bell")
    await look("notices, none", page.get_by_role("dialog", name="Notices"))
    await walk.escape()
    await walk.go("general")
    await walk.site.chat.broadcast(
        "notice", {"title": "Lunch", "content": "A line that is long enough to be broken"}
    )
    await look("notice", "toast")
    if walk.narrow:
        await page.goto("#/")
    await press("bell")
    await look("notices", "notice-list")
    await walk.escape()
    await walk.site.chat.broadcast("redirect", {"url": "https://example.org/"})
    await look("redirect", "redirect-dialog")
    await walk.escape()
    await page.goto("#/n%20o")
    await look("unknown room", "unknown-room")
    await page.goto("#/general/other")
    await look("address that leads nowhere", "nowhere")


async def talk(walk: Walk) -> None:
    page, look, press, chat = walk.page, walk.look, walk.press, walk.site.chat

    await enter(page, "Ada", path="/chat/")
    ada = walk.site.user("Ada")
    await chat.add_member("general", ada, "moderator")
    await chat.add_member("news", ada)
    await page.reload()
    await entered(page)
    first = await chat.publish("general", "message", {"text": EVERYTHING}, sender=BOB)
    await chat.publish("general", "message", {"text": LONG}, sender=EVE)
    gone = await chat.publish("general", "message", {"text": "gone"}, sender=BOB)
    await chat.delete("general", gone.msg_id, reason="an advertisement")
    await chat.publish("general", "message", {"text": "@Ada look", "mentions": [ada.id]}, sender=BOB)
    await chat.react("general", first.msg_id, "👍", as_user=ada)
    await chat.pin("general", first.msg_id, as_user=ada)
    await say(page, "Mine")
    await chat.edit("general", first.msg_id, {"text": EVERYTHING + " Edited."})
    await look("conversation", lines(page).filter(has_text="@Ada look"))
    await look("offer of notifications", "question")
    await press("offer-off")
    await walk.tools(messages(page).nth(1))
    await look("tools of a message")
    if walk.touch:
        await walk.escape()
    await press("unfold-text")
    await look("long message unfolded")
    await walk.act(messages(page).first, "react")
    await look("emoji", "reaction-picker")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("reaction-picker")).to_have_count(0)  # then it gives the focus back
    await expect(messages(page).first).to_be_focused()
    await messages(page).first.get_by_role("button", name="👍").focus()
    await look("who reacted", "reaction-names")
    await composer(page).press("ArrowUp")
    await look("editing", "edit-field")
    await page.keyboard.press("Escape")
    await walk.act(messages(page).last, "delete")
    await look("deleting", "delete-dialog")
    await press("answer-no")
    async with chat.appear(BOB, rooms=["general"]):
        await composer(page).press_sequentially("@bo")
        await look("mentioning", page.get_by_test_id("mention-option").first)
        await page.keyboard.press("Escape")
        await composer(page).fill("**bread** and `code`")
        await press("formatting")
        await look("formatting", "preview")
        await composer(page).fill("")
        await press("formatting")
        await chat.typing("general", BOB)
        await expect(page.get_by_test_id("typing")).to_contain_text("Bob")
        await look("typing")
    await write(page, "SHOUT")
    await look("refused message", "failed")
    await page.get_by_role("button", name="Discard").click()
    await chat.add_member("general", ada, "member")
    await chat.update_room("general", slow_mode=30)
    await write(page, "one", "two")
    await look("limited message", "held")
    await chat.update_room("general", slow_mode=0)
    writer, failing = Writer(walk.site), Writer(walk.site)
    for one in (writer, failing):
        one.write("It is short:\n```python\na = 1")
    await look("writing itself", page.get_by_test_id("streaming").first)
    failing.write(Broken())
    await failing.ended()
    await look("interrupted", "stream-end")
    writer.write(None)
    await writer.ended()
    asked = await chat.publish("general", "message", {"text": "Where do we eat?"}, sender=BOB)
    row = messages(page).filter(has_text="Where do we eat?").first
    await walk.act(row, "reply")
    await expect(page.get_by_test_id("thread-count")).to_have_text("Nobody has replied yet.")
    await look("thread without replies", "thread")
    await chat.publish("general", "message", {"text": "Here", "parent": asked.msg_id}, sender=BOB)
    await expect(page.get_by_test_id("thread-log")).to_contain_text("Here")
    await look("thread")
    await page.goto("#/general/thread/no-such-message")
    await look("thread that cannot be opened", "thread-failed")
    await page.get_by_role("button", name="Close the thread").first.click()
    await page.goto("#/" if walk.narrow else "#/quiet")
    await chat.publish("news", "message", {"text": "for you", "mentions": [ada.id]}, sender=BOB)
    await look("unread and mentioned", "mention-count")
    await page.goto("#/general/at/1")
    await expect(messages(page).first).to_be_in_viewport()
    await look("jumped to")
    await search(walk)
    await page.context.set_offline(True)
    await look("offline", page.get_by_test_id("banner").get_by_text("You are offline."))
    await cut(page)
    await press("open-search")
    await page.get_by_test_id("search-field").fill("bread")
    await look("search offline", page.get_by_test_id("search-again"))
    await page.get_by_test_id("search-field").fill("")
    await walk.escape()
    await page.get_by_test_id("open-details").click()
    await look("details offline", "details-again")
    await walk.escape()
    async with coming_back(page):
        await page.context.set_offline(False)
    await look("back")
    await walk.site.stop()
    await look("server restarting", page.get_by_test_id("banner").get_by_text("The server is restarting."))


async def search(walk: Walk) -> None:
    page, state = walk.page, walk.page.get_by_test_id("search-state")
    await page.evaluate("import('/chat/static/details.js')")  # while there is a network
    await walk.press("open-search")
    await walk.look("search", "search-field")
    await page.get_by_test_id("search-field").fill("nothing like this")
    await expect(state).to_contain_text("No message")
    await walk.look("search without results")
    await page.get_by_test_id("search-field").fill(" ".join("abcdefghijklmnopq"))
    await expect(state).to_contain_text("too much")
    await walk.look("search refused")
    await page.get_by_test_id("search-field").fill("release")
    await walk.look("found", page.get_by_test_id("search-hit").locator("mark").first)
    await page.get_by_test_id("search-field").fill("")  # else Escape does that first
    await walk.escape()


async def rooms(walk: Walk) -> None:
    page, look, press, chat = walk.page, walk.look, walk.press, walk.site.chat
    problem = page.get_by_test_id("form-problem")
    title = "A room with a title that is longer than its place"
    await enter(page, "Ada", path="/chat/")
    ada = walk.site.user("Ada")
    await chat.create_room("secret", title="Secret", topic="For **us**", visibility="private")
    await chat.create_room("other", title=title, visibility="private")
    for user, role in ((ada, "owner"), (BOB, "member"), (EVE, "member")):
        await chat.add_member("secret", user, role)
    await chat.invite("other", ada)
    if walk.narrow:
        await page.goto("#/")
    await look("invitation", "invitation")
    await press("decline")
    await look("declining", "decline-dialog")
    await press("answer-no")
    said = await chat.publish("secret", "message", {"text": "Keep this"}, sender=BOB)
    await chat.pin("secret", said.msg_id, as_user=ada)
    async with chat.appear(BOB, rooms=["secret"]):
        await walk.go("secret")
        await look("private room", "room-lock")
        await of_bob(walk)
        await of_messages(walk)
        await of_room(walk)
        await press("details-change")
        await look("changing a room", "settings-title")
        await page.get_by_test_id("settings-title").fill(" ")
        await page.get_by_role("button", name="Save").click()
        await expect(problem).not_to_be_empty()
        await look("change refused")
        await page.get_by_role("button", name="Cancel").click()
        await press("details-archive")
        await look("archiving", "archive-dialog")
        await press("answer-yes")
        await look("details of an archived room", "details-reopen")
        await walk.escape()
        await walk.go_shut("secret")
        await look("archived", "shut")
        await press("open-details")
        await press("details-delete")
        await look("deleting a room", "delete-name")
        await page.get_by_test_id("delete-name").fill("Garden")
        await page.get_by_role("button", name="Delete for good").click()
        await expect(problem).not_to_be_empty()
        await look("name does not fit")
        await page.get_by_role("button", name="Cancel").click()
        await press("details-reopen")
        await expect(page.get_by_test_id("details-archive")).to_be_visible()
        await walk.escape()
        await walk.of_bob("secret", "block")
        await walk.go("secret")
        await look("folded", page.get_by_test_id("folded").first)  # lines about the room part them
        await walk.choose("blocked-people")
        await look("blocked people", "blocked-person")
        await walk.escape()
        await walk.of_room("secret", "leave")
        await look("leaving", "leave-dialog")
        await press("answer-no")
    await ends(walk, ada)


async def of_bob(walk: Walk) -> None:
    """What a moderator does about Bob."""
    page, look = walk.page, walk.look
    await walk.of_room("secret", "restrictions")
    await look("nobody restricted", "none")
    await walk.escape()
    if walk.narrow:
        await page.goto("#/secret/people")
    await page.get_by_role("button", name="Moderate Bob").click()
    await look("card of somebody", "block")
    await walk.escape()
    for act, state in (("member.mute", "muting"), ("member.kick", "removing"), ("member.ban", "banning")):
        await walk.of_bob("secret", act)
        await look(state, "act-dialog")
        await walk.escape()
    await walk.of_bob("secret", "member.role")
    await look("role", "role-dialog")
    await walk.escape()
    await walk.site.chat.mute("secret", BOB, reason="A reason that is long enough to be broken into lines")
    await walk.of_room("secret", "restrictions")
    await look("restricted", "restriction")
    await walk.escape()
    if walk.narrow:
        await page.goto("#/secret/people")
    await walk.press("invite")
    await look("inviting", "invite-dialog")
    await page.get_by_test_id("invite-field").fill("n o b o d y")
    await look("nobody to invite", "invite-nothing")
    await walk.escape()


async def of_messages(walk: Walk) -> None:
    page, look = walk.page, walk.look
    await walk.of_room("secret", "reports")
    await look("no reports", "none")
    await walk.escape()
    await walk.go("secret")
    await walk.act(messages(page).first, "report")
    await look("reporting", "report-dialog")
    await page.get_by_test_id("reason").fill("An advertisement, and not the first one of this kind")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("report-dialog")).to_have_count(0)
    await walk.of_room("secret", "reports")
    await look("reports", "report-line")
    await walk.escape()


async def of_room(walk: Walk) -> None:
    """And leave its details open."""
    page, look = walk.page, walk.look
    await walk.press("room-menu")
    await look("menu of a room", page.get_by_role("menu"))
    await walk.press("room-notifications")
    await look("notifications", "prefs-dialog")
    await walk.escape()
    await walk.of_room("secret", "room-pins")
    await look("pins", "pin-line")
    await walk.escape()
    if (
        not walk.narrow
    ):  # else it is there, and going there once more is a step back, which may close what is opened next
        await walk.go("secret")
    await walk.press("open-details")
    await expect(page.get_by_test_id("member")).to_have_count(3)
    await look("details", "details-facts")


async def ends(walk: Walk, ada: User) -> None:
    """What becomes of somebody in rooms."""
    page, look, chat = walk.page, walk.look, walk.site.chat
    await walk.go("general")
    await chat.mute("general", ada, reason="A reason that is long enough to be broken into lines")
    await look("muted", "shut")
    await chat.unmute("general", ada)
    await chat.update_room("news", permissions={"message": 50, "typing": 50})
    await page.goto("#/news")
    await look("read only", "shut")
    await walk.go("secret")
    await chat.kick("secret", ada)
    await look("removed", "removed")
    await walk.go("general")
    await chat.ban("general", ada, reason="spam")
    await look("banned", "removed")
    await page.reload()
    await look("cannot be opened", "failed-room")
    await walk.go("quiet")
    await chat.delete_room("quiet")
    await expect(page.get_by_test_id("removed")).to_contain_text("deleted")
    await look("deleted room")


async def element(walk: Walk) -> None:
    page, look, chat = walk.page, walk.look, walk.site.chat
    await page.goto("/shop")
    await look("name", "name")
    await look("empty", "empty-room")
    await page.get_by_test_id("name").fill("Ada")
    await page.keyboard.press("Enter")
    await expect(composer(page)).to_be_visible()
    await chat.publish("general", "message", {"text": EVERYTHING}, sender=BOB)
    await say(page, "Hello")
    await look("talk", lines(page).first)
    await walk.tools(messages(page).last)
    await look("tools")
    await (
        (page.get_by_test_id("act-sheet") if walk.touch else messages(page).last)
        .get_by_test_id("delete")
        .click()
    )
    await look("deleting", "delete-dialog")
    await walk.press("answer-no")
    ada = walk.site.user("Ada")
    await chat.mute("general", ada, reason="spam")
    await look("muted", "shut")
    await chat.unmute("general", ada)
    await chat.kick("general", ada)
    await look("removed", "removed")
    await page.get_by_role("button", name="Join again").click()
    await page.evaluate("document.querySelector('chat-room').room = 'n o'")
    await look("unknown room", "unknown-room")
    await page.evaluate("document.querySelector('chat-room').removeAttribute('room')")
    await look("no room", "no-room")
    await page.evaluate("document.querySelector('chat-room').room = 'general'")
    await expect(composer(page)).to_be_visible()
    await page.context.set_offline(True)
    await look("offline", page.get_by_text("You are offline."))
    await page.context.set_offline(False)
    await expect(page.get_by_text("You are offline.")).to_be_hidden()
    await say(page, "Here again")  # connected, as the server sees it too
    async with asyncio.timeout(PATIENCE / 1000):
        while not await page.get_by_test_id("ended").is_visible():
            # Again, since who is just coming back once more was not sent away.
            await chat.disconnect(ada, reason="See you tomorrow")
            await page.wait_for_timeout(300)
    await look("disconnected", "ended")


WALKS: dict[str, Callable[[Walk], Awaitable[None]]] = {
    "accounts": accounts,
    "guests": guests,
    "talk": talk,
    "rooms": rooms,
    "element": element,
}


def a_site(app: Sanic[Any, Any], live: Live, directory: Path) -> ServedApp:
    """The example with accounts, files, an index for the search, and a page of somebody else with the element."""
    served = ServedApp(app, live, store=f"sqlite:///{directory / 'chat.sqlite3'}")
    accounts = Accounts(directory / "accounts.sqlite3", Lifetimes(), time.time)
    accounts.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    add_accounts(app, served.chat, accounts)
    app.ctx.accounts = accounts
    add_uploads(app, served.chat, Uploads(served.chat, directory))
    put_shop(app, '<chat-room room="general"></chat-room>')

    @served.chat.middleware("message")
    async def calm(ctx: Context, call_next: Handler) -> Any:
        if ctx.payload.get("text") == "SHOUT":
            raise Forbidden("no shouting")
        return await call_next(ctx)

    return served
