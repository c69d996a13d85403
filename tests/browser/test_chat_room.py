"""<chat-room> in a page of somebody else, with a strict policy and styles of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect
from sanic import HTTPResponse, Request, Sanic, html, raw
from sanic import json as json_answer

from sanic_chatrooms import ChatRooms
from tests.browser.acts import composer, enter, messages, say, write
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.fixtures import Live
from tests.support.server import new_app
from tests.support.wire import SECRET, token

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>A shop</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="shop.css">
  <script type="module" src="{origin}/chat/chat-room.js"></script>
  <script type="module" src="shop.js"></script>
</head>
<body><main><h1>A shop</h1>{body}<button class="after">After</button></main></body>
</html>"""
LISTEN = """
const heard = window.heard = [];
for (const room of document.querySelectorAll("chat-room"))
  for (const type of ["message", "status", "error"])
    room.addEventListener(type, ({ detail }) => heard.push([type, detail.payload?.text ?? detail.state ?? detail.during]));
"""
DRAW = """
const room = document.createElement("chat-room");
room.room = "general";
const asked = (window.asked = []);
window.draw = (which = "later") => { room.token = async () => (asked.push(which), "TOKEN"); };
draw("first");
document.body.append(room);
"""
ROOM = '<chat-room room="general" name="Ada"></chat-room>'

Shop = Callable[..., None]


def put_shop(
    app: Sanic[Any, Any], body: str, *, script: str = LISTEN, css: str = "", origin: str = ""
) -> None:
    """A page at /shop, with these elements, this script and this style sheet."""
    parts = {
        "shop": (PAGE.format(body=body, origin=origin), "text/html"),
        "shop.js": (script, "text/javascript"),
        "shop.css": (css, "text/css"),
    }
    for name, (text, kind) in parts.items():

        async def answer(_: Request, text: str = text, kind: str = kind) -> HTTPResponse:
            return raw(text.encode(), content_type=f"{kind}; charset=utf-8")

        app.add_route(answer, f"/{name}", name=name.replace(".", "_"))


@pytest.fixture
def shop(served: ServedApp) -> Shop:
    """`shop(body)`: see put_shop."""
    return lambda body=ROOM, **more: put_shop(served.app, body, **more)


async def heard(page: Page) -> list[list[str]]:
    found: list[list[str]] = await page.evaluate("heard")
    return found


async def until_heard(page: Page, *wanted: str) -> None:
    await page.wait_for_function(
        "(wanted) => heard.some((one) => JSON.stringify(one) === wanted)",
        arg=json.dumps(wanted, separators=(",", ":")),
    )


async def senders(chat: ChatRooms, room: str) -> list[dict[str, Any]]:
    """Who wrote what is there, without the app."""
    return [one["sender"] for one in (await chat.history(room)).messages if one.get("sender")]


async def back(page: Page) -> None:
    """Wait for the connection, without the pauses between attempts."""
    await page.wait_for_function(
        "() => { const { chat } = document.querySelector('chat-room'); chat.reconnectNow(); return chat.state === 'online'; }"
    )


def here(page: Page) -> Locator:
    return page.get_by_test_id("here")


