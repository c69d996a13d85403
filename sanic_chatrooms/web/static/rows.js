// From items to rows: days, groups by author, "new since you were here", small lines for what happened.

import { dayName, dayOf } from "./format.js";

const GROUP_SECONDS = 300;

/** The rows of a conversation. `newAfter`: the last number that was read before; null draws no line. */
export function rowsOf(items, newAfter) {
  const rows = [];
  let before = null;
  let drawn = newAfter === null;
  for (const item of items) {
    if (!before || dayOf(before.at) !== dayOf(item.at)) {
      rows.push({ key: `day-${dayOf(item.at)}`, kind: "day", sign: dayName(item.at), item });
      before = null;
    }
    if (!drawn && item.seq > newAfter) {
      drawn = true;
      // Nothing older on show: then everything is new, and a line above it all would say nothing.
      if (rows.length > 1) rows.push({ key: "new", kind: "new", sign: "", item });
      before = null;
    }
    rows.push(item.type === "message" ? messageRow(item, before) : systemRow(item));
    before = item.type === "message" ? item : null;
  }
  return rows;
}

function messageRow(item, before) {
  const first = !before || before.sender?.id !== item.sender?.id || item.at - before.at > GROUP_SECONDS;
  return { key: item.key, kind: "message", first, sign: `${item.version}${first}`, item };
}

function systemRow(item) {
  return { key: item.key, kind: "system", sign: String(item.version), item };
}

/** What happened, in words. */
export function happening(item) {
  const payload = item.payload ?? {};
  const who = payload.user?.name ?? item.sender?.name ?? "Somebody";
  const words = {
    "member.joined": `${who} joined`,
    "member.left": `${who} left`,
    "member.invited": `${who} was invited`,
    "member.kicked": `${who} was removed from the room`,
    "member.banned": `${who} was banned`,
    "member.unbanned": `${who} may come back`,
    "member.muted": `${who} was muted`,
    "member.unmuted": `${who} may speak again`,
    "member.role": `${who} has a new role`,
    "room.updated": payload.title ? `The room is now called ${payload.title}` : "The room was changed",
    "room.archived": "The room was archived",
  };
  return words[item.type] ?? hostEvent(item.type, payload);
}

// A host's own events have no agreed shape; these fields are what most of them carry.
function hostEvent(type, payload) {
  const said = [payload.title, payload.content ?? payload.text].filter((part) => typeof part === "string");
  return said.length ? said.join(": ") : type;
}
