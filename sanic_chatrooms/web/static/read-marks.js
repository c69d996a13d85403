// How far somebody has read in each room; kept in this browser, so that "new since you were here" outlives the page.

export class ReadMarks {
  #marks = {};

  constructor(user) {
    this.user = user;
    try {
      this.#marks = JSON.parse(localStorage.getItem(this.#key)) ?? {};
    } catch {
      // A private window: then they last as long as the page.
    }
  }

  get #key() {
    return `chatrooms read ${this.user}`;
  }

  rooms() {
    return Object.keys(this.#marks);
  }

  /** The last number that was read, if the room was ever open here. */
  of(room) {
    return this.#marks[room]?.seq;
  }

  /** The numbers of another epoch mean nothing. */
  check(room, epoch) {
    if (this.#marks[room]?.epoch !== epoch) delete this.#marks[room];
  }

  set(room, epoch, seq) {
    if (this.of(room) === seq) return;
    this.#marks[room] = { epoch, seq };
    try {
      localStorage.setItem(this.#key, JSON.stringify(this.#marks));
    } catch {
      // as above
    }
  }
}
