// What was begun to be written in each place, kept on this device for one user.

const MOST = 50; // places
const LONGEST = 100_000; // characters in all

export class Drafts {
  #known = new Map(); // place → text, as this page has last read or written it

  /** `store`: {get(), set(text)}. */
  constructor(store) {
    this.store = store;
  }

  /** What is kept for this place, or "". */
  of(place) {
    const text = this.#read().get(place) ?? "";
    this.#known.set(place, text);
    return text;
  }

  /** Keep these: pairs of a place and its text, which may be empty. Other tabs keep drafts, too: only what has changed here is written. */
  keep(texts) {
    const changed = [...texts].filter(([place, text]) => (this.#known.get(place) ?? "") !== text);
    if (!changed.length) return;
    const all = this.#read();
    for (const [place, text] of changed) {
      this.#known.set(place, text);
      all.delete(place); // so that the oldest is the first
      if (text.trim()) all.set(place, text);
    }
    this.store.set(JSON.stringify(bounded([...all])));
  }

  #read() {
    try {
      const all = JSON.parse(this.store.get());
      return new Map(all.filter(([place, text]) => typeof place === "string" && typeof text === "string"));
    } catch {
      return new Map(); // nothing is there, or not what was written here
    }
  }
}

function bounded(all) {
  let room = LONGEST;
  const newest = all.slice(-MOST).reverse();
  const fits = newest.findIndex(([, text]) => (room -= text.length) < 0);
  return (fits < 0 ? newest : newest.slice(0, fits)).reverse();
}
