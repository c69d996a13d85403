import { deferred } from "./deferred.js";
import { ChatError, unanswered } from "./errors.js";
import { newId } from "./ids.js";
import { jitter, Timers, wall } from "./timers.js";

const REPEAT = 30; // seconds during which edits and the like are repeated

/** Durable commands until the server has stored them. One at a time per lane (a room or a person) keeps their order. */
export class Outbox {
  #chat;
  #entries = new Map();
  #timers = new Timers();

  constructor(chat) {
    this.#chat = chat;
  }

  list() {
    return [...this.#entries.values()].map(shown);
  }

  /** `keep`: a message, which stays until it is sent or discarded. Other commands fail after REPEAT seconds. */
  add(type, what) {
    const entry = this.#put(newId(), type, what, wall());
    if (!entry.keep) this.#timers.after(`end ${entry.msgId}`, REPEAT, () => this.#fail(entry, unanswered()));
    return this.#queue(entry);
  }

  #put(msgId, type, { room, to, payload, body = payload, keep = false }, createdAt) {
    const entry = { msgId, type, room, to, body, status: "queued", error: null, ack: null, createdAt };
    Object.assign(entry, { payload, keep, lane: to === undefined ? `room ${room}` : `user ${to}`, tries: 0 });
    this.#entries.set(msgId, entry);
    return entry;
  }

  /** A message of an earlier page. With an `error` it has failed, else it is sent. */
  restore({ msgId, type, room, to, body, createdAt, error }) {
    if (this.#entries.has(msgId)) return null;
    const payload = type === "direct" ? { to, body } : body;
    const entry = this.#put(msgId, type, { room, to, payload, body, keep: true }, createdAt);
    if (!error) return this.#queue(entry);
    entry.answer = deferred();
    this.#fail(entry, error);
    return { msgId, done: entry.answer.promise };
  }

  #queue(entry) {
    entry.status = "queued";
    entry.answer = deferred();
    // Later, so that the caller knows the msgId before an event has it.
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

  /** The rules of the room have changed: what waits because of them is sent now. */
  hurry(room) {
    const lane = `room ${room}`;
    this.#timers.clear(lane);
    this.#pump(lane);
  }

  pumpAll() {
    for (const lane of new Set([...this.#entries.values()].map((entry) => entry.lane))) this.#pump(lane);
  }

  /** Our own event proves the same as its ack. After a reconnect it may come first, or instead. */
  confirm({ clientMsgId, room, msgId, seq, timestamp, payload }) {
    const entry = this.#entries.get(clientMsgId);
    const more = entry?.type.startsWith("reaction.") ? { count: payload.count } : {};
    if (entry) this.#sent(entry, { room, msgId, seq, timestamp, duplicate: false, ...more });
  }

  /** 1009: a frame was too big for the server or a proxy. The biggest is not sent again. */
  lost(code) {
    if (code !== 1009) return;
    const size = (entry) => (entry.status === "sending" ? JSON.stringify(entry.payload).length : 0);
    const [biggest] = [...this.#entries.values()].sort((one, other) => size(other) - size(one));
    if (biggest?.status === "sending") this.#fail(biggest, new ChatError("too_large", "this is too long to send"));
  }

  #pump(lane) {
    const entry = [...this.#entries.values()].find((one) => one.lane === lane && one.status !== "failed");
    if (entry?.status !== "queued" || !this.#chat.link.online || this.#timers.has(lane)) return;
    if (this.#awaitsRoom(entry)) return;
    this.#mark(entry, "sending");
    this.#chat.calls.start(entry.type, entry, (error, ack) => this.#answered(entry, error, ack));
  }

  /** Only for rooms that we join. For others the server's error says what is wrong. */
  #awaitsRoom(entry) {
    return (this.#chat.rooms.get(entry.room)?.status ?? "in") !== "in";
  }

  #answered(entry, error, ack) {
    if (this.#entries.get(entry.msgId) !== entry || entry.status !== "sending") return;
    if (!error) this.#sent(entry, ack);
    else if (["lost", "closed", "timeout", "unavailable"].includes(error.code)) this.#repeat(entry, error);
    else if (error.code === "rate_limited" && (entry.keep || !(error.retryAfter > REPEAT))) this.#repeat(entry, error);
    else if (error.code === "not_a_member" && this.#awaitsRoom(entry)) this.#repeat(entry, error); // sent while a reset was on its way
    else this.#fail(entry, error);
  }

  #repeat(entry, error) {
    const { link, options } = this.#chat;
    const again = () => this.#pump(entry.lane);
    const wait = error.retryAfter ?? 0.5 + jitter(options, entry.tries++);
    if (link.online) this.#timers.after(entry.lane, wait, again);
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
