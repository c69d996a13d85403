// How far somebody has read in each room; kept in this browser, so that "new since you were here" outlives the page, and
// so that what one tab has read is read in the others.

import { kept } from "./kept.js";

export class ReadMarks {
  #marks = {};

  /** `moved(rooms)`: these were read in another tab. */
  constructor(user, moved) {
    this.user = user;
    this.#take(kept.get(this.#key));
    kept.watch(this.#key, (text) => moved(this.#take(text)));
  }

  get #key() {
    return `chatrooms read ${this.user}`;
  }

  /** Take over what is further on than ours; the ids of these rooms. */
  #take(text) {
    const marks = Object.entries(parsed(text)).filter(([room, mark]) => this.#isNewer(room, mark));
    for (const [room, { epoch, seq }] of marks) this.#put(room, epoch, seq);
    return marks.map(([room]) => room);
  }

  // Numbers of different epochs say nothing of each other: ours is the one of the room that is open here.
  #isNewer(room, mark) {
    const ours = this.#own(room);
    return Number.isSafeInteger(mark?.seq) && (!ours || (mark.epoch === ours.epoch && mark.seq > ours.seq));
  }

  // A room may be called `constructor` or `__proto__`.
  #own(room) {
    return Object.hasOwn(this.#marks, room) ? this.#marks[room] : undefined;
  }

  #put(room, epoch, seq) {
    Object.defineProperty(this.#marks, room, { value: { epoch, seq }, enumerable: true, configurable: true, writable: true });
  }

  rooms() {
    return Object.keys(this.#marks);
  }

  /** The last number that was read, if the room was ever open here. */
  of(room) {
    return this.#own(room)?.seq;
  }

  /** The numbers of another epoch mean nothing. */
  check(room, epoch) {
    if (this.#own(room)?.epoch !== epoch) delete this.#marks[room];
  }

  set(room, epoch, seq) {
    if (this.of(room) === seq) return;
    this.#put(room, epoch, seq);
    this.#take(kept.get(this.#key)); // another tab may have read on elsewhere
    kept.set(this.#key, JSON.stringify(this.#marks));
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
