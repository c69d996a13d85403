// Threads: messages with the replies to them.

import { relate } from "./related.js";
import { Timeline } from "./timeline.js";

class Thread {
  /** loading · ready · failed (`error` says why) */
  status = "loading";
  draft = "";
  /** It is on the screen. */
  isOpen = false;

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

  /** It holds what is nowhere else: an unsent reply, or the beginning of one. */
  get isKept() {
    return this.timeline.pending.length > 0 || this.draft.trim() !== "";
  }

  /** Show this page: the message as it is now, and its newest replies. */
  replace({ message, messages, more }) {
    this.parent.replace([message], false);
    this.timeline.replace(messages, more);
  }

  /** A durable event of the room. `mine`: it may confirm a reply that is on its way. `me`: the id of the user. */
  hear(event, mine, me) {
    this.parent.apply(event, false);
    const item = this.timeline.apply(event, mine);
    relate(this.parent.items, event, me);
    relate(this.timeline.items, event, me);
    if (item && !mine) this.came?.(item);
  }
}

/** The threads of all rooms: those that are open, or hold something that is nowhere else. */
export class Threads {
  /** `changed(room)`: draw. */
  constructor(chat, changed) {
    Object.assign(this, { chat, changed });
  }

  /** The thread of a message, with its newest replies. */
  open(room, id) {
    const known = room.threads.get(id);
    const thread = known ?? new Thread(room, id, room.timeline.items.find((item) => item.id === id));
    room.threads.set(id, thread);
    thread.isOpen = true;
    if (thread.status !== "ready") this.load(thread);
    return thread;
  }

  close(thread) {
    thread.isOpen = false;
    this.tidy(thread);
  }

  /** Stop following a thread that is not open and has nothing left to send. */
  tidy(thread) {
    if (!thread.isOpen && !thread.isKept) thread.room.threads.delete(thread.id);
  }

  /** Events were missed: load all threads of the room again. */
  reload(room) {
    for (const thread of room.threads.values()) this.load(thread);
  }

  load(thread) {
    return this.#page(thread, {}, (page) => thread.replace(page));
  }

  older(thread) {
    const { asking, status, timeline } = thread;
    if (asking || !timeline.more || status !== "ready") return;
    return this.#page(thread, { before: timeline.items[0]?.seq }, ({ messages, more }) => timeline.prepend(messages, more));
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
      thread.asking = false;
    }
    this.changed(thread.room);
  }
}
