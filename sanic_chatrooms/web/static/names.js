// How people are called, as far as this page has heard; kept in this browser, because the server knows no name of somebody
// who never came to a room that one shares with them.

import { kept } from "./kept.js";

const MOST = 300;

/** How much a source is worth, the last one most: people change their names, and old events keep the old ones. */
export const SOURCES = { kept: 0, past: 1, list: 2, now: 3 };

export class Names {
  #known = new Map(); // id → [name, source]

  constructor(user) {
    this.user = user;
    for (const [id, name] of parsed(kept.get(this.#key))) this.#known.set(id, [name, SOURCES.kept]);
  }

  get #key() {
    return `chatrooms names ${this.user}`;
  }

  of(id) {
    return this.#known.get(id)?.[0];
  }

  /** Take in what somebody is called by this source; returns whether that changes their name. */
  hear({ id, name } = {}, source) {
    // By the id a server calls whom it never met.
    if (!id || !name || name === id || source < this.#known.get(id)?.[1]) return false;
    const before = this.of(id);
    this.#known.delete(id);
    this.#known.set(id, [name, source]);
    if (before === name) return false;
    if (this.#known.size > MOST) this.#known.delete(this.#known.keys().next().value);
    kept.set(this.#key, JSON.stringify([...this.#known].map(([one, [called]]) => [one, called])));
    return true;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text).filter(([id, name]) => typeof id === "string" && typeof name === "string");
  } catch {
    return [];
  }
}
