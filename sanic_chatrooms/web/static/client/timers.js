const LONGEST_TIMER = 2 ** 31 - 1; // milliseconds; browsers fire longer timers at once

export const wall = () => Date.now() / 1000; // for display only: the clock can be set
export const now = () => globalThis.performance.now() / 1000; // for durations
export const jitter = ({ first, longest, random }, tries) => random() * Math.min(longest, first * 2 ** tries);

/** Timers by name. Setting one again replaces it. */
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
