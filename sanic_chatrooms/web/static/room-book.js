// All rooms of this page, kept right by what the client tells.

import { ReadMarks } from "./read-marks.js";
import { Room } from "./room.js";

const PAGE = 200;
const FOLLOWED = 20;
const EVERY = 20_000;

export class RoomBook {
  /**
   * `changed(what, room, item)`: "list", "room" (state, people, typing), "loaded", "lines",
   * "came" (a message of others), "moved".
   */
  constructor(chat, changed) {
    this.chat = chat;
    this.changed = changed;
    this.rooms = new Map();
    this.writing = new Map();
    this.marks = new ReadMarks(chat.user?.id ?? "");
    chat.on("user", () => this.changed("list"));
    chat.on("joined", (ack) => this.#joined(ack));
    chat.on("gap", ({ room }) => this.#set(room, { gap: true }));
    chat.on("removed", ({ room, reason, error }) => this.#set(room, { status: "removed", reason, error, unread: 0 }));
    chat.on("outbox", (entry) => this.#written(entry));
    chat.on("typing", ({ room, payload }) => this.#set(room, { typing: payload.users }));
    chat.on("presence", (event) => this.#presence(event));
    chat.on("room.added", ({ payload }) => this.#added(payload));
    chat.on("*", (event) => event.seq && event.room && this.#happened(event));
    chat.on("welcome", () => this.refresh());
    setInterval(() => document.visibilityState === "visible" && this.refresh(), EVERY);
  }

  get(id) {
    if (!this.rooms.has(id)) this.rooms.set(id, new Room(id));
    return this.rooms.get(id);
  }

  /** By name, those with direct messages among them; drafts are not listed. */
  listed() {
    const rooms = [...this.rooms.values()].filter((room) => !room.isDraft && (room.listed || room.status === "ready" || room.isDirect));
    return rooms.sort((a, b) => a.name.localeCompare(b.name));
  }

  /** The next room with something new after `id`, or before it. */
  nextUnread(id, step) {
    const rooms = this.listed().filter((room) => !room.isDirect).concat(this.listed().filter((room) => room.isDirect));
    const at = rooms.findIndex((room) => room.id === id);
    for (let i = 1; i <= rooms.length; i++) {
      const room = rooms[(at + i * step + rooms.length * 2) % rooms.length];
      if (room.unread && room.id !== id) return room;
    }
    return null;
  }

  // ---- which rooms there are ----

  async refresh() {
    if (this.chat.state !== "online") return;
    const me = this.chat.user.id;
    if (this.marks.key !== new ReadMarks(me).key) this.marks = new ReadMarks(me);
    try {
      const pages = await Promise.all([this.chat.rooms({ limit: PAGE }), this.chat.rooms({ mine: true, limit: PAGE })]);
      this.#list(pages.flatMap((page) => page.rooms));
    } catch {
      return; // the next round comes soon
    }
    this.changed("list");
  }

  #list(lines) {
    for (const room of this.rooms.values()) room.listed = false;
    for (const line of lines) {
      const room = this.get(line.room);
      room.describe(line);
      room.listed = true;
      const read = this.marks.of(line.room) ?? (room.isDirect ? 0 : null);
      if (!this.chat.isJoined(line.room) && read !== null && room.status !== "removed") room.unread = Math.max(0, line.seq - read);
    }
    if (this.following) return;
    this.following = true;
    for (const id of this.marks.rooms().slice(-FOLLOWED)) if (this.rooms.get(id)?.listed) this.enter(this.get(id));
  }

  // ---- into a room, and back in its past ----

  /** Be in the room and have its newest messages. */
  async enter(room) {
    if (room.isDraft || (room.timeline.loaded && this.chat.joinedRooms.includes(room.id))) return;
    this.#set(room.id, { status: room.timeline.loaded ? "ready" : "loading", error: null });
    try {
      await this.chat.join(room.id);
    } catch (error) {
      // Otherwise the client goes on trying, and `joined` tells.
      if (!error.temporary) this.#set(room.id, { status: "failed", error });
    }
  }

  /** The newest page anew. */
  reload(room) {
    room.timeline.loaded = false;
    return this.enter(room);
  }

  async older(room) {
    const { timeline } = room;
    if (!timeline.more || room.asking || room.status !== "ready") return;
    room.asking = true;
    try {
      const page = await this.chat.history(room.id, { before: timeline.items[0]?.seq });
      timeline.prepend(page.messages, page.more);
    } catch {
      return; // scrolling on asks again
    } finally {
      room.asking = false;
    }
    this.changed("lines", room);
  }

  #joined({ room: id, epoch, seq, recovered, messages, more, title, online, role }) {
    const room = this.get(id);
    Object.assign(room, { title, online, role, epoch, status: "ready", error: null });
    this.marks.check(id, epoch);
    if (!recovered) {
      const first = !room.timeline.loaded;
      room.gap = false;
      room.timeline.replace(messages, more);
      const read = this.marks.of(id) ?? (room.isDirect ? 0 : seq);
      room.unread = messages.filter((event) => event.type === "message" && event.seq > read && !this.#isMine(event)).length;
      if (first) this.changed("loaded", room);
    }
    this.changed("lines", room);
    this.changed("list");
    this.look(room);
  }

  /** Ask who is in the room; of a closed one also who could be. */
  async look(room) {
    if (!this.chat.isJoined(room.id)) return;
    try {
      const [{ users, total }, members] = await Promise.all([this.chat.presence(room.id, { limit: 100 }), room.visibility === "public" ? null : this.chat.members(room.id, { limit: 100 })]);
      room.people = new Map((members?.members ?? []).map(({ id, name, online }) => [id, { id, name, here: online }]));
      for (const { id, name } of users) room.people.set(id, { id, name, here: true });
      room.online = total;
    } catch {
      return; // presence events go on telling
    }
    this.changed("room", room);
  }

  #presence({ room: id, payload }) {
    const room = this.get(id);
    room.online = payload.online;
    for (const { id, name } of payload.joined ?? []) room.people.set(id, { id, name, here: true });
    for (const { id } of payload.left ?? []) {
      if (room.visibility === "public") room.people.delete(id);
      else if (room.people.has(id)) room.people.get(id).here = false;
    }
    this.changed("room", room);
  }

  // ---- what happens ----

  #isMine(event) {
    return event.sender !== undefined && event.sender.id === this.chat.user?.id;
  }

  #happened(event) {
    const room = this.get(event.room);
    const mine = this.#isMine(event);
    const item = room.timeline.apply(event, mine);
    const author = room.people.get(event.sender?.id);
    if (author) author.name = event.sender.name;
    if (event.type === "room.updated" && event.payload.title) room.title = event.payload.title;
    const news = item !== null && event.type === "message" && !mine;
    if (news) room.unread++;
    this.changed("lines", room);
    if (news) this.changed("came", room, item);
  }

  /** Everything in the room has been seen. */
  read(room) {
    if (!room.timeline.end || !room.epoch) return;
    this.marks.set(room.id, room.epoch, room.timeline.end);
    if (!room.unread) return;
    room.unread = 0;
    this.changed("list");
  }

  // ---- writing ----

  send(room, text) {
    // `direct`, not `message`: it also brings the other one into the room, who may not have opened it since.
    const { msgId } = room.isDirect ? this.chat.direct(room.partner.id, text) : this.chat.send(room.id, text);
    this.writing.set(msgId, room);
    this.#show(room, { msgId, status: "queued", body: { text }, error: null, createdAt: Date.now() / 1000 });
  }

  #show(room, entry) {
    room.timeline.written(entry, this.chat.user);
    this.changed("lines", room);
  }

  #written(entry) {
    const room = this.writing.get(entry.msgId);
    if (!room) return;
    if (entry.status === "sent" && room.isDraft && entry.ack.room) this.#move(room, entry.ack.room);
    this.#show(this.writing.get(entry.msgId), entry);
    if (entry.status === "sent" || entry.status === "discarded") this.writing.delete(entry.msgId);
  }

  // ---- direct messages ----

  /** The room with a person: the one that is there, or a draft. */
  with(person) {
    const known = [...this.rooms.values()].find((room) => room.partner?.id === person.id);
    if (known) return known;
    const draft = this.get(`@${person.id}`);
    Object.assign(draft, { visibility: "direct", partner: person, status: "ready" });
    return draft;
  }

  #added({ room: id, epoch, with: partner }) {
    const draft = partner && this.rooms.get(`@${partner.id}`);
    if (draft) this.#move(draft, id);
    const room = this.get(id);
    room.epoch = epoch;
    room.visibility = "direct";
    if (partner) room.meet(partner);
    this.changed("list");
  }

  /** The draft has become a room. */
  #move(draft, id) {
    this.rooms.delete(draft.id);
    const from = draft.id;
    draft.id = id;
    const known = this.rooms.get(id);
    if (known) draft.timeline.items = known.timeline.items;
    this.rooms.set(id, draft);
    this.changed("moved", draft, from);
    this.enter(draft);
  }

  #set(id, fields) {
    const room = this.get(id);
    Object.assign(room, fields);
    this.changed("room", room);
  }
}
