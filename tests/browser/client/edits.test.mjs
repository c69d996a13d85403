import assert from "node:assert/strict";
import test from "node:test";

import { Edits, rightsOver } from "../../../sanic_chatrooms/web/static/edits.js";
import { rowsOf } from "../../../sanic_chatrooms/web/static/rows.js";
import { Timeline } from "../../../sanic_chatrooms/web/static/timeline.js";
import { message, settled, world } from "./support.mjs";
import "./speaking.mjs";

const ME = { id: "u2", name: "Bob" };
const said = (seq, text, more) => message("a", seq, text, { timestamp: 1000 + seq, ...more });
const of = (seq, type, payload, at) => ({ type, room: "a", seq, msgId: `change-${at}`, timestamp: 1000 + at, payload: { msgId: `server-message-${seq}`, ...payload } });
const edited = (seq, at, text) => ({ ...of(seq, "message.edited", { seq, body: { text }, edited: 1000 + at }, at), seq: at });
const deleted = (seq, at, more) => ({ ...of(seq, "message.deleted", { seq, deleted: true, ...more }, at), seq: at });
const emptied = (at) => ({ type: "message.edited", room: "a", seq: at, msgId: `change-${at}`, timestamp: 1000 + at, payload: {}, deleted: true });

function timelineOf(...events) {
  const timeline = new Timeline();
  timeline.replace([], false);
  for (const event of events) timeline.apply(event, false);
  return timeline;
}

const looks = ({ items }) => items.map(({ text, deleted: gone, changed }) => [gone ? null : text, changed]);
const signs = (timeline) => rowsOf(timeline.all(), null, null).filter(({ kind }) => kind === "message").map(({ sign }) => sign);

test("an edit changes its message and adds no line", () => {
  const timeline = timelineOf(said(1, "good"), said(2), edited(1, 3, "better"));

  assert.deepEqual(looks(timeline), [["better", 3], ["text 2", 2]]);
  assert.equal(timeline.items[0].edited, 1003);
  assert.deepEqual(timeline.items[0].payload, { text: "better" });
});

test("a deletion removes the text", () => {
  const timeline = timelineOf(said(1, "a secret"), edited(1, 2, "a better kept secret"), deleted(1, 3));

  assert.deepEqual(looks(timeline), [[null, 3]]);
  assert.equal(JSON.stringify(timeline.items).includes("secret"), false);
  assert.equal(timeline.items[0].edited, undefined);
});

test("a page that comes later shows why its messages were deleted", () => {
  const timeline = new Timeline();
  timeline.replace([said(5)], true, 7);
  timeline.between([deleted(2, 6, { reason: "spam" })]);
  timeline.apply(deleted(1, 8, { reason: "rude" }), false);
  const gone = (seq, changed) => ({ ...said(seq, "", { deleted: true, changed }), payload: {} });
  timeline.prepend([gone(2, 6), gone(3, 4)], true);
  timeline.prepend([gone(1, 8)], false);

  assert.deepEqual(timeline.items.map(({ because }) => because), ["rude", "spam", undefined, undefined]);
});

test("a change that a message already contains is skipped", () => {
  const now = said(1, "best", { edited: 1004, changed: 4 });
  const timeline = timelineOf(now, edited(1, 2, "better"), edited(1, 4, "best"));
  assert.deepEqual(looks(timeline), [["best", 4]]);

  timeline.apply(edited(1, 5, "the very best"), false);
  assert.deepEqual(looks(timeline), [["the very best", 5]]);
});

test("a first page that comes after a deletion shows its reason", () => {
  const timeline = new Timeline();
  timeline.apply(deleted(1, 8, { reason: "rude" }), false);

  timeline.replace([{ ...said(1, "", { deleted: true, changed: 8 }), payload: {} }], false, 8);

  assert.equal(timeline.items[0].because, "rude");
});

test("an edit that was emptied by a later deletion does no harm", () => {
  const gone = { ...said(1, "", { deleted: true, changed: 3 }), payload: {} };

  assert.deepEqual(looks(timelineOf(gone, emptied(2), deleted(1, 3))), [[null, 3]]);
  assert.deepEqual(looks(timelineOf(said(1, "as it was"), emptied(2), deleted(1, 3))), [[null, 3]]);
});

