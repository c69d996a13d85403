// What a server might have said: people, rooms and messages for the style sheet page.

import { Room } from "../room.js";

const NOW = Date.now() / 1000;
const DAY = 86400;

export const ADA = { id: "ada", name: "Ada Lovelace" };
export const BOB = { id: "bob", name: "Bob" };
export const TWIN = { id: "bob-2", name: "Bob" };
export const EVE = { id: "eve", name: "עדה Eve" };
const LONG = "A name that is longer than any place that has been made for it";

const OWNER = ["message", "room", "pins", "leave", "reports", "restrictions", "reaction.add", "member.invite", "member.add", "member.role", "member.kick", "member.mute", "member.ban", "message.pin", "message.unpin", "message.delete.any", "room.update", "room.govern", "room.delete"];

/** An error of the server. */
export const refused = (code, details = {}, message = "") => Object.assign(new Error(message), { code, details, temporary: code === "lost" });

/** A room in the state that `fields` say. */
export function room(id, { may = OWNER, people = [], ...fields } = {}) {
  const one = Object.assign(new Room(id), { title: id, status: "ready", counted: true, may: new Set(may), ...fields });
  for (const person of people) one.people.set(person.id, { here: true, role: "member", ...person });
  one.timeline.loaded = true;
  return one;
}

export const ROOMS = [
  room("General", { unread: 3 }),
  room("News", { unread: 12, mentions: 2 }),
  room("Open now"),
  room("Garden", { visibility: "private" }),
  room("garden-2", { title: "Garden", visibility: "private", mark: "garden-2", unread: 120, more: true }),
  room("Quiet", { notify: "none", unread: 5 }),
  room("Mentions only", { notify: "mentions", unread: 5 }),
  room("Old plans", { archived: true }),
  room("long", { title: LONG, unread: 1 }),
  room("d1", { visibility: "direct", partner: BOB, near: true, unread: 1 }),
  room("d2", { visibility: "direct", partner: TWIN, near: false, mark: "bob-2" }),
  room("d3", { visibility: "direct", partner: EVE }),
];
export const INVITATIONS = [{ id: "i1", title: "Kitchen", by: BOB }, { id: "i2", title: LONG }, { id: "i3", title: "Hall", by: EVE }];
export const PEOPLE = [
  { ...ADA, role: "owner" },
  { ...BOB, role: "moderator" },
  TWIN,
  { ...EVE, here: false },
  { id: "troll", name: "Troll", here: false },
  { id: "long", name: LONG },
];

let seq = 0;

const event = (type, sender, payload, { ago = 0, ...more } = {}) => ({ msgId: `m${++seq}`, seq, type, sender, payload, timestamp: NOW - ago, ...more });
const said = (sender, text, { payload, ...more } = {}) => event("message", sender, { text, ...payload }, more);

export const MARKS = `**Bold**, *italic*, ~~struck~~, \`code\`, https://example.org/path and [other words](https://example.org/).

1. One
2. Two
   - a part

> Quoted
> > twice
\`\`\`python
def a_line_that_is_wider_than_the_conversation_is(on_a_phone: bool, beside_a_thread: bool) -> None: ...
\`\`\``;
const FILES = [
  { url: new URL("../icon-192.png", import.meta.url).pathname, name: "picture.png", type: "image/png", size: 48_000, width: 192, height: 192 },
  { url: "/files/plan.pdf", name: "plan.pdf", type: "application/pdf", size: 1_200_000 },
  { url: "https://files.example.org/notes.txt", name: `${LONG}.txt`, type: "text/plain", size: 1 },
];

