// What the user has not read. For members the server counts; elsewhere the page counts what it sees, and this browser keeps how far
// the user has read.

import { offers } from "./counts.js";
import { ReadMarks } from "./read-marks.js";

const MOST = 100; // rooms in one question
const SOON = 300; // ms before reading is reported, and as much again at random: all who are there read a message at once
const AT_ONCE = 20; // reports
const LATER = 1500; // ms
const SPREAD = 2000; // ms, in which all who are mentioned together ask

const READ = { unread: 0, more: false, mentions: 0 };

export class Unread {
  #due = new Set(); // rooms whose reading is not reported yet
  #timer = null;

  /** `book`: `rooms` (id → Room) and `changed(what, room)`. */
  constructor(chat, book) {
    this.chat = chat;
    this.book = book;
    this.#keep(chat.user?.id);
    chat.on("read", ({ room, payload }) => payload.user.id === chat.user?.id && this.#readElsewhere(room));
    chat.on("mention", ({ payload }) => this.#mentioned(payload));
    chat.on("welcome", () => this.ask(chat.joinedRooms));
  }

  #keep(user) {
    this.marks = new ReadMarks(user, (ids) => {
      for (const id of ids) if (this.book.rooms.has(id)) this.#readInTab(this.book.rooms.get(id));
      this.book.changed("list");
    });
  }

  /** Somebody else may be signed in than before. */
  know(user) {
    if (this.marks.user !== user) this.#keep(user);
  }

  get #offered() {
    return offers(this.chat, "unread");
  }

  /** The user has read up to this number; undefined if nothing is known. */
  upTo(room) {
    return (room.counted ? room.readTo : undefined) ?? this.marks.of(room.id);
  }

