// One row of the conversation as an element.

import { avatar } from "./avatar.js";
import { button, el, iconButton } from "./dom.js";
import { rightsOver } from "./edits.js";
import { digitsOf, fullTimeOf, timeOf } from "./format.js";
import { rewriting } from "./rewriting.js";
import { richText } from "./richtext.js";
import { happening } from "./rows.js";

/** `context`: `me()`, `role()`, `onPerson(person)`, `onRetry(item)`, `onDiscard(item)`, `onEdit(item)`, `onDelete(item)`, and what `rewriting` needs. */
export function rowElement(row, context) {
  if (row.kind === "system") return el("div", { class: "system", testid: "system-line" }, happening(row.item));
  if (row.kind === "message") return messageElement(row, context);
  return el("div", { class: row.kind, role: "separator", "aria-label": row.sign, testid: row.kind }, row.sign);
}

function messageElement({ item, first, editing }, context) {
  const sender = item.sender ?? { id: "", name: "Server" };
  const status = statusOf(item);
  const props = { class: `msg ${first ? "first" : ""} ${status}`, tabindex: -1, testid: "message", "data-status": status, "data-msg-id": item.id, "data-seq": item.seq };
  return el("article", props,
    first ? avatar(sender) : time(item, digitsOf(item.at), "side-time"),
    el("div", {},
      first ? el("div", { class: "msg-head" }, author(sender, context), time(item, timeOf(item.at))) : el("span", { class: "sr-only" }, `${sender.name}: `),
      editing ? rewriting(item, context) : text(item),
      status === "failed" && !editing && el("div", { class: "msg-actions", testid: "failed" }, trouble(item), button("Retry", () => context.onRetry(item)), button("Discard", () => context.onDiscard(item))),
      item.status === "pending" && item.error && el("div", { class: "note" }, `Not sent yet: ${reason(item.error)}`),
      !editing && tools(item, context)));
}

/** What becomes of it, or of what we change of it: sent, pending or failed. */
function statusOf({ status, change }) {
  return !change ? status : change.error ? "failed" : "pending";
}

function trouble({ error, change }) {
  if (!change) return `Not sent: ${reason(error)}`;
  return `${change.text === undefined ? "Not deleted" : "Not saved"}: ${reason(change.error)}`;
}

function tools(item, { me, role, onEdit, onDelete }) {
  const { edit, remove } = rightsOver(item, me(), role());
  return remove && el("div", { class: "msg-tools", testid: "message-tools" },
    edit && iconButton("edit", "Edit message", { testid: "edit", onclick: () => onEdit(item) }),
    iconButton("bin", "Delete message", { testid: "delete", onclick: () => onDelete(item) }));
}

function author(sender, { me, onPerson }) {
  const props = { class: "author", testid: "author" };
  if (!sender.id || sender.id === me()?.id) return el("span", props, sender.name);
  return el("button", { ...props, type: "button", title: `Write to ${sender.name}`, onclick: () => onPerson(sender) }, sender.name);
}

function time({ at }, written, style, what = "") {
  return el("time", { class: style, datetime: new Date(at * 1000).toISOString(), title: what + fullTimeOf(at) }, written);
}

function text(item) {
  if (item.deleted) return el("div", { class: "note", testid: "deleted" }, "This message was deleted");
  const edited = item.edited && time({ at: item.edited }, " (edited)", "edited", "Edited ");
  return el("div", { class: "text", dir: "auto", testid: "message-text" }, richText(item.change?.text ?? item.text), edited);
}

function reason(error) {
  const { code, message, retryAfter, details } = error ?? {};
  if (code === "rate_limited") return `you write too fast. Wait ${Math.ceil(retryAfter ?? 1)} s.`;
  if (code === "muted" && details.until) return `you are muted until ${timeOf(details.until)}.`;
  return message || code || "something went wrong.";
}
