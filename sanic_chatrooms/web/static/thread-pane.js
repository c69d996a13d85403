// A thread beside the conversation: the message, the replies to it, and a field for another one. On a phone it has the whole screen.

import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { composing, el, iconButton } from "./dom.js";
import { KeyedList } from "./keyed.js";
import { rowElement } from "./message-row.js";
import { sentence, shutBecause } from "./reasons.js";
import { rowActs } from "./row-acts.js";
import { rowsOf } from "./rows.js";
import { skeleton, statePanel } from "./states.js";
import { words } from "./words.js";

export class ThreadPane {
  thread = null;

  /** `acts`: as for TalkPane, and `onClose()`, `onReply(thread, text, more)`, `onOlderReplies(thread)`, `onReload(thread)`. */
  constructor(chat, acts) {
    Object.assign(this, { chat, acts });
    const rows = { ...rowActs(chat, acts, () => this.thread.room), onThread: null, top: () => this.#top(), unfolded: new Set(), onEnd: () => {}, onOlder: () => acts.onOlderReplies(this.thread), onLost: () => this.enter(), composer: () => this.composer };
    this.conversation = new Conversation(rows, "thread-");
    this.conversation.log.setAttribute("aria-label", words.thread.replies);
    const parent = el("div.thread-parent", { testid: "thread-parent" });
    this.parent = new KeyedList(parent, (row) => rowElement(row, { ...rows, quiet: true }));
    this.name = el("h2", { tabindex: -1, testid: "thread-name" }, words.thread.label);
    this.place = el("button.place.note.cut", { dir: "auto", title: words.thread.place, testid: "thread-place", onclick: () => acts.onJump(this.thread.room, this.thread.message?.seq) });
    this.composer = new Composer({
      onSend: (text, more) => this.#send(text, more),
      people: () => acts.people(this.thread.room),
      onFormat: acts.onFormat,
      onTyping: (active) => this.thread && chat.typing(this.thread.room.id, active),
      onEscape: () => {}, // the pane closes
      onUp: () => this.conversation.editLast(),
    }, "thread-");
    this.element = el("div.thread-pane", { testid: "thread", hidden: true, onkeydown: (event) => event.key === "Escape" && !composing(event) && acts.onClose() },
      el("div.pane-head", {},
        iconButton("back", words.thread.back, { class: "back", testid: "thread-back", onclick: acts.onClose }),
        el("div.grow", {}, el("div.title", {}, this.name), this.place),
        iconButton("close", words.thread.close, { class: "leave", onclick: acts.onClose })),
      parent, this.conversation.element, this.composer.why, this.composer.element);
    this.composer.takeFiles(acts.files, this.element, () => this.update());
  }

  open(thread) {
    this.thread = thread;
    for (const what of ["came", "grown", "written"]) thread[what] = (item) => this.conversation[what](item);
    this.kind = undefined;
    this.composer.open(thread.draft); // before an edit comes there whose message was deleted
    this.conversation.open(thread.timeline, null);
    this.element.hidden = false;
    this.update();
    this.conversation.needOlder();
  }

  /** Move the focus to where one writes, or to the name. */
  enter() {
    if (!this.acts.mayFocus() || !this.composer.focus()) this.name.focus();
  }

  #send(text, more) {
    this.acts.onReply(this.thread, text, more);
    this.conversation.goToEnd();
  }

  /** Keeps what was written and not sent. */
  close() {
    this.thread.draft = this.composer.text;
    this.conversation.ahead.forget();
    Object.assign(this.thread, { came: null, grown: null, written: null });
    this.thread = null;
    this.element.hidden = true;
  }

  focus(item) {
    if (!this.conversation.focus(item)) this.parent.get(item.key)?.focus({ preventScroll: true });
  }

  /** Draw changes. */
  update() {
    const { thread, conversation, composer } = this;
    if (!thread) return;
    const { message, room } = thread;
    this.place.textContent = room.name;
    this.parent.set(message ? rowsOf([message], null, null).slice(-1) : []);
    composer.invite(words.message.reply, this.chat.welcome?.limits.maxText);
    composer.attachTo(thread, room);
    this.#instead();
    conversation.update();
    this.#aim(thread);
    if (!conversation.stuck) conversation.needOlder();
  }

  #aim(thread) {
    const target = thread.timeline.items.find(({ seq }) => seq === thread.target);
    if (!target) return;
    thread.target = null;
    this.conversation.open(thread.timeline, null, target);
  }

  #instead() {
    const { thread, composer, conversation } = this;
    const { status, timeline, room, error } = thread;
    const kind = status === "failed" ? "failed" : status === "loading" && !timeline.pending.length ? "loading" : "";
    const again = [words.tryAgain, () => this.acts.onReload(thread)];
    const panel = { failed: () => statePanel(words.thread.failed, sentence(error), [...(error.temporary ? [again] : []), [words.thread.close, this.acts.onClose]], "thread-failed"), loading: skeleton };
    if (kind !== this.kind) conversation.showInstead(panel[kind]?.() ?? null);
    this.kind = kind;
    const lost = composer.shut(room.shut ? shutBecause(room.shut) : "", kind === "failed");
    if (lost) this.name.focus();
  }

  #top() {
    const { timeline, status } = this.thread;
    if (timeline.more || this.conversation.hidden) return el("div.older", {}, words.thread.older);
    const count = timeline.all().filter(({ deleted }) => !deleted).length;
    const said = count ? words.replies(count) : status === "ready" ? words.thread.none : "";
    return el("p.thread-count", { testid: "thread-count" }, said);
  }
}
