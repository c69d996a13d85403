// The client where no WebSocket gets through, in a world without a network: when it goes over to HTTP and back, and what it makes of streams.

import assert from "node:assert/strict";
import test from "node:test";

import { answers, fail, held, join, online, overHttp, ready, rest, said, silent, streamed, WELCOME } from "./over-http.mjs";
import { settled, world } from "./support.mjs";

test("after three silent sockets HTTP is tried, and after a socket that spoke it is not", async (t) => {
  const asked = [];
  const fetch = async (url, { method = "GET" }) => (asked.push(`${method} ${url}`), answers(WELCOME));
  const it = world(t, { api: undefined, fetch });
  it.chat.connect();
  await fail(it, 2);
  await settled();
  it.socket.accept();
  it.socket.says({ type: "error", payload: { code: "unavailable" } });
  it.socket.shut(1006);
  await it.redial();
  assert.equal(it.sockets.length, 4);
  await fail(it, 3);
  await ready(() => it.chat.state === "online");

  assert.equal(it.sockets.length, 6);
  assert.ok(asked.includes("POST http://host/chat/api/welcome"));
  assert.equal(it.kept.get("chatrooms host/chat/ws guestToken"), "g.t.1");
});

test("where there is no REST, the client goes on with sockets", async (t) => {
  const fetch = async () => answers({ message: "not found" }, 404);
  const it = world(t, { api: undefined, fetch });
  it.chat.connect();
  await fail(it, 3);
  await ready(() => it.chat.status.attempt === 4);
  await it.redial();

  assert.equal(it.sockets.length, 4);
  await it.welcome();
  assert.deepEqual([it.chat.state, it.chat.status.transport], ["online", "socket"]);
});

test("a client that is told of no REST, or knows of none, keeps to sockets", async (t) => {
  for (const options of [{ api: null }, { api: undefined, url: "ws://host/other" }]) {
    const it = world(t, options);
    it.chat.connect();
    await fail(it, 5);

    assert.equal(it.sockets.length, 6);
    it.chat.disconnect();
    it.clock.restore();
  }
});

test("the client goes back to sockets as soon as one speaks", async (t) => {
  const fetch = async () => answers(WELCOME);
  const it = world(t, { api: undefined, fetch });
  it.chat.connect();
  await fail(it, 3);
  await ready(() => it.chat.state === "online");
  await it.clock.advance(121);
  it.socket.shut(1006); // not yet
  await it.clock.advance(121);
  assert.deepEqual([it.sockets.length, it.chat.status.transport], [5, "http"]);
  it.socket.accept();
  it.socket.says({ type: "pong" });
  await it.clock.advance(0.001);
  await it.welcome();

  assert.deepEqual([it.sockets.length, it.chat.state, it.chat.status.transport], [6, "online", "socket"]);
  assert.deepEqual(it.sockets[4].sent, [{ type: "ping" }]);
});

test("a room whose stream a proxy holds back is asked instead", async (t) => {
  const its = rest(held);
  const it = await overHttp(t, its);
  it.watch("message");
  Object.assign(its, { seq: 1, events: [said(1, "hi")] });
  await it.clock.advance(8 + 3);

  assert.deepEqual(it.seen.map(([, { payload }]) => payload.text), ["hi"]);
  assert.equal(its.asked.filter((what) => what === "GET rooms/tea/events").length, 1);
});

test("a lost position is a gap, and the room goes on", async (t) => {
  const its = rest(held);
  const it = await overHttp(t, its);
  await it.clock.advance(8);
  it.watch("message", "gap");
  Object.assign(its, { epoch: "e2", seq: 5 });
  await it.clock.advance(3);
  await ready(() => it.chat.isJoined("tea"));
  Object.assign(its, { seq: 6, events: [said(6, "anew")] });
  await it.clock.advance(6);

  assert.deepEqual(it.seen.map(([type]) => type), ["message"]); // nothing was missed that it had: no gap
});

test("events of a stream come in pieces, and the next one begins after the last", async (t) => {
  const from = [];
  const text = new TextEncoder().encode(`: here\n\nid: e1:1\nevent: message\ndata: ${JSON.stringify(said(1, "größer"))}\n\n`);
  const stream = (headers) => {
    from.push(headers["Last-Event-ID"]);
    if (from.length > 1) return held(headers, new AbortController().signal);
    return streamed(new ReadableStream({ start: (to) => (text.forEach((byte) => to.enqueue(Uint8Array.of(byte))), to.close()) }));
  };
  const it = await overHttp(t, rest(stream), "message");
  await ready(() => it.seen.length === 1);
  await it.clock.advance(1);

  assert.equal(it.seen[0][1].payload.text, "größer");
  assert.deepEqual(from, ["e1:0", "e1:1"]);
});

