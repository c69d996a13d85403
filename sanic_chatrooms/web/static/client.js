// The browser client of sanic_chatrooms (typed and described in client.d.ts; the wire: docs/reference/protocol.md).
//
// Its parts are in client/, from the wire up: link.js, calls.js, rooms.js, outbox.js. The server joins them to one file.
// Answers go to callbacks instead of promises, so that an ack is applied before the event in the next frame.

import { Calls } from "./client/calls.js";
import { deferred } from "./client/deferred.js";
import { ChatError, closed } from "./client/errors.js";
import { Identity } from "./client/identity.js";
import { Link } from "./client/link.js";
import { Outbox } from "./client/outbox.js";
import { Pieces } from "./client/pieces.js";
import { Rooms } from "./client/rooms.js";
import { restBeside, socketUrl } from "./client/socket-url.js";
import { Stream } from "./client/stream.js";
import { now } from "./client/timers.js";

export { reconnects } from "./client/close-codes.js";
export { ChatError } from "./client/errors.js";
export { fold } from "./client/fold.js";

const TYPING = 3; // seconds between repeats; the server forgets after 6
const OWN_EVENTS = ["state", "joined", "gap", "removed", "outbox", "user", "problem"];

const bodyOf = (body) => (typeof body === "string" ? { text: body } : body);

/** A constructor of what stands in for a WebSocket over HTTP; null if it cannot be loaded. */
async function standIn(rest, fetch) {
  try {
    const { HttpSocket } = await import("./client-http.js"); // a file of its own: who has sockets pays nothing
    return HttpSocket.bind(null, rest, fetch);
  } catch {
    return null; // this page may not have it, as where client.js was copied
  }
}

/** See client.d.ts. */
export class ChatRooms {
  #its; // what the parts share
  #listeners = new Map();
  #typingAt = new Map();
  #opening = null;
  #welcome = null;
  #user = null;

