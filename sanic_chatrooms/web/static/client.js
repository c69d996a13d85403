// The browser client of sanic_chatrooms (typed and described in client.d.ts; the wire: docs/reference/protocol.md).
//
// Parts, from the wire up: Link (one socket at a time, back-off, heartbeat, who we are), Calls (answers to commands),
// Table (rooms and positions: each event once and in order), Outbox (messages until they are stored), ChatRooms.
// Answers are handed on by callbacks, not promises: an event in the frame after an ack must find the ack applied.

const PROTOCOL = "chatrooms.v1";
const DIAL = 20; // seconds until welcome; longer than the server waits for `auth`, so that its reason reaches us
const PONG = 10; // seconds of silence after a ping by which the connection counts as dead
const HINT_PONG = 5; // the same after the browser hinted that something changed: it is probably right
const HELD = 5; // seconds after which a connection was a good one, and back-off begins anew
const REPEAT = 30; // seconds for which edits and the like are repeated
const TYPING = 3; // seconds between repeats; the server forgets after 6
const FINAL = new Set([1000, 1002, 1003, 1007, 1008]);
const CROWDED = new Set([1013, 4008, 4013]); // coming back at once would make it worse
const OWN_EVENTS = new Set(["state", "joined", "gap", "removed", "outbox", "user", "problem"]);
const SUBPROTOCOL = /^[\w!#$%&'*+.^`|~-]+$/; // RFC 7230 token: other characters make the browser throw

/** Why a promise was rejected; `code` is the server's, or timeout, lost, closed, discarded. */
export class ChatError extends Error {
  constructor(code, message, details = {}) {
    super(message || code);
    this.name = "ChatError";
    this.code = code;
    this.details = details;
    this.temporary = details.temporary ?? (code === "timeout" || code === "lost");
    this.retryAfter = details.retryAfter;
  }
}

/** Whether the rules of the protocol let a client come back after this close code. */
export function reconnects(code) {
  return code >= 4000 ? code < 4500 : !FINAL.has(code);
}

const lost = () => new ChatError("lost", "the connection broke before the answer came");
const closed = () => new ChatError("closed", "the client is closed; connect() opens it");
const unanswered = () => new ChatError("timeout", "no answer in time");
const now = () => Date.now() / 1000;
const noNetwork = () => globalThis.navigator?.onLine === false; // true proves nothing, false is reliable
const bodyOf = (body) => (typeof body === "string" ? { text: body } : body);

function newId() {
  // Pages over plain http have no randomUUID, except on localhost.
  if (globalThis.crypto.randomUUID) return globalThis.crypto.randomUUID();
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** A promise that nobody has to catch: what it tells is also told by an event. */
function deferred() {
  const it = {};
  it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }));
  it.promise.catch(() => {});
  return it;
}

function byteLength(text, enough) {
  return text.length * 3 <= enough ? text.length : new TextEncoder().encode(text).length;
}

function socketUrl(given) {
  const url = given ? new URL(given, globalThis.location?.href) : new URL("ws", import.meta.url);
  url.protocol = url.protocol.replace(/^http/, "ws");
  url.hash = "";
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError("the option url is needed here, for example ws://host/chat/ws");
  return url;
}

/** Storage or {get, set, remove} as one thing that never throws: private windows and full disks do. */
function keeper(given, prefix) {
  const memory = new Map();
  const attempt = (use) => {
    try {
      return use(given ?? globalThis.sessionStorage);
    } catch {
      return undefined;
    }
  };
  return {
    get: (key) => memory.get(key) ?? attempt((s) => (s.getItem ? s.getItem(prefix + key) : s.get(prefix + key))) ?? null,
    set: (key, value) => {
      memory.set(key, value);
      attempt((s) => (s.setItem ? s.setItem(prefix + key, value) : s.set(prefix + key, value)));
    },
    remove: (key) => {
      memory.delete(key);
      attempt((s) => (s.removeItem ? s.removeItem(prefix + key) : s.remove(prefix + key)));
    },
  };
}

/** Timers by name: setting one again replaces it. */
class Timers {
  #ids = new Map();

  after(name, seconds, fn) {
    this.clear(name);
    const fire = () => {
      this.#ids.delete(name);
      fn();
    };
    this.#ids.set(name, setTimeout(fire, seconds * 1000));
  }

  has(name) {
    return this.#ids.has(name);
  }

