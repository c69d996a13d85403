// A room, what one may do in it, and its roles, in words.

import { words } from "./words.js";

const RIGHTS = {
  write: ["message"],
  react: ["reaction.add"],
  invite: ["member.invite"],
  add: ["member.add"],
  mention: ["mention.room"],
  pin: ["message.pin"],
  delete: ["message.delete.any"],
  moderate: ["member.kick", "member.mute", "member.ban"],
  roles: ["member.role"],
  update: ["room.update"],
  govern: ["room.govern"],
  remove: ["room.delete"],
};

/** `may`: the actions, by the server. */
export function inWords(may) {
  const { rights } = words;
  const some = Object.keys(RIGHTS).filter((right) => RIGHTS[right].some((action) => may.includes(action)));
  const all = rights.may(["read", ...some].map((right) => rights[right]));
  return may.includes("message") ? all : `${all} ${rights.notWrite}`;
}

/** Who can enter, and what new members can read: sentences. */
export function entryInWords({ visibility, historyVisibility }) {
  const { public: open, secret, past } = words.details;
  return visibility === "public" ? [open] : [secret, past[historyVisibility]].filter(Boolean);
}

export const LEVELS = { owner: 100, admin: 75, moderator: 50, member: 10, reader: 5 };

export const ROLES = Object.keys(LEVELS);

/** What a role is called. Those of the app have no other name than their own. */
export function roleName(role) {
  return ROLES.includes(role) ? words.roles.names[role] : role;
}

/** The roles that one may give: those below one's own. `about`: the room, by the server. */
export function rolesToGive({ level, creator }) {
  return ROLES.filter((role) => LEVELS[role] < level || creator);
}

/** Whether one may give this member another role. Roles of the app have levels that are not known here: then the server decides. */
export function mayChange({ may, level, creator, role: mine }, { id, role }, me) {
  if (id === me) return (LEVELS[mine] ?? 0) > LEVELS.member; // nobody wants to be only a reader
  return may.includes("member.role") && (creator || (LEVELS[role] ?? 0) < level);
}

/** Members by role, the highest first: [[role, members]]. Roles of the app come where they are met. */
export function byRole(members) {
  const groups = new Map(ROLES.map((role) => [role, []]));
  for (const one of members) groups.set(one.role, [...(groups.get(one.role) ?? []), one]);
  return [...groups].filter(([, people]) => people.length);
}
