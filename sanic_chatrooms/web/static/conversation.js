// The conversation: rows at the right place, and a place that nothing moves but its reader.

import { el, fill, icon } from "./dom.js";
import { counted } from "./format.js";
import { KeyedList, walkable } from "./keyed.js";
import { rowElement } from "./message-row.js";
import { rowsOf } from "./rows.js";

const NEAR = 40;
const EARLY = 600;
const SCREENFUL = 120;
const HEARD = 5;

export class Conversation {
  /** `context`: what rows need, and `onOlder()`, `onReload()`, `onEnd(atEnd)`, `onLost()` (the focused row is gone). */
  constructor(context) {
    this.context = context;
    this.rows = el("div", {});
    this.top = el("div", {});
    this.inner = el("div", { class: "log-rows" }, this.top, this.rows);
    this.log = el("div", { class: "log", role: "log", "aria-live": "off", tabindex: 0, testid: "log" }, this.inner);
    this.toEnd = el("button", { type: "button", class: "button to-end", testid: "to-end", hidden: true, onclick: () => this.goToEnd() });
    this.heard = el("div", { class: "sr-only", "aria-live": "polite", testid: "announcer" });
    this.element = el("div", { class: "log-frame" }, this.log, this.toEnd, this.heard);
    this.list = new KeyedList(this.rows, (row) => rowElement(row, context));
    this.timeline = null;
    this.#reset();
    this.log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    walkable(this.log, ".msg");
    new ResizeObserver(() => this.#stick()).observe(this.inner);
    new ResizeObserver(() => this.#stick()).observe(this.log);
  }

  #reset() {
    this.stuck = true;
    this.lastTop = 0;
    this.unseen = 0;
    this.from = null;
    this.newAfter = null;
  }

  /** Another room: its newest messages, or the first of those that came while we were away. */
  open(timeline, newAfter) {
    this.timeline = timeline;
    this.list.clear();
    fill(this.heard);
    this.#reset();
    this.newAfter = newAfter;
    this.update();
    const line = this.list.get("new");
    if (line && line.offsetTop < this.log.scrollTop) this.#goTo(line.offsetTop - 8);
  }

  /** Something else in the place of the messages, or null for the messages. */
  showInstead(panel) {
    this.inner.hidden = panel !== null;
    this.instead?.remove();
    this.instead = panel;
    if (panel) this.log.append(panel);
    this.#button();
  }

  /** Draw what changed. `top`: what stands above the first message. */
  update(top = null) {
    if (!this.timeline) return;
    if (top) fill(this.top, top);
    const items = this.#shown();
    const anchor = this.stuck ? null : this.#anchor();
    const lost = this.list.set(rowsOf(items, this.newAfter));
    if (anchor?.node.isConnected) this.log.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
    this.#stick();
    if (lost) this.context.onLost();
  }

  // Far from the end of a long room the oldest rows are left out until somebody scrolls there.
  #shown() {
    const items = this.timeline.all();
    if (this.stuck && items.length > SCREENFUL * 2) this.from = items[items.length - SCREENFUL].seq ?? null;
    const start = this.from === null ? 0 : Math.max(0, items.findIndex((item) => !(item.seq < this.from)));
    this.hidden = start;
    return start ? items.slice(start) : items;
  }

  /** A message of somebody else's came. */
  came(item) {
    if (!this.stuck) this.unseen++;
    this.#button();
    this.heard.append(el("p", {}, `${item.sender?.name ?? "Server"}: ${item.text}`));
    while (this.heard.childElementCount > HEARD) this.heard.firstChild.remove();
  }

  /** From here on things are new. */
  markNew(after) {
    if (this.newAfter !== null && this.newAfter !== Infinity) return;
    this.newAfter = after;
  }

  forgetNew() {
    this.newAfter = null;
  }

  goToEnd() {
    const hadFocus = document.activeElement === this.toEnd;
    this.stuck = true;
    this.update();
    if (hadFocus) this.log.focus({ preventScroll: true });
    this.#atEnd();
  }

  #goTo(top) {
    this.stuck = false;
    this.log.scrollTop = top;
    this.lastTop = this.log.scrollTop;
    this.#scrolled();
  }

  #stick() {
    if (!this.stuck) return;
    this.log.scrollTop = this.log.scrollHeight;
    this.lastTop = this.log.scrollTop;
  }

  #anchor() {
    const edge = this.log.getBoundingClientRect().top;
    // Not the separators: the one of the day stays above whatever comes before it.
    for (const node of this.rows.querySelectorAll(".msg, .system")) {
      const box = node.getBoundingClientRect();
      if (box.bottom > edge) return { node, top: box.top };
    }
    return null;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    const away = scrollHeight - scrollTop - clientHeight;
    // Only going up lets go of the end: rows that turn out taller than guessed move the end away, and not the reader.
    if (away <= NEAR) this.#atEnd();
    else if (scrollTop < this.lastTop) this.stuck = false;
    this.lastTop = scrollTop;
    this.#button();
    if (scrollTop < EARLY) this.#older();
  }

  #atEnd() {
    this.stuck = true;
    this.unseen = 0;
    this.#button();
    this.context.onEnd();
  }

  #older() {
    if (!this.timeline || this.inner.hidden) return;
    if (this.hidden > 0 && !this.stuck) {
      this.from = this.timeline.items[Math.max(0, this.hidden - SCREENFUL)].seq;
      this.update();
    } else if (this.hidden === 0) {
      this.context.onOlder();
    }
  }

  /** A page came; ask for another where it did not fill the screen. */
  fillScreen() {
    if (this.log.scrollTop < EARLY && this.hidden === 0) this.context.onOlder();
  }

  #button() {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    const far = scrollHeight - scrollTop - clientHeight > clientHeight;
    this.toEnd.hidden = this.inner.hidden || this.stuck || (!this.unseen && !far);
    const label = this.unseen ? counted(this.unseen, "new message") : "To the newest";
    if (this.toEnd.textContent !== label) fill(this.toEnd, label, icon("down"));
  }
}
