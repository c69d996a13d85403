// Draws rooms of the worst texts with the page's own modules, in a browser: see drawing.py.

import { Room } from "/chat/static/room.js";
import { TalkPane } from "/chat/static/talk-pane.js";
import { speak } from "/chat/static/words.js";

await speak("en");

export const LONGEST = 15_999;

let seed = 1;
const dice = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
const among = (low, high) => () => String.fromCodePoint(low + Math.floor(dice() * (high - low)));
const filled = (piece, before = "") => (length) => before + piece.repeat(Math.ceil(length / piece.length)).slice(0, length - before.length);
const random = (letter) => (length) => {
  let text = "";
  while (text.length < length) text += letter();
  return text;
};

/** What texts are made of that somebody could think of to make a page slow. */
export const KINDS = {
  words: filled("hello world "),
  "one word": filled("w"),
  backticks: filled("`"),
  code: filled("`a`"),
  blocks: filled("```a```"),
  "unclosed blocks": filled("```a "),
  addresses: filled("http://a "),
  "all marks": filled("*a _b **c ~~d "),
  "closed marks": filled("**a** *b* "),
  "brackets of links": filled("["),
  "links of their own": filled("[a](http://a) "),
  "nested quotes": filled("> > > > a\n"),
  "quoted code": filled("> ```\n> a\n> ```\n"),
  lists: filled("- a\n  - b\n    1. c\n"),
  "an address and brackets": filled(")", "http://a"),
  "a tower of marks": filled("\u0301", "e"),
  "marks of two classes": filled("\u0301\u0327"),
  zalgo: filled("e\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308"),
  overrides: filled("\u202e"),
  "two directions": filled("a\u05d0"),
  "nested isolates": filled("\u2067a"),
  "empty lines": filled("\n"),
  "line ends of two kinds": filled("a\r\n"),
  tabs: filled("\t"),
  "zero-width spaces": filled("a\u200b"),
  "soft hyphens": filled("a\u00ad"),
  "joined emoji": filled("\u{1f468}\u200d\u{1f469}\u200d\u{1f467}"),
  "one joined emoji": filled("\u200d\u{1f468}", "\u{1f468}"),
  "tags of a flag": filled("\u{e0067}", "\u{1f3f4}"),
  flags: filled("\u{1f1e6}"),
  "all characters": random(among(0x21, 0xd7ff)),
  "all planes": random(among(0x10000, 0x1ffff)),
  ideographs: random(among(0x4e00, 0x9fff)),
  "widest character": filled("\ufdfd"),
  "stacked consonants": filled("\u1039\u1000", "\u1000"),
  syllables: filled("\u1100\u1161\u11a8"),
  "seven scripts": filled("a\u0431\u05d0\u0e01\u4e00\u1100\u0915"),
  "private use": random(among(0xe000, 0xf8ff)),
};

const nothing = () => {};
const acts = new Proxy({}, { get: (_, name) => (["files", "signal"].includes(name) ? undefined : nothing), has: () => true, ownKeys: () => ["onPerson", "onEnd"], getOwnPropertyDescriptor: () => ({ value: nothing, enumerable: true, configurable: true }) });
const chat = { on: nothing, typing: nothing, isJoined: () => true, state: "online", status: {}, user: { id: "me", name: "Me" }, welcome: { limits: { maxText: 16_000 }, features: ["mentions", "reactions", "search", "threads", "unread"] } };

/** `count` messages of this length, of these kinds in turn; -> {ms, rows, nodes, errors} of opening their room. */
export async function open(kinds, count, length = LONGEST) {
  const made = kinds.map((kind) => KINDS[kind](length));
  const messages = Array.from({ length: count }, (_, n) => ({ type: "message", seq: n + 1, msgId: `m${n}`, timestamp: 1e9 + 900 * n, sender: { id: `u${n % 7}`, name: `User ${n % 7}` }, payload: { text: made[n % made.length] } }));
  const room = Object.assign(new Room("room"), { status: "ready" });
  room.timeline.replace(messages, false);
  const talk = new TalkPane(chat, acts);
  const app = document.createElement("div");
  app.className = "app no-people";
  app.append(document.createElement("nav"), talk.element);
  document.body.replaceChildren(app);
  await painted();
  const began = performance.now();
  talk.open(room, null);
  await painted();
  const ms = performance.now() - began;
  const drawn = () => app.querySelectorAll("[data-testid=message]").length;
  // What is further up is drawn when somebody goes there.
  const { log } = talk.conversation;
  for (let before = 0; before < drawn(); ) {
    before = drawn();
    log.scrollTop = 0;
    await painted();
    await painted();
  }
  const rows = drawn();
  const shown = app.querySelectorAll(".note").length;
  const nodes = app.querySelectorAll("*").length;
  document.body.replaceChildren();
  return { ms, rows, nodes, failed: shown };
}

/** What the browser takes for one such text by itself, as nothing but text; -> ms. */
export async function bare(kind, length = LONGEST) {
  const text = KINDS[kind](length);
  const box = document.createElement("div");
  box.className = "text";
  box.style.overflowWrap = "anywhere";
  await painted();
  const began = performance.now();
  box.textContent = text;
  document.body.replaceChildren(box);
  await painted();
  const ms = performance.now() - began;
  document.body.replaceChildren();
  return ms;
}

const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
