// Turns items into rows: days, groups by author, "new since you were here", system lines.

import { dayName, dayOf, momentOf, toldApart } from "./format.js";
import { changesOf } from "./room-changes.js";
import { roleName } from "./room-words.js";
import { words } from "./words.js";

const GROUP_SECONDS = 300;
const PER_LINE = 80;
const MOST_LINES = 400;

/**
 * The rows of a conversation: kind "day", "new-line", "message", "system", or "folded" for messages in a row that are not shown.
 * `newAfter`, `editing`: see Conversation; `isFolded(item)`.
 */
export function rowsOf(items, newAfter, editing, isFolded = () => false) {
  const rows = [];
  const marks = marksOf(items);
  let before = null;
  let drawn = newAfter === null;
  for (const item of items) {
    const day = dayOf(item.at);
    // By the message below it: one that stood above all others would draw older ones into its group of rows.
    if (!before || dayOf(before.at) !== day) rows.push({ key: `day-${item.key}`, kind: "day", sign: dayName(item.at) });
    if (!drawn && item.seq > newAfter) {
      drawn = true;
      // Everything shown is new, so a line above it would be useless.
      if (before) rows.push({ key: "new", kind: "new-line", sign: words.room.newSince });
      before = null;
    }
    if (isFolded(item)) {
      foldInto(rows, item);
      before = { at: item.at };
      continue;
    }
    const first = !isGroup(before, item);
    const mark = marks.get(item.sender?.id) ?? "";
    const kind = item.type === "message" ? "message" : "system";
    // A text that is being edited in a row must survive every update.
    const written = item.key === editing && !item.deleted;
    rows.push({ key: item.key, kind, first, editing: written, mark, sign: written ? "editing" : `${item.version} ${item.changed} ${first} ${mark}`, item });
    before = item;
  }
  return rows;
}

// Tells authors of the same name apart.
function marksOf(items) {
  const people = new Map();
  for (const { sender } of items) if (sender) people.set(sender.id, sender);
  return toldApart([...people.values()]);
}

function foldInto(rows, item) {
  const folded = rows.at(-1)?.kind === "folded" ? rows.at(-1) : { key: `folded-${item.key}`, kind: "folded", items: [] };
  if (!folded.items.length) rows.push(folded);
  folded.items.push(item);
  folded.sign = `${folded.items.length}`;
}

/** Estimates the lines of an item's text. Limited, because browsers cannot handle huge heights. */
export function linesOf({ text }, perLine = PER_LINE) {
  let lines = 0;
  for (let at = 0, end = 0; end >= 0 && lines < MOST_LINES; at = end + 1) {
    end = text.indexOf("\n", at);
    lines += Math.max(1, Math.ceil(((end < 0 ? text.length : end) - at) / perLine));
  }
  return lines;
}

function isGroup(before, item) {
  return before?.type === "message" && before.sender?.id === item.sender?.id && before.sender?.name === item.sender?.name && dayOf(before.at) === dayOf(item.at) && item.at - before.at <= GROUP_SECONDS;
}

const MEMBERS = ["joined", "left", "invited", "declined", "kicked", "banned", "unbanned", "muted", "unmuted", "role"];

function membership(what, { user, by, until, reason, role }, sender) {
  const { events, somebody } = words;
  const name = user?.name ?? sender?.name ?? somebody;
  const other = by && by.id !== user?.id ? by.name : undefined;
  if (what === "role" && role) return events.nowRole(name, roleName(role), other);
  const said = events[what === "joined" && other ? "added" : what](name, other);
  return events.more(said, { until: until && momentOf(until), reason });
}

/** The text of a system line. */
export function happening({ type, payload = {}, sender }) {
  const [kind, what] = type.split(".");
  if (kind === "member" && MEMBERS.includes(what)) return membership(what, payload, sender);
  if (type === "room.updated") return changesOf(payload);
  if (type === "room.archived") return words.events.archived(payload.by?.name);
  // Events of the app have no fixed shape; most have one of these fields.
  return [payload.title, payload.content ?? payload.text].filter((part) => typeof part === "string").join(": ") || type;
}
