// REST in memory, and a client that goes on over it because no WebSocket gets through.

import { settled, world } from "./support.mjs";

export const answers = (body, status = 200) => new Response(JSON.stringify(body), { status });
export const WELCOME = { user: { id: "guest-1", name: "Guest 1", scopes: [] }, heartbeat: { interval: 30, timeout: 90 }, features: [], guestToken: "g.t.1" };

/** Waits without a clock: modules are loaded meanwhile. */
export async function ready(what) {
  while (!what()) await settled();
}

/** Lets so many sockets fail. */
export async function fail(it, times) {
  for (let n = 0; n < times; n++) {
    await settled();
    const socket = it.socket;
    socket.shut(1006);
    if (n < times - 1) await it.redial();
  }
  await it.redial();
}

/** REST of rooms with the same events, in memory. `stream(headers, signal)` answers a request for a stream; `rest.refuse(url, headers, body)` any
 * request, if it returns something. */
export function rest(stream) {
  const its = { guestToken: WELCOME.guestToken, asked: [], epoch: "e1", seq: 0, events: [] };
  its.fetch = async (url, { method = "GET", headers, signal, body }) => {
    its.asked.push(`${method} ${url.replace("http://host/chat/api/", "")}`);
    const refused = await its.refuse?.(url, headers, body);
    if (refused) return refused;
    if (headers.Accept) return stream(headers, signal);
    if (url.endsWith("/welcome") || url.endsWith("/me")) return answers({ ...WELCOME, guestToken: its.guestToken });
    const { epoch, seq } = its;
    const { room, payload: { since } = {} } = JSON.parse(body ?? "{}");
    const join = { room, epoch, seq, recovered: since?.epoch === epoch, messages: [], more: false, role: "guest", title: "", online: 1 };
    if (url.endsWith("/commands")) return answers(join);
    const [asked, after] = decodeURIComponent(url).split("since=")[1].split(":");
    if (asked !== epoch) return answers({ status: 410, code: "position_lost", detail: "lost", epoch, seq }, 410);
    return answers({ events: its.events.filter((event) => event.seq > Number(after)), more: false, epoch, seq });
  };
  return its;
}

export const said = (seq, text) => ({ type: "message", room: "tea", seq, msgId: `m${seq}`, timestamp: 1, payload: { text }, sender: { id: "u2", name: "Bob" } });
export const held = (_, signal) => new Promise((_, refuse) => signal.addEventListener("abort", () => refuse(new Error("aborted"))));

/** A stream that says that it is there, and nothing more. */
export const silent = () => streamed(new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode(": here\n\n")) }));
export const streamed = (body) => new Response(body, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
export const streamsOf = (its) => its.asked.map((what) => /^GET rooms\/(\w+)\/events$/.exec(what)?.[1]).filter(Boolean);

export async function online(t, its, options = {}) {
  const it = world(t, { api: undefined, fetch: its.fetch, ...options });
  it.chat.connect().catch(() => {});
  await fail(it, 3);
  await ready(() => it.chat.state === "online");
  return it;
}

export async function join(it, ...rooms) {
  for (const room of rooms) {
    it.chat.join(room).catch(() => {});
    await ready(() => it.chat.isJoined(room));
  }
}

export async function overHttp(t, its, ...types) {
  const it = await online(t, its);
  it.watch(...types);
  await join(it, "tea");
  return it;
}
