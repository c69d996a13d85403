"""Whatever stands in names, texts, files and addresses stays text: nothing of it runs, becomes an element or is loaded, and the policy is strict.

The server refuses some of this, such as markup in the name of a role. Here it comes to the page all the same, as from a server that lets
everything pass: the tests write `p-7-x`, and on its way to the page that becomes PAYLOADS[7].
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Page, WebSocketRoute, expect
from sanic import Sanic

from sanic_chatrooms import Context, Forbidden, User
from sanic_chatrooms.hooks.middleware import Handler
from sanic_chatrooms.testing import MemoryClient
from tests.browser.acts import composer, enter, entered
from tests.browser.conftest import Pages
from tests.browser.payloads import ELEMENTS, PAYLOADS
from tests.browser.served import ServedApp
from tests.browser.test_chat_room import put_shop
from tests.support.fixtures import Live
from tests.support.joined import joined
from tests.support.server import http_request
from tests.support.thorough import THOROUGH

PARTS = 1 if THOROUGH else 3
"""In how many parts the payloads are put into the page. Each part has some of every kind, and each place gets another one."""


def part(number: int) -> range:
    """Which of the payloads are in this part."""
    return range(number % PARTS, len(PAYLOADS), PARTS)


ROOM, LISTS, TYPED, ADDRESS, ELEMENT = part(0), part(1), part(2), part(0), part(1)
MARK = re.compile(r"p-(\d+)-x")
PERSON = User("eve", "Eve")

# Sees every element and attribute that ever comes into the page, also into a shadow.
GUARD = """
window.hits = [];
window.odd = [];
window.drawn = new Set(); // messages, also those that have gone from the page since
window.told = [];
window.Notification = class {
    static permission = "granted";
    constructor(title, { body }) { told.push([title, body]); }
    close() {}
};
document.hasFocus = () => false;
window.hit = () => hits.push(Error().stack);
for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => hits.push(name);
document.addEventListener("securitypolicyviolation", ({ blockedURI, violatedDirective }) => odd.push(`policy: ${violatedDirective} ${blockedURI}`));
const ADDRESSES = ["href", "src", "action", "formaction", "data", "poster", "srcset", "background", "ping", "xlink:href", "cite"];
const OURS = { SCRIPT: ({ src }) => src, LINK: ({ rel }) => /^(stylesheet|icon|manifest|apple-touch-icon|modulepreload|preload)$/.test(rel), META: ({ httpEquiv }) => !httpEquiv, "CHAT-ROOM": () => location.pathname === "/shop" };
const FOREIGN = /^(IFRAME|FRAME|OBJECT|EMBED|BASE|STYLE|MATH|VIDEO|AUDIO|SOURCE|TEMPLATE|MARQUEE|ANIMATE|FOREIGNOBJECT)$/i;
const fits = (value) => {
    const { protocol, origin } = new URL(value, document.baseURI);
    return /^(https?|mailto|blob):$/.test(protocol) || value.startsWith("data:,") || origin === location.origin;
};
const looked = (one) => {
    const { attributes, dataset } = one;
    const tagName = one.tagName.toUpperCase(); // of SVG it is small
    if (dataset?.testid === "message") drawn.add(dataset.msgId);
    const home = () => [one.src || one.href].filter(Boolean).every((url) => new URL(url, location.href).origin === location.origin || url === "data:,");
    const ourNote = one.textContent.includes("This chat needs JavaScript.");
    if (FOREIGN.test(tagName) || (tagName === "NOSCRIPT" && !ourNote) || (OURS[tagName] && !(OURS[tagName](one) && home())) || (tagName === "IMG" && !home())) odd.push(`element ${one.outerHTML.slice(0, 200)}`);
    for (const { name, value } of attributes) {
        if (/^on|^srcdoc$/i.test(name)) odd.push(`attribute ${name} of ${one.outerHTML.slice(0, 200)}`);
        if (name === "style" && /url|expression|@/i.test(value)) odd.push(`style ${value}`);
        if (ADDRESSES.includes(name) && !fits(value)) odd.push(`address ${value} in ${tagName}`);
    }
};
const lookThrough = (node) => node.nodeType === 1 && [node, ...node.querySelectorAll("*")].forEach(looked);
const follow = (root) => new MutationObserver((records) => {
    for (const { type, target, addedNodes } of records) type === "attributes" ? looked(target) : addedNodes.forEach(lookThrough);
}).observe(root, { subtree: true, childList: true, attributes: true });
follow(document);
const { attachShadow } = Element.prototype;
Element.prototype.attachShadow = function (...how) {
    const root = attachShadow.apply(this, how);
    follow(root);
    return root;
};
// For the tests: until something holds, without waiting longer than needed.
window.until = async (test, what) => {
    for (let n = 0; n < 10000; n++) {
        if (test()) return true;
        await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error(`not in time: ${what}`);
};
window.find = (id) => document.querySelector(`[data-testid="${id}"]`);
"""

# Writes and sends each, with the preview open.
TYPE = """async (texts) => {
    for (const text of texts) {
        find("composer").value = text;
        find("composer").dispatchEvent(new Event("input"));
        await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        find("composer").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    }
}"""
FILL = """async ([id, texts]) => {
    for (const text of texts) {
        find(id).value = text;
        find(id).dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise((resolve) => setTimeout(resolve));
    }
}"""
ALL_OF = """async ([more, line, least]) => {
    const lines = () => document.querySelectorAll(`[data-testid="${line}"]`).length;
    await until(() => lines(), line);
    while (lines() < least) {
        const before = lines();
        find(more).click();
        await until(() => lines() > before, `${more} after ${before}`);
    }
}"""
SCROLL_UP = """(count) => until(() => {
    find("thread-log").scrollTop = 0;
    return drawn.size >= count;
}, "older replies")"""
GO = """async (texts) => {
    for (const text of texts) {
        const id = encodeURIComponent(text);
        for (const hash of [text, `#/${id}`, `#/@${id}`, `#/general/at/${id}`, `#/general/thread/${id}`]) {
            location.hash = hash;
            await new Promise((resolve) => setTimeout(resolve));
        }
    }
}"""


# Takes each as a name, and as the title of a room.
CALLED = """async (texts) => {
    const answer = async (button, entry, field, text) => {
        find(button).click();
        if (entry) find(entry).click();
        await until(() => find(field), field);
        find(field).value = text;
        find(field).form.requestSubmit();
        await until(() => !find(field) || find("form-problem").textContent, `answer to ${text}`);
        find(field)?.closest("dialog").close();
        await until(() => !find(field), "the end of the dialog");
    };
    for (const text of texts) {
        await answer("me-menu", "rename", "new-name", text);
        await answer("create-room", null, "room-title", text);
    }
}"""
ATTRIBUTES = """async (texts) => {
    for (const name of ["name", "room"])
        for (const text of texts) {
            document.querySelector("chat-room").setAttribute(name, text);
            await new Promise((resolve) => setTimeout(resolve));
        }
}"""
NO_WEB = re.compile(r"(javascript|data|vbscript|blob|file):", re.IGNORECASE)


def texts(some: range) -> list[str]:
    return [PAYLOADS[at] for at in some]


def mark(at: int) -> str:
    return f"p-{at}-x"


def unmasked(text: str) -> str:
    return MARK.sub(lambda found: json.dumps(PAYLOADS[int(found[1])])[1:-1], text)


class Watched:
    """A page to which payloads come, and that is not to take one of them for more than a text."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home
        self.elsewhere: list[str] = []

    async def begin(self) -> None:
        await self.page.add_init_script(GUARD)
        await self.page.route_web_socket("**/ws", self._between)
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("dialog", lambda dialog: self._note(f"dialog {dialog.message}"))
        self.page.on("framenavigated", lambda frame: self._note(frame.url))
        self.page.context.on("page", lambda page: self._note(f"window {page.url}"))

    def _between(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda frame: socket.send(unmasked(frame) if isinstance(frame, str) else frame))

    def _note(self, what: str) -> None:
        if not what.startswith((self.home, "data:,", f"blob:{self.home}", "about:blank")):
            self.elsewhere.append(what)

    async def has_drawn(self, count: int) -> None:
        await self.page.wait_for_function("(count) => drawn.size >= count", arg=count)

    async def is_clean(self) -> None:
        # Animations and timers of what was put in would have run by then.
        await self.page.evaluate(
            "new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50)))"
        )
        assert await self.page.evaluate("hits") == []
        assert await self.page.evaluate("odd.slice(0, 20)") == []
        assert self.elsewhere == []


@pytest_asyncio.fixture(loop_scope="session")
async def served(
    app: Sanic[Any, Any], live: Live, tmp_path: Path, often: None, request: pytest.FixtureRequest
) -> AsyncIterator[ServedApp]:
    """By its parameter with a store that has an index."""
    searches = getattr(request, "param", "") == "searches"
    store = {"store": f"sqlite:///{tmp_path / 'chat.sqlite3'}"} if searches else {}
    served = ServedApp(app, live, **store, rate_limits=False, max_rooms_per_connection=2000)
    put_shop(app, '<chat-room room="general" name="Ada"></chat-room>')

    @served.chat.middleware("message")
    async def refuse(ctx: Context, call_next: Handler) -> Any:
        if ctx.room == "refusing":
            raise Forbidden(mark(int(ctx.payload["text"])))
        return await call_next(ctx)

    yield served


async def watched(pages: Pages, served: ServedApp, path: str = "/chat/", **options: Any) -> Watched:
    page = Watched(await pages(viewport={"width": 1280, "height": 800}, **options), served.url)
    await page.begin()
    if path != "/shop":
        await enter(page.page, "Ada", path=path)
    return page


def test_there_are_enough_payloads() -> None:
    assert len(PAYLOADS) >= 200


def test_each_payload_is_put_somewhere_in_each_run() -> None:
    assert {*ROOM, *LISTS, *TYPED} == set(range(len(PAYLOADS)))


@pytest.mark.asyncio(loop_scope="session")
async def test_the_watch_sees_what_a_careless_page_would_put_in(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    it = await watched(new_page, served)
    for element in ELEMENTS:
        if not element.startswith("<body"):  # of which a browser takes nothing there
            put = "(text) => document.body.appendChild(document.createElement('div')).insertAdjacentHTML('beforeend', text)"
            await it.page.evaluate(f"(text) => {{ odd.length = 0; ({put})(text); }}", element)
            assert (
                await it.page.evaluate("new Promise((resolve) => setTimeout(() => resolve(odd.length)))") > 0
            ), element
    assert await it.page.evaluate("hits") == []  # the policy
    await it.page.close()  # it tells its console nothing more
    new_page.console.clear()


async def fill(served: ServedApp, at: int, ada: User, asked: str, eve: MemoryClient) -> None:
    """One payload in all places of the room `all`."""
    chat, text = served.chat, mark(at)
    person = User(f"u{at}", text)
    await chat.add_member("all", person, "reader")
    await chat.set_role("all", person, "moderator" if at % 2 else "admin")
    file = {
        "url": f"https://example.org/{text}",
        "name": text,
        "type": f"image/{text}",
        "size": 7,
        "sha256": "0" * 64,
    }
    body = {"text": "before", "attachments": [file], "mentions": [person.id, ada.id]}
    said = await chat.publish("all", "message", body, sender=person)
    await chat.edit("all", said.msg_id, {**body, "text": f"{text} @{text}"})
    await chat.react("all", said.msg_id, f":{text}:", as_user=ada)
    await chat.react("all", said.msg_id, "👍", as_user=person)
    await chat.pin("all", said.msg_id, as_user=ada)
    await chat.publish("all", "message", {"text": text, "parent": asked}, sender=person)
    gone = await chat.publish("all", "message", {"text": text}, sender=person)
    await eve.ack("report", room="all", payload={"msgId": gone.msg_id, "reason": text})
    await chat.delete("all", gone.msg_id, reason=text)
    await chat.mute("all", person, reason=text)


async def in_room(served: ServedApp, it: Watched) -> User:
    """Ada owns the room `all`, and is in it."""
    await served.chat.create_room("all", title="All")
    ada = served.user("Ada")
    await served.chat.add_member("all", ada, "owner")
    await it.page.goto("#/all")
    await entered(it.page)
    return ada


@pytest.mark.asyncio(loop_scope="session")
async def test_nothing_in_a_room_its_thread_its_details_and_its_lists_runs(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    it = await watched(new_page, served)
    page = it.page
    ada, last = await in_room(served, it), PAYLOADS[ROOM[-1]]
    asked = await served.chat.publish("all", "message", {"text": "all of it"}, sender=PERSON)
    eve = await joined(served.chat.running(), PERSON, "all")
    for count, at in enumerate(ROOM):
        await fill(served, at, ada, asked.msg_id, eve)
        if count % 20 == 0:  # it draws the newest ones only, and is to draw all
            await it.has_drawn(2 * count)
    await it.has_drawn(2 * len(ROOM))
    await page.wait_for_function("(count) => told.length >= count", arg=len(ROOM))
    await it.is_clean()
    for at in ROOM:
        await served.chat.update_room("all", title=mark(at), topic=mark(at))
    await expect(page.get_by_test_id("room-name")).to_have_text(last)
    await expect(page.get_by_test_id("room-about")).to_have_text(last)
    assert last[:9] in await page.title()

    await page.goto(f"#/all/thread/{asked.msg_id}")
    await expect(page.get_by_test_id("thread-log").get_by_test_id("message").last).to_be_visible()
    await page.evaluate(SCROLL_UP, 3 * len(ROOM))
    await page.goto("#/all")
    await page.reload()
    await entered(page)
    await page.get_by_test_id("open-details").click()
    for more, line, least in (("details-more", "member", len(ROOM)), ("pins-more", "pin-line", len(ROOM))):
        await page.evaluate(ALL_OF, [more, line, least])
    await it.is_clean()
    await page.get_by_test_id("details-close").click()
    for entry, line in (("reports", "report-line"), ("restrictions", "restriction")):
        await page.get_by_test_id("room-menu").click()
        await page.get_by_test_id(entry).click()
        await expect(page.get_by_test_id(line)).to_have_count(min(100, len(ROOM)))
        await page.get_by_test_id("list-done").click()
    await it.is_clean()
    await new_page.screenshot(page, "room")


@pytest.mark.asyncio(loop_scope="session")
async def test_nothing_in_lists_and_notices_runs(served: ServedApp, new_page: Pages) -> None:
    await served.open("random")
    it = await watched(new_page, served, "/")
    page, chat, ada = it.page, served.chat, served.user("Ada")
    half = len(LISTS) // 2  # of lists that show 200 rooms, or 200 invitations, to one who comes back
    async with AsyncExitStack() as present:
        for count, at in enumerate(LISTS):
            text = mark(at)
            await chat.create_room(f"invited-{at}", title=text, visibility="private")
            await chat.invite(f"invited-{at}", ada)
            await chat.broadcast("notice", {"title": text, "content": text})
            await chat.broadcast("update", {"field": "topic", "value": text})
            await chat.broadcast("update", {"field": text, "value": text})
            await present.enter_async_context(
                chat.appear(User(f"u{at}", text), rooms=["general" if at % 2 else "random"])
            )
            await chat.typing("general" if at % 2 else "random", User(f"u{at}", text))
            if count % 40 == 0 or at == LISTS[-1]:
                await page.get_by_test_id("bell").click()
                await expect(page.get_by_test_id("notice-list")).to_be_visible()
                await page.keyboard.press("Escape")
            if count == half:
                await expect(page.get_by_test_id("more-invitations")).to_be_visible()
                await page.get_by_test_id("more-invitations").click()
                await expect(page.get_by_test_id("invitation")).to_have_count(half + 1)
                for before in LISTS[: half + 1]:
                    await chat.delete_room(f"invited-{before}")
        await expect(page.get_by_test_id("topic")).to_have_text(PAYLOADS[LISTS[-1]])
        await expect(page.get_by_test_id("invitation")).to_have_count(len(LISTS) - half - 1)
        await chat.typing("general", User(f"u{LISTS[1]}", mark(LISTS[1])))
        await expect(page.get_by_test_id("typing")).to_contain_text("typing")
        await composer(page).press_sequentially("@")
        await expect(page.get_by_test_id("mention-option").first).to_be_visible()
        await page.keyboard.press("Escape")
        await page.goto("#/random")
        await expect(page.get_by_test_id("person").nth(20)).to_be_visible()
        await page.keyboard.press("Control+k")
        await page.evaluate(FILL, ["switcher-field", ["", *texts(LISTS)]])
        await page.keyboard.press("Escape")
        await it.is_clean()
    for some in (LISTS[:half], LISTS[half:]):
        for at in some:
            await chat.create_room(f"r{at}", title=mark(at))
        await page.goto("#/general")
        await page.reload()
        await expect(page.locator("[data-room]")).to_have_count(len(some) + 2)
        for at in some:
            await chat.delete_room(f"r{at}")
    for at in LISTS:
        if NO_WEB.match(re.sub(r"[\\x00-\\x20]", "", PAYLOADS[at])):
            await chat.broadcast("redirect", {"url": mark(at)})
    await chat.broadcast("notice", {"title": "After all", "content": "redirects"})
    await expect(page.get_by_test_id("toast").filter(has_text="After all")).to_be_visible()
    await expect(page.get_by_test_id("redirect-dialog")).to_have_count(0)
    await it.is_clean()
    await new_page.screenshot(page, "lists")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("served", ["searches"], indirect=True)
async def test_nothing_that_is_typed_sought_found_or_refused_runs(served: ServedApp, new_page: Pages) -> None:
    await served.open("refusing", "needles")
    it = await watched(new_page, served)
    await served.chat.add_member("needles", served.user("Ada"))
    for at in TYPED:
        await served.chat.publish("needles", "message", {"text": f"needle {mark(at)}"}, sender=PERSON)
    page, some = (
        it.page,
        texts(TYPED[:: 1 if THOROUGH else 3]),
    )  # where each takes a key press and what follows
    await page.get_by_test_id("formatting").click()
    await page.evaluate(TYPE, some)
    await it.has_drawn(len(some))
    await expect(page.locator("[data-status=pending]")).to_have_count(0)
    await it.is_clean()
    await page.goto("#/refusing")
    await entered(page)
    await page.evaluate(TYPE, [str(at) for at in TYPED[: len(some)]])
    await expect(page.get_by_test_id("failed")).to_have_count(len(some))
    for text in some[:3]:
        await composer(page).fill(text)
        await page.goto("#/general")
        await entered(page)
        await page.goto("#/refusing")
        await expect(composer(page)).to_have_value(text)
    await page.goto("#/needles")
    await entered(page)
    await page.get_by_test_id("open-search").click()
    await expect(page.get_by_test_id("search-field")).to_be_visible()
    await page.evaluate(FILL, ["search-field", texts(TYPED)])
    await page.get_by_test_id("search-field").fill("needle")
    await page.evaluate(ALL_OF, ["search-more", "search-hit", len(TYPED)])
    await it.is_clean()
    await page.keyboard.press("Escape")
    await page.evaluate(CALLED, some[::5])
    await it.is_clean()
    await new_page.screenshot(page, "typed")


@pytest.mark.asyncio(loop_scope="session")
async def test_nothing_in_an_address_or_in_what_the_browser_keeps_runs(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    it = await watched(new_page, served)
    page, some = it.page, texts(ADDRESS[:: 1 if THOROUGH else 3])  # where each takes a navigation of its own
    await page.evaluate(GO, some)
    await it.is_clean()
    for text in some[::40]:
        await page.goto(f"/chat/?{quote(text)}={quote(text)}#/general")
        await entered(page)
        await page.evaluate(
            "(text) => { for (const key of Object.keys(localStorage)) if (!/guest|token|name/.test(key)) localStorage.setItem(key, text); }",
            text,
        )
        await page.reload()
        await entered(page)
        await it.is_clean()
    host, port = served.url.removeprefix("http://").split(":")
    for at, text in enumerate(texts(ADDRESS)):
        path = ("", "chat/", "chat/static/", "static/")[at % 4]
        answer = await http_request(host, int(port), "GET", f"/{path}{quote(text, safe='')}")
        assert "<" not in text or text not in answer.text or "html" not in answer.headers["content-type"]


@pytest.mark.asyncio(loop_scope="session")
async def test_nothing_in_the_element_runs(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    it = await watched(new_page, served, "/shop")
    page = it.page
    await page.goto("/shop")
    await expect(page.get_by_test_id("here")).to_have_text("1 here")
    ada = served.user("Ada")
    for count, at in enumerate(ELEMENT):
        text = mark(at)
        person = User(f"u{at}", text)
        file = {
            "url": f"https://example.org/{text}",
            "name": text,
            "type": "a/b",
            "size": 7,
            "sha256": "0" * 64,
        }
        said = await served.chat.publish(
            "general", "message", {"text": text, "attachments": [file]}, sender=person
        )
        await served.chat.react("general", said.msg_id, f":{text}:", as_user=ada)
        await served.chat.update_room("general", topic=text, title=text)
        if count % 50 == 0:
            await it.has_drawn(count)
    await it.has_drawn(len(ELEMENT))
    await expect(page.get_by_test_id("room-name")).to_have_text(PAYLOADS[ELEMENT[-1]])
    await it.is_clean()
    await page.evaluate(ATTRIBUTES, texts(ELEMENT))
    await it.is_clean()
    await page.evaluate("document.querySelector('chat-room').setAttribute('room', 'general')")
    await expect(composer(page)).to_be_visible()
    await new_page.screenshot(page, "element")


@pytest.mark.parametrize("path", ["/", "/chat/"])
async def test_the_policy_of_the_pages_is_strict(served: ServedApp, path: str) -> None:
    await served.open()
    host, port = served.url.removeprefix("http://").split(":")
    answer = await http_request(host, int(port), "GET", path)

    rules = dict(one.strip().split(" ", 1) for one in answer.headers["content-security-policy"].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert not re.search(r"unsafe|\*|https?:", " ".join(rules.values()))
