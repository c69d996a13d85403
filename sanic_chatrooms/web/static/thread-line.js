// Under a message: how many replies it has, and when the last one came.

import { el, icon } from "./dom.js";
import { momentOf, replies } from "./format.js";

/** A button that opens the thread; null where the conversation is a thread itself. `context`: see row-acts.js. */
export function threadLine(item, { onThread }) {
  const { count, last } = item.thread;
  if (!onThread) return null;
  const said = replies(count);
  const when = momentOf(last.timestamp);
  return el("button.thread-line", { testid: "thread-line", "aria-label": `${said}, the last at ${when}. Open the thread`, onclick: () => onThread(item) },
    icon("reply"), el("span.replies", {}, said), el("span.note", {}, `last ${when}`));
}
