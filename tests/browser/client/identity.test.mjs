import assert from "node:assert/strict";
import test from "node:test";

import { settled, world } from "./support.mjs";

test("a token travels as a subprotocol", async (t) => {
  const it = world(t, { token: "aaa.bbb.ccc" });
  it.chat.connect();
  await settled();

  assert.deepEqual(it.socket.protocols, ["chatrooms.v1", "bearer.aaa.bbb.ccc"]);
});

test("a token that cannot be a subprotocol travels in auth", async (t) => {
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

test("a guest's token is kept, and shown with the next connection", async (t) => {
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
  test(`a guest's token that is refused with ${code} is forgotten, and a fresh guest begins`, async (t) => {
    const it = await refusedGuest(t);
    it.socket.welcome({ user: { id: "guest-2", name: "Guest 2", scopes: [] }, guestToken: "second.token" });
    assert.notEqual(it.chat.state, "online");
    it.socket.refuse(it.socket.last("auth"), code);

    assert.equal(it.chat.state, "online");
    assert.equal(it.chat.user.id, "guest-2");
    assert.deepEqual([...it.kept.values()], ["second.token"]);
  });
}

test("a guest whose handshake failed for another reason is the same guest again", async (t) => {
  const it = await refusedGuest(t);
  it.socket.welcome({ user: { id: "guest-2", name: "Guest 2", scopes: [] }, guestToken: "second.token" });
  it.socket.ack(it.socket.last("auth"), { user: { id: "guest-1", name: "Guest 1", scopes: [] } });
  it.socket.welcome();

  assert.equal(it.chat.user.id, "guest-1");
  assert.deepEqual([...it.kept.values()], ["guest.token"]);
});

test("a server that closes on a guest's token gets a fresh guest", async (t) => {
  const it = await refusedGuest(t);
  it.socket.refuse(it.socket.last("auth"), "unauthenticated");
  it.socket.shut(4500);
  await it.clock.advance(5);

  assert.deepEqual(it.socket.protocols, ["chatrooms.v1"]);
  assert.equal(it.kept.size, 0);
});

test("a user's token that is refused ends it, also where guests are welcome", async (t) => {
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

test("4001 asks for a fresh token first", async (t) => {
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

test("4001 with nothing but a string is the end", async (t) => {
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

test("a token known to have expired is not shown again", async (t) => {
  const tokens = ["one", "two"];
  const it = world(t, { token: () => tokens.shift() });
  it.chat.connect();
  await it.welcome({ expiresAt: Date.now() / 1000 + 10, guestToken: undefined });
  await it.clock.advance(20);
  it.socket.shut(1006);
  await it.clock.advance(1);

  assert.equal(it.socket.protocols[1], "bearer.two");
});

test("when a token expires is counted by the server's clock, not by this computer's", async (t) => {
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

test("a token callback that fails is tried again", async (t) => {
  let asked = 0;
  const it = world(t, { token: () => (asked++ ? "late" : Promise.reject(new Error("away"))) });
  it.watch("problem");
  it.chat.connect();
  await it.clock.advance(2);

  assert.equal(it.seen[0][1].error.message, "away");
  assert.equal(it.sockets.length, 1);
});

test("a guest gets its name before anything else is sent", async (t) => {
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

test("a name that is refused is a problem, not an end", async (t) => {
  const it = world(t, { name: "\u202e" });
  it.watch("problem");
  await it.start();
  it.socket.refuse(it.socket.last("auth"), "invalid_text");

  assert.equal(it.seen[0][1].during, "name");
  assert.equal(it.chat.state, "online");
});

test("storage that throws is no obstacle", async (t) => {
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

test("who has to sign in first is told, and nothing is tried again", async (t) => {
  const answer = () => ({ status: 401, json: async () => ({ code: "unauthenticated", message: "sign in first" }) });
  const { it, asked } = await refusedVisitor(t, answer);
  await it.clock.advance(600);

  assert.deepEqual(asked, [["http://host/chat/ws", "include"]]);
  assert.deepEqual([it.chat.state, it.chat.status.code, it.chat.status.reason], ["closed", 4500, "sign in first"]);
  assert.equal(it.sockets.length, 1);
});

for (const [what, answer] of [
  ["a server that is well", () => ({ status: 426, json: async () => ({}) })],
  ["one that is about to restart", () => ({ status: 503, json: async () => ({}) })],
  ["one that is away", () => Promise.reject(new TypeError("no answer"))],
  ["a 401 of somebody else's", () => ({ status: 401, json: () => Promise.reject(new SyntaxError("no JSON")) })],
]) {
  test(`a refused handshake is tried again after the answer of ${what}`, async (t) => {
    const { it } = await refusedVisitor(t, answer);
    assert.equal(it.chat.state, "reconnecting");
    await it.redial();

    assert.equal(it.sockets.length, 2);
  });
}

test("an answer that comes when the next attempt is under way is not heard any more", async (t) => {
  let tell;
  const { it } = await refusedVisitor(t, () => new Promise((resolve) => (tell = resolve)));
  await it.redial();
  tell({ status: 401, json: async () => ({ message: "sign in first" }) });
  await it.welcome();

  assert.equal(it.chat.state, "online");
});

test("who shows a token is told by `auth`, and no plain request is made", async (t) => {
  const asked = [];
  const it = world(t, { token: "a.b.c", fetch: async (url) => asked.push(url) });
  it.chat.connect().catch(() => {});
  await settled();
  it.socket.shut(1006);
  await settled();

  assert.deepEqual(asked, []);
});

test("a visitor without a token whom the server does not know is told to sign in, and nothing is tried again", async (t) => {
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

test("a visitor whose welcome comes late is welcome", async (t) => {
  const it = world(t);
  it.chat.connect();
  await settled();
  it.socket.accept();
  await it.clock.advance(1);
  it.socket.welcome();
  it.socket.says({ type: "pong", replyTo: it.socket.last("ping").msgId });

  assert.equal(it.chat.state, "online");
});

test("who has a function for tokens is not told to sign in: it may bring one next time", async (t) => {
  const it = world(t, { token: async () => null });
  it.chat.connect().catch(() => {});
  await settled();
  it.socket.accept();
  await it.clock.advance(5);

  assert.deepEqual(it.socket.all("ping"), []);
  assert.equal(it.chat.state, "connecting");
});