async def test_somebody_in_the_element_and_somebody_on_the_page_of_the_chat_talk(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop()
    await served.open()
    await served.say("general", "Welcome")
    ada, bob = await new_page(), await new_page()
    await ada.goto("/shop")
    await expect(messages(ada)).to_have_count(1)
    await enter(bob, "Bob", "general")

    await say(ada, "Hello from the shop")
    await expect(messages(bob).last).to_contain_text("Hello from the shop")
    await say(bob, "Hello from the chat")
    await expect(messages(ada).last).to_contain_text("Hello from the chat")
    await expect(ada.get_by_test_id("announcer")).to_contain_text("Bob: Hello from the chat")
    await expect(here(ada)).to_have_text("2 here")

    assert await ada.evaluate("document.querySelector('chat-room').status") == "online"
    told = await heard(ada)
    assert [text for kind, text in told if kind == "message"] == [
        "Hello from the shop",
        "Hello from the chat",
    ]
    assert ["status", "online"] in told
    assert [one for one in told if one[0] == "error"] == []
    assert [line for line in new_page.console if line.startswith("error")] == []
    await new_page.screenshot(ada, "talk")


async def test_a_guest_reads_before_the_name_and_is_known_at_the_next_visit(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop('<chat-room room="general"></chat-room>')
    await served.open()
    await served.say("general", "Welcome")
    page = await new_page()
    await page.goto("/shop")

    await expect(messages(page)).to_have_count(1)
    await expect(page.get_by_test_id("name")).to_be_visible()
    await expect(composer(page)).to_be_hidden()
    assert await page.evaluate("document.activeElement === document.body"), (
        "it took the focus from the page around"
    )
    await page.get_by_label("Your name").fill("Ada")
    await page.keyboard.press("Enter")
    await expect(composer(page)).to_be_focused()
    await say(page, "Hello")
    await expect(messages(page).last).to_contain_text("Ada")

    await page.reload()
    await expect(composer(page)).to_be_visible()
    await say(page, "Again")
    assert len({one["id"] for one in await senders(served.chat, "general")}) == 1


async def test_it_is_used_by_keyboard_alone(served: ServedApp, shop: Shop, new_page: Pages) -> None:
    shop()
    await served.open()
    page = await new_page()
    await page.goto("/shop")
    await expect(here(page)).to_have_text("1 here")
    await page.evaluate("document.querySelector('chat-room').focus()")
    await expect(composer(page)).to_be_focused()
    await page.keyboard.type("frist")
    await page.keyboard.press("Enter")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")

    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_test_id("edit-field")).to_be_focused()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("first")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("message-text").last).to_have_text("first (edited)")
    await expect(composer(page)).to_be_focused()
    await expect(messages(page).last).to_have_attribute("data-status", "sent")

    await messages(page).last.focus()
    await messages(page).last.get_by_test_id("react").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("emoji-field")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(messages(page).last).to_be_focused()
    await expect(page.get_by_test_id("reaction ❤️")).to_have_attribute("aria-pressed", "true")

    await messages(page).last.get_by_test_id("delete").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("answer-no")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("deleted")).to_be_visible()
    await expect(messages(page).last).to_be_focused()