test("a change of an unknown message is ignored", () => {
  assert.deepEqual(looks(timelineOf(said(2), edited(1, 3, "x"), deleted(1, 4), emptied(5))), [["text 2", 2]]);
});

test("a row is redrawn if its message changed while the client was offline", () => {
  const timeline = timelineOf(said(1, "good"));
  const before = signs(timeline);

  timeline.replace([said(1, "better", { edited: 1002, changed: 2 })], false);

  assert.notDeepEqual(signs(timeline), before);
});

test("a row that is being edited stays until its message is deleted", () => {
  const timeline = timelineOf(said(1, "good"));
  const { key } = timeline.items[0];
  const sign = () => rowsOf(timeline.all(), null, key).at(-1).sign;
  const before = sign();

  timeline.apply(edited(1, 2, "better"), false);
  assert.equal(sign(), before);

  timeline.apply(deleted(1, 3), false);
  assert.notEqual(sign(), before);
});

test("what was to be saved goes back to whoever wrote it if the message was deleted meanwhile", async (t) => {
  const gone = { ...said(1, "", { deleted: true, changed: 3 }), payload: {} };
  const ways = { live: ({ timeline }) => timeline.apply(deleted(1, 3), false), "loaded again": ({ timeline }) => timeline.replace([gone], false) };
  for (const [way, goes] of Object.entries(ways)) {
    const it = await room(t);
    it.edits.edit(it.room, it.item, "better");
    await settled();
    goes(it);
    it.socket.refuse(it.socket.last("message.edit"), "message_not_found");
    await settled();

    assert.deepEqual(it.timeline.items.map(({ deleted: isGone, change, unsaved }) => [isGone, change, unsaved]), [[true, null, "better"]], way);
  }
});

test("a change goes on when its message is loaded again", async (t) => {
  const it = await room(t);
  it.edits.edit(it.room, it.item, "better");
  await settled();
  it.timeline.replace([said(1, "good")], false);
  it.socket.refuse(it.socket.last("message.edit"), "muted");
  await settled();

  assert.equal(it.timeline.items[0].change.error.code, "muted");
});

test("a deletion may have a reason", () => {
  const timeline = timelineOf(said(1), said(2), said(3), deleted(1, 4, { reason: "spam" }), deleted(2, 5), deleted(3, 6, { reason: 7 }));

  assert.deepEqual(timeline.items.map(({ because }) => because), ["spam", "", "7"]);
});

test("a moderator may give a reason for a deletion", async (t) => {
  const it = world(t);
  await it.start("a");
  for (const options of [undefined, { reason: "spam" }]) {
    const done = it.chat.delete("a", "m1", options);
    await settled();
    it.socket.ack(it.socket.last("message.delete"), { seq: 2, duplicate: false });
    await done;
  }

  assert.deepEqual(it.socket.all("message.delete").map(({ payload }) => payload), [{ msgId: "m1" }, { msgId: "m1", reason: "spam" }]);
});

test("users may edit and delete their own messages, moderators may delete all, and everybody may report those of others", () => {
  const [own] = timelineOf(said(1)).items;
  const [other] = timelineOf(said(1, "x", { sender: { id: "u1", name: "Ada" } })).items;
  const [gone] = timelineOf(said(1), deleted(1, 2)).items;
  const [poll] = timelineOf(said(1, "x", { type: "poll.vote" })).items;

  assert.deepEqual(rightsOver(own, ME, "guest"), { edit: true, remove: true, report: false, answer: true });
  assert.deepEqual(rightsOver(other, ME, "member"), { edit: false, remove: false, report: true, answer: true });
  for (const role of ["owner", "admin", "moderator"]) assert.deepEqual(rightsOver(other, ME, role), { edit: false, remove: true, report: true, answer: true });
  for (const item of [gone, poll, { ...own, status: "pending" }, { ...own, change: {} }])
    assert.deepEqual(rightsOver(item, ME, "owner"), { edit: false, remove: false, report: false, answer: false });
  assert.deepEqual(rightsOver({ ...own, sender: undefined }, null, ""), { edit: false, remove: false, report: false, answer: true });
});

