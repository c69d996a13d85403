// Giving a member another role. Loaded when somebody opens it.

import { ownsAlone } from "./belonging.js";
import { choiceGroup, openForm, radio } from "./dialogs.js";
import { el } from "./dom.js";
import { capital } from "./language.js";
import { mustBeOnline } from "./reasons.js";
import { LEVELS, roleName, ROLES, rolesToGive } from "./room-words.js";
import { words } from "./words.js";

/** Ask for the role of a person, and give it. Returns whether it has changed. Rejects where they are no member and cannot be made one. */
export async function giveRole(chat, room, { id, name }) {
  const [about, { members }] = await Promise.all([chat.request("room", { room: room.id }), chat.members(room.id, { query: id, limit: 200 })]);
  const said = words.roles;
  const isThey = (one) => one.id === id;
  const isAdded = !members.some(isThey); // in a public room, people are there who are no members
  if (isAdded && !about.may.includes("member.add")) throw new Error(said.none(name));
  const member = members.find(isThey) ?? { role: "member" };
  const isMe = id === chat.user.id;
  // Oneself may only step down.
  const roles = rolesToGive(about).filter((role) => !isMe || LEVELS[role] < (LEVELS[member.role] ?? about.level));
  if (!isMe && !roles.includes(member.role)) roles.unshift(member.role);
  const first = isMe ? roles[0] : member.role;
  const choice = (role) => radio({ name: "role", value: role, checked: role === first, autofocus: role === first, testid: `role-${role}` }, el("span", {}, capital(roleName(role)), el("span.note", {}, ROLES.includes(role) ? said.about[role] : said.ofApp)));
  const choices = choiceGroup(said.label, roles.map(choice), "sr-only");
  const submit = async () => {
    mustBeOnline(chat);
    const role = choices.querySelector(":checked").value;
    if (isAdded || role !== member.role) await chat.request(isAdded ? "member.add" : "member.role", { room: room.id, payload: { user: id, role } });
    return true;
  };
  const warning = isMe && el("p.hint", {}, (await ownsAlone(chat, room)) ? said.lastOwner : said.noWayBack);
  return openForm(isMe ? said.stepDown : said.of(name), [warning, choices], isMe ? said.stepDown : said.give, submit, "role-dialog", isMe ? "danger" : "primary");
}
