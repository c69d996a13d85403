// Reasons for people. Texts of the server are for developers and are replaced; texts of the app are shown unchanged.

import { momentOf } from "./format.js";

const MISFIT = "this page and the server do not understand each other. Reload the page.";
const SIGNED_OUT = "you are not signed in any more. Reload the page.";
const SIGN_IN = "you are not signed in. Sign in first.";
const SIGN_IN_AGAIN = "you are not signed in any more. Sign in again.";
const BANNED = "you are banned from this chat.";

const TOO_OFTEN = {
  message: "you write too fast",
  slowMode: "messages in this room have to lie apart",
  bytes: "you send too much at a time",
  new_people: "you have written to many new people, or invited them",
  create: "you make many rooms",
  auth: "too many attempts to sign in have failed",
  reports: "the moderators have much to look at from you",
  restrictions: "as many are banned or muted here as there may be",
  invitations: "as many are invited here as there may be",
};
const pause = (seconds) => (seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`);

/** "until 14:05 (reason: spam)", for what was decided about somebody; empty if it is for good and without a reason. */
function terms({ until, reason: why }, before = " ") {
  return `${until ? `${before}until ${momentOf(until)}` : ""}${why ? ` (reason: ${why})` : ""}`;
}

const FIELDS = {
  user: (message) => (/member|invited/.test(message) ? "this person is not in the room any more." : "nobody can have this id."),
  query: () => "this is too much to search for. Use fewer words.",
  until: () => "that time has passed already.",
  name: (message) => `your name ${message.replace(/^name: /, "")}.`,
  to: (message) => (message.endsWith("yourself") ? "you cannot write to yourself." : "nobody can have this id."),
  emoji: () => "there are as many different reactions to this message as there may be.",
  room: () => "a room cannot have this name here. Choose another one.",
};

const WORDS = {
  bad_frame: () => MISFIT,
  unknown_command: () => MISFIT,
  invalid_cursor: () => MISFIT,
  invalid_field: ({ field }, message) => (Object.hasOwn(FIELDS, field) ? FIELDS[field](message) : "the server does not accept this."),
  invalid_text: () => "it holds a character that cannot be shown everywhere. Remove it.",
  too_large: () => "it is too long. Shorten it.",
  unauthenticated: () => SIGNED_OUT,
  token_expired: () => SIGNED_OUT,
  banned: (details) => `you are banned${terms(details)}.`,
  muted: (details) => `you are muted${terms(details)}. You can read on.`,
  forbidden: ({ needs }, message) => (needs === "unarchived" ? ARCHIVED : /below your own/.test(message) ? "you can do this only to people with fewer rights than yours." : needs === undefined ? "" : "you may not do this here."),
  room_not_found: () => "this room is not there any more, or you may not see it.",
  message_not_found: () => "this message is not there any more.",
  not_a_member: () => "you are not in this room any more. Open it again.",
  room_limit: ({ room }) => room ? "this room is full." : "there are as many rooms as there may be. Leave one first.",
  conflict: () => "it was sent already, with another text. Discard it and write it again.",
  rate_limited: ({ retryAfter, limit = "message" }) => `${Object.hasOwn(TOO_OFTEN, limit) ? TOO_OFTEN[limit] : "you do this too often"}. Wait ${pause(retryAfter ?? 1)}.`,
  unavailable: () => "the server is busy. Try again.",
  internal: () => "something went wrong on the server. Try again later.",
  timeout: () => "the server did not answer in time. Try again.",
  lost: () => "the connection broke. Try again.",
  closed: () => "the connection has ended. Reload the page.",
};

const ARCHIVED = "this room is archived. You can read it, and not write.";

// By close code: the server's own text, and what we show instead. Any other text comes from the app.
const ENDS = {
  1002: ["protocol error", MISFIT],
  1003: ["text frames only", MISFIT],
  1007: ["text is not valid UTF-8", MISFIT],
  1008: ["flood", "you were too fast for the server. Wait a moment."],
  4001: ["token expired", SIGN_IN_AGAIN],
  4500: ["invalid token", "you are not signed in, or not any more. Sign in again."],
  4501: ["too many malformed frames", MISFIT],
  4502: ["not authenticated in time", SIGN_IN],
  4503: ["disconnected by the application", "you were disconnected from this chat."],
  4504: ["too many connections", "you have this chat open too often. Close another window of it."],
  4507: ["banned", BANNED],
  4509: ["replaced by another connection", "you opened this chat in another window."],
};

// Reasons of the client itself, and the server's where it has more than one for a code.
const OURS = {
  "sign in first": SIGN_IN,
  "you are banned from this chat": BANNED,
  "this token was revoked; sign in again": SIGN_IN_AGAIN,
};

/** The reason as the end of a sentence: "you write too fast. Wait 3 s." */
export function reason(error) {
  const { code, message, details } = error ?? {};
  const words = Object.hasOwn(WORDS, code) ? WORDS[code](details ?? {}, message ?? "") : "";
  return words || message || "something went wrong. Try again.";
}

/** The reason as a whole sentence. */
export function sentence(error) {
  return capital(reason(error));
}

/** Why nothing can be written in a room, as a sentence. */
export function shutBecause(error) {
  const known = error.code === "muted" || error.details.needs === "unarchived";
  return known ? sentence(error) : "You can read here, and not write.";
}

/** What was done to this user: `what` is "kicked" or "banned". */
export function sentenceOf(what, { by, ...details } = {}) {
  const did = what === "banned" ? "banned" : "removed";
  return `${by ? `${by.name} ${did} you` : `You were ${did}`} from this room${terms(details)}.`;
}

/** Why the connection is closed for good. `error`: of the server, if it told one. */
export function ending(code, said, error) {
  if (error?.code === "banned") return sentence(error);
  const [usual, words] = ENDS[code] ?? [];
  if (Object.hasOwn(OURS, said)) return capital(OURS[said]);
  return capital((said === usual || !said ? words : said) ?? "the server ended this connection.");
}

function capital(text) {
  return text.slice(0, 1).toLocaleUpperCase() + text.slice(1);
}
