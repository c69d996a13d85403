// The conversation. New rows never move the text that somebody is reading.

import { Ahead } from "./ahead.js";
import { namesOf } from "./attachments.js";
import { el, fill, focusBeside, icon } from "./dom.js";
import { rightsOver } from "./edits.js";
import { excerpt } from "./format.js";
import { GroupedList } from "./grouped.js";
import { endOf, grow } from "./growing.js";
import { walkable } from "./keyed.js";
import { onLongPress } from "./long-press.js";
import { equip, linesIn, rowElement } from "./message-row.js";
import { calm, plainText } from "./richtext.js";
import { rowsOf } from "./rows.js";
import { isAbout } from "./timeline.js";
import { words } from "./words.js";

const NEAR = 40; // px
const EARLY = 600; // px
const AHEAD = 3000; // px: rows come into the page so far above what is read, and are loaded and made twice as far
const SPARE = 50; // messages that are here and not drawn; if there are fewer, the next page is loaded
const SCREEN = 45; // lines
const PIECE = 400; // lines that come into the page together
const BEFORE = 150; // lines above what is jumped to
const MOST_DRAWN = 120; // messages, while nobody scrolls
const HEARD = 5;

export class Conversation {
  editing = null; // the key of the message that is being rewritten
  unfolded = new Set(); // keys of messages that are shown whole

