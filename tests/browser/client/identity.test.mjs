import assert from "node:assert/strict";
import test from "node:test";

import { settled, world } from "./support.mjs";

test("a token is sent as a subprotocol", async (t) => {
  const it = world(t, { token: "aaa.bbb.ccc" });
  it.chat.connect();
  await settled();

  assert.deepEqual(it.socket.protocols, ["chatrooms.v1", "bearer.aaa.bbb.ccc"]);
});

test("a token that cannot be a subprotocol is sent in auth", async (t) => {
  const it = world(t, { token: "a/b=" });
  it.chat.connect();
  await settled();
  it.socket.accept();
  assert.deepEqual(it.socket.protocols, ["chatrooms.v1"]);
  it.socket.ack(it.socket.last("auth"), { user: { id: "u1", name: "Ada", scopes: [] } });
  it.socket.welcome({ user: { id: "u1", name: "Ada", scopes: [] }, guestToken: undefined });

  assert.deepEqual(it.socket.last("auth").payload, { token: "a/b=" });
  assert.equal(it.chat.user.id, "u1");
});

test("a guest's token is kept and sent with the next connection", async (t) => {
  const it = world(t);
  await it.start();
  assert.deepEqual([...it.kept.values()], ["guest.token"]);
  it.socket.shut(1006);
  await it.clock.advance(1);

  assert.deepEqual(it.socket.protocols, ["chatrooms.v1", "bearer.guest.token"]);
});

/** A guest with a kept token whose handshake was refused; -> the socket that asks by `auth`. */
async function refusedGuest(t) {
  const it = world(t);
  await it.start();
  it.socket.shut(1006);
  await it.clock.advance(1);
  it.socket.shut(1006);
  await it.clock.advance(2);
  it.socket.accept();
  assert.deepEqual(it.socket.protocols, ["chatrooms.v1"]);
  assert.deepEqual(it.socket.last("auth").payload, { token: "guest.token" });
  return it;
}

for (const code of ["token_expired", "unauthenticated"]) {
  test(`a guest's token that is refused with ${code} is dropped, and the client becomes a new guest`, async (t) => {
    const it = await refusedGuest(t);
    it.socket.welcome({ user: { id: "guest-2", name: "Guest 2", scopes: [] }, guestToken: "second.token" });
    assert.notEqual(it.chat.state, "online");
    it.socket.refuse(it.socket.last("auth"), code);

    assert.equal(it.chat.state, "online");
    assert.equal(it.chat.user.id, "guest-2");
    assert.deepEqual([...it.kept.values()], ["second.token"]);
  });
}

test("a guest whose handshake failed for another reason stays the same guest", async (t) => {
  const it = await refusedGuest(t);
  it.socket.welcome({ user: { id: "guest-2", name: "Guest 2", scopes: [] }, guestToken: "second.token" });
  it.socket.ack(it.socket.last("auth"), { user: { id: "guest-1", name: "Guest 1", scopes: [] } });
  it.socket.welcome();

  assert.equal(it.chat.user.id, "guest-1");
  assert.deepEqual([...it.kept.values()], ["guest.token"]);
});

test("if a server closes after a guest's token, the client becomes a new guest", async (t) => {
  const it = await refusedGuest(t);
  it.socket.refuse(it.socket.last("auth"), "unauthenticated");
  it.socket.shut(4500);
  await it.clock.advance(5);

  assert.deepEqual(it.socket.protocols, ["chatrooms.v1"]);
  assert.equal(it.kept.size, 0);
});

test("a refused user's token ends the connection, even if guests are allowed", async (t) => {
  const it = world(t, { token: "bad" });
  it.chat.connect();
  await settled();
  it.socket.shut(1006);
  await it.clock.advance(1);
  it.socket.accept();
  it.socket.welcome();
  it.socket.refuse(it.socket.last("auth"), "unauthenticated");

  assert.deepEqual([it.chat.state, it.chat.status.code], ["closed", 4500]);
  assert.equal(it.socket.closedWith, 1000);
});

test("who is banned from the server is told until when, and does not reconnect", async (t) => {
  const it = world(t, { token: "good" });
  it.chat.connect();
  await settled();
  it.socket.shut(1006);
  await it.clock.advance(1);
  it.socket.accept();
  it.socket.refuse(it.socket.last("auth"), "banned", { until: 1.8e9, reason: "spam" });

  const { state, code, error } = it.chat.status;
  assert.deepEqual([state, code, error.code, error.details.until, error.details.reason], ["closed", 4507, "banned", 1.8e9, "spam"]);
});

test("who is banned while connected is told until when", async (t) => {
  const it = world(t, { token: "good" });
  it.chat.connect();
  await it.welcome();
  it.socket.says({ type: "error", payload: { code: "banned", message: "you are banned from this chat", until: 1.8e9, reason: "spam" } });
  it.socket.shut(4507, "you are banned from this chat");

  const { state, code, error } = it.chat.status;
  assert.deepEqual([state, code, error.code, error.details.until, error.details.reason], ["closed", 4507, "banned", 1.8e9, "spam"]);
});

