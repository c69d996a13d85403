// The past of a room: older messages in front of what is shown, and a window around one message far up.

import { introduce, isReply, Timeline } from "./timeline.js";

const AROUND = 60;
const AGAIN = 2000; // ms

export class Paging {
  /** `changed(room)`: draw. `nameOf(id)`: what somebody is called, if it is known. */
  constructor(chat, changed, nameOf = () => undefined) {
    Object.assign(this, { chat, changed, nameOf });
  }

  /** Load the page before what is shown. */
  older(room) {
    const timeline = room.shown;
    if (!timeline.more) this.lines(room);
    if (timeline.more) return this.#ask(room, { before: timeline.items[0]?.seq }, ({ messages, more }) => timeline.prepend(messages, more));
  }

  /** Load the page after the window, until it meets what the room has. */
  newer(room) {
    const { past } = room;
    if (past) return this.#ask(room, { after: past.end }, ({ messages, more }) => {
      past.append(messages);
      if (room.past === past) this.#join(room, !more);
    });
  }

  async #ask(room, place, take) {
    if (room.asking || room.status !== "ready") return;
    room.asking = true;
    try {
      take(await this.chat.history(room.id, { ...place, replies: room.mixed }));
    } catch (error) {
      // Drawing asks again: whoever is at the end or the top cannot scroll further.
      if (error.temporary) setTimeout(() => this.changed(room), AGAIN);
      return;
    } finally {
      room.asking = false;
    }
    this.changed(room);
    this.lines(room);
  }

  /** Load what stands between the messages in the log alone: lines about members and the room. */
  lines(room) {
    const { shown } = room;
    for (const range of shown.bare.splice(0)) this.#between(room, shown, ...range);
  }

  async #between(room, timeline, from, to) {
    const known = new Set(timeline.items.map(({ seq }) => seq));
    while (known.has(from)) from++;
    while (known.has(to - 1)) to--;
    if (from >= to) return;
    try {
      // Not by `history` of the client: it would take messages that are being written as shown anew.
      const { messages, more, epoch } = await this.chat.request("history", { room: room.id, payload: { before: to, limit: to - from, log: true } });
      if (epoch !== room.epoch) return;
      if (more && messages[0]?.seq > from) timeline.bare.push([from, messages[0].seq]); // a page has an end
      for (const event of messages) introduce(event, this.nameOf);
      timeline.between(messages);
      this.changed(room);
    } catch (error) {
      if (error.temporary) timeline.bare.push([from, to]); // otherwise one may not read it
    }
  }

  /**
   * The message with this number: {item}, which is then in `room.shown`, or {parent} for a reply, which is in the thread of that message.
   * Null: it is not there any more.
   */
  async find(room, seq) {
    const known = [room.timeline, room.past].find((timeline) => timeline?.items.some((item) => item.seq === seq));
    if (!known) {
      const { messages } = await this.chat.history(room.id, { around: seq, limit: AROUND });
      const event = messages.find((one) => one.seq === seq);
      if (event && isReply(event) && !room.mixed) return { parent: event.payload.parent };
      if (!event || !room.timeline.shows(event)) return null;
      this.#window(room, messages);
    } else if (known === room.timeline) this.newest(room);
    return { item: room.shown.items.find((item) => item.seq === seq) };
  }

  #window(room, messages) {
    room.past = new Timeline(room.timeline.shows);
    // Whether there are older ones is known when somebody asks.
    room.past.replace(messages, true);
    room.past.later = true;
    this.#join(room, false);
    this.lines(room);
  }

  // The window becomes a part of what the room has. `all`: nothing was left out behind it.
  #join(room, all) {
    const { past, timeline } = room;
    const first = timeline.items[0]?.seq ?? Infinity;
    if (!all && past.end < first) return;
    timeline.follow(past);
    room.past = null;
  }

  /** Leave the window. */
  newest(room) {
    room.past = null;
  }
}