  /** `context`: for the rows, and `top()`: the element above the first message, `onOlder()`, `onEnd()` (the end is visible), `onNewer()` and `onNewest()` where the timeline may be `later`, `onLost()` (the focused row was removed), `composer()`. `name`: begins the test ids of a second one. */
  constructor(given, name = "") {
    const onSave = (item, text) => (this.#leave(item), given.onSave(this.timeline.items.find(({ id }) => id === item.id) ?? item, text)); // it may have been loaded again
    const context = { ...given, onEdit: (item) => this.edit(item), onRewrite: (item) => given.onDiscard(item) && given.composer().takeBack(item.text), onSave, onLeave: (item) => this.#leave(item), onUnfold: (items) => this.#unfold(items), unfolded: this.unfolded, onResized: () => this.#resized() };
    this.context = context;
    this.ahead = new Ahead(context);
    this.rows = el("div");
    this.top = el("div");
    this.inner = el("div.log-rows", {}, this.ahead.element, this.top, this.rows);
    this.log = el("div.log", { role: "log", "aria-live": "off", tabindex: 0, testid: `${name}log` }, this.inner);
    this.toEnd = el("button.button.to-end", { testid: `${name}to-end`, hidden: true, onclick: () => this.goToEnd() });
    this.heard = el("div.sr-only", { "aria-live": "polite", testid: `${name}announcer` });
    this.element = el("div.log-frame", {}, this.log, this.toEnd, this.heard);
    this.list = new GroupedList(this.rows, (row) => this.ahead.take(row) ?? rowElement(row, context, this.list.get(row.key)), linesIn);
    for (const type of ["pointerover", "focusin"]) this.rows.addEventListener(type, ({ target }) => equip(target.closest(".msg")));
    // Links, buttons and what can be selected have a meaning of their own.
    onLongPress(this.rows, (target) => this.#press(target.closest(".msg")), (target) => !target.closest("a, button:not(.author), textarea, pre"));
    this.log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    walkable(this.log, ".msg");
    this.sizes = new ResizeObserver(() => this.#sized());
    this.sizes.observe(this.inner);
    this.sizes.observe(this.log);
  }

  // On a touch screen: what can be done with this message.
  #press(row) {
    row?.focus({ preventScroll: true });
    row?.querySelector("[data-testid=message-acts]")?.click();
  }

  /** Where somebody reads who has scrolled up; null at the end. */
  get place() {
    return this.stuck ? null : this.#anchor();
  }

  /** Show another room: its newest messages, or the first one after `newAfter` (null: none is new), or the item `target`. */
  open(timeline, newAfter, target = null) {
    if (timeline !== this.timeline) this.unfolded.clear();
    if (target) this.unfolded.add(target.key);
    Object.assign(this, { timeline, newAfter, most: MOST_DRAWN, stuck: !target, lastTop: 0, unseen: 0, from: 0, marked: target?.key });
    this.editing = this.#begun()?.key;
    this.ahead.forget();
    const left = this.inner.contains(focusBeside(this.inner));
    this.from = target ? this.#before(target) : this.#firstOf(newAfter);
    this.drawn = [];
    this.list.set([]);
    fill(this.heard);
    fill(this.top);
    this.update();
    this.#button();
    if (target) return this.#reach(target);
    if (left) this.context.onLost();
    const line = this.list.get("new");
    const above = line && this.#edge - line.getBoundingClientRect().top;
    if (!(above > 0)) return;
    this.stuck = false;
    this.log.scrollTop -= above + 8;
  }

  // Some screens above it, so that it can stand in the middle, and nothing else is drawn at once.
  #before(target) {
    const { items } = this.timeline;
    return items[this.ahead.start(items, items.indexOf(target), BEFORE)]?.seq ?? 0;
  }

  #reach({ key }) {
    const node = this.list.get(key);
    if (!node) return;
    this.list.paint(node, this.log.clientHeight);
    node.focus({ preventScroll: true });
    node.scrollIntoView({ block: "center" });
    this.lastTop = this.log.scrollTop;
    if (!this.timeline.later && this.#below <= NEAR) this.#atEnd();
    else this.#button();
  }

  /** Show the `place` where somebody read before, if it is there still. */
  goBack(place) {
    const item = place && this.timeline.items.find(({ key }) => key === place.key);
    if (!item) return;
    Object.assign(this, { stuck: false, from: this.#before(item) });
    this.update();
    this.#keep(place);
    this.lastTop = this.log.scrollTop;
    this.#button();
  }

  /** Show something else instead of the messages; null shows the messages. */
  showInstead(panel) {
    this.inner.hidden = Boolean(panel);
    this.instead?.remove();
    this.instead = panel;
    if (panel) this.log.append(panel);
    this.ahead.forget();
    this.#button();
  }

  /** Draw what changed. */
  update() {
    const anchor = this.place;
    this.drawn = this.#rowsOf(this.#shown());
    const top = this.context.top();
    // Keep it if it is the same: the focus may be in it.
    const other = !top.isEqualNode(this.top.firstChild);
    const left = other && this.top.contains(focusBeside(this.top));
    if (other) fill(this.top, top);
    for (const line of [...this.heard.children]) if (line.item.deleted) line.remove();
    const lost = this.list.set(this.drawn);
    // Anew, because the guessed heights of new rows may turn out to be, in all, what others were before.
    this.sizes.unobserve(this.inner);
    this.sizes.observe(this.inner);
    this.list.get(this.marked)?.classList.add("marked");
    this.#grow(this.context);
    this.#keep(anchor);
    if (lost || left) this.context.onLost();
    this.#rescue();
  }

  // What somebody has begun to edit; `gone`: or to save, and a moderator deleted it.
  #begun(gone) {
    return this.timeline.items.findLast(({ id, deleted, unsaved }) => !deleted === !gone && (this.context.edits().has(id) || unsaved));
  }

  #rescue() {
    const gone = this.#begun(true);
    if (!gone) return;
    this.context.composer().takeBack(this.context.edits().get(gone.id) ?? gone.unsaved, gone.key === this.editing);
    this.context.edits().delete(gone.id);
    gone.unsaved = undefined;
    this.#rescue();
  }

  #rowsOf(items) {
    return rowsOf(items, this.newAfter, this.editing, (item) => this.#isFolded(item));
  }

  // Leave what is read where it was, or follow the end.
  #keep(anchor) {
    const kept = anchor && this.list.get(anchor.key);
    if (kept) {
      // It may be in a new group, which has a guessed height until it is painted.
      if (kept.parentElement !== anchor.group) {
        this.painted?.style.removeProperty("content-visibility"); // its height is known since
        this.painted = kept.parentElement;
        this.painted.style.contentVisibility = "visible";
      }
      this.log.scrollTop += kept.getBoundingClientRect()[anchor.edge] - anchor.at;
    }
    this.#stick();
  }

  /** Messages that are being written have grown. However many pieces came, they are drawn once a frame. */
  grown() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      const anchor = this.place;
      this.#grow();
      this.#keep(anchor);
      this.#button();
    });
  }

  #grow(context) {
    for (const { key, item } of this.drawn) if (item?.streaming) grow(this.list.get(key), item, context);
  }

  #isFolded(item) {
    return this.context.isBlocked(item.sender) && !isAbout(item) && !this.unfolded.has(item.key);
  }

  #unfold(items) {
    for (const { key } of items) this.unfolded.add(key);
    this.update();
    this.focus(items[0]);
  }

  // What somebody has unfolded stays where its beginning is read.
  #resized() {
    this.stuck &&= this.#below <= NEAR;
    this.#button();
  }

  // A screen, and everything new. What is further up is drawn when the rest of the page is painted, or when somebody scrolls there.
  #firstOf(newAfter) {
    const { items } = this.timeline;
    const at = Math.min(this.ahead.start(items, items.length, SCREEN), newAfter === null ? Infinity : items.findLastIndex(({ seq }) => seq <= newAfter));
    return at > 0 && at < items.length ? items[at].seq : 0;
  }

  /** How many messages above the first row are not drawn. */
  get hidden() {
    return this.timeline.items.findLastIndex(({ seq }) => seq < this.from) + 1;
  }

  // In a long room the oldest rows, before this number, are left out until somebody scrolls there.
  get #cut() {
    const { items } = this.timeline;
    return this.stuck && items.length > this.most * 2 && items.at(-this.most).seq;
  }

  #shown() {
    if (this.#cut > this.from) {
      this.from = this.#cut;
      this.ahead.forget();
    }
    return this.timeline.all().slice(this.hidden);
  }

  /** Rewrite a message in its place. */
  edit(item) {
    this.back = this.rows.contains(focusBeside(this.rows));
    this.editing = item.key;
    if (item.seq < this.from) Object.assign(this, { from: item.seq, stuck: false });
    this.update();
    const field = this.list.get(item.key).querySelector("textarea");
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  /** The newest message that this user may rewrite. */
  editLast() {
    const last = this.timeline.items.findLast((item) => rightsOver(item, this.context.me(), this.context.role()).edit);
    if (last) this.edit(last);
  }

  /** Give a message the focus. Returns whether it has it. */
  focus({ key }) {
    const node = this.list.get(key);
    node?.focus({ preventScroll: true });
    return Boolean(node) && focusBeside(node) === node;
  }

  // Return to the previous position.
  #leave(item) {
    this.context.edits().delete(item.id);
    this.editing = this.#begun()?.key;
    this.update();
    if (this.back) this.focus(item);
    else this.context.onLost();
  }

  /** A message of somebody else arrived. */
  came(item) {
    if (this.context.isBlocked(item.sender)) return;
    if (!this.stuck) this.unseen++;
    this.#button();
    this.#say(item);
  }

  /** A message of somebody else is done. */
  written(item) {
    if (!this.context.isBlocked(item.sender)) this.#say(item);
  }

  // To screen readers. Of a message that is being written they hear the beginning and the end.
  #say(item) {
    const name = item.sender?.name ?? words.server;
    const said = item.streaming ? words.message.isWriting(name) : words.message.said(name, [excerpt(plainText(item.text)), namesOf(item), endOf(item)].filter(Boolean).join(" "));
    this.heard.append(Object.assign(el("p", {}, calm(said)), { item }));
    if (this.heard.childElementCount > HEARD) this.heard.firstChild.remove();
  }

  goToEnd() {
    if (focusBeside(this.toEnd) === this.toEnd) this.log.focus({ preventScroll: true });
    if (this.timeline.later) return this.context.onNewest();
    if (this.marked) this.list.get(this.marked)?.classList.remove("marked");
    Object.assign(this, { stuck: true, marked: undefined });
    this.update();
    this.#atEnd();
  }

  #stick() {
    if (!this.stuck) return;
    this.log.scrollTop = this.log.scrollHeight;
    this.lastTop = this.log.scrollTop;
  }

  // Rows that turn out lower than estimated may leave so much room that nobody can scroll to what is further up.
  #sized() {
    this.#stick();
    if (this.stuck && this.hidden) this.needOlder();
  }

  #anchor() {
    const start = this.#edge;
    const isBelow = (node) => node.getBoundingClientRect().bottom > start;
    // First the groups: a browser that is asked for the place of a row lays out all of its group.
    const below = new Set([...this.rows.children].filter(isBelow));
    const nodeOf = ({ key }) => this.list.get(key);
    // Not a separator: the one of the day stays above messages that are added before.
    const row = this.drawn.find((one) => one.item && below.has(nodeOf(one).parentElement) && isBelow(nodeOf(one)));
    if (!row) return null;
    const node = nodeOf(row);
    // At its end: the name at its top disappears when an older message of its author arrives. But one that was being
    // written when it was drawn changes at its end.
    const edge = node.classList.contains("streaming") ? "top" : "bottom";
    return { key: row.key, group: node.parentElement, edge, at: node.getBoundingClientRect()[edge] };
  }

  get #edge() {
    return this.log.getBoundingClientRect().top;
  }

  get #below() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight;
  }

  #scrolled() {
    const { scrollTop, clientHeight } = this.log;
    if (!clientHeight) return; // another pane is shown now, and this one has no end
    // Only scrolling up leaves the end. Rows that turn out taller than estimated move the end, too.
    if (this.timeline.later) this.needNewer();
    else if (this.#below <= NEAR) this.#atEnd();
    else if (scrollTop < this.lastTop) this.stuck = false;
    this.lastTop = scrollTop;
    this.#button();
    if (!this.stuck) this.needOlder();
  }

  #atEnd() {
    this.stuck = true;
    this.unseen = 0;
    this.#button();
    this.context.onEnd();
  }

  /** Near the first row: draw more above it, and load older messages before somebody comes to them. */
  needOlder() {
    const { hidden, stuck } = this;
    const { scrollTop, clientHeight } = this.log;
    if (this.inner.hidden || !clientHeight || scrollTop > (this.#cut ? EARLY : 2 * AHEAD)) return; // without a height, another pane is shown
    if (hidden && !this.ahead.isMaking) this.#drawSoon(hidden);
    if (stuck ? hidden || scrollTop > EARLY : hidden >= SPARE) return;
    this.from ||= this.timeline.items[0]?.seq ?? 0;
    this.context.onOlder();
  }

  // What is drawn comes into the page together: it moves the rest, and a browser paints all of it again. The row below it changes, too.
  #drawSoon(hidden) {
    const { items } = this.timeline;
    const at = this.ahead.start(items, hidden, PIECE);
    const { seq } = items[at];
    this.ahead.make(this.#rowsOf(items.slice(at, hidden + 1)), this.stuck ? 500 : 50, () => {
      const { clientHeight, scrollTop } = this.log;
      if (!clientHeight || scrollTop > AHEAD) return;
      if (scrollTop < this.lastTop) this.stuck = false; // somebody scrolls up, and the event comes later
      if (this.#cut) this.most *= 2; // too few to scroll
      this.from = seq;
      this.update();
      this.ahead.forget();
      this.needOlder();
    });
  }

  /** Near the last row of a window: load newer messages. */
  needNewer() {
    if (this.timeline.later && !this.inner.hidden && this.#below <= EARLY) this.context.onNewer();
  }

  #button() {
    const away = this.timeline?.later || this.unseen || this.#below > this.log.clientHeight;
    this.toEnd.hidden = this.inner.hidden || this.stuck || !away;
    const label = this.unseen ? words.room.new(this.unseen) : words.room.toEnd;
    if (this.toEnd.title === label) return;
    this.toEnd.title = label;
    this.toEnd.setAttribute("aria-label", label);
    fill(this.toEnd, this.unseen ? label : [], icon("down"));
  }
}
