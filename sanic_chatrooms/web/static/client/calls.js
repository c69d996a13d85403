import { ChatError, unanswered } from "./errors.js";
import { newId } from "./ids.js";

/** Commands, each with the callback for its answer. */
export class Calls {
  maxFrame = Infinity;
  #chat;
  #pending = new Map();

  constructor(chat) {
    this.#chat = chat;
  }

  /** Calls `done(error, payload)` once. While offline, a command waits and is sent after the next welcome. */
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

  /** End all commands that were sent: no answer will come. Commands that wait stay, unless `all`. */
  abort(error, all) {
    for (const [msgId, call] of [...this.#pending]) if (all || call.sent) this.#settle(msgId, error);
  }
}
