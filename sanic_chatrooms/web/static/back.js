// The way back of a phone closes what is over the page before it leaves the page. A place in the history stands for what is open; it stays when
// that closes otherwise, and the way back then skips it.

import { above, narrow, onPhone } from "./dom.js";

let open = []; // closes each thing that is over the page, the last one first
let seen;

const over = () => history.state?.over ?? 0; // how many things the place in the history stands for
const look = () => (seen = { over: over(), href: location.href, state: history.state });

/** Close those dialogs that show what is not there now. What has to be answered stays. */
export function closeDialogs(which = "dialog") {
  for (const dialog of document.querySelectorAll(`${which}[open]:not([closedby=none])`)) dialog.close();
}

/** Take care of the history of this page. `onAddress()`: the address is another one; `onMoved()`: the place in the history is. */
export function keepHistory(onAddress, onMoved) {
  above.opens = covers;
  note({});
  addEventListener("popstate", () => uncovers() || onMoved());
  addEventListener("hashchange", ({ oldURL }) => {
    note({ from: new URL(oldURL).hash || "#/" });
    closeDialogs();
    onAddress();
  });
}

// A place without a state is a new one.
function note(state) {
  if (!history.state) history.replaceState(state, "");
  look();
}

// See `above`.
function covers(close) {
  if (!onPhone()) return () => {};
  if (over() <= open.length) history.pushState({ ...history.state, over: open.length + 1 }, "");
  open.push(close);
  look();
  return () => {
    open = open.filter((one) => one !== close);
  };
}

// Whether the way led from a place that stands for what is open.
function uncovers() {
  const before = seen;
  // A link to where one is takes the state of the place away.
  if (!history.state && location.href === before.href) history.replaceState(before.state, "");
  const now = look();
  if (now.href !== before.href || now.over >= before.over) return false;
  if (open.length <= now.over) history.back();
  while (open.length > now.over) open.pop()();
  return true;
}

/** Where one is has this address from now on. */
export function readdress(hash) {
  history.replaceState(history.state, "", hash);
  look();
}

/** Up to this address where there is one pane at a time: back, if one came from there, so that the way back does not lead down again. Returns whether it goes there. */
export function up(hash) {
  if (!narrow.matches || location.hash === hash) return false;
  if (history.state?.from === hash) history.go(-1 - over());
  else location.replace(hash);
  return true;
}
