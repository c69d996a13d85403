// A list whose elements stay the same ones while their rows do: focus, hover and selection survive every update.

export class KeyedList {
  /** `build(row)` makes a row's element; rows have a `key`, and a `sign` that changes when they look different. */
  constructor(parent, build) {
    this.parent = parent;
    this.build = build;
    this.nodes = new Map();
  }

  /** Show exactly these, in this order. Returns whether the focus was in an element that is gone now. */
  set(rows) {
    const focused = this.parent.contains(document.activeElement) ? document.activeElement : null;
    this.#removeAllBut(new Set(rows.map((row) => row.key)));
    let next = this.parent.firstChild;
    for (const row of rows) {
      const known = this.nodes.get(row.key)?.node;
      const node = this.#nodeOf(row);
      // Redrawn: the new element has taken the place of the old one.
      if (next !== null && next === known) next = node;
      if (node === next) next = next.nextSibling;
      else this.parent.insertBefore(node, next);
    }
    return focused !== null && !focused.isConnected;
  }

  get(key) {
    return this.nodes.get(key)?.node;
  }

  clear() {
    this.nodes.clear();
    this.parent.replaceChildren();
  }

  #nodeOf(row) {
    const known = this.nodes.get(row.key);
    if (known?.sign === row.sign) return known.node;
    const node = this.build(row);
    this.nodes.set(row.key, { node, sign: row.sign });
    if (known) this.#replace(known.node, node);
    return node;
  }

  #replace(old, node) {
    const hadFocus = old === document.activeElement;
    old.replaceWith(node);
    if (hadFocus) node.focus({ preventScroll: true });
  }

  #removeAllBut(keys) {
    for (const [key, { node }] of this.nodes) {
      if (keys.has(key)) continue;
      node.remove();
      this.nodes.delete(key);
    }
  }
}

/** Arrow keys, Home and End walk the elements that match `selector` inside `element`. */
export function walkable(element, selector) {
  element.addEventListener("keydown", (event) => {
    const stops = [...element.querySelectorAll(selector)];
    const at = stops.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? stops.length - 1 : at - 1, Home: 0, End: stops.length - 1 }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey || !stops[to]) return;
    event.preventDefault();
    stops[to].focus();
  });
}
