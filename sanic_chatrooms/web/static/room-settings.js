// Changing what a room is, archiving and deleting it. Loaded when somebody opens it.

import { ask, choiceGroup, openForm, radio, textField, wrongField } from "./dialogs.js";
import { el } from "./dom.js";
import { isVisible } from "./format.js";
import { duration } from "./language.js";
import { mustBeOnline } from "./reasons.js";
import { words } from "./words.js";

const PAUSES = [0, 5, 30, 60, 300, 3600]; // seconds

/** Change the room. `about`: what it is now, by the server. Resolves with true if it has changed. */
export function settings(chat, room, about) {
  const said = words.changing;
  const title = textField(words.name, { name: "title", maxlength: 200, value: about.title, testid: "settings-title" });
  const topic = textField(said.topic, { name: "topic", maxlength: 1000, value: about.topic, required: false, autofocus: false, testid: "settings-topic" });
  const pauses = [...new Set([about.slowMode, ...PAUSES])].sort((one, other) => one - other);
  const pause = el("select.field", { testid: "settings-pause" }, pauses.map((seconds) => el("option", { value: seconds, selected: seconds === about.slowMode }, seconds ? duration(seconds) : said.noPause)));
  const governs = about.may.includes("room.govern");
  const entry = governs && choices("visibility", words.create.whoEnters, { public: [words.everybody, said.publicWhat], private: [words.create.members, said.privateWhat] }, about.visibility);
  const past = governs && about.visibility === "private" && said.pasts[about.historyVisibility] && choices("historyVisibility", said.past, said.pasts, about.historyVisibility);
  const submit = async () => {
    const wanted = { title: title.field.value.trim(), topic: topic.field.value.trim(), slowMode: Number(pause.value), ...chosen(entry), ...chosen(past) };
    if (!isVisible(wanted.title)) throw wrongField("title", words.nameNeeded);
    mustBeOnline(chat);
    const changes = Object.fromEntries(Object.entries(wanted).filter(([name, value]) => value !== about[name]));
    if (Object.keys(changes).length) await chat.request("room.update", { room: room.id, payload: changes });
    return true;
  };
  const row = el("label.row", {}, el("span.label", {}, said.pause), pause);
  return openForm(said.heading(room.name), [title.row, topic.row, row, entry, past], words.save, submit, "settings-dialog");
}

function choices(name, label, all, now) {
  const choice = ([value, [title, about]]) => radio({ name, value, checked: value === now, testid: `settings-${value}` }, el("span", {}, title, about && el("span.note", {}, about)));
  return choiceGroup(label, Object.entries(all).map(choice));
}

function chosen(fieldset) {
  const one = fieldset && fieldset.querySelector(":checked");
  return one ? { [one.name]: one.value } : {};
}

/** Archive the room or open it again, after a question. */
export async function archive(chat, room, archived) {
  const { heading, lines } = words.archiving;
  if (archived && !(await ask(heading(room.name), lines, words.details.archive, "archive-dialog"))) return;
  await chat.request("room.update", { room: room.id, payload: { archived } });
}

/** Delete the room, once its name was written. Resolves with "over" if it is gone. */
export function remove(chat, room) {
  const said = words.removing;
  const { field, row } = textField(said.field(room.name), { name: "room", testid: "delete-name" });
  const lines = said.lines.slice(0, room.archived ? 1 : 2).map((line) => el("p.hint", {}, line));
  const submit = async () => {
    if (field.value.trim() !== room.name.trim()) throw wrongField("room", said.wrongName);
    mustBeOnline(chat);
    await chat.request("room.delete", { room: room.id });
    return "over";
  };
  return openForm(said.heading(room.name), [lines, row], said.yes, submit, "delete-room-dialog", "danger");
}
