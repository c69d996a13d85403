// How far the user has read in each room. Kept in this browser, so that "new since you were here" survives a reload and
// all tabs agree.

import { kept } from "./kept.js";

export class ReadMarks {
  #marks = {};

  /** `moved(rooms)`: another tab has read in these rooms. */
  constructor(user, moved) {
    this.user = user;
    this.#take(kept.get(this.#key));
    kept.watch(this.#key, (text) => moved(this.#take(text)));
  }

  get #key() {
    return `chatrooms read ${this.user}`;
  }

  /** Take over positions that are ahead of ours. Returns the ids of their rooms. */
  #take(text) {
    const marks = Object.entries(storedMarks(text)).filter(([room, mark]) => this.#isNewer(room, mark));
    for (const [room, { epoch, seq }] of marks) this.#put(room, epoch, seq);
    return marks.map(([room]) => room);
  }

  // Numbers of different epochs cannot be compared. Ours is the epoch of the room that is open here.
  #isNewer(room, mark) {
    const ours = this.#own(room);
    return Number.isSafeInteger(mark?.seq) && (!ours || (mark.epoch === ours.epoch && mark.seq > ours.seq));
  }

  // A room may be called `constructor` or `__proto__`.
  #own(room) {
    return Object.hasOwn(this.#marks, room) ? this.#marks[room] : undefined;
  }

  #put(room, epoch, seq) {
    delete this.#marks[room]; // so that it is the last one
    Object.defineProperty(this.#marks, room, { value: { epoch, seq }, enumerable: true, configurable: true, writable: true });
  }

  /** Their ids, the one that was read last at the end. */
  rooms() {
    return Object.keys(this.#marks);
  }

  /** The last number that was read, or undefined if the room was never open here. */
  of(room) {
    return this.#own(room)?.seq;
  }

  /** Numbers of another epoch are worthless. */
  check(room, epoch) {
    if (this.#own(room)?.epoch !== epoch) delete this.#marks[room];
  }

  set(room, epoch, seq) {
    if (this.of(room) === seq) return;
    this.#put(room, epoch, seq);
    this.#take(kept.get(this.#key)); // another tab may have read on in other rooms
    this.#write();
  }

  /** Messages above this number are unread again. */
  lower(room, epoch, seq) {
    this.#take(kept.get(this.#key));
    this.#put(room, epoch, seq);
    this.#write();
  }

  #write() {
    kept.set(this.#key, JSON.stringify(this.#marks));
  }
}

function storedMarks(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