  clear(name) {
    clearTimeout(this.#ids.get(name));
    this.#ids.delete(name);
  }

  clearAll() {
    for (const name of [...this.#ids.keys()]) this.clear(name);
  }
}

class Listeners {
  #table = new Map();

  on(type, fn) {
    if (!this.#table.has(type)) this.#table.set(type, new Set());
    this.#table.get(type).add(fn);
  }

  off(type, fn) {
    this.#table.get(type)?.delete(fn);
  }

  emit(type, event) {
    for (const fn of [...(this.#table.get(type) ?? [])]) {
      try {
        fn(event);
      } catch (error) {
        console.error(`a listener of ${type} failed`, error); // the others, and our own state, must not suffer
      }
    }
  }
}

/** What we show to prove who we are: the host's token, or the one that the server gave to a guest. */
class Identity {
  #source;
  #kept;
  #token = null;
  #stale = true;
  #expiresAt = Infinity;

  constructor({ token, name, storage }, prefix) {
    this.#kept = keeper(storage, prefix);
    this.name = name ?? this.#kept.get("name");
    this.use(token ?? null);
  }

  use(source) {
    this.#source = source;
    this.#stale = true;
  }

  /** A string is all there is; a function can bring another one. */
  get renewable() {
    return typeof this.#source === "function";
  }

  /** {token, guest}: to be shown with the next connection; the token is null for a new guest. */
  async proof() {
    if (this.#stale || this.#expiresAt <= now()) await this.renew();
    if (this.#token) return { token: this.#token, guest: false };
    return { token: this.#kept.get("guestToken"), guest: true };
  }

  async renew() {
    this.#token = this.renewable ? await this.#source() : this.#source;
    this.#stale = false;
    this.#expiresAt = Infinity;
    return this.#token;
  }

  expired() {
    this.#stale = true;
  }

  learn({ expiresAt, guestToken }) {
    this.#expiresAt = expiresAt ?? Infinity;
    if (guestToken) this.#kept.set("guestToken", guestToken);
  }

  forgetGuest() {
    this.#kept.remove("guestToken");
  }

  rename(name) {
    this.name = name;
    this.#kept.set("name", name);
  }
}

/** One socket at a time, opened again and again by the rules until `close`. Tells `up` what happens. */
class Link {
  online = false;
  interval = 30;
  #up;
  #identity;
  #options;
  #timers = new Timers();
  #socket = null;
  #run = 0; // counts dials, so that a token that comes too late is not used
  #attempt = 0;
  #opened = false;
  #late = false; // show the token by `auth` instead of in the handshake
  #proof = null; // {token, guest, msgId?}: what we showed on this connection; with msgId until `auth` is answered
  #greeting = null; // a welcome as nobody in particular, while our `auth` is under way
  #onlineAt = 0;
  #heardAt = 0;
  #comeBackIn = null;

  constructor(options, identity, up) {
    this.#options = options;
    this.#identity = identity;
    this.#up = up;
    this.status = { state: "closed", retryAt: null, attempt: 0, code: null, reason: "" };
  }

  open() {
    this.#watchBrowser(true);
    this.#attempt = 0;
    this.#become("connecting", { code: null, reason: "" });
    this.#dial();
  }

  close() {
    this.#end(1000, "closed by this page");
  }

  send(text) {
    this.#socket.send(text);
  }

  comeBackIn(seconds) {
    this.#comeBackIn = Math.min(Math.max(Number(seconds) || 0, 0), 300);
  }

  reconnectNow() {
    if (this.#timers.has("wait")) this.#dial();
  }

  #become(state, more = {}) {
    this.status = { ...this.status, retryAt: null, attempt: this.#attempt, ...more, state };
    this.#up.changed(this.status);
  }

  // ---- opening ----

  async #dial() {
    const run = ++this.#run;
    this.#timers.clear("wait");
    if (this.status.state !== "connecting") this.#become(noNetwork() ? "offline" : "reconnecting");
    this.#opened = false;
    this.#timers.after("dial", DIAL, () => this.#drop("the server did not answer"));
    try {
      this.#proof = await this.#identity.proof();
    } catch (error) {
      if (run === this.#run) this.#up.problem("token", error);
      if (run === this.#run) this.#lost(1006, "the token callback failed");
      return;
    }
    if (run === this.#run) this.#connect();
  }

  #connect() {
    const { token } = this.#proof;
    const protocols = [PROTOCOL];
    if (token && !this.#late && SUBPROTOCOL.test(token)) protocols.push(`bearer.${token}`);
    let socket;
    try {
      socket = new this.#options.WebSocket(this.#options.url, protocols);
    } catch (error) {
      this.#end(1006, error.message); // mixed content, a forbidden port: trying again changes nothing
      return;
    }
    this.#socket = socket;
    socket.onopen = () => this.#begin(token && protocols.length === 1);
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
    socket.onerror = () => {}; // says nothing that close does not
  }

  #begin(authDue) {
    this.#opened = true;
    this.#late = false;
    if (!authDue) return;
    this.#proof.msgId = newId();
    const payload = { token: this.#proof.token };
    this.send(JSON.stringify({ type: "auth", msgId: this.#proof.msgId, payload }));
  }

  #hear(data) {
    this.#heardAt = now();
    this.#timers.clear("pong");
    let envelope;
    try {
      envelope = JSON.parse(data);
    } catch {
      return;
    }
    if (typeof envelope?.type !== "string") return;
    envelope.payload ??= {};
    if (!this.online && envelope.type === "welcome") this.#welcome(envelope);
    else if (!this.online && envelope.replyTo && envelope.replyTo === this.#proof.msgId) this.#proven(envelope);
    else this.#up.heard(envelope);
  }

  #welcome(envelope) {
    this.#greeting = envelope;
    if (this.#proof.msgId) return; // a guest's, which the server gives to those who showed nothing yet
    this.#timers.clear("dial");
    this.#greeting = this.#comeBackIn = null;
    this.online = true;
    this.#onlineAt = now();
    this.#up.introduce(envelope.payload);
    this.interval = envelope.payload.heartbeat?.interval ?? 30;
    this.#beat();
    this.#become("online");
    this.#up.welcomed(envelope);
  }

  // A browser does not say why a handshake was refused. So after one that failed the token is shown by `auth`, which is
  // answered; a good one is followed by our welcome.
  #proven({ type, payload }) {
    this.#proof.msgId = null;
    if (type === "ack") return;
    if (payload.temporary && payload.code !== "token_expired") this.#drop(payload.message);
    else if (payload.code === "token_expired") this.#refused(4001, payload.message);
    else this.#refused(4500, payload.message);
  }

  #refused(code, reason) {
    if (!this.#proof.guest) this.#abandon(code, reason);
    else {
      this.#identity.forgetGuest();
      if (this.#greeting) this.#welcome(this.#greeting);
    }
  }

  // ---- heartbeat ----

  #beat() {
    const left = this.#heardAt + this.interval - now();
    if (left > 0.001) this.#timers.after("beat", left, () => this.#beat());
    else this.#probe(PONG);
  }

  #probe(patience) {
    this.send('{"type":"ping"}');
    this.#timers.after("beat", this.interval, () => this.#beat());
    if (this.#timers.has("pong")) return;
    this.#timers.after("pong", patience, () => this.#drop("nothing was heard from the server"));
  }

  /** A socket that is dead may take minutes to say so: we do not wait for its close event. */
  #drop(reason) {
    this.#abandon(1006, reason);
  }

  #abandon(code, reason) {
    this.#detach(code === 1006 ? undefined : 1000);
    this.#lost(code, reason);
  }

  #detach(code) {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  // ---- the connection is gone ----

  #lost(code, reason) {
    this.#run += 1;
    this.#socket = null;
    this.#timers.clearAll();
    const held = this.online && now() - this.#onlineAt >= HELD;
    this.online = false;
    this.#late = !this.#opened;
    this.#up.lost(code);
    if (!this.#mayReturn(code)) this.#end(code, reason);
    else this.#wait(code, reason, held);
  }

  #mayReturn(code) {
    const guest = this.#proof?.guest && this.#proof.token;
    this.#greeting = null;
    if (code === 4001 || code === 4500) {
      if (guest) this.#identity.forgetGuest();
      this.#identity.expired();
      return Boolean(guest) || (code === 4001 && this.#identity.renewable);
    }
    return reconnects(code);
  }

  #wait(code, reason, held) {
    if (held) this.#attempt = 0;
    if (CROWDED.has(code)) this.#attempt = Math.max(this.#attempt, 2);
    const delay = this.#comeBackIn ?? this.#jitter(this.#attempt);
    this.#comeBackIn = null;
    this.#attempt += 1;
    this.#plan(delay, { code, reason });
  }

  #jitter(attempt) {
    const { first, longest, random } = this.#options;
    return random() * Math.min(longest, first * 2 ** attempt);
  }

  #plan(delay, more) {
    this.#timers.after("wait", delay, () => this.#dial());
    this.#become(noNetwork() ? "offline" : "reconnecting", { ...more, retryAt: now() + delay });
  }

  #end(code, reason) {
    this.#run += 1;
    this.#timers.clearAll();
    this.#watchBrowser(false);
    const was = this.online;
    this.online = false;
    this.#detach(1000);
    if (was) this.#up.lost(code);
    this.#become("closed", { code, reason });
  }

  // ---- what the browser knows ----

  #watchBrowser(on) {
    const change = on ? "addEventListener" : "removeEventListener";
    for (const type of ["online", "offline"]) globalThis[change]?.(type, this.#hint);
    globalThis.document?.[change]?.("visibilitychange", this.#hint);
  }

  #hint = (event) => {
    if (event.type === "visibilitychange" && globalThis.document.visibilityState !== "visible") return;
    if (this.online) this.#probe(HINT_PONG);
    else if (this.#timers.has("wait")) this.#replan(event.type === "offline" || CROWDED.has(this.status.code));
  };

  #replan(asPlanned) {
    const left = Math.max(this.status.retryAt - now(), 0);
    this.#plan(asPlanned ? left : Math.min(left, this.#jitter(0)));
  }
}

/** Commands and who waits for their answer. */
class Calls {
  maxFrame = Infinity;
  #link;
  #timeout;
  #pending = new Map();

  constructor(link, timeout) {
    this.#link = link;
    this.#timeout = timeout;
  }

  /** `done(error, payload)` is called once. Where we are not online it is sent when we are. */
  start(type, { room, payload, msgId = newId(), timeout = this.#timeout }, done) {
    const text = JSON.stringify({ type, msgId, room, payload });
    const timer = setTimeout(() => this.#settle(msgId, unanswered()), timeout * 1000);
    clearTimeout(this.#pending.get(msgId)?.timer);
    const call = { text, timer, done, sent: false };
    this.#pending.set(msgId, call);
    if (this.#link.online) this.#send(msgId, call);
  }

  #send(msgId, call) {
    const size = byteLength(call.text, this.maxFrame);
    if (size > this.maxFrame) {
      const details = { limit: this.maxFrame, size };
      this.#settle(msgId, new ChatError("too_large", `${size} bytes are more than ${this.maxFrame}`, details));
      return;
    }
    call.sent = true;
    this.#link.send(call.text);
  }

  #settle(msgId, error, payload) {
    const call = this.#pending.get(msgId);
    if (!call) return;
    clearTimeout(call.timer);
    this.#pending.delete(msgId);
    call.done(error, payload);
  }

  answer({ type, replyTo, payload }) {
    if (type !== "error") this.#settle(replyTo, null, payload);
    else this.#settle(replyTo, new ChatError(payload.code, payload.message, payload));
  }

  flush() {
    for (const [msgId, call] of [...this.#pending]) if (!call.sent) this.#send(msgId, call);
  }

  /** What was sent will not be answered any more; what was not can wait, unless `all`. */
  abort(error, all = false) {
    for (const [msgId, call] of [...this.#pending]) if (all || call.sent) this.#settle(msgId, error);
  }
}

/** The rooms we want to be in, and how far we got in each: (epoch, seq). */
class Table {
  #rooms = new Map();
  #timers = new Timers();
  #link;
  #calls;
  #up;
  #options;

  constructor(link, calls, options, up) {
    this.#link = link;
    this.#calls = calls;
    this.#options = options;
    this.#up = up;
  }

  get(id) {
    return this.#rooms.get(id);
  }

  ids() {
    return [...this.#rooms.keys()];
  }

  #add(id) {
    const room = {
      id, epoch: null, seq: 0, status: "out", entered: false, history: undefined, tries: 0, holes: 0, waiters: new Set(),
    }; // prettier-ignore
    this.#rooms.set(id, room);
    return room;
  }

  join(id, history, timeout) {
    const room = this.get(id) ?? this.#add(id);
    room.history = history;
    const waiter = deferred();
    room.waiters.add(waiter);
    const timer = setTimeout(() => this.#tell(room, unanswered(), null, [waiter]), timeout * 1000);
    waiter.promise.then(() => clearTimeout(timer), () => clearTimeout(timer)); // prettier-ignore
    if (room.status !== "joining") this.#enter(room, { afresh: true });
    return waiter.promise;
  }

  #tell(room, error, ack, waiters = [...room.waiters]) {
    for (const waiter of waiters) {
      room.waiters.delete(waiter);
      if (error) waiter.reject(error);
      else waiter.resolve(ack);
    }
  }

  /** After a welcome: into all rooms again. */
  rejoin() {
    for (const room of [...this.#rooms.values()]) if (room.status === "out") this.#enter(room);
  }

  lost() {
    this.#timers.clearAll();
    for (const room of this.#rooms.values()) room.status = "out";
  }

  forget(id, error = new ChatError("discarded", "the room was left")) {
    const room = this.get(id);
    if (!room) return;
    this.#timers.clear(id);
    this.#rooms.delete(id);
    this.#tell(room, error);
  }

  #enter(room, { afresh = false } = {}) {
    if (!this.#link.online) return;
    this.#timers.clear(room.id);
    room.status = "joining";
    const since = afresh || !room.epoch ? undefined : { epoch: room.epoch, seq: room.seq };
    const done = (error, ack) => {
      if (this.get(room.id) !== room) return; // left meanwhile
      if (error) this.#refused(room, error);
      else this.#entered(room, ack, since);
    };
    this.#calls.start("join", { room: room.id, payload: { since, history: room.history } }, done);
  }

  #enterLater(room, seconds) {
    room.status = "out";
    this.#timers.after(room.id, seconds, () => this.#enter(room));
  }

  #refused(room, error) {
    room.status = "out";
    if (error.code === "lost" || error.code === "closed") return; // the next welcome sees to it
    if (error.temporary) {
      this.#enterLater(room, error.retryAfter ?? this.#backoff(room.tries++));
      this.#tell(room, error);
      return;
    }
    const untold = room.waiters.size === 0;
    this.forget(room.id, error);
    if (untold || room.entered) this.#up.emit("removed", { room: room.id, reason: error.code, error });
  }

  #backoff(tries) {
    const { first, longest, random } = this.#options;
    return first / 2 + random() * Math.min(longest, first * 2 ** tries);
  }

  #entered(room, ack, since) {
    // Who had nothing and is shown everything has missed nothing.
    const gap = since && !ack.recovered && (room.seq > 0 || ack.more);
    Object.assign(room, { status: "in", entered: true, tries: 0 });
    this.#timers.clear(room.id);
    if (!ack.recovered) Object.assign(room, { epoch: ack.epoch, seq: ack.seq });
    if (!ack.recovered) ack.messages.forEach((message) => this.#up.confirm(message));
    this.#up.emit("joined", { ...ack, rejoin: Boolean(since) });
    const { messages, more, epoch, seq } = ack;
    if (gap) this.#up.emit("gap", { room: room.id, epoch, seq, messages, more });
    if (ack.recovered) messages.forEach((message) => this.take(message));
    this.#tell(room, null, ack);
    this.#up.ready();
  }

  /** A durable event: passed on if it is the next one of its room. */
  take(envelope) {
    const room = this.get(envelope.room);
    if (!room?.epoch || envelope.seq <= room.seq) return;
    if (envelope.seq > room.seq + 1) {
      this.#hole(room);
      return;
    }
    room.seq = envelope.seq;
    room.holes = 0;
    this.#up.confirm(envelope);
    this.#up.emit(envelope.type, envelope, true);
  }

  #hole(room) {
    if (room.status !== "in") return;
    if (room.holes++ === 0) this.#enter(room);
    else this.#enterLater(room, this.#backoff(room.holes)); // the server insists: not in a tight loop
  }

  reset({ room: id, rejoinIn }) {
    const room = this.get(id);
    if (room?.status === "in") this.#enterLater(room, rejoinIn ?? 0);
  }

  /** The server put this connection into a room; its events from seq + 1 follow. */
  added({ room: id, epoch, seq }) {
    const room = this.get(id) ?? this.#add(id);
    room.entered = true;
    if (room.status === "joining") return;
    room.status = "in";
    if (!room.epoch) Object.assign(room, { epoch, seq });
    else if (room.epoch !== epoch || room.seq < seq) this.#enter(room);
    if (room.status === "in") this.#up.ready();
  }

  /** The room of the socket's own path: the server joined it for us. */
  joinedByPath(ack) {
    if (!this.get(ack.room)) this.#entered(this.#add(ack.room), ack);
  }
}

/** Durable commands until the server has them: one at a time per lane (a room, a person), so that order is kept. */
class Outbox {
  #entries = new Map();
  #timers = new Timers();
  #link;
  #calls;
  #table;
  #options;
  #emit;

  constructor(link, calls, table, options, emit) {
    this.#link = link;
    this.#calls = calls;
    this.#table = table;
    this.#options = options;
    this.#emit = emit;
  }

  list() {
    return [...this.#entries.values()].map(shown);
  }

  /** `keep`: it is a message, which stays until it is sent or discarded; else it is given up after a while. */
  add(type, { room, to, payload, body = payload, keep = false }) {
    const entry = { msgId: newId(), type, room, to, body, status: "queued", error: null, ack: null, createdAt: now() };
    Object.assign(entry, { payload, keep, lane: to === undefined ? `room ${room}` : `user ${to}`, tries: 0 });
    this.#entries.set(entry.msgId, entry);
    if (!keep) this.#timers.after(`end ${entry.msgId}`, REPEAT, () => this.#fail(entry, unanswered()));
    return this.#queue(entry);
  }

  #queue(entry) {
    entry.answer = deferred();
    // Not at once: whoever called should know the msgId before the first event names it.
    queueMicrotask(() => {
      this.#mark(entry, "queued");
      this.#pump(entry.lane);
    });
    return { msgId: entry.msgId, done: entry.answer.promise };
  }

  retry(msgId) {
    const entry = this.#entries.get(msgId);
    if (entry?.status !== "failed") return null;
    entry.status = "queued";
    entry.tries = 0;
    return this.#queue(entry);
  }

  discard(msgId) {
    const entry = this.#entries.get(msgId);
    if (!entry || entry.status === "sending") return false;
    this.#remove(entry);
    entry.answer.reject(new ChatError("discarded", "this message was discarded"));
    this.#mark(entry, "discarded");
    this.#pump(entry.lane);
    return true;
  }

  pumpAll() {
    for (const lane of new Set([...this.#entries.values()].map((entry) => entry.lane))) this.#pump(lane);
  }

  /** Our own event proves what its ack would: it may come first, or instead, after a reconnect. */
  confirm({ clientMsgId, room, msgId, seq, timestamp }) {
    const entry = this.#entries.get(clientMsgId);
    if (entry) this.#sent(entry, { room, msgId, seq, timestamp, duplicate: false });
  }

  /** The connection broke. 1009: something was too big for somebody on the way; never send that again. */
  lost(code) {
    if (code !== 1009) return;
    const sending = [...this.#entries.values()].filter((entry) => entry.status === "sending");
    const size = (entry) => JSON.stringify(entry.payload).length;
    sending.sort((one, other) => size(other) - size(one));
    if (sending[0]) this.#fail(sending[0], new ChatError("too_large", "this is too long to be sent"));
  }

  #pump(lane) {
    const entry = [...this.#entries.values()].find((one) => one.lane === lane && one.status !== "failed");
    if (entry?.status !== "queued" || !this.#link.online || this.#timers.has(lane)) return;
    const room = this.#table.get(entry.room);
    if (room && room.status !== "in") return; // soon; a room that we do not want at all is refused by the server
    this.#mark(entry, "sending");
    this.#calls.start(entry.type, entry, (error, ack) => this.#answered(entry, error, ack));
  }

  #answered(entry, error, ack) {
    if (this.#entries.get(entry.msgId) !== entry || entry.status !== "sending") return;
    if (!error) this.#sent(entry, ack);
    else if (this.#worthRepeating(entry, error)) this.#repeat(entry, error);
    else this.#fail(entry, error);
  }

  #worthRepeating(entry, { code }) {
    const room = this.#table.get(entry.room);
    if (code === "not_a_member" && room && room.status !== "in") return true; // it crossed a reset
    return code === "lost" || code === "closed" || code === "timeout" || code === "unavailable";
  }

  #repeat(entry, error) {
    entry.error = error;
    if (this.#link.online) {
      const { first, longest, random } = this.#options;
      const delay = first / 2 + random() * Math.min(longest, first * 2 ** entry.tries++);
      this.#timers.after(entry.lane, delay, () => this.#pump(entry.lane));
    }
    this.#mark(entry, "queued");
  }

  #sent(entry, ack) {
    this.#remove(entry);
    Object.assign(entry, { ack, error: null });
    entry.answer.resolve(ack);
    this.#mark(entry, "sent");
    this.#pump(entry.lane);
  }

  #fail(entry, error) {
    if (!entry.keep) this.#remove(entry);
    entry.error = error;
    entry.answer.reject(error);
    this.#mark(entry, "failed");
    this.#pump(entry.lane);
  }

  #remove(entry) {
    this.#timers.clear(`end ${entry.msgId}`);
    this.#timers.clear(entry.lane);
    this.#entries.delete(entry.msgId);
  }

  #mark(entry, status) {
    entry.status = status;
    this.#emit("outbox", shown(entry));
  }
}

function shown({ msgId, type, room, to, body, status, error, ack, createdAt }) {
  return { msgId, type, room, to, body, status, error, ack, createdAt };
}

/** See client.d.ts. */
export class ChatRooms {
  #options;
  #identity;
  #link;
  #calls;
  #table;
  #outbox;
  #listeners = new Listeners();
  #typingAt = new Map();
  #opening = null;
  #welcome = null;
  #user = null;

  constructor(options = {}) {
    const { first = 1, longest = 30 } = options.backoff ?? {};
    const url = socketUrl(options.url);
    this.#options = {
      url: url.href, first, longest, timeout: options.timeout ?? 10, heartbeat: options.heartbeat,
      random: options.random ?? Math.random, WebSocket: options.WebSocket ?? globalThis.WebSocket,
    }; // prettier-ignore
    this.#identity = new Identity(options, `chatrooms ${url.host}${url.pathname} `);
    this.#link = new Link(this.#options, this.#identity, {
      changed: (status) => this.#changed(status),
      introduce: (welcome) => this.#introduce(welcome),
      welcomed: (envelope) => this.#welcomed(envelope),
      heard: (envelope) => this.#heard(envelope),
      lost: (code) => this.#lost(code),
      problem: (during, error) => this.#emit("problem", { during, error }),
    });
    this.#calls = new Calls(this.#link, this.#options.timeout);
    this.#table = new Table(this.#link, this.#calls, this.#options, {
      emit: (type, event, wire) => (wire ? this.#emitWire(event) : this.#emit(type, event)),
      confirm: (envelope) => envelope.sender?.id === this.#user?.id && this.#outbox.confirm(envelope),
      ready: () => this.#outbox.pumpAll(),
    });
    const emit = (type, event) => this.#emit(type, event);
    this.#outbox = new Outbox(this.#link, this.#calls, this.#table, this.#options, emit);
  }

  get state() {
    return this.#link.status.state;
  }

  get status() {
    return this.#link.status;
  }

  get user() {
    return this.#user;
  }

  get welcome() {
    return this.#welcome;
  }

  get name() {
    return this.#identity.name;
  }

  get joinedRooms() {
    return this.#table.ids();
  }

  get outbox() {
    return this.#outbox.list();
  }

  isJoined(room) {
    return this.#table.get(room)?.status === "in";
  }

  // ---- events ----

  on(type, fn) {
    this.#listeners.on(type, fn);
    return () => this.off(type, fn);
  }

  off(type, fn) {
    this.#listeners.off(type, fn);
  }

  #emit(type, event) {
    this.#listeners.emit(type, event);
  }

  #emitWire(envelope) {
    // A later server may have an event of the same name as one of ours.
    if (!OWN_EVENTS.has(envelope.type)) this.#emit(envelope.type, envelope);
    this.#emit("*", envelope);
  }

  // ---- connection ----

  connect() {
    if (this.state === "closed") {
      this.#opening = deferred();
      this.#link.open();
    }
    return this.#opening.promise;
  }

  disconnect() {
    if (this.state !== "closed") this.#link.close();
  }

  reconnectNow() {
    this.#link.reconnectNow();
  }

  async setToken(token) {
    this.#identity.use(token);
    if (this.#link.online) await this.#refresh();
  }

  async #refresh() {
    const token = await this.#identity.renew();
    if (token) this.#identified(await this.request("auth", { payload: { token } }));
  }

  async rename(name) {
    const ack = await this.request("auth", { payload: { name } });
    this.#identity.rename(name);
    this.#identified(ack);
    return ack.user;
  }

  #changed(status) {
    this.#emit("state", status);
    if (status.state !== "closed") return;
    this.#calls.abort(closed(), true);
    this.#opening.reject(new ChatError("closed", status.reason, { closeCode: status.code }));
  }

  /** Before anything else is sent: a guest's name, so that nobody sees another one first. */
  #introduce({ user, guestToken, limits }) {
    this.#calls.maxFrame = limits?.maxFrame ?? Infinity;
    const { heartbeat } = this.#options;
    const name = guestToken && this.name && this.name !== user.name ? this.name : undefined;
    if (name === undefined && heartbeat === undefined) return;
    this.#calls.start("auth", { payload: { name, heartbeat } }, (error, ack) => {
      if (!error) this.#identified(ack);
      else if (error.code !== "lost") this.#emit("problem", { during: "name", error });
    });
  }

  #welcomed(envelope) {
    this.#welcome = envelope.payload;
    this.#identified(envelope.payload);
    this.#emitWire(envelope);
    this.#table.rejoin();
    this.#calls.flush();
    this.#outbox.pumpAll();
    this.#opening.resolve(envelope.payload);
  }

  #identified({ user, expiresAt, guestToken, heartbeat }) {
    this.#identity.learn({ expiresAt, guestToken });
    this.#link.interval = heartbeat?.interval ?? this.#link.interval;
    this.#user = user;
    this.#emit("user", user);
  }

  #lost(code) {
    this.#table.lost();
    this.#outbox.lost(code);
    this.#calls.abort(lost());
  }

