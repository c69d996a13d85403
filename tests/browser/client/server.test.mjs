// The client as the server sends it, in one file, against that server in a process of its own.

import assert from "node:assert/strict";
import test from "node:test";

import * as source from "../../../sanic_chatrooms/web/static/client.js";
import { freePort, missing, next, serve, stop } from "./serving.mjs";
import { WebSocket } from "./websocket.mjs";

const APP = `
import sys
from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Served")
app.config.CHATROOMS_GUESTS = True
app.config.AUTO_EXTEND = False
app.blueprint(chatrooms.bp)
app.run("127.0.0.1", int(sys.argv[1]), single_process=True, motd=False, access_log=False)
`;

/** What the server sends under the address that pages import. */
async function served(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/chat/client.js`)).arrayBuffer();
  return import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
}

async function client(t, port, options = {}) {
  const { ChatRooms } = await served(port);
  const sockets = [];
  class Watched extends WebSocket {
    constructor(...given) {
      super(...given);
      sockets.push(this);
    }
  }
  const kept = new Map();
  const storage = { get: (key) => kept.get(key), set: (key, value) => kept.set(key, value), remove: (key) => kept.delete(key) };
  const backoff = { first: 0.1, longest: 1 };
  const chat = new ChatRooms({ url: `ws://127.0.0.1:${port}/chat/ws`, WebSocket: Watched, storage, backoff, ...options });
  t.after(() => chat.disconnect());
  return { chat, sockets };
}

test("the served file has the exports of the module", { skip: missing, timeout: 60_000 }, async (t) => {
  const port = await freePort();
  const server = await serve(port, APP);
  t.after(() => stop(server));

  assert.deepEqual(Object.keys(await served(port)), Object.keys(source));
});

test("two people talk, one is cut off and misses nothing", { skip: missing, timeout: 60_000 }, async (t) => {
  const port = await freePort();
  const server = await serve(port, APP);
  t.after(() => stop(server));
  const ada = await client(t, port, { name: "Ada" });
  const bob = await client(t, port, { name: "Bob" });
  await Promise.all([ada.chat.connect(), bob.chat.connect()]);
  await Promise.all([ada.chat.join("tea"), bob.chat.join("tea")]);
  const heard = [];
  bob.chat.on("message", ({ seq, payload, sender }) => heard.push([seq, sender.name, payload.text]));

  const first = ada.chat.send("tea", "one");
  const echo = await next(ada.chat, "message");
  assert.equal(echo.clientMsgId, first.msgId);
  assert.equal((await first.done).seq, 1);
  const id = bob.chat.user.id;
  const rejoined = next(bob.chat, "joined");
  bob.sockets.at(-1).cut();
  await Promise.all(["two", "three"].map((text) => ada.chat.send("tea", text).done));
  assert.equal((await rejoined).recovered, true);
  const whileAway = bob.chat.send("tea", "four");
  await whileAway.done;

  assert.equal(bob.chat.user.id, id);
  assert.deepEqual(heard, [[1, "Ada", "one"], [2, "Ada", "two"], [3, "Ada", "three"], [4, "Bob", "four"]]); // prettier-ignore
  assert.deepEqual((await ada.chat.history("tea", { after: 0, limit: 2 })).messages.map(({ seq }) => seq), [1, 2]);
  const added = next(bob.chat, "room.added");
  const { room } = await ada.chat.direct(bob.chat.user.id, "psst").done;
  assert.equal((await added).payload.room, room);
});

test("another client receives edits and deletions, also after a disconnect", { skip: missing, timeout: 60_000 }, async (t) => {
  const port = await freePort();
  const server = await serve(port, APP);
  t.after(() => stop(server));
  const ada = await client(t, port, { name: "Ada" });
  const bob = await client(t, port, { name: "Bob" });
  await Promise.all([ada.chat.connect(), bob.chat.connect()]);
  await Promise.all([ada.chat.join("tea"), bob.chat.join("tea")]);
  const heard = [];
  bob.chat.on("*", ({ seq, type, payload }) => seq && heard.push([seq, type, payload.body?.text ?? payload.deleted ?? payload.text]));
  const { msgId } = await ada.chat.send("tea", "good").done;

  assert.equal((await ada.chat.edit("tea", msgId, "better")).seq, 2);
  await assert.rejects(bob.chat.edit("tea", msgId, "mine"), { code: "forbidden" });
  const rejoined = next(bob.chat, "joined");
  bob.sockets.at(-1).cut();
  await ada.chat.edit("tea", msgId, "best");
  assert.equal((await ada.chat.delete("tea", msgId)).seq, 4);
  assert.equal((await rejoined).recovered, true);
  await bob.chat.send("tea", "indeed").done;

  // The edit that he missed is empty by now.
  const edits = heard.filter(([, type]) => type.startsWith("message."));
  assert.deepEqual(edits[0], [2, "message.edited", "better"]);
  assert.deepEqual(edits.at(-1), [4, "message.deleted", true]);
  const [gone] = (await bob.chat.history("tea", { after: 0 })).messages;
  assert.deepEqual([gone.deleted, gone.payload, gone.changed], [true, {}, 4]);
});

test("after a restart that lost everything, the client is a new guest and gets a gap event", { skip: missing, timeout: 60_000 }, async (t) => {
  const port = await freePort();
  let server = await serve(port, APP);
  t.after(() => stop(server));
  const { chat } = await client(t, port, { name: "Ada" });
  await chat.connect();
  await chat.join("tea");
  await chat.send("tea", "one").done;
  const id = chat.user.id;
  const closing = next(chat, "closing");
  const gap = next(chat, "gap");
  await stop(server);
  assert.ok((await closing).payload.reconnectIn >= 0);
  const kept = chat.send("tea", "written while it was away");
  server = await serve(port, APP);

  await kept.done;
  assert.notEqual(chat.user.id, id);
  assert.equal(chat.user.name, "Ada");
  assert.equal((await gap).room, "tea");
});
