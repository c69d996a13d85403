// The names that a page has seen, and where it keeps them.

import assert from "node:assert/strict";
import test from "node:test";

import { Names, SOURCES } from "../../../sanic_chatrooms/web/static/names.js";
import { kept } from "../../../sanic_chatrooms/web/static/kept.js";

const ADA = { id: "u1", name: "Ada" };

test("names are kept for their user, and for nobody before it is known who that is", () => {
  const names = new Names(undefined);
  names.hear(ADA, SOURCES.now);
  assert.deepEqual(kept.keys(""), []);

  names.begin("u2");
  assert.equal(names.of("u1"), undefined);
  names.hear(ADA, SOURCES.now);
  names.begin("u3");
  names.begin("u2");

  assert.deepEqual([kept.keys(""), names.all()], [["chatrooms names u2"], [ADA]]);
});
