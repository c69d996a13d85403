// Mentions: "@Ada" in a text, and the ids that a message names for it.

import { el } from "./dom.js";
import { byName } from "./format.js";

const OFFERED = 8;
const LONGEST_TYPED = 65; // what is typed of a name, with its "@"
const MOST_IDS = 50; // ids in one message
const DRAWN = 100; // in one text
const LETTER = /[\p{L}\p{N}_]/u;
const isLetter = (sign) => sign !== undefined && LETTER.test(sign);

/** Where somebody types a name: {from, typed}, `from` the place of its "@"; null: nowhere. */
export function typedAt(text, cursor) {
  const before = text.slice(Math.max(0, cursor - LONGEST_TYPED), cursor);
  const at = before.lastIndexOf("@");
  const typed = before.slice(at + 1);
  // After a letter it is the address of an e-mail.
  return at < 0 || isLetter(before[at - 1]) || /\n|^\s|\s\s/.test(typed) ? null : { from: cursor - typed.length - 1, typed };
}

const simplified = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** The people whose name begins with this, then those with a later word that does; each of them who is here first. */
export function offered(people, typed) {
  const wanted = simplified(typed);
  const ranked = people.map((person) => {
    const name = simplified(person.name);
    const rank = name.startsWith(wanted) ? 0 : name.split(/[\s-]+/).some((word) => word.startsWith(wanted)) ? 1 : null;
    return { person, rank };
  });
  const found = ranked.filter(({ rank }) => rank !== null);
  found.sort((a, b) => a.rank - b.rank || Boolean(b.person.here) - Boolean(a.person.here) || byName(a.person, b.person));
  return found.slice(0, OFFERED).map(({ person }) => person);
}

// In small letters, each where it was: some capitals are one sign, and two as a small letter.
const lowered = (text) => text.replace(/\p{Lu}/gu, (letter) => (letter.toLowerCase().length === letter.length ? letter.toLowerCase() : letter));

// Where a text has one of these names after an "@": the longest that fits. Capitals count only between names that differ in nothing else.
function* spans(text, names) {
  const known = [...new Set(names)].filter(Boolean).sort((a, b) => b.length - a.length).map((name) => ({ name, low: lowered(name) }));
  const low = lowered(text);
  for (let at = text.indexOf("@"), found = 0; at >= 0 && found < DRAWN; at = text.indexOf("@", at + 1)) {
    if (isLetter(text[at - 1])) continue;
    const fitting = known.filter((one) => low.startsWith(one.low, at + 1) && !isLetter(text[at + 1 + one.low.length]));
    const alike = fitting.filter(({ name }) => name.length === fitting[0].name.length);
    const name = (alike.find((one) => text.startsWith(one.name, at + 1)) ?? (alike.length === 1 ? alike[0] : null))?.name;
    if (!name) continue;
    found++;
    yield { from: at, to: at + 1 + name.length, name };
  }
}

/** The ids that a text mentions. `chosen`: name → id of those that were picked from the list. Two people of one name have to be picked. */
export function mentionsIn(text, people, chosen = new Map()) {
  if (!text.includes("@")) return [];
  const ids = new Map();
  for (const { id, name } of people) ids.set(name, ids.has(name) && ids.get(name) !== id ? null : id);
  for (const [name, id] of chosen) ids.set(name, id);
  const found = [...spans(text, ids.keys())].map(({ name }) => ids.get(name));
  return [...new Set(found)].filter(Boolean).slice(0, MOST_IDS);
}

/** The ids that an edited text mentions: those of before that are still named, or that nobody here knows, and new ones. */
export function mentionsAfter(before, text, people, nameOf) {
  const kept = before.filter((id) => !nameOf(id) || [...spans(text, [nameOf(id)])].length > 0);
  return [...new Set([...kept, ...mentionsIn(text, people)])].slice(0, MOST_IDS);
}

/** The ids in a message's body, whatever an app put there. */
export function mentionsOf(body) {
  const { mentions } = body ?? {};
  return Array.isArray(mentions) ? mentions.filter((id) => typeof id === "string").slice(0, MOST_IDS) : [];
}

/** Whether a message mentions this user, alone or with the whole room. */
export function isTo({ payload, sender }, me) {
  return Boolean(me) && sender?.id !== me.id && mentionsOf(payload).some((id) => id === me.id || id === "@room");
}

/** The nodes of a text with its mentions marked; `names`: [{name, isMe}]. */
export function marked(nodes, names) {
  if (!names.length) return nodes;
  const mine = new Set(names.filter(({ isMe }) => isMe).map(({ name }) => name));
  return nodes.flatMap((node) => (typeof node === "string" ? [...pieces(node, names.map(({ name }) => name), mine)] : [node]));
}

function* pieces(text, names, mine) {
  let end = 0;
  for (const { from, to, name } of spans(text, names)) {
    yield text.slice(end, from);
    yield el(mine.has(name) ? "mark" : "span", { class: "mention", dir: "auto" }, text.slice(from, to));
    end = to;
  }
  yield text.slice(end);
}
