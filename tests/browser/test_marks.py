"""The small Markdown of messages: how it is drawn, written and told, and what becomes of long messages and of what is copied."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from sanic import Sanic

from sanic_chatrooms import User
from tests.browser.acts import composer, enter, entered, lines, messages, say, write
from tests.browser.audit import problems
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.support.fixtures import Live
from tests.support.thorough import only_thorough

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
BOT = User("bot", "Assistant")
EVERYTHING = """**Release 2.0** is *nearly* done, ~~tomorrow~~ today:

1. Read [the notes](https://docs.example.org/notes) or [bank.example](https://evil.example/)
2. Run the `migration`
   - on *one* machine
   - with nobody logged in
3. Tell everybody

> When is it?
> > At `nine`
```python
def release(version: str) -> None:
    print(f"**{version}**")
```
Not snake_case_names, not 2 * 3 * 4."""
LONG = "\n".join(f"line {number} of it" for number in range(1, 61)) + "\nhttps://example.org/end"


@pytest_asyncio.fixture(loop_scope="session")
async def served(app: Sanic[Any, Any], live: Live, tmp_path: Path) -> AsyncIterator[ServedApp]:
    """With a store that has an index."""
    yield ServedApp(app, live, store=f"sqlite:///{tmp_path / 'chat.sqlite3'}")


def unfold(page: Page) -> Locator:
    return page.get_by_test_id("unfold-text")


@pytest.mark.parametrize(
    "options",
    [{**DESKTOP, "color_scheme": "light"}, {**PHONE, "color_scheme": "dark"}],
    ids=["desktop-light", "phone-dark"],
)
async def test_a_message_is_drawn_with_its_marks(
    served: ServedApp, new_page: Pages, options: dict[str, Any]
) -> None:
    await served.open()
    await served.say("general", EVERYTHING)
    page = await new_page(**options)
    await enter(page, "Ada")
    said = lines(page).first

    await expect(said.locator("strong")).to_have_text("Release 2.0")
    await expect(said.locator("em")).to_have_text(["nearly", "one"])
    await expect(said.locator("s")).to_have_text("tomorrow")
    await expect(said.locator("ol > li")).to_have_count(3)
    await expect(said.locator("ol > li > ul > li")).to_have_count(2)
    await expect(said.locator("blockquote blockquote code")).to_have_text("nine")
    await expect(said.locator("pre")).to_have_attribute("data-language", "python")
    await expect(said.locator("pre code")).to_contain_text('print(f"**{version}**")')
    links = said.locator("a")
    await expect(links.first).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(links.last).to_have_attribute("data-host", "evil.example")
    await expect(said).to_contain_text("Not snake_case_names, not 2 * 3 * 4.")
    assert await problems(page, touch="has_touch" in options) == []
    await new_page.screenshot(page, "drawn")


async def test_an_edit_a_thread_and_a_mention_have_marks(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    ada, bob = await new_page(**DESKTOP), await new_page(**DESKTOP)
    await enter(bob, "Bob")
    await enter(ada, "Ada")
    await say(bob, "Hello")
    await write(ada, "**Look, @Bob**")
    await expect(lines(ada).last.locator("strong .mention")).to_have_text("@Bob")

    await expect(messages(ada).last).to_have_attribute("data-status", "sent")
    await composer(ada).press("ArrowUp")
    await ada.get_by_test_id("edit-field").fill("- a\n- `b`")
    await ada.keyboard.press("Enter")
    for page in (ada, bob):
        await expect(lines(page).last.locator("li")).to_have_text(["a", "b"])
    await messages(bob).last.hover()
    await messages(bob).last.get_by_test_id("reply").click()
    await bob.get_by_test_id("thread-composer").fill("> a\n*why?*")
    await bob.keyboard.press("Enter")
    thread = bob.get_by_test_id("thread")
    await expect(thread.locator("em")).to_have_text("why?")
    await expect(thread.get_by_test_id("thread-log").locator("blockquote")).to_have_text("a")


async def test_what_grows_has_marks_from_the_beginning_and_stays_whole(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page(**DESKTOP)
    await enter(page, "Ada")
    said = lines(page).last
    async with served.chat.stream("general", sender=BOT) as out:
        out.write("**Steps**\n\n1. first *one*\n2. sec")
        await expect(said.locator("ol li")).to_have_text(["first one", "sec"])
        out.write("ond\n\n> a quote\n")
        await expect(said.locator("blockquote")).to_have_text("a quote")
        out.write("```sh\nls")
        await expect(said.locator("pre")).to_have_attribute("data-language", "sh")
        out.write("\n```\n" + LONG)
        await expect(said.locator("a")).to_be_visible()
        await expect(unfold(page)).to_have_count(0)
        await new_page.screenshot(page, "grows")
    await expect(page.get_by_test_id("streaming")).to_have_count(0)
    await expect(unfold(page)).to_have_text("Show less")
    await expect(said.locator("a")).to_be_in_viewport()


async def test_what_is_told_of_a_message_has_no_marks(served: ServedApp, new_page: Pages) -> None:
    await served.open("news")
    page = await new_page(**DESKTOP)
    await enter(page, "Ada")
    await served.chat.add_member("news", served.user("Ada"))
    mention = {
        "text": "**@Ada**, see [the `map`](https://example.org/x)",
        "mentions": [served.user("Ada").id],
    }
    await served.chat.publish("news", "message", mention)
    await expect(page.get_by_test_id("toast")).to_contain_text("@Ada, see the map")
    await served.say("general", "The **important** _plan_ is `here`")
    await expect(page.get_by_test_id("announcer")).to_contain_text("The important plan is here")

    await page.keyboard.press("Control+Shift+F")
    await page.get_by_test_id("search-field").fill("important")
    hit = page.get_by_test_id("search-hit")
    await expect(hit).to_contain_text("The important plan is here")
    await expect(hit.locator("mark")).to_have_text("important")
    await page.get_by_role("button", name="Close the search").click()

    await say(page, "plain")
    await write(page, "***mine***")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    await messages(page).last.hover()
    await messages(page).last.get_by_test_id("delete").click()
    await expect(page.get_by_test_id("delete-dialog")).to_contain_text("“mine”")
    await page.get_by_test_id("answer-no").click()


@pytest.mark.parametrize("options", [DESKTOP, {**PHONE, "color_scheme": "dark"}], ids=["desktop", "phone"])
async def test_a_long_message_is_folded_until_somebody_wants_it(
    served: ServedApp, new_page: Pages, options: dict[str, Any]
) -> None:
    await served.open("random")
    await served.say("general", "before")
    told = await served.chat.publish("general", "message", {"text": LONG})
    await served.say("general", "after")
    page = await new_page(**options)
    await enter(page, "Ada")
    button, long = unfold(page), lines(page).nth(1)

    await expect(button).to_have_attribute("aria-expanded", "false")
    await expect(button).to_have_text("Show the whole message")
    box = await long.bounding_box()
    assert box is not None
    assert box["height"] < 600
    assert await problems(page, touch="has_touch" in options) == []
    await new_page.screenshot(page, "folded")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(button).to_have_attribute("aria-expanded", "true")
    await expect(button).to_have_text("Show less")
    await expect(button).to_be_focused()
    await expect(long.get_by_text("https://example.org/end")).to_be_visible()

    # What else happens to the message, or to the page, does not fold it.
    await served.chat.react("general", told.msg_id, "👍", sender=BOT)
    await expect(page.get_by_test_id("reactions")).to_be_visible()
    await served.say("general", "more")
    await expect(messages(page)).to_have_count(4)
    await expect(button).to_have_text("Show less")
    await button.press("Enter")
    await expect(button).to_have_attribute("aria-expanded", "false")
    await expect(messages(page).nth(1)).to_be_in_viewport()
    await expect(button).to_be_focused()


async def test_a_long_message_unfolds_for_who_jumps_to_it_or_into_it(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", "before", LONG, "after")
    page = await new_page(**DESKTOP)
    await enter(page, "Ada")
    await expect(unfold(page)).to_have_attribute("aria-expanded", "false")

    await lines(page).nth(1).locator("a").focus()  # as with Tab, or by the browser's search
    await expect(unfold(page)).to_have_attribute("aria-expanded", "true")
    await expect(lines(page).nth(1).locator("a")).to_be_in_viewport()

    await page.reload()
    await entered(page)
    await expect(unfold(page)).to_have_attribute("aria-expanded", "false")
    await page.goto("/#/general/at/2")
    await expect(messages(page).nth(1)).to_be_focused()
    await expect(unfold(page)).to_have_attribute("aria-expanded", "true")
    await new_page.screenshot(page, "jumped")


HOLD_IDLE = """
    window.idle = [];
    window.requestIdleCallback = (act) => window.idle.push(act);
"""
RUN_IDLE = """async () => {
    while (window.idle.length) {
        window.idle.shift()();
        await new Promise((resolve) => setTimeout(resolve));
    }
}"""
SKIPPED = "(rests) => rests.map((rest) => getComputedStyle(rest).contentVisibility === 'hidden')"
HALF_LETTERS = """(box) => {
    const texts = document.createNodeIterator(box, NodeFilter.SHOW_TEXT), found = [];
    for (let one; (one = texts.nextNode()); ) if (!one.data.isWellFormed()) found.push(one.data);
    return found;
}"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (LONG, 1),
        ("so many words " * 500, 1),
        ("a" + "\N{THUMBS UP SIGN}" * 4000, 1),
        (f"```\n{LONG}\n```\nand after it", 2),
    ],
    ids=["lines", "words", "one-word", "code"],
)
async def test_the_end_of_a_folded_message_is_laid_out_when_there_is_time(
    served: ServedApp, new_page: Pages, text: str, parts: int
) -> None:
    await served.open()
    await served.say("general", text)
    page = await new_page(**DESKTOP)
    await page.add_init_script(HOLD_IDLE)
    await enter(page, "Ada")
    await expect(unfold(page)).to_have_attribute("aria-expanded", "false")
    said = lines(page).first
    box = await said.bounding_box()

    assert await said.locator(".rest").evaluate_all(SKIPPED) == [True] * parts
    await page.evaluate(RUN_IDLE)
    assert await said.locator(".rest").evaluate_all(SKIPPED) == [False] * parts
    assert await said.bounding_box() == box
    told = await said.evaluate("(box) => box.textContent")
    assert re.sub("`|\n", "", told) == re.sub("`|\n", "", text)
    assert await said.evaluate(HALF_LETTERS) == []


