// What the user wants to hear of: in a room, and in this browser. Loaded when somebody opens it.

import { actions, doneButton, openDialog, problemLine, radio } from "./dialogs.js";
import { button, el, fill } from "./dom.js";
import { sentence } from "./reasons.js";

const CHOICES = {
  all: ["All messages", "New messages are counted in the list and in the title."],
  mentions: ["Only mentions", "Only messages that mention you, or everybody, are counted."],
  none: ["Nothing", "The room is quiet. What is new is shown in grey."],
};

const STATES = {
  unsupported: ["This browser has no notifications."],
  denied: ["This browser does not let this page show notifications. Its settings for this page can change that."],
  on: ["This browser shows a notification for what comes while you look elsewhere.", "Turn off", "turnOff"],
  off: ["This browser shows no notifications.", "Turn on", "turnOn"],
  unasked: ["This browser shows no notifications.", "Turn on", "turnOn"],
};

/** Choose for a room, and for this browser. `desktop`: see desktop.js. `changed(notify)`. */
export async function prefs(chat, room, desktop, changed) {
  const before = await chat.prefs(room.id);
  const heading = `Notifications of ${room.name}`;
  return openDialog(heading, (close) => [
    el("h2", {}, heading), choices(chat, room, before.notify, changed), inThisBrowser(desktop),
    actions(doneButton(close, "prefs-done")),
  ], { testid: "prefs-dialog" });
}

function choices(chat, room, before, changed) {
  const problem = problemLine();
  let kept = before;
  const choose = async ({ target }) => {
    fill(problem);
    try {
      kept = (await chat.prefs(room.id, { notify: target.value })).notify;
      changed(kept);
    } catch (error) {
      problem.textContent = sentence(error);
    }
    box.querySelector(`[value=${kept}]`).checked = true;
  };
  const choice = ([value, [label, explains]]) => radio(
    { name: "notify", value, checked: value === before, autofocus: value === before, onchange: choose, testid: `notify-${value}` },
    el("span", {}, label, el("span.note", {}, explains)));
  const box = el("fieldset.row", {}, el("legend.label", {}, "Tell me about"), Object.entries(CHOICES).map(choice));
  return [box, problem];
}

/** Turn notifications of this browser on and off. */
export function inThisBrowser(desktop) {
  const words = el("p.hint", { role: "status" });
  const turn = button("", () => act());
  const draw = () => {
    const [said, label] = STATES[desktop.state];
    words.textContent = said;
    turn.hidden = !label;
    turn.textContent = label ?? "";
  };
  const act = async () => {
    await desktop[STATES[desktop.state][2]]();
    draw();
  };
  draw();
  return el("div.browser-choice", {}, el("h3.label", {}, "Notifications in this browser"), words, turn);
}
