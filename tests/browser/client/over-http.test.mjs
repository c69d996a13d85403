// The client over HTTP, against servers, proxies and pages that do not do what they should.

import assert from "node:assert/strict";
import test from "node:test";

import { answers, held, join, online, overHttp, ready, rest, said, silent, streamed, streamsOf } from "./over-http.mjs";
import { settled } from "./support.mjs";

const event = (envelope, id = "") => `${id}event: ${envelope.type}\ndata: ${JSON.stringify(envelope)}\n\n`;
const durable = (seq, text) => event(said(seq, text), `id: e1:${seq}\n`);
const asked = (its, room) => its.asked.filter((what) => what.startsWith(`GET rooms/${room}/events?`)).length;
const html = () => new Response("<!DOCTYPE html>\n\n<p>Sign in to this network</p>\n\n", { headers: { "Content-Type": "text/html" } });

test("a room whose stream is an answer of something else is asked, and the stream seldom tried again", async (t) => {
  for (const stream of [html, () => streamed("")]) {
    const its = rest(stream);
    const it = await overHttp(t, its, "message");
    Object.assign(its, { seq: 1, events: [said(1, "hi")] });
    await it.clock.advance(6);
    assert.deepEqual(it.seen.map(([, { payload }]) => payload.text), ["hi"]);
    await it.clock.advance(130);

    assert.equal(streamsOf(its).length, 3);
    assert.equal(it.chat.state, "online");
    it.chat.disconnect();
    it.clock.restore();
  }
});

test("a stream that was held back is tried again, and comes through", async (t) => {
  const its = rest((_, signal) => (streamsOf(its).length > 1 ? silent() : held(_, signal)));
  const it = await overHttp(t, its);
  await it.clock.advance(8 + 60);
  await settled();
  its.asked.length = 0;
  await it.clock.advance(20);

  assert.deepEqual([streamsOf(its).length, asked(its, "tea")], [0, 0]);
});

test("frames of a stream that make no sense lose nothing that comes with them", async (t) => {
  const junk = ["data: \n\n", "data: null\n\n", "data: {\n\n", "data: 5\n\n", event({ type: "room.added" }), event({ type: "closing", payload: null }), event({ type: "message", payload: null }), "id: e1:x\n\n"];
  const from = [];
  const its = rest((headers) => {
    from.push(headers["Last-Event-ID"]);
    const n = from.length;
    return streamed(n <= junk.length ? durable(n, `text ${n}`) + junk[n - 1] + durable(n + 1, `text ${n + 1}`) : "");
  });
  const it = await overHttp(t, its, "message");
  await it.clock.advance(30);

  assert.deepEqual(it.seen.filter(([, { seq }]) => seq).map(([, { seq }]) => seq), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(it.chat.state, "online");
});

test("a page that promises more and brings nothing is not asked for at once", async (t) => {
  const its = rest(held);
  const it = await overHttp(t, its);
  its.refuse = (url) => (url.includes("since=") ? answers({ events: [], more: true, epoch: "e1", seq: 0 }) : null);
  await it.clock.advance(8 + 30);

  assert.ok(asked(its, "tea") <= 13, `${asked(its, "tea")} questions`);
});

test("a client that is closed by what it hears leaves nothing behind", async (t) => {
  const its = rest(() => streamed(new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode(durable(1, "one") + durable(2, "two"))) })));
  const it = await online(t, its);
  const heard = [];
  it.chat.on("message", ({ seq }) => (heard.push(seq), it.chat.disconnect()));
  it.chat.join("tea").catch(() => {});
  await ready(() => heard.length);
  await settled();

  assert.deepEqual([heard, it.clock.pending], [[1], 0]);
});

test("commands about a room take effect in their order", async (t) => {
  const its = rest(silent);
  const it = await overHttp(t, its);
  const order = [];
  let go;
  its.refuse = async (url, headers, body) => {
    const { type, room } = JSON.parse(body ?? "{}");
    if (type === "leave") await new Promise((resolve) => (go = resolve));
    if (type) order.push(`${type} ${room}`);
    return null;
  };
  it.chat.leave("tea").catch(() => {});
  await ready(() => go);
  const back = it.chat.request("join", { room: "tea" });
  const elsewhere = it.chat.request("history", { room: "den" });
  await elsewhere;
  go();
  await back;

  assert.deepEqual(order, ["history den", "leave tea", "join tea"]);
});
