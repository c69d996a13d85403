// Reasons for people. Texts of the server are for developers and are replaced; texts of the app are shown unchanged.

import { momentOf } from "./format.js";
import { capital } from "./language.js";
import { words } from "./words.js";

/** "until 14:05 (reason: spam)", for what was decided about somebody. `lasts`: false for what is done and over. */
function terms({ until, reason: why }, lasts = true) {
  return words.reasons.terms(lasts && (until ? momentOf(until) : words.reasons.noEnd), why);
}

// Codes that need no more than one text of words.reasons, and those of which one follows from the rest of the error.
const PLAIN = {
  bad_frame: "misfit",
  unknown_command: "misfit",
  invalid_cursor: "misfit",
  invalid_text: "invalidText",
  too_large: "tooLarge",
  unauthenticated: "notSignedIn",
  token_expired: "notSignedIn",
  room_not_found: "noRoom",
  message_not_found: "noMessage",
  not_a_member: "noMember",
  conflict: "conflict",
  unavailable: "unavailable",
  internal: "internal",
  timeout: "timeout",
  lost: "lost",
  closed: "closed",
  unsure: "unsure",
};
const BY_DETAILS = {
  invalid_field: ({ field }, said, { fields }) => (Object.hasOwn(BY_FIELD, field) ? BY_FIELD[field](said, fields) : fields.other),
  banned: (details, said, { banned }) => banned(terms(details)),
  muted: (details, said, { muted }) => muted(terms(details)),
  // Without `needs` it is the app that forbids, in its own words.
  forbidden: ({ needs }, said, { archived, outranked, forbidden }) => (needs === "unarchived" ? archived : /below your own/.test(said) ? outranked : needs === undefined ? "" : forbidden),
  room_limit: ({ room }, said, { roomFull, tooManyRooms }) => (room ? roomFull : tooManyRooms),
  rate_limited: (details, said, { wait }) => wait(tooMuch(details), details.retryAfter ?? 1),
};

function tooMuch({ limit = "message" }) {
  const { tooOften } = words.reasons;
  return Object.hasOwn(tooOften, limit) ? tooOften[limit] : tooOften.other;
}

// `said`: what the server says of the field.
const BY_FIELD = {
  user: (said, { personGone, id }) => (/member|invited/.test(said) ? personGone : id),
  query: (said, { query }) => query,
  until: (said, { until }) => until,
  name: (said, { name, nameEmpty, nameLong, nameReserved }) => (/ empty/.test(said) ? nameEmpty : / longer/.test(said) ? nameLong : / reserved/.test(said) ? nameReserved : name(said.replace(/^name: /, ""))),
  to: (said, { yourself, id }) => (said.endsWith("yourself") ? yourself : id),
  emoji: (said, { emoji }) => emoji,
  room: (said, { room }) => room,
};

// By close code: the server's own text, and what we show instead, of words.ends or words.reasons. Any other text comes from the app.
const CLOSES = {
  1002: ["protocol error", "misfit"],
  1003: ["text frames only", "misfit"],
  1007: ["text is not valid UTF-8", "misfit"],
  1008: ["flood", "flood"],
  4001: ["token expired", "signInAgain"],
  4500: ["invalid token", "invalidToken"],
  4501: ["too many malformed frames", "misfit"],
  4502: ["not authenticated in time", "signIn"],
  4503: ["disconnected by the application", "byApp"],
  4504: ["too many connections", "tooOften"],
  4507: ["banned", "banned"],
  4509: ["replaced by another connection", "replaced"],
};

// Reasons of the client and the page themselves, and the server's where it has more than one for a code.
const OURS = {
  "sign in first": "signIn",
  "signed out elsewhere": "elsewhere",
  "you are banned from this chat": "banned",
  "this token was revoked; sign in again": "signInAgain",
};

/** The reason as the end of a sentence: "you write too fast. Wait 3 s." */
export function reason(error) {
  const { code, message, details } = error ?? {};
  const { reasons } = words;
  const known = Object.hasOwn(PLAIN, code) ? reasons[PLAIN[code]] : Object.hasOwn(BY_DETAILS, code) && BY_DETAILS[code](details ?? {}, message ?? "", reasons);
  return known || message || reasons.unknown;
}

/** What came too often, as a sentence without a full stop, or "" if that is not the reason. */
export function tooOften({ code, details }) {
  return code === "rate_limited" ? capital(tooMuch(details)) : "";
}

/** The reason as a whole sentence. */
export function sentence(error) {
  return capital(reason(error));
}

/** Why nothing can be written in a room, as a sentence. */
export function shutBecause(error) {
  const known = error.code === "muted" || error.details.needs === "unarchived";
  return known ? sentence(error) : words.reasons.readOnly;
}

/** What was done to this user: `what` is "kicked" or "banned". */
export function sentenceOf(what, { by, ...details } = {}) {
  return what === "banned" ? words.reasons.bannedYou(by?.name, terms(details)) : words.reasons.removedYou(by?.name, terms(details, false));
}

/** Why the connection is closed for good. `error`: of the server, if it told one. */
export function ending(code, said, error) {
  if (error?.code === "banned") return sentence(error);
  const what = kindOfEnd(code, said);
  return capital(words.ends[what] ?? words.reasons[what] ?? said);
}

/** Throws where there is no connection: what waits for one would be done after somebody has given it up. What the browser says of the network does not count: the server may be on this machine. */
export function mustBeOnline({ state }) {
  if (state !== "online") throw new Error(words.reasons.offline);
}

/** Whether it is closed because one has to sign in, perhaps again. */
export function isSignedOut(code, said) {
  return ["signIn", "signInAgain", "invalidToken", "elsewhere"].includes(kindOfEnd(code, said));
}

// Its name in words.ends or words.reasons; undefined: `said` is the app's own text.
function kindOfEnd(code, said) {
  if (Object.hasOwn(OURS, said ?? "")) return OURS[said];
  const [usual, name = "other"] = CLOSES[code] ?? [];
  return said === usual || !said ? name : undefined;
}
