// What client.js uses where no WebSocket gets through, as behind a proxy that refuses them. It loads this file by itself, and only then.
//
// It looks like a WebSocket to link.js. A command is a request to REST under its `msgId`; one room at a time comes as server-sent events,
// and the others are asked in turn: over HTTP/1.1 a browser opens six connections to a server, for all of its tabs together.

import { Timers, wall } from "./client/timers.js";

const PATIENCE = 10; // seconds until a request counts as lost
const FIRST = 8; // seconds until a stream has to say something; else a proxy gathers it
const SILENT = 2.5; // heartbeats without a word; then the stream counts as dead
const ASK = 3; // seconds between two questions
const BREATH = 0.5; // seconds before a stream that has ended is opened again
const LATER = 60; // the same for one that said nothing
const BUSY = [429, 503]; // the server is there
const CLOSES = { token_expired: 4001, banned: 4507 }; // by the code of a refusal; else 4500
const AWAY = { code: "unavailable", message: "the server cannot be reached", temporary: true };

const bearer = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

/** Why a request failed: a problem document, or what there is instead. */
class Refused extends Error {
  constructor(status, problem) {
    super(problem.message);
    Object.assign(this, { status, problem });
  }
}

/** Behaves like a WebSocket of the chat, over HTTP. `room`: that of the socket's path. `byUse()`: rooms, the one used last first. */
export class HttpSocket {
  onopen = null;
  onmessage = null;
  onclose = null;
  #api;
  #byUse;
  #fetch;
  #token;
  #rooms = new Map(); // the position in each room that is read: {epoch, seq}
  #front = null; // the room with the stream: of those that are read, the one used last
  #stream = null; // aborts it
  #streams = false; // it has said something
  #turn = 0; // counts the rooms that were asked, without the one in front
  #askedFront = false;
  #turns = new Map(); // by room, and for what is about none: when the last command is done
  #wanted = new Map(); // the `msgId` of the last `join` of each room that is under way
  #me = null;
  #quiet = 75; // seconds
  #gone = new Map(); // rooms whose last event put us out, and how
  #closing = null; // why the server says that it closes
  #timers = new Timers();
  #running = new Set(); // aborts each request
  #closed = false;

