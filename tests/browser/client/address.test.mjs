// The address of the page: every id that goes in comes out, and what is no address is refused.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { addressOf, placeAt } from "../../../sanic_chatrooms/web/static/address.js";

const naughty = JSON.parse(readFileSync(new URL("../naughty.json", import.meta.url)));
const halves = ["\ud800", "\udc00", "a\ud83d", "\udc00\ud800", "\ud800%41"]; // no server lets them pass

// As the bar of a browser keeps it.
const through = (hash) => new URL(hash, "https://chat.example/").hash;

test("an id survives the way into an address and back", () => {
  for (const id of [...naughty, ...halves])
    for (const whole of [id, `@${id}`]) {
      if (whole === "@") continue; // nobody
      assert.deepEqual(placeAt(through(addressOf(whole))), { id: whole, pane: undefined }, JSON.stringify(whole));
    }
});

test("two ids never have one address", () => {
  const all = [...new Set([...naughty, ...halves].flatMap((id) => [id, `@${id}`]))];
  assert.equal(new Set(all.map((id) => addressOf(id))).size, all.length);
});

test("a pane after an id differs from a slash inside an id", () => {
  for (const id of naughty.filter((id) => id !== "@")) assert.deepEqual(placeAt(through(addressOf(id, "people"))), { id, pane: "people" });
  assert.deepEqual(placeAt(addressOf("general/people")), { id: "general/people", pane: undefined });
});

test("ids of rooms and of guests stay readable", () => {
  assert.equal(addressOf("order-10.01_a:b~c"), "#/order-10.01_a:b~c");
  assert.equal(addressOf("@guest-x9", "people"), "#/@guest-x9/people");
});

test("an empty address, and one that names nothing, are the start", () => {
  for (const hash of ["", "#", "#/"]) assert.deepEqual(placeAt(hash), { id: "", pane: undefined });
});

test("an invalid address names nothing", () => {
  const wrong = ["#/%", "#/100%", "#/50%4", "#/%ff", "#/@https://id.example/users/7", "#/a/b", "#/a/people/", "#/@", "#/@/people", "#//people", "#/a/people/b"];
  for (const hash of wrong) assert.equal(placeAt(hash), null, hash);
});
