const LONGEST_TIMER = 2 ** 31 - 1; // milliseconds; above it browsers call at once

export const wall = () => Date.now() / 1000; // only to be shown: people and time servers set it
export const now = () => globalThis.performance.now() / 1000; // for all that is a duration
export const jitter = ({ first, longest, random }, tries) => random() * Math.min(longest, first * 2 ** tries);

/** Timers by name: setting one again replaces it. */
export class Timers {
  #ids = new Map();

  after(name, seconds, fn) {
    this.clear(name);
    const ms = Math.min(seconds * 1000, LONGEST_TIMER);
    this.#ids.set(name, setTimeout(() => (this.#ids.delete(name), fn()), ms));
  }

  has(name) {
    return this.#ids.has(name);
  }

  clear(...names) {
    for (const name of names) {
      clearTimeout(this.#ids.get(name));
      this.#ids.delete(name);
    }
  }

  clearAll() {
    this.clear(...this.#ids.keys());
  }
}
