// Whatever the network does: no event is lost, doubled or out of order, over sockets, over HTTP, and from one to the other.

import assert from "node:assert/strict";
import test from "node:test";

import { world } from "./support.mjs";
import "../../../sanic_chatrooms/web/static/client-http.js"; // loaded before the clock stands still
import { random, Server } from "./weather.mjs";

const ROOMS = ["tea", "den", "pub"];
const SEEDS = process.env.THOROUGH ? Array.from({ length: 60 }, (_, n) => n) : [1, 5, 7];

/** What one sees of a room: the numbers of its events, each right after the one before, since the last page. */
class Seen {
  constructor() {
    this.to = null;
    this.texts = [];
  }

  page({ recovered, seq, messages }) {
    if (recovered) return;
    this.to = seq;
    this.texts = messages.map(({ payload }) => payload.text);
  }

  event({ room, seq, payload }) {
    assert.equal(seq, this.to + 1, `${room} ${seq} after ${this.to}`);
    this.to = seq;
    this.texts.push(payload.text);
  }
}

async function live(t, seed) {
  const next = random(seed);
  const pick = (things) => things[Math.floor(next() * things.length)];
  const server = new Server(next, ROOMS);
  const page = new EventTarget();
  page.visibilityState = "visible";
  globalThis.document = page;
  t.after(() => delete globalThis.document);
  const url = `ws://host/chat/ws${pick(["", "/tea"])}`;
  const it = world(t, { url, api: undefined, WebSocket: server.WebSocket, fetch: server.fetch, random: next, token: "t" });
  const { chat, clock } = it;
  const problems = [];
  const seen = new Map(ROOMS.map((room) => [room, new Seen()]));
  const careful = (act) => {
    try {
      act();
    } catch (error) {
      problems.push(error.message);
    }
  };
  chat.on("joined", (ack) => careful(() => seen.get(ack.room).page(ack)));
  chat.on("message", (event) => careful(() => seen.get(event.room).event(event)));
  chat.connect().catch(() => {});
  for (const room of url.endsWith("tea") ? ["den", "pub"] : ROOMS) chat.join(room, { history: pick([0, 20]) }).catch(() => {});
  let said = 0;
  const sent = [];
  const acts = [
    () => chat.look(pick(ROOMS)),
    () => sent.push({ epoch: server.epoch, text: `me ${++said}`, ...chat.send(pick(ROOMS), `me ${said}`) }),
    () => server.cut(),
    () => (server.sockets = !server.sockets),
    () => (server.http = next() < 0.7),
    () => (server.streams = next() < 0.6),
    () => (server.loses = pick([0, 0, 0.1, 0.4])),
    () => (server.slowest = pick([0.1, 0.3, 3, 12])),
    () => next() < 0.2 && server.restart(),
    () => chat.reconnectNow(),
    () => {
      page.visibilityState = page.visibilityState === "visible" ? "hidden" : "visible";
      page.dispatchEvent(new Event("visibilitychange"));
    },
    () => void chat.join(pick(ROOMS)).catch(() => {}),
    () => (pace = pick([0.2, 1, 5, 40])),
    () => clock.advance(130),
  ];
  const talk = () => {
    server.say(pick(ROOMS), `bob ${++said}`);
    talking = setTimeout(talk, next() * pace * 1000);
  };
  let pace = 0.5;
  let talking = setTimeout(talk, 1000);
  for (let n = 0; n < 60; n++) {
    await clock.advance(next() * 6);
    await pick(acts)();
  }
  clearTimeout(talking);
  Object.assign(server, { sockets: next() < 0.5, http: true, streams: next() < 0.5, loses: 0, slowest: 0.3 });
  await clock.advance(200);
  const transport = chat.status.transport;
  chat.disconnect();
  await clock.advance(0.001);
  clock.restore();
  return { server, seen, sent, problems, transport };
}

for (const seed of SEEDS) {
  test(`weather ${seed}`, { timeout: 60_000 }, async (t) => {
    const { server, seen, sent, problems, transport } = await live(t, seed);

    assert.deepEqual(problems, []);
    for (const [room, log] of server.logs) {
      const { to, texts } = seen.get(room);
      assert.equal(to, log.length, `${room} ends at ${log.length} over ${transport}`);
      assert.deepEqual(texts, log.slice(-texts.length).map(({ payload }) => payload.text));
      const own = log.map(({ payload }) => payload.text).filter((text) => text.startsWith("me "));
      assert.deepEqual(own, [...new Set(own)]);
    }
    const stored = [...server.logs.values()].flat().map(({ payload }) => payload.text);
    for (const { epoch, text } of sent) assert.ok(epoch < server.epoch || stored.includes(text), `${text} was lost`);
  });
}
