// Threads: where replies are shown, and what is kept of them.

import assert from "node:assert/strict";
import test from "node:test";

import { addressOf, placeAt } from "../../../sanic_chatrooms/web/static/address.js";
import { Room } from "../../../sanic_chatrooms/web/static/room.js";
import { Threads } from "../../../sanic_chatrooms/web/static/threads.js";

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

test("a reply that comes while the first page is on its way stays, and a draft keeps its thread", async () => {
  const room = Object.assign(new Room("a"), { status: "ready" });
  let answer;
  const chat = { thread: () => new Promise((resolve) => (answer = resolve)) };
  const threads = new Threads(chat, () => {});
  const thread = threads.open(room, "m1");
  thread.hear(reply(3), false);
  answer({ message: said(1, { text: "x" }), messages: [reply(2)], more: false });
  await thread.loading;
  assert.deepEqual([numbers(thread.timeline), thread.status, thread.message.id], [[2, 3], "ready", "m1"]);

  thread.draft = "to be continued";
  threads.close(thread);
  assert.equal(threads.open(room, "m1"), thread);
  thread.draft = "";
  room.edits.set("m2", "an edit that was begun");
  threads.close(thread);
  assert.equal(threads.open(room, "m1"), thread);
  room.edits.clear();
  threads.close(thread);
  assert.equal(room.threads.size, 0);
});

test("a thread that cannot be loaded says why, and can be tried again", async () => {
  const room = Object.assign(new Room("a"), { status: "ready" });
  const threads = new Threads({ thread: () => Promise.reject(new Error("no")) }, () => {});
  const thread = threads.open(room, "m1");
  await thread.loading;
  assert.deepEqual([thread.status, thread.error.message, thread.asking], ["failed", "no", false]);
});

test("replies to us, and where we replied, are told unless their thread is open", () => {
  const room = new Room("a");
  room.timeline.replace([said(1, { text: "x" }), said(2, { text: "y" })], false);
  room.timeline.items[0].sender = { id: "me", name: "Me" };
  const threads = new Threads({ user: { id: "me" }, thread: () => new Promise(() => {}) }, () => {});
  const to = (parent) => ({ payload: { text: "x", parent } });
  assert.equal(Boolean(threads.concerns(room, to("m1"), false)), true);
  assert.equal(Boolean(threads.concerns(room, to("m2"), false)), false);
  assert.equal(threads.concerns(room, to("m2"), true), false);
  assert.equal(threads.concerns(room, to("m2"), false), true);
  threads.open(room, "m2");
  assert.equal(threads.concerns(room, to("m2"), false), false);
});
