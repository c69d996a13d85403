// The client where no WebSocket gets through: over HTTP, by REST and server-sent events.

import assert from "node:assert/strict";
import test, * as tests from "node:test";

import { ChatRooms } from "../../../sanic_chatrooms/web/static/client.js";
import { freePort, missing, next, serve, stop } from "./serving.mjs";
import { APP, Gate, tokenOf } from "./without-sockets.mjs";
import { WebSocket } from "./websocket.mjs";

const needed = { skip: missing, timeout: 60_000 };
let port;
let server;

tests.before(async () => {
  if (missing) return;
  port = await freePort();
  server = await serve(port, APP);
});
tests.after(() => server && stop(server));

function memory() {
  const kept = new Map();
  return { get: (key) => kept.get(key), set: (key, value) => kept.set(key, value), remove: (key) => kept.delete(key) };
}

/** A client at the server, or at the proxy before it. */
function client(t, at, options = {}) {
  const backoff = { first: 0.02, longest: 0.05 };
  const chat = new ChatRooms({ url: `ws://127.0.0.1:${at}/chat/ws`, WebSocket, storage: memory(), backoff, ...options });
  t.after(() => chat.disconnect());
  return chat;
}

async function gate(t) {
  const its = await new Gate(port).listen();
  t.after(() => its.close());
  return its;
}

const until = async (what) => {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 10));
};

test("a guest talks over HTTP where no socket gets through", needed, async (t) => {
  const before = await gate(t);
  const ada = client(t, port, { name: "Ada" });
  const bob = client(t, before.port, { name: "Bob" });
  await Promise.all([ada.connect(), bob.connect()]);
  assert.deepEqual([ada.status.transport, bob.status.transport], ["socket", "http"]);
  await bob.join("tea");
  await ada.join("tea");
  const heard = [];
  for (const chat of [ada, bob]) chat.on("message", ({ sender, payload }) => heard.push([chat.user.name, sender.name, payload.text]));
  const atAda = next(ada, "message");
  const { msgId, done } = bob.send("tea", "hello");

  assert.equal((await done).seq, 1);
  assert.equal((await atAda).clientMsgId, msgId);
  await ada.send("tea", "hi").done;
  await until(() => heard.length === 4);
  assert.deepEqual(heard.filter(([name]) => name === "Bob").map(([, ...said]) => said.join(": ")), ["Bob: hello", "Ada: hi"]);
  assert.deepEqual((await bob.history("tea")).messages.map(({ payload }) => payload.text), ["hello", "hi"]);
});

test("features say what is missing over HTTP, and it is refused", needed, async (t) => {
  const before = await gate(t);
  const chat = client(t, before.port);
  const welcome = await chat.connect();
  await chat.join("features");

  for (const feature of ["presence", "typing", "streams"]) assert.equal(welcome.features.includes(feature), false);
  for (const feature of ["history", "edits", "reactions", "unread"]) assert.equal(welcome.features.includes(feature), true);
  await assert.rejects(chat.presence("features"), { code: "unknown_command" });
  chat.typing("features");
});

test("a message is stored once, although the answers to it are lost", needed, async (t) => {
  const before = await gate(t);
  const chat = client(t, before.port, { token: tokenOf("cy", "Cy") });
  await chat.connect();
  await chat.join("lossy");
  before.forget(2);
  await chat.send("lossy", "once").done;
  await chat.send("lossy", "twice").done;

  const { messages } = await chat.history("lossy");
  assert.deepEqual(messages.map(({ payload, sender }) => [payload.text, sender.id]), [["once", "cy"], ["twice", "cy"]]);
});

test("after many cuts every event came once and in order", needed, async (t) => {
  const before = await gate(t);
  const ada = client(t, port);
  const bob = client(t, before.port);
  await Promise.all([ada.connect(), bob.connect()]);
  await bob.join("cuts");
  await ada.join("cuts");
  const heard = [];
  bob.on("message", ({ payload }) => heard.push(payload.text));
  const texts = Array.from({ length: 40 }, (_, n) => `text ${n}`);
  for (const text of texts) {
    await ada.send("cuts", text).done;
    if (before.streams) before.cut();
  }

  await until(() => heard.length >= texts.length);
  assert.deepEqual(heard, texts);
  assert.ok(before.asked.filter((what) => what === "GET /chat/api/rooms/cuts/events").length > 1);
});

test("rooms without a stream are asked in turn", needed, async (t) => {
  const before = await gate(t);
  const ada = client(t, port);
  const bob = client(t, before.port);
  await Promise.all([ada.connect(), bob.connect()]);
  for (const room of ["behind", "front"]) await Promise.all([bob.join(room, { history: room === "front" ? 20 : 0 }), ada.join(room)]);
  const [inFront, behind] = ["front", "behind"].map((room) => next(bob, "message", (event) => event.room === room));
  await ada.send("behind", "one").done;
  await ada.send("front", "two").done;

  assert.equal((await inFront).payload.text, "two");
  assert.equal((await behind).payload.text, "one");
  await until(() => before.streams === 1);
});

test("who is kicked learns of it, and so does who may not come in", needed, async (t) => {
  const before = await gate(t);
  const owner = client(t, port, { token: tokenOf("olga", "Olga") });
  const bob = client(t, before.port, { token: tokenOf("bob", "Bob") });
  await Promise.all([owner.connect(), bob.connect()]);
  await owner.createRoom({ room: "club", visibility: "private" });
  await owner.join("club");
  await assert.rejects(bob.join("club"), { code: "room_not_found" });
  await owner.request("member.add", { room: "club", payload: { user: "bob" } });
  await bob.join("club");
  await until(() => before.streams === 1);
  const removed = next(bob, "removed");
  await owner.request("member.kick", { room: "club", payload: { user: "bob" } });

  assert.deepEqual(await removed, { room: "club", reason: "kicked", error: null });
  assert.equal(bob.isJoined("club"), false);
});

test("a token that nobody accepts is refused with its reason", needed, async (t) => {
  const before = await gate(t);
  const chat = client(t, before.port, { token: "no.token.atall" });

  await assert.rejects(chat.connect(), { code: "closed", details: { closeCode: 4500 } });
});

test("a guest has a name, keeps it, and chooses another", needed, async (t) => {
  const before = await gate(t);
  const storage = memory();
  const chat = client(t, before.port, { name: "Dora", storage });
  await chat.connect();
  const { id } = chat.user;
  await until(() => chat.user.name === "Dora");
  await chat.rename("Dorothy");
  chat.disconnect();
  const again = client(t, before.port, { storage });
  await again.connect();

  assert.deepEqual([again.user.id, again.user.name], [id, "Dorothy"]);
});

test("the room of the socket's address is joined over HTTP, too", needed, async (t) => {
  const before = await gate(t);
  const chat = client(t, before.port, { url: `ws://127.0.0.1:${before.port}/chat/ws/nook` });
  const joined = next(chat, "joined");
  await chat.connect();

  assert.equal((await joined).room, "nook");
  await chat.send("nook", "hi").done;
});

test("a client whose socket works never asks for anything over HTTP", needed, async (t) => {
  const before = await gate(t);
  before.upgrades = true;
  const chat = client(t, before.port);
  await chat.connect();
  await chat.join("sockets");
  await chat.send("sockets", "hi").done;

  assert.equal(chat.status.transport, "socket");
  assert.deepEqual(before.asked, []);
});
