import assert from "node:assert/strict";
import test from "node:test";

import { filesOf, namesOf, placed, placeOf, sizeOf } from "../../../sanic_chatrooms/web/static/attachments.js";
import "./speaking.mjs";

globalThis.location = { href: "http://chat.test/room/#/general", origin: "http://chat.test" };

const plan = { url: "/files/a/1", name: "plan.png", type: "image/png", size: 48_213, sha256: "0".repeat(64), width: 800, height: 600 };
const item = (...attachments) => ({ payload: { text: "", attachments } });

test("files of this server and of https addresses are linked", () => {
  assert.deepEqual(placeOf("/files/a/1"), { href: "http://chat.test/files/a/1", host: "chat.test", own: true });
  assert.deepEqual(placeOf("https://example.org/x"), { href: "https://example.org/x", host: "example.org", own: false });
});

test("no other address is linked", () => {
  const others = ["javascript:alert(1)", "data:text/html,x", "http://example.org/", "//example.org/x", "/\\example.org/x", "/\t/example.org/x", "files/a", "https://ada:secret@example.org/", "blob:http://chat.test/1", "", null, 7, { toString: () => "/files/a" }];
  assert.deepEqual(others.map(placeOf).filter(Boolean), []);
});

test("what is no file is left out, and so is what is too many", () => {
  for (const odd of [null, "a", 7, [], {}, { ...plan, name: " " }, { ...plan, name: 7 }, { ...plan, url: "javascript:x" }]) assert.deepEqual(filesOf(item(odd)), []);
  for (const payload of [undefined, null, {}, { attachments: "no" }, { attachments: {} }]) assert.deepEqual(filesOf({ payload }), []);
  assert.equal(filesOf(item(...Array(50).fill(plan))).length, 10);
});

test("odd sizes are not believed", () => {
  const [file] = filesOf(item({ ...plan, size: "big", width: -1, height: 1e9 + 0.5 }));

  assert.equal(file.size, null);
  assert.equal("width" in file, false);
});

test("sizes are said shortly", () => {
  assert.deepEqual([0, 1, 999, 1000, 1234, 48_213, 9_960_000, 12e9, 5e15].map(sizeOf), ["0 bytes", "1 byte", "999 bytes", "1 kB", "1.2 kB", "48 kB", "10 MB", "12 GB", "5,000 TB"]);
});

test("a picture gets a place of its proportions, and a bound", () => {
  assert.deepEqual(placed({ width: 720, height: 300 }), { width: 360, height: 150 });
  assert.deepEqual(placed({ width: 300, height: 3000 }), { width: 30, height: 300 });
  assert.deepEqual(placed({ width: 40, height: 20 }), { width: 40, height: 20 });
  assert.deepEqual(placed({ width: 1_000_000, height: 1 }), { width: 360, height: 1 });
  assert.deepEqual(placed({}), { width: 300, height: 300 });
});

test("screen readers hear the names", () => {
  assert.equal(namesOf(item(plan)), "File: plan.png");
  assert.equal(namesOf(item(plan, { ...plan, name: "b" })), "Files: plan.png, b");
  assert.equal(namesOf(item()), "");
});
