// One row of the conversation as an element.

import { avatar } from "./avatar.js";
import { button, el } from "./dom.js";
import { digitsOf, fullTimeOf, timeOf } from "./format.js";
import { richText } from "./richtext.js";
import { happening } from "./rows.js";

const NOBODY = { id: "", name: "Server" };

/** `context`: `me()`, `onPerson(person)`, `onRetry(key)`, `onDiscard(key)`. */
export function rowElement(row, context) {
  if (row.kind === "day") return el("div", { class: "day", role: "separator", "aria-label": row.sign }, row.sign);
  if (row.kind === "new") return el("div", { class: "new-line", role: "separator", "aria-label": "New since you were here", testid: "new-line" }, "New since you were here");
  if (row.kind === "system") return el("div", { class: "system", testid: "system-line" }, happening(row.item));
  return messageElement(row, context);
}

function messageElement({ item, first }, context) {
  const sender = item.sender ?? NOBODY;
  const classes = ["msg", first && "first", item.status !== "sent" && item.status, item.deleted && "deleted"];
  const props = { class: classes.filter(Boolean).join(" "), tabindex: -1, testid: "message", "data-status": item.status, "data-msg-id": item.id, "data-seq": item.seq };
  return el("article", props,
    first ? avatar(sender) : time(item, digitsOf, "side-time"),
    el("div", {},
      first ? head(item, sender, context) : el("span", { class: "sr-only" }, `${sender.name}: `),
      text(item),
      reactions(item),
      item.status === "failed" && failure(item, context),
      item.status === "pending" && item.error && el("div", { class: "note" }, waiting(item.error))));
}

function head(item, sender, { me, onPerson }) {
  const other = sender.id && sender.id !== me()?.id;
  const name = other
    ? el("button", { type: "button", class: "author", testid: "author", title: `Write to ${sender.name}`, onclick: () => onPerson(sender) }, sender.name)
    : el("span", { class: "author", testid: "author" }, sender.name);
  return el("div", { class: "msg-head" }, name, time(item));
}

function time(item, written = timeOf, more = null) {
  const iso = new Date(item.at * 1000).toISOString();
  return el("time", { class: more, datetime: iso, title: fullTimeOf(item.at) }, written(item.at));
}

function text(item) {
  if (item.deleted) return el("div", { class: "text" }, "This message was deleted");
  const node = el("div", { class: "text", dir: "auto", testid: "message-text" }, richText(item.text));
  if (item.edited) node.append(" ", el("span", { class: "note" }, "(edited)"));
  return node;
}

function reactions(item) {
  const given = Object.entries(item.reactions ?? {}).filter(([, { count }]) => count > 0);
  return given.length > 0 && el("ul", { class: "reactions", "aria-label": "Reactions" }, given.map(([emoji, { count }]) => el("li", {}, `${emoji} ${count}`)));
}

function failure(item, { onRetry, onDiscard }) {
  return el("div", { class: "msg-actions", testid: "failed" },
    el("span", {}, `Not sent: ${reason(item.error)}`),
    button("Retry", () => onRetry(item.key)),
    button("Discard", () => onDiscard(item.key)));
}

function waiting(error) {
  return error.code === "rate_limited" ? `You are writing too fast; ${reason(error)}` : `Not sent yet: ${reason(error)}`;
}

/** Why something failed, for people. */
export function reason(error) {
  if (!error) return "something went wrong.";
  if (error.code === "rate_limited") return `wait ${Math.ceil(error.retryAfter ?? error.details?.retryAfter ?? 1)} s before the next one.`;
  if (error.code === "muted" && error.details?.until) return `you are muted until ${timeOf(error.details.until)}.`;
  return error.message || error.code;
}
