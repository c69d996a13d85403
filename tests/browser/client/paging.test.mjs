// Older messages, and windows far up that grow until they meet the newest.

import assert from "node:assert/strict";
import test from "node:test";

import { Paging } from "../../../sanic_chatrooms/web/static/paging.js";
import { addressOf, placeAt } from "../../../sanic_chatrooms/web/static/address.js";
import { Room } from "../../../sanic_chatrooms/web/static/room.js";
import { Timeline } from "../../../sanic_chatrooms/web/static/timeline.js";

const event = (seq) => ({ type: "message", seq, msgId: `m${seq}`, timestamp: seq, payload: { text: "x", ...(seq === 20 && { parent: "m1" }) } });
const range = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => event(from + at));
const numbers = ({ items }) => items.map(({ seq }) => seq);

/** A room of 100 messages, of which the last ten are there; pages of ten. */
function world() {
  const room = Object.assign(new Room("a"), { status: "ready" });
  room.timeline.replace(range(91, 100), true);
  const history = async (_, { before, after, around }) => {
    if (around) return { messages: range(Math.max(1, around - 5), Math.min(100, around + 4)), more: true };
    if (after !== undefined) return { messages: range(after + 1, Math.min(100, after + 10)), more: after + 10 < 100 };
    return { messages: range(Math.max(1, before - 10), before - 1), more: before > 11 };
  };
  return { room, paging: new Paging({ history }, () => {}) };
}

test("what the room has already is found without a window", async () => {
  const { room, paging } = world();
  const { item } = await paging.find(room, 95);
  assert.deepEqual([item.seq, room.past], [95, null]);
});

test("a window grows in both directions, until it is a part of the room", async () => {
  const { room, paging } = world();
  const { item } = await paging.find(room, 60);
  assert.equal(item, room.shown.items.find(({ seq }) => seq === 60));
  assert.deepEqual(numbers(room.shown), [55, 56, 57, 58, 59, 60, 61, 62, 63, 64]);
  assert.equal(room.shown.later, true);
  await paging.older(room);
  assert.equal(numbers(room.shown)[0], 45);
  for (let pages = 0; room.past && pages < 5; pages++) await paging.newer(room);
  assert.deepEqual(numbers(room.shown), Array.from({ length: 56 }, (_, at) => at + 45));
  assert.deepEqual([room.shown === room.timeline, room.timeline.later], [true, false]);
});

test("new messages are not shown in a window, and edits are", async () => {
  const { room, paging } = world();
  await paging.find(room, 60);
  const { past } = room;
  past.change({ type: "message.edited", seq: 102, timestamp: 1, payload: { msgId: "m60", body: { text: "edited" } } });
  assert.equal(past.items.find(({ seq }) => seq === 60).text, "edited");
  room.timeline.apply(event(103), false);
  assert.equal(past.end, 64);
  paging.newest(room);
  assert.equal(room.shown.end, 103);
});

test("a window shows why messages were deleted that it comes to later", async () => {
  const timeline = new Timeline();
  timeline.replace(range(1, 2), true);
  timeline.later = true;
  timeline.change({ type: "message.deleted", seq: 9, payload: { msgId: "m3", reason: "spam" } });

  timeline.append([{ ...event(3), payload: {}, deleted: true, changed: 9 }, event(4)]);

  assert.deepEqual(timeline.items.map(({ because }) => because), [undefined, undefined, "spam", undefined]);
});

test("what meets a window shows why messages of the window were deleted", () => {
  const [window, timeline] = [new Timeline(), new Timeline()];
  window.replace([event(1), { ...event(2), payload: {}, deleted: true, changed: 6 }, { ...event(3), payload: {}, deleted: true, changed: 7 }], false);
  timeline.replace([event(4)], true);
  for (const seq of [2, 3]) timeline.change({ type: "message.deleted", seq: seq + 4, payload: { msgId: `m${seq}`, reason: "spam" } });

  timeline.follow(window);

  assert.deepEqual(timeline.items.map(({ because }) => because), [undefined, "spam", "spam", undefined]);
});

test("a reply leads to its thread, and what is gone to nothing", async () => {
  const { room, paging } = world();
  assert.deepEqual(await paging.find(room, 20), { parent: "m1" });
  assert.equal(await paging.find(room, 200), null);
  assert.equal(room.past, null);
});

// ---- lines that stand in the log alone ----

const SYSTEM = { 2: "member.joined", 3: "reaction.added", 7: "room.updated", 12: "member.muted", 14: "app.poll", 15: "member.left" };

