import assert from "node:assert/strict";
import test from "node:test";

import { rightsOver } from "../../../sanic_chatrooms/web/static/edits.js";
import { endOf, extend, growingText, mayStop, textThatEnded } from "../../../sanic_chatrooms/web/static/growing.js";
import { richText } from "../../../sanic_chatrooms/web/static/richtext.js";
import { rowsOf } from "../../../sanic_chatrooms/web/static/rows.js";
import { Timeline } from "../../../sanic_chatrooms/web/static/timeline.js";
import { textOf } from "./page.mjs";
import { message } from "./support.mjs";

const ID = "server-message-1";
const opened = (text, more) => message("a", 1, text, { timestamp: 1001, streaming: { at: [...text].length }, ...more });
const closed = (text, more) => ({ type: "message.edited", room: "a", seq: 2, msgId: "change-2", timestamp: 1002, payload: { msgId: ID, seq: 1, body: { text }, closed: true, ...more } });
const piece = (at, text) => ({ msgId: ID, at, text });

function timelineOf(...events) {
  const timeline = new Timeline();
  timeline.replace([], false);
  for (const event of events) timeline.apply(event, false);
  return timeline;
}

test("a message grows by its pieces, which count code points", () => {
  const timeline = timelineOf(opened(""));
  const [item] = timeline.items;

  assert.equal(timeline.grow(piece(0, "\u{1F600}a")), item);
  assert.equal(timeline.grow(piece(2, "b")), item);
  assert.equal(item.text, "\u{1F600}ab");
});

test("a piece that does not continue the text, or of a message that is not here, changes nothing", () => {
  const timeline = timelineOf(opened("ab"), message("a", 3, "done", { timestamp: 1003 }));

  for (const one of [piece(1, "x"), piece(3, "x"), { ...piece(0, "x"), msgId: "unknown" }, { ...piece(4, "x"), msgId: "server-message-3" }]) assert.equal(timeline.grow(one), null);
  assert.deepEqual(timeline.items.map(({ text }) => text), ["ab", "done"]);
});

test("growing needs no new row, and the end does", () => {
  const timeline = timelineOf(opened(""));
  const sign = () => rowsOf(timeline.all(), null, null).at(-1).sign;
  const before = sign();
  timeline.grow(piece(0, "ab"));
  assert.equal(sign(), before);

  timeline.apply(closed("abc"), false);

  assert.notEqual(sign(), before);
  const [item] = timeline.items;
  assert.deepEqual([item.text, item.streaming, item.edited, endOf(item)], ["abc", undefined, undefined, ""]);
  assert.equal(timeline.grow(piece(3, "late")), null);
});

test("an end that is not a good one is said, until the message is edited", () => {
  for (const [ended, words] of [["cancelled", /^Stopped/], ["error", /error/], ["interrupted", /^Interrupted/]]) {
    const timeline = timelineOf(opened(""), closed("ab", { ended }));
    assert.match(endOf(timeline.items[0]), words);
    timeline.replace([opened("ab", { streaming: undefined, ended, changed: 2 })], false);
    assert.match(endOf(timeline.items[0]), words);
    timeline.edited(timeline.items[0], { text: "better" }, 3);
    assert.equal(endOf(timeline.items[0]), "");
  }
  for (const ended of ["later", "constructor", undefined]) assert.equal(endOf({ ended }), "");
});

test("a message that is deleted while it is written is only deleted", () => {
  const timeline = timelineOf(opened(""), { type: "message.deleted", room: "a", seq: 2, timestamp: 1002, payload: { msgId: ID, seq: 1, deleted: true } });
  const [item] = timeline.items;

  assert.deepEqual([item.deleted, item.streaming, item.text], [true, undefined, ""]);
  assert.equal(timeline.grow(piece(0, "ab")), null);
});

