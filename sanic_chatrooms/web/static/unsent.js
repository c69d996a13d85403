// Messages that were not sent when the page was left: kept on this device, and sent by the next page of the same user.
//
// Each page has a record of its own, and a lock as long as it lives. Another page that gets the lock knows that the first is gone, and
// takes its record over. Never twice: the record says `tried` before a message is sent for the first time. What was tried may be stored
// already. The server knows its id again for DEDUP; later, the room's history has to say that it is not there.

const MOST = 100; // messages
const LONGEST = 200_000; // characters of a record
const DEDUP = 240; // seconds, of the server's 300
const LATEST = 7 * 24 * 3600; // seconds after which a record is dropped
const SOON = 200; // ms: what is stored by then is never kept

const STORED = {};
const UNSURE = { code: "unsure", message: "" }; // its words: reasons.js

const isMessage = ({ type }) => /^(message|direct)$/.test(type);
const now = () => Date.now() / 1000;

export class Unsent {
  #tried = new Map(); // msgId → when it was first sent
  #waiting = new Map(); // msgId → an entry that was taken over and is not in the outbox yet
  #written = "";
  #timer = null;

  /** `store`: {get(key), set(key, text), remove(key), keys(prefix)}; `resume(entry, error)`: put it into the outbox, resolves when it is there; `history(entry)` → a page, or null if nobody can say; `locks`: as navigator.locks. */
  constructor(chat, user, store, locks, acts) {
    Object.assign(this, { chat, user, store, locks, acts });
    this.key = `chatrooms unsent ${user} ${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    chat.on("outbox", (entry) => this.#changed(entry));
  }

  /** Take over what pages that are gone have left. Without locks nothing is kept. */
  begin() {
    if (!this.locks) return;
    const hold = (key, act) => this.locks.request(key, act).catch(() => {}); // the page is going
    hold(this.key, () => new Promise(() => {}));
    for (const key of this.store.keys("chatrooms unsent ")) {
      if (key.startsWith(`chatrooms unsent ${this.user} `)) hold(key, () => this.#adopt(key));
      else if (!this.#fresh(key).length) this.store.remove(key);
    }
  }

  #fresh(key) {
    try {
      return JSON.parse(this.store.get(key)).filter((entry) => entry.msgId && isMessage(entry) && entry.body && Math.abs(now() - entry.createdAt) < LATEST);
    } catch {
      return [];
    }
  }

  async #adopt(key) {
    const entries = this.#fresh(key).slice(0, MOST);
    for (const entry of entries) {
      this.#waiting.set(entry.msgId, entry);
      if (entry.tried) this.#tried.set(entry.msgId, entry.tried);
    }
    // Else the next page may have room for it.
    if (!this.#write()) return entries.forEach(({ msgId }) => this.#waiting.delete(msgId));
    this.store.remove(key);
    for (const entry of entries) {
      const doubt = entry.error ?? (entry.tried ? await this.#doubt(entry) : null);
      if (doubt !== STORED) await this.acts.resume(entry, doubt && Object.assign(new Error(doubt.message), { code: doubt.code, details: {} }));
      this.#waiting.delete(entry.msgId);
    }
    this.save();
  }

  // Null if it can be sent.
  async #doubt(entry) {
    const page = await this.acts.history(entry).catch(() => null);
    if (page?.messages.some(({ clientMsgId }) => clientMsgId === entry.msgId)) return STORED;
    return Math.abs(now() - entry.tried) < DEDUP || page?.more === false ? null : UNSURE;
  }

  #changed({ msgId, status }) {
    if (status === "sending" && !this.#tried.has(msgId)) this.#tried.set(msgId, now());
    if (status === "sent" || status === "discarded") this.#tried.delete(msgId);
    if (this.#written) this.save(); // before it is sent
    else this.#timer ??= setTimeout(() => this.save(), SOON);
  }

  /** Write what is unsent now. Returns whether all of it will be there for the next page. */
  save() {
    clearTimeout(this.#timer);
    this.#timer = null;
    return Boolean(this.locks) && this.#write() && this.chat.outbox.every(isMessage);
  }

  // All of it or nothing: an older record would send again what is sent now.
  #write() {
    const messages = this.chat.outbox.filter(isMessage);
    const waiting = [...this.#waiting.values()].filter((entry) => !messages.some(({ msgId }) => msgId === entry.msgId));
    const all = [...waiting, ...messages.map((entry) => this.#lasting(entry))];
    const text = all.length ? JSON.stringify(all) : "";
    if (text === this.#written) return true;
    const isWritten = all.length <= MOST && text.length <= LONGEST && (!text || this.store.set(this.key, text));
    this.#written = isWritten ? text : "";
    if (!this.#written) this.store.remove(this.key);
    return isWritten;
  }

  #lasting({ msgId, type, room, to, body, createdAt, status, error }) {
    const lasts = status === "failed" ? { code: error.code, message: error.message } : undefined;
    return { msgId, type, room, to, body, createdAt, tried: this.#tried.get(msgId), error: lasts };
  }
}
