// How far somebody has read in each room: kept in this browser, so that "new since you were here" outlives the page.

export class ReadMarks {
  constructor(userId) {
    this.key = `chatrooms read ${userId}`;
    try {
      this.marks = JSON.parse(localStorage.getItem(this.key)) ?? {};
    } catch {
      this.marks = {};
    }
  }

  /** The rooms that were read before. */
  rooms() {
    return Object.keys(this.marks);
  }

  /** The last number that was read; null for a room that was never open here. */
  of(room) {
    return this.marks[room]?.seq ?? null;
  }

  /** The numbers of another epoch mean nothing. */
  check(room, epoch) {
    const mark = this.marks[room];
    if (mark && mark.epoch !== epoch) delete this.marks[room];
  }

  set(room, epoch, seq) {
    if (this.marks[room]?.seq === seq && this.marks[room].epoch === epoch) return;
    this.marks[room] = { epoch, seq };
    try {
      localStorage.setItem(this.key, JSON.stringify(this.marks));
    } catch {
      // A private window: then it lasts as long as the page.
    }
  }
}
