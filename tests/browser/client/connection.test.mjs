import assert from "node:assert/strict";
import test from "node:test";

import { reconnects } from "../../../sanic_chatrooms/web/static/client.js";
import { Link } from "../../../sanic_chatrooms/web/static/client/link.js";
import { message, settled, world } from "./support.mjs";

test("connect resolves with the welcome", async (t) => {
  const { chat, ...it } = world(t);
  const connecting = chat.connect();
  assert.equal(chat.state, "connecting");
  await settled();
  it.sockets[0].accept();
  it.sockets[0].welcome();

  assert.equal((await connecting).sessionId, "s");
  assert.equal(chat.state, "online");
  assert.equal(chat.user.id, "guest-1");
  assert.deepEqual(it.sockets[0].protocols, ["chatrooms.v1"]);
});

test("some close codes allow a reconnect, others do not", () => {
  const yes = [1001, 1005, 1006, 1009, 1011, 1012, 1013, 4000, 4001, 4008, 4010, 4012, 4013, 4499];
  const no = [1000, 1002, 1003, 1007, 1008, 4500, 4501, 4502, 4503, 4504, 4507, 4509, 4999];

  assert.deepEqual([...yes, ...no].filter(reconnects), yes);
});

for (const code of [1001, 1006, 1009, 1011, 1012, 1013, 4008, 4010, 4012, 4013, 4400]) {
  test(`the client reconnects after close ${code}`, async (t) => {
    const it = world(t);
    await it.start();
    it.socket.shut(code);
    assert.equal(it.chat.state, "reconnecting");
    await it.redial();

    assert.equal(it.sockets.length, 2);
  });
}

for (const code of [1000, 1002, 1003, 1007, 1008, 4501, 4502, 4503, 4504, 4507, 4509, 4900]) {
  test(`the client does not reconnect after close ${code}`, async (t) => {
    const it = world(t);
    await it.start();
    it.socket.shut(code, "why");
    await it.clock.advance(600);

    assert.equal(it.sockets.length, 1);
    assert.deepEqual([it.chat.status.state, it.chat.status.code, it.chat.status.reason], ["closed", code, "why"]);
    await assert.rejects(it.chat.history("a"), { code: "closed" });
  });
}

test("connect rejects if the connection ends for good before the first welcome", async (t) => {
  const it = world(t);
  const connecting = it.chat.connect();
  await settled();
  it.socket.accept();
  it.socket.shut(4502);

  await assert.rejects(connecting, { code: "closed", details: { closeCode: 4502 } });
});

test("the wait before a reconnect is random, up to a limit that doubles up to the longest", async (t) => {
  for (const [random, bounds] of [[0, [0, 0, 0, 0, 0, 0]], [1, [1, 2, 4, 8, 16, 30, 30]]]) { // prettier-ignore
    const it = world(t, { random: () => random });
    it.chat.connect();
    for (const bound of bounds) {
      await settled();
      it.socket.shut(1006);
      assert.equal(it.chat.status.retryIn, bound);
      await it.clock.advance(bound);
    }
    it.chat.disconnect();
    it.clock.restore();
  }
});

test("the client waits longer for an overloaded server", async (t) => {
  for (const code of [1013, 4008, 4013]) {
    const it = world(t, { random: () => 1 });
    await it.start();
    await it.clock.advance(10);
    it.socket.shut(code);
    assert.equal(it.chat.status.retryIn, 4);
    it.chat.disconnect();
    it.clock.restore();
  }
});

test("back-off starts again after every welcome, even if the connection was short", async (t) => {
  const it = world(t, { random: () => 1 });
  await it.start();
  for (let n = 0; n < 5; n++) {
    it.socket.shut(1006);
    await it.redial();
    it.socket.accept();
  }
  assert.equal(it.chat.status.attempt, 5);
  await it.welcome();
  it.socket.shut(1006);

  assert.equal(it.chat.status.retryIn, 1);
});

test("the client waits longer and longer for a server that welcomes it and is overloaded at once", async (t) => {
  const it = world(t, { random: () => 1 });
  await it.start();
  const waits = [];
  for (let n = 0; n < 4; n++) {
    it.socket.shut(1013);
    waits.push(it.chat.status.retryIn);
    await it.redial();
    await it.welcome();
  }

  assert.deepEqual(waits, [4, 8, 16, 30]);
});

