// What the user wants to hear of: in a room, and in this browser. Loaded when somebody opens it.

import { attempt, choiceGroup, openPanel, problemLine, radio } from "./dialogs.js";
import { button, el } from "./dom.js";
import { words } from "./words.js";

const CHOICES = ["all", "mentions", "none"]; // their words: words.notify
const TURNS = { on: "turnOff", off: "turnOn", unasked: "turnOn" }; // what can be done in which state

/** Choose for a room, and for this browser. `desktop`: see desktop.js. `changed(notify)`. */
export async function prefs(chat, room, desktop, changed) {
  const before = await chat.prefs(room.id);
  return openPanel(words.notify.heading(room.name), "prefs", choices(chat, room, before.notify, changed), inThisBrowser(desktop));
}

function choices(chat, room, before, changed) {
  const problem = problemLine();
  let kept = before;
  const choose = async ({ target }) => {
    await attempt(problem, async () => {
      kept = (await chat.prefs(room.id, { notify: target.value })).notify;
      changed(kept);
    });
    box.querySelector(`[value=${kept}]`).checked = true;
  };
  const choice = (value) => {
    const [label, explains] = words.notify[value];
    const props = { name: "notify", value, checked: value === before, autofocus: value === before, onchange: choose, testid: `notify-${value}` };
    return radio(props, el("span", {}, label, el("span.note", {}, explains)));
  };
  const box = choiceGroup(words.notify.about, CHOICES.map(choice));
  return [box, problem];
}

/** Turn notifications of this browser on and off. */
export function inThisBrowser(desktop) {
  const said = el("p.hint", { role: "status" });
  const turn = button("", () => act());
  const draw = () => {
    const { state } = desktop;
    said.textContent = words.notify[state === "unasked" ? "off" : state];
    turn.hidden = !TURNS[state];
    turn.textContent = words.notify[TURNS[state]] ?? "";
  };
  const act = async () => {
    await desktop[TURNS[desktop.state]]();
    draw();
  };
  draw();
  return el("div.browser-choice", {}, el("h3.label", {}, words.notify.inBrowser), said, turn);
}
