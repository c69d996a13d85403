// What the user chooses for this device. Loaded when somebody opens it; look.js applies what was chosen before.

import { touch } from "./columns.js";
import { actions, doneButton, openDialog, radio } from "./dialogs.js";
import { el } from "./dom.js";
import { kept } from "./kept.js";
import { inThisBrowser } from "./prefs.js";
import { ring } from "./sound.js";

const KEY = "chatrooms:settings";

const CHOICES = [
  ["theme", "Colours", { system: "Like the system", light: "Light", dark: "Dark" }],
  ["density", "Spacing", { comfortable: "Comfortable", compact: "Compact" }],
  ["enter", "Enter", { send: "Sends", line: "Begins a line (Ctrl or ⌘ with Enter sends)" }],
  ["sound", "Sound for mentions and direct messages", { off: "Off", on: "On" }],
  ["keys", "The key ? shows the shortcuts", { on: "On", off: "Off" }],
];
const WITH_KEYS = ["enter", "keys"]; // on-screen keyboards have neither

const nameOf = (key) => `chat${key[0].toUpperCase()}${key.slice(1)}`;

/** `desktop`: see desktop.js. */
export function settings(desktop) {
  const { dataset } = document.documentElement;
  const forgets = el("p.problem", { role: "status", testid: "settings-forgotten" });
  const choose = ({ target: { name, value } }) => {
    dataset[nameOf(name)] = value;
    const all = Object.fromEntries(CHOICES.map(([key]) => [key, dataset[nameOf(key)]]));
    if (!kept.set(KEY, JSON.stringify(all))) forgets.textContent = "This browser keeps nothing. Your choices last until you leave the page.";
    document.dispatchEvent(new Event("chatsettings"));
    if (name === "sound" && value === "on") ring();
  };
  const one = (name, value, label) => radio({ name, value, checked: dataset[nameOf(name)] === value, onchange: choose, testid: `${name}-${value}` }, label);
  const group = ([name, label, values]) => el("fieldset.row", {}, el("legend.label", {}, label),
    el("div.scopes", {}, Object.entries(values).map(([value, words]) => one(name, value, words))));
  const shown = CHOICES.filter(([name]) => !(touch.matches && WITH_KEYS.includes(name)));
  return openDialog("Settings", (close) => [el("h2", {}, "Settings"), shown.map(group), inThisBrowser(desktop), forgets, actions(doneButton(close, "settings-done"))], { testid: "settings-dialog" });
}
