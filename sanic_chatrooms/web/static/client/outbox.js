import { deferred } from "./deferred.js";
import { ChatError, unanswered } from "./errors.js";
import { newId } from "./ids.js";
import { jitter, Timers, wall } from "./timers.js";

const REPEAT = 30; // seconds for which edits and the like are repeated

/** Durable commands until the server has them: one at a time per lane (a room, a person), so that order is kept. */
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
