// The keys of the page. Loaded when somebody asks for them.

import { actions, doneButton, openDialog } from "./dialogs.js";
import { chosen, el } from "./dom.js";

const MAC = /Mac|iP/.test(navigator.platform);
const CTRL = MAC ? "⌘" : "Ctrl";
const ALT = MAC ? "⌥" : "Alt";

const keysOf = (sends) => [
  [`${CTRL} K`, "Go to a room"],
  [`${CTRL} Shift F`, "Search messages"],
  [`${ALT} ↑ · ${ALT} ↓`, "The room before, or after, with something new"],
  [sends ? "Enter" : `${CTRL} Enter`, "Send"],
  [sends ? "Shift Enter" : "Enter", "Begin a line"],
  [`${CTRL} B · I · E · Shift X`, "Bold, italic, code, strike through"],
  ["↑", "Where nothing is written: change your last message"],
  ["@", "Mention somebody"],
  ["↑ · ↓", "In messages, rooms and menus: the one before, or after"],
  ["Esc", "Close or leave; where you write: to the newest message"],
  [chosen("chatKeys") === "off" ? `${CTRL} /` : `? · ${CTRL} /`, "This list"],
];

/** Show them. */
export function help() {
  const sends = chosen("chatEnter") !== "line";
  const line = ([keys, what]) => el("div.key-line", {}, el("dt", {}, what), el("dd", {}, el("kbd", {}, keys)));
  return openDialog("Keyboard shortcuts", (close) => [el("h2", {}, "Keyboard shortcuts"), el("dl", {}, keysOf(sends).map(line)), actions(doneButton(close, "help-done"))], { testid: "help-dialog" });
}
