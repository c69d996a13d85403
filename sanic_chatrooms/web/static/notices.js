// Notices of the app: a toast that stays while it is read, and a bell with all of them. And questions that stay until they are answered.

import { button, el, iconButton } from "./dom.js";
import { timeOf } from "./format.js";
import { popover } from "./popover.js";
import { sentence } from "./reasons.js";
import { words } from "./words.js";

const SHOWN = 7000;
const KEPT = 50;
const STACKED = 3;

export class Notices {
  #kept = [];
  #unread = 0;
  #open = []; // those of messages that nobody has seen yet
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
    const notice = [el("h2", {}, String(title)), el("p", {}, String(content)), ...(href ? [el("a", { href, testid: "notice-show" }, words.show)] : [])];
    this.#kept = [el("li.notice-line", {}, notice.map((part) => part.cloneNode(true)), el("time", {}, timeOf(Date.now() / 1000))), ...this.#kept].slice(0, KEPT);
    const toast = this.#toast(notice);
    const isNew = !about?.counted;
    if (about) this.#open = [...this.#open, { about, toast, isNew }].slice(-KEPT);
    if (isNew) this.#count(this.#unread + 1);
  }

  /** Take away those whose message `isSeen(about)`, here or elsewhere. The list keeps them. */
  seen(isSeen) {
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
    const toast = el("div.toast", { testid: "toast", onpointerenter: hold, onpointerleave: leave, onfocusin: hold, onfocusout: leave, onclick: ({ target }) => target.closest("a") && toast.remove() }, el("div.grow", {}, notice), iconButton("close", words.notices.dismiss, { onclick: dismiss }));
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
    return this.#kept.length ? el("ul", { testid: "notice-list" }, this.#kept) : el("p.notice-line.hint", {}, words.notices.none);
  }

  #count(unread) {
    this.#unread = unread;
    this.#badge.hidden = !unread;
    this.#badge.textContent = unread;
    this.#button.setAttribute("aria-label", unread ? words.notices.unread(unread) : words.notices.label);
  }
}
