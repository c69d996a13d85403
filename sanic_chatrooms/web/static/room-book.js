// All rooms of this page, updated from the client's events.

import { Edits } from "./edits.js";
import { byName, tellApart, toldApart } from "./format.js";
import { join } from "./joining.js";
import { Names, SOURCES } from "./names.js";
import { Paging } from "./paging.js";
import { mayPin } from "./pinning.js";
import { relate } from "./related.js";
import { opensIn, rightsIn, rulesOf } from "./rights.js";
import { Room } from "./room.js";
import { Threads } from "./threads.js";
import { introduce, isReply } from "./timeline.js";
import { Unread } from "./unread.js";

const PAGE = 200;
const FOLLOWED = 20;
const EVERY = 20_000;
const AGAIN = 10_000;
const OUTSIDE = { listed: false, unread: 0, mentions: 0, counted: false };
const SPREAD = 2000; // ms, in which all who see a change ask what they may do now

export class RoomBook {
  rooms = new Map();
  shown = null;
  /** Rooms that the user is invited to: id → {id, title, by}. */
  invitations = new Map();
  #writing = new Map();
  #nameOf = (id) => (id === this.chat.user?.id ? this.chat.user.name : this.names.of(id));

  /** `changed(what, room, item)`: list, room (state, people, typing), loaded, lines, came (a message of others), moved, invited, added (by whom), reported (the report), unsent (a thread with a reply that was refused), replied (a reply that is for the user). `first`: the room of the app that may be made by joining it. */
  constructor(chat, changed, first) {
    Object.assign(this, { chat, changed, first });
    this.unread = new Unread(chat, this);
    this.names = new Names(chat.user?.id);
    this.paging = new Paging(chat, (room) => changed("lines", room), this.#nameOf);
    this.threads = new Threads(chat, (room) => changed("lines", room));
    this.edits = new Edits(chat, (room) => changed("lines", room));
    chat.on("user", (user) => (this.names.begin(user.id), this.#hear([user]) || changed("list")));
    chat.on("welcome", () => this.refresh());
    chat.on("joined", (ack) => this.#joined(ack));
    chat.on("gap", ({ room }) => this.#set(room, { gap: true }));
    // The next round lists a public room again. Asking now would make everyone who was in it ask at once.
    chat.on("removed", ({ room, reason, error }) => this.#set(room, { ...OUTSIDE, status: "removed", reason, error, verdict: this.get(room).verdict ?? error?.details }));
    chat.on("outbox", (entry) => this.#written(entry));
    chat.on("typing", ({ room, payload }) => {
      this.#hear(payload.users);
      this.#set(room, { typing: payload.users });
    });
    chat.on("presence", (event) => this.#presence(event));
    chat.on("room.added", ({ payload }) => this.#added(payload));
    chat.on("report", ({ payload }) => changed("reported", this.get(payload.room), payload));
    chat.on("prefs", ({ room, payload }) => this.prefer(room, payload.notify));
    chat.on("room.invited", ({ payload }) => this.#invited(payload));
    chat.on("*", (event) => event.seq && event.room && this.#happened(event));
    setInterval(() => document.visibilityState === "visible" && this.refresh(), EVERY);
  }

  get(id) {
    if (!this.rooms.has(id)) this.rooms.set(id, new Room(id));
    return this.rooms.get(id);
  }

  /** The rooms to choose from, by name, with archived rooms and then direct ones last. */
  listed() {
    const all = [...this.rooms.values()];
    const rooms = all.filter((room) => !room.isDraft && (room.listed || room.isDirect || room.status === "ready"));
    tellApart(rooms.filter(({ isDirect }) => !isDirect));
    const directs = all.filter(({ isDirect }) => isDirect);
    tellApart(directs, this.names.all());
    // Whether they are in a room that is shown here, as far as that is known.
    for (const room of directs) if (room.isDraft) room.near = all.some(({ people }) => people.get(room.partner.id)?.here) || undefined;
    return rooms.sort((a, b) => a.isDirect - b.isDirect || a.archived - b.archived || byName(a, b));
  }

  /** People whom this page has seen, to write to: each as the room that it would be. */
  strangers() {
    const known = new Set([...this.rooms.values()].map(({ partner }) => partner?.id));
    const people = this.names.all();
    const marks = toldApart(people);
    const strange = people.filter(({ id }) => id !== this.chat.user.id && !known.has(id));
    return strange.map(({ id, name }) => ({ id: `@${id}`, name, mark: marks.get(id), visibility: "direct" }));
  }

  /** What the user wants to hear of in a room: all, mentions or none. */
  prefer(id, notify) {
    if (this.rooms.has(id)) this.get(id).notify = notify;
    this.changed("list");
  }

  // ---- which rooms there are ----

  async refresh() {
    const { chat } = this;
    if (chat.state !== "online") return;
    this.unread.know(chat.user.id);
    const invited = ({ rooms }) => {
      this.#hear(rooms.flatMap(({ by }) => by ?? []), SOURCES.past);
      // Before the pages come: another invitation may come with them.
      this.invitations = new Map(rooms.map(({ room: id, title, by }) => [id, { id, title, by }]));
    };
    try {
      const [, ...pages] = await Promise.all([chat.rooms({ invited: true, limit: PAGE }).then(invited), chat.rooms({ limit: PAGE }), chat.rooms({ mine: true, limit: PAGE })]);
      this.#list(pages.flatMap((page) => page.rooms));
    } catch {
      // the next round follows soon
    }
    this.changed("list");
  }

  #list(lines) {
    for (const room of this.rooms.values()) room.listed = false;
    for (const line of lines) {
      const room = this.get(line.room);
      room.describe(line);
      this.#introduce(room, line.with);
      this.unread.listed(room, line);
    }
    // Public rooms are listed for everyone: only a join tells whether a ban has ended. What is on the screen stays until then.
    const { id, listed, isClosed, error, reason } = this.shown ?? {};
    if (listed && isClosed && (error?.code ?? reason) === "banned") this.chat.join(id).catch(() => {});
    if (this.known) return;
    this.known = true;
    const followed = this.unread.marks.rooms().slice(-FOLLOWED).filter((id) => this.rooms.get(id)?.listed);
    this.unread.ask(followed.filter((id) => this.get(id).counted));
    for (const id of followed) this.enter(this.get(id), true);
    if (this.shown) this.chat.look(this.shown.id); // it is still the one in front
  }

  // ---- invitations ----

  #invited({ room: id, title, by }) {
    if (by) this.#hear([by]);
    const invitation = { id, title, by };
    this.invitations.set(id, invitation);
    this.changed("invited", invitation);
    this.changed("list");
  }

  /** Accept an invitation or decline it; `answer` is "accept" or "decline". Resolves when the room can be opened. */
  async answer(id, answer) {
    await this.chat.request(`member.${answer}`, { room: id });
    this.invitations.delete(id);
    await this.refresh();
  }

  /** End the membership. */
  async leave(room) {
    await this.chat.leave(room.id);
    room.timeline.loaded = false;
    this.#set(room.id, { ...OUTSIDE, status: "idle", role: "" });
    await this.refresh();
  }

  // ---- names of people ----

  /** Learn names. Returns whether one has changed, and reports it. */
  #hear(people, source = SOURCES.now) {
    const news = people.filter((one) => this.names.hear(one, source));
    for (const { id, name } of news) for (const room of this.rooms.values()) room.called(id, name);
    if (news.length) this.changed("list");
    return news.length > 0;
  }

  /** Learn the names of people who were looked for. */
  meet(people) {
    this.#hear(people, SOURCES.list);
  }

  #introduce(room, partner) {
    if (!partner) return;
    this.#hear([partner], SOURCES.list);
    room.partner = this.#named(partner);
  }

  #named(person) {
    return { ...person, name: this.names.of(person.id) ?? person.name };
  }

  // ---- joining, and older messages ----

  /** Join the room and load its newest messages. `known`: this user was there before, and what is unread there was asked for. */
  async enter(room, known = false) {
    const { loaded } = room.timeline;
    if (room.isDraft || (loaded && this.chat.joinedRooms.includes(room.id))) return;
    this.#set(room.id, { status: loaded ? "ready" : "loading" });
    // Before the messages come, so that the line of what is new is right.
    if (!known && (room.counted || !room.listed)) this.unread.ask([room.id]);
    try {
      await join(this, room, known);
    } catch (error) {
      // After other errors the client tries again, and `joined` follows.
      if (!error.temporary) this.#set(room.id, { status: "failed", error });
    }
  }

  /** Resolves when the newest page of the room is there. */
  async entered(room) {
    if (!room.timeline.loaded) await join(this, room);
  }

  /** Load the newest page again. */
  reload(room) {
    room.timeline.loaded = false;
    this.enter(room);
  }

  #joined(ack) {
    const { room: id, epoch, recovered, messages, more, title, online, role } = ack;
    const room = this.get(id);
    // What was missed in a window far up cannot be recovered either.
    const first = !room.timeline.loaded || Boolean(room.past && !recovered);
    Object.assign(room, { title, online, role, epoch, status: "ready", verdict: null });
    this.invitations.delete(id); // whoever joins accepts
    this.#hear(messages.map(({ sender }) => sender).filter(Boolean), SOURCES.past);
    if (!recovered) {
      Object.assign(room, { gap: false, past: null, mixed: !this.chat.welcome.features.includes("threads"), heard: ack.seq });
      room.timeline.replace(messages, more, ack.seq);
      this.unread.opened(room, ack);
      this.threads.reload(room);
    }
    this.changed(first ? "loaded" : "lines", room);
    this.changed("list");
    room.stale = true;
    this.look(room);
    // The list says whether it is private.
    if (this.known && !room.listed && !room.isDirect) this.refresh();
  }

  /** Load who is in the room, and for a private room also its members. */
  async look(room) {
    const { id, visibility } = room;
    if (this.shown === room) this.chat.look(id);
    if (!this.chat.isJoined(id)) return;
    if (this.shown === room) this.paging.lines(room); // the others when they are shown
    if (room.stale && this.shown === room) this.#rights(room);
    const page = { limit: 100 };
    const asked = [this.chat.presence(id, page), visibility === "public" ? { members: [] } : this.chat.members(id, page)];
    const [{ users, total }, { members }] = await Promise.all(asked).catch(() => [{ users: [], total: 0 }, { members: [] }]);
    this.#hear(members, SOURCES.past);
    this.#hear(users);
    const people = new Map(members.map((one) => [one.id, this.#named({ ...one, here: one.online })]));
    for (const one of users) people.set(one.id, this.#named({ ...people.get(one.id), ...one, here: true }));
    this.#set(id, { people, online: total });
    this.#lookAgain(room, members.some(({ id, online }) => online && !users.some((one) => one.id === id)));
  }

  // Load what the user may do.
  async #rights(room) {
    const { id } = room;
    const { about, may, shut } = await rightsIn(this.chat, id, room.may);
    Object.assign(room, { stale: !about, rules: about ? rulesOf(about) : room.rules });
    if (about) room.know(about);
    if (about && about.visibility !== room.visibility) {
      room.visibility = about.visibility; // it was opened before the list was here
      this.look(room);
    }
    const before = mayPin(room);
    room.may = may;
    if (mayPin(room) !== before) room.redraw();
    this.#set(id, { shut });
    clearTimeout(room.opens);
    const left = opensIn(shut);
    if (left < Infinity) room.opens = setTimeout(() => this.#rights(room), left);
  }

  // No event says when people who are elsewhere leave, so ask again while the room is shown.
  #lookAgain(room, elsewhere) {
    if (this.shown !== room) return;
    clearTimeout(this.again);
    if (elsewhere) this.again = setTimeout(() => this.shown === room && this.look(room), AGAIN);
  }

  #presence({ room: id, payload: { joined = [], left = [], renamed = [], online } }) {
    const { people, visibility } = this.get(id);
    this.#hear([...joined, ...renamed]);
    for (const one of joined) people.set(one.id, { ...people.get(one.id), ...one, here: true });
    for (const one of left) {
      if (visibility === "public") people.delete(one.id);
      else if (people.has(one.id)) people.set(one.id, { ...people.get(one.id), ...one, here: false });
    }
    this.#set(id, { online });
  }

  // ---- events ----

  #happened(event) {
    const room = this.get(event.room);
    const mine = Boolean(event.sender) && event.sender.id === this.chat.user?.id;
    introduce(event, this.#nameOf);
    const item = room.timeline.apply(event, mine);
    if (this.shown && this.shown !== room) room.timeline.trim(); // whoever reads in the shown one keeps what is there
    room.past?.change(event);
    for (const thread of room.threads.values()) thread.hear(event, mine);
    for (const { items } of room.timelines()) relate(items, event, this.chat.user?.id);
    if (event.sender) this.#hear([event.sender]);
    // Do not wait for the next `typing` event.
    room.typing = room.typing.filter(({ id }) => id !== event.sender?.id);
    if (event.type === "room.updated") room.know(event.payload);
    this.#membership(room, event);
    const news = event.type === "message" && !mine && !event.deleted;
    if (news && (item || isReply(event))) this.unread.came(room, event.payload);
    room.heard = event.seq;
    this.changed("lines", room);
    if (news && item) this.changed("came", room, item);
    if (isReply(event) && this.threads.concerns(room, event, mine)) this.changed("replied", room, event);
  }

  /** Who is a member now, and what has become of us. */
  #membership(room, { type, payload }) {
    const { by, user } = payload ?? {};
    const { id } = user ?? {};
    if (id && id === this.chat.user?.id) {
      room.verdict = /^member\.(kicked|banned)$/.test(type) ? payload : null;
      if (/^member\.(joined|role)$/.test(type)) {
        room.role = payload.role;
        room.redraw();
      }
      if (!room.verdict) this.#rights(room);
    } else if (type === "room.updated" && rulesOf(payload) !== room.rules) {
      room.stale = true;
      setTimeout(() => this.shown === room && room.stale && this.#rights(room), by?.id === this.chat.user?.id ? 0 : Math.random() * SPREAD);
    }
    if (!id || room.visibility === "public") return;
    const known = room.people.get(id);
    if (/^member\.(left|kicked|banned)$/.test(type)) room.people.delete(id);
    else if (/^member\.(joined|role)$/.test(type)) room.people.set(id, { here: false, ...known, ...this.#named(payload.user), role: payload.role });
  }

  // ---- writing ----

  /** `more`: what stands in the message beside its text, such as the `parent` of a reply. */
  send(room, text, more = {}) {
    const body = { text, ...more };
    this.chat.typing(room.id, false);
    // `direct` instead of `message`: it also adds the other person to the room, who may have left it.
    const { msgId } = room.isDirect ? this.chat.direct(room.partner.id, body) : this.chat.send(room.id, body);
    this.follow(room, { msgId, body, createdAt: Date.now() / 1000 });
  }

  /** Show a message that the client sends. */
  follow(room, entry) {
    this.#writing.set(entry.msgId, room);
    this.#written({ ...entry, status: "queued", error: null });
  }

  #written(entry) {
    const room = this.#writing.get(entry.msgId);
    if (!room) return;
    if (entry.ack?.room && room.isDraft) this.#move(room, entry.ack.room);
    const thread = room.threads.get(entry.body.parent);
    (thread ?? room).timeline.written(entry, this.chat.user);
    if (thread) this.threads.tidy(thread);
    if (thread && entry.status === "failed") this.changed("unsent", room, thread);
    if (entry.status === "sent" || entry.status === "discarded") this.#writing.delete(entry.msgId);
    this.changed("lines", room);
  }

  // ---- direct messages ----

  /** The existing room with a person, or a draft of one. */
  with(person) {
    const known = [...this.rooms.values()].find(({ partner }) => partner?.id === person.id);
    return known ?? Object.assign(this.get(`@${person.id}`), { visibility: "direct", partner: this.#named(person), status: "ready" });
  }

  #added({ room: id, epoch, with: partner, by }) {
    const draft = this.rooms.get(`@${partner?.id}`);
    if (draft) this.#move(draft, id);
    const room = this.get(id);
    room.epoch = epoch;
    if (!partner) return this.#addedBy(room, by);
    room.visibility = "direct";
    this.#introduce(room, partner);
    this.changed("list");
  }

  // Only the list knows what the room is called.
  async #addedBy(room, by) {
    if (by) this.#hear([by]);
    this.invitations.delete(room.id);
    await this.refresh();
    this.changed("added", room, by);
  }

  /** Turn the draft into the room. */
  #move(draft, id) {
    this.rooms.delete(draft.id);
    draft.id = id;
    this.rooms.set(id, draft);
    this.changed("moved", draft);
    this.enter(draft);
  }

  #set(id, fields) {
    this.changed("room", Object.assign(this.get(id), fields));
  }
}
