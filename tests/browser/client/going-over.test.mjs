// The client where no WebSocket gets through, in a world without a network: when it goes over to HTTP and back, and what it makes of streams.

import assert from "node:assert/strict";
import test from "node:test";

import { settled, world } from "./support.mjs";

const answers = (body, status = 200) => new Response(JSON.stringify(body), { status });
const WELCOME = { user: { id: "guest-1", name: "Guest 1", scopes: [] }, heartbeat: { interval: 30, timeout: 90 }, features: [], guestToken: "g.t.1" };

/** Waits without a clock: modules are loaded meanwhile. */
async function ready(what) {
  while (!what()) await settled();
}

/** Lets so many sockets fail. */
async function fail(it, times) {
  for (let n = 0; n < times; n++) {
    await settled();
    const socket = it.socket;
    socket.shut(1006);
    if (n < times - 1) await it.redial();
  }
  await it.redial();
}

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

/** REST of rooms with the same events, in memory. `stream(headers, signal)` answers a request for a stream; `rest.refuse(url, headers, body)` any
 * request, if it returns something. */
function rest(stream) {
  const its = { guestToken: WELCOME.guestToken, asked: [], epoch: "e1", seq: 0, events: [] };
  its.fetch = async (url, { method = "GET", headers, signal, body }) => {
    its.asked.push(`${method} ${url.replace("http://host/chat/api/", "")}`);
    const refused = await its.refuse?.(url, headers, body);
    if (refused) return refused;
    if (headers.Accept) return stream(headers, signal);
    if (url.endsWith("/welcome") || url.endsWith("/me")) return answers({ ...WELCOME, guestToken: its.guestToken });
    const { epoch, seq } = its;
    const { room, payload: { since } = {} } = JSON.parse(body ?? "{}");
    const join = { room, epoch, seq, recovered: since?.epoch === epoch, messages: [], more: false, role: "guest", title: "", online: 1 };
    if (url.endsWith("/commands")) return answers(join);
    const [asked, after] = decodeURIComponent(url).split("since=")[1].split(":");
    if (asked !== epoch) return answers({ status: 410, code: "position_lost", detail: "lost", epoch, seq }, 410);
    return answers({ events: its.events.filter((event) => event.seq > Number(after)), more: false, epoch, seq });
  };
  return its;
}

const said = (seq, text) => ({ type: "message", room: "tea", seq, msgId: `m${seq}`, timestamp: 1, payload: { text }, sender: { id: "u2", name: "Bob" } });
const held = (_, signal) => new Promise((_, refuse) => signal.addEventListener("abort", () => refuse(new Error("aborted"))));

async function online(t, its, options = {}) {
  const it = world(t, { api: undefined, fetch: its.fetch, ...options });
  it.chat.connect().catch(() => {});
  await fail(it, 3);
  await ready(() => it.chat.state === "online");
  return it;
}

async function join(it, ...rooms) {
  for (const room of rooms) {
    it.chat.join(room).catch(() => {});
    await ready(() => it.chat.isJoined(room));
  }
}

async function overHttp(t, its, ...types) {
  const it = await online(t, its);
  it.watch(...types);
  await join(it, "tea");
  return it;
}

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
    return new Response(new ReadableStream({ start: (to) => (text.forEach((byte) => to.enqueue(Uint8Array.of(byte))), to.close()) }));
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
  begin(new Response(text));
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
