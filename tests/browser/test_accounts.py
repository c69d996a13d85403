"""The example's accounts at the screen: coming, staying, leaving, and what ends it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyotp
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from playwright.async_api import Page, Request, expect

from example_app.accounts.accounts import Accounts, Lifetimes
from example_app.accounts.passwords import Passwords
from example_app.server import add_accounts
from tests.browser.acts import enter, entered, lines, messages, say
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.server import http_request

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "correct horse battery"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class Clock:
    """The time of the accounts, which a test moves; the chat's is the real one."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(loop_scope="session")
async def open_site(served: ServedApp, tmp_path: Path, clock: Clock) -> Callable[..., Any]:
    """`await open_site(access=3)`: the example with accounts; its lifetimes."""

    async def open_site(**lifetimes: float) -> ServedApp:
        accounts = Accounts(tmp_path / "accounts.sqlite3", Lifetimes(**lifetimes), clock)
        accounts.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        add_accounts(served.app, served.chat, accounts)
        served.app.ctx.accounts = accounts
        await served.open()
        return served

    return open_site


async def sign_up(page: Page, name: str = "Ada") -> None:
    await page.goto("/#/general")
    await page.get_by_test_id("open-sign-up").click()
    await page.get_by_test_id("account-name").fill(name)
    await page.get_by_test_id("account-password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await entered(page)


async def sign_in(page: Page, password: str = PASSWORD, name: str = "Ada") -> None:
    await page.goto("/#/general")
    await page.get_by_test_id("open-sign-in").click()
    await fill_in(page, password, name)


async def fill_in(page: Page, password: str, name: str = "Ada") -> None:
    await page.get_by_test_id("account-name").fill(name)
    await page.get_by_test_id("account-password").fill(password)
    await page.keyboard.press("Enter")


async def with_factor(site: ServedApp, clock: Clock) -> list[str]:
    """Ada has an account with a second factor; -> her recovery codes."""
    accounts: Accounts = site.app.ctx.accounts
    signed_in = await accounts.sign_up("Ada", PASSWORD, "")
    secret, _ = await accounts.propose_factor(signed_in.account, PASSWORD, "")
    login = await accounts.by_access(signed_in.access)
    return await accounts.confirm_factor(login, pyotp.TOTP(secret).at(int(clock())))


async def choose(page: Page, entry: str) -> None:
    await page.get_by_test_id("me-menu").click()
    await page.get_by_test_id(entry).click()


async def sign_out(page: Page) -> None:
    await choose(page, "sign-out")
    await expect(page.get_by_test_id("sign-in")).to_be_visible()


async def new_tab(page: Page) -> Page:
    tab = await page.context.new_page()
    await tab.goto("/#/general")
    await entered(tab)
    await page.bring_to_front()  # a browser draws little of what is behind
    return tab


def asked(page: Page) -> list[str]:
    """What the page asks of the accounts from now on."""
    paths: list[str] = []

    def note(request: Request) -> None:
        if "/accounts/" in request.url:
            paths.append(request.url.rpartition("/accounts/")[2])

    page.on("request", note)
    return paths


async def cookie(page: Page) -> str:
    [found] = [
        one
        for one in await page.context.cookies(f"{page.url.split('#')[0]}accounts/")
        if one["name"] == "login"
    ]
    return found["value"]


async def test_somebody_signs_up_by_keyboard_and_is_the_same_after_a_reload_and_in_another_tab(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    site = await open_site()
    page = await new_page()
    await page.goto("/#/general")
    await expect(page.get_by_test_id("name")).to_be_focused()

    for key in ("Tab", "Tab", "Tab", "Enter"):  # past "Enter" and "Sign in" to "Create an account"
        await page.keyboard.press(key)
    await expect(page.get_by_test_id("account-name")).to_be_focused()
    await page.keyboard.type("Ada")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await entered(page)  # the page loads itself again
    await say(page, "hello")

    ada = site.user("Ada")
    assert ada.id.startswith("user-")
    await page.reload()
    await expect(messages(page)).to_contain_text("Ada")
    tab = await new_tab(page)
    await say(tab, "from here too")
    await expect(lines(page)).to_have_text(["hello", "from here too"])
    assert site.user("Ada").id == ada.id
    await page.get_by_test_id("me-menu").click()
    await expect(page.get_by_test_id("rename")).to_have_count(0)


async def test_guests_come_in_as_ever_and_nothing_is_asked_about_them(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    site = await open_site()
    page = await new_page()
    paths = asked(page)

    await enter(page, "Bob")
    await say(page, "hello")
    await page.reload()
    await entered(page)

    assert site.user("Bob").guest
    assert paths == []


async def test_a_guest_may_sign_in_later(open_site: Callable[..., Any], new_page: Pages) -> None:
    site = await open_site()
    await sign_up(await new_page())
    page = await new_page()
    await enter(page, "Bob")

    await choose(page, "open-sign-up")
    await expect(page.get_by_test_id("sign-up-dialog")).to_contain_text("does not take over your rooms")
    await page.get_by_test_id("account-name").fill("Ada")
    await page.get_by_test_id("sign-in-instead").click()
    await expect(page.get_by_test_id("sign-in-dialog")).to_contain_text("does not take over your rooms")
    await expect(page.get_by_test_id("account-name")).to_have_value("Ada")
    await page.get_by_test_id("account-password").fill(PASSWORD)
    await page.keyboard.press("Enter")

    await expect(page.get_by_test_id("me")).to_contain_text("Ada")
    await say(page, "hello")
    assert not site.user("Ada").guest


async def test_a_wrong_password_is_said_in_one_way_and_the_form_stays(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    await open_site()
    await sign_up(await new_page())
    page = await new_page()
    problem = page.get_by_test_id("form-problem").last

    for name in ("Ada", "Nobody"):
        await sign_in(page, "wrong", name)
        await expect(problem).to_have_text("The name or the password is wrong.")
        await page.keyboard.press("Escape")
    await sign_in(page, "wrong")
    await expect(problem).to_have_text("The name or the password is wrong.")
    await expect(page.get_by_test_id("account-password")).to_be_focused()
    await page.get_by_test_id("account-password").fill(PASSWORD)
    await page.keyboard.press("Enter")

    await entered(page)


async def test_what_is_wrong_with_a_new_account_is_said_in_words(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    await open_site()
    await sign_up(await new_page())
    page = await new_page()
    await page.goto("/")
    await page.get_by_test_id("open-sign-up").click()
    name, password = page.get_by_test_id("account-name"), page.get_by_test_id("account-password")
    for typed, secret, said in (
        ("Ada", PASSWORD, "This name, or one that looks like it, is taken. Choose another one."),
        (
            "A da",
            PASSWORD,
            "Your name must have 3 to 32 letters, digits, dots, hyphens or underscores, and no spaces.",
        ),
        ("Bob", "bobbobbob1", "Your password is too easy to guess."),
    ):
        await name.fill(typed)
        await password.fill(secret)
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("form-problem").last).to_have_text(said)


async def test_the_token_is_renewed_while_connected_and_the_connection_stays(
    open_site: Callable[..., Any], new_page: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else it asks for another token so late that a page on a slow machine might not get one before the end.
    monkeypatch.setattr(
        "sanic_chatrooms.sessions.heartbeat._warning", lambda session: session.liveness.lifetime - 2
    )
    site = await open_site()
    page = await new_page()
    await sign_up(page)
    async with page.expect_response(lambda answer: answer.url.endswith("/accounts/refresh")):
        await say(page, "hello")
        [session] = [one.session for one in site.chat.connections()]
    await say(page, "still here")

    assert [one.session for one in site.chat.connections()] == [session]
    await expect(lines(page)).to_have_text(["hello", "still here"])


async def test_a_stolen_refresh_token_ends_the_login_and_the_page_says_so(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    site = await open_site(grace=0)
    page = await new_page()
    await sign_up(page)
    stolen = await cookie(page)
    await page.reload()
    await say(page, "hello")
    assert await cookie(page) != stolen

    host, port = site.url.removeprefix("http://").split(":")
    headers = {"Origin": site.url, "Cookie": f"login={stolen}"}
    answer = await http_request(host, int(port), "POST", "/accounts/refresh", headers)

    assert answer.status == 401
    await expect(page.get_by_test_id("ended")).to_contain_text("Your session has ended")
    await page.get_by_role("button", name="Sign in").click()
    await fill_in(page, PASSWORD)
    await expect(lines(page)).to_have_text(["hello"])


async def test_two_tabs_that_renew_at_once_both_stay(open_site: Callable[..., Any], new_page: Pages) -> None:
    await open_site()
    one = await new_page()
    await sign_up(one)
    two = await new_tab(one)

    for _ in range(3):
        await asyncio.gather(one.reload(), two.reload())
        for tab in (one, two):
            await entered(tab)
            await expect(tab.get_by_test_id("me")).to_contain_text("Ada")
    await say(one, "both are here")
    await expect(lines(two)).to_have_text(["both are here"])


async def test_a_login_that_ended_while_the_page_was_away_leads_back_to_the_form_for_accounts(
    open_site: Callable[..., Any], new_page: Pages, clock: Clock
) -> None:
    site = await open_site()
    page = await new_page()
    await sign_up(page)
    clock.ahead += 31 * 86400

    await site.chat.disconnect(site.user("Ada"), code=4001)

    await expect(page.get_by_test_id("ended")).to_contain_text(
        "Your session has ended, perhaps on another device. Sign in again."
    )
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_test_id("sign-in-dialog")).to_be_visible()


@pytest.mark.parametrize("entry", ["sign-out", "sign-out-everywhere"])
async def test_who_signs_out_is_signed_out_in_every_tab_and_a_guest_may_come(
    open_site: Callable[..., Any], new_page: Pages, entry: str
) -> None:
    site = await open_site()
    one = await new_page()
    await sign_up(one)
    two = await new_tab(one)
    elsewhere = await new_page()
    await sign_in(elsewhere)
    await entered(elsewhere)

    await choose(one, entry)
    if entry == "sign-out-everywhere":
        await one.get_by_test_id("answer-yes").click()

    await expect(one.get_by_test_id("signed-out")).to_have_text("You are signed out")
    await expect(two.get_by_test_id("ended").get_by_role("button", name="Sign in")).to_be_visible()
    if entry == "sign-out-everywhere":
        await expect(elsewhere.get_by_test_id("ended")).to_be_visible()
    else:
        await say(elsewhere, "still here")
    await enter(one, "Carl")
    assert site.user("Carl").guest


async def test_who_is_banned_from_the_server_reads_until_when_and_why(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    site = await open_site()
    page = await new_page()
    await sign_up(page)

    await site.chat.ban_user(site.user("Ada"), until=time.time() + 86400, reason="spam")

    ended = page.get_by_test_id("ended")
    for _ in range(2):
        await expect(ended).to_contain_text("You are banned until ")
        await expect(ended).to_contain_text("(reason: spam).")
        async with page.expect_event("load"):
            await page.get_by_role("button", name="Connect again").click()
    await page.get_by_test_id("sign-out").click()
    await expect(page.get_by_test_id("sign-in")).to_be_visible()


async def test_who_cannot_reach_the_server_is_told_that_they_are_still_signed_in(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    await open_site()
    page = await new_page()
    await sign_up(page)
    await page.route("**/accounts/log-out", lambda route: route.abort())

    await choose(page, "sign-out")

    await expect(page.get_by_test_id("toast")).to_contain_text("You are still signed in")
    await say(page, "hello")


async def test_a_second_factor_is_added_and_asked_for(
    open_site: Callable[..., Any], new_page: Pages, clock: Clock
) -> None:
    await open_site()
    page = await new_page(viewport={"width": 1280, "height": 800})
    await sign_up(page)
    await page.get_by_test_id("me-menu").click()
    await expect(page.get_by_test_id("second-factor")).to_be_visible()
    for entry in await page.get_by_role("menuitem").all():  # they are wider than the list of rooms
        await expect(entry).to_be_in_viewport(ratio=1)
    await page.get_by_test_id("second-factor").click()
    await page.get_by_test_id("account-password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    totp = pyotp.TOTP((await page.get_by_test_id("secret").inner_text()).replace(" ", ""))
    await expect(page.get_by_role("link", name="open the app")).to_have_attribute(
        "href", totp.provisioning_uri(name="Ada", issuer_name="Example chat")
    )
    picture = page.get_by_test_id("scan")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 100
    await page.get_by_test_id("account-code").fill(totp.at(int(clock())))
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("recovery").locator("li")).to_have_count(10)
    codes = await page.get_by_test_id("recovery").locator("li").all_inner_texts()
    for _ in range(2):  # browsers let a second Esc through
        await page.keyboard.press("Escape")
    await page.get_by_test_id("kept-codes").click()  # they are not shown again
    await sign_out(page)

    await sign_in(page)
    code = page.get_by_test_id("account-code")
    await expect(code).to_be_focused()
    await code.fill("000000")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("form-problem").last).to_contain_text("Your code does not fit")
    await code.fill(codes[0])
    await page.keyboard.press("Enter")
    await entered(page)


async def test_a_second_factor_is_turned_off_with_a_code(
    open_site: Callable[..., Any], new_page: Pages, clock: Clock
) -> None:
    site = await open_site()
    codes = await with_factor(site, clock)
    page = await new_page()
    await sign_in(page)
    await page.get_by_test_id("account-code").fill(codes[0])
    await page.keyboard.press("Enter")
    await entered(page)

    await choose(page, "second-factor")
    await page.get_by_test_id("account-password").fill(PASSWORD)
    await page.get_by_test_id("account-code").fill(codes[1])
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("drop-dialog")).to_have_count(0)
    await sign_out(page)
    await sign_in(page)
    await entered(page)


async def test_who_changes_the_password_stays_here_and_is_signed_out_elsewhere(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    await open_site()
    page, elsewhere = await new_page(), await new_page()
    await sign_up(page)
    await sign_in(elsewhere)
    await entered(elsewhere)

    await choose(page, "change-password")
    old, new = page.get_by_test_id("account-password"), page.get_by_test_id("new-password")
    await old.fill(PASSWORD)
    await new.fill("battery staple")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("password-changed").click()

    await say(page, "still here")
    await expect(elsewhere.get_by_test_id("ended")).to_be_visible()
    await elsewhere.get_by_role("button", name="Sign in").click()
    await fill_in(elsewhere, "battery staple")
    await expect(lines(elsewhere)).to_have_text(["still here"])


async def test_what_is_wrong_with_a_change_of_the_password_is_said_in_words(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    await open_site()
    page = await new_page()
    await sign_up(page)
    await choose(page, "change-password")
    old, new = page.get_by_test_id("account-password"), page.get_by_test_id("new-password")

    for typed, wanted, wrong, said in (
        ("wrong", "battery staple", old, "Your password is wrong."),
        (PASSWORD, "adaadaada11", new, "Your new password is too easy to guess."),
    ):
        await old.fill(typed)
        await new.fill(wanted)
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("form-problem").last).to_have_text(said)
        await expect(wrong).to_be_focused()


async def test_a_guest_who_wants_the_name_of_an_account_is_told_to_choose_another(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    await open_site()
    await sign_up(await new_page())
    page = await new_page()
    await page.goto("/#/general")
    await page.get_by_test_id("name").fill("ADA")
    await page.keyboard.press("Enter")

    await expect(page.get_by_test_id("form-problem").first).to_have_text(
        "Your name is reserved here; choose another."
    )
    await enter(page, "Adam")
    await say(page, "hello")


async def test_somebody_with_an_account_is_found_by_name_to_be_invited_or_written_to(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    site = await open_site()
    await site.app.ctx.accounts.sign_up("Carl", PASSWORD, "")
    page, carl = await new_page(), await new_page()
    await sign_up(page)
    await page.get_by_test_id("create-room").click()
    await page.get_by_test_id("room-title").fill("Secret")
    await page.get_by_label("Only members").check()
    await page.keyboard.press("Enter")
    await page.get_by_test_id("invite-first").click()
    dialog = page.get_by_test_id("invite-dialog")
    await expect(dialog.get_by_test_id("candidate").filter(has_text="Carl")).to_be_visible()
    await dialog.get_by_test_id("invite-field").fill("ca")
    await dialog.get_by_role("button", name="Invite Carl").click()
    await expect(dialog.get_by_test_id("done")).to_have_text("Invited")
    await dialog.get_by_test_id("invite-done").click()

    await sign_in(carl, name="Carl")
    await expect(carl.get_by_test_id("invitation")).to_contain_text("Secret")
    await page.get_by_test_id("new-message").click()
    await expect(page.get_by_test_id("switcher-field")).to_have_value("@")
    await page.keyboard.type("car")
    await expect(page.get_by_test_id("switcher-option")).to_have_text(["@ Carl"])
    await page.keyboard.press("Enter")
    await say(page, "Come in")
    await expect(carl.get_by_test_id("room").filter(has_text="Ada")).to_be_visible()


async def test_one_goes_from_one_form_to_the_other_and_sees_the_password(
    open_site: Callable[..., Any], new_page: Pages
) -> None:
    await open_site()
    page = await new_page()
    await page.goto("/#/general")
    await page.get_by_test_id("open-sign-in").click()
    await expect(page.get_by_test_id("sign-in-dialog")).to_contain_text("If you have lost your password")
    await expect(page.get_by_test_id("sign-in-dialog")).not_to_contain_text("guest")  # they are none yet
    await page.get_by_test_id("sign-up-instead").click()
    await expect(page.get_by_test_id("sign-in-dialog")).to_have_count(0)
    password = page.get_by_test_id("account-password")
    await password.fill(PASSWORD)
    await page.get_by_test_id("show-password").check()
    await expect(password).to_have_attribute("type", "text")
    await page.get_by_test_id("account-name").fill("Ada")
    await page.keyboard.press("Enter")
    await entered(page)


@pytest.mark.parametrize(
    "options", [{"color_scheme": "dark", **PHONE}, {"color_scheme": "light"}], ids=["phone", "desktop"]
)
async def test_the_forms_are_readable(
    open_site: Callable[..., Any], new_page: Pages, options: dict[str, Any]
) -> None:
    await open_site()
    page = await new_page(**options)
    touch = "has_touch" in options
    await page.goto("/#/")
    found: list[str] = []

    async def look(state: str, what: str) -> None:
        await expect(page.get_by_test_id(what)).to_be_visible()
        found.extend(f"{state}: {one}" for one in await problems(page, touch=touch))
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await new_page.screenshot(page, state)

    await look("entry", "open-sign-up")
    await page.get_by_test_id("open-sign-in").click()
    await look("sign-in", "account-password")
    await page.keyboard.press("Escape")
    await page.get_by_test_id("open-sign-up").click()
    await look("sign-up", "account-password")
    await page.get_by_test_id("account-name").fill("Ada")
    await page.get_by_test_id("account-password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await choose(page, "change-password")
    await look("password", "new-password")
    await page.keyboard.press("Escape")
    await choose(page, "second-factor")
    await look("factor", "account-password")
    await page.get_by_test_id("account-password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    secret = await page.get_by_test_id("secret").inner_text()
    await look("confirm", "account-code")
    await page.get_by_test_id("account-code").fill(pyotp.TOTP(secret.replace(" ", "")).now())
    await page.keyboard.press("Enter")
    await look("recovery", "recovery")

    assert found == []
