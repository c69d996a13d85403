import assert from "node:assert/strict";
import test from "node:test";

import { message, settled, world } from "./support.mjs";

const seqs = (it) => it.seen.filter(([type]) => type === "message").map(([, event]) => event.seq);
const types = (it) => it.seen.map(([type]) => type);

test("join resolves with the ack and announces it", async (t) => {
  const it = world(t);
  it.watch("joined", "gap");
  await it.start();
  const joining = it.chat.join("a", { history: 20 });
  assert.deepEqual(it.socket.last("join").payload, { history: 20 });
  assert.equal(it.chat.isJoined("a"), false);
  it.socket.joined("a", { seq: 7, messages: [message("a", 7)], more: true });

  assert.equal((await joining).seq, 7);
  assert.equal(it.chat.isJoined("a"), true);
  assert.deepEqual(types(it), ["joined"]);
  assert.equal(it.seen[0][1].rejoin, false);
});

test("two joins at once are one", async (t) => {
  const it = world(t);
  await it.start();
  const both = [it.chat.join("a"), it.chat.join("a")];
  it.socket.joined("a");

  assert.equal(it.socket.all("join").length, 1);
  await Promise.all(both);
});

test("joining again loads the newest page without a gap", async (t) => {
  const it = world(t);
  await it.start("a");
  it.socket.says(message("a", 1));
  it.watch("joined", "gap");
  it.chat.join("a");
  assert.equal(it.socket.last("join").payload.since, undefined);
  it.socket.joined("a", { seq: 5, messages: [message("a", 5)], more: true });

  assert.deepEqual(types(it), ["joined"]);
});

test("each event is delivered once", async (t) => {
  const it = world(t);
  await it.start("a");
  it.watch("message");
  for (const seq of [1, 1, 2, 1, 3, 2]) it.socket.says(message("a", seq));

  assert.deepEqual(seqs(it), [1, 2, 3]);
});

test("rooms are numbered apart", async (t) => {
  const it = world(t);
  await it.start("a", "b");
  it.watch("message");
  for (const room of ["a", "b", "a", "b"]) it.socket.says(message(room, seqs(it).length < 2 ? 1 : 2));

  assert.deepEqual(it.seen.map(([, event]) => event.room + event.seq), ["a1", "b1", "a2", "b2"]);
});

test("a hole is filled by joining again at once", async (t) => {
  const it = world(t);
  await it.start("a");
  it.watch("message", "joined");
  it.socket.says(message("a", 1));
  it.socket.says(message("a", 3));
  it.socket.says(message("a", 4));
  assert.equal(it.socket.all("join").length, 2);
  assert.deepEqual(it.socket.last("join").payload.since, { epoch: "e1", seq: 1 });
  it.socket.joined("a", { seq: 4, recovered: true, messages: [2, 3, 4].map((seq) => message("a", seq)) });
  it.socket.says(message("a", 5));

  assert.deepEqual(seqs(it), [1, 2, 3, 4, 5]);
});

test("repeated joins for the same hole have pauses", async (t) => {
  const it = world(t);
  await it.start("a");
  for (let n = 0; n < 3; n++) {
    it.socket.says(message("a", 5));
    const join = it.socket.last("join");
    if (join.payload.since) it.socket.joined("a", { seq: 0, recovered: true });
  }
  assert.equal(it.socket.all("join").length, 2);
  await it.clock.advance(5);

  assert.equal(it.socket.all("join").length, 3);
});

test("after a reconnect, missed events are delivered in order and once", async (t) => {
  const it = world(t);
  await it.start("a");
  it.watch("joined", "gap", "message", "message.edited");
  it.socket.says(message("a", 1));
  await it.reconnect();
  assert.deepEqual(it.socket.last("join").payload.since, { epoch: "e1", seq: 1 });
  const edited = { type: "message.edited", room: "a", seq: 3, payload: { msgId: "x" } };
  it.socket.joined("a", { seq: 3, recovered: true, messages: [message("a", 2), edited] });
  it.socket.says(message("a", 3));
  it.socket.says(message("a", 4));

  assert.deepEqual(types(it), ["message", "joined", "message", "message.edited", "message"]);
  assert.deepEqual([it.seen[1][1].recovered, it.seen[1][1].rejoin], [true, true]);
});

