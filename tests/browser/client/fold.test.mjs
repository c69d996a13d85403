import assert from "node:assert/strict";
import test from "node:test";

import { fold } from "../../../sanic_chatrooms/web/static/client.js";

const ADA = { id: "u1", name: "Ada" };
const BOB = { id: "u2", name: "Bob" };
const said = { type: "message", msgId: "m1", seq: 1, timestamp: 1, sender: ADA, payload: { text: "hi" } };

const event = (type, seq, payload, more) => ({ type, msgId: `e${seq}`, seq, timestamp: seq, sender: BOB, payload, ...more });
const reacted = (seq, user, count, type = "reaction.added", emoji = "👍") => event(type, seq, { msgId: "m1", seq: 1, emoji, user, count });
const reply = (seq, more) => event("message", seq, { text: "re", parent: "m1" }, more);
const edited = (seq, text) => event("message.edited", seq, { msgId: "m1", seq: 1, body: { text }, edited: seq });
const after = (...events) => events.reduce((message, one) => fold(message, one, "u1"), said);

test("an event about another message leaves the same object", () => {
  for (const one of [
    event("message.pinned", 2, { msgId: "m2", seq: 1, by: BOB }),
    event("message", 2, { text: "x" }),
    event("message.edited", 2, {}),
    event("poll.vote", 2, { msgId: "m1" }),
    event("typing", undefined, undefined),
  ])
    assert.equal(fold(said, one, "u1"), said);
});

test("reactions are counted by the event, and one's own are marked", () => {
  assert.deepEqual(after(reacted(2, BOB, 1)).reactions, { "👍": { count: 1 } });
  assert.deepEqual(after(reacted(2, BOB, 1), reacted(3, ADA, 2)).reactions, { "👍": { count: 2, me: true } });
  assert.deepEqual(after(reacted(2, ADA, 1), reacted(3, BOB, 2), reacted(4, ADA, 1, "reaction.removed")).reactions, { "👍": { count: 1 } });
  assert.deepEqual(after(reacted(2, ADA, 1), reacted(3, ADA, 0, "reaction.removed")), said);
});

test("an edit changes the payload, unless the message shows a later one already", () => {
  assert.deepEqual(after(edited(5, "b")), { ...said, payload: { text: "b" }, edited: 5, changed: 5 });
  assert.deepEqual(after(edited(5, "b"), edited(4, "a")).payload, { text: "b" });
});

test("a deletion takes everything but the thread", () => {
  const gone = after(reacted(2, ADA, 1), event("message.pinned", 3, { msgId: "m1", seq: 1, by: BOB }), edited(4, "b"), reply(5), event("message.deleted", 6, { msgId: "m1", seq: 1, deleted: true }));

  const thread = { count: 1, last: { seq: 5, timestamp: 5, sender: BOB } };
  assert.deepEqual(gone, { ...said, payload: {}, deleted: true, changed: 6, thread });
  assert.equal(fold(gone, reacted(7, BOB, 1), "u1"), gone);
  assert.equal(fold(gone, reply(8), "u1").thread.count, 2);
});

test("a pin is set and taken off", () => {
  const pinned = after(event("message.pinned", 2, { msgId: "m1", seq: 1, by: null }));
  assert.deepEqual(pinned, { ...said, pinned: { by: null, at: 2 } });
  assert.deepEqual(fold(pinned, event("message.unpinned", 3, { msgId: "m1", seq: 1, by: BOB }), "u1"), said);
});

test("replies are counted once, and the deletion of one says what is left", () => {
  const two = after(reply(2), reply(3, { sender: undefined }));
  assert.deepEqual(two.thread, { count: 2, last: { seq: 3, timestamp: 3, sender: null } });
  assert.equal(fold(two, reply(3), "u1"), two);
  assert.equal(fold(two, reply(4, { deleted: true, payload: {} }), "u1"), two);
  const left = { count: 1, last: { seq: 2, timestamp: 2, sender: BOB } };
  const deleted = (thread) => event("message.deleted", 5, { msgId: "m3", seq: 3, deleted: true, parent: "m1", thread });
  assert.deepEqual(fold(two, deleted(left), "u1").thread, left);
  assert.deepEqual(fold(two, deleted(null), "u1"), said);
});

test("the end of a stream is no edit", () => {
  const streaming = { ...said, streaming: { at: 2 } };
  const closed = (more) => event("message.edited", 3, { msgId: "m1", seq: 1, body: { text: "all" }, edited: 3, closed: true, ...more });
  assert.deepEqual(fold(streaming, closed(), "u1"), { ...said, payload: { text: "all" }, changed: 3 });
  const ended = fold(streaming, closed({ ended: "error" }), "u1");
  assert.equal(ended.ended, "error");
  assert.equal(fold(ended, edited(4, "b"), "u1").ended, undefined);
});