test("a message that is being written is edited when it is done, and may be deleted", () => {
  const me = { id: "u2", name: "Bob" };
  const [item] = timelineOf(opened("")).items;

  assert.deepEqual(rightsOver(item, me, "member"), { edit: false, remove: true, report: false, answer: true });
});

test("its writer, who asked for it, and moderators may stop it", () => {
  const ada = { id: "u1", name: "Ada" };
  const question = message("a", 1, "why?", { timestamp: 1000, sender: ada });
  const answer = message("a", 2, "", { timestamp: 1001, streaming: { at: 0 }, sender: { id: "bot", name: "Bot" }, payload: { text: "", parent: ID } });
  const timeline = timelineOf(question, answer);
  const [, item] = timeline.items;
  const may = (me, ...actions) => mayStop(item, me, { timeline, may: new Set(actions) });

  assert.equal(may({ id: "bot" }), true);
  assert.equal(may(ada, "message.cancel.answer"), true);
  assert.equal(may(ada), false);
  assert.equal(may({ id: "u3" }, "message.cancel.answer"), false);
  assert.equal(may({ id: "u3" }, "message.cancel"), true);
  assert.equal(may(null, "message.cancel.answer"), false);
  assert.equal(mayStop({ ...item, sender: undefined }, null, { timeline, may: new Set() }), false);
});

// ---- drawing ----

/** Draws a text piece by piece, and counts how much of it is drawn again. */
function drawn(text, size = 1) {
  const node = growingText({ text: "" });
  for (let at = 0; at < text.length; at += size) extend(node, text.slice(0, at + size));
  return node;
}

const SAMPLES = ["plain", "one\ntwo\n\nthree", "see https://example.org/a\nand `code` here\n", "```js\nlet x = 1;\n\nlet y;\n```\nafter", "a ```b``` c\n```\nd\n```", "````\nno block\n"];

test("a text that has grown looks like one that was there at once", () => {
  for (const text of SAMPLES) for (const size of [1, 3, 100]) assert.equal(textOf([drawn(text, size)]), textOf(richText(text)), text);
});

test("lines that are done are not drawn again", () => {
  const node = drawn("one\ntwo\n");
  const [first] = node.children;
  extend(node, "one\ntwo\nthree");

  assert.equal(node.children[0], first);
  assert.equal(textOf([node.children.at(-1)]), "three");
});

test("a block of code is shown as one before it has an end", () => {
  for (const text of ["before\n```", "before\n```js", "before\n```js\n", "before\n```js\n\n"]) assert.equal(textOf([drawn(text)]), "before\n");
  const node = drawn("before\n```js\nlet x;\nlet y");

  assert.equal(textOf([node]), "before\nlet x;\nlet y");
  assert.equal(node.children.at(-1).children.some(({ tag }) => tag === "pre"), true);
});

test("a text that ended in a block of code keeps the block", () => {
  assert.equal(textThatEnded({ text: "a\n```js\nlet x", ended: "cancelled" }), "a\n```js\nlet x\n```");
  assert.equal(textThatEnded({ text: "a\n```js\n", ended: "error" }), "a\n");
  for (const text of ["a\n```\nb\n```", "a"]) assert.equal(textThatEnded({ text, ended: "error" }), text);
});

test("a block of code without an end goes on to the end of every text, if its fence begins a line", () => {
  assert.equal(textThatEnded({ text: "a\n```js\nlet x" }), "a\n```js\nlet x\n```");
  assert.equal(textThatEnded({ text: "- a\n  ```\n  b" }), "- a\n  ```\n  b\n```");
  for (const text of ["a ```", "a ```\nb", "```", "a\n```js\n", "```\nb\n```\nc"]) assert.equal(textThatEnded({ text }), text);
});

test("the number of elements is bounded for every text", () => {
  const node = drawn("`a`\n".repeat(2000), 4);

  assert.ok(node.children.filter(({ tag }) => tag === "code").length < 500);
  assert.ok(textOf([node]).includes("`a`"), "the rest is plain");
});
