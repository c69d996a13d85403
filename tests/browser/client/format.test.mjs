// How times and names are written.

import assert from "node:assert/strict";
import test from "node:test";

process.env.TZ = "Europe/Berlin";
const { dayName, excerpt, initials, listed, timeOf } = await import("../../../sanic_chatrooms/web/static/format.js");

const at = (text) => new Date(text).getTime() / 1000;

test("yesterday is the day before by the calendar, also where that day had 23 hours or 25", () => {
  const shortly = at("2026-03-30T00:30"); // clocks went forward on Sunday the 29th
  assert.equal(dayName(at("2026-03-29T12:00"), shortly), "Yesterday");
  assert.match(dayName(at("2026-03-28T23:50"), shortly), /Saturday/);
  const long = at("2026-10-25T23:30"); // and back on this one
  assert.equal(dayName(at("2026-10-24T00:10"), long), "Yesterday");
  assert.equal(dayName(at("2026-10-25T00:10"), long), "Today");
  assert.equal(dayName(at("2025-12-31T00:10"), at("2026-01-01T23:00")), "Yesterday");
});

test("an hour has no zero before it where it is one of twelve", () => {
  assert.match(timeOf(at("2026-03-28T05:38")), /^(05:38|5:38\sAM)$/);
});

test("a name with a comma stays one name", () => {
  assert.equal(listed(["Byron, Ada"]), "Byron, Ada");
  assert.equal(listed(["A", "B", "C"]), "A, B and C");
});

test("an excerpt ends between two characters", () => {
  assert.equal(excerpt("😀".repeat(3), 3), "😀…");
  assert.equal(excerpt("abc", 3), "abc");
});

test("an avatar has one or two letters, however many marks are on them", () => {
  assert.equal(initials("Ada King Lovelace"), "AL");
  assert.ok(initials(`e${"\u0301".repeat(60)}`).length <= 32);
});
