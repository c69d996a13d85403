// Threads: messages with the replies to them.

import { Timeline } from "./timeline.js";

const MOST_PAGES = 20; // that are loaded to find a reply

class Thread {
  /** loading · ready · failed (`error` says why) */
  status = "loading";
  draft = "";
  /** It is on the screen. */
  isOpen = false;
  /** The number of the reply to show, until it is shown. */
  target = null;
  /** Replies that came while a page was on its way, which may not have them. */
  fresh = [];

  /** `known`: the message as the conversation has it; else it comes with the first page. */
  constructor(room, id, known) {
    Object.assign(this, { room, id });
    this.parent = new Timeline((event) => event.msgId === id);
    this.timeline = new Timeline((event) => event.type === "message" && event.payload?.parent === id);
    if (known) this.parent.items = [{ ...known }];
  }

  get message() {
    return this.parent.items[0];
  }

  /** It holds what is nowhere else: an unsent reply, or the beginning of one or of an edit. */
  get isKept() {
    return this.timeline.pending.length > 0 || this.draft.trim() !== "" || this.timeline.items.some(({ id }) => this.room.edits.has(id));
  }

  /** Show this page: the message as it is now, and its newest replies. */
  replace({ message, messages, more }) {
    this.parent.replace([message], false);
    this.timeline.replace(messages, more);
    for (const item of this.fresh) if (!this.timeline.items.some(({ seq }) => seq >= item.seq)) this.timeline.items.push(item);
  }

  /** A durable event of the room. `mine`: it may confirm a reply that is on its way. */
  hear(event, mine) {
    this.parent.apply(event, false);
    const item = this.timeline.apply(event, mine);
    if (this.asking && this.timeline.shows(event)) this.fresh.push(this.timeline.items.find(({ seq }) => seq === event.seq));
    if (item && !mine) this.came?.(item);
  }
}

/** The threads of all rooms: those that are open, or hold something that is nowhere else. */
export class Threads {
  /** `changed(room)`: draw. */
  constructor(chat, changed) {
    Object.assign(this, { chat, changed });
  }

  /** What was written there before the page was loaded. */
  draftOf() {
    return "";
  }

  /** A thread is about to be forgotten: keep what is written there, or that nothing is. */
  keep() {}

  /** The thread of a message, with its newest replies. */
  open(room, id) {
    const known = room.threads.get(id);
    const thread = known ?? new Thread(room, id, room.timeline.items.find((item) => item.id === id));
    if (!known) thread.draft = this.draftOf(room, id);
    room.threads.set(id, thread);
    thread.isOpen = true;
    if (thread.status !== "ready" && !thread.asking) thread.loading = this.load(thread);
    return thread;
  }

  close(thread) {
    thread.isOpen = false;
    this.tidy(thread);
  }

  /** Stop following a thread that is not open and has nothing left to send. */
  tidy(thread) {
    if (thread.isOpen || thread.isKept) return;
    this.keep();
    thread.room.threads.delete(thread.id);
  }

  /** Whether a reply is for the user: to a message of theirs, or in a thread where they have replied. Not if they see it anyway. */
  concerns(room, { payload, deleted }, mine) {
    const parent = room.timeline.items.findLast(({ id }) => id === payload.parent);
    if (!parent || deleted) return false;
    if (mine) parent.isFollowed = true;
    const isTheirs = parent.isFollowed || (parent.sender && parent.sender.id === this.chat.user?.id);
    return !mine && isTheirs && !room.threads.get(payload.parent)?.isOpen;
  }

  /** Events were missed: load all threads of the room again. */
  reload(room) {
    for (const thread of room.threads.values()) this.load(thread);
  }

  load(thread) {
    thread.fresh = [];
    return this.#page(thread, {}, (page) => thread.replace(page));
  }

  older(thread) {
    const { asking, status, timeline } = thread;
    if (asking || !timeline.more || status !== "ready") return;
    return this.#page(thread, { before: timeline.items[0]?.seq }, ({ messages, more }) => timeline.prepend(messages, more));
  }

  /** Show this reply, once it is loaded. */
  async aim(thread, seq) {
    const isThere = () => thread.timeline.items.some((item) => item.seq === seq);
    thread.target = seq;
    for (let pages = 0; thread.isOpen && !isThere() && pages < MOST_PAGES && (pages === 0 || thread.timeline.more); pages++) await (pages ? this.older(thread) : thread.loading);
    this.changed(thread.room);
  }

  async #page(thread, page, take) {
    thread.asking = true;
    try {
      take(await this.chat.thread(thread.room.id, thread.id, page));
      thread.status = "ready";
    } catch (error) {
      // What is shown stays; scrolling further asks again.
      if (thread.status !== "ready") Object.assign(thread, { status: "failed", error });
    } finally {
      Object.assign(thread, { asking: false, fresh: [] });
    }
    this.changed(thread.room);
  }
}
