// What people are told when something does not work.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { ending, mustBeOnline, reason, sentence, sentenceOf, shutBecause } from "../../../sanic_chatrooms/web/static/reasons.js";
import "./speaking.mjs";

const read = (path) => readFileSync(new URL(`../../../sanic_chatrooms/${path}`, import.meta.url), "utf8");
// What only a developer understands.
const JARGON = /msgId|A-Z|frame|JSON|cursor|auth\b|token|null|undefined|payload|UTF|command|backend|_|\d{4}/;

test("every error code of the server has a text for people", () => {
  const classes = [...read("errors.py").matchAll(/ code = "(\w+)"[^]*?default = "([^"]*)"/g)];
  assert.ok(classes.length > 15);
  for (const [, code, message] of classes) {
    const said = sentence({ code, message: code === "invalid_field" ? `room: ${message}` : message, details: { field: "room" } });
    assert.match(said, /^[A-Z].{10,}/, code);
    assert.doesNotMatch(said, JARGON, code);
  }
});

test("every final close code has a text for people", () => {
  const closes = [...read("wire/codes.py").matchAll(/^ {4}(\w+) = (\d{4})$/gm)].map(([, name, code]) => [name, Number(code)]);
  const reasons = new Map([...read("wire/codes.py").matchAll(/CloseCode\.(\w+): "([^"]*)"/g)].map(([, name, words]) => [name, words]));
  assert.ok(closes.length > 15);
  for (const [name, code] of closes.filter(([, code]) => [1002, 1003, 1007, 1008].includes(code) || code >= 4500)) {
    assert.match(ending(code, reasons.get(name)), /^[A-Z].{10,}\.$/, name);
    assert.doesNotMatch(ending(code, reasons.get(name)), JARGON, name);
    assert.notEqual(ending(code, reasons.get(name)).toLowerCase(), reasons.get(name), name);
  }
});

test("what comes too often says what it is, and for how long to wait", () => {
  const told = (details) => reason({ code: "rate_limited", message: "too fast", details });
  assert.equal(told({ retryAfter: 1.2, limit: "message" }), "you write too fast. Wait 2 s.");
  assert.equal(told({ retryAfter: 170, limit: "new_people" }), "you have written to many new people, or invited them. Wait 3 min.");
  assert.equal(told({ retryAfter: 0.05, limit: "change" }), "you do this too often. Wait 1 s.");
});

test("who is muted or banned reads until when, and why", () => {
  const until = Date.now() / 1000 + 60;
  const told = (code, details) => sentence({ code, message: "", details });
  assert.match(told("muted", { until, reason: "spam" }), /^You are muted until .+ \(reason: spam\)\. You can read on\.$/);
  assert.equal(told("muted", {}), "You are muted until further notice. You can read on.");
  assert.match(told("banned", { until: until + 30 * 86400 }), /^You are banned until \w+, .+\.$/);
  assert.equal(told("banned", { reason: "spam" }), "You are banned until further notice (reason: spam).");
  assert.equal(sentenceOf("kicked", { by: { name: "Mod" }, reason: "wrong room" }), "Mod removed you from this room (reason: wrong room).");
  assert.equal(ending(4507, "you are banned from this chat", { code: "banned", message: "", details: { reason: "spam" } }), "You are banned until further notice (reason: spam).");
  assert.equal(sentenceOf("banned", { by: null }), "You were banned from this room until further notice.");
});

test("where nothing can be written, the reason is a sentence", () => {
  assert.equal(shutBecause({ code: "forbidden", details: { needs: "unarchived" }, message: "" }), "This room is archived. You can read it, and not write.");
  assert.equal(shutBecause({ code: "forbidden", details: { needs: 10 }, message: "typing needs level 10" }), "Only some people can write in this room.");
  assert.equal(shutBecause({ code: "muted", details: {}, message: "" }), "You are muted until further notice. You can read on.");
});

test("a refusal by rights does not speak of levels", () => {
  const told = (message, details = {}) => sentence({ code: "forbidden", message, details });
  assert.equal(told("you reach only users below your own level"), "You can do this only to people with fewer rights than yours.");
  assert.equal(told("message.pin needs level 50 here, and you are member (10)", { needs: 50 }), "You may not do this here.");
});

test("texts of the app are shown unchanged", () => {
  assert.equal(sentence({ code: "out_of_stock", message: "nothing is left" }), "Nothing is left");
  assert.equal(reason({ code: "forbidden", message: "only staff writes here" }), "only staff writes here");
  assert.equal(sentence(new Error("There is a room of this name already.")), "There is a room of this name already.");
  assert.equal(ending(4503, "you moved to another shop"), "You moved to another shop");
  assert.equal(ending(4503, ""), "You were disconnected from this chat.");
  assert.equal(ending(3000, ""), "The server ended this connection.");
});

test("names of object properties are no texts", () => {
  for (const code of ["constructor", "toString", "__proto__"]) assert.equal(reason({ code, message: "as it is" }), "as it is");
  assert.equal(reason(undefined), "something went wrong. Try again.");
  assert.equal(reason({ code: "invalid_field", details: { field: "constructor" } }), "the server does not accept this.");
});

test("what needs the server is refused while it cannot be reached, whatever the browser says of the network", (t) => {
  const real = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { onLine: false }, configurable: true });
  t.after(() => (real ? Object.defineProperty(globalThis, "navigator", real) : delete globalThis.navigator));

  mustBeOnline({ state: "online" }); // a server on this machine
  for (const state of ["offline", "reconnecting"]) assert.throws(() => mustBeOnline({ state }), /You are offline/);
});
