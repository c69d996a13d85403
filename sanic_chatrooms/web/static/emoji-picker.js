// Emoji to choose from, by finger, mouse or keys, and found by their names. Any other one can be typed. Loaded for the first reaction.

import { light, openDialog } from "./dialogs.js";
import { composing, el, fill } from "./dom.js";
import { kept } from "./kept.js";
import { byTouch } from "./long-press.js";
import { emojiNames } from "./reactions.js";
import { words } from "./words.js";

const COLUMNS = 6;
const KEY = "chatrooms emoji"; // the last ones that were chosen here
const TYPED = /^(?=[^\0-\x7f])\p{Emoji}[^\p{L}\p{Z}\0-\x7f]{0,15}$/u;

/** Choose one beside this place, a rectangle on the screen; resolves with undefined for none. `into`: see openDialog. */
export async function pickEmoji(place, into) {
  let box;
  const answer = openDialog(words.message.react, (close) => (box = parts(close)), { ...light, into, class: byTouch.matches ? "dialog picker sheet" : "dialog picker", testid: "reaction-picker" });
  if (!byTouch.matches) beside(box.parentElement, place);
  const emoji = await answer;
  if (emoji) kept.set(KEY, [emoji, ...recent().filter((one) => one !== emoji)].slice(0, COLUMNS).join(" "));
  return emoji;
}

const recent = () => (kept.get(KEY) ?? "").split(" ").filter((one) => TYPED.test(one));

function parts(close) {
  const said = words.reactions;
  const names = new Map(emojiNames().map(([emoji, ...rest]) => [emoji, rest]));
  const all = [...new Set([...recent(), ...names.keys()])];
  const grid = el("div.emoji-grid", { role: "group", "aria-label": said.label });
  const none = el("p.hint", { role: "status", testid: "emoji-none" });
  const choice = (emoji, at) => {
    const [name = emoji] = names.get(emoji) ?? [];
    return el("button.emoji-choice", { "aria-label": name, title: name, autofocus: byTouch.matches && at === 0, testid: "emoji", onclick: () => close(emoji) }, emoji);
  };
  const find = () => {
    const query = field.value.trim().toLocaleLowerCase();
    const found = all.filter((emoji) => emoji === query || names.get(emoji)?.[1].includes(query));
    fill(grid, (query ? (found.length || !TYPED.test(query) ? found : [query]) : all).map(choice));
    grid.hidden = !grid.firstChild;
    none.textContent = grid.hidden ? said.none : "";
  };
  const field = el("input.field", { type: "search", autocomplete: "off", maxlength: 40, placeholder: said.search, "aria-label": said.search, autofocus: !byTouch.matches, testid: "emoji-field", oninput: find });
  find();
  return el("div.picker-box", { onkeydown: (event) => walk(field, [...grid.children], event) }, field, grid, none);
}

// Above the first row is the field, whose own keys stay its own.
function walk(field, choice, event) {
  const ahead = event.target.matches(":dir(rtl)") ? -1 : 1;
  const at = choice.indexOf(event.target);
  const step = { ArrowRight: ahead, ArrowLeft: -ahead, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
  if (composing(event)) return;
  if (at < 0) {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    if (event.key === "Enter") choice[0]?.click();
    else choice[0]?.focus();
  } else if (step) (choice[at + step] ?? (step === -COLUMNS ? field : null))?.focus();
  else return;
  event.preventDefault();
}

// Above the button, below it where there is no room, and never over an edge. It opens towards the middle of the screen.
function beside(dialog, { top, bottom, left, right }) {
  const { width, height } = dialog.getBoundingClientRect();
  const above = top - height - 8;
  const within = (wanted, size, all) => `${Math.max(8, Math.min(wanted, all - size - 8))}px`;
  Object.assign(dialog.style, { margin: "0", right: "auto", left: within(left + right < innerWidth ? left : right - width, width, innerWidth), top: within(above < 8 ? bottom + 8 : above, height, innerHeight) });
}