for (const hours of [-1, 1, -24 * 30, 24 * 30]) {
  test(`setting the clock by ${hours} hours changes nothing: a dead connection is found, and the next attempt is as planned`, async (t) => {
    const it = world(t, { random: () => 1 });
    await it.start();
    it.clock.step(hours * 3600);
    const timers = it.clock.set;
    await it.clock.advance(41);
    assert.equal(it.chat.state, "reconnecting");
    assert.equal(it.sockets[0].all("ping").length, 1);
    assert.ok(it.clock.set - timers < 10);
    it.clock.step(hours * 3600);
    await it.clock.advance(1);

    assert.equal(it.sockets.length, 2);
  });
}

test("the time to the next attempt does not depend on the wall clock", async (t) => {
  const it = world(t, { random: () => 1 });
  await it.start();
  it.socket.shut(1013);
  assert.equal(it.chat.status.retryAt, Date.now() / 1000 + 4);
  it.clock.step(3600);
  await it.clock.advance(1);

  assert.equal(it.chat.status.retryIn, 3);
});

test("an interval longer than the longest timer does not fire at once", async (t) => {
  const it = world(t);
  it.chat.connect();
  await it.welcome({ heartbeat: { interval: 3e6, timeout: 9e6 } });
  const timers = it.clock.set;
  await it.clock.advance(60);

  assert.equal(it.clock.set, timers);
});

test("closing sets the time of the reconnect", async (t) => {
  const it = world(t);
  await it.start();
  it.socket.says({ type: "closing", payload: { reason: "restart", reconnectIn: 1.75 } });
  it.socket.shut(1012);
  assert.equal(it.chat.status.retryIn, 1.75);
  await it.clock.advance(1.7);
  assert.equal(it.sockets.length, 1);
  await it.clock.advance(0.1);

  assert.equal(it.sockets.length, 2);
});

test("reconnectNow does not wait", async (t) => {
  const it = world(t);
  await it.start();
  it.socket.shut(1006);
  it.chat.reconnectNow();
  await settled();

  assert.equal(it.sockets.length, 2);
  assert.equal(it.chat.status.retryAt, null);
});

test("disconnect leaves no timer behind, and connect starts again", async (t) => {
  const it = world(t);
  await it.start("a");
  it.chat.disconnect();
  assert.equal(it.socket.closedWith, 1000);
  assert.equal(it.chat.state, "closed");
  assert.equal(it.clock.pending, 0);

  it.chat.connect();
  await it.welcome();
  assert.equal(it.socket.last("join").payload.since.seq, 0);
});

test("an attempt without an answer is given up", async (t) => {
  const it = world(t);
  it.chat.connect();
  await settled();
  await it.clock.advance(21);

  assert.equal(it.sockets.length, 2);
  assert.notEqual(it.sockets[0].closedWith, null);
});

test("the client pings after silence, and reconnects after more silence", async (t) => {
  const it = world(t);
  await it.start();
  await it.clock.advance(29);
  assert.equal(it.socket.all("ping").length, 0);
  await it.clock.advance(1);
  assert.equal(it.socket.all("ping").length, 1);
  await it.clock.advance(9);
  assert.equal(it.chat.state, "online");
  await it.clock.advance(1);

  assert.equal(it.chat.state, "reconnecting");
  assert.notEqual(it.sockets[0].closedWith, null);
});

test("every frame counts as a sign of life", async (t) => {
  const it = world(t);
  await it.start();
  for (let n = 0; n < 5; n++) {
    await it.clock.advance(20);
    it.socket.says({ type: "typing", room: "a", payload: { users: [] } });
  }
  assert.equal(it.socket.all("ping").length, 0);
  await it.clock.advance(35);
  it.socket.says({ type: "pong" });
  await it.clock.advance(20);

  assert.equal(it.chat.state, "online");
  assert.equal(it.socket.all("ping").length, 1);
});

test("an interval shorter than the pong timeout still finds a dead connection", async (t) => {
  const it = world(t);
  it.chat.connect();
  await it.welcome({ heartbeat: { interval: 2, timeout: 6 } });
  await it.clock.advance(12.5);

  assert.equal(it.chat.state, "reconnecting");
});

test("a request without an answer times out; one that was sent before the connection broke is lost", async (t) => {
  const it = world(t, { timeout: 3 });
  await it.start();
  const slow = it.chat.history("a");
  const check = assert.rejects(slow, { code: "timeout", temporary: true });
  it.clock.advance(3);
  await check;
  const cut = it.chat.members("a");
  it.socket.shut(1006);

  await assert.rejects(cut, { code: "lost", temporary: true });
});

test("a request made offline waits for the connection, within its time", async (t) => {
  const it = world(t, { timeout: 5 });
  await it.start();
  it.socket.shut(1006);
  const rooms = it.chat.rooms({ mine: true });
  await it.clock.advance(1);
  await it.welcome();
  assert.deepEqual(it.socket.last("rooms").payload, { mine: true });
  it.socket.ack(it.socket.last("rooms"), { rooms: [] });

  assert.deepEqual(await rooms, { rooms: [] });
});

