// Messages that are being written: by this client, and by others.

import assert from "node:assert/strict";
import test from "node:test";

import { fold } from "../../../sanic_chatrooms/web/static/client.js";
import { message, settled, world } from "./support.mjs";

const opened = (seq, text = "") => message("general", seq, text, { msgId: "m1", streaming: { at: [...text].length } });
const delta = (at, text, msgId = "m1") => ({ type: "message.delta", room: "general", payload: { msgId, at, text } });
const texts = (its) => its.seen.map(([, event]) => [event.payload.at, event.payload.text]);

test("pieces come in order and without overlap", async (t) => {
  const its = world(t);
  its.watch("message.delta");
  await its.start("general");
  its.socket.says(opened(1, "é😀"));

  for (const [at, text] of [[2, "ab"], [2, "abc"], [0, "é😀abcd"], [0, "é"]]) its.socket.says(delta(at, text));

  assert.deepEqual(texts(its), [[2, "ab"], [4, "c"], [5, "d"]]);
});

test("a missing piece is asked for, and what comes meanwhile is in the answer", async (t) => {
  const its = world(t);
  its.watch("message.delta");
  await its.start("general");
  its.socket.says(opened(1, "a"));

  its.socket.says(delta(3, "d"));
  its.socket.says(delta(4, "e"));
  const asked = its.socket.all("message.text");
  its.socket.ack(asked[0], { at: 1, text: "bcde", streaming: true });
  its.socket.says(delta(5, "f"));

  assert.equal(asked.length, 1);
  assert.deepEqual(asked[0].payload, { msgId: "m1", from: 1 });
  assert.deepEqual(texts(its), [[1, "bcde"], [5, "f"]]);
});

test("pieces of messages that are on no page are left out, and of those that are closed", async (t) => {
  const its = world(t);
  its.watch("message.delta");
  await its.start("general");
  its.socket.says(delta(0, "x", "unknown"));
  its.socket.says(opened(1));
  its.socket.says({ type: "message.edited", room: "general", seq: 2, msgId: "e", payload: { msgId: "m1", seq: 1, closed: true, body: { text: "a" } } });
  its.socket.says(delta(0, "a"));

  assert.deepEqual(its.seen, []);
  assert.equal(its.socket.last("message.text"), undefined);
});

test("a page of history knows what is being written", async (t) => {
  const its = world(t);
  its.watch("message.delta");
  await its.start("general");
  const page = its.chat.history("general");
  its.socket.ack(its.socket.last("history"), { messages: [opened(0, "ab")], more: false, epoch: "e1", seq: 0 });
  await page;

  its.socket.says(delta(2, "c"));

  assert.deepEqual(texts(its), [[2, "c"]]);
});

test("after a recovery the client asks for what it missed", async (t) => {
  const its = world(t);
  its.watch("message.delta");
  await its.start("general");
  its.socket.says(opened(1, "a"));
  await its.reconnect();
  its.socket.joined("general", { seq: 1, recovered: true });
  its.socket.ack(its.socket.last("message.text"), { at: 1, text: "bc", streaming: true });

  assert.deepEqual(texts(its), [[1, "bc"]]);
});

test("fold lets a text grow, once", () => {
  const before = opened(1, "é😀");
  const after = fold(before, delta(2, "ab"));

  assert.deepEqual([after.payload.text, after.streaming], ["é😀ab", { at: 4 }]);
  assert.equal(fold(after, delta(2, "ab")), after);
  const whole = message("general", 2, "whole", { msgId: "m1" });
  assert.equal(fold(whole, delta(0, "ab")), whole);
});

test("what is written while a piece is on its way goes with the next one", async (t) => {
  const its = world(t);
  await its.start("general");
  const out = its.chat.stream("general", { text: "é😀", model: "x" });
  out.write("a");
  await settled();
  its.socket.ack(its.socket.last("message.open"), { msgId: "m1", seq: 1, timestamp: 1, duplicate: false, lease: 30 });
  await settled();
  out.write("b");
  out.write("c");
  its.socket.ack(its.socket.last("message.append"), { at: 3 });

  const sent = its.socket.all("message.append").map(({ payload }) => payload);
  assert.deepEqual(its.socket.last("message.open").payload, { text: "é😀", model: "x" });
  assert.deepEqual(sent, [{ msgId: "m1", at: 2, text: "a" }, { msgId: "m1", at: 3, text: "bc" }]);
  assert.equal(await out.opened, "m1");
});

async function writing(its) {
  await its.start("general");
  const out = its.chat.stream("general");
  await settled();
  its.socket.ack(its.socket.last("message.open"), { msgId: "m1", seq: 1, timestamp: 1, duplicate: false, lease: 30 });
  await settled();
  return out;
}

