// What the host says: a toast that waits for its reader, and a bell that keeps it.

import { el, fill, iconButton } from "./dom.js";
import { timeOf } from "./format.js";
import { popover } from "./popover.js";

const SHOWN = 7000;
const KEPT = 50;
const STACKED = 3;

export class Notices {
  constructor() {
    this.kept = [];
    this.unread = 0;
    this.toasts = el("div", { class: "toasts", role: "status", "aria-live": "polite", "aria-label": "Notices", testid: "toasts" });
    this.badge = el("span", { class: "badge", hidden: true });
    const bell = iconButton("bell", "Notices", { testid: "bell" });
    bell.append(this.badge);
    this.bell = popover(bell, () => this.#list(), "dialog");
    this.trigger = bell;
  }

  /** Show a notice: {title, content}. */
  add({ title, content }) {
    const notice = { title: String(title ?? "Notice"), content: String(content ?? ""), at: Date.now() / 1000 };
    this.kept = [notice, ...this.kept].slice(0, KEPT);
    this.unread++;
    this.#count();
    this.#toast(notice);
  }

  #toast({ title, content }) {
    let timer = 0;
    const hold = () => clearTimeout(timer);
    const leave = () => {
      hold();
      timer = setTimeout(() => toast.remove(), SHOWN);
    };
    const toast = el("div", { class: "toast", testid: "toast", onpointerenter: hold, onpointerleave: leave, onfocusin: hold, onfocusout: leave },
      el("div", { class: "grow" }, el("h3", {}, title), el("p", {}, content)),
      iconButton("close", "Dismiss notice", { onclick: () => this.#dismiss(toast, timer) }));
    this.toasts.append(toast);
    while (this.toasts.childElementCount > STACKED) this.toasts.firstChild.remove();
    leave();
  }

  #dismiss(toast, timer) {
    clearTimeout(timer);
    const next = toast.nextElementSibling ?? toast.previousElementSibling;
    toast.remove();
    (next?.querySelector("button") ?? this.trigger).focus();
  }

  #list() {
    this.unread = 0;
    this.#count();
    if (!this.kept.length) return el("p", { class: "notice-line hint" }, "No notices yet.");
    return el("ul", { testid: "notice-list" }, this.kept.map(({ title, content, at }) => el("li", { class: "notice-line" }, el("h3", {}, title), el("p", {}, content), el("time", {}, timeOf(at)))));
  }

  #count() {
    this.badge.hidden = !this.unread;
    fill(this.badge, String(this.unread));
    this.trigger.setAttribute("aria-label", this.unread ? `Notices, ${this.unread} unread` : "Notices");
  }
}
