// What a room shows of its past: events in order of `seq`, then what we wrote and the server has not confirmed.

const KEPT = 2000;
const LAST = 8.64e12; // seconds: no date is later

/** What a body says: its text, whatever a host has put there. */
export function textOf(body) {
  const text = body?.text ?? "";
  return typeof text === "string" ? text : JSON.stringify(text);
}

function itemOf(event) {
  return { key: event.msgId ?? `${event.seq}`, version: 0, status: "sent", error: null, ...fieldsOf(event) };
}

function fieldsOf({ msgId, seq, type, timestamp, sender, payload, edited, deleted, changed }) {
  return { id: msgId, seq, type, at: Math.abs(timestamp) < LAST ? timestamp : 0, sender, payload, text: textOf(payload), edited, deleted, changed: changed ?? seq };
}

// Everything that is stored in a room is a line, except what changes another line.
function isShown({ type }) {
  return !/^(message|reaction)\./.test(type);
}

/** `version` of an item goes up with every change: a view redraws only what changed. */
export class Timeline {
  items = [];
  pending = [];
  more = false;
  loaded = false;

  all() {
    return [...this.items, ...this.pending];
  }

  /** The highest number that is here. */
  get end() {
    return this.items.at(-1)?.seq ?? 0;
  }

  /** Show this page and nothing else of the past. */
  replace(messages, more) {
    // The same key keeps the same element: a reload does not flicker.
    const keys = new Map(this.items.map(({ id, key }) => [id, key]));
    this.items = messages.filter(isShown).map(itemOf);
    for (const item of this.items) item.key = keys.get(item.id) ?? item.key;
    this.more = more;
    this.loaded = true;
  }

  /** Put an older page before what is here. */
  prepend(messages, more) {
    const first = this.items[0]?.seq ?? Infinity;
    this.items = [...messages.filter((event) => event.seq < first && isShown(event)).map(itemOf), ...this.items];
    this.more = more;
  }

  /** Forget the oldest of very many; `history` brings them back. */
  trim() {
    if (this.items.length <= KEPT * 1.5) return;
    this.items = this.items.slice(-KEPT);
    this.more = true;
  }

  /** Take in a durable event. `mine`: it may confirm what waits. Returns its item if it is a new line. */
  apply(event, mine) {
    if (!isShown(event)) return this.#change(event);
    if (mine && this.#confirm(event.clientMsgId, fieldsOf(event))) return null;
    const known = this.items.find(({ seq }) => seq === event.seq);
    if (known) Object.assign(known, fieldsOf(event));
    return known ? null : this.#insert(itemOf(event));
  }

  /** Show what we wrote, or what became of it: an entry of the client's outbox. */
  written({ msgId, status, error, ack, body, createdAt }, me) {
    const item = this.pending.find(({ key }) => key === msgId);
    if (status === "sent") this.#confirm(msgId, { id: ack.msgId, seq: ack.seq, at: ack.timestamp, changed: ack.seq });
    else if (status === "discarded") this.pending = this.pending.filter((one) => one !== item);
    else if (item) Object.assign(item, { status: status === "failed" ? status : "pending", error, version: item.version + 1 });
    else this.pending.push({ ...itemOf({ type: "message", timestamp: createdAt, payload: body, sender: me }), key: msgId, status: "pending" });
  }

  #confirm(key, fields) {
    const item = this.pending.find((one) => one.key === key);
    if (!item) return false;
    this.pending = this.pending.filter((one) => one !== item);
    Object.assign(item, fields, { status: "sent", error: null, version: item.version + 1 });
    if (!this.items.some(({ seq }) => seq === item.seq)) this.#insert(item);
    return true;
  }

  #insert(item) {
    const at = this.items.findLastIndex(({ seq }) => seq < item.seq) + 1;
    this.items.splice(at, 0, item);
    return item;
  }

  // An edit of what was deleted later is empty, names no message, and changes nothing.
  #change({ type, seq, timestamp, payload }) {
    const item = payload.msgId && this.items.find(({ id }) => id === payload.msgId);
    if (!item) return null;
    if (type === "message.edited") this.edited(item, payload.body, seq, payload.edited ?? timestamp);
    if (type === "message.deleted") this.deleted(item, seq);
    return null;
  }

  /** The message is this now, by the event of this number. */
  edited(item, body, seq, edited = Date.now() / 1000) {
    this.#fold(item, seq, { payload: body, text: textOf(body), edited });
  }

  /** Nothing is left of it. */
  deleted(item, seq) {
    this.#fold(item, seq, { payload: {}, text: "", edited: undefined, deleted: true, change: null });
  }

  // A page that was loaded later than the change has it folded in already.
  #fold(item, seq, fields) {
    if (item.changed < seq) Object.assign(item, fields, { changed: seq, version: item.version + 1 });
  }
}
