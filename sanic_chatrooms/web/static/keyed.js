// A list that reuses the elements of its rows, so that focus, hover and selection survive every update.

import { focusBeside } from "./dom.js";

export class KeyedList {
  #nodes = new Map();

  /** `build(row)` creates a row's element. Rows have a `key`, and a `sign` that changes with their look. */
  constructor(parent, build) {
    this.parent = parent;
    this.build = build;
  }

  /** Show exactly these, in this order. Returns whether the focused element was removed. */
  set(rows) {
    const focused = this.parent.contains(focusBeside(this.parent));
    const keys = new Set(rows.map(({ key }) => key));
    for (const [key, { node }] of this.#nodes) if (!keys.has(key)) this.#drop(key, node);
    this.place(rows);
    return focused && !this.parent.contains(focusBeside(this.parent));
  }

  /** Put the elements of these rows in order. */
  place(rows) {
    let next = this.parent.firstChild;
    for (const row of rows) next = this.put(row, this.parent, next);
  }

  /** Put the element of a row before `next`; -> what comes after it. */
  put(row, parent, next) {
    const before = this.get(row.key);
    const node = this.#nodeOf(row);
    // A new element replaced the old one.
    if (next && (next === node || next === before)) return node.nextSibling;
    parent.insertBefore(node, next);
    return next;
  }

  get(key) {
    return this.#nodes.get(key)?.node;
  }

  #drop(key, node) {
    node.remove();
    this.#nodes.delete(key);
  }

  #nodeOf(row) {
    const known = this.#nodes.get(row.key);
    if (known?.sign === row.sign) return known.node;
    const node = this.build(row);
    this.#nodes.set(row.key, { node, sign: row.sign });
    const activeElement = focusBeside(this.parent);
    const inside = known?.node !== activeElement && known?.node.contains(activeElement) && activeElement.dataset.testid;
    const hadFocus = known?.node === activeElement;
    known?.node.replaceWith(node);
    // The row itself first: what it shows only while it has the focus cannot have the focus before.
    if (hadFocus || inside) node.focus({ preventScroll: true });
    if (inside) node.querySelector(`[data-testid="${CSS.escape(inside)}"]`)?.focus({ preventScroll: true });
    return node;
  }
}

/** Arrow keys, Home and End walk the elements that match `selector`. */
export function walkable(element, selector) {
  element.addEventListener("keydown", (event) => {
    const stops = [...element.querySelectorAll(selector)];
    const at = stops.indexOf(focusBeside(element));
    const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? stops.length - 1 : at - 1, Home: 0, End: stops.length - 1 }[event.key];
    // Inside a text they move the cursor.
    if (!stops[to] || event.altKey || event.ctrlKey || event.metaKey || event.target.matches("textarea")) return;
    event.preventDefault();
    stops[to].focus();
  });
}
