// The room of a <chat-room>, updated from the client's events.

import { Edits } from "../edits.js";
import { Paging } from "../paging.js";
import { relate } from "../related.js";
import { opensIn, rightsIn } from "../rights.js";
import { Room } from "../room.js";
import { introduce } from "../timeline.js";
import { offers } from "../counts.js";

const SHOWN = 100; // people who can be mentioned
const SPREAD = 2000; // ms, in which all who see a change ask what they may do now
const SOON = 1000; // ms before reading is reported

export class OneRoom {
  /** By id, as growing.js looks for them: this one. */
  rooms = new Map();
  /** What people are called now. */
  names = new Map();
  #readTo = 0;
  #due = null;

  /** `changed(what, item)`: room, lines, loaded, came (a message of somebody else), refused (the error). */
  constructor(chat, id, changed) {
    const room = new Room(id);
    Object.assign(this, { chat, room, changed });
    this.rooms.set(id, room);
    this.paging = new Paging(chat, () => changed("lines"), (id) => this.names.get(id));
    this.edits = new Edits(chat, () => changed("lines"));
    const here = (type, act) => chat.on(type, (event) => event.room === id && act(event));
    here("joined", (ack) => this.#joined(ack));
    here("gap", () => this.#set({ gap: true }));
    here("removed", ({ reason, error }) => this.#set({ status: "removed", reason, error, verdict: room.verdict ?? error?.details }));
    here("outbox", (entry) => entry.type === "message" && this.#written(entry));
    here("typing", ({ payload }) => this.#set({ typing: this.#hear(payload.users) }));
    here("presence", ({ payload }) => this.#presence(payload));
    here("*", (event) => event.seq && this.#happened(event));
    chat.on("user", (user) => this.#hear([user]));
  }

  /** As growing.js asks: another one has nothing that grows. */
  get(id) {
    return this.rooms.get(id) ?? new Room(id);
  }

  /** Join the room, or load its newest messages again. */
  async enter() {
    const { room, chat } = this;
    room.timeline.loaded = false;
    this.#set({ status: "loading" });
    try {
      await chat.join(room.id);
    } catch (error) {
      if (error.temporary || error.code === "closed") return; // `joined` follows, or the state says that nothing follows
      this.#set({ status: "failed", error });
      this.changed("refused", error);
    }
  }

  #set(fields) {
    Object.assign(this.room, fields);
    this.changed("room");
  }

  #hear(people) {
    for (const { id, name } of people) {
      this.names.set(id, name);
      this.room.called(id, name);
    }
    return people;
  }

  #joined({ epoch, recovered, messages, more, title, online, role, seq }) {
    const { room } = this;
    const first = !room.timeline.loaded;
    Object.assign(room, { title, online, role, epoch, status: "ready", verdict: null });
    for (const { sender } of messages) if (sender && !this.names.has(sender.id)) this.#hear([sender]);
    if (!recovered) {
      // There is no place beside the conversation for replies.
      Object.assign(room, { gap: false, past: null, mixed: true, heard: seq });
      room.timeline.replace(messages, more, seq);
    }
    this.changed(first ? "loaded" : "lines");
    this.paging.lines(room);
    this.#rights();
    this.#people();
  }

  async #rights() {
    const { room, chat } = this;
    const { about, may, shut } = await rightsIn(chat, room.id, room.may);
    if (about) {
      room.know(about);
      room.visibility = about.visibility;
    }
    this.#set({ may, shut });
    clearTimeout(room.opens);
    const left = opensIn(shut);
    if (left < Infinity) room.opens = setTimeout(() => chat.isJoined(room.id) && this.#rights(), left);
  }

  async #people() {
    const page = await this.chat.presence(this.room.id, { limit: SHOWN }).catch(() => null); // the next join asks again
    if (!page) return;
    this.room.people = new Map(this.#hear(page.users).map((one) => [one.id, { ...one, here: true }]));
    this.#set({ online: page.total });
  }

  #presence({ joined = [], left = [], renamed = [], online }) {
    const { people } = this.room;
    for (const one of this.#hear([...joined, ...renamed])) people.set(one.id, { ...one, here: true });
    for (const { id } of left) people.delete(id);
    this.#set({ online });
  }

  #happened(event) {
    const { room, chat } = this;
    introduce(event, (who) => this.names.get(who));
    const mine = Boolean(event.sender) && event.sender.id === chat.user?.id;
    const item = room.timeline.apply(event, mine);
    relate(room.timeline.items, event, chat.user?.id);
    if (event.sender) this.#hear([event.sender]);
    room.typing = room.typing.filter(({ id }) => id !== event.sender?.id);
    room.heard = event.seq;
    if (event.type === "room.updated") room.know(event.payload);
    this.#membership(event);
    this.changed("lines");
    if (item && event.type === "message" && !mine) this.changed("came", item);
  }

  #membership({ type, payload }) {
    const mine = payload?.user?.id && payload.user.id === this.chat.user?.id;
    if (mine) this.room.verdict = /^member\.(kicked|banned)$/.test(type) ? payload : null;
    if (mine && type === "member.role") {
      this.room.role = payload.role;
      this.room.redraw();
    }
    if (mine && !this.room.verdict) this.#rights();
    if (type === "room.updated") setTimeout(() => this.chat.isJoined(this.room.id) && this.#rights(), Math.random() * SPREAD);
  }

  send(text, more = {}) {
    this.chat.typing(this.room.id, false);
    return this.chat.send(this.room.id, { text, ...more });
  }

  #written(entry) {
    this.room.timeline.written(entry, this.chat.user);
    this.changed("lines");
  }

  /** Everything has been seen: members' other devices learn it. */
  read() {
    const { role, heard } = this.room;
    if (!role || role === "guest" || heard <= this.#readTo || !offers(this.chat, "unread")) return;
    this.#due ??= setTimeout(() => this.#report(), SOON);
  }

  #report() {
    this.#due = null;
    if (!this.chat.isJoined(this.room.id)) return;
    this.#readTo = this.room.heard;
    this.chat.read(this.room.id, this.#readTo).catch(() => {}); // reading on reports it again
  }
}