test("requests with one msgId get an answer each", async (t) => {
  const it = world(t, { timeout: 5 });
  await it.start();
  const [one, two, late] = [1, 2, 3].map((n) => it.chat.request("poll.vote", { msgId: "m1", payload: { n } }));
  for (const command of it.socket.all("poll.vote").slice(0, 2)) it.socket.ack(command, command.payload);
  const refused = assert.rejects(late, { code: "timeout" });
  await it.clock.advance(5);

  assert.deepEqual([await one, await two], [{ n: 1 }, { n: 2 }]);
  await refused;
});

test("errors have the payload of the server", async (t) => {
  const it = world(t);
  await it.start();
  const refused = it.chat.request("poll.vote", { room: "a", payload: { n: 1 } });
  it.socket.refuse(it.socket.last("poll.vote"), "rate_limited", { retryAfter: 2.5 });

  await assert.rejects(refused, { code: "rate_limited", temporary: true, retryAfter: 2.5 });
});

test("the client refuses a frame above the server's limit", async (t) => {
  const it = world(t);
  it.chat.connect();
  await it.welcome({ limits: { maxFrame: 200 } });

  await assert.rejects(it.chat.request("poll.vote", { payload: "é".repeat(100) }), { code: "too_large" });
});

test("invalid frames are ignored", async (t) => {
  const it = world(t);
  await it.start("a");
  it.watch("*");
  for (const data of ["nonsense", "[]", "null", '{"type":7}', '{"type":"ack","replyTo":"unknown"}']) it.socket.onmessage({ data });
  it.socket.says({ type: "later.invention", payload: { x: 1 } });

  assert.deepEqual(it.seen.map(([, event]) => event.type), ["later.invention"]);
});

test("a listener that throws does not stop the others", async (t) => {
  t.mock.method(console, "error", () => {});
  const it = world(t);
  await it.start("a");
  it.chat.on("message", () => {
    throw new Error("mine");
  });
  it.watch("message");
  it.socket.says(message("a", 1));

  assert.equal(it.seen.length, 1);
});

test("on returns a function that removes the listener", async (t) => {
  const it = world(t);
  await it.start("a");
  let heard = 0;
  const off = it.chat.on("message", () => heard++);
  it.socket.says(message("a", 1));
  off();
  it.socket.says(message("a", 2));

  assert.equal(heard, 1);
});

/** A browser's events; `hint(type)` fires one. */
function browserOf(t) {
  const listeners = new Map();
  const events = { addEventListener: (type, fn) => listeners.set(type, fn), removeEventListener: (type) => listeners.delete(type) };
  Object.assign(globalThis, events, { document: { ...events, visibilityState: "visible" } });
  t.after(() => {
    for (const name of [...Object.keys(events), "document"]) delete globalThis[name];
  });
  return { listeners, hint: (type) => listeners.get(type)({ type }) };
}

for (const type of ["online", "visibilitychange"]) {
  test(`${type} tests the connection, or reconnects at once`, async (t) => {
    const { listeners, hint } = browserOf(t);
    const it = world(t, { random: () => 1 });
    await it.start();
    hint(type);
    assert.equal(it.socket.all("ping").length, 1);
    await it.clock.advance(5);
    assert.equal(it.chat.state, "reconnecting");
    for (let n = 0; n < 6; n++) {
      await it.redial();
      it.socket.shut(1006);
    }
    const before = it.sockets.length;
    hint(type);
    await settled();
    assert.equal(it.sockets.length, before + 1);
    it.chat.disconnect();

    assert.equal(listeners.size, 0);
  });

  test(`${type} does not shorten the wait for an overloaded server`, async (t) => {
    const { hint } = browserOf(t);
    const it = world(t, { random: () => 1 });
    await it.start();
    it.socket.shut(1013);
    await it.clock.advance(1);
    hint(type);
    await settled();
    assert.equal(it.sockets.length, 1);
    assert.equal(it.chat.status.retryIn, 3);

    await it.clock.advance(3);
    assert.equal(it.sockets.length, 2);
  });
}

test("without network the state is offline", async (t) => {
  const it = world(t);
  await it.start();
  const real = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { onLine: false }, configurable: true });
  t.after(() => (real ? Object.defineProperty(globalThis, "navigator", real) : delete globalThis.navigator));
  it.socket.shut(1006);

  assert.equal(it.chat.state, "offline");
});

