import { ChatError, unanswered } from "./errors.js";
import { newId } from "./ids.js";

/** Commands, each with the callback for its answer. Several may have one `msgId`: the first gets the first answer. */
export class Calls {
  maxFrame = Infinity;
  #chat;
  #pending = new Map(); // msgId -> its calls

  constructor(chat) {
    this.#chat = chat;
  }

  /** Calls `done(error, payload)` once. While offline, a command waits and is sent after the next welcome. */
  start(type, { room, payload, msgId = newId(), timeout = this.#chat.options.timeout }, done) {
    const call = { msgId, text: JSON.stringify({ type, msgId, room, payload }), done, sent: false };
    call.timer = setTimeout(() => this.#settle(call, unanswered()), timeout * 1000);
    this.#pending.set(msgId, [...(this.#pending.get(msgId) ?? []), call]);
    if (this.#chat.link.online) this.#send(call);
  }

  #send(call) {
    const limit = this.maxFrame;
    const size = call.text.length * 3 > limit ? new TextEncoder().encode(call.text).length : 0;
    call.sent = size <= limit;
    if (call.sent) this.#chat.link.send(call.text);
    else this.#settle(call, new ChatError("too_large", `${size} bytes are more than ${limit}`, { limit, size }));
  }

  #settle(call, error, payload) {
    const calls = this.#pending.get(call.msgId) ?? [];
    if (!calls.includes(call)) return;
    clearTimeout(call.timer);
    if (calls.length === 1) this.#pending.delete(call.msgId);
    else this.#pending.set(call.msgId, calls.filter((one) => one !== call)); // prettier-ignore
    call.done(error, payload);
  }

  answer({ type, replyTo, payload }) {
    const [call] = this.#pending.get(replyTo) ?? [];
    if (call) this.#settle(call, type === "error" ? new ChatError(payload.code, payload.message, payload) : null, payload);
  }

  flush() {
    for (const call of [...this.#pending.values()].flat()) if (!call.sent) this.#send(call);
  }

  /** End all commands that were sent: no answer will come. Commands that wait stay, unless `all`. */
  abort(error, all) {
    for (const call of [...this.#pending.values()].flat()) if (all || call.sent) this.#settle(call, error);
  }
}
