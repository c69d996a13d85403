// The names of people that this page has seen. Kept in this browser, because the server does not know the name of somebody
// who never entered a shared room.

import { kept } from "./kept.js";

const MOST_NAMES = 300;

/** Sources of names, the most reliable last: people change their names, and old events keep the old ones. */
export const SOURCES = { kept: 0, past: 1, list: 2, now: 3 };

export class Names {
  #known = new Map(); // id → [name, source]
  #user;

  constructor(user) {
    this.begin(user);
  }

  /** Those that this user has seen; undefined: nobody is known yet, and nothing is kept. */
  begin(user) {
    if (user === this.#user) return;
    this.#user = user;
    this.#known.clear();
    for (const [id, name] of storedNames(kept.get(this.#key))) this.#known.set(id, [name, SOURCES.kept]);
  }

  get #key() {
    return `chatrooms names ${this.#user}`;
  }

  of(id) {
    return this.#known.get(id)?.[0];
  }

  /** Everybody whom this page has seen, the latest first: {id, name}. */
  all() {
    return [...this.#known].reverse().map(([id, [name]]) => ({ id, name }));
  }

  /** Learn a name from this source. Returns whether the person's name changed. */
  hear({ id, name } = {}, source) {
    // For somebody it never met, a server uses the id as the name.
    if (!id || !name || name === id || source < this.#known.get(id)?.[1]) return false;
    const before = this.of(id);
    this.#known.delete(id);
    this.#known.set(id, [name, source]);
    if (before === name) return false;
    if (this.#known.size > MOST_NAMES) this.#known.delete(this.#known.keys().next().value);
    if (this.#user) kept.set(this.#key, JSON.stringify([...this.#known].map(([one, [called]]) => [one, called])));
    return true;
  }
}

function storedNames(text) {
  try {
    return JSON.parse(text).filter(([id, name]) => typeof id === "string" && typeof name === "string");
  } catch {
    return [];
  }
}