test("an earlier error is no reason for a close", async (t) => {
  const it = world(t, { token: "good" });
  it.chat.connect();
  await it.welcome();
  it.socket.says({ type: "error", payload: { code: "bad_frame", message: "no" } });
  it.socket.shut(4507, "you are banned from this chat");

  assert.deepEqual([it.chat.status.code, it.chat.status.error], [4507, null]);
});

test("4001 makes the client get a fresh token first", async (t) => {
  const tokens = ["one", "two"];
  const it = world(t, { token: async () => tokens.shift() });
  it.chat.connect();
  await it.welcome();
  it.socket.shut(1006);
  await it.clock.advance(1);
  assert.equal(it.socket.protocols[1], "bearer.one");
  await it.welcome();
  it.socket.shut(4001);
  await it.clock.advance(2);

  assert.equal(it.socket.protocols[1], "bearer.two");
});

test("after 4001 a client with a token string does not reconnect", async (t) => {
  const it = world(t, { token: "one" });
  it.chat.connect();
  await it.welcome();
  it.socket.shut(4001);

  assert.equal(it.chat.state, "closed");
});

test("auth.expiring is answered with a fresh token", async (t) => {
  const tokens = ["one", "two"];
  const it = world(t, { token: () => tokens.shift() });
  it.chat.connect();
  await it.welcome();
  it.socket.says({ type: "auth.expiring", payload: { at: Date.now() / 1000 + 60 } });
  await settled();
  assert.deepEqual(it.socket.last("auth").payload, { token: "two" });
  it.socket.ack(it.socket.last("auth"), { user: { id: "u1", name: "Ada L.", scopes: [] }, expiresAt: 1 });
  await settled();

  assert.equal(it.chat.user.name, "Ada L.");
});

test("an expired token is not sent again", async (t) => {
  const tokens = ["one", "two"];
  const it = world(t, { token: () => tokens.shift() });
  it.chat.connect();
  await it.welcome({ expiresAt: Date.now() / 1000 + 10, guestToken: undefined });
  await it.clock.advance(20);
  it.socket.shut(1006);
  await it.clock.advance(1);

  assert.equal(it.socket.protocols[1], "bearer.two");
});

test("the expiry of a token is computed by the server's clock", async (t) => {
  for (const wrong of [-7200, 7200]) {
    const tokens = ["one", "two"];
    const it = world(t, { token: () => tokens.shift() });
    it.chat.connect();
    await settled();
    it.socket.accept();
    const at = Date.now() / 1000 + wrong;
    const payload = { sessionId: "s", user: { id: "u1", name: "Ada", scopes: [] }, protocol: 1, limits: {}, features: [], expiresAt: at + 10 };
    it.socket.says({ type: "welcome", timestamp: at, payload });
    it.socket.shut(1006);
    await it.redial();
    assert.equal(it.socket.protocols[1], "bearer.one");
    it.socket.accept();
    await it.clock.advance(10);
    it.socket.shut(1006);
    await it.redial();

    assert.equal(it.socket.protocols[1], "bearer.two");
    it.chat.disconnect();
    it.clock.restore();
  }
});

test("a failed token callback is called again", async (t) => {
  let asked = 0;
  const it = world(t, { token: () => (asked++ ? "late" : Promise.reject(new Error("away"))) });
  it.watch("problem");
  it.chat.connect();
  await it.clock.advance(2);

  assert.equal(it.seen[0][1].error.message, "away");
  assert.equal(it.sockets.length, 1);
});

test("a guest's name is sent before anything else", async (t) => {
  const it = world(t, { name: "Ada" });
  it.chat.join("a").catch(() => {});
  it.chat.connect();
  await it.welcome();
  assert.deepEqual(it.socket.sent.map(({ type }) => type), ["auth", "join"]);
  it.socket.ack(it.socket.last("auth"), { user: { id: "guest-1", name: "Ada", scopes: [] } });

  assert.equal(it.chat.user.name, "Ada");
  assert.ok([...it.kept.values()].includes("Ada"));
});

test("a name is remembered for the next page", async (t) => {
  const it = world(t);
  await it.start();
  const renaming = it.chat.rename("Grace");
  it.socket.ack(it.socket.last("auth"), { user: { id: "guest-1", name: "Grace", scopes: [] } });
  assert.equal((await renaming).name, "Grace");
  const { ChatRooms } = await import("../../../sanic_chatrooms/web/static/client.js");
  const next = new ChatRooms({ url: "ws://host/chat/ws", WebSocket: it.WebSocket, storage: it.storage });

  assert.equal(next.name, "Grace");
});

