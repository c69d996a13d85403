// One row of the conversation as an element.

import { attachments } from "./attachments.js";
import { avatar } from "./avatar.js";
import { el, iconButton, media } from "./dom.js";
import { rightsOver } from "./edits.js";
import { foldable, isFolded, LINES } from "./folding.js";
import { digitsOf, fullTimeOf, timeOf } from "./format.js";
import { endOf, growingText, textThatEnded, writingSign } from "./growing.js";
import { held } from "./held.js";
import { isTo, marked, mentionsOf } from "./mentions.js";
import { pinSign } from "./pinning.js";
import { reactionRow } from "./reactions.js";
import { rewriting } from "./rewriting.js";
import { calm, newPen, richText } from "./richtext.js";
import { happening, linesOf } from "./rows.js";
import { threadLine } from "./thread-line.js";
import { textOf } from "./timeline.js";
import { words } from "./words.js";

const LONG = 20; // lines
const noHover = media("(hover: none)");

const waiting = new WeakMap(); // row → draws the actions of its message

/** `context`: see row-acts.js, and `onEdit(item)`, `onLeave(item)`, `onRewrite(item)`. `before`: the element of the row that this one replaces. */
export function rowElement(row, context, before) {
  try {
    const node = drawn(row, context);
    if (before?.matches(":hover, :focus-within")) equip(node);
    return node;
  } catch (error) {
    // A message that cannot be drawn must not hide later ones.
    console.error("a row of the conversation cannot be drawn", error);
    return plain(row);
  }
}

/** Draw the actions of a message: somebody points at its row, or the focus came into it. They are two thirds of its elements. */
export function equip(node) {
  waiting.get(node)?.();
  waiting.delete(node);
}

function drawn(row, context) {
  if (row.kind === "system") return el("div.system", { testid: "system-line" }, calm(happening(row.item, row.was)));
  if (row.kind === "message") return messageElement(row, context);
  if (row.kind === "folded") return foldedElement(row, context);
  return el("div", { class: row.kind, role: "separator", "aria-label": row.sign, testid: row.kind }, row.sign);
}

function plain({ kind, item }) {
  const said = kind === "message" ? el("div.text", { dir: "auto", testid: "message-text" }, calm(textOf(item?.payload))) : null;
  return el("article.msg", { tabindex: -1, testid: kind, "data-seq": item?.seq }, el("span"), el("div", {}, el("span.author", {}, calm(`${item?.sender?.name ?? words.server}`)), el("div.note", {}, words.message.broken), said));
}

function foldedElement({ items }, { onUnfold }) {
  return el("div.system.folded", { testid: "folded" }, words.message.blocked(items.length), " ", el("button.button.plain", { testid: "unfold", onclick: () => onUnfold(items) }, words.show));
}

function messageElement({ item, first, editing, mark }, context) {
  const sender = item.sender ?? { id: "", name: words.server };
  const status = statusOf(item);
  const props = { part: "message", class: `msg ${first ? "first" : ""} ${status} ${isTo(item, context.me()) ? "to-me" : ""} ${item.streaming ? "streaming" : ""}`, tabindex: -1, testid: "message", "data-status": status, "data-msg-id": item.id, "data-seq": item.seq, onmousedown: stay };
  const node = sized(item, context, el("article", props,
    first ? avatar(sender) : time(item, digitsOf(item.at), "side-time"),
    el("div", {},
      first ? el("div.msg-head", {}, author(sender, context), mark && el("span.mark", { testid: "author-mark" }, mark), time(item, timeOf(item.at))) : el("span.sr-only", {}, words.message.said(sender.name, "")),
      item.pinned && pinSign(item),
      editing ? rewriting(item, context) : foldable(item, text(item, context), context),
      item.payload?.attachments && attachments(item, context.files?.ready),
      item.streaming ? writingSign(item, context) : endOf(item) && el("div.note", { testid: "stream-end" }, endOf(item)),
      !editing && held(item, context),
      !editing && reactionRow(item, context),
      item.thread && threadLine(item, context))));
  if (!editing) waiting.set(node, () => addTools(node.lastChild, item, context));
  return node;
}