/** A room of 15 events, of which a page has four of the timeline at most, and one of the log `most`. */
function logged({ most = 200, refusal = null, ranges = [] } = {}) {
  const log = range(1, 15).map((one) => ({ ...one, type: SYSTEM[one.seq] ?? "message" }));
  const line = log.filter(({ type, seq }) => type === "message" || seq === 14);
  const pageOf = (events, { before = 99, limit = 4 }) => {
    const below = events.filter(({ seq }) => seq < before);
    return { messages: below.slice(-limit), more: below.length > limit, epoch: "e1" };
  };
  const chat = {
    history: async (_, page) => pageOf(line, page),
    async request(_, { payload }) {
      ranges.push([payload.before - payload.limit, payload.before]);
      if (refusal) throw refusal;
      return pageOf(log, { ...payload, limit: Math.min(payload.limit, most) });
    },
  };
  const room = Object.assign(new Room("a"), { status: "ready", epoch: "e1" });
  const { messages, more } = pageOf(line, {});
  room.timeline.replace(messages, more, 15);
  return { room, ranges, paging: new Paging(chat, () => {}) };
}

const settled = () => new Promise(setImmediate);

async function all({ room, paging }) {
  paging.lines(room);
  await settled();
  for (let pages = 0; pages < 9; pages++) await Promise.all([paging.older(room), settled()]);
  return room.timeline.items.map(({ type, seq }) => (type === "message" ? seq : `${type} ${seq}`));
}

const WHOLE = [1, "member.joined 2", 4, 5, 6, "room.updated 7", 8, 9, 10, 11, "member.muted 12", 13, "app.poll 14", "member.left 15"];

test("lines about members and the room are loaded once for each page that lacks something", async () => {
  const world = logged();
  assert.deepEqual(await all(world), WHOLE);
  assert.deepEqual(world.ranges, [[12, 16], [7, 8], [2, 4]]);
});

test("a line is about whom the page knows, also where the server never met them and where they are met later", async () => {
  const about = (seq, id) => ({ type: "member.invited", seq, payload: { user: { id, name: id } } });
  const chat = { request: async () => ({ messages: [about(1, "bob"), about(2, "eve")], more: false, epoch: "e1" }) };
  const room = Object.assign(new Room("a"), { status: "ready", epoch: "e1" });
  room.timeline.replace([event(3)], false, 3);
  new Paging(chat, () => {}, (id) => ({ bob: "Bob" })[id]).lines(room);
  await settled();
  const [bob, eve] = room.timeline.items;
  assert.deepEqual([bob, eve].map(({ payload, version }) => [payload.user.name, version]), [["Bob", 0], ["eve", 0]]);
  room.called("eve", "Eve");
  room.called("bob", "Robert");
  assert.deepEqual([bob, eve].map(({ payload, version }) => [payload.user.name, version]), [["Bob", 0], ["Eve", 1]]);
});

test("what does not fit into a page of the log is asked for when somebody reads on", async () => {
  assert.deepEqual(await all(logged({ most: 1 })), WHOLE);
});

test("a refusal leaves the lines out, and is asked for again only if it passes", async () => {
  for (const [temporary, times] of [[false, 1], [true, 2]]) {
    const { room, paging, ranges } = logged({ refusal: { temporary } });
    for (let looks = 0; looks < 2; looks++) {
      paging.lines(room);
      await settled();
    }
    assert.deepEqual([room.timeline.items.length, ranges.length], [4, times]);
  }
});

test("lines that come when the room was loaded anew leave no hole", async () => {
  const { room, paging } = logged();
  paging.lines(room);
  room.timeline.replace([event(13)], true, 15);
  await settled();
  assert.deepEqual(numbers(room.timeline), [13, 15]);
});

test("a message has an address", () => {
  assert.deepEqual(placeAt(addressOf("general", "at", "17")), { id: "general", pane: "at", of: "17" });
  for (const wrong of ["#/general/at", "#/general/at/", "#/general/at/0", "#/general/at/x", "#/general/at/-1", `#/general/at/${"9".repeat(16)}`]) assert.equal(placeAt(wrong), null, wrong);
});

test("a page that could not come for now is asked for again by drawing, and another one is not", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const drawn = [];
  const { room } = world();
  for (const temporary of [true, false]) {
    const history = async () => Promise.reject(Object.assign(new Error("no"), { temporary }));
    await new Paging({ history }, (which) => drawn.push([which, temporary])).older(room);
    t.mock.timers.tick(5000);
  }
  assert.deepEqual(drawn, [[room, true]]);
});