/** A room with a message in every state. */
export function lively() {
  const by = { by: BOB };
  const events = [
    said(null, "A message of the server's.", { ago: 3 * DAY }),
    event("member.joined", null, { user: EVE }, { ago: 2 * DAY }),
    event("member.muted", null, { user: TWIN, ...by, until: NOW + 3600, reason: "spam" }, { ago: 2 * DAY }),
    event("room.updated", null, { title: "General", topic: "Bread", changed: ["topic"], ...by }, { ago: 2 * DAY }),
    said(BOB, "Where do we eat?", { ago: 4000, thread: { count: 3, last: { timestamp: NOW - 60 } }, reactions: { "👍": { count: 2, me: true }, "🎉": { count: 14 } } }),
    said(BOB, "The next line of the same author.", { ago: 3990, edited: NOW }),
    said(EVE, "Two people of one name are told apart.", { ago: 3900, pinned: by }),
    said(TWIN, "@Ada Lovelace, look here, @Bob.", { ago: 3800, payload: { mentions: [ADA.id, BOB.id] } }),
    said(BOB, MARKS, { ago: 3700 }),
    said(BOB, Array.from({ length: 30 }, (_, at) => `Line ${at + 1} of a long message`).join("\n"), { ago: 3000 }),
    said(ADA, "One with files.", { ago: 2000, payload: { attachments: FILES } }),
    said(ADA, "", { ago: 1900, deleted: true, payload: {} }),
    said({ id: "troll", name: "Troll" }, "Folded", { ago: 1800 }),
    said({ id: "bot", name: "Assistant" }, "It is short:\n```python\na = 1", { ago: 100, streaming: { at: 26 } }),
    said({ id: "bot", name: "Assistant" }, "It was stopped", { ago: 90, ended: "cancelled" }),
    said({ id: "bot", name: "Assistant" }, "It broke off", { ago: 80, ended: "interrupted" }),
  ];
  const one = room("General", { people: PEOPLE, online: 4, unread: 0 });
  one.timeline.replace(events, false);
  const write = (text, status, error = null) => one.timeline.written({ msgId: `w${text}`, status, error, body: { text }, createdAt: NOW }, ADA);
  for (const [text, ...state] of [
    ["On its way.", "pending"],
    ["Without a connection.", "pending", refused("lost")],
    ["Too soon.", "pending", refused("rate_limited", { limit: "slowMode", retryAfter: 30 })],
    ["Refused by the app.", "failed", refused("forbidden", {}, "no shouting")],
    ["Perhaps sent.", "failed", refused("unsure")],
  ]) {
    write(text, "pending");
    write(text, ...state);
  }
  return one;
}

export const ABOUT = { title: "General", topic: "Bread and **butter**", visibility: "private", historyVisibility: "joined", slowMode: 30, members: 4, online: 3, role: "owner", level: 100, creator: true, createdBy: BOB.id, createdAt: NOW - 9 * DAY, may: OWNER };
const MEMBERS = PEOPLE.map((one) => ({ role: "member", online: one.here !== false, ...one }));
const RESTRICTIONS = { ban: [{ user: BOB, by: ADA, until: NOW + 3600, reason: "spam" }], mute: [{ user: EVE, by: ADA }] };
const REPORTS = [
  { id: "r1", msgId: "m5", reason: "This is rude.", by: EVE, at: NOW - 60 },
  { id: "r2", msgId: null, reason: "Words of the list.", by: BOB, at: NOW - 50, held: { text: "held back" } },
];
const KNOWN = { room: () => ABOUT, restrictions: ({ kind }) => ({ restrictions: RESTRICTIONS[kind] }), reports: () => ({ reports: REPORTS }) };
const HIT = { room: "General", seq: 5, sender: BOB, timestamp: NOW - 4000, payload: { text: "We bake bread, and eat the bread." }, highlights: [[8, 13], [27, 32]] };

/** As much of the client as components ask. `more`: what is other than usual. */
export const client = (more = {}) => ({
  user: ADA,
  state: "online",
  status: { code: null, retryIn: null },
  welcome: { features: ["search", "pins", "threads", "reactions", "edits"], limits: { maxText: 2000 } },
  outbox: [],
  on() {},
  typing() {},
  request: async (what, { payload }) => KNOWN[what](payload),
  members: async () => ({ members: MEMBERS }),
  pins: async () => ({ messages: [{ ...HIT, pinned: { by: EVE } }] }),
  prefs: async () => ({ notify: "mentions" }),
  search: async () => ({ messages: [HIT, { ...HIT, room: "Garden" }] }),
  blocked: async () => ({ users: [] }),
  reactions: async () => ({ reactions: [{ user: ADA }, { user: BOB }] }),
  ...more,
});
