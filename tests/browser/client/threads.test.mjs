// Threads: where replies are shown, and what is kept of them.

import assert from "node:assert/strict";
import test from "node:test";

import { addressOf, placeAt } from "../../../sanic_chatrooms/web/static/address.js";
import { Room } from "../../../sanic_chatrooms/web/static/room.js";

const said = (seq, payload) => ({ type: "message", seq, msgId: `m${seq}`, timestamp: seq, sender: { id: "u1", name: "Ada" }, payload });
const reply = (seq) => said(seq, { text: "x", parent: "m1" });
const numbers = ({ items }) => items.map(({ seq }) => seq);

test("replies are not in the conversation, and are read with it", () => {
  const { timeline } = new Room("a");
  timeline.replace([said(1, { text: "x" }), reply(2)], false);
  assert.deepEqual([numbers(timeline), timeline.end], [[1], 2]);
  assert.equal(timeline.apply(reply(3), false), null);
  timeline.apply(said(4, { text: "x", parent: null }), false);
  timeline.apply(reply(5), true);
  assert.deepEqual([numbers(timeline), timeline.end], [[1, 4], 5]);
});

test("where the server has no threads, replies are in the conversation", () => {
  const room = new Room("a");
  room.mixed = true;
  room.timeline.replace([said(1, { text: "x" }), reply(2)], false);
  assert.deepEqual(numbers(room.timeline), [1, 2]);
});

test("a thread has an address", () => {
  const address = addressOf("general", "thread", "m/1");
  assert.equal(address, "#/general/thread/m%2F1");
  assert.deepEqual(placeAt(address), { id: "general", pane: "thread", of: "m/1" });
  for (const wrong of ["#/general/thread", "#/general/thread/", "#/general/thread/a/b", "#//thread/a", "#/general/thread/%"]) assert.equal(placeAt(wrong), null, wrong);
});
