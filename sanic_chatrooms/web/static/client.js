// The browser client of sanic_chatrooms (typed and described in client.d.ts; the wire: docs/reference/protocol.md).
//
// Parts, from the wire up: Link (one socket at a time, back-off, heartbeat, who we are), Calls (answers to commands),
// Table (rooms and positions: each event once and in order), Outbox (messages until they are stored), ChatRooms.
// Answers are handed on by callbacks, not promises: an event in the frame after an ack must find the ack applied.

const DIAL = 20; // seconds until welcome; longer than the server waits for `auth`, so that its reason reaches us
const GREETING = 1; // seconds without a welcome, after which a visitor without a token asks whether one will come
const PONG = 10; // seconds of silence after a ping by which the connection counts as dead
const HINT_PONG = 5; // the same after the browser hinted that something changed: it is probably right
const HELD = 5; // seconds after which a crowded server is asked again as soon as any other
const REPEAT = 30; // seconds for which edits and the like are repeated
const TYPING = 3; // seconds between repeats; the server forgets after 6
const LONGEST_TIMER = 2 ** 31 - 1; // milliseconds; above it browsers call at once
const FINAL = [1000, 1002, 1003, 1007, 1008];
const CROWDED = [1013, 4008, 4013]; // coming back at once would make it worse
const OWN_EVENTS = ["state", "joined", "gap", "removed", "outbox", "user", "problem"];
const NO_URL = 'client.js does not come from the chat server here, so name the socket: new ChatRooms({ url: "wss://example.com/chat/ws" })';
const SUBPROTOCOL = /^[\w!#$%&'*+.^`|~-]+$/; // RFC 7230 token: with other characters the browser throws

/** Why a promise was rejected; `code` is the server's, or timeout, lost, closed, discarded. */
export class ChatError extends Error {
  constructor(code, message, details = {}) {
    super(message || code);
    const temporary = details.temporary ?? (code === "timeout" || code === "lost");
    Object.assign(this, { name: "ChatError", code, details, temporary, retryAfter: details.retryAfter });
  }
}

/** Whether the rules of the protocol let a client come back after this close code. */
export function reconnects(code) {
  return code >= 4000 ? code < 4500 : !FINAL.includes(code);
}

const unanswered = () => new ChatError("timeout", "no answer in time");
const closed = () => new ChatError("closed", "the client is closed; connect() opens it");
const wall = () => Date.now() / 1000; // only to be shown: people and time servers set it
const now = () => globalThis.performance.now() / 1000; // for all that is a duration
const noNetwork = () => globalThis.navigator?.onLine === false; // true proves nothing, false is reliable
const bodyOf = (body) => (typeof body === "string" ? { text: body } : body);
const jitter = ({ first, longest, random }, tries) => random() * Math.min(longest, first * 2 ** tries);

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

// Bundlers put modules into files of their own, and rewrite the usual way to name a file beside a module.
const HERE = import.meta.url;
const SERVED = /^https?:.*\/client\.js([?#]|$)/;

function socketUrl(given) {
  if (!given && !SERVED.test(HERE)) throw new TypeError(NO_URL);
  const url = given ? new URL(given, globalThis.location?.href) : new URL("ws", HERE);
  url.protocol = url.protocol.replace(/^http/, "ws");
  url.hash = "";
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError(NO_URL);
  return url;
}

/** Storage or {get, set, remove}, and memory: private windows and full disks make storage throw. */
function keeper(given, prefix) {
  const memory = new Map();
  const ask = (verb, key, value) => {
    try {
      const storage = given ?? globalThis.sessionStorage;
      return (storage[`${verb}Item`] ?? storage[verb]).call(storage, prefix + key, value);
    } catch {
      return null;
    }
  };
  return {
    get: (key) => memory.get(key) ?? ask("get", key) ?? null,
    set: (key, value) => (memory.set(key, value), ask("set", key, value)),
    remove: (key) => (memory.delete(key), ask("remove", key)),
  };
}

/** Timers by name: setting one again replaces it. */
class Timers {
  #ids = new Map();

  after(name, seconds, fn) {
    this.clear(name);
    const ms = Math.min(seconds * 1000, LONGEST_TIMER);
    this.#ids.set(name, setTimeout(() => (this.#ids.delete(name), fn()), ms));
  }

  has(name) {
    return this.#ids.has(name);
  }

  clear(...names) {
    for (const name of names) {
      clearTimeout(this.#ids.get(name));
      this.#ids.delete(name);
    }
  }

  clearAll() {
    this.clear(...this.#ids.keys());
  }
}

/** What we show to prove who we are: the host's token, or the one that the server gave to a guest. */
class Identity {
  #source;
  #kept;
  #token = null;
  #expiresAt = 0;

  constructor({ token, name, storage }, prefix) {
    this.#kept = keeper(storage, prefix);
    this.name = name ?? this.#kept.get("name");
    this.use(token);
  }

  /** A string is all there is; a function can bring another one. */
  use(source) {
    this.#source = source;
    this.renewable = typeof source === "function";
    this.expired();
  }

  expired() {
    this.#expiresAt = 0;
  }

  /** {token, guest}: to be shown with the next connection; the token is null for a new guest. */
  async proof() {
    if (this.#expiresAt <= now()) await this.renew();
    const token = this.#token ?? this.#kept.get("guestToken");
    return { token, guest: !this.#token };
  }

  async renew() {
    this.#token = (this.renewable ? await this.#source() : this.#source) || null;
    this.#expiresAt = Infinity;
    return this.#token;
  }

  learn({ expiresIn, guestToken }) {
    this.#expiresAt = now() + expiresIn;
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

/** One socket at a time, opened again and again by the rules until `close`. */
class Link {
  online = false;
  interval = 30;
  status = { state: "closed", retryAt: null, retryIn: null, attempt: 0, code: null, reason: "" };
  #chat; // options, identity; and who hears of it: changed, introduce, welcomed, heard, lost, problem
  #timers = new Timers();
  #socket = null;
  #run = 0; // counts dials, so that a token that comes too late is not used
  #attempt = 0;
  #opened = false;
  #late = false; // show the token by `auth` instead of in the handshake
  #proof = null; // {token, guest, msgId?}: what we showed on this connection; with msgId until `auth` is answered
  #greeting = null; // a welcome as nobody in particular, while our `auth` is under way
  #onlineAt = 0;
  #serverClock = 0; // what to add to ours
  #heardAt = 0;
  #comeBackIn = null;

  constructor(chat) {
    this.#chat = chat;
  }

  open() {
    this.#watchBrowser(true);
    this.#attempt = 0;
    this.#become("connecting", { code: null, reason: "" });
    this.#dial();
  }

  send(text) {
    this.#socket.send(text);
  }

  /** Seconds until a time of the server's, whose clock need not be ours; Infinity where there is none. */
  until(time) {
    const left = time - this.#serverClock - now();
    return Number.isFinite(left) ? left : Infinity;
  }

  comeBackIn(seconds) {
    this.#comeBackIn = Math.min(Math.max(Number(seconds) || 0, 0), 300);
  }

  reconnectNow() {
    if (this.#timers.has("wait")) this.#dial();
  }

  #become(state, { due = null, ...more } = {}) {
    const retryIn = () => due && Math.max(0, due - now());
    const retryAt = due && wall() + retryIn();
    this.status = { ...this.status, attempt: this.#attempt, ...more, state, retryAt, get retryIn() { return retryIn(); } }; // prettier-ignore
    this.#chat.changed(this.status);
  }

  // ---- opening ----

  async #dial() {
    const run = ++this.#run;
    this.#timers.clear("wait");
    if (this.status.state !== "connecting") this.#become(noNetwork() ? "offline" : "reconnecting");
    this.#opened = false;
    this.#timers.after("dial", DIAL, () => this.#drop(1006, "the server did not answer"));
    try {
      const proof = await this.#chat.identity.proof();
      if (run === this.#run) this.#connect(proof);
    } catch (error) {
      if (run !== this.#run) return;
      this.#chat.problem("token", error);
      this.#drop(1006, "the token callback failed");
    }
  }

  #connect(proof) {
    const { WebSocket, url } = this.#chat.options;
    const inHandshake = proof.token && !this.#late && SUBPROTOCOL.test(proof.token);
    this.#proof = proof;
    let socket;
    try {
      socket = new WebSocket(url, ["chatrooms.v1", ...(inHandshake ? [`bearer.${proof.token}`] : [])]);
    } catch (error) {
      this.close(1006, error.message); // mixed content, a forbidden port: trying again changes nothing
      return;
    }
    this.#socket = socket;
    socket.onopen = () => this.#begin(proof.token && !inHandshake);
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
    socket.onerror = () => {}; // says nothing that close does not
  }

  // A browser does not say why a handshake was refused. So after one that failed the token is shown by `auth`, which is
  // answered; a good one is followed by our welcome.
  #begin(authDue) {
    this.#opened = true;
    this.#late = false;
    const { token } = this.#proof;
    if (!token && !this.#chat.identity.renewable) this.#timers.after("greeting", GREETING, () => this.#askWhetherKnown());
    if (!authDue) return;
    this.#proof.msgId = newId();
    this.send(JSON.stringify({ type: "auth", msgId: this.#proof.msgId, payload: { token } }));
  }

  // Without a token there is nothing to follow: the server knows us from the handshake, or never. It welcomes whom it knows
  // before it answers anything, so an answer without a welcome means that this visitor has to sign in first.
  #askWhetherKnown() {
    this.#proof.pingId = newId();
    this.send(JSON.stringify({ type: "ping", msgId: this.#proof.pingId }));
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
    this.#serverClock = envelope.timestamp - now();
    if (!this.online && envelope.type === "welcome") this.#welcome(envelope);
    else if (!this.online && envelope.replyTo && envelope.replyTo === this.#proof.msgId) this.#proven(envelope);
    else if (!this.online && envelope.replyTo && envelope.replyTo === this.#proof.pingId) this.close(4500, "sign in first");
    else this.#chat.heard(envelope);
  }

  #welcome(envelope) {
    this.#greeting = envelope;
    if (this.#proof.msgId) return; // a guest's, which the server gives to those who showed nothing yet
    this.#timers.clear("dial");
    this.#timers.clear("greeting");
    this.#greeting = this.#comeBackIn = null;
    this.online = true;
    this.#onlineAt = now();
    this.interval = envelope.payload.heartbeat?.interval ?? 30;
    this.#beat();
    this.#chat.introduce(envelope.payload);
    this.#become("online");
    this.#chat.welcomed(envelope);
  }

  #proven({ type, payload: { code, message, temporary } }) {
    this.#proof.msgId = null;
    if (type === "ack") return;
    const refused = !temporary || code === "token_expired";
    if (!refused) this.#drop(1006, message);
    else if (!this.#proof.guest) this.#drop(code === "token_expired" ? 4001 : 4500, message);
    else {
      this.#chat.identity.forgetGuest();
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
    this.#timers.after("pong", patience, () => this.#drop(1006, "nothing was heard from the server"));
  }

  // ---- the connection is gone ----

  /** We end this connection. A dead socket takes minutes to say that it is closed: that is not waited for. */
  #drop(code, reason) {
    this.#detach();
    this.#lost(code, reason);
  }

  #detach() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  #lost(code, reason) {
    this.#run += 1;
    this.#socket = this.#greeting = null;
    this.#timers.clearAll();
    // However short it was: the server is well. One that is crowded says so by closing what it has just accepted.
    const good = this.online && (!CROWDED.includes(code) || now() - this.#onlineAt >= HELD);
    this.online = false;
    this.#late = !this.#opened;
    this.#chat.lost(code);
    if (this.#mayReturn(code)) this.#wait(code, reason, good);
    else this.close(code, reason);
    if (!this.#opened && this.#proof && !this.#proof.token) this.#askWhy();
  }

  // Who shows nothing has nothing to show by `auth` either. A plain request is told what a refused handshake is not: 401,
  // where this visitor has to sign in first, in whatever way the host knows them by.
  async #askWhy() {
    const run = this.#run;
    const { fetch, url } = this.#chat.options;
    try {
      const answer = await fetch(url.replace(/^ws/, "http"), { credentials: "include", cache: "no-store" });
      const { message } = answer.status === 401 ? await answer.json() : {};
      if (message && run === this.#run) this.close(4500, message);
    } catch {
      // the server is away, or not ours to ask: it stays with trying again
    }
  }

  #mayReturn(code) {
    if (code !== 4001 && code !== 4500) return reconnects(code);
    const { identity } = this.#chat;
    const guest = this.#proof.guest && this.#proof.token;
    if (guest) identity.forgetGuest();
    identity.expired();
    return Boolean(guest) || (code === 4001 && identity.renewable);
  }

  #wait(code, reason, good) {
    if (good) this.#attempt = 0;
    if (CROWDED.includes(code)) this.#attempt = Math.max(this.#attempt, 2);
    const delay = this.#comeBackIn ?? jitter(this.#chat.options, this.#attempt);
    this.#comeBackIn = null;
    this.#attempt += 1;
    this.#plan(delay, { code, reason });
  }

  #plan(delay, more) {
    this.#timers.after("wait", delay, () => this.#dial());
    this.#become(noNetwork() ? "offline" : "reconnecting", { ...more, due: now() + delay });
  }

  #replan() {
    if (this.#timers.has("wait")) this.#plan(this.status.retryIn);
  }

  /** The end, until `open`. */
  close(code = 1000, reason = "closed by this page") {
    this.#run += 1;
    this.#timers.clearAll();
    this.#watchBrowser(false);
    const was = this.online;
    this.online = false;
    this.#detach();
    if (was) this.#chat.lost(code);
    this.#become("closed", { code, reason });
  }

  // ---- what the browser knows ----

  #watchBrowser(on) {
    const change = on ? "addEventListener" : "removeEventListener";
    for (const type of ["online", "offline"]) globalThis[change]?.(type, this.#hint);
    globalThis.document?.[change]?.("visibilitychange", this.#hint);
  }

  #hint = ({ type }) => {
    if (type === "visibilitychange" && globalThis.document.visibilityState !== "visible") return;
    if (this.online) this.#probe(HINT_PONG);
    else if (type === "offline" || CROWDED.includes(this.status.code)) this.#replan();
    else this.reconnectNow(); // somebody looks at the page, or the network is back
  };
}

/** Commands and who waits for their answer. */
class Calls {
  maxFrame = Infinity;
  #chat;
  #pending = new Map();

  constructor(chat) {
    this.#chat = chat;
  }

  /** `done(error, payload)` is called once. Where we are not online it is sent when we are. */
  start(type, { room, payload, msgId = newId(), timeout = this.#chat.options.timeout }, done) {
    clearTimeout(this.#pending.get(msgId)?.timer);
    const timer = setTimeout(() => this.#settle(msgId, unanswered()), timeout * 1000);
    const call = { text: JSON.stringify({ type, msgId, room, payload }), timer, done, sent: false };
    this.#pending.set(msgId, call);
    if (this.#chat.link.online) this.#send(msgId, call);
  }

  #send(msgId, call) {
    const limit = this.maxFrame;
    const size = call.text.length * 3 > limit ? new TextEncoder().encode(call.text).length : 0;
    call.sent = size <= limit;
    if (call.sent) this.#chat.link.send(call.text);
    else this.#settle(msgId, new ChatError("too_large", `${size} bytes are more than ${limit}`, { limit, size }));
  }

  #settle(msgId, error, payload) {
    const call = this.#pending.get(msgId);
    if (!call) return;
    clearTimeout(call.timer);
    this.#pending.delete(msgId);
    call.done(error, payload);
  }

  answer({ type, replyTo, payload }) {
    this.#settle(replyTo, type === "error" ? new ChatError(payload.code, payload.message, payload) : null, payload);
  }

  flush() {
    for (const [msgId, call] of [...this.#pending]) if (!call.sent) this.#send(msgId, call);
  }

  /** What was sent will not be answered any more; what was not can wait, unless `all`. */
  abort(error, all) {
    for (const [msgId, call] of [...this.#pending]) if (all || call.sent) this.#settle(msgId, error);
  }
}

/** The rooms we want to be in, and how far we got in each: (epoch, seq). */
class Table {
  #chat;
  #rooms = new Map();
  #timers = new Timers();

  constructor(chat) {
    this.#chat = chat;
  }

  get(id) {
    return this.#rooms.get(id);
  }

  ids() {
    return [...this.#rooms.keys()];
  }

  #add(id) {
    const room = { id, epoch: null, seq: 0, status: "out", entered: false, history: undefined, tries: 0, holes: 0, wait: null };
    this.#rooms.set(id, room);
    return room;
  }

  join(id, history) {
    const room = this.get(id) ?? this.#add(id);
    const wait = (room.wait ??= deferred());
    room.history = history;
    this.#timers.after(`wait ${id}`, this.#chat.options.timeout, () => this.#tell(room, unanswered()));
    if (room.status !== "joining") this.#enter(room, true);
    return wait.promise;
  }

  #tell(room, error, ack) {
    const { wait } = room;
    room.wait = null;
    this.#timers.clear(`wait ${room.id}`);
    if (error) wait?.reject(error);
    else wait?.resolve(ack);
  }

  /** After a welcome: into all rooms again. */
  rejoin() {
    for (const room of [...this.#rooms.values()]) if (room.status === "out") this.#enter(room);
  }

  lost() {
    for (const room of this.#rooms.values()) {
      room.status = "out";
      this.#timers.clear(room.id);
    }
  }

  forget(id, error = new ChatError("discarded", "the room was left")) {
    const room = this.get(id);
    if (!room) return;
    this.#timers.clear(id);
    this.#rooms.delete(id);
    this.#tell(room, error);
  }

  #enter(room, afresh) {
    if (!this.#chat.link.online) return;
    this.#timers.clear(room.id);
    room.status = "joining";
    const since = afresh || !room.epoch ? undefined : { epoch: room.epoch, seq: room.seq };
    this.#chat.calls.start("join", { room: room.id, payload: { since, history: room.history } }, (error, ack) => {
      if (this.get(room.id) !== room) return; // left meanwhile
      if (error) this.#refused(room, error);
      else this.#entered(room, ack, since);
    });
  }

  #enterLater(room, seconds) {
    room.status = "out";
    this.#timers.after(room.id, seconds, () => this.#enter(room));
  }

  #refused(room, error) {
    room.status = "out";
    if (error.code === "lost" || error.code === "closed") return; // the next welcome sees to it
    if (error.temporary) {
      this.#enterLater(room, error.retryAfter ?? 0.5 + jitter(this.#chat.options, room.tries++));
      this.#tell(room, error);
      return;
    }
    const untold = !room.wait;
    this.forget(room.id, error);
    if (untold || room.entered) this.#chat.emit("removed", { room: room.id, reason: error.code, error });
  }

  #entered(room, ack, since) {
    const { messages, more, epoch, seq, recovered } = ack;
    // Who had nothing and is shown everything has missed nothing.
    const gap = since && !recovered && (room.seq > 0 || more);
    Object.assign(room, { status: "in", entered: true, tries: 0 });
    this.#timers.clear(room.id);
    if (!recovered) {
      Object.assign(room, { epoch, seq });
      messages.forEach((message) => this.#chat.confirm(message));
    }
    this.#chat.emit("joined", { ...ack, rejoin: Boolean(since) });
    if (gap) this.#chat.emit("gap", { room: room.id, epoch, seq, messages, more });
    if (recovered) messages.forEach((message) => this.take(message));
    this.#tell(room, null, ack);
    this.#chat.outbox.pumpAll();
  }

  /** A durable event: passed on if it is the next one of its room. */
  take(envelope) {
    const room = this.get(envelope.room);
    if (!room?.epoch || envelope.seq <= room.seq) return;
    if (envelope.seq > room.seq + 1) {
      if (room.status === "in") this.#hole(room);
      return;
    }
    room.seq = envelope.seq;
    room.holes = 0;
    this.#chat.confirm(envelope);
    this.#chat.emitWire(envelope);
  }

  #hole(room) {
    if (room.holes++ === 0) this.#enter(room);
    else this.#enterLater(room, 0.5 + jitter(this.#chat.options, room.holes)); // the server insists: no tight loop
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
    this.#chat.outbox.pumpAll();
  }

  /** The room of the socket's own path: the server joined it for us. */
  joinedByPath(ack) {
    if (!this.get(ack.room)) this.#entered(this.#add(ack.room), ack);
  }
}

/** Durable commands until the server has them: one at a time per lane (a room, a person), so that order is kept. */
class Outbox {
  #chat;
  #entries = new Map();
  #timers = new Timers();

  constructor(chat) {
    this.#chat = chat;
  }

  list() {
    return [...this.#entries.values()].map(shown);
  }

  /** `keep`: it is a message, which stays until it is sent or discarded; else it is given up after a while. */
  add(type, { room, to, payload, body = payload, keep = false }) {
    const entry = { msgId: newId(), type, room, to, body, status: "queued", error: null, ack: null, createdAt: wall() };
    Object.assign(entry, { payload, keep, lane: to === undefined ? `room ${room}` : `user ${to}`, tries: 0 });
    this.#entries.set(entry.msgId, entry);
    if (!keep) this.#timers.after(`end ${entry.msgId}`, REPEAT, () => this.#fail(entry, unanswered()));
    return this.#queue(entry);
  }

  #queue(entry) {
    entry.status = "queued";
    entry.answer = deferred();
    // Not at once: whoever called should know the msgId before the first event names it.
    queueMicrotask(() => {
      if (entry.status === "queued") this.#mark(entry, "queued");
      this.#pump(entry.lane);
    });
    return { msgId: entry.msgId, done: entry.answer.promise };
  }

  retry(msgId) {
    const entry = this.#entries.get(msgId);
    return entry?.status === "failed" ? this.#queue(entry) : null;
  }

  discard(msgId) {
    const entry = this.#entries.get(msgId);
    if (!entry || entry.status === "sending") return false;
    entry.answer.reject(new ChatError("discarded", "this message was discarded"));
    this.#end(entry, "discarded");
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

  /** 1009: something was too big for somebody on the way. The biggest is not sent again. */
  lost(code) {
    if (code !== 1009) return;
    const size = (entry) => (entry.status === "sending" ? JSON.stringify(entry.payload).length : 0);
    const [biggest] = [...this.#entries.values()].sort((one, other) => size(other) - size(one));
    if (biggest?.status === "sending") this.#fail(biggest, new ChatError("too_large", "this is too long to be sent"));
  }

  #pump(lane) {
    const entry = [...this.#entries.values()].find((one) => one.lane === lane && one.status !== "failed");
    if (entry?.status !== "queued" || !this.#chat.link.online || this.#timers.has(lane)) return;
    if (this.#awaitsRoom(entry)) return;
    this.#mark(entry, "sending");
    this.#chat.calls.start(entry.type, entry, (error, ack) => this.#answered(entry, error, ack));
  }

  /** A room that we do not want to be in is not waited for: the server says what is wrong. */
  #awaitsRoom(entry) {
    return (this.#chat.table.get(entry.room)?.status ?? "in") !== "in";
  }

  #answered(entry, error, ack) {
    if (this.#entries.get(entry.msgId) !== entry || entry.status !== "sending") return;
    if (!error) this.#sent(entry, ack);
    else if (["lost", "closed", "timeout", "unavailable"].includes(error.code)) this.#repeat(entry, error);
    else if (error.code === "not_a_member" && this.#awaitsRoom(entry)) this.#repeat(entry, error); // it crossed a reset
    else this.#fail(entry, error);
  }

  #repeat(entry, error) {
    const { link, options } = this.#chat;
    const again = () => this.#pump(entry.lane);
    if (link.online) this.#timers.after(entry.lane, 0.5 + jitter(options, entry.tries++), again);
    entry.error = error;
    this.#mark(entry, "queued");
  }

  #sent(entry, ack) {
    Object.assign(entry, { ack, error: null });
    entry.answer.resolve(ack);
    this.#end(entry, "sent");
  }

  #fail(entry, error) {
    entry.error = error;
    entry.answer.reject(error);
    if (!entry.keep) this.#end(entry, "failed");
    else {
      this.#mark(entry, "failed");
      this.#pump(entry.lane);
    }
  }

  #end(entry, status) {
    this.#timers.clear(`end ${entry.msgId}`, entry.lane);
    this.#entries.delete(entry.msgId);
    this.#mark(entry, status);
    this.#pump(entry.lane);
  }

  #mark(entry, status) {
    entry.status = status;
    this.#chat.emit("outbox", shown(entry));
  }
}

function shown({ msgId, type, room, to, body, status, error, ack, createdAt }) {
  return { msgId, type, room, to, body, status, error, ack, createdAt };
}

/** See client.d.ts. */
export class ChatRooms {
  #its; // what the parts see of each other
  #listeners = new Map();
  #typingAt = new Map();
  #opening = null;
  #welcome = null;
  #user = null;

  constructor(given = {}) {
    const url = socketUrl(given.url);
    const { first = 1, longest = 30 } = given.backoff ?? {};
    const { timeout = 10, heartbeat, random = Math.random, WebSocket = globalThis.WebSocket } = given;
    const fetch = given.fetch ?? ((...what) => globalThis.fetch(...what));
    const its = (this.#its = {
      options: { url: url.href, first, longest, timeout, heartbeat, random, WebSocket, fetch },
      identity: new Identity(given, `chatrooms ${url.host}${url.pathname} `),
      emit: (type, event) => this.#emit(type, event),
      emitWire: (envelope) => this.#emitWire(envelope),
      changed: (status) => this.#changed(status),
      introduce: (welcome) => this.#introduce(welcome),
      welcomed: (envelope) => this.#welcomed(envelope),
      heard: (envelope) => this.#heard(envelope),
      lost: (code) => this.#lost(code),
      problem: (during, error) => this.#emit("problem", { during, error }),
      confirm: (event) => event.sender?.id === this.#user.id && its.outbox.confirm(event),
    });
    Object.assign(its, { link: new Link(its), calls: new Calls(its), table: new Table(its), outbox: new Outbox(its) });
  }

  get state() { return this.#its.link.status.state; } // prettier-ignore
  get status() { return this.#its.link.status; } // prettier-ignore
  get user() { return this.#user; } // prettier-ignore
  get welcome() { return this.#welcome; } // prettier-ignore
  get name() { return this.#its.identity.name; } // prettier-ignore
  get joinedRooms() { return this.#its.table.ids(); } // prettier-ignore
  get outbox() { return this.#its.outbox.list(); } // prettier-ignore

  isJoined(room) {
    return this.#its.table.get(room)?.status === "in";
  }

  // ---- events ----

  on(type, fn) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(fn);
    return () => this.off(type, fn);
  }

  off(type, fn) {
    this.#listeners.get(type)?.delete(fn);
  }

  #emit(type, event) {
    for (const fn of [...(this.#listeners.get(type) ?? [])]) {
      try {
        fn(event);
      } catch (error) {
        console.error(`a listener of ${type} failed`, error); // the others, and our own state, must not suffer
      }
    }
  }

  #emitWire(envelope) {
    // A later server may have an event of the same name as one of ours.
    if (!OWN_EVENTS.includes(envelope.type)) this.#emit(envelope.type, envelope);
    this.#emit("*", envelope);
  }

  // ---- connection ----

  connect() {
    if (this.state === "closed") {
      this.#opening = deferred();
      this.#its.link.open();
    }
    return this.#opening.promise;
  }

  disconnect(reason) {
    if (this.state !== "closed") this.#its.link.close(1000, reason);
  }

  reconnectNow() {
    this.#its.link.reconnectNow();
  }

  async setToken(token) {
    this.#its.identity.use(token);
    if (this.#its.link.online) await this.#refresh();
  }

  async #refresh() {
    const token = await this.#its.identity.renew();
    if (token) this.#identified(await this.request("auth", { payload: { token } }));
  }

  async rename(name) {
    const ack = await this.request("auth", { payload: { name } });
    this.#its.identity.rename(name);
    this.#identified(ack);
    return ack.user;
  }

  #changed(status) {
    this.#emit("state", status);
    if (status.state !== "closed") return;
    this.#its.calls.abort(closed(), true);
    this.#opening.reject(new ChatError("closed", status.reason, { closeCode: status.code }));
  }

  /** Before anything else is sent: a guest's name, so that nobody sees another one first. */
  #introduce({ user, guestToken, limits }) {
    const { calls, identity, options } = this.#its;
    calls.maxFrame = limits?.maxFrame ?? Infinity;
    const name = guestToken && identity.name && identity.name !== user.name ? identity.name : undefined;
    if (name === undefined && options.heartbeat === undefined) return;
    calls.start("auth", { payload: { name, heartbeat: options.heartbeat } }, (error, ack) => {
      if (!error) this.#identified(ack);
      else if (error.code !== "lost") this.#its.problem("name", error);
      if (!error && name) identity.rename(name);
    });
  }

  #welcomed(envelope) {
    const { table, calls, outbox } = this.#its;
    this.#welcome = envelope.payload;
    this.#identified(envelope.payload);
    this.#emitWire(envelope);
    table.rejoin();
    calls.flush();
    outbox.pumpAll();
    this.#opening.resolve(envelope.payload);
  }

  #identified({ user, expiresAt, guestToken, heartbeat }) {
    const { identity, link } = this.#its;
    identity.learn({ expiresIn: link.until(expiresAt), guestToken });
    link.interval = heartbeat?.interval ?? link.interval;
    this.#user = user;
    this.#emit("user", user);
  }

  #lost(code) {
    this.#its.table.lost();
    this.#its.outbox.lost(code);
    this.#its.calls.abort(new ChatError("lost", "the connection broke before the answer came"));
  }

  #heard(envelope) {
    const { type, payload } = envelope;
    if (type === "ack" && envelope.replyTo === "join") this.#its.table.joinedByPath(payload);
    else if (type === "ack" || type === "error" || type === "pong") this.#its.calls.answer(envelope);
    else if (envelope.seq !== undefined && envelope.room !== undefined) this.#its.table.take(envelope);
    else {
      this.#obey(type, payload);
      this.#emitWire(envelope);
    }
  }

  #obey(type, payload) {
    const { table, link, identity } = this.#its;
    if (type === "reset") table.reset(payload);
    else if (type === "room.added") table.added(payload);
    else if (type === "room.removed") this.#removed(payload);
    else if (type === "closing") link.comeBackIn(payload.reconnectIn);
    else if (type === "auth.expiring" && identity.renewable)
      this.#refresh().catch((error) => this.#its.problem("refresh", error));
  }

  #removed({ room, reason }) {
    this.#its.table.forget(room, new ChatError("not_a_member", `removed from the room: ${reason}`));
    this.#emit("removed", { room, reason, error: null });
    this.#its.outbox.pumpAll();
  }

  // ---- rooms ----

  join(room, { history } = {}) {
    return this.#its.table.join(room, history);
  }

  async exit(room) {
    this.#its.table.forget(room);
    if (this.#its.link.online) await this.request("exit", { room });
  }

  async leave(room) {
    await this.request("leave", { room });
    this.#its.table.forget(room);
  }

  createRoom({ room, ...payload } = {}) {
    return this.#its.outbox.add("room.create", { room, payload }).done;
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
    return this.#its.outbox.add("message", { room, payload: bodyOf(body), keep: true });
  }

  direct(to, body) {
    const payload = { to, body: bodyOf(body) };
    return this.#its.outbox.add("direct", { to, payload, body: payload.body, keep: true });
  }

  retry(msgId) {
    return this.#its.outbox.retry(msgId);
  }

  discard(msgId) {
    return this.#its.outbox.discard(msgId);
  }

  edit(room, msgId, body) {
    return this.#its.outbox.add("message.edit", { room, payload: { msgId, body: bodyOf(body) } }).done;
  }

  delete(room, msgId) {
    return this.#its.outbox.add("message.delete", { room, payload: { msgId } }).done;
  }

  react(room, msgId, emoji, on = true) {
    return this.#lacks("reactions") ?? this.#its.outbox.add(on ? "reaction.add" : "reaction.remove", { room, payload: { msgId, emoji } }).done;
  }

  typing(room, active = true) {
    const since = now() - (this.#typingAt.get(room) ?? -Infinity);
    if (!this.isJoined(room) || (active ? since < TYPING : since === Infinity)) return;
    if (active) this.#typingAt.set(room, now());
    else this.#typingAt.delete(room);
    this.#its.link.send(JSON.stringify({ type: "typing", room, payload: { active } })); // nobody waits for its answer
  }

  read(room, seq) {
    return this.#lacks("unread") ?? this.request("read", { room, payload: { seq } });
  }

  history(room, payload) {
    return this.request("history", { room, payload });
  }

  search(room, query, page) {
    return this.#lacks("search") ?? this.request("search", { room, payload: { query, ...page } });
  }

  /** A promise that is rejected where this server does not offer a feature. Before the first welcome the server answers. */
  #lacks(feature) {
    if (!this.#welcome || this.#welcome.features?.includes(feature)) return null;
    const answer = deferred();
    answer.reject(new ChatError("unknown_command", `this server does not offer "${feature}": see welcome.features`));
    return answer.promise;
  }

  request(type, options = {}) {
    if (this.state === "closed") return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#its.calls.start(type, options, (error, ack) => (error ? reject(error) : resolve(ack)));
    });
  }
}

export default ChatRooms;
