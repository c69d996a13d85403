// What the user chooses for this device. Loaded when somebody opens it; look.js applies what was chosen before.

import { choiceGroup, openPanel, radio } from "./dialogs.js";
import { el, touch } from "./dom.js";
import { kept } from "./kept.js";
import { capital } from "./language.js";
import { inThisBrowser } from "./prefs.js";
import { ring } from "./sound.js";
import { LANGUAGES, words } from "./words.js";

const KEY = "chatrooms:settings";

// Each with its label and what can be chosen; else it is on or off.
const choices = ({ theme, themes, density, densities, enter, enters, sound, keys, language, asBrowser }) => [
  ["language", language, { system: asBrowser, ...Object.fromEntries(LANGUAGES.map((tag) => [tag, nameOfLanguage(tag)])) }],
  ["theme", theme, themes],
  ["density", density, densities],
  ["enter", enter, enters],
  ["sound", sound],
  ["keys", keys],
];
const WITH_KEYS = ["enter", "keys"]; // on-screen keyboards have neither

const nameOfLanguage = (tag) => capital(new Intl.DisplayNames([tag], { type: "language" }).of(tag));
const nameOf = (key) => `chat${key[0].toUpperCase()}${key.slice(1)}`;

/** `desktop`: see desktop.js. */
export async function settings(desktop) {
  const { dataset } = document.documentElement;
  const said = words.settings;
  const all = choices(said);
  const before = dataset.chatLanguage;
  const note = el("p.hint", { role: "status", testid: "settings-note" });
  const choose = ({ target: { name, type, checked, value } }) => {
    dataset[nameOf(name)] = type === "radio" ? value : checked ? "on" : "off";
    const chosen = Object.fromEntries(all.map(([key]) => [key, dataset[nameOf(key)]]));
    const lasts = kept.set(KEY, JSON.stringify(chosen));
    note.textContent = !lasts ? said.forgets : dataset.chatLanguage === before ? "" : said.languageLater;
    document.dispatchEvent(new Event("chatsettings"));
    if (name === "sound" && checked) ring();
  };
  const one = (name, value, label) => radio({ name, value, checked: dataset[nameOf(name)] === value, onchange: choose, testid: `${name}-${value}` }, label);
  const flip = (name, label) => el("label.choice", {}, el("input", { type: "checkbox", name, checked: dataset[nameOf(name)] === "on", onchange: choose, testid: name }), label);
  const group = ([name, label, values]) => (values ? choiceGroup(label, el("div.scopes", {}, Object.entries(values).map(([value, title]) => one(name, value, title)))) : flip(name, label));
  const shown = all.filter(([name]) => !(touch.matches && WITH_KEYS.includes(name)));
  await openPanel(said.label, "settings", shown.map(group), inThisBrowser(desktop), note);
  // Everything that is shown has words.
  if (dataset.chatLanguage !== before && kept.lasts(KEY)) location.reload();
}