test("a refused name is a problem event, and the connection stays open", async (t) => {
  const it = world(t, { name: "\u202e" });
  it.watch("problem");
  await it.start();
  it.socket.refuse(it.socket.last("auth"), "invalid_text");

  assert.equal(it.seen[0][1].during, "name");
  assert.equal(it.chat.state, "online");
});

test("the client works with storage that throws", async (t) => {
  const broken = () => {
    throw new Error("quota");
  };
  const it = world(t, { storage: { getItem: broken, setItem: broken, removeItem: broken } });
  await it.start();
  it.socket.shut(1006);
  await it.clock.advance(1);

  assert.equal(it.socket.protocols[1], "bearer.guest.token");
});

/** A client that shows nothing, whose handshake is refused; `answer` is what a plain request of the same address gets. */
async function refusedVisitor(t, answer) {
  const asked = [];
  const it = world(t, { fetch: async (url, how) => (asked.push([url, how.credentials]), answer()) });
  it.chat.connect().catch(() => {});
  await settled();
  it.socket.shut(1006);
  await settled();
  return { it, asked };
}

test("a visitor who has to sign in is told so, and the client does not reconnect", async (t) => {
  const answer = () => ({ status: 401, json: async () => ({ code: "unauthenticated", message: "sign in first" }) });
  const { it, asked } = await refusedVisitor(t, answer);
  await it.clock.advance(600);

  assert.deepEqual(asked, [["http://host/chat/ws", "include"]]);
  assert.deepEqual([it.chat.state, it.chat.status.code, it.chat.status.reason], ["closed", 4500, "sign in first"]);
  assert.equal(it.sockets.length, 1);
});

test("a visitor who is banned is told until when, and the client does not reconnect", async (t) => {
  const told = { code: "banned", message: "you are banned from this chat", until: 1.8e9, reason: "spam" };
  const { it } = await refusedVisitor(t, () => ({ status: 403, json: async () => told }));
  await it.clock.advance(600);

  const { state, code, error } = it.chat.status;
  assert.deepEqual([state, code, error.code, error.details.until, error.details.reason], ["closed", 4507, "banned", 1.8e9, "spam"]);
  assert.equal(it.sockets.length, 1);
});

for (const [what, answer] of [
  ["a foreign origin", () => ({ status: 403, json: async () => ({ code: "forbidden", message: "no" }) })],
  ["a server that is well", () => ({ status: 426, json: async () => ({}) })],
  ["one that is about to restart", () => ({ status: 503, json: async () => ({}) })],
  ["one that is away", () => Promise.reject(new TypeError("no answer"))],
  ["a 401 of somebody else's", () => ({ status: 401, json: () => Promise.reject(new SyntaxError("no JSON")) })],
]) {
  test(`after a refused handshake, the client reconnects after the answer of ${what}`, async (t) => {
    const { it } = await refusedVisitor(t, answer);
    assert.equal(it.chat.state, "reconnecting");
    await it.redial();

    assert.equal(it.sockets.length, 2);
  });
}

test("an answer that arrives during the next attempt is ignored", async (t) => {
  let tell;
  const { it } = await refusedVisitor(t, () => new Promise((resolve) => (tell = resolve)));
  await it.redial();
  tell({ status: 401, json: async () => ({ message: "sign in first" }) });
  await it.welcome();

  assert.equal(it.chat.state, "online");
});

test("a client with a token gets the reason by `auth`, without a plain request", async (t) => {
  const asked = [];
  const it = world(t, { token: "a.b.c", fetch: async (url) => asked.push(url) });
  it.chat.connect().catch(() => {});
  await settled();
  it.socket.shut(1006);
  await settled();

  assert.deepEqual(asked, []);
});

test("an unknown visitor without a token is told to sign in, and the client does not reconnect", async (t) => {
  const it = world(t);
  it.chat.connect().catch(() => {});
  await settled();
  it.socket.accept();
  await it.clock.advance(1);
  it.socket.says({ type: "pong", replyTo: it.socket.last("ping").msgId });
  await it.clock.advance(600);

  assert.deepEqual([it.chat.state, it.chat.status.code, it.chat.status.reason], ["closed", 4500, "sign in first"]);
  assert.equal(it.sockets.length, 1);
});

test("a late welcome is accepted", async (t) => {
  const it = world(t);
  it.chat.connect();
  await settled();
  it.socket.accept();
  await it.clock.advance(1);
  it.socket.welcome();
  it.socket.says({ type: "pong", replyTo: it.socket.last("ping").msgId });

  assert.equal(it.chat.state, "online");
});

test("a client with a token function is not told to sign in, because it may return a token next time", async (t) => {
  const it = world(t, { token: async () => null });
  it.chat.connect().catch(() => {});
  await settled();
  it.socket.accept();
  await it.clock.advance(5);

  assert.deepEqual(it.socket.all("ping"), []);
  assert.equal(it.chat.state, "connecting");
});
