// What a room shows of its past: events in order of `seq`, then what we have written and the server has not confirmed.

const KEPT = 2000;

/** One line of the conversation. `version` goes up with every change, so that a view redraws only that one. */
function itemOf(event) {
  const item = { key: event.msgId ?? `${event.room}/${event.seq}`, version: 0, status: "sent", error: null };
  return Object.assign(item, fieldsOf(event));
}

function fieldsOf(event) {
  return {
    id: event.msgId,
    seq: event.seq,
    type: event.type,
    at: event.timestamp,
    sender: event.sender ?? null,
    payload: event.payload,
    text: String(event.payload?.text ?? ""),
    edited: event.edited,
    deleted: event.deleted === true,
    changed: event.changed ?? event.seq,
    reactions: event.reactions ?? null,
  };
}

export class Timeline {
  constructor() {
    this.items = [];
    this.pending = [];
    this.more = false;
    this.loaded = false;
  }

  /** Everything in order. */
  all() {
    return this.pending.length ? [...this.items, ...this.pending] : this.items;
  }

  /** The highest number that is here, 0 without any. */
  get end() {
    return this.items.at(-1)?.seq ?? 0;
  }

  /** Show this page and nothing else of the past. */
  replace(messages, more) {
    const known = new Map(this.items.map((item) => [item.id, item.key]));
    this.items = messages.filter(isShown).map(itemOf);
    // The same key keeps the same element: a reload does not flicker.
    for (const item of this.items) item.key = known.get(item.id) ?? item.key;
    this.pending = this.pending.filter((item) => !this.items.some((other) => isSame(other, item, messages)));
    this.more = more;
    this.loaded = true;
  }

  /** Put an older page before what is here. */
  prepend(messages, more) {
    const first = this.items[0]?.seq ?? Infinity;
    this.items = [...messages.filter((m) => m.seq < first && isShown(m)).map(itemOf), ...this.items];
    this.more = more;
  }

  /** Forget the oldest of very many; `history` brings them back. */
  trim() {
    if (this.items.length <= KEPT * 1.5) return;
    this.items = this.items.slice(-KEPT);
    this.more = true;
  }

  /** Take in a durable event. `mine`: it is ours, so it may confirm what waits. Returns its item if it is a new line. */
  apply(event, mine) {
    if (isChange(event)) return this.#change(event);
    if (!isShown(event)) return null;
    const waiting = mine ? this.pending.findIndex((item) => item.key === event.clientMsgId) : -1;
    if (waiting >= 0) return this.#confirm(this.pending.splice(waiting, 1)[0], fieldsOf(event));
    const known = this.items.find((item) => item.seq === event.seq);
    if (known) {
      // Our own, after its ack: nothing to redraw unless the server made something else of it.
      const redraw = known.text !== String(event.payload?.text ?? "");
      Object.assign(known, fieldsOf(event), { version: known.version + Number(redraw) });
      return null;
    }
    return this.#insert(itemOf(event));
  }

  /** Show what we are about to send, or what became of it (an entry of the client's outbox). */
  written(entry, me) {
    const index = this.pending.findIndex((item) => item.key === entry.msgId);
    const item = this.pending[index];
    if (entry.status === "discarded") {
      if (item) this.pending.splice(index, 1);
    } else if (entry.status === "sent") {
      if (!item) return;
      this.pending.splice(index, 1);
      const { seq, msgId, timestamp } = entry.ack;
      this.#confirm(item, { id: msgId, seq, at: timestamp, changed: seq });
    } else if (item) {
      const status = entry.status === "failed" ? "failed" : "pending";
      if (item.status !== status || item.error !== entry.error) item.version++;
      Object.assign(item, { status, error: entry.error });
    } else if (!this.items.some((known) => known.key === entry.msgId)) {
      const body = entry.body ?? {};
      const shape = { type: "message", timestamp: entry.createdAt, payload: body, sender: me };
      this.pending.push({ ...itemOf(shape), key: entry.msgId, status: entry.status === "failed" ? "failed" : "pending", error: entry.error });
    }
  }

  #confirm(item, fields) {
    Object.assign(item, fields, { status: "sent", error: null, version: item.version + 1 });
    return this.items.some((known) => known.seq === item.seq) ? null : this.#insert(item);
  }

  #insert(item) {
    let at = this.items.length;
    while (at > 0 && this.items[at - 1].seq > item.seq) at--;
    this.items = [...this.items.slice(0, at), item, ...this.items.slice(at)];
    return item;
  }

  #change(event) {
    const item = this.items.find((known) => known.id === event.payload?.msgId);
    // A page that was loaded later than the change has it folded in already.
    if (!item || item.changed >= event.seq) return null;
    const { body, reactions } = event.payload;
    if (event.type === "message.edited") Object.assign(item, { text: String(body?.text ?? ""), edited: event.timestamp });
    if (event.type === "message.deleted") Object.assign(item, { text: "", deleted: true, reactions: null });
    if (reactions) item.reactions = reactions;
    Object.assign(item, { changed: event.seq, version: item.version + 1 });
    return null;
  }
}

function isSame(item, waiting, messages) {
  return messages.some((message) => message.clientMsgId === waiting.key && message.seq === item.seq && message.sender?.id === waiting.sender?.id);
}

function isChange(event) {
  return /^(message|reaction)\./.test(event.type);
}

// Everything that is stored in a room is a line, except what changes another line.
function isShown(event) {
  return !isChange(event) && typeof event.seq === "number";
}
