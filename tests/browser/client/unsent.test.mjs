// What the page keeps over a reload: messages that were not sent, and drafts.

import assert from "node:assert/strict";
import test from "node:test";

import { settled, world } from "./support.mjs";
import "./page.mjs";

const { Drafts } = await import("../../../sanic_chatrooms/web/static/drafts.js");
const { Unsent } = await import("../../../sanic_chatrooms/web/static/unsent.js");

const ME = "guest-1";

/** A browser: its storage, and its locks, which `gone()` takes from the page of before. */
function browser() {
  const values = new Map();
  const holders = new Map();
  const waiting = [];
  const store = {
    get: (key) => values.get(key) ?? null,
    set: (key, text) => Boolean(values.set(key, text)),
    remove: (key) => values.delete(key),
    keys: (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
  };
  const grant = (page, key, act) => {
    holders.set(key, page);
    return Promise.resolve(act()).then(() => holders.delete(key));
  };
  const locksOf = (page) => ({
    request: async (key, act) => (holders.has(key) ? void waiting.push({ page, key, act }) : grant(page, key, act)),
  });
  const gone = (page) => {
    const left = [...holders].filter(([, holder]) => holder === page).map(([key]) => key);
    for (const key of left) {
      holders.delete(key);
      const next = waiting.findIndex((one) => one.key === key && one.page !== page);
      if (next >= 0) grant(...Object.values(waiting.splice(next, 1)[0]));
    }
  };
  return { values, store, locksOf, gone };
}

/** A page of this user in that browser. `page`: what `history` answers. */
async function open(t, { store, locksOf }, { user = ME, page = { messages: [], more: true } } = {}) {
  const it = world(t);
  await it.start("a");
  const seen = [];
  const resume = (entry, error) => seen.push([entry.body.text, error?.code ?? null]) && it.chat.restore({ ...entry, error });
  const unsent = new Unsent(it.chat, user, store, locksOf(it), { resume, history: async () => page });
  unsent.begin();
  await settled();
  return Object.assign(it, { unsent, resumed: seen });
}

const records = ({ store }) => store.keys("chatrooms unsent ").map((key) => JSON.parse(store.get(key)));

test("what is stored at once is never written", async (t) => {
  const it = browser();
  const page = await open(t, it);
  page.chat.send("a", "quick");
  await settled();
  page.socket.ack(page.socket.last("message"), { msgId: "server-message-1", seq: 1, timestamp: 1 });
  await page.clock.advance(1);
  assert.deepEqual(records(it), []);
});

test("the next page sends what was written offline, in order and under the same ids", async (t) => {
  const it = browser();
  const before = await open(t, it);
  before.socket.shut(1006);
  const ids = ["one", "two"].map((text) => before.chat.send("a", text).msgId);
  await before.clock.advance(0.5);
  assert.deepEqual(records(it).map((all) => all.map(({ body }) => body.text)), [["one", "two"]]);
  assert.equal(before.unsent.save(), true);

  const other = await open(t, it);
  assert.deepEqual(other.resumed, []); // the first page is there still
  it.gone(before);
  await settled();
  assert.deepEqual(other.resumed, [["one", null], ["two", null]]);
  assert.equal(it.store.keys("chatrooms unsent ").length, 1);
  for (const [at, id] of ids.entries()) {
    const sent = other.socket.all("message");
    assert.equal(sent[at].msgId, id);
    other.socket.ack(sent[at], { msgId: `server-message-${at}`, seq: at + 1, timestamp: 1 });
    await settled();
  }
  assert.deepEqual(records(it), []);
  const third = await open(t, it);
  assert.deepEqual(third.resumed, []);
});

/** A page that has begun to send, and is gone before the answer comes; -> the id of the message. */
async function tried(t, it) {
  const page = await open(t, it);
  page.socket.shut(1006);
  const { msgId } = page.chat.send("a", "tried");
  await page.clock.advance(0.5);
  assert.equal(records(it)[0][0].tried, undefined);
  await page.welcome();
  page.socket.joined("a", { recovered: true });
  await settled();
  assert.equal(page.socket.all("message").length, 1);
  assert.equal(typeof records(it)[0][0].tried, "number"); // written before it was sent
  it.gone(page);
  return msgId;
}

test("what was sent and not answered is sent again while the server knows its id", async (t) => {
  const it = browser();
  const msgId = await tried(t, it);
  const next = await open(t, it);
  assert.deepEqual(next.resumed, [["tried", null]]);
  assert.equal(next.socket.last("message").msgId, msgId);
});

test("what the history shows is not sent again", async (t) => {
  const it = browser();
  const msgId = await tried(t, it);
  const next = await open(t, it, { page: { messages: [{ clientMsgId: msgId }], more: true } });
  assert.deepEqual([next.resumed, records(it)], [[], []]);
});

test("what may be stored is not sent again when the server has forgotten its id", async (t) => {
  const it = browser();
  await tried(t, it);
  const [key] = it.store.keys("chatrooms unsent ");
  const old = JSON.parse(it.store.get(key)).map((entry) => ({ ...entry, tried: entry.tried - 400 }));
  it.store.set(key, JSON.stringify(old));
  const next = await open(t, it);
  assert.deepEqual(next.resumed, [["tried", "unsure"]]);
  assert.equal(next.chat.outbox[0].status, "failed");
  assert.equal(next.socket.all("message").length, 0);
});

test("but it is when the history says that it is not there", async (t) => {
  const it = browser();
  await tried(t, it);
  const [key] = it.store.keys("chatrooms unsent ");
  it.store.set(key, JSON.stringify(JSON.parse(it.store.get(key)).map((entry) => ({ ...entry, tried: entry.tried - 400 }))));
  const next = await open(t, it, { page: { messages: [], more: false } });
  assert.deepEqual(next.resumed, [["tried", null]]);
});

test("nothing is sent in the name of another user, and what is old goes", async (t) => {
  const it = browser();
  const page = await open(t, it);
  page.socket.shut(1006);
  page.chat.send("a", "mine");
  await page.clock.advance(0.5);
  it.gone(page);
  it.store.set("chatrooms unsent u9 x", JSON.stringify([{ msgId: "old", type: "message", room: "a", body: { text: "x" }, createdAt: 1 }]));
  it.store.set("chatrooms unsent u9 y", "broken");
  const other = await open(t, it, { user: "u2" });
  assert.deepEqual(other.resumed, []);
  assert.deepEqual(it.store.keys("chatrooms unsent ").map((key) => key.split(" ")[2]), [ME]);
});

test("what is refused stays refused, and what is too much is not promised", async (t) => {
  const it = browser();
  const page = await open(t, it);
  page.chat.send("a", "no");
  await settled();
  page.socket.refuse(page.socket.last("message"), "forbidden");
  await page.clock.advance(0.5);
  it.gone(page);
  const next = await open(t, it);
  assert.deepEqual(next.resumed, [["no", "forbidden"]]);
  assert.equal(next.socket.all("message").length, 0);
  next.socket.shut(1006);
  for (let at = 0; at < 100; at++) next.chat.send("a", `${at}`);
  await settled();
  assert.equal(next.unsent.save(), false);
});

test("where the storage is full nothing old is left, which would be sent again", async (t) => {
  const it = browser();
  const page = await open(t, it);
  page.socket.shut(1006);
  page.chat.send("a", "one");
  await page.clock.advance(0.5);
  assert.equal(records(it).length, 1);
  const { set } = it.store;
  it.store.set = () => false;
  page.chat.send("a", "two");
  await settled();
  assert.deepEqual([page.unsent.save(), records(it)], [false, []]);

  it.store.set = set;
  assert.equal(page.unsent.save(), true);
  it.gone(page);
  it.store.set = () => false;
  const next = await open(t, it);
  assert.deepEqual([next.resumed, records(it).length], [[], 1]); // for the page after it
});

test("without locks nothing is kept, and it is said", async (t) => {
  const it = browser();
  const page = world(t);
  await page.start("a");
  const unsent = new Unsent(page.chat, ME, it.store, undefined, {});
  unsent.begin();
  page.socket.shut(1006);
  page.chat.send("a", "lost");
  await page.clock.advance(1);
  assert.deepEqual([unsent.save(), it.values.size], [false, 0]);
});

test("drafts are kept for each place, and what other tabs keep stays", () => {
  const store = { text: null, get: () => store.text, set: (text) => (store.text = text) };
  const [one, two] = [new Drafts(store), new Drafts(store)];
  one.keep([["a", "from one"], ["b", ""]]);
  two.keep([["a", ""], ["b", "from two"]]); // it has never seen the draft of "a"
  assert.deepEqual(new Drafts(store).of("a"), "from one");
  assert.deepEqual(two.of("a"), "from one");
  two.keep([["a", "  "]]);
  assert.deepEqual(JSON.parse(store.text), [["b", "from two"]]);
});

test("the newest drafts are kept, and no more than there is room for", () => {
  const store = { text: "{broken", get: () => store.text, set: (text) => (store.text = text) };
  const drafts = new Drafts(store);
  drafts.keep(Array.from({ length: 60 }, (_, at) => [`room ${at}`, "x"]));
  const places = () => JSON.parse(store.text).map(([place]) => place);
  assert.deepEqual([places().length, places()[0]], [50, "room 10"]);
  drafts.keep([["long", "x".repeat(60_000)], ["longer", "y".repeat(60_000)]]);
  assert.deepEqual(places(), ["longer"]);
});
