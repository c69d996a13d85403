import { ChatError } from "./errors.js";
import { deferred } from "./deferred.js";
import { Timers } from "./timers.js";

const PIECE = 4000; // characters of a piece at most
const ALIVE = 10; // seconds after which a silent writer shows that it is there
const AGAIN = 1; // seconds until a piece is sent again that was not answered

/** Everything is told, or it is lost, which `close` reports. */
function told() {
  const all = deferred();
  all.promise.catch(() => {});
  return all;
}

/** See client.d.ts: a message that this client writes. */
export class Stream {
  #chat;
  #room;
  #text; // its code points
  #told; // how many the server has
  #opened;
  #sending = false;
  #ended = false;
  #all = told();
  #timers = new Timers();
  msgId = null;
  cancelledBy = null;
  oncancel = null;

  constructor(chat, room, body) {
    this.#chat = chat;
    this.#room = room;
    this.#text = [...body.text];
    this.#told = this.#text.length;
    this.#opened = chat.outbox.add("message.open", { room, payload: body }).done.then(({ msgId }) => this.#open(msgId));
    this.#opened.catch((error) => this.#lose(error));
  }

  get opened() {
    return this.#opened;
  }

  get text() {
    return this.#text.join("");
  }

  #open(msgId) {
    this.msgId = msgId;
    this.#chat.streams.set(msgId, this);
    this.#pump();
    return msgId;
  }

  write(text) {
    if (this.#ended) throw new ChatError("closed", "this message is closed; open another one");
    this.#text.push(...text);
    this.#pump();
  }

  /** For the client: somebody wants this to stop. */
  cancelled(by) {
    this.cancelledBy = by ?? null;
    this.oncancel?.(this.cancelledBy);
  }

  async close({ reason, body } = {}) {
    this.#ended = true;
    await this.#opened;
    const payload = { msgId: this.msgId, reason, body };
    try {
      for (;;) {
        this.#pump();
        if (body?.text === undefined) await this.#all.promise;
        try {
          return await this.#chat.outbox.add("message.close", { room: this.#room, payload }).done;
        } catch (error) {
          if (!this.#goOn(error)) throw error;
          this.#all = told();
        }
      }
    } finally {
      this.#stop();
    }
  }

  /** Whether this was the refusal of another worker, which goes on from where it is. */
  #goOn(error) {
    const from = error.details?.at;
    if (error.code !== "conflict" || !(from <= this.#text.length)) return false;
    this.#told = from;
    return true;
  }

  #stop() {
    this.#ended = true;
    this.#timers.clearAll();
    this.#chat.streams.delete(this.msgId);
  }

  #lose(error) {
    this.#stop();
    this.#all.reject(error);
  }

  /** One piece is on its way at a time. What is written meanwhile goes with the next. */
  #pump() {
    if (this.msgId === null || this.#sending) return;
    if (this.#told < this.#text.length) this.#send();
    else if (this.#ended) this.#all.resolve();
    else this.#timers.after("alive", ALIVE, () => this.#send());
  }

  #send() {
    const at = this.#told;
    const text = this.#text.slice(at, at + PIECE).join("");
    this.#sending = true;
    this.#timers.clear("alive");
    this.#chat.calls.start("message.append", { room: this.#room, payload: { msgId: this.msgId, at, text } }, (error, ack) => {
      this.#sending = false;
      this.#answered(error, ack);
    });
  }

  #answered(error, ack) {
    if (!error) this.#told = ack.at;
    if (!error || this.#goOn(error)) this.#pump();
    else if (["lost", "timeout", "unavailable", "rate_limited"].includes(error.code))
      this.#timers.after("again", error.retryAfter ?? AGAIN, () => this.#pump());
    else this.#lose(error);
  }
}