  // In a room that was never open here only direct messages count as new.
  #begin(room, end) {
    return this.upTo(room) ?? (room.isDirect ? 0 : end);
  }

  // ---- counts of the server ----

  /** Ask for the counts in these rooms. */
  async ask(ids) {
    if (!this.#offered || !ids.length || this.chat.state !== "online") return;
    try {
      const { rooms } = await this.chat.unread(ids.slice(0, MOST));
      for (const [id, counts] of Object.entries(rooms)) if (this.book.rooms.has(id)) this.#take(this.book.rooms.get(id), counts);
    } catch {
      return; // the list of rooms has the counts too, and follows soon
    }
    this.book.changed("list");
  }

  #take(room, { unread, more, mentions, first, read }) {
    if (read || unread) room.counted = true; // others than members have 0
    if (!room.counted || this.#isReading(room)) return;
    if (read < room.readTo) this.#lower(room, read); // marked as unread on another device
    else if (read > room.readTo) room.kept = false;
    Object.assign(room, { unread, more, mentions, first, readTo: read });
  }

  // What the server says now is older than what is being reported.
  #isReading(room) {
    return this.#due.has(room) || room.reports > 0;
  }

  /** Take over a line of the list of rooms. */
  listed(room, { seq, unread, more, mentions, last, notify }) {
    room.end = seq;
    room.notify = notify ?? "all";
    room.counted = this.#offered && notify !== undefined;
    if (room.counted && !this.#isReading(room)) {
      const isOld = !room.kept && last && last.seq <= room.readTo; // older than what was read here
      Object.assign(room, isOld ? READ : { unread, more, mentions });
    } else if (!room.counted && !this.chat.isJoined(room.id) && room.status !== "removed") {
      Object.assign(room, READ, { unread: Math.max(0, seq - this.#begin(room, seq)) });
    }
  }

  // ---- what comes ----

  /** The room was opened afresh, with these newest messages. */
  opened(room, { epoch, seq, role, messages }) {
    this.marks.check(room.id, epoch);
    if (this.#offered && role && role !== "guest") room.counted = true;
    if (room.counted && room.readTo !== undefined) return;
    const read = this.#begin(room, seq);
    const news = messages.filter((event) => event.seq > read && this.#isNews(event));
    Object.assign(room, READ, { unread: news.length, mentions: news.filter(({ payload }) => this.isNamed(room, payload)).length });
  }

  #isNews({ type, sender, deleted }) {
    return type === "message" && !deleted && (!sender || sender.id !== this.chat.user?.id);
  }

  /** A message of somebody else. */
  came(room, payload) {
    room.unread++;
    if (!this.isNamed(room, payload)) return;
    room.mentions++;
    // Not everybody may mention the room or a role; the server knows.
    if (room.counted && !payload.mentions.includes(this.chat.user?.id)) setTimeout(() => this.ask([room.id]), Math.random() * SPREAD);
  }

  /** Whether a message mentions the user, as far as the page knows. */
  isNamed({ role }, payload) {
    const names = Array.isArray(payload?.mentions) ? payload.mentions : [];
    return names.some((name) => name === this.chat.user?.id || name === "@room" || (role && name === `@${role}`));
  }

  // Of a room that is open here, the message itself comes.
  #mentioned({ room: id, seq }) {
    const room = this.book.rooms.get(id);
    if (!room || this.chat.isJoined(id)) return;
    room.unread++;
    room.mentions++;
    room.end = Math.max(room.end, seq); // the list may be older
    this.book.changed("list");
  }

  #readElsewhere(id) {
    if (!this.book.rooms.has(id)) return;
    this.flush();
    this.ask([id]);
  }

  // Never more than before: for a room that is not open here, only the number of its last event is known.
  #readInTab(room) {
    const read = this.marks.of(room.id);
    const left = room.timeline.loaded ? room.timeline.items.filter((item) => item.seq > read && this.#isNews(item)).length : Math.max(0, room.end - read);
    room.unread = Math.min(room.unread, left);
    room.mentions = Math.min(room.mentions, left);
  }

  // ---- reading ----

  /** Everything in the room has been seen. What the user has marked as unread stays so until the room is opened again. */
  read(room) {
    if (!room.kept && room.timeline.loaded) this.#readTo(room, Math.max(room.heard, room.timeline.end));
  }

  /** Mark everything in these rooms as read, wherever they are open. */
  readAll(rooms) {
    for (const room of rooms) {
      room.kept = false;
      if (room.unread || room.mentions) this.#readTo(room, Math.max(room.end, room.heard, room.timeline.end));
    }
  }

  #readTo(room, end) {
    if (end && room.epoch) this.marks.set(room.id, room.epoch, end);
    if (room.counted && end > (room.readTo ?? 0)) {
      room.readTo = end;
      this.#due.add(room);
      this.#timer ??= setTimeout(() => this.flush(), SOON * (1 + Math.random()));
    }
    if (!room.unread && !room.mentions) return;
    Object.assign(room, READ);
    this.book.changed("list");
  }

  /** Report now what was read. */
  flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    for (const room of [...this.#due].slice(0, AT_ONCE)) {
      this.#due.delete(room);
      this.#report(room, room.readTo);
    }
    if (this.#due.size) this.#timer = setTimeout(() => this.flush(), LATER);
  }

  /** This message and all that follow are not read. Rejects if the server refuses; then they are unread on this page only. */
  async keep(room, { seq }) {
    this.#due.delete(room);
    this.#lower(room, seq - 1);
    Object.assign(room, READ, { unread: room.timeline.items.filter((item) => item.seq >= seq && this.#isNews(item)).length });
    this.book.changed("list");
    if (room.counted) await this.#report(room, seq, { unread: true });
  }

  #lower(room, seq) {
    Object.assign(room, { kept: true, readTo: seq });
    if (room.epoch) this.marks.lower(room.id, room.epoch, seq);
  }

  async #report(room, seq, how) {
    room.reports++;
    const left = await this.chat.read(room.id, seq, how).catch((error) => {
      if (how) return error;
      if (error.temporary) room.readTo = Math.min(room.readTo, seq - 1); // reading on reports it again
      else room.counted = false;
      return null;
    });
    room.reports--;
    if (left instanceof Error) throw left;
    if (left) this.#take(room, left);
    this.book.changed("list");
  }
}
