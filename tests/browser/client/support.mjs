// A clock that tests control, and a socket whose server end they play.

import { ChatRooms } from "../../../sanic_chatrooms/web/static/client.js";

/** Lets everything run that is ready to run. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Replaces setTimeout, performance.now and Date.now until `restore`. Promises settle between two timers, as in a browser. */
class Clock {
  #now = 1_700_000_000_000;
  #stepped = 0; // how far somebody has set the wall clock
  set = 0; // how many timers were set so far
  #timers = new Map();
  #next = 1;
  #real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, now: Date.now };

  constructor() {
    globalThis.setTimeout = (run, ms, ...rest) => {
      const fn = () => run(...rest); // Node's own fetch gives its timers arguments
      this.set++;
      // As in a browser: what does not fit into 31 bits runs at once.
      this.#timers.set(this.#next, { at: this.#now + (ms > 2 ** 31 - 1 ? 0 : Math.max(ms, 0)), fn });
      return this.#next++;
    };
    globalThis.clearTimeout = (id) => this.#timers.delete(id);
    Date.now = () => this.#now + this.#stepped;
    performance.now = () => this.#now - 1_699_999_000_000; // hides the one of the prototype
  }

  /** Set the wall clock: by this many seconds, with no time passing. */
  step(seconds) {
    this.#stepped += seconds * 1000;
  }

  async advance(seconds) {
    const end = this.#now + seconds * 1000;
    await settled();
    for (let due = this.#due(end); due; due = this.#due(end)) {
      const [id, timer] = due;
      this.#now = Math.max(this.#now, timer.at);
      this.#timers.delete(id);
      timer.fn();
      await settled();
    }
    this.#now = end;
  }

  #due(end) {
    return [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
  }

  get pending() {
    return this.#timers.size;
  }

  restore() {
    Object.assign(globalThis, { setTimeout: this.#real.setTimeout, clearTimeout: this.#real.clearTimeout });
    Date.now = this.#real.now;
    delete performance.now;
  }
}

class FakeSocket {
  sent = [];
  closedWith = null;

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code ?? 1005;
  }

  // ---- what the server does ----

  accept() {
    this.onopen();
  }

  welcome(payload = {}) {
    const user = { id: "guest-1", name: "Guest 1", scopes: [] };
    const limits = { maxFrame: 65536, maxText: 16000, maxRooms: 128, historyPage: 50 };
    const heartbeat = { interval: 30, timeout: 90 };
    const standard = { sessionId: "s", user, protocol: 1, heartbeat, limits, features: ["reactions", "unread", "search"], guestToken: "guest.token" };
    this.says({ type: "welcome", payload: { ...standard, ...payload } });
  }

  says(envelope) {
    this.onmessage({ data: JSON.stringify({ timestamp: Date.now() / 1000, payload: {}, ...envelope }) });
  }

  shut(code, reason = "because") {
    this.onclose({ code, reason });
  }

  ack(command, payload = {}) {
    this.says({ type: "ack", replyTo: command.msgId, payload });
  }

  refuse(command, code, more = {}) {
    const temporary = ["unavailable", "rate_limited"].includes(code);
    this.says({ type: "error", replyTo: command.msgId, payload: { code, message: code, temporary, ...more } });
  }

  // ---- what the client did ----

  all(type) {
    return this.sent.filter((command) => command.type === type);
  }

  last(type) {
    return this.all(type).at(-1);
  }

  joined(room, more = {}) {
    const join = this.all("join").findLast((command) => command.room === room);
    const ack = { room, epoch: "e1", seq: 0, recovered: false, messages: [], more: false, role: "guest", title: "", online: 1 };
    this.ack(join, { ...ack, ...more });
    return join;
  }
}

/** A stored message as it travels. */
export function message(room, seq, text = `text ${seq}`, more = {}) {
  return { type: "message", room, seq, msgId: `server-message-${seq}`, payload: { text }, sender: { id: "u2", name: "Bob" }, ...more };
}

/** A client with a fake world around it. `t.after` puts the real one back. */
export function world(t, options = {}) {
  const clock = new Clock();
  const sockets = [];
  const seen = [];
  class WebSocket extends FakeSocket {
    constructor(url, protocols) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const kept = new Map();
  const storage = { get: (key) => kept.get(key), set: (key, value) => kept.set(key, value), remove: (key) => kept.delete(key) };
  const fetch = async () => {
    throw new TypeError("there is no network in tests");
  };
  const chat = new ChatRooms({ url: "ws://host/chat/ws", WebSocket, fetch, storage, random: () => 0.5, api: null, ...options });
  t.after(() => {
    chat.disconnect();
    clock.restore();
  });
  return {
    chat, clock, sockets, seen, kept, WebSocket, storage,
    get socket() {
      return sockets.at(-1);
    },
    /** Collects these events in `seen`, as [type, event]. */
    watch(...types) {
      for (const type of types) chat.on(type, (event) => seen.push([type, event]));
    },
    /** Opens the newest socket as far as welcome. */
    async welcome(payload) {
      await settled();
      this.socket.accept();
      this.socket.welcome(payload);
      await settled();
    },
    /** Connects and joins rooms at seq 0. */
    async start(...rooms) {
      chat.connect();
      await this.welcome();
      for (const room of rooms) {
        chat.join(room);
        this.socket.joined(room);
      }
      await settled();
    },
    /** Waits until the next attempt begins. */
    async redial() {
      await clock.advance(chat.status.retryIn + 0.001); // fractions of seconds do not add up exactly
    },
    /** Loses the connection and has the next one as far as welcome. */
    async reconnect(code = 1006) {
      this.socket.shut(code);
      await this.redial();
      await this.welcome();
    },
  };
}