async def test_styles_stay_on_their_side_and_the_page_has_the_last_word(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop(
        css="""
        body { color: rgb(1, 2, 3); font: italic 30px serif; letter-spacing: 9px; text-transform: uppercase; }
        button { background: rgb(255, 0, 0); } .msg, .composer { display: none; }
        chat-room { --accent: rgb(0, 128, 0); height: 300px; }
        chat-room::part(title) { font-size: 22px; }
        chat-room::part(message) { outline: 1px solid rgb(0, 0, 255); }
        """
    )
    await served.open()
    await served.say("general", "Welcome")
    page = await new_page(color_scheme="light")
    await page.goto("/shop")
    await expect(here(page)).to_have_text("1 here")
    text = page.get_by_test_id("message-text").last

    await expect(text).to_have_css("text-transform", "none")
    await expect(text).to_have_css("letter-spacing", "normal")
    await expect(text).to_have_css("font-size", "15px")
    await expect(text).to_have_css("font-style", "normal")
    await expect(text).to_have_css("color", "rgb(20, 24, 31)")
    await expect(composer(page)).to_be_visible()
    await expect(page.locator("chat-room")).to_have_css("height", "300px")
    await expect(page.get_by_test_id("room-name")).to_have_css("font-size", "22px")
    await expect(messages(page).last).to_have_css("outline-color", "rgb(0, 0, 255)")
    await composer(page).fill("…")
    await expect(page.get_by_test_id("send")).to_have_css("background-color", "rgb(0, 128, 0)")
    # And nothing leaks out.
    await expect(page.locator("button.after")).to_have_css("background-color", "rgb(255, 0, 0)")
    await expect(page.locator("h1")).to_have_css("font-style", "italic")


async def test_it_is_light_or_dark_as_the_page_around_it_or_as_it_says_itself(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop()
    await served.open()
    page = await new_page(color_scheme="dark")
    await page.goto("/shop")
    frame, element = page.locator(".frame"), page.locator("chat-room")
    light, dark = "rgb(255, 255, 255)", "rgb(22, 24, 29)"

    await expect(frame).to_have_css("background-color", light)  # the page knows no dark
    await page.evaluate("document.documentElement.style.colorScheme = 'light dark'")
    await expect(frame).to_have_css("background-color", dark)
    await element.evaluate("(room) => { room.theme = 'light'; }")
    await expect(frame).to_have_css("background-color", light)
    await element.evaluate("(room) => { room.theme = null; }")
    await expect(frame).to_have_css("background-color", dark)
    await page.emulate_media(color_scheme="light")
    await expect(frame).to_have_css("background-color", light)
    await element.evaluate("(room) => { room.theme = 'dark'; }")
    await expect(frame).to_have_css("background-color", dark)


async def test_it_lives_as_long_as_it_is_in_the_page(served: ServedApp, shop: Shop, new_page: Pages) -> None:
    shop('<div class="from"><chat-room room="general" name="Ada"></chat-room></div><div class="to"></div>')
    await served.open("support")
    page = await new_page()
    await page.goto("/shop")
    await expect(here(page)).to_have_text("1 here")
    await composer(page).fill("half a sen")

    await page.evaluate("document.querySelector('.to').append(document.querySelector('chat-room'))")
    await expect(composer(page)).to_have_value("half a sen")
    assert len(served.chat.connections()) == 1

    await page.evaluate("document.querySelector('chat-room').room = 'support'")
    await expect(page.get_by_test_id("room-name")).to_have_text("Support")
    await say(page, "A question")
    assert [one["payload"]["text"] for one in (await served.chat.history("support")).messages] == [
        "A question"
    ]

    await page.evaluate("window.room = document.querySelector('chat-room'); window.room.remove()")
    await served.alone()
    assert await page.evaluate("[room.status, room.chat]") == ["closed", None]

    await page.evaluate("document.body.append(room)")
    await expect(messages(page)).to_have_count(1)
    await say(page, "Another one")


async def test_what_is_written_while_the_server_is_away_is_sent_when_it_is_back(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop()
    await served.open()
    page = await new_page()
    await page.goto("/shop")
    await expect(here(page)).to_have_text("1 here")
    await served.stop()
    await expect(page.get_by_test_id("banner")).to_contain_text("Messages are kept")
    await write(page, "Are you there?")
    await expect(messages(page).last).to_have_attribute("data-status", "pending")

    await served.open()
    await back(page)

    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    await expect(messages(page).last).to_contain_text("Are you there?")


async def test_what_is_not_sent_yet_outlives_the_element(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop()
    await served.open()
    page = await new_page()
    await page.goto("/shop")
    await expect(here(page)).to_have_text("1 here")
    await served.stop()
    await write(page, "Are you there?")
    await page.evaluate(
        "Object.assign(window, { room: document.querySelector('chat-room') }).chat = room.chat"
    )
    await page.evaluate("room.remove()")
    await expect(page.locator("chat-room")).to_have_count(0)

    await served.open()
    await page.wait_for_function(
        "() => { chat.reconnectNow(); return chat.state === 'closed' && !chat.outbox.length; }"
    )

    assert [one["payload"]["text"] for one in (await served.chat.history("general")).messages] == [
        "Are you there?"
    ]


async def test_what_becomes_of_the_user_and_the_room_is_told(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop()
    await served.open()
    await served.say("general", "Welcome")
    page = await new_page()
    await page.goto("/shop")
    await say(page, "Hello")
    ada = served.user("Ada")

    await served.chat.mute("general", ada, reason="spam")
    await expect(page.get_by_test_id("shut")).to_contain_text(
        "You are muted until further notice (reason: spam)"
    )
    await expect(composer(page)).to_be_hidden()
    await served.chat.unmute("general", ada)
    await expect(composer(page)).to_be_visible()
    await served.chat.update_room("general", topic="Be kind")
    await expect(page.get_by_test_id("room-about")).to_have_text("Be kind")
    await served.chat.kick("general", ada)
    await expect(page.get_by_test_id("removed")).to_contain_text("You were removed from this room.")
    await expect(page.locator("button.primary")).to_have_count(0)
    await page.get_by_role("button", name="Join again").click()
    await expect(composer(page)).to_be_visible()


async def test_a_room_that_is_not_there_and_an_element_without_a_room_say_so(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop('<chat-room room="n o" name="Ada"></chat-room><chat-room name="Bob"></chat-room>')
    await served.open()
    page = await new_page()
    await page.goto("/shop")

    await expect(page.get_by_test_id("unknown-room")).to_contain_text("There is no room “n o”")
    await expect(page.get_by_test_id("unknown-room").get_by_role("button")).to_have_count(0)
    await expect(page.get_by_test_id("no-room")).to_contain_text("This chat is not available")
    await new_page.until_written("it needs the attribute room")  # for developers
    await until_heard(page, "error", "join")

    await page.evaluate("for (const room of document.querySelectorAll('chat-room')) room.room = 'general'")
    await expect(here(page)).to_have_text(["1 here", "1 here"])


async def test_the_app_says_who_its_user_is(app: Sanic[Any, Any], live: Live, new_page: Pages) -> None:
    chat = ChatRooms(jwt_secret=SECRET, drain_seconds=0)
    app.blueprint(chat.bp)
    signed_in: list[str] = []

    @app.post("/who")
    async def who(_: Request) -> HTTPResponse:
        return json_answer({"token": token(signed_in[0], name="Ada")}) if signed_in else html("", status=401)

    put_shop(app, '<chat-room room="general" token-url="/who"></chat-room>')
    server = await live()
    await chat.create_room("general", title="General")
    page = await new_page(base_url=server.url)

    signed_in.append("user-7")
    await page.goto("/shop")
    await expect(here(page)).to_have_text("1 here")
    await expect(page.get_by_test_id("name")).to_have_count(0)
    await say(page, "Hello")
    assert [one["id"] for one in await senders(chat, "general")] == ["user-7"]

    await chat.revoke(user="user-7")
    await expect(page.get_by_test_id("ended")).to_contain_text("Sign in again")
    await until_heard(page, "error", "connection")
    signed_in[0] = "user-8"
    await page.get_by_role("button", name="Connect again").click()
    await expect(here(page)).to_have_text("1 here")
    await say(page, "Back")


async def test_its_messages_have_marks_by_keys_and_by_buttons_and_long_ones_are_folded(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop()
    await served.open()
    await served.say("general", "\n".join(f"line {number}" for number in range(60)))
    page = await new_page(viewport={"width": 1280, "height": 900})
    await page.goto("/shop")
    unfold = page.get_by_test_id("unfold-text")
    await expect(unfold).to_have_attribute("aria-expanded", "false")
    await unfold.click()
    await expect(unfold).to_have_text("Show less")

    await composer(page).fill("bread")
    await composer(page).select_text()
    await page.keyboard.press("Control+b")
    await expect(composer(page)).to_have_value("**bread**")
    await page.get_by_test_id("formatting").click()
    await expect(page.get_by_test_id("preview").locator("strong")).to_have_text("bread")
    await page.get_by_test_id("format-list").click()
    await expect(composer(page)).to_have_value("- **bread**")
    await composer(page).press("Enter")
    await expect(messages(page).last.locator("li strong")).to_have_text("bread")
    await new_page.screenshot(page, "marks")


async def test_a_page_of_another_site_places_it_where_the_server_allows_that(
    served: ServedApp, live: Live, new_page: Pages
) -> None:
    elsewhere = new_app("elsewhere")
    try:
        await served.open()
        put_shop(
            elsewhere,
            ROOM,
            origin=served.url,
        )
        other = await live(elsewhere)
        page = await new_page(base_url=other.url)

        await page.goto("/shop")
        await expect(page.get_by_test_id("banner")).to_be_visible()
        assert not served.chat.connections()

        await served.stop()
        served.app.config.CHATROOMS_ALLOWED_ORIGINS = [other.url]
        await served.open()
        await page.reload()
        await expect(here(page)).to_have_text("1 here")
        await say(page, "Hello")
    finally:
        Sanic.unregister_app(elsewhere)


async def test_properties_that_were_set_before_the_script_came_count(
    served: ServedApp, shop: Shop, new_page: Pages
) -> None:
    shop(
        "",
        script="""
const room = document.createElement("chat-room");
room.token = "none";
delete room.token;
room.setAttribute("room", "general");
Object.defineProperty(room, "token", { value: null, configurable: true, writable: true, enumerable: true });
document.body.append(room);
""",
    )
    await served.open()
    page = await new_page()
    await page.goto("/shop")

    await expect(page.get_by_test_id("name")).to_be_visible()
    assert await page.evaluate("Object.hasOwn(document.querySelector('chat-room'), 'token')") is False


async def test_two_elements_are_two_rooms(served: ServedApp, shop: Shop, new_page: Pages) -> None:
    shop(ROOM + ROOM.replace("general", "support"))
    await served.open("support")
    page = await new_page()
    await page.goto("/shop")
    first, second = page.locator("chat-room").first, page.locator("chat-room").last
    await expect(first.get_by_test_id("here")).to_have_text("1 here")
    await expect(second.get_by_test_id("here")).to_have_text("1 here")

    await first.evaluate("(room) => room.send('Hello').done")
    await second.evaluate("(room) => room.send('Help').done")

    await expect(first.get_by_test_id("message-text")).to_have_text(["Hello"])
    await expect(second.get_by_test_id("message-text")).to_have_text(["Help"])
    assert len(served.chat.connections()) == 2


async def test_it_is_sound_on_a_phone_in_its_states(served: ServedApp, shop: Shop, new_page: Pages) -> None:
    shop('<chat-room room="general"></chat-room>')
    await served.open()
    await served.say("general", "Welcome, read https://example.org first", "`code` and more of it")
    page = await new_page(viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)

    async def is_sound(state: str) -> None:
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            assert await problems(page, touch=True, host="chat-room") == []
            await new_page.screenshot(page, f"{state}-{scheme}")

    await page.goto("/shop")
    await expect(page.get_by_test_id("name")).to_be_visible()
    await is_sound("name")
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_test_id("enter").tap()
    await say(page, "Hello")
    await messages(page).last.tap()
    await expect(page.get_by_test_id("message-acts").last).to_be_visible()
    await is_sound("talk")
    await page.get_by_test_id("message-acts").last.tap()
    await page.get_by_test_id("delete").tap()
    await expect(page.get_by_test_id("delete-dialog")).to_be_visible()
    await is_sound("question")
    await page.get_by_test_id("answer-no").tap()
    await served.stop()
    await expect(page.get_by_test_id("banner")).to_contain_text("Messages are kept")
    await is_sound("offline")


async def test_a_function_for_tokens_may_be_a_new_one_at_every_drawing(
    app: Sanic[Any, Any], live: Live, new_page: Pages
) -> None:
    chat = ChatRooms(jwt_secret=SECRET, drain_seconds=0)
    app.blueprint(chat.bp)
    put_shop(app, "", script=DRAW.replace("TOKEN", token("user-7", name="Ada")))
    server = await live()
    await chat.create_room("general", title="General")
    page = await new_page(base_url=server.url)
    await page.goto("/shop")
    await expect(here(page)).to_have_text("1 here")
    first = {one.session for one in chat.connections()}

    await page.evaluate("draw()")
    await say(page, "Hello")

    assert {one.session for one in chat.connections()} == first
    assert await page.evaluate("asked") == ["first"]