// On a touch screen the focus shows the actions of a message, which move it. What a finger is on must not move away.
function stay(event) {
  if (noHover.matches && event.target.closest("button")) event.preventDefault();
}

// Estimates the height of a long message. An estimate that is too low would make the browser lay out too many rows.
// Short messages are estimated too low on purpose: Chromium keeps the reading position exactly only if rows grow.
function sized(item, context, node) {
  const lines = isFolded(item, context) ? LINES + 2 : linesOf(item);
  if (lines > LONG) node.style.setProperty("--lines", lines);
  return node;
}

/** The state of a message or of our change of it: sent, pending or failed. */
function statusOf({ status, change }) {
  return !change ? status : change.error ? "failed" : "pending";
}

function addTools(body, item, { me, role, has, onPick, onThread, onPin, mayPin, onCopy, onLink, onEdit, onDelete, onReport, onUnread, quiet }) {
  const { edit, remove, report, answer } = rightsOver(item, me(), role());
  if (quiet || !answer) return;
  const said = words.message;
  body.append(el("div.msg-tools", {},
    onPick && has("reactions") && iconButton("smile", said.react, { testid: "react", onclick: ({ currentTarget }) => onPick(item, currentTarget) }),
    onThread && has("threads") && iconButton("reply", said.reply, { testid: "reply", onclick: () => onThread(item) }),
    onCopy && item.text && iconButton("copy", said.copy, { testid: "copy", onclick: () => onCopy(item) }),
    onLink && iconButton("link", said.link, { testid: "link", onclick: () => onLink(item) }),
    onPin && mayPin() && has("pins") && iconButton("pin", item.pinned ? said.unpin : said.pin, { testid: "pin", onclick: () => onPin(item) }),
    edit && has("edits") && iconButton("edit", said.edit, { testid: "edit", onclick: () => onEdit(item) }),
    answer && !edit && onThread && onUnread && iconButton("mail", said.unread, { testid: "mark-unread", onclick: () => onUnread(item) }),
    report && onReport && iconButton("flag", said.report, { testid: "report", onclick: () => onReport(item) }),
    remove && iconButton("bin", said.delete, { testid: "delete", onclick: () => onDelete(item) })));
}

function author(sender, { me, onPerson }) {
  const props = { class: "author", testid: "author" };
  if (!onPerson || !sender.id || sender.id === me()?.id) return el("span", props, el("bdi", {}, sender.name));
  return el("button", { ...props, title: words.message.writeTo(sender.name), onclick: () => onPerson(sender) }, el("bdi", {}, sender.name));
}

function time({ at }, written, style, title = fullTimeOf(at)) {
  return el("time", { class: style, datetime: new Date(at * 1000).toISOString(), title }, written);
}

function mentioned({ payload }, { me, nameOf }) {
  const isMe = (id) => id === me()?.id || id === "@room";
  return mentionsOf(payload).map((id) => ({ name: id[0] === "@" ? id.slice(1) : nameOf(id), isMe: isMe(id) })).filter(({ name }) => name);
}

function text(item, context) {
  if (item.deleted) return el("div.note", { testid: "deleted" }, calm(item.because ? words.message.deletedBecause(item.because) : words.message.deleted));
  const names = mentioned(item, context);
  const said = (part) => marked([calm(part)], names);
  if (item.streaming) return growingText(item, said);
  const edited = item.edited && time({ at: item.edited }, words.message.edited, "edited", words.message.editedAt(fullTimeOf(item.edited)));
  return el("div.text", { dir: "auto", testid: "message-text" }, richText(item.change?.text ?? textThatEnded(item), newPen({ said })), edited);
}