test("an event right after an ack is delivered after the ack is applied", async (t) => {
  const it = world(t);
  await it.start();
  it.watch("message");
  it.chat.join("a");
  it.socket.joined("a", { seq: 8 });
  it.socket.says(message("a", 9));

  assert.deepEqual(seqs(it), [9]);
});

test("a failed recovery is a gap event with the newest page", async (t) => {
  const it = world(t);
  await it.start("a");
  it.socket.says(message("a", 1));
  it.watch("joined", "gap", "message");
  await it.reconnect();
  it.socket.joined("a", { epoch: "e2", seq: 900, messages: [message("a", 900)], more: true });
  it.socket.says(message("a", 901));

  assert.deepEqual(types(it), ["joined", "gap", "message"]);
  assert.deepEqual(it.seen[1][1], { room: "a", epoch: "e2", seq: 900, more: true, messages: it.seen[0][1].messages });
});

test("there is no gap if the client had nothing and gets everything", async (t) => {
  const it = world(t);
  await it.start("a");
  it.watch("gap");
  await it.reconnect();
  it.socket.joined("a", { epoch: "e2", seq: 1, messages: [message("a", 1)] });

  assert.deepEqual(it.seen, []);
});

test("after a reset, the client joins again at the given time", async (t) => {
  const it = world(t);
  await it.start("a");
  it.socket.says(message("a", 1));
  it.watch("reset", "gap", "message");
  it.socket.says({ type: "reset", room: "a", payload: { room: "a", epoch: "e1", seq: 5, reason: "position", rejoinIn: 2 } });
  assert.equal(it.chat.isJoined("a"), false);
  await it.clock.advance(1.9);
  assert.equal(it.socket.all("join").length, 1);
  await it.clock.advance(0.2);
  assert.deepEqual(it.socket.last("join").payload.since, { epoch: "e1", seq: 1 });
  it.socket.joined("a", { seq: 2, recovered: true, messages: [message("a", 2)] });

  assert.deepEqual(types(it), ["reset", "message"]);
});

test("a reset that cannot be recovered is a gap", async (t) => {
  const it = world(t);
  await it.start("a");
  it.socket.says(message("a", 1));
  it.watch("gap");
  it.socket.says({ type: "reset", room: "a", payload: { room: "a", rejoinIn: 0 } });
  await it.clock.advance(0);
  it.socket.joined("a", { epoch: "e2", seq: 3 });

  assert.deepEqual(types(it), ["gap"]);
});

test("room.removed makes the client forget the room", async (t) => {
  const it = world(t);
  await it.start("a", "b");
  it.watch("removed", "message");
  it.socket.says({ type: "room.removed", room: "a", payload: { room: "a", reason: "kicked" } });
  it.socket.says(message("a", 1));
  assert.deepEqual(it.seen, [["removed", { room: "a", reason: "kicked", error: null }]]);
  await it.reconnect();

  assert.deepEqual(it.socket.all("join").map(({ room }) => room), ["b"]);
});

test("room.added adds a room, which is joined again after a reconnect", async (t) => {
  const it = world(t);
  await it.start();
  it.watch("message", "room.added");
  it.socket.says({ type: "room.added", room: "~direct.x", payload: { room: "~direct.x", epoch: "e9", seq: 4 } });
  it.socket.says(message("~direct.x", 5));
  assert.deepEqual(types(it), ["room.added", "message"]);
  assert.ok(it.chat.isJoined("~direct.x"));
  await it.reconnect();

  assert.deepEqual(it.socket.last("join").payload.since, { epoch: "e9", seq: 5 });
});

