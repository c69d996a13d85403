// A small set of emoji to choose from, by mouse and with the arrow keys. Loaded for the first reaction.

import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { words } from "./words.js";

const COLUMNS = 6;

/** Choose one beside this place, a rectangle on the screen; resolves with undefined for none. `into`: see openDialog. */
export function pickEmoji(place, into) {
  let box;
  const answer = openDialog(words.message.react, (close) => {
    const choice = Object.entries(words.reactions.names).map(([emoji, name], at) => el("button.emoji-choice", { "aria-label": name, title: name, autofocus: at === 0, testid: "emoji", onclick: () => close(emoji) }, emoji));
    box = el("div.emoji-grid", { role: "group", "aria-label": words.reactions.label, onkeydown: (event) => walk(choice, event) }, choice);
    return box;
  }, { into, class: "dialog picker", testid: "reaction-picker", onclick: ({ target, currentTarget }) => target === currentTarget && currentTarget.close() });
  beside(box.parentElement, place);
  return answer;
}

function walk(choice, event) {
  const ahead = event.target.matches(":dir(rtl)") ? -1 : 1;
  const step = { ArrowRight: ahead, ArrowLeft: -ahead, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
  const next = step && choice[choice.indexOf(event.target) + step];
  if (!step) return;
  event.preventDefault();
  next?.focus();
}

// Above the button, below it where there is no room, and never over an edge. It opens towards the middle of the screen.
function beside(dialog, { top, bottom, left, right }) {
  const { width, height } = dialog.getBoundingClientRect();
  const above = top - height - 8;
  const within = (wanted, size, all) => `${Math.max(8, Math.min(wanted, all - size - 8))}px`;
  Object.assign(dialog.style, { margin: "0", right: "auto", left: within(left + right < innerWidth ? left : right - width, width, innerWidth), top: within(above < 8 ? bottom + 8 : above, height, innerHeight) });
}
