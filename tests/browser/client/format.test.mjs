// How times and names are written.

import assert from "node:assert/strict";
import test from "node:test";
import "./speaking.mjs";

process.env.TZ = "Europe/Berlin";
const { dayName, excerpt, fullTimeOf, initials, slug, some, timeOf, toldApart } = await import("../../../sanic_chatrooms/web/static/format.js");

const { listed } = await import("../../../sanic_chatrooms/web/static/language.js");

const at = (text) => new Date(text).getTime() / 1000;

test("yesterday is the previous calendar day, even if that day had 23 or 25 hours", () => {
  const shortly = at("2026-03-30T00:30"); // clocks went forward on Sunday the 29th
  assert.equal(dayName(at("2026-03-29T12:00"), shortly), "Yesterday");
  assert.match(dayName(at("2026-03-28T23:50"), shortly), /Saturday/);
  const long = at("2026-10-25T23:30"); // and back on this one
  assert.equal(dayName(at("2026-10-24T00:10"), long), "Yesterday");
  assert.equal(dayName(at("2026-10-25T00:10"), long), "Today");
  assert.equal(dayName(at("2025-12-31T00:10"), at("2026-01-01T23:00")), "Yesterday");
});

test("hours of a 12-hour clock have no leading zero", () => {
  assert.match(timeOf(at("2026-03-28T05:38")), /^(05:38|5:38\sAM)$/);
});

test("a moment of another year has its year", () => {
  const now = at("2026-03-29T12:00");
  assert.match(fullTimeOf(at("2026-03-02T14:05"), now), /^Monday, March 2\D+2:05\sPM$/);
  assert.match(fullTimeOf(at("2024-03-04T14:05"), now), /^Monday, March 4, 2024\D+2:05\sPM$/);
});

test("a name with a comma stays one name", () => {
  assert.equal(listed(some(["Byron, Ada"])), "Byron, Ada");
  assert.equal(listed(some(["A", "B", "C"])), "A, B, and C");
  assert.equal(listed(some(["A", "B", "C", "D"])), "A, B, and 2 others");
});

test("an excerpt ends between two characters", () => {
  assert.equal(excerpt("😀".repeat(3), 3), "😀…");
  assert.equal(excerpt("abc", 3), "abc");
});

test("an avatar has one or two letters, however many marks are on them", () => {
  assert.equal(initials("Ada King Lovelace"), "AL");
  assert.ok(initials(`e${"\u0301".repeat(60)}`).length <= 32);
});

test("a title makes a readable id, and titles in two scripts make two ids", () => {
  assert.equal(slug("Release day!"), "release-day");
  assert.equal(slug("Café Zürich"), "cafe-zurich");
  assert.match(slug("C++"), /^c-\w+$/);
  const ids = ["会議", "会議室", "???", "!!!", "会議 A", "会議室 A", "A", "Привет", "👍", "\u05e9\u05dc\u05d5\u05dd"].map(slug);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[A-Za-z0-9_.:~-]{1,128}$/);
  assert.ok(slug("会".repeat(100)).length <= 128 && slug("a會".repeat(50)).length <= 128);
});

test("the same title makes the same id in every Unicode form", () => {
  for (const [one, other] of [["会議", "会議 "], ["ＡＢ会", "ab会"], ["会\u200b議", "会議"], ["e\u0301会", "\u00e9会"]]) assert.equal(slug(one), slug(other));
});

test("people with one name are told apart by a part of their ids", () => {
  const long = "0123456789abcdef0123456789-";
  const told = (...named) => [...toldApart(named.map(([id, name]) => ({ id, name }))).values()];
  assert.deepEqual(told(["a", "A"], ["b", "B"]), ["", ""]);
  assert.deepEqual(told(["tea", "会議"], ["tea-2", "会議"], ["c", "C"]), ["tea", "tea-2", ""]);
  assert.deepEqual(told([`${long}xyz123`, "Ada"], [`${long}xyz124`, "ada\u200b"]), ["xyz123", "xyz124"]);
  assert.deepEqual(told([`a-${long}xyz`, "Ada"], [`b-${long}xyz`, "Ada"]), [`a-${long}xyz`, `b-${long}xyz`]);
});
