// Below a message of ours that is not stored, or a change of one: why, and what can be done about it.

import { button, el } from "./dom.js";
import { reason, tooOften } from "./reasons.js";
import { words } from "./words.js";

const WITHOUT = ["lost", "closed", "timeout"]; // a connection
const OF_THE_TEXT = ["too_large", "invalid_text", "invalid_field", "conflict"];

const due = new WeakMap(); // error → when the client tries again, in ms

/** The element, or false if there is nothing to say. `context`: `onRetry(item)`, `onDiscard(item)`, `onRewrite(item)`: write it again. */
export function held(item, { onRetry, onDiscard, onRewrite }) {
  const { error, change, status, payload } = item;
  if (!error && !change) return false; // most messages
  const said = words.message;
  const discard = button(said.discard, () => onDiscard(item));
  const rewrite = !payload?.attachments && button(said.rewrite, () => onRewrite(item));
  const shown = (testid, why, ...acts) => el("div.msg-actions", { testid }, why, el("div.list-actions", {}, acts));
  const failed = (why, act) => shown("failed", el("p.problem", {}, why), act || button(said.retry, () => onRetry(item)), discard);
  if (change) return change.error && failed((change.text === undefined ? said.notDeleted : said.notSaved)(reason(change.error)));
  if (status === "failed") return failed(said.notSent(reason(error)), isRefused(error) && rewrite);
  if (tooOften(error)) return shown("held", countdown(error), rewrite, discard);
  // Without a connection nothing has to be done again: the message waits for it.
  return el("p.note", {}, WITHOUT.includes(error.code) ? said.waits : said.notSentYet(reason(error)));
}

// The same text would be refused again.
function isRefused({ code, details }) {
  return OF_THE_TEXT.includes(code) || (code === "forbidden" && details?.needs === undefined);
}

function countdown(error) {
  if (!due.has(error)) due.set(error, Date.now() + (error.details.retryAfter ?? 1) * 1000);
  const note = el("p.note");
  const tell = () => {
    note.textContent = words.message.sentIn(tooOften(error), Math.max(1, Math.ceil((due.get(error) - Date.now()) / 1000)));
  };
  const timer = setInterval(() => (note.isConnected ? tell() : clearInterval(timer)), 1000);
  tell();
  return note;
}
