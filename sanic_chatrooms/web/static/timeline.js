// The messages of a room: events in order of `seq`, then our messages that the server has not confirmed.

const MOST_ITEMS = 2000;
const LAST = 8.64e12; // seconds; the latest date in JavaScript

/** The text of a body, also if an app put something else there. */
export function textOf(body) {
  const text = body?.text ?? "";
  return typeof text === "string" ? text : JSON.stringify(text);
}

function itemOf(event) {
  return { key: event.msgId ?? `${event.seq}`, version: 0, status: "sent", error: null, ...fieldsOf(event) };
}

function fieldsOf({ msgId, seq, type, timestamp, sender, payload, edited, deleted, changed, reactions, thread, pinned, streaming, ended }) {
  return { id: msgId, seq, type, at: Math.abs(timestamp) < LAST ? timestamp : 0, sender, payload, text: textOf(payload), edited, deleted, changed: changed ?? seq, reactions, thread, pinned, streaming, ended };
}

// Every stored event is a line, except changes of another line.
function isShown({ type }) {
  return !/^(message|reaction)\./.test(type);
}

/** Whether an event is about members or the room: it stands in the log alone. */
export function isAbout({ type }) {
  return /^(member|room)\./.test(type);
}

/** Whether a message answers another one. */
export function isReply({ type, payload }) {
  return type === "message" && typeof payload?.parent === "string";
}

/** Name whom an event is about: for somebody it never met, a server uses the id as the name. Returns whether the name is new. */
export function introduce({ payload }, nameOf) {
  const { user } = payload ?? {};
  const name = user?.id && user.name === user.id && nameOf(user.id);
  if (name) user.name = name;
  return Boolean(name) && name !== user.id;
}

// What was written to change it and is not stored: it goes nowhere now. It is kept for whoever wrote it.
function abandoned({ change, unsaved = change?.text }) {
  return { change: null, unsaved };
}

// It was loaded again: what we do to it goes on. What stands beside it may have changed, and only `changed` shows other changes.
function loadedAgain(item, event) {
  const before = beside(item);
  Object.assign(item, fieldsOf(event), event.deleted && abandoned(item));
  if (item.version || beside(item) !== before) item.version++;
  return item;
}

function beside({ reactions, thread, pinned }) {
  return JSON.stringify([reactions, thread, pinned]);
}

/** An item's `version` grows with every change, so that a view redraws only changed items. */
export class Timeline {
  items = [];
  pending = [];
  more = false;
  loaded = false;
  /** There are newer ones that are not in it. */
  later = false;
  /** Ranges of numbers, each [from, to): the lines of the log there were not asked for. */
  bare = [];
  #heard = 0;
  #gone = []; // deletions with reasons, of messages that may come later: their page has no reasons

  /** `shows(event)`: whether a line belongs here. */
  constructor(shows = () => true) {
    this.shows = (event) => isShown(event) && shows(event);
  }

  all() {
    return [...this.items, ...this.pending];
  }

  /** The highest number that came here, also of what is shown elsewhere. */
  get end() {
    return Math.max(this.#heard, this.items.at(-1)?.seq ?? 0);
  }

  /** Replace everything by this page. `end`: the number of the newest event. */
  replace(messages, more, end = messages.at(-1)?.seq ?? 0) {
    // The same key keeps its element, so that a reload does not flicker.
    const known = new Map(this.items.map((item) => [item.id, item]));
    this.items = messages.filter(this.shows).map((event) => (event.msgId && known.has(event.msgId) ? loadedAgain(known.get(event.msgId), event) : itemOf(event)));
    this.#heard = messages.at(-1)?.seq ?? 0;
    this.more = more;
    this.loaded = true;
    this.bare = [];
    this.#lacks(end + 1);
  }

  /** Add an older page in front. */
  prepend(messages, more) {
    const first = this.items[0]?.seq ?? this.#heard + 1;
    this.items = [...messages.filter((event) => event.seq < first && this.shows(event)).map(itemOf), ...this.items];
    this.more = more;
    this.#lacks(first);
  }

  #lacks(to, from = this.more ? (this.items[0]?.seq ?? to) : 1) {
    this.bare.push([from, to]);
    this.#explain();
  }

