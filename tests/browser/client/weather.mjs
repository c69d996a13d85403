// A server with rooms, and a network before it that fails at random, but alike for the same seed.

const WELCOME = { sessionId: "s", protocol: 1, user: { id: "me", name: "Me", scopes: [] }, heartbeat: { interval: 30, timeout: 90 }, limits: {}, features: [] };

const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Numbers from 0 to below 1. */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `logs`: each room's events. `sockets`, `http`, `streams`: whether the network lets them through. `loses`: the share of requests that are lost. */
export class Server {
  sockets = false;
  http = true;
  streams = true;
  loses = 0;
  slowest = 0.3; // seconds on the way
  logs = new Map();
  epoch = 1;
  #random;
  #connected = new Set(); // sockets and streams: {tell(event), end()}
  #acks = new Map(); // by msgId

  constructor(random, rooms) {
    this.#random = random;
    for (const room of rooms) this.logs.set(room, []);
  }

  // ---- what happens in rooms ----

  /** An event of somebody; `msgId`: of the command that it answers. */
  say(room, text, msgId) {
    const seq = this.logs.get(room).length + 1;
    const sender = msgId ? WELCOME.user : { id: "u2", name: "Bob" };
    const event = { type: "message", room, seq, msgId: `${room} ${this.epoch} ${seq}`, timestamp: 1, sender, payload: { text } };
    if (msgId) event.clientMsgId = msgId;
    this.logs.get(room).push(event);
    for (const one of this.#connected) one.tell(event);
    return event;
  }

  cut() {
    for (const one of [...this.#connected]) one.end();
    this.#connected.clear();
  }

  /** It loses what it had, as a server without a database does. */
  restart() {
    this.cut();
    this.epoch += 1;
    for (const room of this.logs.keys()) this.logs.set(room, []);
  }

  #carryOut({ type, room, msgId, payload }) {
    if (type === "join") return this.#join(room, payload);
    if (type !== "message") return {};
    const stored = this.#acks.get(`${this.epoch} ${msgId}`);
    if (stored) return { ...stored, duplicate: true };
    const event = this.say(room, payload.text, msgId);
    const ack = { msgId: event.msgId, seq: event.seq, timestamp: 1, duplicate: false };
    this.#acks.set(`${this.epoch} ${msgId}`, ack);
    return ack;
  }

  #join(room, { since } = {}) {
    const log = this.logs.get(room);
    const recovered = since?.epoch === `e${this.epoch}` && since.seq <= log.length;
    const messages = recovered ? log.slice(since.seq) : log.slice(-5);
    return { room, epoch: `e${this.epoch}`, seq: log.length, recovered, messages, more: log.length > 5, role: "guest", title: "", online: 1 };
  }

  // ---- the network ----

  async #way() {
    await wait(this.#random() * this.slowest);
  }

  get #isLost() {
    return this.#random() < this.loses;
  }