test("a conflict sends again from where the server is", async (t) => {
  const its = world(t);
  const out = await writing(its);
  out.write("abcdef");
  its.socket.refuse(its.socket.last("message.append"), "conflict", { at: 0 });
  its.socket.ack(its.socket.last("message.append"), { at: 6 });
  out.write("g");
  its.socket.refuse(its.socket.last("message.append"), "conflict", { at: 4 });

  assert.deepEqual(its.socket.last("message.append").payload, { msgId: "m1", at: 4, text: "efg" });
});

test("a close waits for the last piece", async (t) => {
  const its = world(t);
  const out = await writing(its);
  out.write("ab");
  const done = out.close({ reason: "cancelled" });
  await settled();
  assert.equal(its.socket.last("message.close"), undefined);
  its.socket.ack(its.socket.last("message.append"), { at: 2 });
  await settled();
  its.socket.ack(its.socket.last("message.close"), { seq: 2, duplicate: false });

  assert.deepEqual(its.socket.last("message.close").payload, { msgId: "m1", reason: "cancelled" });
  assert.deepEqual(await done, { seq: 2, duplicate: false });
  assert.throws(() => out.write("c"), { code: "closed" });
});

test("a close that another worker refuses sends what that lacks, and closes again", async (t) => {
  const its = world(t);
  const out = await writing(its);
  out.write("abcdef");
  its.socket.ack(its.socket.last("message.append"), { at: 6 });
  const done = out.close();
  await settled();
  its.socket.refuse(its.socket.last("message.close"), "conflict", { at: 4 });
  await settled();

  const again = its.socket.last("message.append");
  assert.deepEqual(again.payload, { msgId: "m1", at: 4, text: "ef" });
  assert.equal(its.socket.all("message.close").length, 1);
  its.socket.ack(again, { at: 6 });
  await settled();
  const closes = its.socket.all("message.close");
  its.socket.ack(closes[1], { seq: 2, duplicate: false });

  assert.deepEqual(await done, { seq: 2, duplicate: false });
  assert.notEqual(closes[0].msgId, closes[1].msgId);
});

test("a close of a message that is closed is refused", async (t) => {
  const its = world(t);
  const out = await writing(its);
  const done = out.close();
  await settled();
  its.socket.refuse(its.socket.last("message.close"), "conflict");

  await assert.rejects(done, { code: "conflict" });
});

test("a writer goes on after a reconnect, and a silent one shows that it is there", async (t) => {
  const its = world(t);
  const out = await writing(its);
  out.write("ab");
  await its.reconnect();
  its.socket.joined("general", { seq: 1, recovered: true });
  await its.clock.advance(1);
  const again = its.socket.last("message.append");
  its.socket.ack(again, { at: 2 });
  await its.clock.advance(10);

  assert.deepEqual(again.payload, { msgId: "m1", at: 0, text: "ab" });
  assert.deepEqual(its.socket.last("message.append").payload, { msgId: "m1", at: 2, text: "" });
});

test("a message that is lost rejects its close", async (t) => {
  const its = world(t);
  const out = await writing(its);
  out.write("ab");
  its.socket.refuse(its.socket.last("message.append"), "message_not_found");

  await assert.rejects(out.close(), { code: "message_not_found" });
  assert.throws(() => out.write("c"), { code: "closed" });
});

test("a message that cannot be opened says so", async (t) => {
  const its = world(t);
  await its.start("general");
  const out = its.chat.stream("general");
  await settled();
  its.socket.refuse(its.socket.last("message.open"), "forbidden");

  await assert.rejects(out.opened, { code: "forbidden" });
  await assert.rejects(out.close(), { code: "forbidden" });
});

test("a writer hears that somebody cancels", async (t) => {
  const its = world(t);
  const out = await writing(its);
  const told = [];
  out.oncancel = (by) => told.push(by);
  its.watch("message.cancelled");
  its.socket.says({ type: "message.cancelled", payload: { msgId: "m1", by: { id: "u2", name: "Bob" } } });

  assert.deepEqual(told, [{ id: "u2", name: "Bob" }]);
  assert.equal(out.cancelledBy.id, "u2");
  assert.equal(its.seen.length, 1);
});

test("cancel asks the writer to stop", async (t) => {
  const its = world(t);
  its.chat.connect();
  await its.welcome({ features: ["streams"] });
  its.chat.cancel("general", "m1").catch(() => {});

  assert.deepEqual(its.socket.last("message.cancel").payload, { msgId: "m1" });
});