  /** Add what stands in the log alone: lines, and the reasons of deletions. No lines below older messages that are not here: the next page ends where this begins. */
  between(events) {
    const first = this.more ? (this.items[0]?.seq ?? Infinity) : 0;
    for (const event of events) if (event.seq > first && (isAbout(event) || event.type === "message.deleted")) this.apply(event);
  }

  /** Add a newer page at the end. */
  append(messages) {
    const last = this.items.at(-1)?.seq ?? 0;
    const from = this.end + 1;
    this.items = [...this.items, ...messages.filter((event) => event.seq > last && this.shows(event)).map(itemOf)];
    this.#heard = Math.max(this.#heard, messages.at(-1)?.seq ?? 0);
    this.#lacks((messages.at(-1)?.seq ?? 0) + 1, from);
  }

  /** Become a part of this window, which has met it. */
  follow(past) {
    const first = this.items[0]?.seq ?? Infinity;
    this.items = [...past.items.filter(({ seq }) => seq < first), ...this.items];
    this.more = past.more;
    this.bare.push(...past.bare);
    this.#explain(past.#gone);
  }

  // Messages that came later than their deletions.
  #explain(more = []) {
    for (const event of [...this.#gone.splice(0), ...more]) this.change(event);
  }

  /** Drop the oldest if there are very many; `history` loads them again. */
  trim() {
    if (this.items.length <= MOST_ITEMS * 1.5) return;
    this.items = this.items.slice(-MOST_ITEMS);
    this.more = true;
  }

  /** Apply a durable event. `mine`: it may confirm a pending message. Returns its item if it is a new line. */
  apply(event, mine) {
    if (isShown(event)) this.#heard = Math.max(this.#heard, event.seq);
    if (!this.shows(event)) return this.change(event);
    if (mine && this.#confirm(event.clientMsgId, fieldsOf(event))) return null;
    const known = this.items.find(({ seq }) => seq === event.seq);
    if (known) Object.assign(known, fieldsOf(event));
    return known ? null : this.#insert(itemOf(event));
  }

  /** Show a message of ours in its state: an entry of the client's outbox. */
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

  /** Apply an event that is no line of its own. An edit of a message that was deleted later is empty and changes nothing. */
  change(event) {
    const { type, seq, timestamp, payload } = event;
    const item = payload.msgId && this.items.find(({ id }) => id === payload.msgId);
    if (!item && payload.reason) this.#gone = [...this.#gone.slice(-99), event];
    if (!item) return null;
    if (type === "message.edited" && payload.closed) this.#closed(item, payload, seq);
    else if (type === "message.edited") this.edited(item, payload.body, seq, payload.edited ?? timestamp);
    if (type === "message.deleted") this.deleted(item, seq, textOf({ text: payload.reason }));
    return null;
  }

  /** Replace the message's content, by the event with this number. */
  edited(item, body, seq, edited = Date.now() / 1000) {
    this.#fold(item, seq, { payload: body, text: textOf(body), edited, ended: undefined });
  }

  /** Remove its content. */
  deleted(item, seq, because = "") {
    this.#fold(item, seq, { payload: {}, text: "", edited: undefined, streaming: undefined, ended: undefined, deleted: true, because, ...abandoned(item), reactions: undefined, pinned: undefined });
  }

  // The end of a message that was being written is no edit of it.
  #closed(item, { body, ended }, seq) {
    this.#fold(item, seq, { payload: body, text: textOf(body), streaming: undefined, ended });
  }

  /** Add a piece to a message that is being written. Returns its item, or null if it does not continue the text. */
  grow({ msgId, at, text }) {
    const item = this.items.findLast(({ id }) => id === msgId);
    if (item?.streaming?.at !== at) return null;
    item.text += text;
    item.streaming = { at: at + [...text].length };
    return item;
  }

  // A page that was loaded after the change contains it already, except the reason.
  #fold(item, seq, fields) {
    if (item.changed < seq || fields.because) Object.assign(item, fields, { changed: seq, version: item.version + 1 });
  }
}
