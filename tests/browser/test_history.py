"""The past of a room: it is brought by scrolling, and nothing moves but by its reader."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, expect

from sanic_chatrooms import Context, Unavailable
from sanic_chatrooms.hooks.middleware import Handler
from tests.browser.acts import REST, at_rest, composer, enter, go_to, lines, messages
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The first message that can be seen: its number, and where its text is.
FIRST_ROW = """() => {
    const log = document.querySelector("[data-testid=log]"), edge = log.getBoundingClientRect().top;
    const rows = [...log.querySelectorAll("[data-testid=message]")];
    const row = rows.find((one) => one.getBoundingClientRect().bottom > edge);
    return { seq: row.dataset.seq, top: row.querySelector(".text").getBoundingClientRect().top, first: rows[0].dataset.seq };
}"""
TEXT_TOP = "(seq) => document.querySelector(`[data-seq='${seq}'] .text`).getBoundingClientRect().top"
# Where the text of this message is each time after rows have changed, before anything is painted.
WATCH_TEXT = f"""(seq) => {{
    window.tops = [];
    window.watcher?.disconnect();
    window.watcher = new MutationObserver(() => window.tops.push(({TEXT_TOP})(seq)));
    window.watcher.observe(document.querySelector("[data-testid=log]"), {{ childList: true, subtree: true }});
}}"""
# As in Safari, which moves what is read when something comes above it.
NO_ANCHORING = """() => {
    document.querySelector("[data-testid=log]").style.overflowAnchor = "none";
    document.styleSheets[0].insertRule(".row-group { content-visibility: visible !important }", 0);
}"""
HOLD_IDLE = "window.held = []; window.requestIdleCallback = (act) => window.held.push(act);"
# What the page does a little later, such as drawing what came, while the test holds it: a server that is slower than the page sends
# one message after the other.
HOLD_SOON = """
    window.soon = [];
    window.setTimeout = ((later) => (act, wait, ...more) => (window.holds && !wait ? soon.push(act) && 0 : later(act, wait, ...more)))(window.setTimeout);
"""
DO_HELD = """async () => {
    window.holds = false;
    for (const act of soon.splice(0)) await act();
}"""
COUNT_IDLE = """
    window.asked = 0;
    window.idle = window.requestIdleCallback;
    window.requestIdleCallback = (act, how) => (window.asked++, window.idle(act, how));
