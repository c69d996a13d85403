// Under a message: how many replies it has, and when the last one came.

import { el, icon } from "./dom.js";
import { momentOf } from "./format.js";
import { words } from "./words.js";

/** A button that opens the thread; null where the conversation is a thread itself. `context`: see row-acts.js. */
export function threadLine(item, { onThread }) {
  const { count, last } = item.thread;
  if (!onThread) return null;
  const said = words.replies(count);
  const when = momentOf(last.timestamp);
  return el("button.thread-line", { testid: "thread-line", "aria-label": words.thread.line(said, when), onclick: () => onThread(item) },
    icon("reply"), el("span.replies", {}, said), " ", el("span.note", {}, words.thread.last(when)));
}
