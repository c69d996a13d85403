// Notices of the app: a toast that stays while it is read, and a bell with all of them. And questions that stay until they are answered.

import { button, el, iconButton } from "./dom.js";
import { momentOf } from "./format.js";
import { popover } from "./popover.js";
import { sentence } from "./reasons.js";
import { words } from "./words.js";

const SHOWN = 7000;
const KEPT = 50;
const STACKED = 3;

export class Notices {
  #kept = []; // {title, content, href, invitation, at}, the newest first
  #store = null;
  #unread = 0;
  #open = []; // those of messages that nobody has seen yet
  #lines = el("div"); // of the bell's list
  toasts = el("div.toasts", { role: "status", "aria-label": words.notices.label, testid: "toasts" });
  questions = el("div.questions", { role: "status" });
  #badge = el("span.badge", { hidden: true });
  #button = iconButton("bell", words.notices.label, { testid: "bell" });

  constructor() {
    this.#button.append(this.#badge);
    this.bell = popover(this.#button, () => this.#list(), "dialog");
  }

  /** Show a notice: {title, content}. `href`: the place in this page that it is about. `about`: the message that it tells of, for `seen`; with `counted` something else counts it. */
  add({ title = words.notices.untitled, content = "", href }, about) {
    const notice = { title: String(title), content: String(content), href, invitation: about?.invitation, at: Date.now() / 1000 };
    this.#keep(notice);
    const toast = this.#toast(notice);
    const isNew = !about?.counted && !this.#lines.isConnected;
    if (about) this.#open = [...this.#open, { about, toast, isNew }].slice(-KEPT);
    if (isNew) this.#count(this.#unread + 1);
  }

  /** Say for a moment that what the user has just done is done. */
  done(notice) {
    this.#toast(notice);
  }

  /** Keep those that lead somewhere over a reload, in a text of `store`: {get, set}. */
  remember(store) {
    this.#store = store;
    this.#keepAll(merged(this.#kept, parsed(store.get())));
  }

  // Other tabs keep theirs in the same text.
  #keep(notice) {
    this.#keepAll(merged([notice], this.#kept));
    if (notice.href) this.#store?.set(JSON.stringify(merged([notice], parsed(this.#store.get()))));
  }

  #keepAll(notices) {
    this.#kept = notices;
    if (this.#lines.isConnected) this.#draw();
  }

  /** Take away those whose message `isSeen(about)`, here or elsewhere. The list keeps them, except an invitation that was answered. */
  seen(isSeen) {
    const left = this.#kept.filter(({ invitation }) => !invitation || !isSeen({ invitation }));
    if (left.length < this.#kept.length) this.#keepAll(left);
    const gone = this.#open.filter(({ about }) => isSeen(about));
    if (!gone.length) return;
    this.#open = this.#open.filter((one) => !gone.includes(one));
    for (const { toast } of gone) toast.remove();
    this.#count(this.#unread - gone.filter(({ isNew }) => isNew).length);
  }

  /** Say that something did not work, and why. */
  refused(title, error) {
    this.add({ title, content: sentence(error) });
  }

  /** A question above all panes, until it is answered: `acts` are [label, function, testid] triples, the main one first. */
  ask({ title, content, acts }) {
    const buttons = acts.map(([label, act, testid], at) => button(label, () => {
      question.remove();
      act();
    }, { testid, class: at ? "" : "primary" }));
    const question = el("div.banner.question", { testid: "question" }, el("h2", {}, title), el("p", {}, content), el("div.question-acts", {}, buttons));
    this.questions.append(question);
  }

  /** Take away what covers the screen. The list keeps it. */
  clear() {
    this.toasts.replaceChildren();
  }

  #toast(notice) {
    let timer = 0;
    const hold = () => clearTimeout(timer);
    const leave = () => {
      hold();
      timer = setTimeout(() => toast.remove(), SHOWN);
    };
    const dismiss = () => {
      toast.remove();
      (this.toasts.lastChild?.querySelector("button") ?? this.#button).focus();
    };
    const toast = el("div.toast", { testid: "toast", onpointerenter: hold, onpointerleave: leave, onfocusin: hold, onfocusout: leave, onclick: ({ target }) => target.closest("a") && toast.remove() }, el("div.grow", {}, inWords(notice)), iconButton("close", words.notices.dismiss, { onclick: dismiss }));
    this.toasts.append(toast);
    if (this.toasts.childElementCount > STACKED) this.toasts.firstChild.remove();
    leave();
    return toast;
  }

  // It has all that the screen still shows.
  #list() {
    this.#count(0);
    this.clear();
    this.#open = [];
    this.#draw();
    return this.#lines;
  }

  #draw() {
    const line = (notice) => el("li.notice-line", {}, inWords(notice), el("time", {}, momentOf(notice.at)));
    this.#lines.replaceChildren(this.#kept.length ? el("ul", { testid: "notice-list" }, this.#kept.map(line)) : el("p.notice-line.hint", {}, words.notices.none));
  }

  #count(unread) {
    this.#unread = unread;
    this.#badge.hidden = !unread;
    this.#badge.textContent = unread;
    this.#button.setAttribute("aria-label", unread ? words.notices.unread(unread) : words.notices.label);
  }
}

function inWords({ title, content, href }) {
  return [el("h2", {}, title), el("p", {}, content), href && el("a", { href, testid: "notice-show" }, words.show)];
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? [];
  } catch {
    return [];
  }
}

// Two tabs tell of one message, and of a reply that is also a mention it is told twice: it is there once.
function merged(news, before) {
  const place = ({ href, content }) => `${href} ${content}`;
  const told = new Set(news.map(place));
  return [...news, ...before.filter((one) => !one.href || !told.has(place(one)))].slice(0, KEPT);
}
