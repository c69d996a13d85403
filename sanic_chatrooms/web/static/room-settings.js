// Changing what a room is, archiving and deleting it. Loaded when somebody opens it.

import { ask, openForm, radio, textField } from "./dialogs.js";
import { el } from "./dom.js";
import { isVisible } from "./format.js";

const ENTRY = { public: ["Everybody", "Anybody can find the room, enter it and read it."], private: ["Only members", "People who are no members have to leave, and cannot see it any more."] };
const PAST = { members: ["Everything"], invited: ["Only what follows their invitation"], joined: ["Only what follows their coming"] };
const PAUSES = [[0, "No pause"], [5, "5 seconds"], [30, "30 seconds"], [60, "1 minute"], [300, "5 minutes"], [3600, "1 hour"]];

/** Change the room. `about`: what it is now, by the server. Resolves with true if it has changed. */
export function settings(chat, room, about) {
  const title = textField("Name", { maxlength: 200, value: about.title, testid: "settings-title" });
  const topic = textField("Topic", { maxlength: 1000, value: about.topic, required: false, autofocus: false, testid: "settings-topic" });
  const pauses = PAUSES.some(([seconds]) => seconds === about.slowMode) ? PAUSES : [[about.slowMode, `${about.slowMode} seconds`], ...PAUSES];
  const pause = el("select.field", { testid: "settings-pause" }, pauses.map(([seconds, words]) => el("option", { value: seconds, selected: seconds === about.slowMode }, words)));
  const governs = about.may.includes("room.govern");
  const entry = governs && choices("visibility", "Who can enter", ENTRY, about.visibility);
  const past = governs && about.visibility === "private" && PAST[about.historyVisibility] && choices("historyVisibility", "What new members can read", PAST, about.historyVisibility);
  const submit = async () => {
    const wanted = { title: title.field.value.trim(), topic: topic.field.value.trim(), slowMode: Number(pause.value), ...chosen(entry), ...chosen(past) };
    if (!isVisible(wanted.title)) throw new Error("Give the room a name that can be seen.");
    const changes = Object.fromEntries(Object.entries(wanted).filter(([name, value]) => value !== about[name]));
    if (Object.keys(changes).length) await chat.request("room.update", { room: room.id, payload: changes });
    return true;
  };
  const row = el("label.row", {}, el("span.label", {}, "Pause between two messages of one person"), pause);
  return openForm(`Change ${room.name}`, [title.row, topic.row, row, entry, past], "Save", submit, "settings-dialog");
}

function choices(name, label, all, now) {
  const choice = ([value, [words, about]]) => radio({ name, value, checked: value === now, testid: `settings-${value}` }, el("span", {}, words, about && el("span.note", {}, about)));
  return el("fieldset.row", {}, el("legend.label", {}, label), Object.entries(all).map(choice));
}

function chosen(fieldset) {
  const one = fieldset && fieldset.querySelector(":checked");
  return one ? { [one.name]: one.value } : {};
}

/** Archive the room or open it again, after a question. */
export async function archive(chat, room, archived) {
  const lines = ["Everybody who can read it now can read it on. Nobody can write, react, invite or pin in it.", "Its owners can open it again."];
  if (archived && !(await ask(`Archive ${room.name}?`, lines, "Archive", "Leave it open", "archive-dialog", "danger"))) return;
  await chat.request("room.update", { room: room.id, payload: { archived } });
}

/** Delete the room, once its name was written. Resolves with "over" if it is gone. */
export function remove(chat, room) {
  const { field, row } = textField(`Write “${room.name}” to delete it`, { testid: "delete-name" });
  const lines = ["All its messages, members and pins will be gone, for everybody and for good.", "If you only want that nobody writes any more, archive it instead."].map((line) => el("p.hint", {}, line));
  const submit = async () => {
    if (field.value.trim() !== room.name.trim()) throw new Error("This is not the name of the room.");
    await chat.request("room.delete", { room: room.id });
    return "over";
  };
  return openForm(`Delete ${room.name}?`, [lines, row], "Delete for good", submit, "delete-room-dialog", "danger");
}
