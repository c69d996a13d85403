// The way back of a phone closes what is over the page before it leaves the page. A place in the history stands for what is open; it stays when
// that closes otherwise, and the way back then skips it.

import { onPhone } from "./columns.js";

let open = null; // closes each thing that is over the page, the last one first; null where the history is not ours
let seen;

const over = () => history.state?.over ?? 0; // how many things the place in the history stands for
const look = () => (seen = { over: over(), href: location.href });

/** Take care of the history of this page: call it once, before others listen to the address. */
export function keepHistory() {
  open = [];
  note({});
  addEventListener("popstate", moved);
  addEventListener("hashchange", came);
}

function came({ oldURL }) {
  note({ from: new URL(oldURL).hash || "#/" });
}

// A place without a state is a new one.
function note(state) {
  if (!history.state) history.replaceState(state, "");
  look();
}

/** Something is over the page now; the way back calls `close`. Returns what to call once it is closed. */
export function covers(close) {
  if (!open || !onPhone()) return () => {};
  if (over() <= open.length) history.pushState({ ...history.state, over: open.length + 1 }, "");
  open.push(close);
  look();
  return () => {
    open = open.filter((one) => one !== close);
  };
}

function moved(event) {
  const before = seen;
  const now = look();
  if (now.href !== before.href || now.over >= before.over) return;
  event.stopImmediatePropagation();
  if (open.length <= now.over) history.back();
  while (open.length > now.over) open.pop()();
}

/** Up to this address: back, if one came from there, so that the way back does not lead down again. */
export function up(hash) {
  if (history.state?.from === hash) history.go(-1 - over());
  else location.replace(hash);
}
