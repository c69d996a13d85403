import assert from "node:assert/strict";
import test from "node:test";

import { message, settled, world } from "./support.mjs";

const texts = (commands) => commands.map(({ payload }) => payload.text);
const stored = (seq) => ({ msgId: `server-message-${seq}`, seq, timestamp: 1, duplicate: false });

/** Acks every message as it comes, n of them; -> their commands. */
async function storeAll(it, n) {
  for (let seq = 1; seq <= n; seq++) {
    await settled();
    it.socket.ack(it.socket.all("message")[seq - 1], stored(seq));
  }
  await settled();
  return it.socket.all("message");
}

test("send returns at once; the ack resolves it", async (t) => {
  const it = world(t);
  await it.start("a");
  it.watch("outbox");
  const { msgId, done } = it.chat.send("a", "hi");
  assert.deepEqual(it.seen, []);
  await settled();
  const [command] = it.socket.all("message");
  assert.deepEqual([command.msgId, command.room, command.payload], [msgId, "a", { text: "hi" }]);
  assert.match(msgId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  it.socket.ack(command, stored(1));

  assert.equal((await done).seq, 1);
  assert.deepEqual(it.seen.map(([, entry]) => entry.status), ["queued", "sending", "sent"]);
  assert.deepEqual(it.chat.outbox, []);
});

test("messages that were written offline are sent in order after the rejoin", async (t) => {
  const it = world(t);
  await it.start("a");
  it.socket.shut(1006);
  for (const text of ["one", "two", "three"]) it.chat.send("a", text);
  await it.clock.advance(1);
  assert.deepEqual(it.chat.outbox.map(({ body, status }) => body.text + " " + status), ["one queued", "two queued", "three queued"]);
  await it.welcome();
  assert.equal(it.socket.all("message").length, 0);
  it.socket.joined("a", { recovered: true });

  assert.deepEqual(texts(await storeAll(it, 3)), ["one", "two", "three"]);
  assert.deepEqual(it.chat.outbox, []);
});

test("a message that was being sent when the connection broke is sent again under its msgId, before later ones", async (t) => {
  const it = world(t);
  await it.start("a");
  const first = it.chat.send("a", "one");
  await settled();
  it.chat.send("a", "two");
  await it.reconnect();
  it.socket.joined("a", { recovered: true });
  const again = await storeAll(it, 2);

  assert.deepEqual(texts(again), ["one", "two"]);
  assert.equal(again[0].msgId, first.msgId);
});

test("our own message is not sent again if it was recovered", async (t) => {
  const it = world(t);
  await it.start("a");
  const { msgId, done } = it.chat.send("a", "one");
  await settled();
  await it.reconnect();
  const own = { clientMsgId: msgId, sender: { id: "guest-1", name: "Guest 1" } };
  it.socket.joined("a", { seq: 1, recovered: true, messages: [message("a", 1, "one", own)] });
  await settled();

  assert.equal((await done).seq, 1);
  assert.equal(it.socket.all("message").length, 0);
});

test("somebody else's event with our msgId confirms nothing", async (t) => {
  const it = world(t);
  await it.start("a");
  const { msgId } = it.chat.send("a", "one");
  await settled();
  it.socket.says(message("a", 1, "forged", { clientMsgId: msgId }));

  assert.equal(it.chat.outbox.length, 1);
});

test("unavailable is repeated under the same msgId, and later messages of the room wait for it", async (t) => {
  const it = world(t);
  await it.start("a", "b");
  it.chat.send("a", "one");
  it.chat.send("a", "two");
  await settled();
  it.socket.refuse(it.socket.last("message"), "unavailable");
  it.chat.send("b", "elsewhere");
  await settled();
  assert.deepEqual(texts(it.socket.all("message")), ["one", "elsewhere"]);
  await it.clock.advance(2);
  const [one, , again] = it.socket.all("message");
  assert.equal(again.msgId, one.msgId);
  it.socket.ack(again, stored(1));
  await settled();

  assert.deepEqual(texts(it.socket.all("message")), ["one", "elsewhere", "one", "two"]);
});

test("a message that came too fast is sent again when the server says, and later ones of the room wait for it", async (t) => {
  const it = world(t);
  await it.start("a");
  const { msgId } = it.chat.send("a", "one");
  it.chat.send("a", "two");
  await settled();
  it.socket.refuse(it.socket.last("message"), "rate_limited", { retryAfter: 3, limit: "message" });
  await settled();
  assert.deepEqual([it.chat.outbox[0].status, it.chat.outbox[0].error.code], ["queued", "rate_limited"]);
  await it.clock.advance(2.9);
  assert.deepEqual(texts(it.socket.all("message")), ["one"]);
  await it.clock.advance(0.2);
  assert.equal(it.socket.last("message").msgId, msgId);
  it.socket.ack(it.socket.last("message"), stored(1));
  await settled();

  assert.deepEqual(texts(it.socket.all("message")), ["one", "one", "two"]);
});

test("what waits for a rule of the room is sent as soon as the rules change", async (t) => {
  const it = world(t);
  await it.start("a");
  it.chat.send("a", "one");
  await settled();
  it.socket.refuse(it.socket.last("message"), "rate_limited", { retryAfter: 30, limit: "slowMode" });
  await settled();
  it.socket.says({ type: "room.updated", room: "a", seq: 1, payload: { slowMode: 0 } });
  await settled();

  assert.deepEqual(texts(it.socket.all("message")), ["one", "one"]);
});

test("an edit that would have to wait for longer than half a minute fails at once", async (t) => {
  const it = world(t);
  await it.start("a");
  const done = it.chat.edit("a", "m1", "better");
  await settled();
  it.socket.refuse(it.socket.last("message.edit"), "rate_limited", { retryAfter: 600, limit: "change" });

  await assert.rejects(done, { code: "rate_limited", retryAfter: 600 });
});

test("a command without an answer is repeated, and a late answer to the first attempt counts", async (t) => {
  const it = world(t);
  await it.start("a");
  const { done } = it.chat.send("a", "one");
  await it.clock.advance(12);
  const [one, again] = it.socket.all("message");
  assert.equal(again.msgId, one.msgId);
  it.socket.ack(one, stored(1));

  assert.equal((await done).seq, 1);
});

test("pauses between attempts grow up to a limit", async (t) => {
  const it = world(t, { random: () => 1 });
  await it.start("a");
  it.chat.send("a", "one");
  for (const pause of [1.5, 2.5, 4.5, 8.5, 16.5, 30.5, 30.5]) {
    await settled();
    it.socket.says({ type: "pong" });
    const sent = it.socket.all("message").length;
    it.socket.refuse(it.socket.last("message"), "unavailable");
    for (let left = pause - 0.1; left > 0; left -= 10) {
      await it.clock.advance(Math.min(left, 10));
      it.socket.says({ type: "pong" });
    }
    assert.equal(it.socket.all("message").length, sent);
    await it.clock.advance(0.2);
    assert.equal(it.socket.all("message").length, sent + 1);
  }
});

test("another error fails the message and does not delay the next one", async (t) => {
  const it = world(t);
  await it.start("a");
  const { msgId, done } = it.chat.send("a", "one");
  it.chat.send("a", "two");
  await settled();
  it.socket.refuse(it.socket.last("message"), "muted", { until: 99 });
  await assert.rejects(done, (error) => error.code === "muted" && error.details.until === 99);
  assert.deepEqual(texts(it.socket.all("message")), ["one", "two"]);
  assert.deepEqual([it.chat.outbox[0].msgId, it.chat.outbox[0].status], [msgId, "failed"]);
});

test("retry sends a failed message under the same msgId, and discard removes it", async (t) => {
  const it = world(t);
  await it.start("a");
  const { msgId } = it.chat.send("a", "one");
  await settled();
  assert.equal(it.chat.discard(msgId), false);
  it.socket.refuse(it.socket.last("message"), "muted");
  const again = it.chat.retry(msgId);
  await settled();
  assert.equal(it.socket.last("message").msgId, msgId);
  it.socket.refuse(it.socket.last("message"), "forbidden");
  await assert.rejects(again.done, { code: "forbidden" });
  assert.equal(it.chat.discard(msgId), true);

  assert.deepEqual(it.chat.outbox, []);
  assert.equal(it.chat.retry(msgId), null);
});

test("a queued message can be discarded", async (t) => {
  const it = world(t);
  await it.start("a");
  it.socket.shut(1006);
  const { msgId, done } = it.chat.send("a", "one");
  assert.equal(it.chat.discard(msgId), true);

  await assert.rejects(done, { code: "discarded" });
  await settled();
  assert.deepEqual(it.chat.outbox, []);
});

test("a message with not_a_member waits for the rejoin after a reset, and fails in a room that was never joined", async (t) => {
  const it = world(t);
  await it.start("a");
  it.chat.send("a", "one");
  await settled();
  it.socket.says({ type: "reset", room: "a", payload: { room: "a", rejoinIn: 0 } });
  it.socket.refuse(it.socket.last("message"), "not_a_member");
  await it.clock.advance(0);
  it.socket.joined("a", { recovered: true });
  await it.clock.advance(2);
  assert.deepEqual(texts(it.socket.all("message")), ["one", "one"]);
  const { done } = it.chat.send("elsewhere", "two");
  await settled();
  it.socket.refuse(it.socket.last("message"), "not_a_member");

  await assert.rejects(done, { code: "not_a_member" });
});

test("a message too large for the server fails without being sent", async (t) => {
  const it = world(t);
  await it.start("a");
  const { done } = it.chat.send("a", "x".repeat(70_000));

  await assert.rejects(done, { code: "too_large" });
  assert.equal(it.socket.all("message").length, 0);
});

test("close 1009 fails the largest message that was being sent", async (t) => {
  const it = world(t);
  await it.start("a", "b");
  const small = it.chat.send("a", "x");
  const big = it.chat.send("b", "x".repeat(1000));
  await settled();
  it.socket.shut(1009);

  await assert.rejects(big.done, { code: "too_large" });
  assert.deepEqual(it.chat.outbox.map(({ msgId, status }) => [msgId, status]), [[small.msgId, "queued"], [big.msgId, "failed"]]); // prettier-ignore
});

test("direct messages to one person keep their order, before their room is known", async (t) => {
  const it = world(t);
  await it.start();
  it.chat.direct("u2", "one");
  it.chat.direct("u2", "two");
  await settled();
  assert.deepEqual(it.socket.all("direct").map(({ payload }) => payload), [{ to: "u2", body: { text: "one" } }]);
  it.socket.ack(it.socket.last("direct"), { room: "~direct.x", ...stored(1) });

  assert.equal(it.socket.all("direct").length, 2);
});

test("edits and reactions are repeated under their msgId", async (t) => {
  const it = world(t);
  await it.start("a");
  const edit = it.chat.edit("a", "server-message-1", "better");
  await settled();
  const first = it.socket.last("message.edit");
  assert.deepEqual(first.payload, { msgId: "server-message-1", body: { text: "better" } });
  await it.reconnect();
  it.socket.joined("a", { recovered: true });
  assert.equal(it.socket.last("message.edit").msgId, first.msgId);
  it.socket.ack(it.socket.last("message.edit"), { seq: 3, duplicate: true });
  assert.equal((await edit).seq, 3);
  const react = it.chat.react("a", "server-message-1", "👍", false);
  await settled();
  it.socket.refuse(it.socket.last("reaction.remove"), "unavailable");
  await it.clock.advance(2);
  it.socket.ack(it.socket.last("reaction.remove"), { seq: 4, duplicate: false });

  assert.equal((await react).seq, 4);
  assert.deepEqual(it.chat.outbox, []);
});

test("an edit with an unknown outcome is given up after a while", async (t) => {
  const it = world(t);
  await it.start("a");
  it.socket.shut(1006);
  const check = assert.rejects(it.chat.edit("a", "server-message-1", "better"), { code: "timeout" });
  await it.clock.advance(31);
  await check;

  assert.deepEqual(it.chat.outbox, []);
});

test("a refused edit rejects and leaves the outbox", async (t) => {
  const it = world(t);
  await it.start("a");
  const gone = it.chat.delete("a", "server-message-1");
  await settled();
  it.socket.refuse(it.socket.last("message.delete"), "message_not_found");

  await assert.rejects(gone, { code: "message_not_found" });
  assert.deepEqual(it.chat.outbox, []);
});

test("createRoom is repeated under one msgId, so that one room is created", async (t) => {
  const it = world(t);
  await it.start();
  const making = it.chat.createRoom({ title: "Tea" });
  await settled();
  const first = it.socket.last("room.create");
  assert.deepEqual([first.room, first.payload], [undefined, { title: "Tea" }]);
  it.socket.shut(1006);
  await it.clock.advance(1);
  await it.welcome();
  assert.equal(it.socket.last("room.create").msgId, first.msgId);
  it.socket.ack(it.socket.last("room.create"), { room: "r1", duplicate: true });

  assert.equal((await making).room, "r1");
});

test("disconnect keeps the outbox for the next connect", async (t) => {
  const it = world(t);
  await it.start("a");
  it.chat.send("a", "one");
  await settled();
  it.chat.disconnect();
  assert.deepEqual(it.chat.outbox.map(({ status }) => status), ["queued"]);
  it.chat.connect();
  await it.welcome();
  it.socket.joined("a", { recovered: true });

  assert.deepEqual(texts(it.socket.all("message")), ["one"]);
});

test("ids are created without randomUUID", async (t) => {
  const it = world(t);
  const real = globalThis.crypto;
  Object.defineProperty(globalThis, "crypto", { value: { getRandomValues: (a) => real.getRandomValues(a) }, configurable: true });
  t.after(() => Object.defineProperty(globalThis, "crypto", { value: real, configurable: true }));

  assert.match(it.chat.send("a", "x").msgId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("our own event tells how many react, as the ack does", async (t) => {
  const it = world(t);
  await it.start("a");
  const reacted = it.chat.react("a", "m1", "👍");
  await settled();
  const { msgId } = it.socket.last("reaction.add");
  const payload = { msgId: "m1", seq: 1, emoji: "👍", user: it.chat.user, count: 3 };
  it.socket.says({ type: "reaction.added", room: "a", seq: 1, msgId: "server-1", clientMsgId: msgId, sender: it.chat.user, payload });

  assert.equal((await reacted).count, 3);
});

test("a message of an earlier page is sent under its id, in its place, and only once", async (t) => {
  const it = world(t);
  await it.start("a");
  it.watch("outbox");
  const entry = { msgId: "11111111-1111-4111-8111-111111111111", type: "message", room: "a", body: { text: "old" }, createdAt: 7 };
  const { msgId, done } = it.chat.restore(entry);
  assert.equal(it.chat.restore(entry), null);
  it.chat.send("a", "new");
  const sent = await storeAll(it, 2);

  assert.deepEqual([msgId, sent[0].msgId, (await done).seq], [entry.msgId, entry.msgId, 1]);
  assert.deepEqual(texts(sent), ["old", "new"]);
  assert.equal(it.seen[0][1].createdAt, 7);
});

test("one that has failed waits for retry, and a direct one goes to its user", async (t) => {
  const it = world(t);
  await it.start("a");
  const error = Object.assign(new Error("no"), { code: "forbidden", details: {} });
  const failed = it.chat.restore({ msgId: "failed-message-1234", type: "message", room: "a", body: { text: "again" }, createdAt: 7, error });
  await assert.rejects(failed.done, { code: "forbidden" });
  assert.deepEqual(it.chat.outbox.map(({ status }) => status), ["failed"]);
  it.chat.restore({ msgId: "direct-message-1234", type: "direct", to: "u2", body: { text: "hi" }, createdAt: 7 });
  await settled();

  assert.deepEqual(it.socket.last("direct").payload, { to: "u2", body: { text: "hi" } });
  it.chat.retry(failed.msgId);
  await settled();
  assert.equal(it.socket.last("message").msgId, failed.msgId);
});