test("room.added beyond the client's position recovers the events between", async (t) => {
  const it = world(t);
  await it.start("a");
  it.socket.says(message("a", 1));
  it.socket.says({ type: "room.added", room: "a", payload: { room: "a", epoch: "e1", seq: 3 } });

  assert.deepEqual(it.socket.last("join").payload.since, { epoch: "e1", seq: 1 });
});

test("a refused join is given up, and one with a temporary error is repeated", async (t) => {
  const it = world(t);
  await it.start();
  const never = it.chat.join("secret");
  it.socket.refuse(it.socket.last("join"), "room_not_found");
  await assert.rejects(never, { code: "room_not_found" });
  const later = it.chat.join("a");
  it.socket.refuse(it.socket.last("join"), "unavailable");
  await assert.rejects(later, { code: "unavailable" });
  assert.deepEqual(it.chat.joinedRooms, ["a"]);
  await it.clock.advance(3);
  it.socket.joined("a");

  assert.ok(it.chat.isJoined("a"));
});

test("a refused rejoin is a removed event", async (t) => {
  const it = world(t);
  await it.start("a");
  it.watch("removed");
  await it.reconnect();
  it.socket.refuse(it.socket.last("join"), "banned");

  assert.equal(it.seen[0][1].reason, "banned");
  assert.deepEqual(it.chat.joinedRooms, []);
});

test("a join without an answer times out and is repeated", async (t) => {
  const it = world(t);
  await it.start();
  const check = assert.rejects(it.chat.join("a"), { code: "timeout" });
  await it.clock.advance(12);
  await check;

  assert.equal(it.socket.all("join").length, 2);
});

test("a join made offline waits for the connection", async (t) => {
  const it = world(t);
  await it.start();
  it.socket.shut(1006);
  const joining = it.chat.join("a");
  await it.clock.advance(1);
  await it.welcome();
  it.socket.joined("a");

  assert.equal((await joining).room, "a");
});

test("exit forgets the room, also while its join is under way", async (t) => {
  const it = world(t);
  await it.start();
  it.watch("joined", "message");
  const joining = assert.rejects(it.chat.join("a"), { code: "discarded" });
  const leaving = it.chat.exit("a");
  it.socket.joined("a");
  it.socket.ack(it.socket.last("exit"));
  it.socket.says(message("a", 1));
  await Promise.all([joining, leaving]);

  assert.deepEqual(it.seen, []);
  assert.deepEqual(it.chat.joinedRooms, []);
});

test("the room of the socket's path needs no join", async (t) => {
  const it = world(t);
  await it.start();
  it.watch("joined", "message");
  const ack = { room: "lobby", epoch: "e1", seq: 2, recovered: false, messages: [], more: false };
  it.socket.says({ type: "ack", replyTo: "join", payload: ack });
  it.socket.says(message("lobby", 3));
  assert.deepEqual(types(it), ["joined", "message"]);
  await it.reconnect();
  it.socket.says({ type: "ack", replyTo: "join", payload: { ...ack, seq: 9 } });

  assert.deepEqual(it.socket.last("join").payload.since, { epoch: "e1", seq: 3 });
  assert.deepEqual(types(it), ["joined", "message"]);
});

test("the room of the path is joined with its messages before anybody is known", async (t) => {
  const it = world(t, { token: "t" });
  it.watch("joined");
  it.chat.connect();
  await settled();
  it.socket.accept(); // a server for guests joins the room before it has read `auth`
  it.socket.says({ type: "ack", replyTo: "join", payload: { room: "lobby", epoch: "e1", seq: 1, recovered: false, messages: [message("lobby", 1)], more: false } });

  assert.deepEqual(types(it), ["joined"]);
});

test("typing is sent at most every three seconds, and not while offline", async (t) => {
  const it = world(t);
  await it.start("a");
  for (let n = 0; n < 8; n++) {
    it.chat.typing("a");
    await it.clock.advance(1);
  }
  it.chat.typing("a", false);
  it.chat.typing("a", false);
  assert.deepEqual(it.socket.all("typing").map(({ payload }) => payload.active), [true, true, true, false]);
  it.socket.shut(1006);
  it.chat.typing("a");
  await settled();
});