"""
BE_IDLE = "() => { for (const act of window.held.splice(0)) act(); }"
SCROLL_TO = "(top) => document.querySelector('[data-testid=log]').scrollTo(0, top)"
IS_AT_END = """() => {
    const log = document.querySelector("[data-testid=log]");
    return log.scrollHeight - log.scrollTop - log.clientHeight < 2;
}"""


async def wheel_up(page: Page) -> None:
    await page.mouse.wheel(0, -300)
    await page.wait_for_function(f"() => !({IS_AT_END})()")
    await at_rest(page)


async def first_row(page: Page) -> dict[str, Any]:
    row: dict[str, Any] = await page.evaluate(FIRST_ROW)
    return row


@pytest.mark.parametrize("anchoring", [True, False])
async def test_older_messages_come_without_the_text_jumping(
    served: ServedApp, new_page: Pages, anchoring: bool
) -> None:
    await served.open()
    # Of all heights: what is not yet laid out is taller or lower than guessed.
    await served.say("general", *(f"{number}\n" + "words " * (number % 7 * 20) for number in range(1, 301)))
    page = await new_page()
    await page.add_init_script(HOLD_IDLE)  # nothing is drawn before the row has been measured
    await enter(page, "Ada")
    await expect(lines(page).last).to_contain_text("300")
    await page.wait_for_function(IS_AT_END)
    await expect(page.locator("[data-seq='1']")).to_have_count(0)
    if not anchoring:
        await page.evaluate(NO_ANCHORING)

    measure = f"async () => {{ ({SCROLL_TO})(300); await ({REST})(); return ({FIRST_ROW})(); }}"
    # What was never painted has a guessed height, and its text no place yet.
    while (row := await page.evaluate(measure))["first"] != "1":
        await page.evaluate(WATCH_TEXT, row["seq"])
        await page.wait_for_function(
            f"(first) => (({BE_IDLE})(), document.querySelector('[data-seq]').dataset.seq !== first)",
            arg=row["first"],
        )
        tops = [*await page.evaluate("window.tops"), await page.evaluate(TEXT_TOP, row["seq"])]
        assert all(abs(top - row["top"]) < 3 for top in tops), (row, tops)
    await page.evaluate(SCROLL_TO, 0)
    await expect(page.get_by_test_id("beginning")).to_be_in_viewport()
    numbers = await messages(page).evaluate_all("(rows) => rows.map((row) => Number(row.dataset.seq))")
    assert numbers == list(range(1, 301))


async def test_older_messages_that_failed_to_come_are_asked_for_again_without_scrolling(
    served: ServedApp, new_page: Pages
) -> None:
    failed = asyncio.Event()

    @served.chat.middleware("history")
    async def fail_once(ctx: Context, call_next: Handler) -> Any:
        if not failed.is_set():
            failed.set()
            raise Unavailable
        return await call_next(ctx)

    await served.open()
    await served.say("general", *(f"line {number}" for number in range(1, 121)))
    page = await new_page()
    await enter(page, "Ada")
    await expect(lines(page).last).to_contain_text("120")
    await page.evaluate(SCROLL_TO, 0)
    await failed.wait()

    await served.say("general", "news")

    await page.wait_for_function("() => document.querySelector('[data-seq]').dataset.seq <= 21")


async def test_a_user_who_reads_older_messages_is_not_moved_and_sees_how_many_came(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", *(f"line {number}" for number in range(1, 41)))
    page = await new_page()
    await enter(page, "Ada")
    await expect(lines(page)).to_have_count(40)
    button = page.get_by_test_id("to-end")
    await expect(button).to_be_hidden()

    await page.get_by_test_id("log").hover()
    await wheel_up(page)
    row = await first_row(page)
    await served.say("general", "news", "more news")
    await expect(button).to_have_text("2 new messages")
    assert await page.evaluate(TEXT_TOP, row["seq"]) == row["top"]
    await expect(page.get_by_test_id("announcer")).to_have_text("Server: newsServer: more news")

    await button.click()
    await page.wait_for_function(IS_AT_END)
    await expect(button).to_be_hidden()
    await wheel_up(page)
    await served.say("general", "even more")
    await expect(button).to_have_text("1 new message")
    await composer(page).press("Escape")
    await page.wait_for_function(IS_AT_END)


async def test_a_line_says_what_is_new_also_after_a_reload(served: ServedApp, new_page: Pages) -> None:
    await served.open("random")
    await served.say("general", "read")
    page = await new_page()
    await enter(page, "Ada")
    await expect(lines(page)).to_have_text(["read"])
    await go_to(page, "random")

    await served.say("general", "unread")
    await expect(page.get_by_test_id("unread")).to_have_text("1 unread")
    await go_to(page, "general")
    line = page.get_by_test_id("new-line")
    await expect(line).to_have_text("New since you were here")
    assert await line.evaluate("(line) => line.nextElementSibling.dataset.seq") == "2"

    await page.goto("about:blank")
    await served.say("general", "while away")
    await page.goto("/#/general")
    await expect(lines(page)).to_have_text(["read", "unread", "while away"])
    assert await line.evaluate("(line) => line.nextElementSibling.dataset.seq") == "3"


async def test_a_thousand_messages_are_drawn_as_few_rows(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await page.add_init_script(COUNT_IDLE + HOLD_SOON)
    await enter(page, "Ada")

    await page.evaluate(
        """() => {
            window.holds = true;
            window.drawn = 0;
            const rows = document.querySelector("[data-testid=log] > div > div:last-child");
            new MutationObserver(() => window.drawn++).observe(rows, { childList: true, subtree: true });
        }"""
    )
    await asyncio.gather(*(served.say("general", f"message {number}") for number in range(1, 1001)))
    await served.say("general", "the last")
    await expect(page.get_by_test_id("announcer")).to_contain_text("the last")
    assert await page.evaluate("[window.drawn, soon.length < 10]") == [0, True]
    await page.evaluate(DO_HELD)
    await expect(lines(page).last).to_have_text("the last")
    await page.wait_for_function(IS_AT_END)
    assert 0 < await page.evaluate("window.drawn") < 10
    few = await messages(page).count()
    assert few <= 240

    # Nothing more is drawn at the end, however much time there is.
    idle = "async () => { for (let left = 9; left; left--) await new Promise((done) => window.idle(done)); }"
    await page.evaluate(f"() => ({REST})().then(() => (window.asked = 0)).then({idle})")
    assert await page.evaluate("window.asked") == 0

    await page.evaluate(SCROLL_TO, 0)
    await expect(messages(page)).not_to_have_count(few)
    await composer(page).press("Escape")
    await expect(messages(page)).to_have_count(few)


async def test_rows_are_in_few_groups_in_which_they_stay(served: ServedApp, new_page: Pages) -> None:
    await served.open()
    page = await new_page()
    await page.goto("/chat/")

    # Lists as they may follow each other: rows come anywhere, go, change and move.
    wrong = await page.evaluate(
        """async () => {
            const { GroupedList } = await import("/chat/static/grouped.js");
            let [seed, made, rows] = [1, 0, []];
            const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
            const at = () => [0, rows.length, random(rows.length + 1)][random(3)];
            const change = [
                () => rows.splice(at(), 0, ...Array.from({ length: random(60) }, () => ({ key: `${made++}`, sign: 0 }))),
                () => rows.splice(at(), random(20)),
                () => rows.length && rows[random(rows.length)].sign++,
                () => rows.length && rows.splice(at(), 0, rows.splice(random(rows.length), 1)[0]),
            ];
            const build = ({ key, sign }) => Object.assign(document.createElement("p"), { textContent: `${key}.${sign}` });
            const list = new GroupedList(document.createElement("div"), build, () => 1);
            const wrong = [];
            for (let round = 0; round < 400; round++) {
                const kind = random(4);
                const homes = new Map([...list.parent.querySelectorAll("p")].map((node) => [node, node.parentElement]));
                change[kind]();
                list.set(rows);
                const now = [...list.parent.querySelectorAll("p")];
                const groups = [...list.parent.children];
                if (now.map((node) => node.textContent).join() !== rows.map(({ key, sign }) => `${key}.${sign}`).join()) wrong.push([round, kind, "order"]);
                if (groups.some((one) => !one.firstChild)) wrong.push([round, kind, "an empty group"]);
                if (groups.some((one) => one.style.getPropertyValue("--lines") !== `${one.childElementCount}`)) wrong.push([round, kind, "height"]);
                if (kind && kind < 3 && now.some((node) => homes.has(node) && homes.get(node) !== node.parentElement)) wrong.push([round, kind, "moved"]);
            }
            rows = Array.from({ length: 1000 }, (_, key) => ({ key: `end ${key}`, sign: 0 }));
            list.set(rows);
            return { wrong, groups: list.parent.childElementCount };
        }"""
    )

    assert wrong == {"wrong": [], "groups": 17}


async def test_groups_stay_small_and_keep_their_rows_as_older_messages_come(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await page.goto("/chat/")

    rows = await page.evaluate(
        """async () => {
            const { GroupedList } = await import("/chat/static/grouped.js");
            const { rowsOf } = await import("/chat/static/rows.js");
            const list = new GroupedList(document.createElement("div"), () => document.createElement("p"), () => 1);
            const items = Array.from({ length: 200 }, (_, seq) => ({ key: `${seq}`, seq, at: 3600, type: "message", text: "" }));
            let moved = 0;
            for (let from = 190; from >= 0; from -= 10) {
                const homes = new Map(items.map(({ key }) => [key, list.get(key)?.parentElement]));
                list.set(rowsOf(items.slice(from), null));
                for (const [key, home] of homes) if (home && home !== list.get(key).parentElement) moved++;
            }
            return { moved, most: Math.max(...[...list.parent.children].map((group) => group.childElementCount)) };
        }"""
    )

    assert rows["moved"] == 0
    assert rows["most"] <= 20


async def test_what_is_seen_of_a_room_is_drawn_first_and_the_rest_a_few_rows_at_a_time(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", *(f"{number}\n" + "line\n" * 40 for number in range(1, 41)))
    page = await new_page()
    await page.add_init_script(HOLD_IDLE)
    await enter(page, "Ada")
    await expect(messages(page).last).to_be_in_viewport()
    await at_rest(page)

    assert await messages(page).count() < 10
    assert await page.evaluate(IS_AT_END)
    log = page.get_by_test_id("log")
    assert await log.evaluate("(log) => log.scrollHeight > log.clientHeight")
    # Of the room's beginning nothing is said while there are messages above.
    await expect(page.get_by_test_id("beginning")).to_have_count(0)

    before = await messages(page).last.bounding_box()
    made = await page.evaluate(
        """async () => {
            const create = document.createElement;
            const made = [];
            let rows = 0;
            document.createElement = function (tag) { rows += tag === "article"; return create.call(this, tag); };
            while (window.held.length) {
                rows = 0;
                window.held.shift()();
                made.push(rows);
                await new Promise(requestAnimationFrame);
                await new Promise((done) => setTimeout(done));
            }
            return made;
        }"""
    )
    assert sum(made) > 5
    assert max(made) <= 2  # and one that is made anew, as it is no longer the first
    await at_rest(page)
    assert await messages(page).last.bounding_box() == pytest.approx(before, abs=1)

    while await page.get_by_test_id("beginning").count() == 0:
        await page.evaluate(SCROLL_TO, 0)
        await page.evaluate(BE_IDLE)
    await expect(messages(page)).to_have_count(40)


async def test_older_messages_move_nothing_when_somebody_comes_to_them(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    # What changes its height when it is painted moves all that is below it, which is painted again.
    texts = (f"{number}\n" + "words " * (number % 7 * 20) for number in range(1, 151))
    await served.say("general", *texts)
    page = await new_page()
    await page.add_init_script(HOLD_IDLE)
    await enter(page, "Ada")
    await expect(lines(page).last).to_contain_text("150")
    first = await page.locator("[data-seq]").first.get_attribute("data-seq")
    while await page.get_by_test_id("beginning").count() == 0:
        await page.evaluate(SCROLL_TO, 2000)
        await page.evaluate(BE_IDLE)
        await at_rest(page)

    heights = await page.evaluate(
        """(first) => {
            const high = (group) => group.getBoundingClientRect().height;
            const groups = [...document.querySelectorAll(".row-group")].filter((one) => Number(one.querySelector("[data-seq]").dataset.seq) < first);
            const guessed = groups.map(high);
            for (const { style } of groups) style.contentVisibility = "visible";
            return { guessed, real: groups.map(high) };
        }""",
        int(first or 0),
    )

    assert len(heights["guessed"]) > 10
    assert heights["guessed"] == heights["real"]


async def test_messages_that_look_long_and_are_low_leave_others_in_reach(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", *(f"line {number}" for number in range(5)), *["a" + "\u0301" * 15_000] * 8)
    page = await new_page()
    await enter(page, "Ada")

    await expect(lines(page)).to_have_count(13)  # nobody could scroll to the first ones


async def test_rooms_in_the_background_keep_what_is_new_and_the_shown_one_keeps_all(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    page = await new_page()
    await enter(page, "Ada")

    kept = await page.evaluate(
        """async () => {
            const { RoomBook } = await import("/chat/static/room-book.js");
            let hear;
            const chat = { on: (type, act) => type === "*" && (hear = act), user: { id: "u1" }, state: "offline" };
            const book = new RoomBook(chat, () => {});
            book.shown = book.get("shown");
            for (let seq = 1; seq <= 5000; seq++)
                for (const room of ["shown", "behind"])
                    hear({ type: "message", room, seq, msgId: `${room} ${seq}`, timestamp: seq, payload: { text: "x" } });
            const of = ({ timeline: { items, more, end } }) => ({ count: items.length, more, end });
            return { shown: of(book.get("shown")), behind: of(book.get("behind")) };
        }"""
    )
    behind = kept["behind"].pop("count")

    assert kept == {
        "shown": {"count": 5000, "more": False, "end": 5000},
        "behind": {"more": True, "end": 5000},
    }
    assert behind <= 3000


async def test_the_place_of_a_reader_is_found_without_asking_for_that_of_every_message(
    served: ServedApp, new_page: Pages
) -> None:
    await served.open()
    await served.say("general", *(f"line {number}" for number in range(1, 401)))
    page = await new_page()
    await enter(page, "Ada")
    await expect(lines(page).last).to_have_text("line 400")
    while await page.get_by_test_id("beginning").count() == 0:
        await page.evaluate(SCROLL_TO, 0)
        await at_rest(page)
    await page.evaluate(SCROLL_TO, 9000)
    await at_rest(page)
    before = await first_row(page)
    await page.evaluate(
        """() => {
            window.asked = 0;
            const measure = Element.prototype.getBoundingClientRect;
            Element.prototype.getBoundingClientRect = function () {
                window.asked++;
                return measure.call(this);
            };
        }"""
    )

    await served.say("general", "new")

    await expect(page.get_by_test_id("to-end")).to_have_text("1 new message")
    await expect(lines(page)).to_have_count(401)
    assert await page.evaluate("window.asked") < 100
    assert await first_row(page) == before
