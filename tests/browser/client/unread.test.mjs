// What is unread: the server's counts, and what the page makes of them.

import assert from "node:assert/strict";
import test from "node:test";

import { settled, world } from "./support.mjs";
import "./page.mjs";

const { Room } = await import("../../../sanic_chatrooms/web/static/room.js");
const { firstAbove, loud, named, titleOf, totals, written } = await import("../../../sanic_chatrooms/web/static/counts.js");
const { Unread } = await import("../../../sanic_chatrooms/web/static/unread.js");

const ME = "guest-1";
const said = (seq, more = {}) => ({ type: "message", room: "a", seq, msgId: `m${seq}`, timestamp: seq, payload: { text: "x" }, sender: { id: "u2", name: "Bob" }, ...more });
const line = (more) => ({ seq: 9, unread: 0, more: false, mentions: 0, notify: "all", last: { seq: 9, timestamp: 1 }, ...more });
const of = ({ unread, mentions, readTo, kept }) => [unread, mentions, readTo, kept];

/** A room "a" of five messages, of which the user is a member and has read two. */
async function member(t) {
  const it = world(t);
  const book = { rooms: new Map([["a", new Room("a")]]), changed: () => {} };
  const unread = new Unread(it.chat, book);
  await it.start("a");
  const room = book.rooms.get("a");
  room.epoch = "e1";
  unread.ask(["a"]);
  await settled();
  room.timeline.replace([1, 2, 3, 4, 5].map((seq) => said(seq)), false);
  const answer = async (counts) => {
    it.socket.ack(it.socket.last("unread"), { rooms: { a: { unread: 0, more: false, mentions: 0, read: 0, ...counts } } });
    await settled();
  };
  await answer({ unread: 3, mentions: 1, read: 2 });
  return Object.assign(it, { unread, room, answer });
}

test("the server is asked after each welcome, for the rooms that are open", async (t) => {
  const it = await member(t);
  assert.deepEqual(of(it.room), [3, 1, 2, false]);
  await it.reconnect();
  assert.deepEqual(it.socket.last("unread").payload, { rooms: ["a"] });
  await it.answer({ unread: 4, read: 2 });

  assert.deepEqual(of(it.room), [4, 0, 2, false]);
});

test("reading is reported once for many messages, and the answer is taken over", async (t) => {
  const it = await member(t);
  it.unread.read(it.room);
  it.unread.read(it.room);
  assert.deepEqual(of(it.room), [0, 0, 5, false]);
  assert.equal(it.socket.last("read"), undefined);
  it.unread.flush();
  await settled();
  assert.deepEqual(it.socket.all("read").map(({ payload }) => payload), [{ seq: 5 }]);

  it.socket.ack(it.socket.last("read"), { unread: 1, more: false, mentions: 0, read: 5 });
  await settled();
  assert.deepEqual(of(it.room), [1, 0, 5, false]);
});

test("what the server said before it knew how far the user has read is passed over", async (t) => {
  const it = await member(t);
  it.unread.read(it.room);
  it.unread.listed(it.room, line({ unread: 3 }));
  assert.equal(it.room.unread, 0);
  it.unread.flush();
  await settled();
  it.unread.listed(it.room, line({ unread: 3 }));
  assert.equal(it.room.unread, 0);

  it.socket.ack(it.socket.last("read"), { unread: 0, more: false, mentions: 0, read: 5 });
  await settled();
  it.unread.listed(it.room, line({ unread: 3, last: { seq: 5, timestamp: 1 } }));
  assert.equal(it.room.unread, 0);
  it.unread.listed(it.room, line({ unread: 2 }));
  assert.equal(it.room.unread, 2);
});

test("messages that were marked as unread stay so while the room is open", async (t) => {
  const it = await member(t);
  it.unread.read(it.room);
  const done = it.unread.keep(it.room, { seq: 4 });
  assert.deepEqual(of(it.room), [2, 0, 3, true]);
  assert.deepEqual(it.socket.last("read").payload, { seq: 4, unread: true });
  it.socket.ack(it.socket.last("read"), { unread: 2, more: false, mentions: 1, read: 3 });
  await done;
  it.unread.read(it.room);
  assert.deepEqual(of(it.room), [2, 1, 3, true]);

  it.unread.readAll([it.room]);
  assert.deepEqual(of(it.room), [0, 0, 5, false]);
});

test("if the server does not mark messages as unread, the page says so", async (t) => {
  const it = await member(t);
  const done = it.unread.keep(it.room, { seq: 4 });
  it.socket.refuse(it.socket.last("read"), "forbidden");

  await assert.rejects(done, { code: "forbidden" });
});