async def test_a_folded_message_is_shown_whole_before_there_was_time(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", LONG)
    page = await new_page(**DESKTOP)
    await page.add_init_script(HOLD_IDLE)
    await enter(page, "Ada")

    await unfold(page).click()

    await expect(lines(page).first.get_by_text("https://example.org/end")).to_be_visible()
    assert await lines(page).first.inner_text() == LONG


async def test_a_room_of_long_messages_opens_with_a_few_of_them(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    await served.say("general", *(f"{number} " + "so many words " * 1000 for number in range(30)))
    page = await new_page(**DESKTOP)
    await page.add_init_script(HOLD_IDLE)  # the others are made ahead as soon as there is time
    await enter(page, "Ada")

    await expect(lines(page).last).to_contain_text("29 so many")
    assert await messages(page).count() < 8
    await page.wait_for_function(
        """() => {
            window.idle.splice(0).forEach((act) => act());
            const log = document.querySelector("[data-testid=log]");
            log.scrollTo(0, 0);
            return log.querySelector("[data-testid=message-text]").textContent.startsWith("0 so many");
        }"""
    )


async def test_a_copied_conversation_has_names_and_texts(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    ada, bob = await new_page(**DESKTOP), await new_page(**DESKTOP)
    await enter(ada, "Ada")
    await enter(bob, "Bob Byron")
    await say(ada, "first", "second")
    await write(bob, "**third** `code`")
    await expect(lines(ada)).to_have_count(3)

    copied = await ada.evaluate(
        """() => {
            const log = document.querySelector("[data-testid=log]");
            getSelection().setBaseAndExtent(log.querySelector("[data-testid=message]"), 0, log, log.childNodes.length);
            return getSelection().toString();
        }"""
    )
    assert re.split(r"\s*\n\s*", copied.strip()) == ["Ada", "first", "second", "Bob Byron", "third code"]


async def test_the_text_of_a_message_is_copied_as_it_was_written(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    await served.say("general", EVERYTHING)
    page = await new_page(**DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    await enter(page, "Ada")

    await messages(page).first.hover()
    await messages(page).first.get_by_test_id("copy").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("Text copied")
    assert await page.evaluate("navigator.clipboard.readText()") == EVERYTHING

    await page.evaluate(
        "() => { Clipboard.prototype.writeText = async () => { throw new Error('refused'); }; }"
    )
    await messages(page).first.hover()
    await messages(page).first.get_by_test_id("copy").click()
    await expect(page.get_by_test_id("text-field")).to_have_value(EVERYTHING)
    await expect(page.get_by_test_id("text-field")).to_be_focused()


# ---- writing ----


async def test_keys_mark_what_is_selected_and_take_it_back(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page(**DESKTOP)
    await enter(page, "Ada")
    field = composer(page)
    await field.fill("all of it")
    await field.evaluate("(field) => field.setSelectionRange(4, 6)")

    await page.keyboard.press("Control+b")
    await expect(field).to_have_value("all **of** it")
    await page.keyboard.press("Control+i")
    await expect(field).to_have_value("all ***of*** it")
    await page.keyboard.press("Control+b")
    await expect(field).to_have_value("all *of* it")
    await page.keyboard.press("Control+z")
    await expect(field).to_have_value("all ***of*** it")
    await field.fill("code")
    await field.select_text()
    await page.keyboard.press("Control+e")
    await expect(field).to_have_value("`code`")
    await page.keyboard.press("Enter")
    await expect(lines(page).locator("code")).to_have_text("code")

    await expect(messages(page)).to_have_attribute("data-status", "sent")  # only then it can be changed
    await field.press("ArrowUp")
    edit = page.get_by_test_id("edit-field")
    await edit.fill("old")
    await edit.select_text()
    await page.keyboard.press("Control+Shift+x")
    await expect(edit).to_have_value("~~old~~")
    await page.keyboard.press("Enter")
    await expect(lines(page).locator("s")).to_have_text("old")


@pytest.mark.parametrize(
    "options",
    [{**DESKTOP, "color_scheme": "dark"}, {**PHONE, "color_scheme": "light"}],
    ids=["desktop-dark", "phone-light"],
)
async def test_the_bar_shows_what_can_be_marked_and_how_it_will_look(
    served: ServedApp, new_page: Pages, options: dict[str, Any]
) -> None:
    await served.open()
    page = await new_page(**options)
    await enter(page, "Ada")
    button, preview, field = page.get_by_test_id("formatting"), page.get_by_test_id("preview"), composer(page)
    await expect(button).to_have_attribute("aria-expanded", "false")
    await field.fill("milk\nbread")
    await button.click()
    await expect(button).to_have_attribute("aria-expanded", "true")
    await expect(page.get_by_test_id("format-bold")).to_have_attribute("title", re.compile("^Bold "))
    await expect(preview).to_be_hidden()

    await field.select_text()
    await page.get_by_test_id("format-list").click()
    await expect(field).to_have_value("- milk\n- bread")
    await expect(preview.locator("li")).to_have_text(["milk", "bread"])
    await expect(field).to_be_focused()
    assert await problems(page, touch="has_touch" in options) == []
    await new_page.screenshot(page, "bar")
    await field.press("Control+End")
    await page.keyboard.insert_text("\n- more" * 30)
    await expect(preview.locator("li").last).to_be_in_viewport()
    await page.get_by_test_id("send").click()
    await expect(messages(page)).to_have_attribute("data-status", "sent")
    await expect(preview).to_be_hidden()
    await button.click()
    await expect(page.get_by_test_id("format-bold")).to_have_count(0)
    await expect(button).to_have_attribute("aria-expanded", "false")


async def test_formatting_that_cannot_be_loaded_says_so(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page(**DESKTOP)
    await enter(page, "Ada")
    await page.route("**/formatting.js", lambda route: route.abort())
    await composer(page).fill("words")

    await composer(page).press("Control+b")

    await expect(page.get_by_text("This part of the page could not be loaded. Try again.")).to_be_visible()
    await expect(composer(page)).to_have_value("words")


# ---- hostile texts ----

RUN = "window.owned=1"
VECTORS = [
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<a href=javascript:{RUN}>x</a>",
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}//",
    f"java\tscript:{RUN}",
    f"\x01javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"vbscript:{RUN}",
    f'https://x.example/" onmouseover={RUN} "',
    f"https://x.example/' autofocus onfocus={RUN} '",
    f"https://x.example/`><img src=x onerror={RUN}>",
    f"javascript://x.example/%0a{RUN}",
    f"mailto:a@b.example?body=<script>{RUN}</script>",
    f"mailto:javascript:{RUN}",
    f'" onclick="{RUN}',
    f"'><details open ontoggle={RUN}>",
    f"--><math><mtext></p><img src onerror={RUN}>",
    f"</textarea></title><style onload={RUN}>",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"${{{RUN}}}",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
]
PLACES = [
    "{}",
    "**{}**",
    "`{}`",
    "```{}\n{}\n```",
    "> {}",
    "- {}\n  1. {}",
    "[{}](https://example.org)",
    "[words]({})",
]
# DIV: what is not shown of a folded message, which is laid out later.
ALLOWED = {"DIV", "A", "BLOCKQUOTE", "CODE", "EM", "LI", "MARK", "OL", "PRE", "S", "SPAN", "STRONG", "UL"}
# The names of elements, the protocols of links, and the names of attributes in these places.
LOOK = """(nodes) => {
    const all = nodes.flatMap((node) => [...node.querySelectorAll("*")]);
    return [
        all.map(({ tagName }) => tagName),
        all.filter(({ href }) => href).map(({ protocol }) => protocol),
        all.flatMap((one) => one.getAttributeNames()),
    ].map((found) => [...new Set(found)]);
}"""


@only_thorough
async def test_two_hundred_payloads_in_every_mark_run_nothing(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    payloads = [place.replace("{}", vector) for place in PLACES for vector in VECTORS]
    assert len(payloads) == 200
    page = await new_page(**DESKTOP)
    await enter(page, "Ada")

    for at in range(0, len(payloads), 25):
        piece = "\n\n".join(payloads[at : at + 25])
        await served.say("general", piece)
        async with served.chat.stream("general", sender=BOT) as out:
            out.write(piece[: len(piece) // 2])
            out.write(piece[len(piece) // 2 :])
            await expect(page.get_by_test_id("streaming")).to_be_visible()
            await expect(lines(page).last).to_contain_text("window.owned")
    await expect(page.get_by_test_id("streaming")).to_have_count(0)
    await page.get_by_test_id("formatting").click()
    for payload in payloads:
        await composer(page).fill(payload)
    await composer(page).fill("\n\n".join(payloads[:160]))
    await expect(page.get_by_test_id("preview").locator("strong")).not_to_have_count(0)
    await check(page, "[data-testid=message-text], [data-testid=preview]")

    await page.keyboard.press("Control+Shift+F")
    await page.get_by_test_id("search-field").fill("window")
    await expect(page.get_by_test_id("search-hit")).not_to_have_count(0)
    tags, *_ = await page.eval_on_selector_all(".hit-text", LOOK)
    assert set(tags) <= {"MARK"}
    assert await page.evaluate("window.owned") is None


async def check(page: Page, places: str) -> None:
    tags, protocols, attributes = await page.eval_on_selector_all(places, LOOK)
    assert set(tags) <= ALLOWED
    assert {"A", "BLOCKQUOTE", "PRE", "STRONG"} <= set(tags)
    assert set(protocols) <= {"http:", "https:", "mailto:"}
    assert not [name for name in attributes if name.startswith("on") or name in {"src", "srcdoc", "style"}]
    assert await page.evaluate("window.owned") is None
