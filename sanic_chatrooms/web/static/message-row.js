// One row of the conversation as an element.

import { avatar } from "./avatar.js";
import { button, el } from "./dom.js";
import { digitsOf, fullTimeOf, timeOf } from "./format.js";
import { richText } from "./richtext.js";
import { happening } from "./rows.js";

/** `context`: `me()`, `onPerson(person)`, `onRetry(key)`, `onDiscard(key)`. */
export function rowElement(row, context) {
  if (row.kind === "system") return el("div", { class: "system", testid: "system-line" }, happening(row.item));
  if (row.kind === "message") return messageElement(row, context);
  return el("div", { class: row.kind, role: "separator", "aria-label": row.sign, testid: row.kind }, row.sign);
}

function messageElement({ item, first }, context) {
  const sender = item.sender ?? { id: "", name: "Server" };
  const props = { class: `msg ${first ? "first" : ""} ${item.status}`, tabindex: -1, testid: "message", "data-status": item.status, "data-msg-id": item.id, "data-seq": item.seq };
  return el("article", props,
    first ? avatar(sender) : time(item, digitsOf(item.at), "side-time"),
    el("div", {},
      first ? el("div", { class: "msg-head" }, author(sender, context), time(item, timeOf(item.at))) : el("span", { class: "sr-only" }, `${sender.name}: `),
      text(item),
      item.status === "failed" && el("div", { class: "msg-actions", testid: "failed" }, `Not sent: ${reason(item.error)}`, button("Retry", () => context.onRetry(item.key)), button("Discard", () => context.onDiscard(item.key))),
      item.status === "pending" && item.error && el("div", { class: "note" }, `Not sent yet: ${reason(item.error)}`)));
}

function author(sender, { me, onPerson }) {
  const props = { class: "author", testid: "author" };
  if (!sender.id || sender.id === me()?.id) return el("span", props, sender.name);
  return el("button", { ...props, type: "button", title: `Write to ${sender.name}`, onclick: () => onPerson(sender) }, sender.name);
}

function time({ at }, written, style) {
  return el("time", { class: style, datetime: new Date(at * 1000).toISOString(), title: fullTimeOf(at) }, written);
}

function text(item) {
  if (item.deleted) return el("div", { class: "note" }, "This message was deleted");
  return el("div", { class: "text", dir: "auto", testid: "message-text" }, richText(item.text), item.edited && el("span", { class: "note" }, " (edited)"));
}

function reason(error) {
  const { code, message, retryAfter, details } = error ?? {};
  if (code === "rate_limited") return `you write too fast. Wait ${Math.ceil(retryAfter ?? 1)} s.`;
  if (code === "muted" && details.until) return `you are muted until ${timeOf(details.until)}.`;
  return message || code || "something went wrong.";
}