for (const [feature, ask] of [
  ["reactions", (chat) => chat.react("a", "server-message-1", "👍")],
  ["reactions", (chat) => chat.reactions("a", "server-message-1", { limit: 5 })],
  ["pins", (chat) => chat.pin("a", "server-message-1")],
  ["pins", (chat) => chat.pins("a")],
  ["threads", (chat) => chat.thread("a", "server-message-1")],
  ["unread", (chat) => chat.read("a", 1)],
  ["unread", (chat) => chat.unread(["a"])],
  ["unread", (chat) => chat.badge()],
  ["unread", (chat) => chat.prefs("a")],
  ["search", (chat) => chat.search("a", "hello")],
]) {
  test(`without ${feature} in welcome.features, a request is rejected at once: ${ask}`, async (t) => {
    const it = world(t);
    it.chat.connect();
    await it.welcome({ features: ["typing"] });
    const sent = it.socket.sent.length;

    await assert.rejects(ask(it.chat), { code: "unknown_command", message: new RegExp(feature) });
    assert.equal(it.socket.sent.length, sent);
  });

  test(`with ${feature} in welcome.features, a request is sent: ${ask}`, async (t) => {
    const it = world(t);
    it.chat.connect();
    await it.welcome({ features: [feature] });
    const sent = it.socket.sent.length;
    ask(it.chat).catch(() => {});
    await settled();

    assert.equal(it.socket.sent.length, sent + 1);
  });
}

test("reactions, pins and threads are asked for as the server knows them", async (t) => {
  const it = world(t);
  it.chat.connect();
  await it.welcome({ features: ["reactions", "pins", "threads"] });
  for (const ask of [
    (chat) => chat.react("a", "m1", "👍"),
    (chat) => chat.react("b", "m1", "👍", false),
    (chat) => chat.reactions("a", "m1", { emoji: "👍", limit: 5 }),
    (chat) => chat.pin("c", "m1"),
    (chat) => chat.pin("d", "m1", false),
    (chat) => chat.pins("a", { cursor: "x" }),
    (chat) => chat.thread("a", "m1", { before: 7 }),
  ]) {
    ask(it.chat).catch(() => {});
    await settled();
  }

  assert.deepEqual(
    ["reaction.add", "reaction.remove", "reactions", "message.pin", "message.unpin", "pins", "thread"].map((type) => it.socket.last(type)?.payload),
    [{ msgId: "m1", emoji: "👍" }, { msgId: "m1", emoji: "👍" }, { msgId: "m1", emoji: "👍", limit: 5 }, { msgId: "m1" }, { msgId: "m1" }, { cursor: "x" }, { msgId: "m1", before: 7 }],
  );
});

test("markers and preferences are asked for as the server knows them", async (t) => {
  const it = world(t);
  it.chat.connect();
  await it.welcome({ features: ["unread"] });
  const asked = [];
  for (const [type, ask] of [
    ["read", (chat) => chat.read("a", 7)],
    ["read", (chat) => chat.read("a", 7, { unread: true })],
    ["unread", (chat) => chat.unread(["a", "b"])],
    ["badge", (chat) => chat.badge()],
    ["prefs", (chat) => chat.prefs("a", { notify: "none" })],
  ]) {
    ask(it.chat).catch(() => {});
    await settled();
    const { room, payload } = it.socket.last(type);
    asked.push([room, payload]);
  }

  assert.deepEqual(asked, [
    ["a", { seq: 7 }], ["a", { seq: 7, unread: true }], [undefined, { rooms: ["a", "b"] }], [undefined, undefined], ["a", { notify: "none" }],
  ]);
});

test("a server that is away as a whole is not asked in a row, nor each time for what stands in for sockets", async (t) => {
  const { WebSocket, sockets, clock } = world(t);
  let asked = 0;
  const standIn = async () => (asked++, null); // the file is on that server, too
  const identity = { renewable: false, proof: async () => ({ token: "t", guest: false }) };
  const options = { url: "ws://host/chat/ws", first: 1, longest: 30, random: () => 0.5, WebSocket };
  const nothing = () => {};
  const link = new Link({ options, identity, standIn, changed: nothing, lost: nothing, problem: nothing });
  link.open();
  const waits = [];
  while (waits.length < 12) {
    await settled();
    sockets.at(-1).shut(1006);
    waits.push(link.status.retryIn);
    await clock.advance(link.status.retryIn + 0.001);
  }
  link.close();
  assert.ok(asked <= 4, `asked ${asked} times`);
  assert.ok(waits.filter((seconds) => seconds === 0).length <= 4, `waits: ${waits}`);
});
