// Settings: all of them, and a field for those that can change while the chat runs.

import { button, el, fill } from "../../static/dom.js";
import { select } from "./acts.js";
import { words } from "./operator-words.js";
import { badge, labelled, lineForm } from "./tables.js";

export function settings(desk) {
  const list = el("ul", { testid: "settings" });
  const look = async (changed) => {
    const told = await desk.ask("settings");
    if (!told) return;
    fill(list, sorted(told.settings).map((setting) => line(desk, setting, look)));
    list.querySelector(`[data-testid="setting-${changed}"] .field`)?.focus();
  };
  look();
  return { node: el("div.stack", {}, el("h2.sr-only", {}, words.tabs.settings), el("p.hint", {}, words.settingsHint), list) };
}

/** Those that can change come first. */
function sorted(all) {
  return [...all.filter((one) => "value" in one), ...all.filter((one) => !("value" in one))];
}

function line(desk, setting, again) {
  const name = setting.name.toUpperCase();
  const change = async (value) => (await desk.does("reconfigure", { settings: { [setting.name]: value } }, words.saved(name))) && again(setting.name);
  const editor = "value" in setting && desk.me.mayChange && editorOf(setting, name, change);
  return el("li.list-line", { testid: `setting-${setting.name}` },
    el("div.grow", {}, el("p", {}, el("code", {}, name), " ", el("strong", {}, setting.told), setting.changed && [" ", badge(words.changedHere)]), el("p.under", {}, setting.doc)),
    editor && el("div.list-actions", {}, editor, setting.changed && button(words.asConfigured, () => change(null), { testid: "as-configured" })));
}

function editorOf({ value, configured, expected }, name, change) {
  if (typeof value === "boolean") {
    const choice = select(name, [["true", words.on], ["false", words.off]], { testid: "value" });
    choice.value = String(value);
    return lineForm(choice, words.change, () => change(choice.value === "true"));
  }
  const field = labelled(name, { testid: "value", title: expected });
  field.value = value === null ? "none" : Array.isArray(value) ? value.join(", ") : value;
  const isNumber = typeof (value ?? configured) === "number";
  return lineForm(field, words.change, () => change(valueOf(field.value.trim(), isNumber, Array.isArray(value))));
}

function valueOf(text, isNumber, isList) {
  if (isList) return text ? text.split(",").map((part) => part.trim()) : [];
  return isNumber && text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}