  #heard(envelope) {
    const { type, payload } = envelope;
    if (type === "ack" && envelope.replyTo === "join") this.#table.joinedByPath(payload);
    else if (type === "ack" || type === "error" || type === "pong") this.#calls.answer(envelope);
    else if (envelope.seq !== undefined && envelope.room !== undefined) this.#table.take(envelope);
    else {
      this.#obey(type, payload);
      this.#emitWire(envelope);
    }
  }

  #obey(type, payload) {
    if (type === "reset") this.#table.reset(payload);
    else if (type === "room.added") this.#table.added(payload);
    else if (type === "room.removed") this.#removed(payload);
    else if (type === "closing") this.#link.comeBackIn(payload.reconnectIn);
    else if (type === "auth.expiring" && this.#identity.renewable)
      this.#refresh().catch((error) => this.#emit("problem", { during: "refresh", error }));
  }

  #removed({ room, reason }) {
    this.#table.forget(room, new ChatError("not_a_member", `removed from the room: ${reason}`));
    this.#emit("removed", { room, reason, error: null });
    this.#outbox.pumpAll();
  }

  // ---- rooms ----

  join(room, { history } = {}) {
    return this.#table.join(room, history, this.#options.timeout);
  }

  async exit(room) {
    this.#table.forget(room);
    if (this.#link.online) await this.request("exit", { room });
  }

  async leave(room) {
    await this.request("leave", { room });
    this.#table.forget(room);
  }

  createRoom({ room, ...payload } = {}) {
    return this.#outbox.add("room.create", { room, payload }).done;
  }

  rooms(payload) {
    return this.request("rooms", { payload });
  }

  members(room, payload) {
    return this.request("members", { room, payload });
  }

  presence(room, payload) {
    return this.request("presence", { room, payload });
  }

  // ---- messages ----

  send(room, body) {
    this.#typingAt.delete(room);
    return this.#outbox.add("message", { room, payload: bodyOf(body), keep: true });
  }

  direct(to, body) {
    const payload = { to, body: bodyOf(body) };
    return this.#outbox.add("direct", { to, payload, body: payload.body, keep: true });
  }

  retry(msgId) {
    return this.#outbox.retry(msgId);
  }

  discard(msgId) {
    return this.#outbox.discard(msgId);
  }

  edit(room, msgId, body) {
    return this.#outbox.add("message.edit", { room, payload: { msgId, body: bodyOf(body) } }).done;
  }

  delete(room, msgId) {
    return this.#outbox.add("message.delete", { room, payload: { msgId } }).done;
  }

  react(room, msgId, emoji, on = true) {
    return this.#outbox.add(on ? "reaction.add" : "reaction.remove", { room, payload: { msgId, emoji } }).done;
  }

  typing(room, active = true) {
    const since = now() - (this.#typingAt.get(room) ?? -Infinity);
    if (!this.isJoined(room) || (active ? since < TYPING : since === Infinity)) return;
    if (active) this.#typingAt.set(room, now());
    else this.#typingAt.delete(room);
    this.#link.send(JSON.stringify({ type: "typing", room, payload: { active } })); // nobody waits for its answer
  }

  read(room, seq) {
    return this.request("read", { room, payload: { seq } });
  }

  history(room, payload) {
    return this.request("history", { room, payload });
  }

  search(room, query, page) {
    return this.request("search", { room, payload: { query, ...page } });
  }

  request(type, options = {}) {
    if (this.state === "closed") return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#calls.start(type, options, (error, ack) => (error ? reject(error) : resolve(ack)));
    });
  }
}

export default ChatRooms;
