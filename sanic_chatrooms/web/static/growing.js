// A message that is being written: its text grows in its place, with a sign below it, and "Stop" for those who may.

import { button, el, fill } from "./dom.js";
import { reason } from "./reasons.js";
import { blocksOf, calm, newPen, richText } from "./richtext.js";
import { words } from "./words.js";

const CODE_FENCE = "```";

const QUIET = 12_000; // ms without a piece
const EARLY_ENDS = ["cancelled", "error", "interrupted"];

/** Let the timelines of the book grow, and tell what shows them: `changed("grown", room)`, `changed("written", room, item)` when one of others is done. */
export function followGrowth(chat, book, changed) {
  chat.on("message.delta", ({ room: id, payload }) => {
    const room = book.rooms.get(id);
    if (!room) return;
    for (const timeline of room.timelines()) timeline.grow(payload);
    for (const thread of room.threads.values()) thread.grown?.();
    changed("grown", room);
  });
  // After the book, whose timelines have the end then.
  chat.on("*", ({ type, room: id, payload, sender }) => {
    if (type !== "message.edited" || !payload.closed || sender?.id === chat.user?.id) return;
    const room = book.get(id);
    const itemIn = ({ items }) => items.findLast((one) => one.id === payload.msgId);
    const item = itemIn(room.timeline);
    if (item) changed("written", room, item);
    for (const thread of room.threads.values()) if (itemIn(thread.timeline)) thread.written?.(itemIn(thread.timeline));
  });
}

/** How a message ended that did not end well, in words; else "". */
export function endOf({ ended }) {
  return EARLY_ENDS.includes(ended) ? words.stream[ended] : "";
}

/** The text of a message. A block of code without an end goes on to the end of the text. A fence within a line opens one only in a text that `ended` early. */
export function textThatEnded({ text, ended }) {
  const block = text.includes(CODE_FENCE) ? finished(text, 0).block : -1;
  if (block < 0 || (!ended && block && text[block - 1] !== "\n")) return text;
  return text.slice(0, block) + (withEnd(text.slice(block)) || (ended ? "" : text.slice(block)));
}

/** Whether this user may stop a message in this room: its writer, who asked for it, and moderators. */
export function mayStop({ sender, payload }, me, { may, timeline }) {
  if (may.has("message.cancel") || (sender && sender.id === me?.id)) return true;
  const asked = may.has("message.cancel.answer") && payload.parent && timeline.items.findLast(({ id }) => id === payload.parent);
  return Boolean(asked?.sender) && asked.sender.id === me?.id;
}

// ---- the text ----

const progress = new WeakMap(); // element → how much of the text is drawn for good, how much in all, the element of the rest, and the pen

/** The element of a text that grows. `said`: see newPen. */
export function growingText({ text }, said = calm) {
  const tail = el("span");
  const node = el("div.text", { dir: "auto", testid: "message-text" }, tail);
  progress.set(node, { final: 0, length: 0, tail, pen: newPen({ said }) });
  extend(node, text);
  return node;
}

/** Draw what has been added to a text. Only its last line, list, quote or block of code is drawn again. */
export function extend(node, text) {
  const state = progress.get(node);
  if (!state || state.length === text.length) return;
  const { final, tail, pen } = state;
  const { end, block } = finished(text, final);
  if (end > final) tail.before(...richText(text.slice(final, end), pen));
  const rest = { ...pen };
  fill(tail, richText(text.slice(end, block < 0 ? undefined : block), rest), block < 0 ? [] : richText(withEnd(text.slice(block)), rest));
  Object.assign(state, { final: end, length: text.length });
}

// `end`: up to there everything is whole lines and whole blocks. `block`: where code begins that has no end yet, or -1.
function finished(text, start) {
  let end = start;
  for (const { kind, from, to } of blocksOf(text.slice(start), { growing: true })) {
    if (kind === "open") return { end: start + from, block: start + from };
    const isWhole = (kind === "line" || kind === "code") && text.endsWith("\n");
    if (isWhole || start + to < text.length) end = start + to;
  }
  return { end, block: -1 };
}

// A block of code that has no end yet, with one. Nothing while there is no code in it.
function withEnd(block) {
  const code = block.indexOf("\n");
  return code < 0 || !block.slice(code).trim() ? "" : `${block}\n${CODE_FENCE}`;
}

// ---- the sign ----

/** Shown below the text. `context`: `onStop(item)` → promise, `mayStop(item)`. */
export function writingSign(item, { onStop, mayStop: may }) {
  const trouble = el("span.problem", { role: "status" });
  const stop = button(words.stream.stop, press, { testid: "stop", hidden: !may(item) });
  // While it is asked, the button keeps the focus.
  async function press() {
    if (stop.getAttribute("aria-disabled")) return;
    stop.setAttribute("aria-disabled", "true");
    fill(stop, words.stream.stopping);
    fill(trouble);
    const error = await onStop(item).then(() => null, (problem) => problem);
    // What is closed or deleted is drawn anew.
    if (!error || error.code === "conflict" || error.code === "message_not_found") return;
    stop.removeAttribute("aria-disabled");
    fill(stop, words.stream.stop);
    fill(trouble, words.stream.notStopped(reason(error)));
  }
  const said = el("span", {}, words.stream.writing);
  const sign = el("div.writing-sign", { testid: "streaming" }, el("i", { "aria-hidden": "true" }), said, stop, trouble);
  watchSilence(sign, said, item);
  return sign;
}

// The server closes what nobody writes any more only later, and a reader who is offline hears nothing.
function watchSilence(sign, said, item) {
  let { length } = item.text;
  let since = Date.now();
  const timer = setInterval(() => {
    if (!sign.isConnected) return clearInterval(timer);
    if (item.text.length !== length) [length, since] = [item.text.length, Date.now()];
    const isQuiet = Date.now() - since >= QUIET;
    sign.classList.toggle("quiet", isQuiet);
    const { quiet, writing } = words.stream;
    if (said.textContent !== (isQuiet ? quiet : writing)) said.textContent = isQuiet ? quiet : writing;
  }, 1000);
}

/** Draw the row of a message that is being written: its text, and whether this user may stop it. */
export function grow(row, item, context) {
  extend(row.querySelector(".text"), item.text);
  const stop = context && row.querySelector("[data-testid=stop]");
  if (stop) stop.hidden = !context.mayStop(item);
}
