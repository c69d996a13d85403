// Over HTTP one room comes as a stream: the one in front, which the user looks at.

import assert from "node:assert/strict";
import test from "node:test";

import { answers, fail, join, online, ready, rest, silent, streamsOf } from "./over-http.mjs";
import { settled, world } from "./support.mjs";

/** The connection over HTTP is lost and comes back, with all rooms joined again. */
async function comeBack(it, its, rooms) {
  its.refuse = () => Promise.reject(new TypeError("no network"));
  await it.clock.advance(3);
  assert.equal(it.chat.state, "reconnecting");
  its.refuse = null;
  its.asked.length = 0;
  await it.redial();
  await ready(() => rooms.every((room) => it.chat.isJoined(room)));
  await settled();
}

const sent = (body) => JSON.parse(body ?? "{}");

test("after a reconnect the room in front gets the stream again, and no other", async (t) => {
  const its = rest(silent);
  const it = await online(t, its);
  await join(it, "tea", "den", "pub");
  await it.chat.send("tea", "hi").done;
  await comeBack(it, its, ["tea", "den", "pub"]);

  assert.deepEqual(streamsOf(its), ["tea"]);
});

test("the room that was used last over sockets gets the stream over HTTP", async (t) => {
  for (const use of [(chat) => chat.send("tea", "hi"), (chat) => chat.history("tea"), (chat) => chat.read("tea", 1), (chat) => chat.typing("tea"), (chat) => chat.look("tea")]) {
    const its = rest(silent);
    const it = world(t, { api: undefined, fetch: its.fetch });
    await it.start("tea", "den", "pub");
    use(it.chat)?.catch?.(() => {});
    it.socket.shut(1006);
    await it.redial();
    await fail(it, 3);
    await ready(() => it.chat.isJoined("tea") && it.chat.isJoined("den") && it.chat.isJoined("pub"));
    await settled();

    assert.deepEqual(streamsOf(its), ["tea"]);
    it.chat.disconnect();
    it.clock.restore();
  }
});

test("until the room in front may be joined again, the one before it has the stream", async (t) => {
  const its = rest(silent);
  const it = await online(t, its);
  await join(it, "tea", "den", "pub");
  it.chat.look("den");
  it.chat.look("tea");
  const busy = answers({ status: 429, code: "rate_limited", detail: "slow down", retryAfter: 5, temporary: true }, 429);
  its.refuse = () => Promise.reject(new TypeError("no network"));
  await it.clock.advance(3);
  its.refuse = (url, headers, body) => (sent(body).type === "join" && sent(body).room === "tea" ? busy.clone() : null);
  its.asked.length = 0;
  await it.redial();
  await ready(() => it.chat.isJoined("pub") && streamsOf(its).length);
  assert.deepEqual(streamsOf(its), ["den"]);
  its.refuse = null;
  await it.clock.advance(5);
  await ready(() => it.chat.isJoined("tea"));
  await settled();

  assert.deepEqual(streamsOf(its), ["den", "tea"]);
});

test("the room in front keeps the stream while others are joined in the background, and while one cannot be joined", async (t) => {
  const its = rest(silent);
  const it = await online(t, its);
  await join(it, "tea");
  its.refuse = (url, headers, body) => (sent(body).room === "den" ? answers({ status: 404, code: "room_not_found", detail: "no" }, 404) : null);
  await it.chat.join("pub", { history: 0 });
  await assert.rejects(it.chat.join("den"), { code: "room_not_found" });
  await it.clock.advance(6);

  assert.deepEqual(streamsOf(its), ["tea"]);
});

test("when the room in front is left, the one that was used before it gets the stream", async (t) => {
  const its = rest(silent);
  const it = await online(t, its);
  await join(it, "tea", "den", "pub");
  it.chat.look("tea");
  it.chat.look("den");
  await it.clock.advance(3);
  its.asked.length = 0;
  await it.chat.leave("den");
  await settled();

  assert.deepEqual(streamsOf(its), ["tea"]);
});
