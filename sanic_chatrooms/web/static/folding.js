// Long messages are folded: their beginning is shown, and a button for the rest.

import { button, el, idle, narrow } from "./dom.js";
import { linesOf } from "./rows.js";
import { words } from "./words.js";

/** As many lines of a folded message are shown; a few more are not worth a button. */
export const LINES = 20;
const SPARE_LINES = 5;
const NARROW = 40; // letters in a line of a phone
// What is shown of a folded message at first: whole lines, or as many letters as have room in one. Of very thin letters it is a little less.
const beginningOf = (letters) => new RegExp(`^(?:[^\\n]{${letters}}|[^\\n]*\\n){0,${LINES + 2}}`, "u");
const WIDE_BEGINNING = beginningOf(120);
const NARROW_BEGINNING = beginningOf(60);
const IDLE = { timeout: 500 }; // ms

const isTooLong = (item) => linesOf(item, narrow.matches ? NARROW : undefined) > LINES + SPARE_LINES;

/** Whether the message is shown folded. `context.unfolded`: the keys of those that are not. */
export function isFolded(item, { unfolded }) {
  return !item.deleted && !unfolded.has(item.key) && isTooLong(item);
}

/** The text, and the button if it is long. What has grown here stays whole. */
export function foldable(item, text, context) {
  const { unfolded, onResized } = context;
  if (item.streaming) unfolded.add(item.key);
  if (item.streaming || item.deleted || !isTooLong(item)) return text;
  divide(text);
  const toggle = button("", () => press(), { class: "plain unfold", testid: "unfold-text" });
  const draw = () => {
    const isOpen = unfolded.has(item.key);
    text.classList.toggle("shortened", !isOpen);
    text.scrollTop = 0;
    toggle.textContent = isOpen ? words.message.less : words.message.whole;
    toggle.setAttribute("aria-expanded", `${isOpen}`);
  };
  const press = () => {
    const isOpen = unfolded.has(item.key);
    if (isOpen) unfolded.delete(item.key);
    else unfolded.add(item.key);
    draw();
    if (isOpen) toggle.closest(".msg").scrollIntoView({ block: "nearest" });
    onResized?.();
  };
  // The focus went to a link further down, or the browser found a word there.
  text.addEventListener("scroll", () => {
    const { scrollTop } = text;
    if (!scrollTop) return;
    unfolded.add(item.key);
    draw();
    text.closest(".log, .thread-parent").scrollTop += scrollTop;
    onResized?.();
  });
  draw();
  return [text, toggle];
}

// What is not shown of a folded text is laid out when the rest of the page is painted. It takes the browser most of the time.
function divide(text) {
  let left = (narrow.matches ? NARROW_BEGINNING : WIDE_BEGINNING).exec(`${text.textContent}\n`)[0].length;
  const within = (box) => {
    for (const node of box.childNodes) {
      const { length } = node.textContent;
      if (length <= left) left -= length;
      else {
        if (node.nodeName === "PRE") within(node.firstChild);
        else if (node.data) node.splitText(left);
        const rest = el("div.rest.later");
        while (node.nextSibling) rest.append(node.nextSibling);
        box.append(rest);
        return whenIdle(() => rest.classList.remove("later"));
      }
    }
  };
  within(text);
}

// One after the other, each before a frame of its own.
let queue = Promise.resolve();

function whenIdle(act) {
  queue = queue.then(() => new Promise((done) => idle(() => done(act()), IDLE)));
}
