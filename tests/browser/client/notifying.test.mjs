// Who hears of what: notifications of the browser, and blocks.

import assert from "node:assert/strict";
import test from "node:test";

import { settled, world } from "./support.mjs";
import "./page.mjs";

const { Blocks } = await import("../../../sanic_chatrooms/web/static/blocks.js");
const { Desktop, isTold } = await import("../../../sanic_chatrooms/web/static/desktop.js");
const { kept } = await import("../../../sanic_chatrooms/web/static/kept.js");
const { rowsOf } = await import("../../../sanic_chatrooms/web/static/rows.js");

/** A browser with notifications; `shown` are those that it shows. */
function browser(t, permission) {
  const it = { shown: [], asked: 0, questions: [], opened: [] };
  globalThis.Notification = class {
    static permission = permission;
    static async requestPermission() {
      it.asked++;
      Notification.permission = "granted";
    }
    constructor(title, { body, tag }) {
      it.shown.push([title, body, tag]);
    }
    close() {}
  };
  Object.assign(document, { hidden: true, hasFocus: () => false });
  const { setTimeout } = globalThis;
  globalThis.setTimeout = () => 0; // nothing waits for notifications to go away
  t.after(() => {
    delete globalThis.Notification;
    globalThis.setTimeout = setTimeout;
  });
  it.desktop = new Desktop({ ask: (question) => it.questions.push(question) }, (id) => it.opened.push(id));
  it.desktop.turnOff();
  return it;
}

const room = (more) => ({ id: "a", name: "General", notify: "all", counted: true, isDirect: false, ...more });
const item = { seq: 7, sender: { id: "u2", name: "Bob" }, text: "hello" };

test("what is told follows the choice for the room, and others than members hear only what is for them", () => {
  const told = (more) => [isTold(room(more), false), isTold(room(more), true)];
  assert.deepEqual(told({}), [true, true]);
  assert.deepEqual(told({ notify: "mentions" }), [false, true]);
  assert.deepEqual(told({ notify: "mentions", isDirect: true }), [false, true]);
  assert.deepEqual(told({ notify: "none" }), [false, false]);
  assert.deepEqual(told({ counted: false }), [false, true]);
  assert.deepEqual(told({ isDirect: true, counted: false }), [true, true]);
  assert.deepEqual(told({ isDirect: true, notify: "none" }), [false, false]);
});

test("nothing is asked before a message is for the user, and then once", async (t) => {
  const it = browser(t, "default");
  kept.remove("chatrooms notifications");
  it.desktop.came(room(), item, false);
  assert.equal(it.questions.length, 0);
  it.desktop.came(room(), item, true);
  it.desktop.came(room(), item, true);
  assert.equal(it.questions.length, 1);
  assert.equal(it.asked, 0);

  const [[, turnOn]] = it.questions[0].acts;
  await turnOn();
  assert.deepEqual([it.asked, it.desktop.state], [1, "on"]);
  it.desktop.came(room(), item, true);
  assert.deepEqual(it.shown, [["Bob in General", "hello", "a 7"]]);
});

test("who looks at the page sees no notification", async (t) => {
  const it = browser(t, "granted");
  await it.desktop.turnOn();
  Object.assign(document, { hidden: false, hasFocus: () => true });
  it.desktop.came(room(), item, true);
  assert.deepEqual(it.shown, []);
});

test("notifications that were turned off, or that the browser refuses, are not shown", async (t) => {
  const it = browser(t, "granted");
  it.desktop.came(room(), item, true);
  assert.deepEqual([it.shown, it.desktop.state], [[], "off"]);
  await it.desktop.turnOn();
  Notification.permission = "denied";
  it.desktop.came(room(), item, true);
  assert.deepEqual([it.shown, it.desktop.state], [[], "denied"]);
});

test("a browser that has notifications for service workers only is one without", async (t) => {
  const it = browser(t, "granted");
  await it.desktop.turnOn();
  globalThis.Notification = class {
    static permission = "granted";
    constructor() {
      throw new TypeError("Illegal constructor");
    }
  };
  it.desktop.came(room(), item, true);
  assert.equal(it.desktop.state, "unsupported");
});

// ---- blocks ----

async function blocks(t) {
  const it = world(t);
  const drawn = [];
  it.blocks = new Blocks(it.chat, () => drawn.push(it.blocks.all().map(({ id }) => id)));
  await it.start();
  return Object.assign(it, { drawn });
}

test("who is blocked is loaded after the welcome, page by page", async (t) => {
  const it = await blocks(t);
  it.socket.ack(it.socket.last("user.blocked"), { users: [{ id: "u2", name: "Bob" }], cursor: "next" });
  await settled();
  assert.equal(it.socket.last("user.blocked").payload.cursor, "next");
  it.socket.ack(it.socket.last("user.blocked"), { users: [{ id: "u3", name: "Eve" }] });
  await settled();

  assert.deepEqual(it.drawn, [["u2", "u3"]]);
  assert.ok(it.blocks.has("u3"));
});

test("a block counts when the server has it, and an older list does not undo it", async (t) => {
  const it = await blocks(t);
  const list = it.socket.last("user.blocked");
  const done = it.blocks.set({ id: "u2", name: "Bob", here: true }, true);
  await settled();
  assert.equal(it.blocks.has("u2"), false);
  it.socket.ack(it.socket.last("user.block"));
  await done;
  it.socket.ack(list, { users: [] });
  await settled();
  assert.deepEqual(it.blocks.all(), [{ id: "u2", name: "Bob" }]);

  const refused = it.blocks.set({ id: "u2", name: "Bob" }, false);
  await settled();
  it.socket.refuse(it.socket.last("user.unblock"), "unavailable");
  await assert.rejects(refused, { code: "unavailable" });
  assert.ok(it.blocks.has("u2"));
});

test("messages in a row of people who are blocked are one row, and the next one begins a group", () => {
  const said = (seq, id) => ({ key: `k${seq}`, seq, type: "message", at: 1000 + seq, sender: { id, name: id }, version: 0, changed: seq });
  const items = [said(1, "u1"), said(2, "u2"), said(3, "u2"), said(4, "u1")];
  const rows = rowsOf(items, null, null, ({ sender }) => sender.id === "u2");

  assert.deepEqual(rows.map(({ kind }) => kind), ["day", "message", "folded", "message"]);
  assert.deepEqual(rows[2].items.map(({ seq }) => seq), [2, 3]);
  assert.ok(rows[3].first);
});