test("what was read or marked on another device is asked for", async (t) => {
  const it = await member(t);
  const asked = it.socket.all("unread").length;
  it.socket.says({ type: "read", room: "a", payload: { user: { id: "u2", name: "Bob" }, seq: 5 } });
  assert.equal(it.socket.all("unread").length, asked, "others read, too");
  it.socket.says({ type: "read", room: "a", payload: { user: { id: ME, name: "Ada" }, seq: 4 } });
  await it.answer({ unread: 1, read: 4 });
  assert.deepEqual(of(it.room), [1, 0, 4, false]);

  it.socket.says({ type: "read", room: "a", payload: { user: { id: ME, name: "Ada" }, seq: 1 } });
  await it.answer({ unread: 4, read: 1 });
  assert.deepEqual(of(it.room), [4, 0, 1, true]);
  it.socket.says({ type: "read", room: "a", payload: { user: { id: ME, name: "Ada" }, seq: 5 } });
  await it.answer({ read: 5 });
  assert.deepEqual(of(it.room), [0, 0, 5, false]);
});

test("mentions are counted as they come, in rooms that are open and in others", async (t) => {
  const it = await member(t);
  it.unread.came(it.room, { text: "x", mentions: [ME] });
  it.unread.came(it.room, { text: "x", mentions: "everybody" });
  assert.deepEqual(of(it.room), [5, 2, 2, false]);
  it.socket.says({ type: "mention", payload: { room: "a", seq: 6 } });
  assert.equal(it.room.mentions, 2, "the message itself comes");

  it.chat.exit("a").catch(() => {}); // the socket of this world ends before the answer
  it.socket.says({ type: "mention", payload: { room: "a", seq: 7 } });
  assert.deepEqual(of(it.room), [6, 3, 2, false]);
});

test("a report that the server could not take is repeated when the user reads on", async (t) => {
  const it = await member(t);
  it.unread.read(it.room);
  it.unread.flush();
  it.socket.refuse(it.socket.last("read"), "unavailable");
  await settled();
  it.unread.read(it.room);
  it.unread.flush();

  assert.deepEqual(it.socket.all("read").map(({ payload }) => payload.seq), [5, 5]);
});

test("many rooms are reported as read in turns", async (t) => {
  const it = await member(t);
  const rooms = Array.from({ length: 30 }, (_, at) => Object.assign(new Room(`r${at}`), { counted: true, unread: 1, end: 5 }));
  it.unread.readAll(rooms);
  assert.equal(rooms.some(({ unread }) => unread), false);
  await it.clock.advance(1);
  assert.equal(it.socket.all("read").length, 20);
  await it.clock.advance(2);
  assert.equal(it.socket.all("read").length, 30);
});

test("where the user is no member the page counts", async (t) => {
  const it = await member(t);
  const room = Object.assign(new Room("b"), { epoch: "e1" });
  it.unread.listed(room, line({ notify: undefined, seq: 4 }));
  assert.equal(room.unread, 0, "a room that was never open");
  it.unread.opened(room, { epoch: "e1", seq: 4, role: "guest", messages: [] });
  room.timeline.replace([1, 2].map((seq) => said(seq)), false);
  it.unread.read(room);
  it.unread.listed(room, line({ notify: undefined, seq: 4 }));
  assert.equal(room.unread, 2);
  it.unread.opened(room, { epoch: "e1", seq: 4, role: "guest", messages: [said(2), said(3, { payload: { text: "x", mentions: [ME] } }), said(4, { sender: { id: ME } })] });
  assert.deepEqual([room.unread, room.mentions], [1, 1]);
  it.unread.keep(room, { seq: 1 });
  assert.equal(room.unread, 2);
  it.unread.flush();

  assert.equal(it.socket.last("read"), undefined);
});

test("the first unread message is offered if it is further up than what is loaded", async (t) => {
  const it = await member(t);
  it.unread.ask(["a"]);
  await settled();
  it.room.timeline.replace([said(60), said(61)], true);
  await it.answer({ unread: 50, read: 2, first: 3 });
  assert.equal(firstAbove(it.room), 3);

  it.room.timeline.replace([said(3), said(61)], true);
  assert.equal(firstAbove(it.room), null);

  it.room.timeline.replace([said(60), said(61)], true);
  it.unread.read(it.room);
  it.unread.came(it.room, {});
  assert.equal(firstAbove(it.room), null); // that one has been read since
});

test("how loud a room is, the user chooses", () => {
  const room = { unread: 5, mentions: 2 };
  assert.deepEqual(["all", "mentions", "none"].map((notify) => loud({ ...room, notify })), [5, 2, 0]);
  assert.equal(loud({ ...room, notify: "all", hidden: true }), 2);
  assert.deepEqual(["all", "mentions", "none"].map((notify) => named({ ...room, notify })), [2, 2, 0]);
});

test("counts are written shortly", () => {
  assert.deepEqual([written(3), written(99), written(100), written(100, true), written(3, true)], ["3", "99", "99+", "99+", "99+"]);
  const rooms = [{ unread: 5, mentions: 1, notify: "all" }, { unread: 5, mentions: 1, notify: "none" }];
  assert.deepEqual(totals(rooms, 2), { unread: 7, mentions: 1 });
  const titles = [titleOf({ unread: 0, mentions: 0 }, undefined, "Chat"), titleOf({ unread: 3, mentions: 0 }, "A", "Chat"), titleOf(totals(rooms), "A", "Chat")];
  assert.deepEqual(titles, ["Chat", "(3) A · Chat", "(5, @1) A · Chat"]);
});
