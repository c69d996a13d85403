// Rows of a conversation that are made and measured before they come into the page, a few where there is time between two frames.

import { el, fill, idle } from "./dom.js";
import { linesShown, measure, rowElement } from "./message-row.js";

const SLICE = 5; // lines

export class Ahead {
  #made = new Map();
  isMaking = false;
  /** Has the place and the width of the rows, and is empty whenever something is painted. */
  element = el("div.ahead");

  /** `context`: see message-row.js. */
  constructor(context) {
    this.context = context;
  }

  /** Where to begin so that there are about as many lines before the item at `end`. */
  start(items, end, lines) {
    let at = end;
    for (let left = lines; at > 0 && left > 0; left -= linesShown(items[at], this.context)) at--;
    return at;
  }

  /** What was made of this row, or undefined. */
  take({ key, sign }) {
    return this.#made.get(key + sign);
  }

  forget() {
    this.#made = new Map();
    this.isMaking = false;
  }

  /** Make these rows, and call `done()`, unless they are forgotten meanwhile. Not while others are made. `timeout`: the longest wait for time, in ms. */
  make(rows, timeout, done) {
    const made = this.#made;
    const left = rows.filter((row) => !this.take(row) && !row.item?.streaming);
    const go = () => {
      if (made !== this.#made) return;
      this.#slice(left);
      if (left.length) return idle(go, { timeout });
      this.isMaking = false;
      done();
    };
    this.isMaking = true;
    idle(go, { timeout });
  }

  #slice(left) {
    for (let lines = 0, row; lines < SLICE && (row = left.pop()); lines += row.item ? linesShown(row.item, this.context) : 1) {
      const node = rowElement(row, this.context);
      this.#made.set(row.key + row.sign, node);
      this.element.append(node);
    }
    measure([...this.element.children]);
    fill(this.element);
  }
}
