// A room, what one may do in it, and its roles, in words.

const RIGHTS = [
  [["message"], "write"],
  [["reaction.add"], "react"],
  [["member.invite"], "invite people"],
  [["member.add"], "add people"],
  [["mention.room"], "mention everybody by @room"],
  [["message.pin"], "pin messages"],
  [["message.delete.any"], "delete messages of others"],
  [["member.kick", "member.mute", "member.ban"], "remove, mute and ban people"],
  [["member.role"], "change roles"],
  [["room.update"], "change the name and the topic"],
  [["room.govern"], "decide who can enter"],
  [["room.delete"], "delete the room"],
];

/** `may`: the actions, by the server. */
export function inWords(may) {
  const words = ["read", ...RIGHTS.filter(([actions]) => actions.some((one) => may.includes(one))).map(([, said]) => said)];
  const all = words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words[0];
  return `You may ${all}.${may.includes("message") ? "" : " You may not write."}`;
}

const PAST = {
  world: "Everybody can read what was written, members or not.",
  members: "New members can read all that was written before they came.",
  invited: "New members can read what was written since they were invited.",
  joined: "New members can read what is written from then on.",
};

/** Who can enter, and what new members can read: sentences. `partner`: the other one of a direct room. */
export function entryInWords({ visibility, historyVisibility }, partner) {
  if (visibility === "direct") return [`You and ${partner}, and nobody else.`];
  if (visibility === "public") return ["Everybody can find it, enter it and read it."];
  return ["Only members. Nobody else can see that there is such a room.", PAST[historyVisibility]].filter(Boolean);
}

export const LEVELS = { owner: 100, admin: 75, moderator: 50, member: 10, reader: 5 };

/** What the roles are good for, with the usual permissions. */
export const ROLES = {
  owner: "May do everything, also archive and delete the room.",
  admin: "Changes roles, the name and the topic, and moderates.",
  moderator: "Removes, mutes and bans people, deletes and pins messages.",
  member: "Reads, writes and invites.",
  reader: "Reads, and cannot write.",
};

/** The roles that one may give: those below one's own. `about`: the room, by the server. */
export function rolesToGive({ level, creator }) {
  return Object.keys(ROLES).filter((role) => LEVELS[role] < level || creator);
}

/** Whether one may give this member another role. Roles of the app have levels that are not known here: then the server decides. */
export function mayChange({ may, level, creator, role: mine }, { id, role }, me) {
  if (id === me) return (LEVELS[mine] ?? 0) > LEVELS.reader;
  return may.includes("member.role") && (creator || (LEVELS[role] ?? 0) < level);
}

/** Members by role, the highest first: [[role, members]]. Roles of the app come where they are met. */
export function byRole(members) {
  const groups = new Map(Object.keys(ROLES).map((role) => [role, []]));
  for (const one of members) groups.set(one.role, [...(groups.get(one.role) ?? []), one]);
  return [...groups].filter(([, people]) => people.length);
}
