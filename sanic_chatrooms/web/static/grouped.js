// A long list in groups of a few rows. A browser looks at all that it may leave out in every frame, and groups are fewer than rows.

import { el } from "./dom.js";
import { KeyedList } from "./keyed.js";

const FULL = 60; // lines
const LONG_ROW = 20; // lines of a row that is the last one of its group: its text takes a browser long

/** A row stays in its group, so that focus, hover and selection survive. A new one joins the group of the row before it, or begins one. */
export class GroupedList extends KeyedList {
  /** `linesOf(node)`: about how high a row is. The style sheet finds the sum of a group as `--lines`. */
  constructor(parent, build, linesOf) {
    super(parent, build);
    this.linesOf = linesOf;
  }

  place(rows) {
    this.#clean();
    const sums = new Map(); // group → lines
    let [group, next, after, full] = [null, null, this.parent.firstChild, true];
    for (const row of rows) {
      const home = this.get(row.key)?.parentElement;
      if (home ? home !== group && !sums.has(home) : full) {
        group = home ?? el("div.row-group");
        if (group !== after) this.parent.insertBefore(group, after);
        after = group.nextSibling;
        sums.set(group, 0);
        next = group.firstChild;
      }
      next = this.put(row, group, next);
      const lines = this.linesOf(this.get(row.key));
      sums.set(group, sums.get(group) + lines);
      full = lines > LONG_ROW || sums.get(group) >= FULL;
    }
    this.#clean();
    for (const [one, lines] of sums) one.style.setProperty("--lines", lines);
  }

  #clean() {
    for (const group of [...this.parent.children]) if (!group.firstChild) group.remove();
  }

  /** Groups have guessed heights until they are painted. What is seen beside this row, so high, would push it away then. */
  paint(node, height) {
    const own = node.parentElement;
    own.style.contentVisibility = "visible";
    for (const next of ["previousElementSibling", "nextElementSibling"]) {
      let room = height; // besides its own group, at whose edge it may be
      for (let group = own[next]; group && room > 0; group = group[next]) {
        group.style.contentVisibility = "visible";
        room -= group.offsetHeight;
      }
    }
  }
}