test("the client comes back when the server says that it restarts", async (t) => {
  const text = `event: closing\ndata: ${JSON.stringify({ type: "closing", timestamp: 1, payload: { reason: "restart", reconnectIn: 7 } })}\n\n`;
  let begin;
  const answer = new Promise((resolve) => (begin = resolve));
  const it = await overHttp(t, rest(() => answer));
  begin(streamed(text));
  await ready(() => it.chat.state === "reconnecting");

  assert.deepEqual([it.chat.status.code, Math.round(it.chat.status.retryIn)], [1012, 7]);
});

test("every room has its turn where no stream comes", async (t) => {
  for (const rooms of [["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d", "e"]]) {
    const its = rest(held);
    const it = await online(t, its);
    await join(it, ...rooms);
    await it.clock.advance(8);
    its.asked.length = 0;
    await it.clock.advance(29);

    const asked = its.asked.map((what) => /^GET rooms\/(\w)\/events\?/.exec(what)?.[1]).filter(Boolean);
    assert.deepEqual([...new Set(asked)].sort(), rooms);
    it.chat.disconnect();
    it.clock.restore();
  }
});

test("what is refused for its token is sent again with another", async (t) => {
  const its = rest(silent);
  its.guestToken = undefined;
  const tokens = ["t1", "t2"];
  const sent = [];
  its.refuse = (url, headers, body) => {
    const { type } = JSON.parse(body ?? "{}");
    if (type !== "message") return null;
    sent.push([headers.Authorization, headers["Idempotency-Key"]]);
    if (headers.Authorization === "Bearer t1") return answers({ status: 401, code: "token_expired", detail: "expired" }, 401);
    return answers({ msgId: "m1", seq: 1, timestamp: 1, duplicate: false });
  };
  const it = await online(t, its, { token: () => tokens.shift() ?? "t2" });
  await join(it, "tea");
  const { msgId, done } = it.chat.send("tea", "hi");
  it.watch("outbox");
  await ready(() => it.chat.state === "reconnecting");
  await it.redial();
  await ready(() => it.chat.state === "online");

  assert.equal((await done).seq, 1);
  assert.deepEqual(sent, [["Bearer t1", msgId], ["Bearer t2", msgId]]);
  assert.equal(it.seen.some(([, { status }]) => status === "failed"), false);
});

test("a token is used once it was accepted", async (t) => {
  const its = rest(silent);
  its.guestToken = undefined;
  let refuse;
  const used = [];
  its.refuse = (url, headers, body) => {
    if (body?.includes('"message"')) used.push(headers.Authorization);
    if (headers.Authorization !== "Bearer bad") return null;
    return new Promise((resolve) => (refuse = () => resolve(answers({ status: 401, code: "unauthenticated", detail: "no" }, 401))));
  };
  const it = await online(t, its, { token: "good" });
  await join(it, "tea");
  const refused = assert.rejects(it.chat.setToken("bad"), { code: "unauthenticated" });
  await ready(() => refuse);
  await it.chat.send("tea", "meanwhile").done;
  refuse();
  await refused;

  assert.deepEqual([used, it.chat.state], [["Bearer good"], "online"]);
});

test("a guest whose token is not accepted any more becomes another, as with sockets", async (t) => {
  const its = rest(silent);
  const it = await online(t, its);
  its.refuse = (url, headers) => headers.Authorization && answers({ status: 401, code: "unauthenticated", detail: "unknown" }, 401);
  it.chat.join("tea").catch(() => {});
  await ready(() => it.chat.state !== "online");
  assert.equal(it.chat.state, "reconnecting");
  its.refuse = null;
  await it.redial();
  await ready(() => it.chat.state === "online");
});

test("a room that was left while its join was under way is not read", async (t) => {
  const its = rest(held);
  let go;
  its.refuse = async (url, headers, body) => body?.includes('"join"') && new Promise((resolve) => (go = () => resolve(null)));
  const it = await online(t, its);
  const joining = assert.rejects(it.chat.join("tea"), { code: "discarded" });
  await ready(() => go);
  await it.chat.exit("tea");
  go();
  await joining;
  await it.clock.advance(12);

  assert.deepEqual(its.asked.filter((what) => what.includes("events")), []);
});

test("a client that is closed when it is welcomed asks for nothing more", async (t) => {
  const its = rest(silent);
  const it = world(t, { api: undefined, url: "ws://host/chat/ws/tea", fetch: its.fetch });
  it.chat.on("welcome", () => it.chat.disconnect());
  it.chat.connect().catch(() => {});
  await fail(it, 3);
  await ready(() => it.chat.state === "closed");
  await settled();

  assert.deepEqual(its.asked.filter((what) => !what.endsWith("/ws/tea")), ["POST welcome"]);
  assert.equal(it.clock.pending, 0);
});

test("a socket that is being tried is closed with the client", async (t) => {
  const it = await online(t, { fetch: async () => answers(WELCOME) });
  await it.clock.advance(121);
  assert.equal(it.sockets.length, 4);
  it.chat.disconnect();

  assert.equal(it.socket.closedWith, 1000);
});
