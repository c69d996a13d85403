// What is shown of a message that was found.

import assert from "node:assert/strict";
import test from "node:test";

import { piecesOf } from "../../../sanic_chatrooms/web/static/highlights.js";

const shown = (pieces) => pieces.map(([text, matches]) => (matches ? `[${text}]` : text)).join("");

test("the places that match are marked", () => {
  assert.equal(shown(piecesOf("a cafe and a café", [[2, 6], [13, 17]])), "a [cafe] and a [café]");
  assert.equal(shown(piecesOf("nothing", [])), "nothing");
  assert.deepEqual(piecesOf("", []), []);
});

test("places are counted in code points", () => {
  assert.equal(shown(piecesOf("👍👍 yes", [[3, 6]])), "👍👍 [yes]");
});

test("of a long text, the part around the first match is shown", () => {
  const text = `${"a".repeat(500)} here ${"b".repeat(500)}`;
  assert.match(shown(piecesOf(text, [[501, 505]], 100)), /^…\[here\] b{95}…$/);
  assert.match(shown(piecesOf(`${text} end`, [[510, 511]], 100)), /^…here b{4}\[b\]b{90}…$/);
  assert.match(shown(piecesOf("a".repeat(500), [[200, 201]], 100)), /^…a{50}\[a\]a{49}…$/);
  assert.match(shown(piecesOf(text, [[0, 1]], 100)), /^\[a\]a+…$/);
  assert.match(shown(piecesOf(text, [[1004, 1006]], 100)), /^…b{50}\[bb\]$/);
});

test("a match that is longer than what is shown is cut", () => {
  assert.equal(shown(piecesOf("abcdef", [[0, 6]], 3)), "[abc]…");
});

test("places that overlap or lie outside do no harm", () => {
  assert.equal(shown(piecesOf("abcdef", [[0, 3], [2, 4], [9, 12]])), "[abc][d]ef");
});
