// One row of the conversation as an element.

import { actSheet } from "./act-sheet.js";
import { attachments } from "./attachments.js";
import { avatar } from "./avatar.js";
import { el, iconButton } from "./dom.js";
import { rightsOver } from "./edits.js";
import { foldable, isFolded, LINES } from "./folding.js";
import { digitsOf, fullTimeOf, timeOf } from "./format.js";
import { endOf, growingText, textThatEnded, writingSign } from "./growing.js";
import { held } from "./held.js";
import { byTouch } from "./long-press.js";
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
const HEAD = 1.4; // lines: the name, and the space above it

const estimates = new WeakMap(); // row → lines
const equipping = new WeakMap(); // row → draws the actions of its message

/** `context`: see row-acts.js, and `onEdit(item)`, `onLeave(item)`, `onRewrite(item)`. `before`: the element of the row that this one replaces. */
export function rowElement(row, context, before) {
  try {
    const node = rowOf(row, context);
    if (before?.matches(":hover, :focus-within")) equip(node);
    return node;
  } catch (error) {
    // A message that cannot be drawn must not hide later ones.
    console.error("a row of the conversation cannot be drawn", error);
    return brokenRow(row);
  }
}

/** Draw the actions of a message: somebody points at its row, or the focus came into it. They are two thirds of its elements. */
export function equip(node) {
  equipping.get(node)?.();
  equipping.delete(node);
}

function rowOf(row, context) {
  if (row.kind === "system") return el("div.system", { testid: "system-line" }, calm(happening(row.item)));
  if (row.kind === "message") return messageElement(row, context);
  if (row.kind === "folded") return foldedElement(row, context);
  return el("div", { class: row.kind, role: "separator", "aria-label": row.sign, testid: row.kind }, row.sign);
}

function brokenRow({ kind, item }) {
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
  const node = estimated(item, first, context, el("article", props,
    first ? face(sender, context, mark) : timeElement(item, digitsOf(item.at), "side-time"),
    el("div", {},
      first ? el("div.msg-head", {}, author(sender, context, mark), mark && el("span.mark", { testid: "author-mark" }, mark), timeElement(item, timeOf(item.at))) : el("span.sr-only", {}, words.message.said(sender.name, "")),
      item.pinned && pinSign(item),
      editing ? rewriting(item, context) : foldable(item, textElement(item, context), context),
      item.payload?.attachments && attachments(item, context.files?.ready),
      item.streaming ? writingSign(item, context) : endOf(item) && el("div.note", { testid: "stream-end" }, endOf(item)),
      !editing && held(item, context),
      !editing && reactionRow(item, context),
      item.thread && threadLine(item, context))));
  if (!editing) equipping.set(node, () => addTools(node, item, context));
  return node;
}

// On a touch screen a press on a button of a message leaves the focus where it is: perhaps in the field, whose keyboard would go.
function stay(event) {
  if (byTouch.matches && event.target.closest("button")) event.preventDefault();
}

// Estimates the height of a message, in lines. An estimate that is too low would make the browser lay out too many rows.
// Short messages are estimated too low on purpose: Chromium keeps the reading position exactly only if rows grow.
function estimated(item, first, context, node) {
  const lines = linesShown(item, context);
  estimates.set(node, (lines > LONG ? lines : 1) + (first ? HEAD : 0));
  return node;
}

/** About how many lines are shown of an item's text. */
export function linesShown(item, context) {
  return isFolded(item, context) ? LINES + 2 : linesOf(item);
}

/** These rows are in the page: their heights need not be estimated. */
export function measure(nodes) {
  for (const node of nodes) {
    const { height } = node.getBoundingClientRect();
    if (height) estimates.set(node, height / parseFloat(getComputedStyle(node.parentElement).lineHeight));
  }
}

/** About how many lines high this row is. */
export function linesIn(node) {
  return estimates.get(node) ?? 1;
}

/** The state of a message or of our change of it: sent, pending or failed. */
function statusOf({ status, change }) {
  return !change ? status : change.error ? "failed" : "pending";
}

function addTools(row, item, context) {
  const { has, onReact } = context;
  const acts = actsOn(item, context);
  if (!acts.length) return;
  const tool = ([name, label, testid, act]) => iconButton(name, label, { testid, onclick: ({ currentTarget }) => act(currentTarget) });
  row.append(el("div.msg-tools", {}, byTouch.matches ? tool(["more", words.message.acts, "message-acts", (near) => actSheet(acts, near, has("reactions") && ((emoji) => onReact(item, emoji)))]) : acts.map(tool)));
}

// What can be done with a message: [icon, label, test id, function(near)]; `near`: what was pressed.
function actsOn(item, { me, role, has, onPick, onThread, onPin, mayPin, onCopy, onLink, onEdit, onDelete, onReport, onUnread, quiet }) {
  const { edit, remove, report, answer } = rightsOver(item, me(), role());
  const said = words.message;
  const all = [
    onPick && has("reactions") && ["smile", said.react, "react", (near) => onPick(item, near)],
    onThread && has("threads") && ["reply", said.reply, "reply", () => onThread(item)],
    onCopy && item.text && ["copy", said.copy, "copy", () => onCopy(item)],
    onLink && ["link", said.link, "link", () => onLink(item)],
    onPin && mayPin() && has("pins") && ["pin", item.pinned ? said.unpin : said.pin, "pin", () => onPin(item)],
    edit && has("edits") && ["edit", said.edit, "edit", () => onEdit(item)],
    !edit && onThread && onUnread && ["unread", said.unread, "mark-unread", () => onUnread(item)],
    report && onReport && ["flag", said.report, "report", () => onReport(item)],
    remove && ["bin", said.delete, "delete", () => onDelete(item)],
  ];
  return quiet || !answer ? [] : all.filter(Boolean);
}

const hasCard = ({ id }, { me, onCard }) => onCard && id && id !== me()?.id;

// For pointers. The name beside it does the same, and has the focus.
function face(sender, context, mark) {
  if (!hasCard(sender, context)) return avatar(sender);
  const node = avatar(sender, "opens");
  node.addEventListener("click", () => context.onCard(sender, mark));
  return node;
}

function author(sender, context, mark) {
  const props = { class: "author", testid: "author" };
  if (!hasCard(sender, context)) return el("span", props, el("bdi", {}, sender.name));
  return el("button", { ...props, title: words.people.about(sender.name), onclick: () => context.onCard(sender, mark) }, el("bdi", {}, sender.name));
}

function timeElement({ at }, written, style, title = fullTimeOf(at)) {
  return el("time", { class: style, datetime: new Date(at * 1000).toISOString(), title }, written);
}

function mentioned({ payload }, { me, nameOf }) {
  const isMe = (id) => id === me()?.id || id === "@room";
  return mentionsOf(payload).map((id) => ({ name: id[0] === "@" ? id.slice(1) : nameOf(id), isMe: isMe(id) })).filter(({ name }) => name);
}

function textElement(item, context) {
  if (item.deleted) return el("div.note", { testid: "deleted" }, calm(item.because ? words.message.deletedBecause(item.because) : words.message.deleted));
  const names = mentioned(item, context);
  const said = (part) => marked([calm(part)], names);
  if (item.streaming) return growingText(item, said);
  const edited = item.edited && timeElement({ at: item.edited }, words.message.edited, "edited", words.message.editedAt(fullTimeOf(item.edited)));
  return el("div.text", { dir: "auto", testid: "message-text" }, richText(item.change?.text ?? textThatEnded(item), newPen({ said })), edited);
}