  constructor({ api, room, byUse }, fetch, token) {
    this.#api = api;
    this.#byUse = byUse;
    this.#fetch = fetch;
    this.#token = token;
    globalThis.document?.addEventListener("visibilitychange", this.#seen);
    this.#open(room);
  }

  async #open(room) {
    try {
      const { body: payload, timestamp } = await this.#welcome();
      if (this.#closed) return;
      this.onopen();
      this.#tell({ type: "welcome", timestamp, payload });
      if (this.#closed) return;
      this.#timers.after("ask", ASK, () => this.#ask());
      if (room && !this.#wanted.has(room)) this.#carryOut({ type: "join", room, payload: {} }, "join");
    } catch (error) {
      this.#fail(error);
    }
  }

  /** `token`: it is ours once it was accepted. */
  async #welcome(ask = {}, token = this.#token) {
    const answer = await this.#request("POST", "welcome", { body: ask, headers: bearer(token) });
    const { guestToken, user, heartbeat } = answer.body;
    this.#token = guestToken ?? token;
    this.#me = user.id;
    this.#quiet = heartbeat.interval * SILENT;
    return answer;
  }

  close() {
    this.#closed = true;
    for (const abort of this.#running) abort.abort();
    this.#follow(null);
    this.#timers.clearAll();
    globalThis.document?.removeEventListener("visibilitychange", this.#seen);
  }

  #end(code, reason = "") {
    if (this.#closed) return;
    this.close();
    this.onclose?.({ code, reason });
  }

  /** After this, nothing can go on. */
  #fail(error) {
    const { status, problem = AWAY } = error;
    const refused = problem.status && (status === 401 || status === 403); // by the chat, and not by a proxy
    if (refused) this.#tell({ type: "error", payload: problem });
    this.#end(refused ? (CLOSES[problem.code] ?? 4500) : BUSY.includes(status) ? 1013 : 1006, problem.message);
  }

  #tell(frame) {
    if (!this.#closed) this.onmessage?.({ data: JSON.stringify({ timestamp: wall(), ...frame }) });
  }

  // ---- commands ----

  send(text) {
    const command = JSON.parse(text);
    if (command.type !== "typing") this.#carryOut(command);
  }

  async #carryOut(command, replyTo = command.msgId) {
    const { type, room } = command;
    const isWanted = () => type === "join" && this.#wanted.get(room) === replyTo;
    if (type === "join") this.#wanted.set(room, replyTo);
    try {
      const { body, timestamp } = await this.#do(command);
      this.#tell({ type: type === "ping" ? "pong" : "ack", replyTo, timestamp, payload: body });
      if (isWanted()) this.#watch(room, body);
      if (type === "leave") this.#forget(room);
    } catch (error) {
      const isBusy = BUSY.includes(error.status);
      if (error.status === 401 || (type === "ping" && !isBusy)) this.#fail(error); // as with a socket: it is sent again, with another token
      else if (type === "ping") this.#tell({ type: "pong", replyTo });
      else this.#tell({ type: "error", replyTo, room, payload: error.problem ?? AWAY });
    }
    if (isWanted()) this.#wanted.delete(room);
    this.#look();
  }

  async #do({ type, room, msgId, payload }) {
    if (type === "ping") return this.#request("GET", "me");
    if (type === "exit") return this.#wanted.delete(room), this.#forget(room), { body: {} };
    const act = () => (type === "auth" ? this.#identify(payload) : this.#request("POST", "commands", { body: { type, room, payload }, msgId }));
    const done = (this.#turns.get(room) ?? Promise.resolve()).then(act);
    this.#turns.set(room, done.catch(() => {}));
    return done;
  }

  async #identify({ token, name }) {
    try {
      return await this.#welcome({ name }, token);
    } catch (error) {
      if (error.status !== 401) throw error;
      throw new Refused(403, error.problem); // the old one may still be good
    }
  }

  async #request(method, path, { body, msgId, headers } = {}) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), PATIENCE * 1000);
    this.#running.add(abort);
    if (this.#closed) abort.abort();
    try {
      const answer = await this.#send(method, path, abort.signal, { ...headers, ...(msgId && { "Idempotency-Key": msgId }) }, body);
      return { body: await answer.json(), timestamp: (Date.parse(answer.headers.get("Date")) || Date.now()) / 1000 };
    } finally {
      clearTimeout(timer);
      this.#running.delete(abort);
    }
  }

  async #send(method, path, signal, headers, body) {
    const json = body && { "Content-Type": "application/json" };
    const options = { method, signal, headers: { ...bearer(this.#token), ...json, ...headers }, body: body && JSON.stringify(body) };
    const fetch = this.#fetch;
    const answer = await fetch(this.#api + path, { ...options, credentials: "include", cache: "no-store" });
    if (answer.ok) return answer;
    const problem = (await answer.json().catch(() => null)) ?? {};
    const known = { ...problem, message: problem.detail ?? problem.message };
    throw new Refused(answer.status, problem.code ? known : { ...AWAY, message: `the server answered ${answer.status}` });
  }

  // ---- rooms ----

  #watch(room, { epoch, seq }) {
    const at = this.#rooms.get(room);
    this.#rooms.set(room, { epoch, seq });
    this.#gone.delete(room);
    if (room === this.#front && (at.epoch !== epoch || at.seq !== seq)) this.#follow(room);
    this.#look();
  }

  /** Follow the room in front. One that is being joined is waited for. */
  #look() {
    const room = this.#byUse().find((id) => this.#rooms.has(id) || this.#wanted.has(id)) ?? null;
    if (room !== this.#front && !this.#wanted.has(room)) this.#follow(room);
  }

  #forget(room) {
    this.#rooms.delete(room);
    this.#gone.delete(room);
    if (room === this.#front) this.#follow(null);
    this.#look();
  }

  /** The room is not ours any more. */
  #lose(room, otherwise) {
    const reason = this.#gone.get(room) ?? otherwise;
    this.#forget(room);
    this.#tell({ type: "room.removed", room, payload: { room, reason } });
  }

  #refused(room, error) {
    const { status, problem } = error;
    if (problem?.status && [403, 404].includes(status)) this.#lose(room, problem.code === "banned" ? "banned" : "forbidden");
    else if (status === 410) this.#reset(room, problem);
    else if (BUSY.includes(status)) return problem.retryAfter ?? 2;
    else this.#fail(error);
    return BREATH;
  }

  #reset(room, { epoch, seq }) {
    this.#rooms.set(room, { epoch, seq });
    this.#tell({ type: "reset", room, payload: { room, epoch, seq, reason: "position lost", rejoinIn: 0 } });
  }

  #hear(envelope, data = JSON.stringify(envelope)) {
    const { type, room, payload } = envelope;
    const about = payload?.user?.id === this.#me;
    if (about && (type === "member.kicked" || type === "member.banned")) this.#gone.set(room, type.slice(7));
    if (about && type === "member.joined") this.#gone.delete(room);
    if (type === "closing") this.#closing = payload.reason;
    if (!this.#closed) this.onmessage?.({ data });
    if (type === "room.added") this.#watch(payload.room, payload);
    if (type === "room.removed") this.#forget(payload.room);
  }

  // ---- one room as a stream ----

  #seen = () => this.#follow(this.#front);

  #follow(room) {
    this.#stream?.abort();
    this.#stream = null;
    this.#streams = false;
    this.#timers.clear("stream", "silence");
    this.#front = room;
    const isSeen = globalThis.document?.visibilityState !== "hidden";
    if (room !== null && !this.#closed && isSeen) this.#read(room, (this.#stream = new AbortController()));
  }

  async #read(room, abort) {
    let wait = LATER;
    const listen = (seconds) => this.#timers.after("silence", seconds, () => abort.abort());
    try {
      listen(FIRST);
      const { epoch, seq } = this.#rooms.get(room);
      const headers = { Accept: "text/event-stream", "Last-Event-ID": `${epoch}:${seq}` };
      const answer = await this.#send("GET", `rooms/${encodeURIComponent(room)}/events`, abort.signal, headers);
      const isStream = answer.headers.get("Content-Type")?.startsWith("text/event-stream");
      for await (const block of isStream ? blocks(answer.body) : []) {
        if (this.#stream !== abort) return;
        wait = BREATH;
        this.#streams = true;
        listen(this.#quiet);
        this.#take(room, block);
      }
    } catch (error) {
      if (this.#stream !== abort) return;
      if (error instanceof Refused) wait = this.#refused(room, error);
      else if (!abort.signal.aborted && !this.#streams) return this.#fail(error); // the server is away
    }
    if (this.#stream !== abort) return;
    this.#streams = false;
    if (this.#closing) this.#end(1012, this.#closing);
    else if (this.#gone.has(room)) this.#lose(room);
    else this.#timers.after("stream", wait, () => this.#follow(room));
  }

  #take(room, block) {
    const id = /^id: (.*):(\d+)$/m.exec(block);
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (id) this.#rooms.set(room, { epoch: id[1], seq: Number(id[2]) });
    if (data === undefined) return;
    const envelope = JSON.parse(data);
    if (envelope.type === "reset") this.#rooms.set(room, envelope.payload);
    this.#hear(envelope, data);
  }

  // ---- the others in turn ----

  /** Which room is asked next: every second time the one in front, where it does not come as a stream. */
  #next() {
    const others = [...this.#rooms.keys()].filter((room) => room !== this.#front);
    const front = this.#front !== null && !this.#streams;
    this.#askedFront = front && (others.length === 0 || !this.#askedFront);
    return this.#askedFront ? this.#front : others[this.#turn++ % (others.length || 1)];
  }

  async #ask() {
    this.#look();
    const room = this.#next();
    let wait = ASK;
    try {
      if (room !== undefined && (await this.#page(room))) wait = 0;
    } catch (error) {
      if (!this.#closed) wait = Math.max(this.#refused(room, error), ASK);
    }
    if (!this.#closed) this.#timers.after("ask", wait, () => this.#ask());
  }

  /** Whether there is more at once. */
  async #page(room) {
    const at = this.#rooms.get(room);
    const { epoch, seq } = at;
    const { body } = await this.#request("GET", `rooms/${encodeURIComponent(room)}/events?since=${encodeURIComponent(`${epoch}:${seq}`)}`);
    if (this.#rooms.get(room) !== at || (room === this.#front && this.#streams)) return false; // joined anew meanwhile
    for (const event of body.events) this.#hear(event);
    if (this.#rooms.get(room) === at) Object.assign(at, { epoch: body.epoch, seq: body.seq });
    if (!body.more && this.#gone.has(room)) this.#lose(room);
    return body.more && body.seq > seq;
  }
}

/** The pieces of a stream between empty lines. */
async function* blocks(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (text + decoder.decode(value, { stream: true })).split("\n\n");
    text = parts.pop();
    yield* parts;
  }
}