  /** A class of sockets to this server. */
  get WebSocket() {
    const server = this;
    return class {
      constructor(url) {
        this.room = new URL(url).pathname.split("/")[3]; // that of the path
        this.at = new Map(); // the position in each room
        this.said = Promise.resolve();
        this.open();
      }

      async open() {
        await server.#way();
        if (!server.sockets || server.#isLost) return this.end();
        if (this.ended) return;
        server.#connected.add(this);
        this.onopen?.();
        this.frame({ type: "welcome", payload: WELCOME });
        if (this.room) this.carryOut({ type: "join", room: this.room, msgId: "join" });
      }

      /** Frames are told in their order. */
      frame(envelope) {
        const data = JSON.stringify({ timestamp: Date.now() / 1000, payload: {}, ...envelope });
        this.said = Promise.all([this.said, server.#way()]).then(() => this.ended || this.onmessage?.({ data }));
      }

      tell(event) {
        if (event.seq === this.at.get(event.room) + 1) this.at.set(event.room, event.seq);
        else return;
        this.frame(event);
      }

      async send(text) {
        const command = JSON.parse(text);
        await server.#way();
        if (!this.ended) this.carryOut(command);
      }

      carryOut(command) {
        const payload = server.#carryOut(command);
        if (command.type === "join") this.at.set(command.room, payload.seq);
        if (command.type === "exit") this.at.delete(command.room);
        if (command.type === "ping") this.frame({ type: "pong" });
        else this.frame({ type: "ack", replyTo: command.msgId, payload });
        if (command.type === "auth") this.frame({ type: "welcome", payload: WELCOME });
      }

      end() {
        if (this.ended) return;
        this.ended = true;
        this.onclose?.({ code: 1006, reason: "" });
      }

      close() {
        this.ended = true;
        server.#connected.delete(this);
      }
    };
  }

  fetch = async (url, { method = "GET", headers = {}, signal, body }) => {
    const isOver = new Promise((_, refuse) => signal?.addEventListener("abort", () => refuse(new DOMException("aborted", "AbortError"))));
    isOver.catch(() => {});
    if (signal?.aborted) throw new DOMException("aborted", "AbortError");
    return Promise.race([isOver, this.#answer(method, new URL(url), headers, signal, body)]);
  };

  async #answer(method, { pathname, searchParams }, headers, signal, body) {
    await this.#way();
    if (!this.http || this.#isLost) throw new TypeError("no network");
    const [what, room, events] = pathname.replace("/chat/api/", "").split("/");
    const answer = events && headers.Accept ? this.#stream(room, headers["Last-Event-ID"], signal) : this.#reply(what, room, searchParams, body && JSON.parse(body), headers);
    await this.#way();
    if (this.#isLost) throw new TypeError("the answer was lost");
    return answer;
  }

  #reply(what, room, query, body, headers) {
    const key = headers["Idempotency-Key"];
    if (key && !/^[\x21-\x7e]{16,64}$/.test(key)) return Response.json({ status: 400, code: "invalid_field", detail: "Idempotency-Key" }, { status: 400 });
    if (what === "welcome") return Response.json(WELCOME);
    if (what === "commands") return Response.json(this.#carryOut({ ...body, msgId: key }));
    if (what !== "rooms") return Response.json({});
    const [epoch, seq] = query.get("since").split(":");
    const log = this.logs.get(room);
    const now = { epoch: `e${this.epoch}`, seq: log.length };
    if (epoch !== now.epoch) return Response.json({ status: 410, code: "position_lost", detail: "lost", ...now }, { status: 410 });
    const page = log.slice(Number(seq), Number(seq) + 20);
    return Response.json({ events: page, more: Number(seq) + page.length < log.length, epoch, seq: Number(seq) + page.length });
  }

  #stream(room, since, signal) {
    const [epoch, seq] = since.split(":");
    let to;
    const body = new ReadableStream({ start: (controller) => (to = controller) });
    const one = {
      write: (text) => this.streams && !one.ended && to.enqueue(new TextEncoder().encode(text)),
      tell: (event) => event.room === room && one.write(`id: e${this.epoch}:${event.seq}\nevent: message\ndata: ${JSON.stringify(event)}\n\n`),
      end: () => (one.ended || (this.#random() < 0.5 ? to.close() : to.error(new TypeError("cut"))), (one.ended = true)),
    };
    signal.addEventListener("abort", () => (one.ended || to.error(new DOMException("aborted", "AbortError")), (one.ended = true), this.#connected.delete(one)));
    one.write("retry: 2000\n\n: still here\n\n");
    const log = this.logs.get(room);
    if (epoch === `e${this.epoch}`) log.slice(Number(seq)).forEach(one.tell);
    else one.write(`event: reset\ndata: ${JSON.stringify({ type: "reset", room, payload: { room, epoch: `e${this.epoch}`, seq: log.length, reason: "position lost", rejoinIn: 0 } })}\n\n`);
    this.#connected.add(one);
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }
}