  constructor(given = {}) {
    const url = socketUrl(given.url);
    const { first = 1, longest = 30 } = given.backoff ?? {};
    const { timeout = 10, heartbeat, random = Math.random, WebSocket = globalThis.WebSocket } = given;
    const rest = restBeside(url, given.api);
    const fetch = given.fetch ?? ((...what) => globalThis.fetch(...what));
    const its = (this.#its = {
      options: { url: url.href, first, longest, timeout, heartbeat, random, WebSocket, fetch },
      standIn: rest && (() => standIn({ ...rest, byUse: () => its.rooms.byUse() }, fetch)),
      identity: new Identity(given, `chatrooms ${url.host}${url.pathname} `),
      emit: (type, event) => this.#emit(type, event),
      emitWire: (envelope) => this.#emitWire(envelope),
      changed: (status) => this.#changed(status),
      introduce: (welcome) => this.#introduce(welcome),
      welcomed: (envelope) => this.#welcomed(envelope),
      heard: (envelope) => this.#heard(envelope),
      lost: (code) => this.#lost(code),
      problem: (during, error) => this.#emit("problem", { during, error }),
      confirm: (event) => event.sender?.id === this.#user?.id && its.outbox.confirm(event),
    });
    Object.assign(its, { streams: new Map(), pieces: new Pieces(its) });
    Object.assign(its, { link: new Link(its), calls: new Calls(its), rooms: new Rooms(its), outbox: new Outbox(its) });
  }

  get state() { return this.#its.link.status.state; } // prettier-ignore
  get status() { return this.#its.link.status; } // prettier-ignore
  get user() { return this.#user; } // prettier-ignore
  get welcome() { return this.#welcome; } // prettier-ignore
  get name() { return this.#its.identity.name; } // prettier-ignore
  get joinedRooms() { return this.#its.rooms.ids(); } // prettier-ignore
  get outbox() { return this.#its.outbox.list(); } // prettier-ignore

  isJoined(room) {
    return this.#its.rooms.get(room)?.status === "in";
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
        console.error(`a listener of ${type} failed`, error); // other listeners and our own state are not affected
      }
    }
  }

  #emitWire(envelope) {
    // A later server may have an event with the name of one of ours.
    if (!OWN_EVENTS.includes(envelope.type)) this.#emit(envelope.type, envelope);
    this.#emit("*", envelope);
    if (envelope.type === "room.updated") this.#its.outbox.hurry(envelope.room);
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

  /** Send a guest's name before anything else, so that others never see a different one. */
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
    const { rooms, calls, outbox } = this.#its;
    this.#welcome = envelope.payload;
    this.#identified(envelope.payload);
    this.#emitWire(envelope);
    rooms.rejoin();
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
    this.#its.rooms.lost();
    this.#its.outbox.lost(code);
    this.#its.calls.abort(new ChatError("lost", "the connection broke before the answer came"));
  }

  #heard(envelope) {
    const { type, payload } = envelope;
    if (type === "ack" && envelope.replyTo === "join") this.#its.rooms.joinedByPath(payload);
    else if (type === "ack" || type === "error" || type === "pong") this.#its.calls.answer(envelope);
    else if (envelope.seq !== undefined && envelope.room !== undefined) this.#its.rooms.take(envelope);
    else if (type === "message.delta") this.#its.pieces.take(envelope);
    else {
      this.#obey(type, payload);
      this.#emitWire(envelope);
    }
  }

  #obey(type, payload) {
    const { rooms, link, identity } = this.#its;
    if (type === "reset") rooms.reset(payload);
    else if (type === "room.added") rooms.added(payload);
    else if (type === "room.removed") this.#removed(payload);
    else if (type === "message.cancelled") this.#its.streams.get(payload.msgId)?.cancelled(payload.by);
    else if (type === "closing") link.comeBackIn(payload.reconnectIn);
    else if (type === "auth.expiring" && identity.renewable)
      this.#refresh().catch((error) => this.#its.problem("refresh", error));
  }

  #removed({ room, reason }) {
    this.#its.rooms.forget(room, new ChatError("not_a_member", `removed from the room: ${reason}`));
    this.#emit("removed", { room, reason, error: null });
    this.#its.outbox.pumpAll();
  }

  // ---- rooms ----

  join(room, { history } = {}) {
    return this.#its.rooms.join(room, history);
  }

  look(room) {
    this.#its.rooms.use(room);
  }

  async exit(room) {
    this.#its.rooms.forget(room);
    if (this.#its.link.online) await this.request("exit", { room });
  }

  async leave(room) {
    await this.request("leave", { room });
    this.#its.rooms.forget(room);
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
    this.look(room);
    return this.#its.outbox.add("message", { room, payload: bodyOf(body), keep: true });
  }

  direct(to, body) {
    const payload = { to, body: bodyOf(body) };
    return this.#its.outbox.add("direct", { to, payload, body: payload.body, keep: true });
  }

  restore(entry) {
    return this.#its.outbox.restore(entry);
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

  delete(room, msgId, { reason } = {}) {
    return this.#its.outbox.add("message.delete", { room, payload: { msgId, reason } }).done;
  }

  react(room, msgId, emoji, on = true) {
    return this.#lacks("reactions") ?? this.#its.outbox.add(on ? "reaction.add" : "reaction.remove", { room, payload: { msgId, emoji } }).done;
  }

  reactions(room, msgId, page) {
    return this.#lacks("reactions") ?? this.request("reactions", { room, payload: { msgId, ...page } });
  }

  pin(room, msgId, on = true) {
    return this.#lacks("pins") ?? this.#its.outbox.add(on ? "message.pin" : "message.unpin", { room, payload: { msgId } }).done;
  }

  pins(room, page) {
    return this.#lacks("pins") ?? this.request("pins", { room, payload: page });
  }

  thread(room, msgId, page) {
    return this.#lacks("threads") ?? this.request("thread", { room, payload: { msgId, ...page } });
  }

  block(user, on = true) {
    return this.request(on ? "user.block" : "user.unblock", { payload: { user } });
  }

  blocked(page) {
    return this.request("user.blocked", { payload: page });
  }

  stream(room, body = "") {
    return new Stream(this.#its, room, bodyOf(body));
  }

  cancel(room, msgId) {
    return this.#lacks("streams") ?? this.request("message.cancel", { room, payload: { msgId } });
  }

  typing(room, active = true) {
    this.look(room);
    const since = now() - (this.#typingAt.get(room) ?? -Infinity);
    if (!this.isJoined(room) || (active ? since < TYPING : since === Infinity)) return;
    if (active) this.#typingAt.set(room, now());
    else this.#typingAt.delete(room);
    this.#its.link.send(JSON.stringify({ type: "typing", room, payload: { active } })); // without msgId: its answer is not needed
  }

  read(room, seq, { unread } = {}) {
    this.look(room);
    return this.#lacks("unread") ?? this.request("read", { room, payload: { seq, unread } });
  }

  unread(rooms) {
    return this.#lacks("unread") ?? this.request("unread", { payload: { rooms } });
  }

  badge() {
    return this.#lacks("unread") ?? this.request("badge");
  }

  prefs(room, change) {
    return this.#lacks("unread") ?? this.request("prefs", { room, payload: change });
  }

  async history(room, payload) {
    this.look(room);
    const page = await this.request("history", { room, payload });
    page.messages.forEach((message) => this.#its.pieces.show(message));
    return page;
  }

  search(room, query, page) {
    return this.#lacks("search") ?? this.request("search", { room: room ?? undefined, payload: { query, ...page } });
  }

  /** A rejected promise if this server lacks a feature. Null before the first welcome: then the server answers. */
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