/** A room of one message, and what we do to it. */
async function room(t) {
  const it = world(t);
  await it.start("a");
  const timeline = timelineOf(said(1, "good", { payload: { text: "good", parent: "m1" } }));
  const [item] = timeline.items;
  const edits = new Edits(it.chat, () => it.seen.push(item.version));
  return Object.assign(it, { timeline, item, edits, room: { id: "a", timeline } });
}

test("an edit is shown at once, and becomes the message when the server has stored it", async (t) => {
  const it = await room(t);
  it.edits.edit(it.room, it.item, "better");
  await settled();
  assert.deepEqual([it.item.change.text, it.item.text], ["better", "good"]);
  const command = it.socket.last("message.edit");
  assert.deepEqual(command.payload, { msgId: "server-message-1", body: { text: "better", parent: "m1" } });

  it.socket.ack(command, { seq: 2, duplicate: false });
  await settled();

  assert.deepEqual([it.item.change, it.item.text, it.item.changed], [null, "better", 2]);
  assert.equal(it.seen.at(-1), it.item.version, "it was drawn after the last change");
});

test("the event and the ack of an edit may arrive in either order", async (t) => {
  const it = await room(t);
  it.edits.edit(it.room, it.item, "better");
  await settled();
  it.timeline.apply(edited(1, 2, "better"), true);
  it.socket.ack(it.socket.last("message.edit"), { seq: 2, duplicate: false });
  await settled();

  assert.deepEqual([it.item.change, it.item.text, it.item.edited], [null, "better", 1002]);
  assert.equal(it.seen.at(-1), it.item.version);
});

test("a refused edit shows the reason, and can be repeated or cancelled", async (t) => {
  const it = await room(t);
  it.edits.edit(it.room, it.item, "better");
  await settled();
  it.socket.refuse(it.socket.last("message.edit"), "muted");
  await settled();
  assert.equal(it.item.change.error.code, "muted");

  it.edits.retry(it.room, it.item);
  await settled();
  assert.equal(it.socket.all("message.edit").length, 2);
  assert.deepEqual(it.socket.last("message.edit").payload.body.text, "better");
  it.socket.refuse(it.socket.last("message.edit"), "forbidden");
  await settled();
  it.edits.discard(it.room, it.item);

  assert.deepEqual([it.item.change, it.item.text], [null, "good"]);
});

test("a deletion is shown when the server has stored it", async (t) => {
  const it = await room(t);
  it.edits.remove(it.room, it.item);
  await settled();
  assert.equal(Boolean(it.item.deleted), false);
  it.socket.ack(it.socket.last("message.delete"), { seq: 2, duplicate: false });
  await settled();

  assert.deepEqual([it.item.deleted, it.item.text, it.item.change], [true, "", null]);
});

test("a moderator may say why a message is deleted", async (t) => {
  const it = await room(t);
  it.edits.remove(it.room, it.item, { reason: "spam" });
  await settled();
  const asked = it.socket.last("message.delete");
  it.socket.ack(asked, { seq: 2, duplicate: false });
  await settled();

  assert.deepEqual([asked.payload.reason, it.item.because], ["spam", "spam"]);
});

test("deleting a message that was deleted meanwhile reports nothing", async (t) => {
  const it = await room(t);
  it.edits.remove(it.room, it.item);
  await settled();
  it.timeline.apply(deleted(1, 2), false);
  it.socket.refuse(it.socket.last("message.delete"), "message_not_found");
  await settled();

  assert.deepEqual([it.item.deleted, it.item.change], [true, null]);
});

test("what came to stand beside a message while nobody heard of it is drawn when it is loaded again", () => {
  const timeline = new Timeline();
  const message = { msgId: "m1", seq: 1, type: "message", timestamp: 1, sender: { id: "bob", name: "Bob" }, payload: { text: "hi" } };
  timeline.replace([message], false, 1);
  const [item] = timeline.items;
  const drawn = item.version;

  timeline.replace([message], false, 2);
  assert.equal(item.version, drawn);

  timeline.replace([{ ...message, reactions: [{ emoji: "👍", count: 1 }] }], false, 3);
  assert.notEqual(item.version, drawn);
});
